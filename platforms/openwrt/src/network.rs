//! The logical interfaces (`config interface` of package `network`) and their rows of `Device.IP.Interface.`.
//!
//! A row is a section, known by its name. An alias (`device '@wan'`) and an interface that netifd has made by itself
//! (`wan_6` of a PPPoE line) add addresses to the device of another section, and so belong to its row.

use std::{net::Ipv4Addr, rc::Rc};

use cwmp_platform::source::SourceError;
use cwmp_ubus::Table;
use cwmp_uci::{Package, Section};

use crate::{limits, survey::Survey};

/// Path of the table.
pub(crate) const IP_INTERFACE: &str = "Device.IP.Interface.";

/// The logical interfaces at one moment.
pub(crate) struct Network {
    /// Package `network`.
    pub(crate) package: Rc<Package>,
    dump: Option<Rc<Table>>,
    interfaces: Vec<Interface>,
}

/// A section with a row.
pub(crate) struct Interface {
    /// Name of the section, and of the interface to netifd.
    pub(crate) name: String,
    /// Path of the row without the last dot, as references have it.
    pub(crate) path: String,
    /// The network device that carries its packets: what netifd says (`l3_device`), else what the section says.
    pub(crate) device: Option<String>,
    /// `dhcp`, `static`, `pppoe`, ...
    #[allow(dead_code, reason = "for objects that are still to come")]
    pub(crate) proto: String,
    /// Sections, aliases and dynamic interfaces of this row, itself first, as netifd knows them.
    members: Vec<String>,
}

impl Network {
    /// Asks netifd and reads the package.
    pub(crate) async fn look(survey: &Survey) -> Result<Self, SourceError> {
        let package = survey.uci("network").await?;
        let dump = survey.ubus("network.interface", "dump").await?;
        let own = package.of_type("interface").filter(|section| base(section).is_none());
        let own: Vec<&Section> = own.take(limits::ROWS).collect();
        let numbers = survey.numbers(IP_INTERFACE, own.iter().map(|section| section.name()));
        let states = || dump.iter().flat_map(|dump| tables(dump, "interface"));
        let mut interfaces = Vec::new();
        for (section, number) in own.into_iter().zip(numbers) {
            let Some(number) = number else { continue };
            let state = states().find(|state| state.str("interface") == Some(section.name()));
            let device = state.and_then(|state| state.str("l3_device").or_else(|| state.str("device")));
            let device = device.or_else(|| section.get("device").or_else(|| section.get("ifname")));
            interfaces.push(Interface {
                name: section.name().to_owned(),
                path: format!("{IP_INTERFACE}{number}"),
                device: device.map(str::to_owned),
                proto: section.get("proto").unwrap_or("none").to_owned(),
                members: vec![section.name().to_owned()],
            });
        }
        for state in states() {
            let Some(name) = state.str("interface") else { continue };
            if interfaces.iter().any(|interface| interface.name == name) {
                continue;
            }
            let below = package.section(name).and_then(base);
            let device = state.str("l3_device");
            let of_row = |interface: &&mut Interface| match below {
                Some(below) => interface.name == below,
                None => device.is_some() && interface.device.as_deref() == device,
            };
            if let Some(interface) = interfaces.iter_mut().find(of_row) {
                interface.members.push(name.to_owned());
            }
        }
        let devices = interfaces.iter().filter_map(|one| Some((one.name.clone(), one.device.clone()?)));
        survey.ground().devices.replace(devices.collect());
        Ok(Self { package, dump, interfaces })
    }

