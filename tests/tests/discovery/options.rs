//! DHCP options as the digits that a client hands over, written by hand.

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn subs(values: &[(u8, &str)]) -> Vec<u8> {
    let sub = |(number, value): &(u8, &str)| {
        [&[*number, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
    };
    values.iter().flat_map(sub).collect()
}

/// DHCPv4 Vendor Specific Information.
pub(crate) fn option_43(values: &[(u8, &str)]) -> String {
    hex(&subs(values))
}

/// DHCPv4 Vendor-Identifying Vendor-Specific Information of the Broadband Forum, after one of somebody else.
pub(crate) fn option_125(values: &[(u8, &str)]) -> String {
    let data = subs(values);
    hex(&[&[0, 0, 0x0d, 0xe9, u8::try_from(data.len()).unwrap()], &data[..]].concat())
}

/// DHCPv6 Vendor-specific Information of the Broadband Forum.
pub(crate) fn option_17(values: &[(u8, &str)]) -> String {
    let sub = |(number, value): &(u8, &str)| {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        [&[0, *number][..], &length, value.as_bytes()].concat()
    };
    hex(&[vec![0, 0, 0x0d, 0xe9], values.iter().flat_map(sub).collect()].concat())
}

/// What a gateway answers of itself (TR-069a6 Annex F).
pub(crate) fn gateway(oui: &str, serial_number: &str, product_class: &str) -> String {
    option_125(&[(4, oui), (5, serial_number), (6, product_class)])
}
