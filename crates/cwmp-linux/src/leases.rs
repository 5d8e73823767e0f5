//! What the DHCP servers of the box have written down about hosts: the lease files of dnsmasq and odhcpd.

use std::{collections::BTreeMap, net::IpAddr};

use crate::files::{Root, clean, read_start};

/// Lease files of dnsmasq.
const DNSMASQ: [&str; 4] = [
    "tmp/dhcp.leases",
    "var/lib/misc/dnsmasq.leases",
    "var/lib/dnsmasq/dnsmasq.leases",
    "var/db/dnsmasq.leases",
];
/// State files of odhcpd.
const ODHCPD: [&str; 2] = ["tmp/hosts/odhcpd", "tmp/odhcpd.leases"];
/// Most bytes read of a lease file.
const LEASE_BYTES: u64 = 256 * 1024;
/// Most leases.
const LEASES: usize = 1024;
/// Longest HostName of the model, in characters.
const HOST_NAME: usize = 64;

/// An address that was given to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// In lower case, with colons.
    pub mac: String,
    /// What it was given.
    pub address: IpAddr,
    /// The name that it told.
    pub host_name: Option<String>,
    /// Seconds since the epoch; `None` for ever.
    pub expires: Option<i64>,
    /// Hexadecimal digits in upper case.
    pub client_id: Option<String>,
}

