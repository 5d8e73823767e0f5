//! The options of a DHCP server, and the digits in which a hook hands them over. What is used of them is right.
#![no_main]

use cwmp_core::{
    discovery::{DhcpAnswer, Discovery, IDENTITY, OPTION_BYTES, PROVISIONING_CODE, from_hex},
    url::HttpUrl,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let option = || Some(data.to_vec());
    for answer in [
        DhcpAnswer { option_43: option(), ..DhcpAnswer::default() },
        DhcpAnswer { option_125: option(), ..DhcpAnswer::default() },
        DhcpAnswer { option_17: vec![data.to_vec()], ..DhcpAnswer::default() },
    ] {
        check(&Discovery::read(&answer));
    }
    if let Ok(bytes) = from_hex(&String::from_utf8_lossy(data)) {
        assert!(bytes.len() <= OPTION_BYTES);
    }
    let digits: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(data.len() > OPTION_BYTES || from_hex(&digits).as_deref() == Ok(data));
});

fn check(discovery: &Discovery) {
    let plain = |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(char::is_control);
    assert!(discovery.url.as_ref().is_none_or(|url| HttpUrl::parse(url).is_ok()));
    assert!(discovery.provisioning_code.as_ref().is_none_or(|code| plain(code, PROVISIONING_CODE)));
    assert!(discovery.retry_minimum_wait_interval.is_none_or(|wait| (1..=65_535).contains(&wait)));
    assert!(discovery.retry_interval_multiplier.is_none_or(|by| (1000..=65_535).contains(&by)));
    if let Some(gateway) = &discovery.gateway {
        assert!(plain(&gateway.serial_number, IDENTITY) && plain(&gateway.product_class, IDENTITY));
    }
}
