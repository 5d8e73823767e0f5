//! Shared by the tests of the SOAP codec.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

pub(crate) mod sample;
pub(crate) mod strategy;

/// A CPE-bound envelope around the given Header content and Body content.
pub(crate) fn soap(header: &str, body: &str) -> Vec<u8> {
    let header = if header.is_empty() { String::new() } else { format!("<s:Header>{header}</s:Header>") };
    format!(
        r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:e="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:c="urn:dslforum-org:cwmp-1-2">{header}<s:Body>{body}</s:Body></s:Envelope>"#
    )
    .into_bytes()
}
