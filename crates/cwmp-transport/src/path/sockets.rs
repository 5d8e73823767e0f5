//! Sockets on one network device, in one network namespace.

use std::{
    fs::File,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
};

use nix::sched::{CloneFlags, setns};
use socket2::{Domain, Socket, Type};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, UdpSocket},
    sync::oneshot,
};

use crate::limits;

/// Where sockets are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets {
    /// Network device.
    pub(crate) interface: Option<String>,
    /// File of a network namespace.
    pub(crate) namespace: Option<PathBuf>,
}

impl Sockets {
    pub(crate) async fn connect(&self, peer: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::from_std_stream(self.make(peer, Type::STREAM).await?.into());
        socket.set_send_buffer_size(limits::SEND_BUFFER_BYTES)?;
        // A request is written in one go; waiting for more would only delay it.
        socket.set_nodelay(true)?;
        socket.connect(peer).await
    }

    pub(crate) async fn udp(&self, local: SocketAddr) -> io::Result<UdpSocket> {
        let socket = self.make(local, Type::DGRAM).await?;
        socket.bind(&local.into())?;
        UdpSocket::from_std(socket.into())
    }

    pub(crate) async fn listen(&self, local: SocketAddr) -> io::Result<TcpListener> {
        let socket = self.make(local, Type::STREAM).await?;
        // Connections of an earlier life that are not quite over must not stand in the way.
        socket.set_reuse_address(true)?;
        socket.bind(&local.into())?;
        socket.listen(limits::REQUEST_BACKLOG)?;
        TcpListener::from_std(socket.into())
    }

    /// A socket of this kind for the family of the address. A device or a namespace that is missing is
    /// [`io::ErrorKind::NotFound`].
    async fn make(&self, address: SocketAddr, kind: Type) -> io::Result<Socket> {
        let make = move || Socket::new(Domain::for_address(address), kind.nonblocking().cloexec(), None);
        let socket = match &self.namespace {
            None => make()?,
            Some(namespace) => inside(namespace.clone(), make).await?,
        };
        if let Some(name) = &self.interface {
            socket.bind_device(Some(name.as_bytes())).map_err(|error| {
                let is_missing = error.raw_os_error() == Some(nix::libc::ENODEV);
                let kind = if is_missing { io::ErrorKind::NotFound } else { error.kind() };
                io::Error::new(kind, format!("network device {name}: {error}"))
            })?;
        }
        Ok(socket)
    }
}

/// Does this inside a network namespace. A namespace is the thread's: one that has entered it must not serve for anything
/// else, and so ends.
async fn inside<T: Send + 'static>(
    namespace: PathBuf,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    let thread =
        thread::Builder::new().name("namespace".to_owned()).stack_size(limits::NAMESPACE_STACK_BYTES);
    thread.spawn(move || {
        // Nobody may wait for it any more.
        let _ = done.send(enter(&namespace).and_then(|()| work()));
    })?;
    result.await.unwrap_or_else(|_| Err(io::Error::other("the thread in the namespace has failed")))
}

/// Moves the present thread into the namespace.
fn enter(namespace: &Path) -> io::Result<()> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("network namespace {}: {error}", namespace.display()))
    };
    let file = File::open(namespace).map_err(named)?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|error| named(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[tokio::test]
    async fn a_device_or_a_namespace_that_is_missing_is_named() {
        let nowhere = Sockets { interface: Some("cwmpd-none".to_owned()), namespace: None };
        let error = nowhere.udp(any()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("network device cwmpd-none: "), "{error}");
        for (file, reason) in [("/run/netns/cwmpd-none", "No such file"), ("/dev/null", "Invalid argument")] {
            let nowhere = Sockets { interface: None, namespace: Some(file.into()) };
            let error = nowhere.listen(any()).await.unwrap_err().to_string();
            // Without privileges the second one is not even looked at.
            let allowed = error.contains(reason) || error.contains("not permitted");
            assert!(error.starts_with(&format!("network namespace {file}: ")) && allowed, "{error}");
        }
    }

    #[tokio::test]
    async fn a_socket_of_the_loopback_device_is_bound_to_it() {
        let there = Sockets { interface: Some("lo".to_owned()), namespace: None };
        let listener = there.listen(any()).await.unwrap();
        let stream = there.connect(listener.local_addr().unwrap()).await.unwrap();
        assert!(stream.nodelay().unwrap());
        let device = socket2::SockRef::from(&stream).device().unwrap();
        assert_eq!(device.as_deref(), Some(&b"lo"[..]));
        listener.accept().await.unwrap();
    }
}
