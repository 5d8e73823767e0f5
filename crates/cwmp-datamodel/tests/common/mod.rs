//! A tree in memory, and the calls of an ACS in short words.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use async_trait::async_trait;
use cwmp_core::{
    event::EventCode,
    fault::{CwmpFault, FaultCode, SetParameterValuesFault},
    io::{DataOp, DataReply},
    rpc::{AddObjectResponse, ParameterKey, ParameterValueStruct, SetParameterAttributesStruct, Status},
    value::ValueType,
};
use cwmp_datamodel::{
    Addressing, AttributeError, AttributeStore, Attributes, DataModel, Origin,
    facts::{Facts, Place},
};
use cwmp_platform::source::{
    Access, Change, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted,
};

/// An object and its parameters: name, value, access.
type Stored = (ObjectKind, Vec<(String, String, Access)>);

/// A source that keeps everything in memory and fails on demand.
pub struct Memory {
    name: &'static str,
    objects: Vec<&'static str>,
    tree: RefCell<BTreeMap<String, Stored>>,
    pub reads: Cell<u32>,
    pub applied: RefCell<Vec<Vec<Change>>>,
    pub fails_to_read: Cell<bool>,
    pub hangs: Cell<bool>,
    pub fails_to_apply: Cell<bool>,
    pub fails_to_delete: Cell<bool>,
    /// Instances are made and then not shown.
    pub hides_added: Cell<bool>,
    /// Values that the check refuses.
    pub refused: RefCell<BTreeSet<String>>,
    pub status: Cell<Status>,
    pub next_instance: Cell<u32>,
    /// Whether it makes images of what is about to change.
    pub makes_images: Cell<bool>,
    images: RefCell<Vec<BTreeMap<String, Stored>>>,
    /// Every instance that was ever made.
    pub added: RefCell<Vec<String>>,
    /// Whether sets to the value of before reach it.
    pub hears_repeats: Cell<bool>,
}

impl Memory {
    pub fn new(name: &'static str, objects: &[&'static str]) -> Self {
        Self {
            name,
            objects: objects.to_vec(),
            tree: RefCell::default(),
            reads: Cell::new(0),
            applied: RefCell::default(),
            fails_to_read: Cell::new(false),
            hangs: Cell::new(false),
            fails_to_apply: Cell::new(false),
            fails_to_delete: Cell::new(false),
            hides_added: Cell::new(false),
            refused: RefCell::default(),
            status: Cell::new(Status::Applied),
            next_instance: Cell::new(1),
            makes_images: Cell::new(false),
            images: RefCell::default(),
            added: RefCell::default(),
            hears_repeats: Cell::new(true),
        }
    }

    pub fn object(self, path: &str, kind: ObjectKind) -> Self {
        self.put_object(path, kind);
        self
    }

    pub fn rw(self, name: &str, value: &str) -> Self {
        self.put(name, value, Access::ReadWrite);
        self
    }

    pub fn ro(self, name: &str, value: &str) -> Self {
        self.put(name, value, Access::ReadOnly);
        self
    }

    pub fn put_object(&self, path: &str, kind: ObjectKind) {
        self.tree.borrow_mut().insert(path.to_owned(), (kind, Vec::new()));
    }

    pub fn put(&self, name: &str, value: &str, access: Access) {
        let (object, leaf) = name.rsplit_once('.').unwrap();
        let mut tree = self.tree.borrow_mut();
        let (_, parameters) = tree.entry(format!("{object}.")).or_insert((ObjectKind::Single, Vec::new()));
        match parameters.iter_mut().find(|(known, ..)| known == leaf) {
            Some(parameter) => value.clone_into(&mut parameter.1),
            None => parameters.push((leaf.to_owned(), value.to_owned(), access)),
        }
    }

    /// An object goes away by itself, with all below it.
    pub fn remove(&self, object: &str) {
        self.tree.borrow_mut().retain(|path, _| !path.starts_with(object));
    }

    pub fn is_writable(&self, name: &str) -> bool {
        let writable = Facts::tr181().find(name).is_some_and(|place| match place {
            Place::Parameter(_, parameter) => parameter.rule().is_writable(),
            Place::Object(_) | Place::Table(_) => false,
        });
        let (object, leaf) = name.rsplit_once('.').unwrap();
        let tree = self.tree.borrow();
        let own =
            tree.get(&format!("{object}.")).and_then(|(_, all)| all.iter().find(|(known, ..)| known == leaf));
        writable && own.is_some_and(|(.., access)| *access == Access::ReadWrite)
    }

    pub fn value(&self, name: &str) -> String {
        let (object, leaf) = name.rsplit_once('.').unwrap();
        let tree = self.tree.borrow();
        tree[&format!("{object}.")].1.iter().find(|(known, ..)| known == leaf).unwrap().1.clone()
    }
}

