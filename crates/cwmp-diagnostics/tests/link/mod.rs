//! Two boxes with a relay between them, each in a network namespace of its own, made by threads of the test: `near` pings,
//! `far` answers, and the relay forwards frames between its two links, late, not at all or twice, as the test wants it.
//!
//! The namespaces have no names and end with their threads. Nothing leaves them.

mod relay;

use std::{
    fs,
    process::Command,
    sync::mpsc,
    thread::{self, JoinHandle},
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    unistd::{Pid, gettid},
};

pub(crate) use relay::{Relay, Verdict};

/// What a thread does in its namespace.
type Work = Box<dyn FnOnce() + Send>;

/// A thread with a network namespace of its own.
struct Space {
    thread: Option<JoinHandle<()>>,
    work: Option<mpsc::Sender<Work>>,
    id: Pid,
}

impl Space {
    fn new() -> Result<Self, Errno> {
        let (work, todo) = mpsc::channel::<Work>();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            tell.send(unshare(CloneFlags::CLONE_NEWNET).map(|()| gettid())).unwrap();
            for work in todo {
                work();
            }
        });
        let id = told.recv().unwrap()?;
        Ok(Self { thread: Some(thread), work: Some(work), id })
    }

    /// Does something in the namespace and waits for it. A panic there is one here.
    fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        let work = Box::new(move || drop(tell.send(work())));
        self.work.as_ref().unwrap().send(work).unwrap();
        told.recv().expect("what ran in the namespace has panicked")
    }

    /// `ip` with these words, in the namespace.
    fn ip(&self, words: &str) {
        let words = words.to_owned();
        self.run(move || {
            let output = Command::new("ip").args(words.split_whitespace()).output().unwrap();
            assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
        });
    }

    /// Writes below `/proc/sys/net/`, which shows each thread its own namespace.
    fn sysctl(&self, name: &'static str, value: &'static str) {
        self.run(move || fs::write(format!("/proc/sys/net/{name}"), value).unwrap());
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.work.take();
        // What a panicking thread had to say it has said.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Which sockets the near box may use for ICMP.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sockets {
    /// Ping sockets.
    Ping,
    /// Raw ones only, as a new namespace has it.
    Raw,
}

/// The two boxes and the relay.
pub(crate) struct Link {
    pub(crate) relay: Relay,
    near: Space,
    _far: Space,
    _middle: Space,
}

/// Addresses of the far box.
pub(crate) const FAR: &str = "192.0.2.2";
pub(crate) const FAR_V6: &str = "2001:db8::2";
/// Addresses of the near box.
pub(crate) const NEAR: &str = "192.0.2.1";
pub(crate) const NEAR_V6: &str = "2001:db8::1";
/// A second address of the near box, on a link that leads nowhere.
pub(crate) const OTHER: &str = "198.51.100.1";

impl Link {
    /// Builds all; `None`, with a line that says how to get there, where this machine does not let it. Under `CI=true` that
    /// is a failure.
    pub(crate) fn new(sockets: Sockets) -> Option<Self> {
        if Command::new("ip").arg("-V").output().is_err() {
            return skip("the program ip is missing: install iproute2");
        }
        let spaces = Space::new().and_then(|near| Ok((near, Space::new()?, Space::new()?)));
        let (near, far, middle) = match spaces {
            Ok(spaces) => spaces,
            Err(error) => return skip(&format!("no network namespaces ({error}): run the tests as root")),
        };
        // The relay's ends of the links say nothing of their own.
        middle.sysctl("ipv6/conf/default/disable_ipv6", "1");
        for (space, name) in [(&near, "near"), (&far, "far")] {
            middle.ip(&format!("link add {name} type veth peer name wan0 netns {}", space.id));
            middle.ip(&format!("link set {name} up"));
            space.ip("link set lo up");
            space.ip("link set wan0 up");
        }
        near.ip(&format!("address add {NEAR}/24 dev wan0"));
        near.ip(&format!("address add {NEAR_V6}/64 dev wan0 nodad"));
        far.ip(&format!("address add {FAR}/24 dev wan0"));
        far.ip(&format!("address add {FAR_V6}/64 dev wan0 nodad"));
        near.ip("link add idle0 type veth peer name idle1");
        near.ip("link set idle0 up");
        near.ip(&format!("address add {OTHER}/24 dev idle0"));
        if let Sockets::Ping = sockets {
            near.sysctl("ipv4/ping_group_range", "0 2147483647");
        }
        let relay = middle.run(|| Relay::start("near", "far"));
        Some(Self { relay, near, _far: far, _middle: middle })
    }

    /// Runs this on the near box, in a runtime of one thread.
    pub(crate) fn near<T, F>(&self, work: impl FnOnce() -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T>,
    {
        self.near.run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(work())
        })
    }

    /// Whether the near box gets ping sockets.
    pub(crate) fn has_ping_sockets(&self) -> bool {
        self.near.run(|| {
            use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
            let protocol = SockProtocol::Icmp;
            socket(AddressFamily::Inet, SockType::Datagram, SockFlag::empty(), protocol).is_ok()
        })
    }

    /// `ip` on the near box.
    pub(crate) fn ip_near(&self, words: &str) {
        self.near.ip(words);
    }
}

fn skip<T>(why: &str) -> Option<T> {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    eprintln!("skipped: {why}");
    None
}
