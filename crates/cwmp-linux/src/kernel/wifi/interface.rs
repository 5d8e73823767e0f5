//! Wireless interfaces: which network they serve or use, and where.

use super::{Attributes, Client, FIXED, Index, mac, u32_at};
use crate::{kernel::u8_at, netlink::text};

/// A network device of a radio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its number.
    pub index: Index,
    /// Its name.
    pub name: String,
    /// Index of the radio.
    pub radio: u32,
    /// What it is in its network.
    pub role: Role,
    /// Hardware address.
    pub mac: Option<String>,
    /// Name of the network, at most 32 bytes of any value.
    pub ssid: Option<Vec<u8>>,
    /// Middle of the control channel, in MHz; `None` while it has none.
    pub frequency: Option<u32>,
    /// Width of its channel.
    pub width: Option<Width>,
    /// Middle of the whole channel, in MHz.
    pub center: Option<u32>,
    /// Hundredths of a dBm.
    pub power: Option<u32>,
    /// Of an access point those that it serves; of a station the access point.
    pub clients: Vec<Client>,
    /// dBm.
    pub noise: Option<i8>,
}

/// What an interface is in its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It serves others.
    AccessPoint,
    /// It is a client.
    Station,
    /// One among equals.
    Peer,
    /// Something that serves and uses no network for itself.
    Helper,
}

/// Width of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 20 MHz.
    Mhz20,
    /// 40 MHz.
    Mhz40,
    /// 80 MHz.
    Mhz80,
    /// Twice 80 MHz.
    Mhz80And80,
    /// 160 MHz.
    Mhz160,
    /// 320 MHz.
    Mhz320,
}

/// `None` for what is no network device.
pub(super) fn parse(message: &[u8]) -> Option<Interface> {
    let (mut index, mut radio) = (None, None);
    let mut interface = Interface {
        index: 0,
        name: String::new(),
        radio: 0,
        role: Role::Helper,
        mac: None,
        ssid: None,
        frequency: None,
        width: None,
        center: None,
        power: None,
        clients: Vec::new(),
        noise: None,
    };
    for (kind, value) in Attributes::after(message, FIXED) {
        match kind {
            1 => radio = u32_at(value, 0),
            3 => index = u32_at(value, 0),
            4 => interface.name = text(value).unwrap_or_default(),
            5 => interface.role = role(u32_at(value, 0)?),
            6 => interface.mac = mac(value),
            38 => interface.frequency = u32_at(value, 0),
            52 => interface.ssid = Some(value.iter().take(32).copied().collect()),
            98 => interface.power = u32_at(value, 0),
            159 => interface.width = width(u32_at(value, 0)?),
            160 => interface.center = u32_at(value, 0),
            _ => {}
        }
    }
    (interface.index, interface.radio) = (index?, radio?);
    Some(interface).filter(|interface| !interface.name.is_empty())
}

fn role(kind: u32) -> Role {
    match kind {
        // With P2P a group has an owner and clients.
        3 | 9 => Role::AccessPoint,
        2 | 8 => Role::Station,
        1 | 7 => Role::Peer,
        _ => Role::Helper,
    }
}

fn width(kind: u32) -> Option<Width> {
    Some(match kind {
        0 | 1 => Width::Mhz20,
        2 => Width::Mhz40,
        3 => Width::Mhz80,
        4 => Width::Mhz80And80,
        5 => Width::Mhz160,
        13 => Width::Mhz320,
        // 5 and 10 MHz and less: the model has no name for them.
        _ => return None,
    })
}

/// Noise on the channel that is in use; `None` for another channel.
pub(super) fn noise(message: &[u8]) -> Option<i8> {
    let (_, survey) = Attributes::after(message, FIXED).find(|(kind, _)| *kind == 84)?;
    let (mut noise, mut in_use) = (None, false);
    for (kind, value) in Attributes::within(survey) {
        match kind {
            2 => noise = u8_at(value, 0).map(u8::cast_signed),
            3 => in_use = true,
            _ => {}
        }
    }
    noise.filter(|_| in_use)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute;

    fn message() -> Vec<u8> {
        let attributes = [
            attribute(1, &0_u32.to_ne_bytes()),
            attribute(3, &5_u32.to_ne_bytes()),
            attribute(4, b"wlan0\0"),
            attribute(5, &3_u32.to_ne_bytes()),
            attribute(6, &[2, 0, 0, 0, 0, 5]),
            attribute(38, &5180_u32.to_ne_bytes()),
            attribute(159, &3_u32.to_ne_bytes()),
            attribute(160, &5210_u32.to_ne_bytes()),
            attribute(98, &1700_u32.to_ne_bytes()),
            attribute(52, b"Home \xff"),
        ];
        [vec![7, 1, 0, 0], attributes.concat()].concat()
    }

    #[test]
    fn an_access_point_tells_its_network() {
        let found = parse(&message()).unwrap();
        assert_eq!((found.index, found.name.as_str(), found.radio), (5, "wlan0", 0));
        assert_eq!((found.role, found.mac.as_deref()), (Role::AccessPoint, Some("02:00:00:00:00:05")));
        assert_eq!(
            (found.frequency, found.width, found.center),
            (Some(5180), Some(Width::Mhz80), Some(5210))
        );
        assert_eq!((found.power, found.ssid.as_deref()), (Some(1700), Some(&b"Home \xff"[..])));
    }

    #[test]
    fn what_has_no_device_is_no_interface() {
        let bytes =
            [vec![7, 1, 0, 0], attribute(1, &0_u32.to_ne_bytes()), attribute(5, &10_u32.to_ne_bytes())];
        assert_eq!(parse(&bytes.concat()), None);
        assert_eq!(
            [2, 3, 8, 9, 1, 7, 6, 4, 10, 99].map(role),
            [
                Role::Station,
                Role::AccessPoint,
                Role::Station,
                Role::AccessPoint,
                Role::Peer,
                Role::Peer,
                Role::Helper,
                Role::Helper,
                Role::Helper,
                Role::Helper,
            ]
        );
        let whole = message();
        for end in 0..whole.len() {
            parse(&whole[..end]);
        }
        let long = [vec![7, 1, 0, 0], message().split_off(4), attribute(52, &[b'x'; 400])].concat();
        assert_eq!(parse(&long).unwrap().ssid.unwrap().len(), 32);
    }

    #[test]
    fn the_noise_is_that_of_the_channel_in_use() {
        let survey = |parts: &[Vec<u8>]| [vec![50, 1, 0, 0], attribute(84, &parts.concat())].concat();
        let noise_of = |parts: &[Vec<u8>]| noise(&survey(parts));
        assert_eq!(noise_of(&[attribute(2, &[0xa1]), attribute(3, &[])]), Some(-95));
        assert_eq!(noise_of(&[attribute(2, &[0xa1])]), None);
        assert_eq!(noise_of(&[attribute(3, &[])]), None);
        assert_eq!(noise(&[50, 1]), None);
    }
}
