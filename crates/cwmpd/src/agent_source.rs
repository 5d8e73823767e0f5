//! The agent's own object, `Device.ManagementServer.`, with its policies and its table InformParameter, kept in the layers.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

use async_trait::async_trait;
#[cfg(feature = "xmpp")]
use cwmp_core::{datetime::DateTime, settings::XmppState};
use cwmp_core::{
    fault::{CwmpFault, FaultCode, SetParameterValuesFault},
    rpc::{DeviceId, Status},
    settings::{AgentSettings, DelayReboot},
    value::ValueType,
};
use cwmp_datamodel::Addressing;
use cwmp_platform::source::{
    Access, Change, ObjectKind, ParameterSink, ParameterSource, SourceError, Storage, Wanted,
};
use cwmp_store::{Layers, Problem, StoreError};
use tokio::sync::watch;

use self::parameters::{DELAY_REBOOT, Kind, Loaded, POLICIES, Policy, STORED};
use crate::config::{SharedLayers, reader::boolean, rows};

/// What was undone last because the ACS was not reached after it (names, separated by commas); a parameter of our own.
pub(crate) const ROLLED_BACK: &str = "X_CWMPD_RolledBack";
/// Whether the ACS knows of that.
pub(crate) const ROLLBACK_REPORTED: &str = "X_CWMPD_RollbackReported";
/// The transfer that had brought what was undone, as long as the ACS does not know of that; a key that is no parameter.
pub(crate) const ROLLED_BACK_TRANSFER: &str = "X_CWMPD_RolledBackTransfer";
pub(crate) use self::parameters::SECTION;

mod inform_parameter;
mod parameters;
#[cfg(feature = "xmpp")]
pub(crate) mod xmpp;

#[cfg(test)]
mod tests;

/// Whether the agent takes a value for one of its keys in the layers, by the rule that a set of the parameter has; `None`
/// where this build has no such key.
///
/// # Errors
/// What would be right, to follow "must be".
#[cfg(feature = "openwrt")]
pub(crate) fn takes(section: &str, key: &str, value: &str) -> Option<Result<(), String>> {
    let stored = if section == SECTION { STORED } else { parameters::of_policy(section)? };
    let kind = stored.iter().find(|stored| stored.name == key)?.kind;
    Some(if kind.takes(value) { Ok(()) } else { Err(kind.right()) })
}

const OBJECT: &str = "Device.ManagementServer.";
const TABLE: &str = "Device.ManagementServer.InformParameter.";
const ROW: &str = "Device.ManagementServer.InformParameter.{i}.";

/// The source of `Device.ManagementServer.`.
///
/// All changes of one call are one commit of user.ini. Blocks while that is made durable.
pub(crate) struct AgentSource {
    layers: Rc<SharedLayers>,
    default_username: String,
    forced: Box<dyn Fn(&str) -> bool>,
    connection_request_url: RefCell<String>,
    /// UDPConnectionRequestAddress and NATDetected.
    #[cfg(feature = "stun")]
    udp_connection_requests: RefCell<(String, bool)>,
    /// The connection that connection requests come over.
    #[cfg(feature = "xmpp")]
    xmpp: RefCell<xmpp::Observed>,
    delay_reboot: Cell<DelayReboot>,
    /// Whether the box has software modules, and with them their policy.
    software: Cell<bool>,
    settings: watch::Sender<AgentSettings>,
    addressing: Rc<Cell<Addressing>>,
}

impl AgentSource {
    /// Reads the settings; what is wrong with them comes back as problems, and lower layers or defaults serve in its
    /// place. `forced` tells whether the schema has a parameter in every Inform, which no InformParameter row may repeat.
    pub(crate) fn new(
        layers: Rc<SharedLayers>,
        id: &DeviceId,
        forced: impl Fn(&str) -> bool + 'static,
    ) -> (Self, Vec<Problem>) {
        let default_username = parameters::default_username(id);
        let loaded = parameters::load(&layers.borrow(), &default_username, DelayReboot::default()).0;
        let source = Self {
            layers,
            default_username,
            forced: Box::new(forced),
            connection_request_url: RefCell::default(),
            #[cfg(feature = "stun")]
            udp_connection_requests: RefCell::default(),
            #[cfg(feature = "xmpp")]
            xmpp: RefCell::default(),
            delay_reboot: Cell::default(),
            software: Cell::default(),
            settings: watch::Sender::new(loaded.settings),
            addressing: Rc::new(Cell::new(loaded.addressing)),
        };
        let problems = source.problems();
        (source, problems)
    }

