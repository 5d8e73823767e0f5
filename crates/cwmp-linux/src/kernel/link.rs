//! Network devices (RTM_NEWLINK).

use super::{Attributes, Index, i32_at, mac, text, u8_at, u16_at, u32_at, u64_at};

const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
const IFF_UP: u32 = 0x1;
const IFF_RUNNING: u32 = 0x40;
/// A device that only shapes what another one receives; it carries no addresses and is no interface.
const SHAPER: &str = "ifb";

/// A network device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// Index of its device.
    pub index: Index,
    /// Its name.
    pub name: String,
    /// Its frames are Ethernet's.
    pub is_ethernet: bool,
    /// It is the loopback device.
    pub is_loopback: bool,
    /// Switched on.
    pub up: bool,
    /// Ready for packets, as far as the driver says.
    pub running: bool,
    /// Its state.
    pub state: OperState,
    /// None where the device has none of six bytes.
    pub mac: Option<String>,
    /// Largest packet, in bytes.
    pub mtu: u32,
    /// What sort it is.
    pub kind: LinkKind,
    /// The bridge, bond or VRF that it belongs to.
    pub master: Option<Index>,
    /// It carries the frames of its master and has no addresses of its own.
    pub enslaved: bool,
    /// What the bridge says of it as a port.
    pub port: Option<PortFacts>,
    /// Its counters; None where the kernel tells none.
    pub stats: Option<Stats>,
}

/// What sort of device it is, as far as that matters to the tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum LinkKind {
    /// A port, or one that stands for a port: no kind at all, veth, a port of a switch.
    #[default]
    Port,
    /// A VLAN on another device.
    Vlan {
        /// The device below.
        on: Option<Index>,
        /// VLAN ID.
        id: Option<u16>,
        /// Ethernet type of its tags.
        tpid: Option<u16>,
    },
    /// Another address on another device.
    MacVlan {
        /// The device below.
        on: Option<Index>,
    },
    /// A bridge.
    Bridge(BridgeFacts),
    /// Everything else.
    Other,
}

/// Settings of a bridge, in the kernel's units: hundredths of a second for all times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BridgeFacts {
    /// Hundredths of a second.
    pub forward_delay: Option<u32>,
    /// Hundredths of a second.
    pub hello_time: Option<u32>,
    /// Hundredths of a second.
    pub max_age: Option<u32>,
    /// Hundredths of a second.
    pub ageing_time: Option<u32>,
    /// 0 is off.
    pub stp: Option<u32>,
    /// Its priority.
    pub priority: Option<u16>,
    /// Whether frames are kept apart by VLAN.
    pub vlan_filtering: Option<bool>,
}

/// A port of a bridge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PortFacts {
    /// BR_STATE_...
    pub state: Option<u8>,
    /// 0 to 63.
    pub priority: Option<u16>,
    /// Cost of the path through it.
    pub cost: Option<u32>,
}

/// Operational state (RFC 2863).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OperState {
    /// The driver does not tell.
    #[default]
    Unknown,
    /// It is not there.
    NotPresent,
    /// It is down.
    Down,
    /// What it lies on is down.
    LowerLayerDown,
    /// It is being tested.
    Testing,
    /// It waits for something.
    Dormant,
    /// It is up.
    Up,
}

/// Counters, 64 bits wide on every machine (rtnl_link_stats64).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bad packets received.
    pub rx_errors: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets received and dropped.
    pub rx_dropped: u64,
    /// Packets dropped before they were sent.
    pub tx_dropped: u64,
    /// Multicast packets received.
    pub multicast: u64,
}

