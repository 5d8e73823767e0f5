//! Whether a text is a value of a parameter, by the facts of the model (TR-106 "Parameter Data Types").
//!
//! What needs the tree too is judged in `references`: whether a referenced row exists, whether a value is among those
//! that another parameter lists (`enumRef`). Whether this box can do what an enumeration names is left to the source's
//! `check`. Enumerated values of vendors (`X_...`) are refused, since no fact lists them.
//! In a list every facet is about one item: the table of facts gives no lengths of whole lists.

use std::net::{Ipv4Addr, Ipv6Addr};

use cwmp_core::{fault::FaultCode, limits as core_limits, value::ValueType};

use crate::{
    facts::{Facet, Facts, Rule},
    lexical, limits, pattern,
};

/// Why a text is no value: 9006 or 9007, and the reason. The text itself is not repeated: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct Invalid {
    /// 9006 (type) or 9007 (value).
    pub code: FaultCode,
    /// What the value would have to be.
    pub text: String,
}

/// Checks a value that a parameter is to have, and gives its canonical form.
///
/// `declared` is the peer's `xsi:type`. One that differs is tolerated where the text is legal and cannot be misread: any
/// integer type for an integer, and `xsd:string` or none for everything.
///
/// # Errors
/// [`Invalid`] with 9006 where the declared type differs otherwise, else with 9007.
pub fn validate(rule: Rule, declared: Option<ValueType>, text: &str) -> Result<String, Invalid> {
    if rule.is_list() {
        // The type of the items is what the model says of it too.
        let declared = declared.filter(|declared| *declared != rule.item_type());
        return judge(rule.value_type(), declared, list(rule, text));
    }
    judge(rule.value_type(), declared, item(rule, text))
}

/// The same for a vendor's parameter, of which no more than its type is known.
///
/// # Errors
/// As [`validate`].
pub fn validate_vendor(
    value_type: ValueType,
    declared: Option<ValueType>,
    text: &str,
) -> Result<String, Invalid> {
    let value = lexical::canonical(value_type, text).map(Into::into).map_err(must_be);
    judge(value_type, declared, value)
}

fn judge(
    actual: ValueType,
    declared: Option<ValueType>,
    value: Result<String, String>,
) -> Result<String, Invalid> {
    let declared = declared.unwrap_or(actual);
    let wrong_type = || Invalid {
        code: FaultCode::INVALID_PARAMETER_TYPE,
        text: format!("the parameter is of type {}, not {}", actual.xsd_name(), declared.xsd_name()),
    };
    match value {
        Ok(value) if is_tolerated(actual, declared) => Ok(value),
        Err(text) if declared == actual => Err(Invalid { code: FaultCode::INVALID_PARAMETER_VALUE, text }),
        _ => Err(wrong_type()),
    }
}

fn is_tolerated(actual: ValueType, declared: ValueType) -> bool {
    use ValueType::{Decimal, Int, Long, String, UnsignedInt, UnsignedLong};
    let integers = [Int, UnsignedInt, Long, UnsignedLong];
    let integral = integers.contains(&actual) || actual == Decimal;
    declared == actual || declared == String || (integral && integers.contains(&declared))
}

fn must_be(what: &str) -> String {
    format!("the value must be {what}")
}

/// Items are separated by commas with optional blanks; none is empty. The canonical form has no blanks around commas.
fn list(rule: Rule, text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    let mut canonical = String::with_capacity(text.len());
    for part in text.split(',') {
        let part = part.trim();
        if part.is_empty() {
            return Err("an item of the list is empty".to_owned());
        }
        if !canonical.is_empty() {
            canonical.push(',');
        }
        canonical.push_str(&item(rule, part)?);
    }
    Ok(canonical)
}

