//! Wireless devices: what nl80211, a family of generic netlink, says (linux/nl80211.h).

use nix::sys::socket::SockProtocol;

use super::{Attributes, Index, mac, u32_at};
use crate::netlink::{self, Request};

mod client;
mod interface;
mod radio;

pub use client::{Client, Rate, Standard};
pub use interface::{Interface, Role, Width};
pub use radio::{Band, BandName, Channel, Radio};

/// Most clients of one network that are kept; the kernel's own limit is 2007 (IEEE 802.11 AIDs).
pub const CLIENTS: usize = 2048;

/// genlmsghdr.
const FIXED: usize = 4;
/// The family that knows the others, and its request for the number of one.
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;

const GET_WIPHY: u8 = 1;
const GET_INTERFACE: u8 = 5;
const GET_STATION: u8 = 17;
const GET_REG: u8 = 31;
const GET_SURVEY: u8 = 50;

const ATTR_IFINDEX: u16 = 3;
const ATTR_REG_ALPHA2: u16 = 33;
/// Without it the kernel leaves out what came after 2012, for the sake of old programs.
const ATTR_SPLIT_WIPHY_DUMP: u16 = 174;

/// All that is wireless.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wifi {
    /// Its radios.
    pub radios: Vec<Radio>,
    /// Its interfaces.
    pub interfaces: Vec<Interface>,
    /// Two letters; `None` for the rules that hold everywhere.
    pub country: Option<String>,
}

/// Asks for radios and interfaces, and in `detail` also for clients, noise and country.
///
/// # Errors
/// A sentence that names what was asked.
pub(super) fn ask(detail: bool) -> Result<Wifi, String> {
    let request = [&[GET_FAMILY, 1, 0, 0], netlink::attribute(2, b"nl80211\0").as_slice()].concat();
    let family =
        Request { protocol: SockProtocol::NetlinkGeneric, kind: CONTROL, list: false, payload: &request };
    let family = netlink::ask("wireless family", &family, family_id)?;
    let Some(family) = family.into_iter().next() else { return Ok(Wifi::default()) };
    let list = |what: &str, command: u8, attributes: &[u8], list: bool| {
        let payload = [&[command, 0, 0, 0], attributes].concat();
        let request =
            Request { protocol: SockProtocol::NetlinkGeneric, kind: family, list, payload: &payload };
        netlink::ask(what, &request, |message| Some(message.to_vec()))
    };
    let parts = list("radios", GET_WIPHY, &netlink::attribute(ATTR_SPLIT_WIPHY_DUMP, &[]), true)?;
    let mut wifi = Wifi {
        radios: radio::of_parts(parts.iter().map(Vec::as_slice)),
        interfaces: list("wireless interfaces", GET_INTERFACE, &[], true)?
            .iter()
            .filter_map(|message| interface::parse(message))
            .collect(),
        country: None,
    };
    if detail {
        for interface in &mut wifi.interfaces {
            let device = netlink::attribute(ATTR_IFINDEX, &interface.index.to_ne_bytes());
            // A driver may know nothing of these, and an interface be gone by now: the rest counts all the same.
            let of_device = |what: &str, command: u8| {
                list(what, command, &device, true).unwrap_or_else(|error| {
                    tracing::debug!("{}: {error}", interface.name);
                    Vec::new()
                })
            };
            let stations = of_device("wireless stations", GET_STATION);
            interface.clients =
                stations.iter().filter_map(|message| client::parse(message)).take(CLIENTS).collect();
            let survey = of_device("survey of channels", GET_SURVEY);
            interface.noise = survey.iter().find_map(|message| interface::noise(message));
        }
        wifi.country =
            list("regulatory domain", GET_REG, &[], false)?.iter().find_map(|message| country(message));
    }
    Ok(wifi)
}

fn family_id(message: &[u8]) -> Option<u16> {
    let (_, value) = Attributes::after(message, FIXED).find(|(kind, _)| *kind == 1)?;
    super::u16_at(value, 0)
}

/// The country that the kernel follows; `00` stands for the whole world, `98` and `99` for a mixture.
fn country(message: &[u8]) -> Option<String> {
    let (_, value) = Attributes::after(message, FIXED).find(|(kind, _)| *kind == ATTR_REG_ALPHA2)?;
    netlink::text(value).filter(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_countries_are_told() {
        let message = |code: &[u8]| [&[31, 0, 0, 0], netlink::attribute(33, code).as_slice()].concat();
        assert_eq!(country(&message(b"DE\0")).as_deref(), Some("DE"));
        for odd in [&b"00\0"[..], b"98\0", b"de\0", b"D\0", b"", b"DEU\0", b"\xff\xff\0"] {
            assert_eq!(country(&message(odd)), None, "{odd:?}");
        }
        assert_eq!(country(&[31, 0]), None);
    }

    #[test]
    fn the_family_has_a_number() {
        let message = |id: &[u8]| {
            [&[1, 2, 0, 0], netlink::attribute(2, b"nl80211\0").as_slice(), &netlink::attribute(1, id)]
                .concat()
        };
        assert_eq!(family_id(&message(&[0x1c, 0])), Some(u16::from_ne_bytes([0x1c, 0])));
        assert_eq!(family_id(&message(&[0x1c])), None);
        assert_eq!(family_id(&[]), None);
    }

    #[test]
    fn a_kernel_without_wireless_devices_says_so() {
        // This machine has the family or has it not; it has an answer in either case.
        let wifi = ask(true).unwrap();
        assert!(wifi.interfaces.iter().all(|one| wifi.radios.iter().any(|radio| radio.index == one.radio)));
    }
}
