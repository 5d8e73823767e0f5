//! Methods on the parameter tree (TR-069a6 A.3.2.1 to A.3.2.7).

use crate::{
    limits::PARAMETER_NAME,
    rpc::{
        AddObject, AddObjectResponse, DeleteObject, GetParameterAttributes, GetParameterNames,
        GetParameterValues, ParameterAttributeStruct, ParameterInfoStruct, ParameterValueStruct,
        SetParameterAttributes, SetParameterAttributesStruct, SetParameterValues, Status,
    },
    value::ValueType,
};

use super::{
    listing,
    reader::{Reader, Trouble},
    wire::{Entry, Field, Wire, choice, filled, read_fields, record},
    writer::Sink,
};

record!(SetParameterValues { parameters: "ParameterList", parameter_key: "ParameterKey" });
record!(GetParameterValues { names: "ParameterNames"[PARAMETER_NAME] });
record!(GetParameterNames { path: "ParameterPath"[PARAMETER_NAME], next_level: "NextLevel" });
record!(SetParameterAttributes { entries: "ParameterList" });
record!(SetParameterAttributesStruct {
    name: "Name"[PARAMETER_NAME],
    notification_change: "NotificationChange",
    notification: "Notification",
    access_list_change: "AccessListChange",
    access_list: "AccessList"[64],
});
record!(GetParameterAttributes { names: "ParameterNames"[PARAMETER_NAME] });
record!(AddObject { object_name: "ObjectName"[PARAMETER_NAME], parameter_key: "ParameterKey" });
record!(AddObjectResponse { instance_number: "InstanceNumber", status: "Status" });
record!(DeleteObject { object_name: "ObjectName"[PARAMETER_NAME], parameter_key: "ParameterKey" });
choice!(Status { Applied = "0", Committed = "1" });

impl Entry for SetParameterAttributesStruct {
    const ELEMENT: &'static str = "SetParameterAttributesStruct";
    const TYPE: &'static str = "cwmp:SetParameterAttributesStruct";
}

/// A value with the type that its element announces.
struct Typed(Option<ValueType>, String);

impl Wire for Typed {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let value_type = reader.value_type();
        reader.text().map(|text| Self(value_type, text))
    }

    fn write(&self, _name: &str, out: &mut dyn Sink) {
        listing::typed(self.0, &self.1, out);
    }
}

impl Wire for ParameterValueStruct {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let (mut name, mut value) = (None, None);
        let name_field = Field::required("Name", &mut name).at_most(PARAMETER_NAME);
        read_fields(reader, &mut [name_field, Field::required("Value", &mut value)])?;
        let Typed(value_type, value) = filled(value)?;
        Ok(Self { name: filled(name)?, value_type, value })
    }

    fn write(&self, _name: &str, out: &mut dyn Sink) {
        listing::value_entry("", &self.name, self.value_type, &self.value, out);
    }
}

impl Entry for ParameterValueStruct {
    const ELEMENT: &'static str = listing::VALUE_ENTRY;
    const TYPE: &'static str = listing::VALUE_TYPE;
}

impl Wire for ParameterInfoStruct {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let (mut name, mut writable) = (None, None);
        let name_field = Field::required("Name", &mut name).at_most(PARAMETER_NAME);
        read_fields(reader, &mut [name_field, Field::required("Writable", &mut writable)])?;
        Ok(Self { name: filled(name)?, writable: filled(writable)? })
    }

    fn write(&self, _name: &str, out: &mut dyn Sink) {
        listing::info("", &self.name, self.writable, out);
    }
}

impl Entry for ParameterInfoStruct {
    const ELEMENT: &'static str = listing::INFO_ENTRY;
    const TYPE: &'static str = listing::INFO_TYPE;
}

impl Wire for ParameterAttributeStruct {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let (mut name, mut notification, mut access_list) = (None, None, None);
        let fields = &mut [
            Field::required("Name", &mut name).at_most(PARAMETER_NAME),
            Field::required("Notification", &mut notification),
            Field::required("AccessList", &mut access_list).at_most(64),
        ];
        read_fields(reader, fields)?;
        Ok(Self {
            name: filled(name)?,
            notification: filled(notification)?,
            access_list: filled(access_list)?,
        })
    }

    fn write(&self, _name: &str, out: &mut dyn Sink) {
        let access_list: Vec<&str> = self.access_list.iter().map(String::as_str).collect();
        listing::attribute("", &self.name, self.notification, &access_list, out);
    }
}

impl Entry for ParameterAttributeStruct {
    const ELEMENT: &'static str = listing::ATTRIBUTE_ENTRY;
    const TYPE: &'static str = listing::ATTRIBUTE_TYPE;
}
