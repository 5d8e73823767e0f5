//! Radios (wiphys): what they can do.

use super::{Attributes, FIXED, u32_at};
use crate::{
    kernel::{u8_at, u16_at},
    netlink::text,
};

/// Most radios; those that came last are left out.
const RADIOS: usize = 32;
/// Most channels of a band; the model numbers 255 at most.
const CHANNELS: usize = 256;
/// Most bit rates of a band; the kernel has 12.
const RATES: usize = 64;

/// A radio.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Radio {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// By kind; a band appears once.
    pub bands: Vec<Band>,
    /// Times that a short or a long frame is sent again.
    pub retries: Option<u8>,
    /// The same for long frames.
    pub long_retries: Option<u8>,
    /// Bytes; `None` while the function is off.
    pub fragmentation: Option<u32>,
    /// The same for RTS.
    pub rts: Option<u32>,
}

/// The bands that the model has names for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BandName {
    /// 2.4 GHz.
    Band2,
    /// 5 GHz.
    Band5,
    /// 6 GHz.
    Band6,
}

/// What a radio can do in a band.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// Its name.
    pub name: BandName,
    /// Those that the rules of the country allow.
    pub channels: Vec<Channel>,
    /// Rates of the time before HT, in units of 100 kbit/s.
    pub rates: Vec<u32>,
    /// Capabilities as IEEE 802.11 numbers their bits; `None` without the standard.
    pub ht: Option<u16>,
    /// The same of VHT.
    pub vht: Option<u32>,
    /// First byte of the PHY capabilities.
    pub he: Option<u8>,
    /// The same of EHT.
    pub eht: Option<u8>,
}

/// A channel by the middle of its 20 MHz, in MHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// In MHz.
    pub frequency: u32,
    /// Hundredths of a dBm.
    pub max_power: Option<u32>,
}

impl Band {
    fn new(name: BandName) -> Self {
        Self { name, channels: Vec::new(), rates: Vec::new(), ht: None, vht: None, he: None, eht: None }
    }
}

/// Puts radios together: the kernel spreads one over many messages.
pub(super) fn of_parts<'m>(messages: impl Iterator<Item = &'m [u8]>) -> Vec<Radio> {
    let mut radios: Vec<Radio> = Vec::new();
    for message in messages {
        let index = Attributes::after(message, FIXED).find(|(kind, _)| *kind == 1);
        let Some(index) = index.and_then(|(_, value)| u32_at(value, 0)) else { continue };
        let at = match radios.iter().position(|radio| radio.index == index) {
            Some(at) => at,
            None if radios.len() < RADIOS => {
                radios.push(Radio { index, ..Radio::default() });
                radios.len() - 1
            }
            None => continue,
        };
        if let Some(radio) = radios.get_mut(at) {
            radio.add(message);
        }
    }
    radios.retain(|radio| !radio.name.is_empty());
    for radio in &mut radios {
        radio.bands.sort_by_key(|band| band.name);
    }
    radios
}

impl Radio {
    fn add(&mut self, message: &[u8]) {
        let threshold = |value: &[u8]| u32_at(value, 0).filter(|bytes| *bytes != u32::MAX);
        for (kind, value) in Attributes::after(message, FIXED) {
            match kind {
                2 => self.name = text(value).unwrap_or_default(),
                22 => Attributes::within(value).for_each(|(number, value)| self.band(number, value)),
                61 => self.retries = u8_at(value, 0),
                62 => self.long_retries = u8_at(value, 0),
                63 => self.fragmentation = threshold(value),
                64 => self.rts = threshold(value),
                _ => {}
            }
        }
    }