    /// The rows, in the order of the file.
    pub(crate) fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The row of a section, or of the section that an alias belongs to.
    pub(crate) fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.members.iter().any(|member| member == name))
    }

    /// The row with this path, with or without a last dot.
    pub(crate) fn at(&self, path: &str) -> Option<&Interface> {
        let path = path.strip_suffix('.').unwrap_or(path);
        self.interfaces.iter().find(|interface| interface.path == path)
    }

    /// The row with this number.
    #[allow(dead_code, reason = "for objects that are still to come")]
    pub(crate) fn numbered(&self, number: u32) -> Option<&Interface> {
        self.at(&format!("{IP_INTERFACE}{number}"))
    }

    /// The first row whose packets this device carries.
    #[allow(dead_code, reason = "for objects that are still to come")]
    pub(crate) fn on_device(&self, device: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.device.as_deref() == Some(device))
    }

    /// Its section.
    pub(crate) fn section(&self, interface: &Interface) -> Option<&Section> {
        self.package.section(&interface.name)
    }

    /// What netifd says of the section itself; `None` where it does not know it.
    pub(crate) fn state<'s>(&'s self, interface: &'s Interface) -> Option<&'s Table> {
        self.states(interface).find(|state| state.str("interface") == Some(interface.name.as_str()))
    }

    /// What netifd says of everything that belongs to the row, the section itself first.
    pub(crate) fn states<'s>(&'s self, interface: &'s Interface) -> impl Iterator<Item = &'s Table> {
        let state = move |name: &'s String| {
            let mut states = self.dump.iter().flat_map(|dump| tables(dump, "interface"));
            states.find(|state| state.str("interface") == Some(name.as_str()))
        };
        interface.members.iter().filter_map(state)
    }

    /// The way to the Internet: the interface with the best default route, else one in a zone that masquerades, else the
    /// `wan` of the board.
    #[allow(dead_code, reason = "for objects that are still to come")]
    pub(crate) async fn uplink(&self, survey: &Survey) -> Result<Option<&Interface>, SourceError> {
        let ways = self.interfaces.iter().filter_map(|interface| {
            let routes = self.states(interface).flat_map(|state| tables(state, "route"));
            let defaults =
                routes.filter(|route| route.i64("mask") == Some(0) && route.str("target") == Some("0.0.0.0"));
            let metric = defaults.map(|route| route.i64("metric").unwrap_or(0)).min()?;
            Some((metric, interface))
        });
        if let Some((_, interface)) = ways.min_by_key(|(metric, _)| *metric) {
            return Ok(Some(interface));
        }
        let firewall = survey.uci("firewall").await?;
        let masquerading = firewall.of_type("zone").filter(|zone| zone.get("masq") == Some("1"));
        let zoned = masquerading.flat_map(|zone| zone.words("network")).find_map(|name| self.interface(name));
        Ok(zoned.or_else(|| self.interface("wan")))
    }
}

/// The section that an alias belongs to.
fn base(section: &Section) -> Option<&str> {
    let device = section.get("device").or_else(|| section.get("ifname"))?;
    device.strip_prefix('@')
}

/// The tables of an array.
pub(crate) fn tables<'t>(of: &'t Table, name: &str) -> impl Iterator<Item = &'t Table> + use<'t> {
    of.array(name).iter().filter_map(cwmp_ubus::Value::as_table)
}

/// An IPv4 address of the box with its subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subnet {
    pub(crate) address: Ipv4Addr,
    /// Length of the prefix, 0 to 32.
    pub(crate) length: u32,
}

impl Subnet {
    /// `None` for a prefix that cannot be.
    pub(crate) fn of(address: Ipv4Addr, length: i64) -> Option<Self> {
        let length = u32::try_from(length).ok().filter(|length| *length <= 32)?;
        Some(Self { address, length })
    }

    pub(crate) fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::MAX.checked_shl(32 - self.length).unwrap_or(0))
    }

    /// The address of the subnet as a number.
    pub(crate) fn network(self) -> u32 {
        u32::from(self.address) & u32::from(self.mask())
    }

    /// The last address of a host, as a number: the one after it is that of everybody.
    pub(crate) fn last(self) -> u32 {
        (self.network() | !u32::from(self.mask())).saturating_sub(1)
    }
}

impl Network {
    /// The first IPv4 address of an interface: the one it has, else the one that it is configured to have.
    pub(crate) fn subnet(&self, interface: &Interface) -> Option<Subnet> {
        let has = self
            .states(interface)
            .flat_map(|state| tables(state, "ipv4-address"))
            .find_map(|entry| Subnet::of(entry.str("address")?.parse().ok()?, entry.i64("mask")?));
        has.or_else(|| {
            let section = self.section(interface)?;
            let text = section.words("ipaddr").into_iter().next()?;
            if let Some((address, length)) = text.split_once('/') {
                return Subnet::of(address.parse().ok()?, length.parse().ok()?);
            }
            let mask: Ipv4Addr = section.get("netmask")?.parse().ok()?;
            Subnet::of(text.parse().ok()?, i64::from(u32::from(mask).leading_ones()))
        })
    }
}
