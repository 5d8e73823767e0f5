//! A bus for tests: the broker of the crate `ubusd`, which is none of ours, on a thread of its own.

use std::{
    io::{self, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

/// A running broker; dropping it stops it, and every connection breaks.
pub struct TestBroker {
    stop: Arc<AtomicBool>,
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl TestBroker {
    /// Starts a broker on a socket; it serves when this returns.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn start(socket: &Path) -> io::Result<Self> {
        let config =
            ubusd::Config { socket_path: socket.to_string_lossy().into_owned(), ..Default::default() };
        let mut broker = ubusd::Broker::bind(config).map_err(io::Error::other)?;
        let (wake, woken) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        broker.set_wake_pipe(woken.into());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("ubusd".to_owned()).spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                if broker.poll_once(-1).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { stop, wake, thread: Some(thread) })
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = self.wake.write_all(&[0]);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