fn item(rule: Rule, text: &str) -> Result<String, String> {
    let value_type = rule.item_type();
    let value = lexical::canonical(value_type, text).map_err(must_be)?;
    let (length, number) = (lexical::length(value_type, &value), value.parse::<i128>().ok());
    let (mut lengths, mut ranges) = (Alternatives::default(), Alternatives::default());
    for facet in rule.facets() {
        match facet {
            Facet::Length(min, max) => {
                let fits = length.is_none_or(|length| (min.unwrap_or(0)..=max).contains(&length));
                lengths.add(fits, || bounds("length", min, Some(max)));
            }
            Facet::Range(min, max) => {
                let above =
                    |n: i128| min.is_none_or(|min| n >= min.into()) && max.is_none_or(|max| n <= max.into());
                ranges.add(number.is_none_or(above), || bounds("value", min, max));
            }
            Facet::Enumeration(values) if !is_enumerated(values, &value, rule.is_list()) => {
                return Err(format!("the value must be one of {}", values.replace('|', ", ")));
            }
            Facet::Pattern(wanted) => {
                let fits =
                    value.chars().nth(limits::PATTERN_TEXT).is_none() && pattern::matches(wanted, &value);
                if !fits {
                    return Err(format!("the value must match {wanted}"));
                }
            }
            Facet::Named(name) => named(name, &value)?,
            Facet::PathRef(_) if !is_reference(&value) => {
                return Err(
                    "the value must be the full path of an object or parameter, without a dot at its end"
                        .to_owned(),
                );
            }
            _ => {}
        }
    }
    lengths.verdict()?;
    ranges.verdict()?;
    Ok(value.into_owned())
}

/// Bounds of which one must hold; none at all is no bound.
#[derive(Default)]
struct Alternatives {
    held: bool,
    unheld: Vec<String>,
}

impl Alternatives {
    fn add(&mut self, fits: bool, text: impl FnOnce() -> String) {
        self.held |= fits;
        if !fits {
            self.unheld.push(text());
        }
    }

    fn verdict(self) -> Result<(), String> {
        if self.held || self.unheld.is_empty() { Ok(()) } else { Err(self.unheld.join(", or ")) }
    }
}

fn bounds<N: ToString>(what: &str, min: Option<N>, max: Option<N>) -> String {
    let [min, max] = [min, max].map(|bound| bound.map(|n| n.to_string()));
    match (min, max) {
        (Some(min), Some(max)) => format!("the {what} must be {min} to {max}"),
        (Some(min), None) => format!("the {what} must be {min} or more"),
        (None, max) => format!("the {what} must be {} or less", max.unwrap_or_default()),
    }
}

/// Exact case. In a list an item may be percent-encoded (TR-106 "Comma-separated Lists").
fn is_enumerated(values: &str, value: &str, in_list: bool) -> bool {
    let is = |text: &str| values.split('|').any(|known| known == text);
    is(value) || (in_list && percent_decoded(value).is_some_and(|text| is(&text)))
}

pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Named types of TR-106 that come without a pattern. Empty means none.
fn named(name: &str, value: &str) -> Result<(), String> {
    let is_v4 = |text: &str| text.parse::<Ipv4Addr>().is_ok();
    let is_v6 = |text: &str| text.parse::<Ipv6Addr>().is_ok();
    let prefix = |v4: bool| {
        value.split_once('/').is_some_and(|(address, length)| {
            let most = match address {
                _ if v4 && is_v4(address) => 32,
                _ if is_v6(address) => 128,
                "" => 128,
                _ => return false,
            };
            length.len() <= 3
                && length.bytes().all(|b| b.is_ascii_digit())
                && length.parse().is_ok_and(|n: u8| n <= most)
        })
    };
    let (fits, what) = match name {
        _ if value.is_empty() => return Ok(()),
        "IPAddress" => (is_v4(value) || is_v6(value), "an IPv4 or IPv6 address without a zone, or empty"),
        "IPv6Address" => (is_v6(value), "an IPv6 address without a zone, or empty"),
        "IPPrefix" => (prefix(true), "an IPv4 or IPv6 prefix such as 10.0.0.0/8, or empty"),
        "IPv6Prefix" => (prefix(false), "an IPv6 prefix such as 2001:db8::/32, or empty"),
        "URL" => (is_url(value), "a URL with its scheme, or empty"),
        _ => return Ok(()),
    };
    if fits { Ok(()) } else { Err(must_be(what)) }
}

