use proptest::prelude::*;

use super::*;
use crate::rpc::DeviceId;

const URL: &str = "https://acs.example/cwmp";

fn sub(number: u8, value: &[u8]) -> Vec<u8> {
    [&[number, u8::try_from(value.len()).unwrap()], value].concat()
}

fn enterprise(number: u32, data: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &[u8::try_from(data.len()).unwrap()], data].concat()
}

fn sub_6(number: u16, value: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
}

fn option_17(subs: &[Vec<u8>]) -> Vec<u8> {
    [&ENTERPRISE.to_be_bytes()[..], &subs.concat()].concat()
}

fn read_43(content: &[u8]) -> Discovery {
    Discovery::read(&DhcpAnswer { option_43: Some(content.to_vec()), ..DhcpAnswer::default() })
}

fn read_125(content: &[u8]) -> Discovery {
    Discovery::read(&DhcpAnswer { option_125: Some(content.to_vec()), ..DhcpAnswer::default() })
}

fn read_17(content: &[u8]) -> Discovery {
    Discovery::read(&DhcpAnswer { option_17: vec![content.to_vec()], ..DhcpAnswer::default() })
}

fn all_four(discovery: &Discovery) -> (Option<&str>, Option<&str>, Option<u32>, Option<u32>) {
    (
        discovery.url.as_deref(),
        discovery.provisioning_code.as_deref(),
        discovery.retry_minimum_wait_interval,
        discovery.retry_interval_multiplier,
    )
}

/// Conformance: 12.05
#[test]
fn each_option_tells_url_provisioning_code_and_retry_waits() {
    let four = (Some(URL), Some("TLCO.GRP2"), Some(7), Some(3000));
    let values = [URL.as_bytes(), b"TLCO.GRP2", b"7", b"3000"];
    let subs =
        |from: u8| (from..).zip(values).flat_map(|(number, value)| sub(number, value)).collect::<Vec<_>>();
    let of_43 = read_43(&subs(1));
    assert_eq!((all_four(&of_43), of_43.option), (four, Some(DhcpOption::VendorSpecific)));
    for from in [1, 11] {
        let of_125 = read_125(&[enterprise(9, b"\x01\x01x"), enterprise(ENTERPRISE, &subs(from))].concat());
        assert_eq!((all_four(&of_125), of_125.option), (four, Some(DhcpOption::VendorIdentifying)));
    }
    let of_17: Vec<_> = (1..).zip(values).map(|(number, value)| sub_6(number, value)).collect();
    let of_17 = read_17(&option_17(&of_17));
    assert_eq!((all_four(&of_17), of_17.option), (four, Some(DhcpOption::V6VendorOpts)));
    assert_eq!(of_17.ignored, [""; 0]);
}

/// Conformance: 12.04
#[test]
fn of_two_options_the_one_that_was_asked_for_counts() {
    let (one, other) = ("http://one.example/", "http://other.example/");
    let mut answer = DhcpAnswer {
        option_43: Some(sub(1, one.as_bytes())),
        option_125: Some(enterprise(ENTERPRISE, &sub(1, other.as_bytes()))),
        ..DhcpAnswer::default()
    };
    let url = |answer: &DhcpAnswer| Discovery::read(answer).url;
    assert_eq!(url(&answer).as_deref(), Some(one), "none was asked for");
    answer.requested = Some(DhcpOption::VendorSpecific);
    assert_eq!(url(&answer).as_deref(), Some(one));
    answer.requested = Some(DhcpOption::VendorIdentifying);
    assert_eq!(url(&answer).as_deref(), Some(other));
    answer.option_125 = Some(enterprise(ENTERPRISE, &sub(12, b"code")));
    assert_eq!(url(&answer).as_deref(), Some(one), "one without a URL keeps no other out");
}

/// Conformance: 12.06
#[test]
fn zeros_at_the_end_are_no_part_of_a_value() {
    for value in ["http://a.example/", "http://a.example/\0", "http://a.example/\0\0"] {
        assert_eq!(read_43(&sub(1, value.as_bytes())).url.as_deref(), Some("http://a.example/"));
    }
    // The length counts, not a zero: what follows is the next sub-option.
    let two = [sub(1, b"http://a.example/\0"), sub(2, b"code")].concat();
    assert_eq!(read_43(&two).provisioning_code.as_deref(), Some("code"));
    assert_eq!(read_43(&sub(1, b"http://a.example/\0x")).url, None);
}

