//! Tells systemd that the program is ready, and that its loops run (sd_notify(3): datagrams to `$NOTIFY_SOCKET`).

use std::{
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

/// Shortest time between two signs of life: a shorter one would only burn time.
const SHORTEST: Duration = Duration::from_millis(100);

/// Where an init system wants to hear from the program.
pub(crate) struct Notifier {
    socket: UnixDatagram,
    /// How often it wants a sign of life; `None` for never.
    pub(crate) every: Option<Duration>,
}

impl Notifier {
    /// What the environment asks for, if anything. What is wrong with it is logged.
    pub(crate) fn of_environment() -> Option<Self> {
        let variable = |name| std::env::var(name).ok();
        let socket = variable("NOTIFY_SOCKET")?;
        let ours = variable("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let every = variable("WATCHDOG_USEC").filter(|_| ours).and_then(|text| text.parse().ok());
        Self::new(&socket, every.map(Duration::from_micros))
            .map_err(|error| tracing::warn!("NOTIFY_SOCKET {socket}: {error}"))
            .ok()
    }

    /// A socket by its path, or by its name in the abstract namespace after `@`; `limit` is the time after which the program
    /// counts as hanging.
    pub(crate) fn new(address: &str, limit: Option<Duration>) -> io::Result<Self> {
        let address = match address.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A sign of life is not worth waiting for.
        socket.set_nonblocking(true)?;
        // Twice in the time, so that one may be late.
        Ok(Self { socket, every: limit.map(|limit| (limit / 2).max(SHORTEST)) })
    }

    /// Sends `READY=1`, `WATCHDOG=1` or `STOPPING=1`.
    pub(crate) fn say(&self, what: &str) {
        if let Err(error) = self.socket.send(what.as_bytes()) {
            tracing::debug!("NOTIFY_SOCKET: {what}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 64];
        let count = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    #[test]
    fn sockets_are_found_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("cwmpd-test-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, address) in [
            (UnixDatagram::bind(&path).unwrap(), path.display().to_string()),
            (UnixDatagram::bind_addr(&abstract_address).unwrap(), format!("@{name}")),
        ] {
            let notifier = Notifier::new(&address, Some(Duration::from_secs(60))).unwrap();
            assert_eq!(notifier.every, Some(Duration::from_secs(30)));
            notifier.say("READY=1");
            assert_eq!(heard(&socket), "READY=1");
        }
        assert!(Notifier::new("/no/such/socket", None).is_err());
        assert!(Notifier::new("", None).is_err());
    }
}