impl Stats {
    /// What two devices count together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            rx_packets: self.rx_packets.wrapping_add(other.rx_packets),
            tx_packets: self.tx_packets.wrapping_add(other.tx_packets),
            rx_bytes: self.rx_bytes.wrapping_add(other.rx_bytes),
            tx_bytes: self.tx_bytes.wrapping_add(other.tx_bytes),
            rx_errors: self.rx_errors.wrapping_add(other.rx_errors),
            tx_errors: self.tx_errors.wrapping_add(other.tx_errors),
            rx_dropped: self.rx_dropped.wrapping_add(other.rx_dropped),
            tx_dropped: self.tx_dropped.wrapping_add(other.tx_dropped),
            multicast: self.multicast.wrapping_add(other.multicast),
        }
    }
}

pub(super) fn parse(message: &[u8]) -> Option<Link> {
    let flags = u32_at(message, 8)?;
    let hardware = u16_at(message, 2)?;
    let mut link = Link {
        index: u32::try_from(i32_at(message, 4)?).ok()?,
        is_ethernet: hardware == ARPHRD_ETHER,
        is_loopback: hardware == ARPHRD_LOOPBACK,
        up: flags & IFF_UP != 0,
        running: flags & IFF_RUNNING != 0,
        ..Link::default()
    };
    let (mut on, mut elsewhere, mut info) = (None, false, Info::default());
    for (kind, value) in Attributes::after(message, 16) {
        match kind {
            1 => link.mac = mac(value),
            3 => link.name = text(value)?,
            4 => link.mtu = u32_at(value, 0)?,
            5 => on = u32_at(value, 0),
            10 => link.master = u32_at(value, 0).filter(|master| *master != 0),
            16 => link.state = oper_state(u8_at(value, 0)?),
            18 => info = Info::parse(value),
            23 => link.stats = stats(value),
            // The device below is in another network namespace.
            37 => elsewhere = true,
            _ => {}
        }
    }
    link.enslaved = link.master.is_some() && info.slave_kind.as_deref() != Some("vrf");
    link.port = info.port();
    link.kind = info.kind(on.filter(|_| !elsewhere));
    let shapes = info.kind.as_deref() == Some(SHAPER);
    (!link.name.is_empty() && !shapes).then_some(link)
}

fn oper_state(state: u8) -> OperState {
    match state {
        1 => OperState::NotPresent,
        2 => OperState::Down,
        3 => OperState::LowerLayerDown,
        4 => OperState::Testing,
        5 => OperState::Dormant,
        6 => OperState::Up,
        _ => OperState::Unknown,
    }
}

fn stats(value: &[u8]) -> Option<Stats> {
    let counter = |n: usize| u64_at(value, n * 8);
    Some(Stats {
        rx_packets: counter(0)?,
        tx_packets: counter(1)?,
        rx_bytes: counter(2)?,
        tx_bytes: counter(3)?,
        rx_errors: counter(4)?,
        tx_errors: counter(5)?,
        rx_dropped: counter(6)?,
        tx_dropped: counter(7)?,
        multicast: counter(8)?,
    })
}

/// IFLA_LINKINFO.
#[derive(Default)]
struct Info<'a> {
    kind: Option<String>,
    data: &'a [u8],
    slave_kind: Option<String>,
    slave_data: &'a [u8],
}

impl<'a> Info<'a> {
    fn parse(value: &'a [u8]) -> Self {
        let mut info = Self::default();
        for (kind, value) in Attributes::within(value) {
            match kind {
                1 => info.kind = text(value),
                2 => info.data = value,
                4 => info.slave_kind = text(value),
                5 => info.slave_data = value,
                _ => {}
            }
        }
        info
    }

    fn kind(&self, on: Option<Index>) -> LinkKind {
        match self.kind.as_deref() {
            None | Some("veth" | "dsa") => LinkKind::Port,
            Some("vlan") => {
                let (mut id, mut tpid) = (None, None);
                for (kind, value) in Attributes::within(self.data) {
                    match kind {
                        1 => id = u16_at(value, 0),
                        // In network order.
                        5 => tpid = u16_at(value, 0).map(u16::from_be),
                        _ => {}
                    }
                }
                LinkKind::Vlan { on, id, tpid }
            }
            Some("macvlan") => LinkKind::MacVlan { on },
            Some("bridge") => LinkKind::Bridge(self.bridge()),
            Some(_) => LinkKind::Other,
        }
    }