#[async_trait(?Send)]
impl ParameterSource for Memory {
    fn name(&self) -> &'static str {
        self.name
    }

    fn objects(&self) -> &[&'static str] {
        &self.objects
    }

    fn hears_repeats(&self, _: &str) -> bool {
        self.hears_repeats.get()
    }

    async fn image(&self, _: &[Change], _: Option<&str>) -> Result<Option<String>, SourceError> {
        if !self.makes_images.get() {
            return Ok(None);
        }
        let mut images = self.images.borrow_mut();
        images.push(self.tree.borrow().clone());
        Ok(Some((images.len() - 1).to_string()))
    }

    async fn restore(&self, image: &str) -> Result<(), SourceError> {
        self.tree.replace(self.images.borrow()[image.parse::<usize>().unwrap()].clone());
        Ok(())
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        self.reads.set(self.reads.get() + 1);
        if self.hangs.get() {
            std::future::pending::<()>().await;
        }
        for (path, (kind, parameters)) in self.tree.borrow().iter() {
            if !wanted.touches(path) {
                continue;
            }
            out.object(path, *kind);
            for (name, value, access) in parameters {
                if name.starts_with("X_") || path.contains(".X_") {
                    out.vendor_parameter(name, ValueType::UnsignedInt, value, *access);
                } else {
                    out.parameter(name, value, *access);
                }
            }
            if self.fails_to_read.get() {
                return Err(SourceError::new("broken on purpose"));
            }
        }
        Ok(())
    }

    async fn check(&self, changes: &[Change]) -> Vec<SetParameterValuesFault> {
        let refused = changes.iter().filter(|change| self.refused.borrow().contains(&change.value));
        let fault = |change: &Change| SetParameterValuesFault {
            name: change.name.clone(),
            code: FaultCode::INVALID_PARAMETER_VALUE,
            text: "refused on purpose".to_owned(),
        };
        refused.map(fault).collect()
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        if self.fails_to_apply.get() {
            return Err(SourceError::new("broken on purpose"));
        }
        self.applied.borrow_mut().push(changes.to_vec());
        for change in changes {
            self.put(&change.name, &change.value, Access::ReadWrite);
        }
        Ok(self.status.get())
    }

    async fn add(&self, table: &str, extra: &[Change]) -> Result<(u32, Status), CwmpFault> {
        if self.fails_to_apply.get() {
            return Err(CwmpFault::new(FaultCode::RESOURCES_EXCEEDED, "full"));
        }
        let number = self.next_instance.replace(self.next_instance.get() + 1);
        let instance = format!("{table}{number}.");
        self.added.borrow_mut().push(instance.clone());
        if self.hides_added.get() {
            return Ok((number, Status::Applied));
        }
        self.put_object(&instance, ObjectKind::Instance { deletable: true });
        let row: &[(&str, &str)] = match table {
            "Device.IP.Interface." => {
                self.put_object(&format!("{instance}IPv4Address."), ObjectKind::Table { addable: true });
                &[("Enable", "false"), ("LowerLayers", "")]
            }
            _ if table.ends_with(".IPv4Address.") => &[("Enable", "false"), ("IPAddress", "")],
            _ => &[("Enable", "false"), ("ParameterName", ""), ("EventList", "")],
        };
        for (name, value) in row {
            self.put(&format!("{instance}{name}"), value, Access::ReadWrite);
        }
        self.apply(extra).await.map(|status| (number, status)).map_err(|_| unreachable!())
    }

    async fn delete(&self, instance: &str, extra: &[Change]) -> Result<Status, CwmpFault> {
        if self.fails_to_apply.get() || self.fails_to_delete.get() {
            return Err(CwmpFault::new(FaultCode::INTERNAL_ERROR, "stuck"));
        }
        self.remove(instance);
        self.apply(extra).await.map_err(|_| unreachable!())
    }
}

/// Attributes in memory; counts what is written.
#[derive(Default)]
pub struct Shelf {
    pub saved: RefCell<Attributes>,
    pub writes: Cell<u32>,
    pub fails: Cell<bool>,
}

#[async_trait(?Send)]
impl AttributeStore for Shelf {
    fn load(&self) -> Attributes {
        self.saved.borrow().clone()
    }

