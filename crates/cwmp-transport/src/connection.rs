//! One connection and HTTP/1.1 on it.
//!
//! The connection is driven from inside the calls that use it instead of by a task of its own: nothing has to be spawned,
//! and nothing happens on it between two requests.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
};

use cwmp_core::{
    io::NetError,
    url::{HttpUrl, Scheme},
};
use hyper::{Request, body::Incoming, client::conn::http1, http::response::Parts};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep_until};

use crate::{
    body::{Outgoing, Progress},
    connector::{Connector, place},
    limits,
    patience::{Patience, Waits},
    stream::Stream,
};

type Driver = http1::Connection<TokioIo<Stream>, Outgoing>;

/// Where a connection leads: it serves all URLs that agree in these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    pub(crate) fn of(url: &HttpUrl) -> Self {
        Self { scheme: url.scheme, host: url.host.clone(), port: url.port }
    }
}

/// An open connection.
pub(crate) struct Connection {
    pub(crate) origin: Origin,
    pub(crate) local: SocketAddr,
    sender: http1::SendRequest<Outgoing>,
    /// `None` once the connection has ended.
    driver: Option<Pin<Box<Driver>>>,
    /// Whether a request was sent on it.
    pub(crate) used: bool,
    /// What the bodies of its requests count in. One for all of them: a request that was answered early may still be on
    /// its way when the next one waits.
    pub(crate) progress: Rc<Progress>,
}

/// Why an exchange failed.
pub(crate) enum ExchangeError<E> {
    /// The connection had ended before anything of the request was written: another one may carry it.
    NotSent,
    /// All else.
    Failed(E),
}

impl Connection {
    /// Connects to the URL's host.
    pub(crate) async fn open(url: &HttpUrl, connector: &Connector) -> Result<Self, NetError> {
        let stream = connector.connect(url).await?;
        let place = place(url);
        let failed = |error: &dyn std::fmt::Display| NetError::Connect(format!("{place} ({error})"));
        let local = stream.local_addr().map_err(|e| failed(&e))?;
        let mut builder = http1::Builder::new();
        builder.title_case_headers(true).max_buf_size(limits::REPLY_HEAD_BYTES);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
        Ok(Self {
            origin: Origin::of(url),
            local,
            sender,
            driver: Some(Box::pin(driver)),
            used: false,
            progress: Rc::default(),
        })
    }

    /// Whether the peer still holds the connection, as far as can be seen without sending.
    pub(crate) async fn is_open(&mut self) -> bool {
        // Lets the reactor see a FIN that has arrived since the last reply.
        tokio::task::yield_now().await;
        let driver = &mut self.driver;
        poll_fn(|cx| {
            if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
                *driver = None;
            }
            Poll::Ready(())
        })
        .await;
        self.driver.is_some() && !self.sender.is_closed()
    }

    /// Sends a request and lets `receive` take the body of the reply.
    pub(crate) async fn exchange<T, E: From<NetError>>(
        &mut self,
        request: Request<Outgoing>,
        waits: &Waits,
        receive: &mut impl AsyncFnMut(&Parts, Incoming, &Progress) -> Result<T, E>,
    ) -> Result<(Parts, T), ExchangeError<E>> {
        let Self { sender, driver, used, progress, .. } = self;
        *used = true;
        let talk = async {
            sender.ready().await.map_err(|_| ExchangeError::NotSent)?;
            let response = sender.send_request(request).await.map_err(|error| {
                if error.is_canceled() {
                    ExchangeError::NotSent
                } else {
                    ExchangeError::Failed(broken(&error).into())
                }
            })?;
            let (head, body) = response.into_parts();
            let received = receive(&head, body, progress).await.map_err(ExchangeError::Failed)?;
            Ok((head, received))
        };
        let mut talk = pin!(with_driver(driver, talk));
        let counts = || (progress.sent.get(), progress.received.get());
        let mut patience = Patience::new(waits, counts(), Instant::now());
        loop {
            tokio::select! {
                biased;
                outcome = &mut talk => return outcome,
                () = sleep_until(patience.next_look(Instant::now())) => {}
            }
            if patience.is_over(counts(), Instant::now()) {
                let seconds = u32::try_from(waits.silence.as_secs().max(1)).unwrap_or(u32::MAX);
                return Err(ExchangeError::Failed(NetError::Timeout(seconds).into()));
            }
        }
    }
}

/// Drives the connection while the future runs.
async fn with_driver<T>(driver: &mut Option<Pin<Box<Driver>>>, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
            *driver = None;
        }
        future.as_mut().poll(cx)
    })
    .await
}

/// The error with its causes. hyper's texts hold nothing of the messages.
pub(crate) fn broken(error: &hyper::Error) -> NetError {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    NetError::Broken(text)
}
