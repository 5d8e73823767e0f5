//! Options of a rule that several parameters share: `!192.0.2.0/24` is an address, a mask and whether they are excluded.

use std::net::{IpAddr, Ipv4Addr};

use crate::objects::nat::ports;

/// An option of which the model has parts.
pub(super) trait Field: Sized {
    /// `None` for what the model has no words for.
    fn read(text: &str) -> Option<Self>;

    /// Empty where nothing is set.
    fn write(&self) -> String;
}

/// A field, and whether all but it is meant.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Excludable<T> {
    pub(super) field: T,
    pub(super) excluded: bool,
}

impl<T: Field> Excludable<T> {
    /// From the values of an option; `None` for several of them, and for what the model has no words for.
    pub(super) fn read(values: &[&str]) -> Option<Self> {
        let text = match values {
            [] => "",
            [one] => one.trim(),
            _ => return None,
        };
        let (text, excluded) = match text.strip_prefix('!') {
            Some(rest) => (rest.trim_start(), true),
            None => (text, false),
        };
        Some(Self { field: T::read(text)?, excluded })
    }

    /// The option; empty where it is to be absent.
    pub(super) fn write(&self) -> String {
        match self.field.write() {
            text if self.excluded && !text.is_empty() => format!("!{text}"),
            text => text,
        }
    }
}

/// `192.0.2.0/24`, `2001:db8::/32`, `192.0.2.1`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Net {
    pub(super) address: Option<IpAddr>,
    /// Length of the prefix, at most 128.
    pub(super) length: Option<u32>,
}

impl Field for Net {
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let Some((address, mask)) = text.split_once('/') else {
            return Some(Self { address: Some(text.parse().ok()?), length: None });
        };
        let address: IpAddr = address.parse().ok()?;
        let length = match mask.parse::<Ipv4Addr>() {
            Ok(mask) => {
                let bits = u32::from(mask);
                (bits.leading_ones() + bits.trailing_zeros() >= 32).then(|| bits.leading_ones())?
            }
            Err(_) => mask.parse().ok()?,
        };
        fits(address, length).then_some(Self { address: Some(address), length: Some(length) })
    }

    fn write(&self) -> String {
        match (self.address, self.length) {
            (None, _) => String::new(),
            (Some(address), None) => address.to_string(),
            (Some(address), Some(length)) => format!("{address}/{length}"),
        }
    }
}

/// Whether an address can have a prefix of this length.
pub(super) fn fits(address: IpAddr, length: u32) -> bool {
    length <= if address.is_ipv4() { 32 } else { 128 }
}

/// `80`, `80-90`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Ports {
    pub(super) first: Option<u16>,
    pub(super) last: Option<u16>,
}

impl Field for Ports {
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let (first, last) = ports(Some(text))?;
        Some(Self { first: Some(first), last })
    }

    fn write(&self) -> String {
        match (self.first, self.last) {
            (None, _) => String::new(),
            (Some(first), None) => first.to_string(),
            (Some(first), Some(last)) => format!("{first}-{last}"),
        }
    }
}

/// A class of traffic, 0 to 63: a number, or one of the names of RFC 2474, RFC 2597 and RFC 3246.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Dscp(pub(super) Option<u8>);

impl Field for Dscp {
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let digit = |text: &str| text.parse::<u8>().ok().filter(|_| text.len() == 1);
        let upper = text.to_ascii_uppercase();
        let value = if let Some(hex) = upper.strip_prefix("0X") {
            u8::from_str_radix(hex, 16).ok()?
        } else if let Some(class) = upper.strip_prefix("CS") {
            digit(class).filter(|class| *class < 8)? * 8
        } else if let Some(rest) = upper.strip_prefix("AF") {
            let (class, drop) = (digit(rest.get(..1)?)?, digit(rest.get(1..)?)?);
            ((1..=4).contains(&class) && (1..=3).contains(&drop)).then_some(class * 8 + drop * 2)?
        } else if upper == "EF" {
            46
        } else if upper == "BE" {
            0
        } else {
            upper.parse().ok()?
        };
        (value < 64).then_some(Self(Some(value)))
    }

    fn write(&self) -> String {
        self.0.map(|value| value.to_string()).unwrap_or_default()
    }
}

/// A hardware address, as it stands there.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Mac(pub(super) String);

impl Field for Mac {
    fn read(text: &str) -> Option<Self> {
        (text.is_empty() || crate::part::is_mac(text)).then(|| Self(text.to_ascii_lowercase()))
    }

    fn write(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back<T: Field>(text: &str) -> Option<String> {
        Excludable::<T>::read(&[text]).map(|field| field.write())
    }

    #[test]
    fn what_is_read_is_written_alike() {
        for text in ["192.0.2.0/24", "!192.0.2.1", "2001:db8::/32", "fe80::/10", ""] {
            assert_eq!(back::<Net>(text).as_deref(), Some(text));
        }
        assert_eq!(back::<Net>("192.0.2.0/255.255.255.0").as_deref(), Some("192.0.2.0/24"));
        for text in ["192.0.2.1-192.0.2.9", "192.0.2.0/33", "192.0.2.0/255.0.255.0", "host", "/24"] {
            assert_eq!(back::<Net>(text), None, "{text}");
        }
        assert_eq!(back::<Ports>("! 80:90").as_deref(), Some("!80-90"));
        assert_eq!(back::<Ports>("70000"), None);
        for (text, value) in [("CS6", 48), ("AF41", 34), ("EF", 46), ("0x0a", 10), ("63", 63), ("be", 0)] {
            assert_eq!(Dscp::read(text), Some(Dscp(Some(value))), "{text}");
        }
        for text in ["CS8", "AF51", "AF14", "AF1", "AF", "CS", "64", "0xzz", "AFü"] {
            assert_eq!(Dscp::read(text), None, "{text}");
        }
        assert_eq!(Excludable::<Ports>::read(&["80", "443"]), None);
        assert_eq!(Excludable::<Mac>::read(&[]), Some(Excludable::default()));
    }
}