    async fn save(&self, attributes: &Attributes) -> Result<(), AttributeError> {
        if self.fails.get() {
            return Err(AttributeError("the shelf is full".to_owned()));
        }
        self.writes.set(self.writes.get() + 1);
        *self.saved.borrow_mut() = attributes.clone();
        Ok(())
    }
}

pub const KEY: &str = "Device.ManagementServer.ParameterKey";

/// The box of the tests: two sources, a table that takes instances, one that does not, one that is empty.
pub struct Bench {
    pub model: DataModel,
    /// ManagementServer and its InformParameter table.
    pub own: Rc<Memory>,
    /// DeviceInfo, Time, Hosts.
    pub system: Rc<Memory>,
    pub shelf: Rc<Shelf>,
    pub addressing: Rc<Cell<Addressing>>,
}

impl Bench {
    pub fn new() -> Self {
        let own =
            Memory::new("own", &["Device.ManagementServer.", "Device.ManagementServer.InformParameter.{i}."])
                .object("Device.ManagementServer.", ObjectKind::Single)
                .object("Device.ManagementServer.InformParameter.", ObjectKind::Table { addable: true })
                .rw("Device.ManagementServer.URL", "http://acs.example/")
                .rw("Device.ManagementServer.Username", "box")
                .rw("Device.ManagementServer.Password", "hush")
                .rw("Device.ManagementServer.PeriodicInformEnable", "true")
                .rw("Device.ManagementServer.PeriodicInformInterval", "3600")
                .ro(KEY, "first")
                .ro("Device.ManagementServer.ConnectionRequestURL", "http://192.0.2.1:7547/")
                .ro("Device.ManagementServer.AliasBasedAddressing", "false");
        let mut objects =
            vec!["Device.DeviceInfo.", "Device.Time.", "Device.Hosts.", "Device.Hosts.Host.{i}."];
        objects.extend(["Device.", "Device.IP.", "Device.IP.Interface.{i}.", "Device.X_CWMPD_Extra."]);
        let system = Memory::new("system", &objects)
            .ro("Device.RootDataModelVersion", "2.17")
            .ro("Device.DeviceInfo.SoftwareVersion", "1.0")
            .ro("Device.DeviceInfo.HardwareVersion", "A")
            .rw("Device.DeviceInfo.ProvisioningCode", "")
            .ro("Device.DeviceInfo.UpTime", "100")
            .rw("Device.Time.Enable", "true")
            .rw("Device.Time.NTPServer1", "ntp.example")
            .object("Device.Hosts.", ObjectKind::Single)
            .object("Device.Hosts.Host.", ObjectKind::Table { addable: false })
            .object("Device.Hosts.Host.1.", ObjectKind::Instance { deletable: false })
            .object("Device.Hosts.Host.2.", ObjectKind::Instance { deletable: false })
            .object("Device.Hosts.Host.10.", ObjectKind::Instance { deletable: false })
            .ro("Device.Hosts.Host.1.HostName", "a")
            .ro("Device.Hosts.Host.2.HostName", "b")
            .ro("Device.Hosts.Host.10.HostName", "c")
            .object("Device.IP.Interface.", ObjectKind::Table { addable: true })
            .rw("Device.X_CWMPD_Extra.Level", "7");
        Self::of(own, system)
    }

    pub fn of(own: Memory, system: Memory) -> Self {
        let (own, system, shelf) = (Rc::new(own), Rc::new(system), Rc::new(Shelf::default()));
        let addressing = Rc::default();
        let model = Self::start(&own, &system, &shelf, &addressing);
        Self { model, own, system, shelf, addressing }
    }

    fn start(
        own: &Rc<Memory>,
        system: &Rc<Memory>,
        shelf: &Rc<Shelf>,
        addressing: &Rc<Cell<Addressing>>,
    ) -> DataModel {
        DataModel::new(vec![own.clone(), system.clone()], shelf.clone()).with_addressing(addressing.clone())
    }

    /// The program ends and starts anew.
    pub fn restart(&mut self) {
        self.model = Self::start(&self.own, &self.system, &self.shelf, &self.addressing);
    }

    pub async fn acs(&mut self, op: DataOp) -> Result<DataReply, CwmpFault> {
        self.model.execute(op, Origin::Acs).await
    }

