//! Who lives in the home: 25 devices.

/// How a device is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// By cable to this port.
    Port(&'static str),
    /// To the access point of this network on this radio.
    Radio(usize),
}

/// A device in the home.
#[derive(Clone, Debug)]
pub struct Host {
    /// From 1; the last byte of its MAC address.
    pub number: u8,
    /// Its name, where it tells one.
    pub name: Option<&'static str>,
    /// Its IPv4 address.
    pub ip: String,
    /// The interface that it is in: lan or guest.
    pub network: &'static str,
    /// Where it is connected.
    pub attached: Attached,
    /// Whether it is there now.
    pub active: bool,
    /// Whether it has a DHCP lease.
    pub lease: bool,
    /// Whether it has a DHCPv6 lease.
    pub lease6: bool,
}

impl Host {
    /// Its MAC address, in lower case.
    #[must_use]
    pub fn mac(&self) -> String {
        format!("02:00:5e:10:00:{:02x}", self.number)
    }

    /// Its DUID: type 1 with its MAC address.
    #[must_use]
    pub fn duid(&self) -> String {
        format!("000100012c4e5f6002005e1000{:02x}", self.number)
    }

    /// Its address from the delegated prefix.
    #[must_use]
    pub fn ip6(&self) -> String {
        format!("2001:db8:1200::{:x}", 0x100 + u16::from(self.number))
    }

    /// Signal in dBm that a radio hears it with.
    #[must_use]
    pub fn signal(&self) -> i32 {
        -40 - i32::from(self.number) % 7 * 5
    }
}

use Attached::{Port, Radio};

/// Number, name, address, interface, where, there now, DHCPv6.
type Row = (u8, &'static str, &'static str, &'static str, Attached, bool, bool);

const ROWS: [Row; 25] = [
    (1, "nas", "192.168.1.50", "lan", Port("lan1"), true, false),
    (2, "printer", "192.168.1.51", "lan", Port("lan2"), true, false),
    (3, "desktop", "192.168.1.52", "lan", Port("lan1"), true, true),
    (4, "camera-door", "192.168.1.53", "lan", Radio(0), true, false),
    (5, "tv-living", "192.168.1.110", "lan", Port("lan1"), true, false),
    (6, "console", "192.168.1.113", "lan", Port("lan2"), true, false),
    (7, "laptop-anna", "192.168.1.114", "lan", Radio(1), true, true),
    (8, "laptop-ben", "192.168.1.115", "lan", Radio(1), true, true),
    (9, "phone-anna", "192.168.1.116", "lan", Radio(1), true, true),
    (10, "phone-ben", "192.168.1.117", "lan", Radio(1), true, true),
    (11, "tablet", "192.168.1.118", "lan", Radio(1), true, false),
    (12, "reader", "192.168.1.119", "lan", Radio(0), false, false),
    (13, "thermostat", "192.168.1.120", "lan", Radio(0), true, false),
    (14, "plug-1", "192.168.1.121", "lan", Radio(0), true, false),
    (15, "plug-2", "192.168.1.122", "lan", Radio(0), true, false),
    (16, "speaker-kitchen", "192.168.1.123", "lan", Radio(1), true, false),
    (17, "speaker-bath", "192.168.1.124", "lan", Radio(0), true, false),
    (18, "vacuum", "192.168.1.125", "lan", Radio(0), true, false),
    (19, "raspberrypi", "192.168.1.126", "lan", Port("lan1"), true, true),
    (20, "old-laptop", "192.168.1.127", "lan", Radio(1), false, false),
    (21, "", "192.168.1.128", "lan", Radio(1), true, false),
    (22, "work-laptop", "192.168.1.129", "lan", Port("lan2"), true, true),
    (23, "visitor-phone", "192.168.3.20", "guest", Radio(1), true, false),
    (24, "visitor-tablet", "192.168.3.21", "guest", Radio(0), true, false),
    (25, "visitor-laptop", "192.168.3.22", "guest", Radio(1), false, false),
];

pub(crate) fn all() -> Vec<Host> {
    let host = |(number, name, ip, network, attached, active, lease6): Row| Host {
        number,
        name: (!name.is_empty()).then_some(name),
        ip: ip.to_owned(),
        network,
        attached,
        active,
        // The first has its address set by hand.
        lease: number > 1,
        lease6,
    };
    ROWS.into_iter().map(host).collect()
}
