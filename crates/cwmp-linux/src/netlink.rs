//! Netlink (RFC 3549, netlink(7)): messages of the kernel as bytes, read without trust in any length.
//!
//! This is a reader of our own: of the crates that are kept for it, one adds 120 KB to the stripped program and the other
//! 510 KB, for tables of all that the kernel can say. What is needed of it here is four dumps and thirty attributes.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::{
        socket::{
            self, AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, setsockopt, sockopt,
        },
        time::{TimeVal, TimeValLike},
    },
};

/// Longest datagram of a dump; the kernel makes none above 32 KB.
const DATAGRAM_BYTES: usize = 64 * 1024;
/// Most datagrams of one dump; the rest of it is not read.
const DATAGRAMS: usize = 1024;
/// Most messages kept of one dump; the rest of it is not read.
pub const MESSAGES: usize = 16 * 1024;
/// How often a dump is tried when the kernel says that something changed under way; the last try counts as it is.
const TRIES: u32 = 3;
/// The kernel answers a dump at once; this is for one that does not, in seconds.
const PATIENCE: i64 = 5;
/// The kernel was built without, or knows of none.
const NONE: [Errno; 3] = [Errno::EOPNOTSUPP, Errno::ENOENT, Errno::ENODEV];
/// nlmsghdr.
const HEADER: usize = 16;

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;

/// A question to the kernel.
pub struct Request<'a> {
    /// Who answers: rtnetlink or generic netlink.
    pub protocol: SockProtocol,
    /// Number of the request, or of the family of generic netlink.
    pub kind: u16,
    /// Whether a list is asked for, and not a single answer.
    pub list: bool,
    /// The fixed part of the message, and attributes.
    pub payload: &'a [u8],
}

/// Opens a socket for messages of the kernel, and of nobody else.
pub fn open(protocol: SockProtocol, flags: SockFlag, groups: u32) -> io::Result<OwnedFd> {
    let kind = SockType::Raw;
    let flags = SockFlag::SOCK_CLOEXEC | flags;
    let fd = socket::socket(AddressFamily::Netlink, kind, flags, protocol)?;
    socket::bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    // Who is connected to the kernel gets nothing from other processes.
    socket::connect(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    Ok(fd)
}

/// Asks rtnetlink for everything of one kind (`RTM_GET...`, with the fixed part of the message) and keeps what `parse`
/// makes of each answer. What this kernel was built without is empty.
///
/// # Errors
/// A sentence that names what was asked.
pub fn dump<T>(
    what: &str,
    request: u16,
    fixed: &[u8],
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Result<Vec<T>, String> {
    let protocol = SockProtocol::NetlinkRoute;
    ask(what, &Request { protocol, kind: request, list: true, payload: fixed }, parse)
}

/// The same of any kind. What there is none of is empty, too.
pub fn ask<T>(
    what: &str,
    request: &Request<'_>,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Result<Vec<T>, String> {
    let error = |error: io::Error| format!("the kernel does not list its {what} (netlink): {error}");
    let mut buffer = vec![0; DATAGRAM_BYTES];
    for last in (1..=TRIES).map(|n| n == TRIES) {
        let mut found = Vec::new();
        let consistent = ask_once(request, &mut buffer, |payload| {
            found.extend(parse(payload));
            request.list && found.len() < MESSAGES
        });
        match consistent {
            Err(odd) if NONE.iter().any(|none| odd.raw_os_error() == Some(*none as i32)) => {
                return Ok(Vec::new());
            }
            Err(other) => return Err(error(other)),
            Ok(consistent) if consistent || last => return Ok(found),
            Ok(_) => {}
        }
    }
    Ok(Vec::new())
}

/// One try; `false` when the kernel says that its lists changed while it was reading them.
fn ask_once(
    request: &Request<'_>,
    buffer: &mut [u8],
    mut each: impl FnMut(&[u8]) -> bool,
) -> io::Result<bool> {
    let fd = open(request.protocol, SockFlag::empty(), 0)?;
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::seconds(PATIENCE))?;
    socket::send(fd.as_raw_fd(), &question(request), MsgFlags::empty())?;
    let mut consistent = true;
    for _ in 0..DATAGRAMS {
        let length = loop {
            match socket::recv(fd.as_raw_fd(), buffer, MsgFlags::MSG_TRUNC) {
                Err(Errno::EINTR) => {}
                other => break other?,
            }
        };
        let datagram = buffer.get(..length).ok_or_else(|| io::Error::other("an answer is too long"))?;
        for message in Messages(datagram) {
            consistent &= message.flags & NLM_F_DUMP_INTR == 0;
            match message.kind {
                // The end of a dump that broke off holds why.
                NLMSG_DONE if i32_at(message.payload, 0).unwrap_or(0) >= 0 => return Ok(consistent),
                NLMSG_ERROR | NLMSG_DONE => {
                    let code = i32_at(message.payload, 0).unwrap_or(0).saturating_neg();
                    return Err(io::Error::from_raw_os_error(code));
                }
                NLMSG_OVERRUN => return Err(io::Error::other("an answer was lost")),
                _ if !each(message.payload) => return Ok(consistent),
                _ => {}
            }
        }
    }
    Ok(consistent)
}

fn question(request: &Request<'_>) -> Vec<u8> {
    let length = HEADER + request.payload.len();
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
    bytes.extend(request.kind.to_ne_bytes());
    let flags = if request.list { NLM_F_REQUEST | NLM_F_DUMP } else { NLM_F_REQUEST };
    bytes.extend(flags.to_ne_bytes());
    // Sequence number and port: each dump has a socket of its own, so there is nothing to tell apart.
    bytes.extend([0; 8]);
    bytes.extend(request.payload);
    bytes
}

/// An attribute of a request.
pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(value.len() + 4).unwrap_or(u16::MAX).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(aligned(bytes.len()), 0);
    bytes
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    payload: &'a [u8],
}

