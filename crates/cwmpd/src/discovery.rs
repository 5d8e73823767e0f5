//! What DHCP tells of the ACS and of the gateway: taken as the policy has it, and kept in `dhcp.ini`, a layer below what was
//! set on this box and above what the provider and the factory say. Through the layers it is in force, and survives a boot
//! without an answer of DHCP.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    rc::Rc,
};

use cwmp_core::{
    discovery::{
        DhcpAnswer, DhcpOption, Discovery, ENTERPRISE, GatewayIdentity, Role, VENDOR_CLASS, from_hex,
        identity_in_option_17, identity_in_option_125,
    },
    rpc::DeviceId,
    url::{HttpUrl, Scheme},
};
use cwmp_store::StoreError;
use serde::{Deserialize, Serialize};

use crate::{
    agent_source::SECTION,
    config::{DhcpPolicy, SharedLayers, is_device},
};

/// Section of what is known of the gateway.
pub(crate) const GATEWAY: &str = "GatewayInfo";
/// Section of what the values come from.
const ORIGIN: &str = "Discovery";
const URL: &str = "URL";
/// Largest announcement that is kept for an agent that does not run yet, in bytes.
const LEFT_BEHIND_BYTES: u64 = 64 * 1024;

/// What a hook of a DHCP client hands over: the options as digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcement {
    /// The network device that the answer came in on.
    pub(crate) interface: String,
    pub(crate) option43: Option<String>,
    pub(crate) option125: Option<String>,
    #[serde(default)]
    pub(crate) option17: Vec<String>,
}

impl Announcement {
    /// The options as bytes.
    ///
    /// # Errors
    /// Which option is none.
    pub(crate) fn answer(&self) -> Result<DhcpAnswer, String> {
        if !is_device(&self.interface) {
            return Err("--interface must be the name of a network device".to_owned());
        }
        let hex = |number: u8, text: &str| from_hex(text).map_err(|error| format!("option {number} {error}"));
        let one = |number, text: &Option<String>| text.as_deref().map(|text| hex(number, text)).transpose();
        Ok(DhcpAnswer {
            option_43: one(43, &self.option43)?,
            option_125: one(125, &self.option125)?,
            option_17: self.option17.iter().map(|text| hex(17, text)).collect::<Result<_, _>>()?,
            requested: None,
        })
    }

    fn is_v6(&self) -> bool {
        self.option43.is_none() && self.option125.is_none()
    }
}

/// Values by section and key, as `dhcp.ini` has them.
type Learnt = BTreeMap<(String, String), String>;

/// Hears what DHCP tells.
pub(crate) struct Ear {
    policy: DhcpPolicy,
    layers: Rc<SharedLayers>,
    /// The ACS that DHCP has told of is not reached: another client may tell of another one.
    anybody: Cell<bool>,
}

impl Ear {
    /// Forgets what was learnt and the policy does not allow (any more).
    ///
    /// # Errors
    /// [`StoreError`]; it is still in force then.
    pub(crate) fn new(policy: DhcpPolicy, layers: Rc<SharedLayers>) -> (Self, Result<(), StoreError>) {
        let ear = Self { policy, layers, anybody: Cell::new(false) };
        let learnt = ear.learnt();
        let of = |key: &str| learnt.get(&(ORIGIN.to_owned(), key.to_owned()));
        let url = learnt.get(&(SECTION.to_owned(), URL.to_owned()));
        let other_interface =
            |known: &String| ear.policy.interface.as_ref().is_some_and(|interface| interface != known);
        let forbidden = !ear.policy.discovery
            || url.is_some_and(|url| ear.refused(url))
            || of("Interface").is_some_and(other_interface);
        let done = if forbidden { ear.keep(&Learnt::new()).map(|_| ()) } else { Ok(()) };
        (ear, done)
    }

    /// From now on the next answer counts, whichever client it comes from.
    pub(crate) fn hear_anybody(&self) {
        self.anybody.set(true);
    }

    /// Takes what an answer tells. Returns whether anything is different now.
    ///
    /// # Errors
    /// Why nothing of it is taken.
    pub(crate) fn hear(&self, announcement: &Announcement) -> Result<bool, String> {
        let answer = announcement.answer()?;
        if !self.policy.discovery {
            return Err("dhcp_discovery is false: nothing is taken from DHCP".to_owned());
        }
        let interface = &announcement.interface;
        if let Some(heard) = self.policy.interface.as_ref().filter(|heard| *heard != interface) {
            return Err(format!("dhcp_interface is {heard}: nothing is taken from {interface}"));
        }
        let discovery = Discovery::read(&DhcpAnswer { requested: self.policy.requested, ..answer });
        for ignored in &discovery.ignored {
            tracing::warn!("DHCP on {interface}: ignored: {ignored}");
        }
        if discovery.url.as_ref().is_some_and(|url| self.refused(url)) {
            return Err("dhcp_requires_https is true: an ACS without https is refused".to_owned());
        }
        let mut learnt = self.learnt();
        take_gateway(&mut learnt, announcement, discovery.gateway.as_ref());
        if let Some(option) = discovery.option {
            self.take_acs(&mut learnt, interface, option, &discovery);
        }
        self.keep(&learnt).map_err(|error| error.to_string())
    }

    fn refused(&self, url: &str) -> bool {
        let is_https = HttpUrl::parse(url).is_ok_and(|url| url.scheme == Scheme::Https);
        self.policy.requires_https && !is_https
    }