/// A scheme, a colon, and characters that RFC 3986 allows. Non-ASCII letters pass: devices and servers use them.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let mut letters = scheme.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        && !rest.is_empty()
        && !rest.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"\\^`{|}".contains(c))
}

/// Empty, or the path of something that the model knows or that a vendor has added.
fn is_reference(text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let is_short = text.chars().nth(core_limits::PARAMETER_NAME).is_none();
    let is_vendor = text.starts_with("Device.") && text.split('.').any(|part| part.starts_with("X_"));
    let is_known =
        || Facts::tr181().find(text).or_else(|| Facts::tr181().find(&format!("{text}."))).is_some();
    is_short && !text.ends_with('.') && !text.contains("{i}") && (is_vendor || is_known())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Place;

    fn set(name: &str, declared: Option<ValueType>, text: &str) -> Result<String, u32> {
        let Some(Place::Parameter(_, parameter)) = Facts::tr181().find(name) else { panic!("{name}") };
        validate(parameter.rule(), declared, text).map_err(|invalid| invalid.code.0)
    }

    /// Conformance: 4.23, 9.08, 9.09, 9.10
    #[test]
    fn facets_of_the_model_hold() {
        let (long, longer, key) = ("\u{e9}".repeat(64), "e".repeat(65), "00".repeat(33));
        for (name, good, bad) in [
            ("Device.DeviceInfo.ProvisioningCode", &["", &long][..], &[longer.as_str()][..]),
            (
                "Device.ManagementServer.PeriodicInformInterval",
                &["1", "4294967295"],
                &["0", "-1", "4294967296", "1 s"],
            ),
            ("Device.ManagementServer.CWMPRetryIntervalMultiplier", &["1000", "65535"], &["999", "65536"]),
            (
                "Device.ManagementServer.URL",
                &["", "http://acs.example/a?b=c", "https://[2001:db8::1]:7547/"],
                &["acs.example", "http://a b/", ":x"],
            ),
            (
                "Device.Ethernet.Interface.1.DuplexMode",
                &["Half", "Full", "Auto"],
                &["half", "", "X_ACME_Twice"],
            ),
            ("Device.Ethernet.Interface.1.MaxBitRate", &["-1", "100"], &["-2", "0x10"]),
            ("Device.Ethernet.Link.1.MACAddress", &["", "00:11:22:aa:BB:cc"], &["00-11-22-aa-BB-cc"]),
            ("Device.IP.Interface.1.IPv4Address.1.IPAddress", &["", "10.0.0.1"], &["10.0.0", "::1"]),
            (
                "Device.IP.Interface.1.IPv6Address.1.IPAddress",
                &["", "fe80::1"],
                &["fe80::1%eth0", "10.0.0.1"],
            ),
            (
                "Device.IP.Interface.1.IPv6Prefix.1.Prefix",
                &["", "2001:db8::/32", "/64"],
                &["2001:db8::", "2001:db8::/129", "2001:db8::/+4"],
            ),
            (
                "Device.Routing.Router.1.IPv4Forwarding.1.Interface",
                &["", "Device.IP.Interface.1", "Device.X_ACME_Thing.1"],
                &[
                    "Device.IP.Interface.1.",
                    "Device.IP.Nothing.1",
                    "IP.Interface.1",
                    "Device.IP.Interface.{i}",
                ],
            ),
            ("Device.IP.Diagnostics.IPPing.DataBlockSize", &["1", "65535"], &["0", "65536"]),
            (
                "Device.DHCPv4.Server.Pool.1.DNSServers",
                &["", "10.0.0.1", "10.0.0.1 , 10.0.0.2"],
                &["10.0.0.1,", ",10.0.0.1", "10.0.0.1 10.0.0.2", "a"],
            ),
            ("Device.WiFi.AccessPoint.1.Security.PreSharedKey", &["", "00ff"], &["0", "zz", &key]),
        ] {
            for text in good {
                assert!(set(name, None, text).is_ok(), "{name} = `{text}`: {:?}", set(name, None, text));
            }
            for text in bad {
                assert_eq!(set(name, None, text), Err(9007), "{name} = `{text}`");
            }
        }
    }

    #[test]
    fn alternatives_of_lengths() {
        // The model allows an empty value or 12 to 64 characters.
        let name = "Device.MoCA.Interface.1.EnhancedPassword";
        assert!(set(name, None, "").is_ok());
        assert!(set(name, None, &"x".repeat(12)).is_ok());
        assert_eq!(set(name, None, &"x".repeat(11)), Err(9007));
    }

    #[test]
    fn canonical_forms_are_given_back() {
        assert_eq!(
            set("Device.ManagementServer.PeriodicInformInterval", None, " +0060 ").as_deref(),
            Ok("60")
        );
        assert_eq!(set("Device.ManagementServer.PeriodicInformEnable", None, "1").as_deref(), Ok("true"));
        assert_eq!(
            set("Device.DHCPv4.Server.Pool.1.DNSServers", None, "10.0.0.1 , 10.0.0.2").as_deref(),
            Ok("10.0.0.1,10.0.0.2")
        );
        assert_eq!(
            set("Device.ManagementServer.Username", None, " a<&\u{4e2d}> ").as_deref(),
            Ok(" a<&\u{4e2d}> ")
        );
    }

    /// Conformance: 4.24
    #[test]
    fn a_slightly_different_type_is_tolerated_and_never_misread() {
        use ValueType::*;
        let interval = "Device.ManagementServer.PeriodicInformInterval";
        for declared in [None, Some(UnsignedInt), Some(Int), Some(Long), Some(UnsignedLong), Some(String)] {
            assert_eq!(set(interval, declared, "60").as_deref(), Ok("60"), "{declared:?}");
        }
        for declared in [Boolean, DateTime, Base64, HexBinary, Decimal] {
            assert_eq!(set(interval, Some(declared), "60"), Err(9006), "{declared:?}");
        }
        assert_eq!(set(interval, Some(String), "x"), Err(9006));
        assert_eq!(set(interval, Some(UnsignedInt), "x"), Err(9007));
        assert_eq!(set("Device.ManagementServer.Username", Some(Int), "5"), Err(9006));
        assert_eq!(set("Device.ManagementServer.PeriodicInformEnable", Some(Int), "1"), Err(9006));
        assert_eq!(
            set("Device.ManagementServer.PeriodicInformEnable", Some(String), "1").as_deref(),
            Ok("true")
        );
    }

    #[test]
    fn a_list_of_numbers_is_a_string() {
        use ValueType::{Boolean, String, UnsignedInt};
        let list = "Device.DHCPv6.Client.1.RequestedOptions";
        let Some(Place::Parameter(_, parameter)) = Facts::tr181().find(list) else { panic!() };
        assert_eq!((parameter.rule().value_type(), parameter.rule().item_type()), (String, UnsignedInt));
        for declared in [None, Some(String), Some(UnsignedInt)] {
            assert_eq!(set(list, declared, "23, 24").as_deref(), Ok("23,24"), "{declared:?}");
            assert_eq!(set(list, declared, "").as_deref(), Ok(""), "{declared:?}");
            assert_eq!(set(list, declared, "23,x"), Err(9007), "{declared:?}");
        }
        assert_eq!(set(list, Some(Boolean), "1"), Err(9006));
    }

    #[test]
    fn list_items_may_be_percent_encoded() {
        assert!(is_enumerated("802.11 5 GHz|802.11 60 GHz", "802.11%205%20GHz", true));
        assert!(!is_enumerated("802.11 5 GHz", "802.11%205%20GHz", false));
        assert!(!is_enumerated("a", "%6", true));
    }

    #[test]
    fn a_refusal_does_not_repeat_the_value() {
        let Some(Place::Parameter(_, parameter)) = Facts::tr181().find("Device.ManagementServer.Password")
        else {
            panic!()
        };
        let secret = "s3cret".repeat(50);
        assert!(!validate(parameter.rule(), None, &secret).unwrap_err().text.contains("s3cret"));
    }
}
