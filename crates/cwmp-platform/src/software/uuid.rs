//! UUIDs of deployment units that nobody has given one.

use sha1::{Digest, Sha1};

/// The name space of domain names (RFC 4122 Appendix C).
const DNS: [u8; 16] =
    [0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];

/// The UUID of a deployment unit, from its vendor and its name (TR-069a6 Annex H, RFC 4122 version 5): the same for all of its
/// versions and on all boxes.
#[must_use]
pub fn unit_uuid(vendor: &str, name: &str) -> String {
    text(named(named(DNS, vendor), name))
}

fn named(space: [u8; 16], name: &str) -> [u8; 16] {
    let mut hash = Sha1::new();
    hash.update(space);
    hash.update(name.as_bytes());
    let mut bytes = [0; 16];
    for (byte, of_hash) in bytes.iter_mut().zip(hash.finalize()) {
        *byte = of_hash;
    }
    // Version and variant (RFC 4122 4.1).
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = (*version & 0x0f) | 0x50;
    *variant = (*variant & 0x3f) | 0x80;
    bytes
}

fn text(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conformance: 11.07
    #[test]
    fn the_same_vendor_and_name_have_the_same_uuid() {
        // Python: uuid.uuid5(uuid.NAMESPACE_DNS, "python.org").
        assert_eq!(text(named(DNS, "python.org")), "886313e1-3b8a-5372-9b90-0c9aee199e5d");
        let uuid = unit_uuid("example.com", "counter");
        assert_eq!(uuid, unit_uuid("example.com", "counter"));
        assert!(cwmp_core::software::is_uuid(&uuid));
        assert_ne!(uuid, unit_uuid("example.com", "other"));
        assert_ne!(uuid, unit_uuid("example.org", "counter"));
    }
}
