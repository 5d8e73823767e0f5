//! The options as bytes: sub-options within them, by the numbers that the Broadband Forum has assigned.
//!
//! | sub-option of | the ACS (TR-069a6 3.1) | the device, asked with | the gateway, answered with (Annex F) |
//! |---|---|---|---|
//! | DHCPv4 option 43 | 1 to 4 | | |
//! | DHCPv4 option 125 | 11 to 14, and 1 to 4 | 1 to 3 | 4 to 6 |
//! | DHCPv6 option 17 | 1 to 4 | 11 to 13 | 14 to 16, and 4 to 6 |
//!
//! The second numbers are those of servers older than Amendment 5. 4 has then two meanings, which its form tells apart: an
//! OUI has six digits, a multiplier at most five.

use super::{DhcpOption, ENTERPRISE, OPTION_BYTES, text};
use crate::rpc::DeviceId;

/// What a value stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Url,
    ProvisioningCode,
    RetryMinimumWaitInterval,
    RetryIntervalMultiplier,
    GatewayOui,
    GatewaySerialNumber,
    GatewayProductClass,
}

/// A sub-option that means something here.
pub(super) struct Code<'a> {
    pub(super) number: u16,
    pub(super) meaning: Meaning,
    pub(super) value: &'a [u8],
}

/// Why nothing of an option is used.
pub(super) struct Malformed(pub(super) &'static str);

const TOO_LONG: Malformed = Malformed("longer than 4096 bytes");
const CUT_SHORT: Malformed = Malformed("a length reaches beyond its end");

/// The sub-options that mean something, those with the present numbers first.
pub(super) fn codes(option: DhcpOption, content: &[u8]) -> Result<Vec<Code<'_>>, Malformed> {
    if content.len() > OPTION_BYTES {
        return Err(TOO_LONG);
    }
    let mut pairs = Vec::new();
    match option {
        DhcpOption::VendorSpecific => v4_sub_options(content, true, &mut pairs)?,
        DhcpOption::VendorIdentifying => {
            let mut bytes = Bytes(content);
            while !bytes.0.is_empty() {
                let (enterprise, length) = (bytes.u32()?, bytes.u8()?);
                let data = bytes.take(length.into())?;
                if enterprise == ENTERPRISE {
                    v4_sub_options(data, false, &mut pairs)?;
                }
            }
        }
        DhcpOption::V6VendorOpts => {
            let mut bytes = Bytes(content);
            if bytes.u32()? == ENTERPRISE {
                while !bytes.0.is_empty() {
                    let (number, length) = (bytes.u16()?, bytes.u16()?);
                    pairs.push((number, bytes.take(length.into())?));
                }
            }
        }
    }
    let known = |old: bool| {
        pairs.iter().filter_map(move |(number, value)| {
            let meaning = meaning(option, *number, value, old)?;
            Some(Code { number: *number, meaning, value })
        })
    };
    Ok(known(false).chain(known(true)).collect())
}

/// Number, length of one byte, value. In option 43 a zero is padding and 255 the end (RFC 2132 8.4).
fn v4_sub_options<'a>(
    content: &'a [u8],
    padded: bool,
    pairs: &mut Vec<(u16, &'a [u8])>,
) -> Result<(), Malformed> {
    let mut bytes = Bytes(content);
    while !bytes.0.is_empty() {
        let number = bytes.u8()?;
        match number {
            0 if padded => continue,
            255 if padded => return Ok(()),
            _ => {}
        }
        let length = bytes.u8()?;
        pairs.push((number.into(), bytes.take(length.into())?));
    }
    Ok(())
}

/// What a number means; `old` for the numbers before Amendment 5.
fn meaning(option: DhcpOption, number: u16, value: &[u8], old: bool) -> Option<Meaning> {
    use DhcpOption::{V6VendorOpts, VendorIdentifying, VendorSpecific};
    let acs = |number: u16| {
        Some(match number {
            1 => Meaning::Url,
            2 => Meaning::ProvisioningCode,
            3 => Meaning::RetryMinimumWaitInterval,
            4 => Meaning::RetryIntervalMultiplier,
            _ => return None,
        })
    };
    let gateway = |number: u16| {
        Some(match number {
            4 => Meaning::GatewayOui,
            5 => Meaning::GatewaySerialNumber,
            6 => Meaning::GatewayProductClass,
            _ => return None,
        })
    };
    let is_oui = || text(value).as_deref().and_then(oui).is_some();
    match (option, number, old) {
        (VendorSpecific, 1..=4, false) => acs(number),
        (VendorIdentifying, 11..=14, false) => acs(number - 10),
        (VendorIdentifying, 4, false) if is_oui() => gateway(4),
        (VendorIdentifying, 5..=6, false) => gateway(number),
        (VendorIdentifying, 1..=3, true) => acs(number),
        (VendorIdentifying, 4, true) if !is_oui() => acs(4),
        (V6VendorOpts, 1..=3, false) => acs(number),
        (V6VendorOpts, 4, false) if !is_oui() => acs(4),
        (V6VendorOpts, 14..=16, false) => gateway(number - 10),
        (V6VendorOpts, 4, true) if is_oui() => gateway(4),
        (V6VendorOpts, 5..=6, true) => gateway(number),
        _ => None,
    }
}

/// Six hexadecimal digits, in capitals.
pub(super) fn oui(text: &str) -> Option<String> {
    let fits = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_uppercase())
}

/// What is still to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| CUT_SHORT)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }
}

/// As what the box says who it is (TR-069a6 Annex F).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its DHCP client asks a gateway.
    Device,
    /// Its DHCP server answers the devices of the home.
    Gateway,
}

/// Content of the DHCPv4 option 125 with which the box says who it is: OUI, serial number and product class, this where there
/// is one. What does not fit into an option is cut off.
#[must_use]
pub fn identity_in_option_125(device: &DeviceId, role: Role) -> Vec<u8> {
    let first = match role {
        Role::Device => 1,
        Role::Gateway => 4,
    };
    let mut data = Vec::new();
    for (number, value) in (first..).zip([&device.oui, &device.serial_number, &device.product_class]) {
        if !value.is_empty() {
            data.extend(v4_sub_option(number, value));
        }
    }
    let mut content = ENTERPRISE.to_be_bytes().to_vec();
    content.push(u8::try_from(data.len()).unwrap_or(u8::MAX));
    content.extend(data);
    content
}

/// The same for DHCPv6 option 17.
#[must_use]
pub fn identity_in_option_17(device: &DeviceId, role: Role) -> Vec<u8> {
    let first: u16 = match role {
        Role::Device => 11,
        Role::Gateway => 14,
    };
    let mut content = ENTERPRISE.to_be_bytes().to_vec();
    for (number, value) in (first..).zip([&device.oui, &device.serial_number, &device.product_class]) {
        let value = short(value).as_bytes();
        if let (false, Ok(length)) = (value.is_empty(), u16::try_from(value.len())) {
            content.extend(number.to_be_bytes());
            content.extend(length.to_be_bytes());
            content.extend(value);
        }
    }
    content
}

fn v4_sub_option(number: u8, value: &str) -> Vec<u8> {
    let value = short(value).as_bytes();
    let mut bytes = vec![number, u8::try_from(value.len()).unwrap_or(u8::MAX)];
    bytes.extend(value);
    bytes
}

/// The first bytes of a value, as many as leave room for two others in one option.
fn short(value: &str) -> &str {
    const MOST: usize = 64;
    let end = (0..=MOST.min(value.len())).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
    value.get(..end).unwrap_or_default()
}
