//! What DHCP tells of the ACS (TR-069a6 3.1) and of the gateway (TR-069a6 Annex F), without any I/O: a DHCP client hands
//! its options over, and out comes what can be used of them.
//!
//! A DHCP server is nobody that the box could trust: whatever the bytes are, the worst that comes of them is nothing.

mod hex;
mod options;
#[cfg(test)]
mod tests;

pub use hex::{HexError, from_hex};
pub use options::{Role, identity_in_option_17, identity_in_option_125};

use serde::{Deserialize, Serialize};

use crate::url::HttpUrl;
use options::{Code, Malformed, Meaning};

/// The Broadband Forum's enterprise number.
pub const ENTERPRISE: u32 = 3561;
/// What the vendor class of the box contains, for DHCP servers to know it by (TR-069a6 3.1).
pub const VENDOR_CLASS: &str = "dslforum.org";
/// Longest option that is looked at, in bytes. RFC 3396 lets several options of 255 bytes make a longer one.
pub const OPTION_BYTES: usize = 4096;
/// Longest ProvisioningCode, in characters (TR-181).
pub const PROVISIONING_CODE: usize = 64;
/// Longest serial number and product class of a gateway, in characters (TR-181).
pub const IDENTITY: usize = 64;

/// Which option of DHCP something came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DhcpOption {
    /// DHCPv4 option 43, Vendor Specific Information.
    VendorSpecific,
    /// DHCPv4 option 125, Vendor-Identifying Vendor-Specific Information.
    VendorIdentifying,
    /// DHCPv6 option 17, Vendor-specific Information.
    V6VendorOpts,
}

impl DhcpOption {
    /// Its number, as people know it.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::VendorSpecific => 43,
            Self::VendorIdentifying => 125,
            Self::V6VendorOpts => 17,
        }
    }

    /// The option with this number; `None` for any other.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        [Self::VendorSpecific, Self::VendorIdentifying, Self::V6VendorOpts]
            .into_iter()
            .find(|option| option.number() == number)
    }
}

/// One answer of a DHCP server, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DhcpAnswer {
    /// Content of option 43.
    pub option_43: Option<Vec<u8>>,
    /// Content of option 125.
    pub option_125: Option<Vec<u8>>,
    /// Content of each DHCPv6 option 17.
    pub option_17: Vec<Vec<u8>>,
    /// Which of 43 and 125 the client has asked for, where it has asked for one of them alone.
    pub requested: Option<DhcpOption>,
}

/// What is known of the ACS and the gateway from one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The option that the next four come from.
    pub option: Option<DhcpOption>,
    /// URL of the ACS, as it was written.
    pub url: Option<String>,
    /// ProvisioningCode.
    pub provisioning_code: Option<String>,
    /// CWMPRetryMinimumWaitInterval, 1 to 65535 seconds.
    pub retry_minimum_wait_interval: Option<u32>,
    /// CWMPRetryIntervalMultiplier, 1000 to 65535 thousandths.
    pub retry_interval_multiplier: Option<u32>,
    /// Who the gateway is, from option 125 or 17.
    pub gateway: Option<GatewayIdentity>,
    /// What was not used, and why; texts without the values, which anybody may have sent.
    pub ignored: Vec<String>,
}

/// The identity of a gateway (TR-181 `Device.GatewayInfo.`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayIdentity {
    /// ManufacturerOUI: six hexadecimal digits in capitals.
    pub manufacturer_oui: String,
    /// SerialNumber.
    pub serial_number: String,
    /// ProductClass; empty where the gateway tells none.
    pub product_class: String,
}

impl Discovery {
    /// Reads an answer. Of options 43 and 125 the one counts that was asked for; 43, where none was or both were, and the
    /// other one where that tells nothing of the ACS. A malformed option counts as absent, a malformed value as not given.
    #[must_use]
    pub fn read(answer: &DhcpAnswer) -> Self {
        let mut discovery = Self::default();
        let of_43 = discovery.look(DhcpOption::VendorSpecific, answer.option_43.as_deref());
        let of_125 = discovery.look(DhcpOption::VendorIdentifying, answer.option_125.as_deref());
        let mut of_17 = Told::default();
        for option in &answer.option_17 {
            of_17.add(discovery.look(DhcpOption::V6VendorOpts, Some(option)));
        }
        discovery.gateway = [&of_125, &of_17].into_iter().find_map(Told::gateway);
        let (mut first, mut second) =
            ((DhcpOption::VendorSpecific, of_43), (DhcpOption::VendorIdentifying, of_125));
        if answer.requested == Some(DhcpOption::VendorIdentifying) {
            std::mem::swap(&mut first, &mut second);
        }
        let choices = [first, second, (DhcpOption::V6VendorOpts, of_17)];
        // What counts is the URL: an option that has only the rest does not keep another one's URL out.
        let at = choices.iter().position(|(_, told)| told.url.is_some());
        let at = at.or_else(|| choices.iter().position(|(_, told)| told.has_discovery()));
        if let Some((option, told)) = at.and_then(|at| choices.into_iter().nth(at)) {
            discovery.option = Some(option);
            discovery.url = told.url;
            discovery.provisioning_code = told.provisioning_code;
            discovery.retry_minimum_wait_interval = told.retry_minimum_wait_interval;
            discovery.retry_interval_multiplier = told.retry_interval_multiplier;
        }
        discovery
    }