/// The messages of a datagram; it ends at the first that does not fit.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = usize::try_from(u32_at(self.0, 0)?).ok()?;
        let message = self.0.get(..length)?;
        let (kind, flags) = (u16_at(message, 4)?, u16_at(message, 6)?);
        let payload = message.get(HEADER..)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some(Message { kind, flags, payload })
    }
}

/// Type and value of each attribute; it ends at the first that does not fit.
pub struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// Those after the fixed part of a message.
    pub fn after(message: &'a [u8], fixed: usize) -> Self {
        Self(message.get(aligned(fixed)..).unwrap_or_default())
    }

    /// Those in the value of another attribute.
    pub fn within(value: &'a [u8]) -> Self {
        Self(value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        /// The two bits above say that the value is nested, or in network order.
        const TYPE: u16 = 0x3fff;
        let length = usize::from(u16_at(self.0, 0)?);
        let attribute = self.0.get(..length)?;
        let kind = u16_at(attribute, 2)? & TYPE;
        let value = attribute.get(4..)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// Netlink fills everything up to four bytes.
pub const fn aligned(length: usize) -> usize {
    (length + 3) & !3
}

/// One byte at this place, in the order of the machine.
#[must_use]
pub fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// 2 bytes at this place, in the order of the machine.
#[must_use]
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

/// 4 bytes at this place, in the order of the machine.
#[must_use]
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

/// 4 bytes at this place, in the order of the machine.
#[must_use]
pub fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk().copied().map(i32::from_ne_bytes)
}

/// 8 bytes at this place, in the order of the machine.
#[must_use]
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_ne_bytes)
}

/// A text that ends with a zero.
pub fn text(value: &[u8]) -> Option<String> {
    let bytes = value.split(|byte| *byte == 0).next()?;
    String::from_utf8(bytes.to_vec()).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_one_after_the_other() {
        let mut bytes = attribute(3, b"eth0\0");
        bytes.extend(attribute(4 | 0x8000, &1500_u32.to_ne_bytes()));
        let found: Vec<_> = Attributes::within(&bytes).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].0, text(found[0].1).as_deref()), (3, Some("eth0")));
        assert_eq!((found[1].0, u32_at(found[1].1, 0)), (4, Some(1500)));
    }

    #[test]
    fn odd_lengths_end_the_reading() {
        let whole = attribute(3, b"eth0\0");
        for end in 0..whole.len() - 3 {
            assert_eq!(Attributes::within(&whole[..end]).count(), 0, "{end}");
        }
        for length in [0_u16, 1, 3, 200] {
            let mut odd = length.to_ne_bytes().to_vec();
            odd.extend([3, 0, 1, 2]);
            assert_eq!(Attributes::within(&odd).count(), 0, "{length}");
        }
        let protocol = SockProtocol::NetlinkRoute;
        let mut bytes = question(&Request { protocol, kind: 18, list: true, payload: &[0; 16] });
        assert_eq!(Messages(&bytes).count(), 1);
        bytes[0] = 15;
        assert_eq!(Messages(&bytes).count(), 0);
        bytes[0] = 0;
        assert_eq!(Messages(&bytes).count(), 0);
        assert_eq!(Messages(&bytes[..3]).count(), 0);
    }

    #[test]
    fn a_refusal_of_the_kernel_says_what_was_asked_for() {
        // RTM_GETSTATS with too short a fixed part.
        let refused = dump("statistics", 94, &[0; 4], |_| Some(())).unwrap_err();
        assert!(
            refused.starts_with("the kernel does not list its statistics (netlink): Invalid"),
            "{refused}"
        );
        // What it does not know at all.
        assert_eq!(dump("unicorns", 0x7ffe, &[0; 16], |_| Some(())), Ok(Vec::new()));
    }
}
