//! Inform (TR-069a6 A.3.3.1).

use crate::{
    event::{EventCode, EventStruct},
    limits,
    rpc::{DeviceId, Inform, InformResponse},
};

use super::{
    reader::{Reader, Trouble},
    wire::{Entry, Field, Wire, read_fields, record},
    writer::{Sink, close, leaf, open},
};

record!(DeviceId {
    manufacturer: "Manufacturer"[64],
    oui: "OUI"[6],
    product_class: "ProductClass"[64],
    serial_number: "SerialNumber"[64],
});
record!(Inform {
    device_id: "DeviceId",
    events: "Event",
    max_envelopes: "MaxEnvelopes",
    current_time: "CurrentTime",
    retry_count: "RetryCount",
    parameters: "ParameterList",
});
record!(EventStruct { code: "EventCode", command_key: "CommandKey" });

impl Entry for EventStruct {
    const ELEMENT: &'static str = "EventStruct";
    const TYPE: &'static str = "cwmp:EventStruct";
    const MOST: usize = limits::INFORM_EVENTS;
}

impl Wire for EventCode {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        String::read(reader, limits::EVENT_CODE).map(|text| EventCode::parse(&text))
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        leaf(name, self.as_str(), out);
    }
}

/// The CPE has no use for MaxEnvelopes: an answer without it will do.
impl Wire for InformResponse {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let mut max_envelopes: Option<String> = None;
        read_fields(reader, &mut [Field::optional("MaxEnvelopes", &mut max_envelopes)])?;
        let given = max_envelopes.and_then(|text| text.trim().parse().ok());
        Ok(Self { max_envelopes: given.unwrap_or(1) })
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        open(name, out);
        self.max_envelopes.write("MaxEnvelopes", out);
        close(name, out);
    }
}