/// Conformance: 12.07
#[test]
fn what_is_malformed_is_ignored_and_named() {
    let good = sub(1, URL.as_bytes());
    for cut in 1..good.len() {
        let cut = read_43(good.get(..cut).unwrap());
        assert_eq!((cut.url, cut.ignored.len()), (None, 1));
    }
    for url in ["ftp://acs.example/", "acs.example", "http://a b/", "http://$(reboot)/", ""] {
        let discovery = read_43(&[sub(1, url.as_bytes()), sub(2, b"code")].concat());
        assert_eq!((discovery.url, discovery.provisioning_code.as_deref()), (None, Some("code")), "{url}");
        assert_eq!(discovery.ignored, ["option 43, sub-option 1: not an http or https URL"]);
    }
    let beyond = enterprise(ENTERPRISE, &good);
    let beyond = [&beyond[..4], &[beyond[4] + 1], &beyond[5..]].concat();
    assert_eq!(read_125(&beyond).ignored, ["option 125: a length reaches beyond its end"]);
    assert_eq!(read_17(&[0, 0, 13]).ignored, ["option 17: a length reaches beyond its end"]);
    let long = vec![0; OPTION_BYTES + 1];
    assert_eq!(read_43(&long).ignored, ["option 43: longer than 4096 bytes"]);
    let odd = [sub(2, &[b'x'; 65]), sub(3, b"0"), sub(3, b"-1"), sub(4, b"999"), sub(4, b"65536")].concat();
    assert_eq!((all_four(&read_43(&odd)), read_43(&odd).ignored.len()), ((None, None, None, None), 5));
    assert_eq!(read_43(&sub(2, b"a\nb")).provisioning_code, None);
    assert_eq!(read_43(&sub(2, b"\xff")).provisioning_code, None);
}

#[test]
fn padding_and_the_end_of_option_43_are_understood() {
    let padded = [&[0, 0][..], &sub(1, URL.as_bytes()), &[0, 255, 1, 200]].concat();
    let discovery = read_43(&padded);
    assert_eq!((discovery.url.as_deref(), discovery.ignored.len()), (Some(URL), 0));
}

#[test]
fn the_options_of_others_mean_nothing() {
    let others = enterprise(9, &sub(1, URL.as_bytes()));
    assert_eq!(read_125(&others), Discovery::default());
    let others = [&9_u32.to_be_bytes()[..], &sub_6(1, URL.as_bytes())].concat();
    assert_eq!(read_17(&others), Discovery::default());
}

/// Conformance: 12.14
#[test]
fn the_gateway_says_who_it_is() {
    let gateway = |class: &str| GatewayIdentity {
        manufacturer_oui: "00D09E".into(),
        serial_number: "S1".into(),
        product_class: class.into(),
    };
    let subs = [sub(4, b"00d09e"), sub(5, b"S1"), sub(6, b"Gate")].concat();
    let with_url =
        enterprise(ENTERPRISE, &[subs.clone(), sub(11, URL.as_bytes()), sub(14, b"2000")].concat());
    let discovery = read_125(&with_url);
    assert_eq!(discovery.gateway, Some(gateway("Gate")));
    assert_eq!(all_four(&discovery), (Some(URL), None, None, Some(2000)));
    assert_eq!(read_125(&enterprise(ENTERPRISE, &subs)).gateway, Some(gateway("Gate")));
    for from in [4, 14] {
        let subs = [sub_6(from, b"00D09E"), sub_6(from + 1, b"S1")];
        assert_eq!(read_17(&option_17(&subs)).gateway, Some(gateway("")));
    }
    let nameless = enterprise(ENTERPRISE, &sub(4, b"00D09E"));
    assert_eq!(read_125(&nameless).gateway, None, "a gateway has a serial number");
}