/// All leases, a row an address; the first file that names an address counts.
pub fn read(root: &Root) -> Vec<Lease> {
    let mut leases: BTreeMap<IpAddr, Lease> = BTreeMap::new();
    let text = |path: &str| {
        let bytes = read_start(&root.path(path), LEASE_BYTES).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let dnsmasq = DNSMASQ.iter().filter_map(|path| text(path)).map(|text| lines(&text, dnsmasq));
    let odhcpd = ODHCPD.iter().filter_map(|path| text(path)).map(|text| lines(&text, odhcpd));
    for lease in dnsmasq.chain(odhcpd).flatten() {
        if leases.len() < LEASES {
            leases.entry(lease.address).or_insert(lease);
        }
    }
    leases.into_values().collect()
}

fn lines(text: &str, line: fn(&str) -> Option<Lease>) -> Vec<Lease> {
    text.lines().filter_map(line).take(LEASES).collect()
}

/// `expiry mac address name client-id`. DHCPv6 leases have an IAID in place of the MAC and are known by their DUID, which
/// names the host only where it holds the MAC.
fn dnsmasq(line: &str) -> Option<Lease> {
    let mut words = line.split_ascii_whitespace();
    let (expiry, mac, address, name, client) =
        (words.next()?, words.next()?, words.next()?, words.next()?, words.next());
    let expiry: i64 = expiry.parse().ok()?;
    let address: IpAddr = address.parse().ok()?;
    let client = client.filter(|client| *client != "*");
    let mac = match address {
        // Another hardware type than Ethernet stands before the address, as in `06-`.
        IpAddr::V4(_) => mac_of(mac, ':')?,
        IpAddr::V6(_) => mac_of_duid(&hexadecimal(client?, ':')?)?,
    };
    let client_id = client.filter(|_| address.is_ipv4()).and_then(|client| hexadecimal(client, ':'));
    Some(Lease {
        mac,
        address,
        host_name: host_name(name, "*"),
        expires: (expiry != 0).then_some(expiry),
        client_id,
    })
}

/// `# device duid iaid name valid-until assigned length address/length ...`; a DHCPv4 lease has `ipv4` as its IAID and
/// the MAC in place of the DUID. Valid-until is -1 for ever. Of several addresses the first is taken.
fn odhcpd(line: &str) -> Option<Lease> {
    let mut words = line.strip_prefix("# ")?.split_ascii_whitespace().skip(1);
    let (duid, iaid, name, valid) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let address = words.nth(2)?.split('/').next()?.parse().ok()?;
    let valid: i64 = valid.parse().ok()?;
    let digits = duid.to_ascii_uppercase();
    let mac = if iaid == "ipv4" { mac_of_digits(&digits)? } else { mac_of_duid(&digits)? };
    let expires = (valid >= 0).then_some(valid);
    Some(Lease { mac, address, host_name: host_name(name, "-"), expires, client_id: None })
}

/// A name, unless it is what stands for none.
fn host_name(name: &str, none: &str) -> Option<String> {
    let name = clean(name, HOST_NAME);
    (name != none && !name.is_empty()).then_some(name)
}

fn mac_of(text: &str, separator: char) -> Option<String> {
    let parts: Vec<&str> = text.split(separator).collect();
    let is_byte = |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    (parts.len() == 6 && parts.iter().all(is_byte)).then(|| parts.join(":").to_ascii_lowercase())
}

fn mac_of_digits(digits: &str) -> Option<String> {
    let bytes: Vec<&[u8]> = digits.as_bytes().chunks(2).collect();
    let parts: Option<Vec<&str>> = bytes.iter().map(|byte| std::str::from_utf8(byte).ok()).collect();
    mac_of(&parts?.join(":"), ':')
}

/// The MAC in a DUID in hexadecimal digits (RFC 8415, 11): type 1 with time, type 3 without, both of hardware type 1. In lower
/// case, with colons; `None` for what has none.
#[must_use]
pub fn mac_of_duid(digits: &str) -> Option<String> {
    let rest = digits.strip_prefix("00030001").or_else(|| digits.strip_prefix("00010001")?.get(8..))?;
    mac_of_digits(rest)
}

/// `01:02:aB` as `0102AB`.
fn hexadecimal(text: &str, separator: char) -> Option<String> {
    let is_byte = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split(separator).all(is_byte).then(|| text.replace(separator, "").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeRoot;

    #[test]
    fn leases_of_both_servers_are_read() {
        let root = FakeRoot::new();
        root.file(
            "var/lib/misc/dnsmasq.leases",
            "1893456000 AA:bb:cc:00:00:01 192.168.1.10 laptop 01:aa:bb:cc:00:00:01\n\
             0 aa:bb:cc:00:00:02 192.168.1.11 * *\n\
             duid 00:01:00:01:2b:00:00:00:02:00:00:00:00:01\n\
             1893456000 8 2001:db8::10 laptop 00:01:00:01:2b:00:00:00:aa:bb:cc:00:00:01\n",
        );
        root.file(
            "tmp/hosts/odhcpd",
            "# br-lan 0003000166778899aabb 1234abcd printer 1893456000 a1 128 2001:db8::a1/128\n\
             # br-lan 66778899aabb ipv4 printer -1 c0 32 192.168.1.12/32\n2001:db8::a1 printer\n",
        );
        let leases: Vec<String> = read(&root.root())
            .into_iter()
            .map(|l| format!("{} {} {:?} {:?} {:?}", l.mac, l.address, l.host_name, l.expires, l.client_id))
            .collect();
        assert_eq!(
            leases,
            [
                "aa:bb:cc:00:00:01 192.168.1.10 Some(\"laptop\") Some(1893456000) Some(\"01AABBCC000001\")",
                "aa:bb:cc:00:00:02 192.168.1.11 None None None",
                "66:77:88:99:aa:bb 192.168.1.12 Some(\"printer\") None None",
                "aa:bb:cc:00:00:01 2001:db8::10 Some(\"laptop\") Some(1893456000) None",
                "66:77:88:99:aa:bb 2001:db8::a1 Some(\"printer\") Some(1893456000) None",
            ]
        );
    }

    #[test]
    fn odd_lines_are_passed_over() {
        for line in [
            "",
            "1893456000",
            "soon aa:bb:cc:00:00:01 192.168.1.10 laptop *",
            "1 aa:bb:cc:00:00 192.168.1.10 laptop *",
            "1 aa:bb:cc:00:00:0g 192.168.1.10 laptop *",
            "1 06-aa:bb:cc:00:00:01 192.168.1.10 laptop *",
            "1 aa:bb:cc:00:00:01 192.168.1.300 laptop *",
            "1 8 2001:db8::10 laptop 00:02:00:00:ab:11",
            "1 8 2001:db8::10 laptop *",
        ] {
            assert_eq!(dnsmasq(line), None, "{line}");
        }
        for line in
            ["", "#", "# br-lan", "# br-lan 0003000166778899aabb 12 - 5 a1 128", "# é é é é é é é é é"]
        {
            assert_eq!(odhcpd(line), None, "{line}");
        }
    }
}