    /// What is wrong with the settings as they are now.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let layers = self.layers.borrow();
        let mut problems = parameters::load(&layers, &self.default_username, DelayReboot::default()).1;
        problems.extend(inform_parameter::problems(&layers, &self.forced));
        #[cfg(feature = "xmpp")]
        problems.extend(xmpp::rows::problems(&layers));
        problems
    }

    /// The box has software modules: their policy is shown.
    pub(crate) fn show_software(&self) {
        self.software.set(true);
    }

    fn policies(&self) -> impl Iterator<Item = &'static Policy> {
        let shown = if self.software.get() { POLICIES.len() } else { POLICIES.len() - 1 };
        POLICIES.iter().take(shown)
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> AgentSettings {
        self.settings.borrow().clone()
    }

    /// InstanceMode and AutoCreateInstances, always those in force.
    pub(crate) fn addressing(&self) -> Rc<Cell<Addressing>> {
        Rc::clone(&self.addressing)
    }

    /// Tells when the settings change, be it by the ACS or by [`AgentSource::refresh`].
    pub(crate) fn subscribe(&self) -> watch::Receiver<AgentSettings> {
        self.settings.subscribe()
    }

    /// Reads the settings again, after the layers were changed. Those that may still be taken back are not told.
    pub(crate) fn refresh(&self) {
        if self.layers.is_gathering() {
            return;
        }
        let loaded = self.load();
        self.addressing.set(loaded.addressing);
        self.settings.send_if_modified(|settings| {
            let changed = *settings != loaded.settings;
            *settings = loaded.settings;
            changed
        });
    }

    fn load(&self) -> Loaded {
        parameters::load(&self.layers.borrow(), &self.default_username, self.delay_reboot.get()).0
    }

    /// Says where connection requests are taken; empty while they are not.
    pub(crate) fn set_connection_request_url(&self, url: String) {
        self.connection_request_url.replace(url);
    }

    /// Says where connection requests over UDP are taken (empty while they are not, or it is not known), and whether there is a NAT on
    /// the way; returns whether that is something new.
    #[cfg(feature = "stun")]
    pub(crate) fn set_udp_connection_requests(&self, address: String, nat: bool) -> bool {
        let new = (address, nat);
        self.udp_connection_requests.replace(new.clone()) != new
    }

    /// Says how the connection is that connection requests come over, and since when; returns whether that is something new.
    #[cfg(feature = "xmpp")]
    pub(crate) fn set_xmpp(&self, state: XmppState, now: DateTime) -> bool {
        self.xmpp.borrow_mut().set(state, now)
    }

    /// Whether a single change can be taken, apart from what it means together with others.
    fn check_one(&self, change: &Change) -> Result<(), (FaultCode, String)> {
        let wrong_value = |right: &str| {
            Err((FaultCode::INVALID_PARAMETER_VALUE, format!("{} must be {right}", change.name)))
        };
        match self.target(&change.name) {
            Some(Target::Own(kind)) if !kind.takes(&change.value) => wrong_value(&kind.right()),
            Some(Target::Row(_, key)) => {
                inform_parameter::check(key, &change.value, &self.forced).or_else(wrong_value)
            }
            Some(Target::Own(_)) => Ok(()),
            None if change.name.strip_prefix(OBJECT).is_some_and(|name| READ_ONLY.contains(&name)) => {
                Err((FaultCode::NOT_WRITABLE, format!("{} is read-only", change.name)))
            }
            None => Err((FaultCode::INVALID_PARAMETER_NAME, format!("there is no {}", change.name))),
        }
    }

    /// What a name stands for; `None` where nothing is stored under it.
    fn target<'a>(&self, name: &'a str) -> Option<Target<'a>> {
        if let Some(rest) = name.strip_prefix(TABLE) {
            let (number, key) = rest.split_once('.')?;
            let number = number
                .parse()
                .ok()
                .filter(|number| inform_parameter::exists(&self.layers.borrow(), *number))?;
            return ["Enable", "ParameterName", "EventList"]
                .contains(&key)
                .then_some(Target::Row(number, key));
        }
        let policy = self.policies().find_map(|policy| Some((policy, name.strip_prefix(policy.object)?)));
        let (mut known, name) = match policy {
            Some((policy, name)) => (policy.stored.iter().chain(None), name),
            None => (STORED.iter().chain(Some(&DELAY_REBOOT)), name.strip_prefix(OBJECT)?),
        };
        known.find(|known| known.name == name).map(|known| Target::Own(known.kind))
    }

    /// A fault for each change after which two enabled rows would have the same ParameterName, which is a key of the table.
    fn check_unique(&self, changes: &[Change], faults: &mut Vec<SetParameterValuesFault>) {
        let mut rows = inform_parameter::rows(&self.layers.borrow());
        let mut touched = Vec::new();
        for change in changes {
            let Some(Target::Row(number, key)) = self.target(&change.name) else { continue };
            let Some(row) = rows.iter_mut().find(|row| row.number == number) else { continue };
            match key {
                "Enable" => row.enable = boolean(&change.value).unwrap_or(false),
                "ParameterName" => row.parameter_name.clone_from(&change.value),
                _ => continue,
            }
            touched.push((number, change));
        }
        for (number, change) in touched {
            let Some(row) = rows.iter().find(|row| row.number == number) else { continue };
            let twin = rows.iter().find(|other| {
                other.number != number
                    && other.enable
                    && row.enable
                    && other.parameter_name == row.parameter_name
            });
            if let Some(twin) = twin.filter(|_| !row.parameter_name.is_empty()) {
                faults.push(SetParameterValuesFault {
                    name: change.name.clone(),
                    code: FaultCode::INVALID_PARAMETER_VALUE,
                    text: format!("row {} of {TABLE} has the same ParameterName and is enabled", twin.number),
                });
            }
        }
    }

    /// Changes the layers durably and tells those who wait for it.
    fn commit<T>(
        &self,
        changes: &[Change],
        also: impl FnOnce(&mut Layers) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = self.layers.change(|layers| {
            for change in changes.iter().filter(|change| new_delay(change).is_none()) {
                let path = change.name.strip_prefix("Device.").unwrap_or(&change.name);
                let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
                layers.set(section, key, &change.value)?;
            }
            also(layers)
        })?;
        if let Some(seconds) = changes.iter().filter_map(new_delay).next_back() {
            let order = self.delay_reboot.get().order.wrapping_add(1);
            self.delay_reboot.set(DelayReboot { seconds, order });
        }
        self.refresh();
        Ok(done)
    }

    /// Refuses changes that have not passed [`AgentSource::check`]: nothing unread may get into user.ini.
    fn recheck(&self, changes: &[Change]) -> Result<(), String> {
        changes.iter().try_for_each(|change| self.check_one(change).map_err(|(_, text)| text))
    }
}