/// Conformance: 12.14
#[test]
fn the_box_says_who_it_is() {
    let device = DeviceId {
        manufacturer: "M".into(),
        oui: "00D09E".into(),
        product_class: "Box".into(),
        serial_number: "S2".into(),
    };
    let subs = [sub(1, b"00D09E"), sub(2, b"S2"), sub(3, b"Box")].concat();
    assert_eq!(identity_in_option_125(&device, Role::Device), enterprise(ENTERPRISE, &subs));
    let subs = [sub_6(11, b"00D09E"), sub_6(12, b"S2"), sub_6(13, b"Box")];
    assert_eq!(identity_in_option_17(&device, Role::Device), option_17(&subs));
    // What it tells as a gateway, a device of the home reads as that.
    let gateway = GatewayIdentity {
        manufacturer_oui: "00D09E".into(),
        serial_number: "S2".into(),
        product_class: "Box".into(),
    };
    let told = [
        read_125(&identity_in_option_125(&device, Role::Gateway)),
        read_17(&identity_in_option_17(&device, Role::Gateway)),
    ];
    assert_eq!(told.map(|told| told.gateway), [Some(gateway.clone()), Some(gateway)]);
    let long = DeviceId { serial_number: "é".repeat(200), product_class: "x".repeat(200), ..device };
    assert!(identity_in_option_125(&long, Role::Device).len() <= 255);
}

#[test]
fn hexadecimal_digits_are_read_as_clients_write_them() {
    let bytes = Ok(vec![1, 4, 0x61, 0xff]);
    for text in ["010461ff", "010461FF", " 010461ff\n", "1:4:61:ff", "01:04:61:FF"] {
        assert_eq!(from_hex(text), bytes, "{text}");
    }
    assert_eq!(from_hex(""), Ok(Vec::new()));
    for text in ["0", "0x01", "01 04", "+1", "1:", ":", "1:-2", "01:004", "é0", "$(reboot)"] {
        assert_eq!(from_hex(text), Err(HexError::Form), "{text}");
    }
    assert_eq!(from_hex(&"00".repeat(OPTION_BYTES + 1)), Err(HexError::TooLong));
    assert_eq!(from_hex(&"0".repeat(OPTION_BYTES * 4)), Err(HexError::TooLong));
}

proptest! {
    /// Conformance: 12.07
    #[test]
    fn whatever_comes_is_bounded_and_right(
        option_43: Option<Vec<u8>>,
        option_125: Option<Vec<u8>>,
        option_17: Vec<Vec<u8>>,
        asked in 0_u8..=255,
    ) {
        let requested = DhcpOption::numbered(asked);
        check(&Discovery::read(&DhcpAnswer { option_43, option_125, option_17, requested }));
    }

    /// Sub-options that are framed as they should be, with any values.
    #[test]
    fn whatever_values_come_are_bounded_and_right(
        values in proptest::collection::vec((0_u8..=20, proptest::collection::vec(any::<u8>(), 0..80)), 0..3),
    ) {
        let subs: Vec<u8> = values.iter().flat_map(|(number, value)| sub(*number, value)).collect();
        check(&read_43(&subs));
        check(&read_125(&enterprise(ENTERPRISE, &subs)));
        let subs: Vec<_> = values.iter().map(|(number, value)| sub_6((*number).into(), value)).collect();
        check(&read_17(&option_17(&subs)));
    }

    #[test]
    fn hexadecimal_digits_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let plain: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert_eq!(from_hex(&plain), Ok(bytes.clone()));
        let colons: Vec<_> = bytes.iter().map(|byte| format!("{byte:x}")).collect();
        if bytes.len() > 1 {
            prop_assert_eq!(from_hex(&colons.join(":")), Ok(bytes));
        }
    }

    #[test]
    fn any_text_is_read_without_harm(text in "\\PC*") {
        if let Ok(bytes) = from_hex(&text) {
            prop_assert!(bytes.len() <= OPTION_BYTES);
        }
    }
}

/// What holds of everything that is read.
fn check(discovery: &Discovery) {
    let plain = |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(char::is_control);
    assert!(discovery.url.as_ref().is_none_or(|url| HttpUrl::parse(url).is_ok()));
    assert!(discovery.provisioning_code.as_ref().is_none_or(|code| plain(code, PROVISIONING_CODE)));
    assert!(discovery.retry_minimum_wait_interval.is_none_or(|wait| (1..=65_535).contains(&wait)));
    assert!(discovery.retry_interval_multiplier.is_none_or(|by| (1000..=65_535).contains(&by)));
    if let Some(gateway) = &discovery.gateway {
        assert_eq!(gateway.manufacturer_oui.len(), 6);
        assert!(plain(&gateway.serial_number, IDENTITY) && plain(&gateway.product_class, IDENTITY));
    }
}
