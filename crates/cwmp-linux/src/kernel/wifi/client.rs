//! Stations: who is on the other end of a wireless link.

use super::{Attributes, FIXED, mac, u32_at};
use crate::kernel::{u8_at, u64_at};

/// A station as the radio sees it. `sent` is from this box to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Hardware address.
    pub mac: String,
    /// It may send and get data: it has passed what the network wants.
    pub authorized: Option<bool>,
    /// dBm.
    pub signal: Option<i8>,
    /// How fast it was sent to last.
    pub sent: Rate,
    /// How fast it has sent last.
    pub received: Rate,
    /// Bytes sent to it.
    pub bytes_sent: Option<u64>,
    /// Bytes received from it.
    pub bytes_received: Option<u64>,
    /// Packets sent to it.
    pub packets_sent: Option<u32>,
    /// Packets received from it.
    pub packets_received: Option<u32>,
    /// Frames sent again, and given up.
    pub retries: Option<u32>,
    /// Frames given up.
    pub failed: Option<u32>,
    /// Nanoseconds from the boot to the association, suspended time included.
    pub associated_at: Option<u64>,
}

/// Bit rate of the last frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// In units of 100 kbit/s.
    pub rate: Option<u32>,
    /// The standard that the rate is of.
    pub standard: Option<Standard>,
}

/// Standards that can be told by the rate alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standard {
    /// IEEE 802.11n.
    N,
    /// IEEE 802.11ac.
    Ac,
    /// IEEE 802.11ax.
    Ax,
    /// IEEE 802.11be.
    Be,
}

pub(super) fn parse(message: &[u8]) -> Option<Client> {
    let mut client = Client::default();
    let mut address = None;
    for (kind, value) in Attributes::after(message, FIXED) {
        match kind {
            6 => address = mac(value),
            21 => client.add(value),
            _ => {}
        }
    }
    client.mac = address?;
    Some(client)
}

impl Client {
    fn add(&mut self, info: &[u8]) {
        let (mut last, mut average) = (None, None);
        for (kind, value) in Attributes::within(info) {
            match kind {
                // The wide counters come beside the narrow ones and win.
                2 => self.bytes_received = self.bytes_received.or(u32_at(value, 0).map(u64::from)),
                3 => self.bytes_sent = self.bytes_sent.or(u32_at(value, 0).map(u64::from)),
                23 => self.bytes_received = u64_at(value, 0).or(self.bytes_received),
                24 => self.bytes_sent = u64_at(value, 0).or(self.bytes_sent),
                7 => last = u8_at(value, 0).map(u8::cast_signed),
                13 => average = u8_at(value, 0).map(u8::cast_signed),
                8 => self.sent = rate(value),
                14 => self.received = rate(value),
                9 => self.packets_received = u32_at(value, 0),
                10 => self.packets_sent = u32_at(value, 0),
                11 => self.retries = u32_at(value, 0),
                12 => self.failed = u32_at(value, 0),
                17 => self.authorized = authorized(value),
                42 => self.associated_at = u64_at(value, 0),
                _ => {}
            }
        }
        self.signal = average.or(last);
    }
}

/// Which flags are told, and which of them are set; the first of them is `authorized`.
fn authorized(value: &[u8]) -> Option<bool> {
    const AUTHORIZED: u32 = 1 << 1;
    let (told, set) = (u32_at(value, 0)?, u32_at(value, 4)?);
    (told & AUTHORIZED != 0).then_some(set & AUTHORIZED != 0)
}

fn rate(value: &[u8]) -> Rate {
    let mut rate = Rate::default();
    for (kind, value) in Attributes::within(value) {
        match kind {
            1 => rate.rate = rate.rate.or(super::super::u16_at(value, 0).map(u32::from)),
            5 => rate.rate = u32_at(value, 0).or(rate.rate),
            2 => rate.standard = Some(Standard::N),
            6 => rate.standard = Some(Standard::Ac),
            13 => rate.standard = Some(Standard::Ax),
            19 => rate.standard = Some(Standard::Be),
            _ => {}
        }
    }
    rate
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute;

    fn message() -> Vec<u8> {
        let sent = [
            attribute(1, &650_u16.to_ne_bytes()),
            attribute(5, &72_000_u32.to_ne_bytes()),
            attribute(13, &[9]),
        ];
        let info = [
            attribute(24, &(5_u64 << 32).to_ne_bytes()),
            attribute(3, &7_u32.to_ne_bytes()),
            attribute(2, &9_u32.to_ne_bytes()),
            attribute(7, &[0xc4]),
            attribute(13, &[0xc5]),
            attribute(8, &sent.concat()),
            attribute(14, &attribute(1, &540_u16.to_ne_bytes())),
            attribute(9, &11_u32.to_ne_bytes()),
            attribute(10, &12_u32.to_ne_bytes()),
            attribute(11, &13_u32.to_ne_bytes()),
            attribute(12, &14_u32.to_ne_bytes()),
            attribute(17, &[0xfe_u32.to_ne_bytes(), 0b10_u32.to_ne_bytes()].concat()),
            attribute(42, &1_000_000_000_u64.to_ne_bytes()),
        ];
        let attributes = [attribute(6, &[0xaa, 0, 0, 0, 0, 1]), attribute(21, &info.concat())];
        [vec![19, 1, 0, 0], attributes.concat()].concat()
    }

    #[test]
    fn a_station_is_told_with_its_counters() {
        assert_eq!(
            parse(&message()).unwrap(),
            Client {
                mac: "aa:00:00:00:00:01".to_owned(),
                authorized: Some(true),
                signal: Some(-59),
                sent: Rate { rate: Some(72_000), standard: Some(Standard::Ax) },
                received: Rate { rate: Some(540), standard: None },
                bytes_sent: Some(5 << 32),
                bytes_received: Some(9),
                packets_sent: Some(12),
                packets_received: Some(11),
                retries: Some(13),
                failed: Some(14),
                associated_at: Some(1_000_000_000),
            }
        );
    }

    #[test]
    fn cut_and_bent_messages_are_no_panic() {
        let whole = message();
        for end in 0..whole.len() {
            parse(&whole[..end]);
            let mut bent = whole.clone();
            bent[end] ^= 0xff;
            parse(&bent);
        }
        assert_eq!(parse(&[19, 1, 0, 0]), None);
        assert_eq!(authorized(&[2, 0, 0, 0]), None);
        assert_eq!(authorized(&[0, 0, 0, 0, 2, 0, 0, 0]), None);
    }
}