    fn bridge(&self) -> BridgeFacts {
        let mut facts = BridgeFacts::default();
        for (kind, value) in Attributes::within(self.data) {
            match kind {
                1 => facts.forward_delay = u32_at(value, 0),
                2 => facts.hello_time = u32_at(value, 0),
                3 => facts.max_age = u32_at(value, 0),
                4 => facts.ageing_time = u32_at(value, 0),
                5 => facts.stp = u32_at(value, 0),
                6 => facts.priority = u16_at(value, 0),
                7 => facts.vlan_filtering = u8_at(value, 0).map(|on| on != 0),
                _ => {}
            }
        }
        facts
    }

    fn port(&self) -> Option<PortFacts> {
        if self.slave_kind.as_deref() != Some("bridge") {
            return None;
        }
        let mut facts = PortFacts::default();
        for (kind, value) in Attributes::within(self.slave_data) {
            match kind {
                1 => facts.state = u8_at(value, 0),
                2 => facts.priority = u16_at(value, 0),
                3 => facts.cost = u32_at(value, 0),
                _ => {}
            }
        }
        Some(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute;

    fn message(attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0, 0];
        bytes.extend(ARPHRD_ETHER.to_ne_bytes());
        bytes.extend(7_i32.to_ne_bytes());
        bytes.extend((IFF_UP | IFF_RUNNING).to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(attributes.concat());
        bytes
    }

    fn vlan() -> Vec<Vec<u8>> {
        let data = [attribute(1, &100_u16.to_ne_bytes()), attribute(5, &0x88a8_u16.to_be_bytes())].concat();
        vec![
            attribute(3, b"eth0.100\0"),
            attribute(5, &2_u32.to_ne_bytes()),
            attribute(18, &[attribute(1, b"vlan\0"), attribute(2, &data)].concat()),
        ]
    }

    #[test]
    fn a_vlan_names_the_device_below_it() {
        let link = parse(&message(&vlan())).unwrap();
        assert_eq!((link.index, link.name.as_str(), link.up), (7, "eth0.100", true));
        assert_eq!(link.kind, LinkKind::Vlan { on: Some(2), id: Some(100), tpid: Some(0x88a8) });
        let mut elsewhere = vlan();
        elsewhere.push(attribute(37, &0_u32.to_ne_bytes()));
        let link = parse(&message(&elsewhere)).unwrap();
        assert_eq!(link.kind, LinkKind::Vlan { on: None, id: Some(100), tpid: Some(0x88a8) });
    }

    #[test]
    fn counters_are_64_bits_wide() {
        let counters: Vec<u8> = (0..24_u64).flat_map(|n| (n + (5 << 32)).to_ne_bytes()).collect();
        let link = parse(&message(&[attribute(3, b"a\0"), attribute(23, &counters)])).unwrap();
        assert_eq!(link.stats.unwrap().rx_packets, 5 << 32);
        assert_eq!(link.stats.unwrap().multicast, (5 << 32) + 8);
        let link = parse(&message(&[attribute(3, b"a\0"), attribute(23, &counters[..64])])).unwrap();
        assert_eq!(link.stats, None);
    }

    #[test]
    fn what_only_shapes_is_no_interface() {
        let info = attribute(18, &attribute(1, b"ifb\0"));
        assert_eq!(parse(&message(&[attribute(3, b"ifb0\0"), info])), None);
    }

    #[test]
    fn a_cut_message_is_no_link_and_no_panic() {
        let whole = message(&vlan());
        for end in 0..16 {
            assert_eq!(parse(&whole[..end]), None);
        }
        for end in 16..whole.len() {
            parse(&whole[..end]);
        }
    }
}
