//! Addresses of the box (RTM_NEWADDR).

use std::net::IpAddr;

use super::{AF_INET6, Attributes, Index, ip, u8_at, u32_at};

const TEMPORARY: u32 = 0x01;
const OPTIMISTIC: u32 = 0x04;
const DAD_FAILED: u32 = 0x08;
const DEPRECATED: u32 = 0x20;
const TENTATIVE: u32 = 0x40;
const PERMANENT: u32 = 0x80;
const MANAGE_TEMPORARY: u32 = 0x100;

/// An address on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Index of its device.
    pub index: Index,
    /// The address.
    pub address: IpAddr,
    /// Length of the prefix, in bits.
    pub prefix_length: u8,
    /// 0 is global, 253 the link, 254 the host.
    pub scope: u8,
    /// It is still being checked for a duplicate.
    pub tentative: bool,
    /// Another host has it.
    pub duplicate: bool,
    /// It is used before the check for a duplicate is over.
    pub optimistic: bool,
    /// No new connections should use it.
    pub deprecated: bool,
    /// Without lifetime.
    pub permanent: bool,
    /// Where it is from.
    pub origin: AddressOrigin,
    /// Seconds left, `u32::MAX` for ever.
    pub preferred: u32,
    /// Seconds left, `u32::MAX` for ever.
    pub valid: u32,
    /// When the lifetimes were last set, in hundredths of a second since the boot; it wraps.
    pub set_at: u32,
}

/// Where an address is from, as far as the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressOrigin {
    /// The kernel made it out of a router advertisement.
    RouterAdvertisement,
    /// Somebody set it.
    Set,
}

pub(super) fn parse(message: &[u8]) -> Option<Address> {
    let family = u8_at(message, 0)?;
    let mut flags = u32::from(u8_at(message, 2)?);
    let (mut of_interface, mut local, mut protocol) = (None, None, None);
    let (mut preferred, mut valid, mut set_at) = (u32::MAX, u32::MAX, 0);
    for (kind, value) in Attributes::after(message, 8) {
        match kind {
            1 => of_interface = ip(value),
            2 => local = ip(value),
            6 => {
                preferred = u32_at(value, 0)?;
                valid = u32_at(value, 4)?;
                set_at = u32_at(value, 12)?;
            }
            8 => flags = u32_at(value, 0)?,
            11 => protocol = u8_at(value, 0),
            _ => {}
        }
    }
    let has = |flag: u32| flags & flag != 0;
    // Kernels before 5.18 do not say who made an address, but which ones they make others from.
    let by_router = family == AF_INET6
        && protocol.map_or(has(MANAGE_TEMPORARY) || has(TEMPORARY), |by| by == 2 || has(TEMPORARY));
    Some(Address {
        index: u32_at(message, 4)?,
        // On a point-to-point line the other attribute is the peer's.
        address: local.or(of_interface)?,
        prefix_length: u8_at(message, 1)?,
        scope: u8_at(message, 3)?,
        tentative: has(TENTATIVE),
        duplicate: has(DAD_FAILED),
        optimistic: has(OPTIMISTIC),
        deprecated: has(DEPRECATED),
        permanent: has(PERMANENT),
        origin: if by_router { AddressOrigin::RouterAdvertisement } else { AddressOrigin::Set },
        preferred,
        valid,
        set_at,
    })
}
