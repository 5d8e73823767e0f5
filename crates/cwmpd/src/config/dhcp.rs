//! What DHCP may tell.

use cwmp_core::discovery::DhcpOption;

use super::reader::Reader;

/// Longest name of a network device, in bytes.
const DEVICE_BYTES: usize = 15;

/// What is taken of what DHCP tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DhcpPolicy {
    /// Whether anything is.
    pub(crate) discovery: bool,
    /// Whether the ACS must be one with https.
    pub(crate) requires_https: bool,
    /// The network device whose DHCP client is heard; `None` for any.
    pub(crate) interface: Option<String>,
    /// Which of options 43 and 125 the client asks for, where it is one of them alone.
    pub(crate) requested: Option<DhcpOption>,
}

pub(super) fn read(read: &mut Reader<'_>) -> DhcpPolicy {
    let right = "the name of a network device, or empty";
    let interface = read.read("dhcp_interface", right, |text| match text {
        "" => Some(None),
        text => is_device(text).then(|| Some(text.to_owned())),
    });
    let requested = read.read("dhcp_requested_option", "43, 125 or both", |text| match text {
        "43" => Some(Some(DhcpOption::VendorSpecific)),
        "125" => Some(Some(DhcpOption::VendorIdentifying)),
        "both" => Some(None),
        _ => None,
    });
    DhcpPolicy {
        discovery: read.boolean("dhcp_discovery").unwrap_or(true),
        requires_https: read.boolean("dhcp_requires_https").unwrap_or(false),
        interface: interface.flatten(),
        requested: requested.flatten(),
    }
}

/// Whether a network device may be called so.
pub(crate) fn is_device(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    (1..=DEVICE_BYTES).contains(&text.len()) && text.bytes().all(fits)
}