    /// Entries of a listing as `object name text writable notification access`.
    async fn list(&mut self, op: DataOp) -> Result<Vec<(String, String, bool, u8, bool)>, u32> {
        let reply = self.acs(op).await.map_err(|fault| fault.code.0)?;
        let DataReply::Listing { snapshot, count } = reply else { panic!("{reply:?}") };
        let held = self.model.snapshot(snapshot).unwrap();
        let entries: Vec<_> = held
            .entries()
            .map(|e| {
                (
                    format!("{}{}", e.object, e.name),
                    e.text.to_owned(),
                    e.writable,
                    e.notification,
                    !e.access_list.is_empty(),
                )
            })
            .collect();
        assert_eq!(entries.len(), count as usize, "the count is announced before the entries");
        self.model.release(snapshot);
        assert!(self.model.snapshot(snapshot).is_none());
        Ok(entries)
    }

    pub async fn names(&mut self, path: &str, next_level: bool) -> Result<Vec<String>, u32> {
        let entries = self.infos(path, next_level).await?;
        Ok(entries.into_iter().map(|(name, _)| name).collect())
    }

    pub async fn infos(&mut self, path: &str, next_level: bool) -> Result<Vec<(String, bool)>, u32> {
        let entries = self.list(DataOp::Names { path: path.to_owned(), next_level }).await?;
        Ok(entries.into_iter().map(|(name, _, writable, ..)| (name, writable)).collect())
    }

    pub async fn values(&mut self, names: &[&str]) -> Result<Vec<(String, String)>, u32> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let entries = self.list(DataOp::Values { names }).await?;
        Ok(entries.into_iter().map(|(name, text, ..)| (name, text)).collect())
    }

    pub async fn value(&mut self, name: &str) -> String {
        self.values(&[name]).await.unwrap().remove(0).1
    }

    pub async fn attributes(&mut self, names: &[&str]) -> Result<Vec<(String, u8, bool)>, u32> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let entries = self.list(DataOp::Attributes { names }).await?;
        Ok(entries
            .into_iter()
            .map(|(name, _, _, notification, access)| (name, notification, access))
            .collect())
    }

    pub async fn add(&mut self, table: &str, key: &str) -> Result<AddObjectResponse, u32> {
        let op =
            DataOp::Add { object_name: table.to_owned(), parameter_key: ParameterKey::new(key).unwrap() };
        match self.acs(op).await.map_err(|fault| fault.code.0)? {
            DataReply::Added(added) => Ok(added),
            other => panic!("{other:?}"),
        }
    }

    pub async fn delete(&mut self, instance: &str, key: &str) -> Result<Status, u32> {
        let op = DataOp::Delete {
            object_name: instance.to_owned(),
            parameter_key: ParameterKey::new(key).unwrap(),
        };
        match self.acs(op).await.map_err(|fault| fault.code.0)? {
            DataReply::Status(status) => Ok(status),
            other => panic!("{other:?}"),
        }
    }

    pub async fn set(&mut self, values: &[(&str, &str)], key: &str) -> Result<Status, CwmpFault> {
        match self.acs(set(values, key)).await? {
            DataReply::Status(status) => Ok(status),
            other => panic!("{other:?}"),
        }
    }

    pub async fn watch(&mut self, entries: &[(&str, i32)]) -> Result<(), u32> {
        let entries = entries.iter().map(|(name, notification)| SetParameterAttributesStruct {
            name: (*name).to_owned(),
            notification_change: true,
            notification: *notification,
            access_list_change: false,
            access_list: vec!["ignored".to_owned()],
        });
        let done = self.acs(DataOp::SetAttributes { entries: entries.collect() }).await;
        done.map(|reply| assert_eq!(reply, DataReply::Done)).map_err(|fault| fault.code.0)
    }

    /// Parameters of an Inform, and whether a value has changed.
    pub async fn inform(&mut self, events: &[EventCode]) -> (Vec<(String, String)>, bool) {
        match self.acs(DataOp::Inform { events: events.to_vec() }).await.unwrap() {
            DataReply::Inform { parameters, value_change } => {
                (parameters.into_iter().map(|p| (p.name, p.value)).collect(), value_change)
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn delivered(&mut self) {
        assert_eq!(self.acs(DataOp::InformDelivered).await, Ok(DataReply::Done));
    }
}

/// Names and codes of the parameters that a call was refused for.
pub fn entries(fault: &CwmpFault) -> Vec<(&str, u32)> {
    fault.parameters.iter().map(|entry| (entry.name.as_str(), entry.code.0)).collect()
}

pub fn set(values: &[(&str, &str)], key: &str) -> DataOp {
    let parameter = |(name, value): &(&str, &str)| ParameterValueStruct {
        name: (*name).to_owned(),
        value_type: None,
        value: (*value).to_owned(),
    };
    let parameter_key = ParameterKey::new(key).unwrap();
    DataOp::Set { parameters: values.iter().map(parameter).collect(), parameter_key }
}
