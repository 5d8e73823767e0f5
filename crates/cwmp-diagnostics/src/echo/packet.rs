//! Echo requests and replies as bytes (RFC 792, RFC 4443 4.1 and 4.2).

use super::IpVersion;

/// Bytes of the header: type, code, checksum, identifier, sequence number.
const HEADER: usize = 8;

/// An echo request, rewritten for each sequence number.
pub(super) struct Request {
    bytes: Vec<u8>,
    version: IpVersion,
    identifier: u16,
}

impl Request {
    pub(super) fn new(version: IpVersion, identifier: u16, data_block_size: u16) -> Self {
        let mut bytes = vec![0; HEADER];
        // The pattern of ping(8): each byte is its place.
        bytes.extend((0..=u8::MAX).cycle().take(data_block_size.into()));
        Self { bytes, version, identifier }
    }

    /// The packet with this sequence number.
    pub(super) fn with(&mut self, sequence: u16) -> &[u8] {
        let kind = match self.version {
            IpVersion::V4 => 8,
            IpVersion::V6 => 128,
        };
        let [id, seq] = [self.identifier.to_be_bytes(), sequence.to_be_bytes()];
        if let Some(header) = self.bytes.first_chunk_mut::<HEADER>() {
            *header = [kind, 0, 0, 0, id[0], id[1], seq[0], seq[1]];
        }
        // The kernel fills in that of ICMPv6, which needs the addresses.
        if self.version == IpVersion::V4 {
            let [high, low] = checksum(&self.bytes).to_be_bytes();
            if let [_, _, a, b, ..] = self.bytes.as_mut_slice() {
                (*a, *b) = (high, low);
            }
        }
        &self.bytes
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(u16::from_be_bytes([high, 0])),
        _ => 0,
    };
    // At most 32,772 words of 16 bits: the sum fits.
    let sum: u32 = bytes.chunks(2).map(word).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Identifier and sequence number of an echo reply; `None` for any other packet.
pub(super) fn reply(version: IpVersion, icmp: &[u8]) -> Option<(u16, u16)> {
    let kind = match version {
        IpVersion::V4 => 0,
        IpVersion::V6 => 129,
    };
    match *icmp {
        [k, 0, _, _, i, d, s, q, ..] if k == kind => {
            Some((u16::from_be_bytes([i, d]), u16::from_be_bytes([s, q])))
        }
        _ => None,
    }
}

/// What follows the IPv4 header, which raw sockets deliver.
pub(super) fn without_ipv4_header(packet: &[u8]) -> &[u8] {
    let length = packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    packet.get(length..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_header_checksum_and_data() {
        let mut request = Request::new(IpVersion::V4, 0x1234, 3);
        assert_eq!(request.with(1), [8, 0, 0xe3, 0xc9, 0x12, 0x34, 0, 1, 0, 1, 2]);
        for sequence in [0, 1, 2, u16::MAX] {
            assert_eq!(checksum(request.with(sequence)), 0, "{sequence}: the sum over all is right");
        }
        let mut request = Request::new(IpVersion::V6, 0x1234, 1);
        assert_eq!(request.with(2), [128, 0, 0, 0, 0x12, 0x34, 0, 2, 0]);
        assert_eq!(Request::new(IpVersion::V4, 0, u16::MAX).with(1).len(), 65543);
    }

    #[test]
    fn only_echo_replies_count() {
        let v4 = [0, 0, 9, 9, 0x12, 0x34, 0, 7, 1, 2];
        assert_eq!(reply(IpVersion::V4, &v4), Some((0x1234, 7)));
        assert_eq!(reply(IpVersion::V6, &v4), None);
        assert_eq!(reply(IpVersion::V6, &[129, 0, 9, 9, 0x12, 0x34, 0, 7]), Some((0x1234, 7)));
        assert_eq!(reply(IpVersion::V4, &[8, 0, 9, 9, 0x12, 0x34, 0, 7]), None, "a request");
        assert_eq!(reply(IpVersion::V4, &[3, 1, 9, 9, 0, 0, 0, 0, 69]), None, "unreachable");
        assert_eq!(reply(IpVersion::V4, &v4[..7]), None, "cut");
    }

    #[test]
    fn an_ipv4_header_has_the_length_that_it_says() {
        let packet = [&[0x46][..], &[0; 23], &[0, 0, 1]].concat();
        assert_eq!(without_ipv4_header(&packet), [0, 0, 1]);
        assert_eq!(without_ipv4_header(&packet[..10]), [0; 0]);
        assert_eq!(without_ipv4_header(&[]), [0; 0]);
    }
}
