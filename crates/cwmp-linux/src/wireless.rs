//! What the model calls the things of IEEE 802.11 that the kernel tells of: bands, channels, standards, widths, power.

use std::fmt;

use crate::kernel::{Band, BandName, Channel, Client, Interface, Standard, Width};

/// Items in their order, each once.
#[must_use]
pub fn list<T: fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in items.map(|item| item.to_string()) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(",")
}

/// The name of a band (SupportedFrequencyBands).
#[must_use]
pub fn band_name(band: BandName) -> &'static str {
    match band {
        BandName::Band2 => "2.4GHz",
        BandName::Band5 => "5GHz",
        BandName::Band6 => "6GHz",
    }
}

/// The band of a frequency in MHz.
#[must_use]
pub fn band_of(frequency: u32) -> Option<BandName> {
    Some(match frequency {
        2400..2500 => BandName::Band2,
        4900..5925 => BandName::Band5,
        5925..7200 => BandName::Band6,
        _ => return None,
    })
}

/// Number of a channel in its band (IEEE 802.11, annex E).
#[must_use]
pub fn channel_number(frequency: u32) -> Option<u32> {
    Some(match frequency {
        2484 => 14,
        2412..=2472 => (frequency - 2407) / 5,
        4910..=4980 => (frequency - 4000) / 5,
        5005..5925 => (frequency - 5000) / 5,
        5935 => 2,
        5955..=7115 => (frequency - 5950) / 5,
        _ => return None,
    })
}

/// Standards that a radio knows in a band, with the last of those that a rate tells.
pub fn standards(band: &Band) -> impl Iterator<Item = (Option<Standard>, &'static str)> {
    let slow = band.rates.iter().any(|rate| [10, 20, 55, 110].contains(rate));
    let fast = band.rates.iter().any(|rate| *rate >= 60 && *rate != 110);
    let in_2 = band.name == BandName::Band2;
    let known = [
        (band.name == BandName::Band5 && fast, None, "a"),
        (in_2 && slow, None, "b"),
        (in_2 && fast, None, "g"),
        (band.ht.is_some(), Some(Standard::N), "n"),
        (band.vht.is_some() && !in_2, Some(Standard::Ac), "ac"),
        (band.he.is_some(), Some(Standard::Ax), "ax"),
        (band.eht.is_some(), Some(Standard::Be), "be"),
    ];
    known.into_iter().filter(|(known, ..)| *known).map(|(_, standard, name)| (standard, name))
}

/// Widths that a radio knows in a band (IEEE 802.11, 9.4.2.55, 9.4.2.156, 9.4.2.248, 9.4.2.313).
pub fn widths(band: &Band) -> impl Iterator<Item = &'static str> {
    let he = |bit: u8| band.he.is_some_and(|he| he & bit != 0);
    let in_2 = band.name == BandName::Band2;
    let vht = if in_2 { None } else { band.vht };
    let vht_width = vht.map(|vht| vht >> 2 & 3);
    let known = [
        (true, "20MHz"),
        (band.ht.is_some_and(|ht| ht & 2 != 0) || he(if in_2 { 2 } else { 4 }), "40MHz"),
        (vht.is_some() || (!in_2 && he(4)), "80MHz"),
        (matches!(vht_width, Some(1 | 2)) || (!in_2 && he(8)), "160MHz"),
        (vht_width == Some(2) || (!in_2 && he(16)), "80+80MHz"),
        (band.name == BandName::Band6 && band.eht.is_some_and(|eht| eht & 2 != 0), "320MHz-1"),
        (band.name == BandName::Band6 && band.eht.is_some_and(|eht| eht & 2 != 0), "320MHz-2"),
    ];
    known.into_iter().filter(|(known, _)| *known).map(|(_, name)| name)
}

