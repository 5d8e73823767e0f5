//! Forwards Ethernet frames between two links. What is no ICMP echo passes at once (ARP, neighbour discovery).

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use nix::{
    ifaddrs::getifaddrs,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
    },
};

/// How long the relay sleeps at most before it looks whether it is to stop.
const NAP: Duration = Duration::from_millis(50);

/// What becomes of the reply to one echo request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// After how long each copy goes on; none: the reply is lost.
    pub(crate) copies: Vec<Duration>,
}

impl Verdict {
    pub(crate) fn after(milliseconds: u64) -> Self {
        Self { copies: vec![Duration::from_millis(milliseconds)] }
    }

    pub(crate) fn lost() -> Self {
        Self::default()
    }

    pub(crate) fn twice(first: u64, second: u64) -> Self {
        Self { copies: [first, second].map(Duration::from_millis).to_vec() }
    }
}

/// An echo request as it passed the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The upper six bits of Type of Service or Traffic Class.
    pub(crate) dscp: u8,
    /// Bytes behind the ICMP header; of the first fragment where there are several.
    pub(crate) data: usize,
    /// More fragments follow.
    pub(crate) fragmented: bool,
    /// Identifier and sequence number.
    key: (u16, u16),
}

/// The relay between two links.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    rules: Mutex<Rules>,
    stop: AtomicBool,
}

#[derive(Default)]
struct Rules {
    /// What becomes of the replies to the first request, the second and so on; the last one holds for all others.
    verdicts: Vec<Verdict>,
    seen: Vec<Seen>,
}

impl Relay {
    /// Forwards between two devices of the present namespace until it is dropped.
    pub(crate) fn start(near: &str, far: &str) -> Self {
        let [near, far] = [open(near), open(far)];
        let shared = Arc::new(Shared::default());
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || forward(&near, &far, &shared)
        });
        Self { shared, thread: Some(thread) }
    }

    /// What is to become of the replies from now on, one request after the other; the last one holds for the rest.
    pub(crate) fn answer(&self, verdicts: impl IntoIterator<Item = Verdict>) {
        let verdicts = verdicts.into_iter().collect();
        *self.shared.rules.lock().unwrap() = Rules { verdicts, seen: Vec::new() };
    }

    /// The echo requests that have passed since [`Relay::answer`].
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.rules.lock().unwrap().seen.clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A packet socket of a device: it gets all frames that arrive there, and sends frames as they are.
fn open(device: &str) -> OwnedFd {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap();
    let of_device = |address: nix::ifaddrs::InterfaceAddress| {
        (address.interface_name == device).then_some(address.address?.as_link_addr().copied()?)
    };
    let address: LinkAddr = getifaddrs().unwrap().find_map(of_device).unwrap();
    bind(socket.as_raw_fd(), &address).unwrap();
    socket
}

/// A frame that waits to go on to the near side; those of the same moment in the order of their arrival.
type Late = Reverse<(Instant, u64, Vec<u8>)>;

fn forward(near: &OwnedFd, far: &OwnedFd, shared: &Shared) {
    let mut waiting: BinaryHeap<Late> = BinaryHeap::new();
    let mut buffer = vec![0; 65536];
    let mut arrived = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let mut fds = [near, far].map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
        poll(&mut fds, PollTimeout::try_from(nap(&waiting)).unwrap()).unwrap();
        while let Ok(length) = recv(near.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            let frame = &buffer[..length];
            if let Some((Direction::Request, seen)) = echo(frame) {
                shared.rules.lock().unwrap().seen.push(seen);
            }
            pass(far, frame);
        }
        while let Ok(length) = recv(far.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            let frame = &buffer[..length];
            let verdict = match echo(frame) {
                Some((Direction::Reply, reply)) => shared.rules.lock().unwrap().verdict(&reply),
                _ => Verdict::after(0),
            };
            for copy in verdict.copies {
                arrived += 1;
                waiting.push(Reverse((Instant::now() + copy, arrived, frame.to_vec())));
            }
        }
        while waiting.peek().is_some_and(|Reverse((due, ..))| *due <= Instant::now()) {
            if let Some(Reverse((.., frame))) = waiting.pop() {
                pass(near, &frame);
            }
        }
    }
}

/// The time until the next frame is due. The last two milliseconds are spent looking, so that it does not go on late.
fn nap(waiting: &BinaryHeap<Late>) -> Duration {
    let due = waiting.peek().map(|Reverse((due, ..))| due.saturating_duration_since(Instant::now()));
    due.map_or(NAP, |left| left.saturating_sub(Duration::from_millis(2)).min(NAP))
}

/// A link that is going down takes no frames; the test sees that they are missing.
fn pass(to: &OwnedFd, frame: &[u8]) {
    let _ = send(to.as_raw_fd(), frame, MsgFlags::empty());
}

impl Rules {
    fn verdict(&self, reply: &Seen) -> Verdict {
        let place = self.seen.iter().position(|request| request.key == reply.key);
        let verdict = place.and_then(|place| self.verdicts.get(place)).or(self.verdicts.last());
        verdict.cloned().unwrap_or_else(|| Verdict::after(0))
    }
}

enum Direction {
    Request,
    Reply,
}

/// Reads a frame of ICMP echo; `None` for all else, and for fragments but the first.
fn echo(frame: &[u8]) -> Option<(Direction, Seen)> {
    let byte = |at: usize| frame.get(at).copied();
    let word = |at: usize| Some(u16::from_be_bytes([byte(at)?, byte(at + 1)?]));
    let (field, icmp, length, fragmented) = match word(12)? {
        0x0800 if byte(23)? == 1 && word(20)? & 0x1fff == 0 => {
            let header = usize::from(byte(14)? & 0x0f) * 4;
            (byte(15)?, 14 + header, usize::from(word(16)?) - header, word(20)? & 0x2000 != 0)
        }
        0x86dd if byte(20)? == 58 => (traffic_class(frame)?, 54, usize::from(word(18)?), false),
        0x86dd if byte(20)? == 44 && byte(54)? == 58 && word(56)? & 0xfff8 == 0 => {
            (traffic_class(frame)?, 62, usize::from(word(18)?) - 8, true)
        }
        _ => return None,
    };
    let direction = match byte(icmp)? {
        8 | 128 => Direction::Request,
        0 | 129 => Direction::Reply,
        _ => return None,
    };
    let key = (word(icmp + 4)?, word(icmp + 6)?);
    Some((direction, Seen { dscp: field >> 2, data: length - 8, fragmented, key }))
}

fn traffic_class(frame: &[u8]) -> Option<u8> {
    Some(frame.get(14)? << 4 | frame.get(15)? >> 4)
}