    /// One client tells of the ACS as long as it is reached. Where two of them disagreed, each renewal of a lease would be a
    /// bootstrap.
    fn take_acs(&self, learnt: &mut Learnt, interface: &str, option: DhcpOption, discovery: &Discovery) {
        let family = if option == DhcpOption::V6VendorOpts { "IPv6" } else { "IPv4" };
        let known = |key: &str| learnt.get(&(ORIGIN.to_owned(), key.to_owned())).map(String::as_str);
        let same = known("Interface") == Some(interface) && known("Family") == Some(family);
        if known("Interface").is_some() && !same && !self.anybody.get() {
            tracing::info!("DHCP over {family} on {interface}: ignored, another client has told of the ACS");
            return;
        }
        if discovery.url.is_some() {
            learnt.retain(|(section, _), _| section == GATEWAY);
            self.anybody.set(false);
        }
        let numbers = [discovery.retry_minimum_wait_interval, discovery.retry_interval_multiplier]
            .map(|number| number.map(|number| number.to_string()));
        let [wait, multiplier] = numbers;
        for (section, key, value) in [
            (SECTION, URL, discovery.url.clone()),
            ("DeviceInfo", "ProvisioningCode", discovery.provisioning_code.clone()),
            (SECTION, "CWMPRetryMinimumWaitInterval", wait),
            (SECTION, "CWMPRetryIntervalMultiplier", multiplier),
            (ORIGIN, "Interface", Some(interface.to_owned())),
            (ORIGIN, "Family", Some(family.to_owned())),
            (ORIGIN, "Option", Some(option.number().to_string())),
        ] {
            if let Some(value) = value {
                learnt.insert((section.to_owned(), key.to_owned()), value);
            }
        }
    }

    fn learnt(&self) -> Learnt {
        let layers = self.layers.borrow();
        let values = layers.learnt();
        values.map(|(section, key, value)| ((section.into(), key.into()), value.into())).collect()
    }

    fn keep(&self, learnt: &Learnt) -> Result<bool, StoreError> {
        let values: Vec<_> = learnt
            .iter()
            .map(|((section, key), value)| (section.as_str(), key.as_str(), value.as_str()))
            .collect();
        self.layers.learn(&values)
    }
}

/// The gateway is the one of the latest lease; a lease without one, from where it was told, says that it is gone.
fn take_gateway(learnt: &mut Learnt, announcement: &Announcement, gateway: Option<&GatewayIdentity>) {
    let key = |key: &str| (GATEWAY.to_owned(), key.to_owned());
    let told_by =
        format!("{} {}", announcement.interface, if announcement.is_v6() { "IPv6" } else { "IPv4" });
    let from_there = learnt.get(&key("Source")).is_some_and(|source| *source == told_by);
    if gateway.is_some() || from_there {
        learnt.retain(|(section, _), _| section != GATEWAY);
    }
    if let Some(gateway) = gateway {
        learnt.insert(key("Source"), told_by);
        learnt.insert(key("ManufacturerOUI"), gateway.manufacturer_oui.clone());
        learnt.insert(key("SerialNumber"), gateway.serial_number.clone());
        learnt.insert(key("ProductClass"), gateway.product_class.clone());
    }
}

/// What the DHCP client of the box is to send, and its DHCP server to answer, a line for each option: its number and its
/// content as digits.
pub(crate) fn options_to_send(device: &DeviceId) -> String {
    let class = VENDOR_CLASS.as_bytes();
    let length = u16::try_from(class.len()).unwrap_or(u16::MAX).to_be_bytes();
    let v6_class = [&ENTERPRISE.to_be_bytes()[..], &length, class].concat();
    let options: [(&str, Vec<u8>); 6] = [
        ("option60", class.to_vec()),
        ("option125", identity_in_option_125(device, Role::Device)),
        ("option16", v6_class),
        ("option17", identity_in_option_17(device, Role::Device)),
        ("server-option125", identity_in_option_125(device, Role::Gateway)),
        ("server-option17", identity_in_option_17(device, Role::Gateway)),
    ];
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    options.iter().map(|(name, bytes)| format!("{name}={}\n", digits(bytes))).collect()
}

/// Keeps an announcement for an agent that does not run yet: at a boot the network may be up first. The last one of each
/// family is kept, beside the control socket.
///
/// # Errors
/// A sentence that names the file.
pub(crate) fn leave(socket: &Path, announcement: &Announcement) -> Result<(), String> {
    let file = left_behind(socket, announcement.is_v6());
    let new = file.with_extension("new");
    let write = || -> io::Result<()> {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        out.write_all(&serde_json::to_vec(announcement)?)?;
        fs::rename(&new, &file)
    };
    write().map_err(|error| format!("{}: {error}", file.display()))
}

/// Takes what was left while no agent ran.
pub(crate) fn pick_up(socket: &Path) -> Vec<Announcement> {
    let mut found = Vec::new();
    for file in [false, true].map(|v6| left_behind(socket, v6)) {
        let mut text = Vec::new();
        let read = fs::File::open(&file).and_then(|file| file.take(LEFT_BEHIND_BYTES).read_to_end(&mut text));
        match read {
            Ok(_) => match serde_json::from_slice(&text) {
                Ok(announcement) => found.push(announcement),
                Err(error) => tracing::warn!("{}: not an announcement: {error}", file.display()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => tracing::warn!("{}: {error}", file.display()),
        }
        if let Err(error) = fs::remove_file(&file) {
            tracing::warn!("{}: {error}", file.display());
        }
    }
    found
}

fn left_behind(socket: &Path, v6: bool) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(if v6 { ".dhcp6" } else { ".dhcp4" });
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