    /// The bands are numbered in this nest; those that the model does not know (60 GHz, below 1 GHz) are not looked at.
    fn band(&mut self, number: u16, value: &[u8]) {
        let name = match number {
            0 => BandName::Band2,
            1 => BandName::Band5,
            3 => BandName::Band6,
            _ => return,
        };
        let at = self.bands.iter().position(|band| band.name == name).unwrap_or_else(|| {
            self.bands.push(Band::new(name));
            self.bands.len() - 1
        });
        let Some(band) = self.bands.get_mut(at) else { return };
        for (kind, value) in Attributes::within(value) {
            match kind {
                1 => {
                    for channel in Attributes::within(value).filter_map(|(_, value)| channel(value)) {
                        let known = band.channels.iter().any(|other| other.frequency == channel.frequency);
                        if !known && band.channels.len() < CHANNELS {
                            band.channels.push(channel);
                        }
                    }
                }
                2 => {
                    let rates = Attributes::within(value).filter_map(|(_, value)| {
                        let (_, rate) = Attributes::within(value).find(|(kind, _)| *kind == 1)?;
                        u32_at(rate, 0)
                    });
                    band.rates = rates.take(RATES).collect();
                }
                4 => band.ht = u16_at(value, 0),
                8 => band.vht = u32_at(value, 0),
                // One nest for each sort of interface.
                9 => {
                    for (kind, value) in Attributes::within(value).flat_map(|(_, of)| Attributes::within(of))
                    {
                        match kind {
                            3 => band.he = band.he.or(u8_at(value, 0)),
                            9 => band.eht = band.eht.or(u8_at(value, 0)),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// `None` for one that may not be used.
fn channel(value: &[u8]) -> Option<Channel> {
    let (mut frequency, mut disabled, mut max_power) = (None, false, None);
    for (kind, value) in Attributes::within(value) {
        match kind {
            1 => frequency = u32_at(value, 0),
            2 => disabled = true,
            6 => max_power = u32_at(value, 0),
            _ => {}
        }
    }
    frequency.filter(|_| !disabled).map(|frequency| Channel { frequency, max_power })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute;

    fn nest(kind: u16, parts: &[Vec<u8>]) -> Vec<u8> {
        attribute(kind | 0x8000, &parts.concat())
    }

    fn frequency(megahertz: u32, more: &[Vec<u8>]) -> Vec<u8> {
        [attribute(1, &megahertz.to_ne_bytes()), more.concat()].concat()
    }

    fn part(attributes: &[Vec<u8>]) -> Vec<u8> {
        let head = [attribute(1, &0_u32.to_ne_bytes()), attribute(2, b"phy0\0")];
        [vec![3, 1, 0, 0], head.concat(), attributes.concat()].concat()
    }

    /// A radio of two bands as the kernel tells it in five messages.
    fn messages() -> Vec<Vec<u8>> {
        let power = attribute(6, &2000_u32.to_ne_bytes());
        let channels = [
            attribute(0, &frequency(2412, std::slice::from_ref(&power))),
            attribute(1, &frequency(2437, &[])),
            attribute(2, &frequency(2484, &[attribute(2, &[])])),
        ];
        let rates = [10_u32, 55, 110, 60, 540].map(|rate| attribute(0, &attribute(1, &rate.to_ne_bytes())));
        let phy = [attribute(3, &[0b0000_1110, 0, 0]), attribute(9, &[0b10, 0])].concat();
        vec![
            part(&[attribute(61, &[7]), attribute(62, &[4]), attribute(63, &u32::MAX.to_ne_bytes())]),
            part(&[nest(22, &[nest(0, &[nest(2, &rates), attribute(4, &0x19ef_u16.to_ne_bytes())])])]),
            part(&[nest(22, &[nest(0, &[nest(1, &channels)])])]),
            part(&[nest(22, &[nest(1, &[attribute(8, &0x0339_71b2_u32.to_ne_bytes())])])]),
            part(&[nest(
                22,
                &[nest(
                    1,
                    &[nest(1, &[attribute(0, &frequency(5180, &[power]))]), nest(9, &[attribute(1, &phy)])],
                )],
            )]),
        ]
    }

    fn radios(messages: &[Vec<u8>]) -> Vec<Radio> {
        of_parts(messages.iter().map(Vec::as_slice))
    }

    #[test]
    fn a_radio_is_put_together_from_its_messages() {
        let radios = radios(&messages());
        let [radio] = &radios[..] else { panic!("{radios:?}") };
        assert_eq!((radio.index, radio.name.as_str()), (0, "phy0"));
        assert_eq!((radio.retries, radio.long_retries), (Some(7), Some(4)));
        assert_eq!((radio.fragmentation, radio.rts), (None, None));
        let [two, five] = &radio.bands[..] else { panic!("{radio:?}") };
        assert_eq!((two.name, five.name), (BandName::Band2, BandName::Band5));
        let frequencies: Vec<u32> = two.channels.iter().map(|channel| channel.frequency).collect();
        assert_eq!(frequencies, [2412, 2437], "2484 may not be used");
        assert_eq!(two.channels[0].max_power, Some(2000));
        assert_eq!(two.rates, [10, 55, 110, 60, 540]);
        assert_eq!((two.ht, two.vht, two.he, two.eht), (Some(0x19ef), None, None, None));
        assert_eq!((five.vht, five.he, five.eht), (Some(0x0339_71b2), Some(0b1110), Some(0b10)));
    }

    #[test]
    fn repeated_and_endless_messages_add_nothing() {
        let once = radios(&messages());
        let often: Vec<Vec<u8>> = messages().into_iter().cycle().take(500).collect();
        assert_eq!(radios(&often), once);
        let many: Vec<Vec<u8>> = (0..1000_u32)
            .map(|n| {
                let head = [attribute(1, &n.to_ne_bytes()), attribute(2, format!("phy{n}\0").as_bytes())];
                [vec![3, 1, 0, 0], head.concat()].concat()
            })
            .collect();
        assert_eq!(radios(&many).len(), RADIOS);
        let channels: Vec<Vec<u8>> = (0..2000).map(|n| attribute(0, &frequency(5000 + n, &[]))).collect();
        let large = part(&[nest(22, &[nest(1, &[nest(1, &channels)])])]);
        assert_eq!(radios(&[large])[0].bands[0].channels.len(), CHANNELS);
    }

    #[test]
    fn cut_and_bent_messages_are_no_panic() {
        for message in messages() {
            for end in 0..message.len() {
                radios(&[message[..end].to_vec()]);
            }
            for at in 0..message.len() {
                for byte in [0, 1, 0x7f, 0xff] {
                    let mut bent = message.clone();
                    bent[at] = byte;
                    radios(&[bent]);
                }
            }
        }
        assert_eq!(radios(&[vec![3, 1, 0, 0]]), []);
    }
}