    /// What one option tells; what is wrong with it is noted.
    fn look(&mut self, option: DhcpOption, content: Option<&[u8]>) -> Told {
        let Some(content) = content else { return Told::default() };
        let mut told = Told::default();
        match options::codes(option, content) {
            Ok(codes) => {
                for Code { number, meaning, value } in codes {
                    if let Err(right) = told.take(meaning, value) {
                        let option = option.number();
                        self.ignored.push(format!("option {option}, sub-option {number}: not {right}"));
                    }
                }
            }
            Err(Malformed(why)) => self.ignored.push(format!("option {}: {why}", option.number())),
        }
        told
    }
}

/// What one option tells.
#[derive(Default)]
struct Told {
    url: Option<String>,
    provisioning_code: Option<String>,
    retry_minimum_wait_interval: Option<u32>,
    retry_interval_multiplier: Option<u32>,
    manufacturer_oui: Option<String>,
    serial_number: Option<String>,
    product_class: Option<String>,
}

impl Told {
    /// Takes one value, unless there is one already: codes come in the order in which they count. The error says what
    /// would have been right.
    fn take(&mut self, meaning: Meaning, value: &[u8]) -> Result<(), &'static str> {
        let text = text(value);
        match meaning {
            Meaning::Url => {
                let right = "an http or https URL";
                let url = text.filter(|text| HttpUrl::parse(text).is_ok()).ok_or(right)?;
                self.url.get_or_insert(url);
            }
            Meaning::ProvisioningCode => {
                let fits = |text: &String| text.chars().count() <= PROVISIONING_CODE;
                let code = text.filter(fits).ok_or("a text of at most 64 characters")?;
                self.provisioning_code.get_or_insert(code);
            }
            Meaning::RetryMinimumWaitInterval => {
                let right = "a number from 1 to 65535";
                let number = text.and_then(|text| number(&text, 1)).ok_or(right)?;
                self.retry_minimum_wait_interval.get_or_insert(number);
            }
            Meaning::RetryIntervalMultiplier => {
                let right = "a number from 1000 to 65535";
                let number = text.and_then(|text| number(&text, 1000)).ok_or(right)?;
                self.retry_interval_multiplier.get_or_insert(number);
            }
            Meaning::GatewayOui => {
                let oui = text.as_deref().and_then(options::oui).ok_or("an OUI of six hexadecimal digits")?;
                self.manufacturer_oui.get_or_insert(oui);
            }
            Meaning::GatewaySerialNumber | Meaning::GatewayProductClass => {
                let fits = |text: &String| text.chars().count() <= IDENTITY;
                let name = text.filter(fits).ok_or("a text of at most 64 characters")?;
                let place = match meaning {
                    Meaning::GatewaySerialNumber => &mut self.serial_number,
                    _ => &mut self.product_class,
                };
                place.get_or_insert(name);
            }
        }
        Ok(())
    }

    /// Takes what another option of the same kind tells beyond this one.
    fn add(&mut self, other: Told) {
        let Told {
            url,
            provisioning_code,
            retry_minimum_wait_interval,
            retry_interval_multiplier,
            manufacturer_oui,
            serial_number,
            product_class,
        } = other;
        self.url = self.url.take().or(url);
        self.provisioning_code = self.provisioning_code.take().or(provisioning_code);
        self.retry_minimum_wait_interval = self.retry_minimum_wait_interval.or(retry_minimum_wait_interval);
        self.retry_interval_multiplier = self.retry_interval_multiplier.or(retry_interval_multiplier);
        self.manufacturer_oui = self.manufacturer_oui.take().or(manufacturer_oui);
        self.serial_number = self.serial_number.take().or(serial_number);
        self.product_class = self.product_class.take().or(product_class);
    }

    fn has_discovery(&self) -> bool {
        self.url.is_some()
            || self.provisioning_code.is_some()
            || self.retry_minimum_wait_interval.is_some()
            || self.retry_interval_multiplier.is_some()
    }

    /// A gateway is known by OUI and serial number.
    fn gateway(&self) -> Option<GatewayIdentity> {
        Some(GatewayIdentity {
            manufacturer_oui: self.manufacturer_oui.clone()?,
            serial_number: self.serial_number.clone().filter(|number| !number.is_empty())?,
            product_class: self.product_class.clone().unwrap_or_default(),
        })
    }
}

/// A value as text. Values have a length and need no zero at their end; those that come are no part of them. Control
/// characters are in no value.
fn text(value: &[u8]) -> Option<String> {
    let end = value.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let text = std::str::from_utf8(value.get(..end)?).ok()?;
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// Decimal digits, from `least` to 65535.
fn number(text: &str, least: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?.filter(|number| (least..=65_535).contains(number))
}