#[async_trait(?Send)]
impl ParameterSource for AgentSource {
    fn name(&self) -> &'static str {
        "agent"
    }

    fn storage(&self) -> Storage {
        Storage::Settings
    }

    fn objects(&self) -> &[&'static str] {
        if self.software.get() {
            return const { &[OBJECT, ROW, POLICIES[0].object, POLICIES[1].object, POLICIES[2].object] };
        }
        const { &[OBJECT, ROW, POLICIES[0].object, POLICIES[1].object] }
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        let layers = self.layers.borrow();
        let rows = inform_parameter::rows(&layers);
        if wanted.touches(OBJECT) {
            out.object(OBJECT, ObjectKind::Single);
            show(STORED.iter().chain(Some(&DELAY_REBOOT)), &self.load(), out);
            let url = self.connection_request_url.borrow();
            #[cfg(feature = "stun")]
            let udp = self.udp_connection_requests.borrow();
            #[cfg(feature = "xmpp")]
            let jabber_id = self.xmpp.borrow().jabber_id_of(self.settings.borrow().xmpp.as_deref());
            let made_up: [(&str, &dyn fmt::Display); READ_ONLY.len()] = [
                #[cfg(feature = "compression")]
                ("HTTPCompressionSupported", &"GZIP,Deflate"),
                ("LightweightNotificationProtocolsSupported", &"UDP"),
                ("ConnectionRequestURL", &*url),
                #[cfg(feature = "stun")]
                ("UDPConnectionRequestAddress", &udp.0),
                #[cfg(feature = "stun")]
                ("NATDetected", &udp.1),
                #[cfg(feature = "xmpp")]
                ("ConnReqJabberID", &jabber_id),
                ("SupportedConnReqMethods", &METHODS),
                ("AliasBasedAddressing", &true),
                ("InstanceWildcardsSupported", &true),
                ("InformParameterNumberOfEntries", &rows.len()),
            ];
            for (name, value) in made_up {
                out.parameter(name, value, Access::ReadOnly);
            }
            let kept = |key| layers.get(SECTION, key).unwrap_or_default();
            out.vendor_parameter(ROLLED_BACK, ValueType::String, &kept(ROLLED_BACK), Access::ReadOnly);
            let reported = kept(ROLLBACK_REPORTED) != "false";
            out.vendor_parameter(ROLLBACK_REPORTED, ValueType::Boolean, &reported, Access::ReadOnly);
        }
        for policy in self.policies().filter(|policy| wanted.touches(policy.object)) {
            out.object(policy.object, ObjectKind::Single);
            show(policy.stored.iter(), &self.load(), out);
        }
        if wanted.touches(ROW) {
            out.object(TABLE, ObjectKind::Table { addable: true });
            for row in rows {
                out.object(&format!("{TABLE}{}.", row.number), ObjectKind::Instance { deletable: true });
                out.parameter("Enable", &row.enable, Access::ReadWrite);
                out.parameter("ParameterName", &row.parameter_name, Access::ReadWrite);
                out.parameter("EventList", &row.event_list, Access::ReadWrite);
            }
        }
        Ok(())
    }

    async fn check(&self, changes: &[Change]) -> Vec<SetParameterValuesFault> {
        let fault = |change: &Change| {
            let (code, text) = self.check_one(change).err()?;
            Some(SetParameterValuesFault { name: change.name.clone(), code, text })
        };
        let mut faults: Vec<_> = changes.iter().filter_map(fault).collect();
        if faults.is_empty() {
            self.check_unique(changes, &mut faults);
        }
        faults
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        self.recheck(changes).map_err(SourceError)?;
        self.commit(changes, |_| Ok(())).map_err(|error| SourceError(error.to_string()))?;
        Ok(Status::Applied)
    }

    async fn add(&self, table: &str, extra: &[Change]) -> Result<(u32, Status), CwmpFault> {
        if table != TABLE {
            return Err(CwmpFault::new(
                FaultCode::INVALID_PARAMETER_NAME,
                format!("{table} takes no instances"),
            ));
        }
        self.recheck(extra).map_err(internal)?;
        let full =
            || CwmpFault::new(FaultCode::RESOURCES_EXCEEDED, format!("{TABLE} has no room for another row"));
        if self.layers.borrow().rows(inform_parameter::TABLE).len() >= inform_parameter::ROWS {
            return Err(full());
        }
        let table = inform_parameter::TABLE;
        let number = rows::next_instance(&self.layers.borrow(), table).ok_or_else(full)?;
        let add = |layers: &mut Layers| rows::add(layers, table, number, inform_parameter::DEFAULTS);
        self.commit(extra, add).map_err(internal)?;
        Ok((number, Status::Applied))
    }

    async fn delete(&self, instance: &str, extra: &[Change]) -> Result<Status, CwmpFault> {
        let number = instance.strip_prefix(TABLE).and_then(|rest| rest.strip_suffix('.')?.parse().ok());
        let Some(number) = number.filter(|number| inform_parameter::exists(&self.layers.borrow(), *number))
        else {
            return Err(CwmpFault::new(FaultCode::INVALID_PARAMETER_NAME, format!("there is no {instance}")));
        };
        self.recheck(extra).map_err(internal)?;
        self.commit(extra, |layers| rows::delete(layers, inform_parameter::TABLE, number))
            .map_err(internal)?;
        Ok(Status::Applied)
    }
}