/// The width in use (CurrentOperatingChannelBandwidth).
#[must_use]
pub fn bandwidth(interface: &Interface) -> Option<&'static str> {
    Some(match interface.width? {
        Width::Mhz20 => "20MHz",
        Width::Mhz40 => "40MHz",
        Width::Mhz80 => "80MHz",
        Width::Mhz80And80 => "80+80MHz",
        Width::Mhz160 => "160MHz",
        // Two grids of channels, of which the second begins 160 MHz higher: middles at 31, 95, 159 and 63, 127, 191.
        Width::Mhz320 => match channel_number(interface.center?)? % 64 {
            31 => "320MHz-1",
            63 => "320MHz-2",
            _ => return None,
        },
    })
}

/// Power in percent of the most that the rules and the hardware allow; powers are in hundredths of a dBm.
#[must_use]
pub fn percentage(channel: &Channel, power: u32) -> Option<u32> {
    let below = channel.max_power?.checked_sub(power)?;
    let share = 100.0 * 10_f64.powf(-f64::from(below) / 1000.0);
    // Nothing is sent with no power at all: it is one percent at least.
    (1..=100).find(|percent| f64::from(*percent) >= share.round())
}

/// The standard that both sides use, by the rates; where they tell none, it is an older one of the band.
#[must_use]
pub fn standard(interface: &Interface, client: &Client) -> Option<&'static str> {
    let by_rate = client.sent.standard.max(client.received.standard);
    Some(match by_rate {
        Some(Standard::N) => "n",
        Some(Standard::Ac) => "ac",
        Some(Standard::Ax) => "ax",
        Some(Standard::Be) => "be",
        None => {
            let rate = client.sent.rate.or(client.received.rate)?;
            match band_of(interface.frequency?)? {
                BandName::Band2 if [10, 20, 55, 110].contains(&rate) => "b",
                BandName::Band2 => "g",
                BandName::Band5 => "a",
                BandName::Band6 => return None,
            }
        }
    })
}

/// From units of 100 kbit/s; the model knows nothing below 1 Mbit/s.
#[must_use]
pub fn kilobits(rate: Option<u32>) -> Option<u32> {
    rate?.checked_mul(100).filter(|rate| *rate >= 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Role;

    fn interface() -> Interface {
        Interface {
            index: 1,
            name: "w".to_owned(),
            radio: 0,
            role: Role::AccessPoint,
            mac: None,
            ssid: None,
            frequency: None,
            width: None,
            center: None,
            power: None,
            clients: Vec::new(),
            noise: None,
        }
    }

    #[test]
    fn channels_have_the_numbers_of_their_band() {
        for (frequency, number) in [
            (2412, Some(1)),
            (2472, Some(13)),
            (2484, Some(14)),
            (5180, Some(36)),
            (5885, Some(177)),
            (4920, Some(184)),
            (5935, Some(2)),
            (5955, Some(1)),
            (7115, Some(233)),
            (58_320, None),
            (0, None),
            (u32::MAX, None),
        ] {
            assert_eq!(channel_number(frequency), number, "{frequency}");
        }
    }

    #[test]
    fn power_is_a_share_of_what_is_allowed() {
        let channel = Channel { frequency: 2412, max_power: Some(2000) };
        let shares = [2000, 1700, 1000, 0, 2001].map(|power| percentage(&channel, power));
        assert_eq!(shares, [Some(100), Some(50), Some(10), Some(1), None]);
        assert_eq!(percentage(&Channel { max_power: None, ..channel }, 10), None);
    }

    #[test]
    fn the_two_grids_of_320_mhz_differ() {
        let grid = |center: u32| {
            bandwidth(&Interface { center: Some(center), width: Some(Width::Mhz320), ..interface() })
        };
        assert_eq!(grid(5950 + 31 * 5), Some("320MHz-1"));
        assert_eq!(grid(5950 + 63 * 5), Some("320MHz-2"));
        assert_eq!(grid(5950 + 95 * 5), Some("320MHz-1"));
        assert_eq!(grid(5950 + 33 * 5), None);
        assert_eq!(grid(0), None);
    }
}