/// The value for DelayReboot, where the change is one of that.
fn new_delay(change: &Change) -> Option<Option<u32>> {
    let name = change.name.strip_prefix(OBJECT)?;
    if name == DELAY_REBOOT.name { parameters::delay(&change.value) } else { None }
}

fn show<'a>(known: impl Iterator<Item = &'a parameters::Stored>, now: &Loaded, out: &mut dyn ParameterSink) {
    for parameter in known {
        let access = if parameter.writable { Access::ReadWrite } else { Access::ReadOnly };
        out.parameter(parameter.name, &(parameter.show)(now), access);
    }
}

/// The fault for what should not happen or could not be stored.
fn internal(error: impl fmt::Display) -> CwmpFault {
    CwmpFault::new(FaultCode::INTERNAL_ERROR, error.to_string())
}

/// SupportedConnReqMethods.
const METHODS: &str = match (cfg!(feature = "stun"), cfg!(feature = "xmpp")) {
    (true, true) => "HTTP,STUN,XMPP",
    (true, false) => "HTTP,STUN",
    (false, true) => "HTTP,XMPP",
    (false, false) => "HTTP",
};

/// Parameters that the program makes up.
const READ_ONLY: &[&str] = &[
    #[cfg(feature = "compression")]
    "HTTPCompressionSupported",
    "LightweightNotificationProtocolsSupported",
    "ConnectionRequestURL",
    #[cfg(feature = "stun")]
    "UDPConnectionRequestAddress",
    #[cfg(feature = "stun")]
    "NATDetected",
    #[cfg(feature = "xmpp")]
    "ConnReqJabberID",
    "SupportedConnReqMethods",
    "AliasBasedAddressing",
    "InstanceWildcardsSupported",
    "InformParameterNumberOfEntries",
];

enum Target<'a> {
    Own(Kind),
    Row(u32, &'a str),
}
