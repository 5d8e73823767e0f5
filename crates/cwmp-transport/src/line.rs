//! Requests to one server after the other, as challenges and redirects lead, on connections that are kept while they last.
//!
//! What sessions with the ACS and file transfers have in common.

use std::{net::SocketAddr, rc::Rc};

use cwmp_core::{
    io::NetError,
    url::{HttpUrl, Scheme},
};
use hyper::{
    Method, Request,
    body::Incoming,
    header::{self, HeaderValue},
    http::response::Parts,
};

use crate::{
    auth::Authenticator,
    body::{Outgoing, Progress},
    connection::{Connection, ExchangeError, Origin},
    connector::{Connector, place},
    headers::{redirect, says_close},
    limits,
    patience::Waits,
};

/// How a line connects and waits.
#[derive(Clone, Debug)]
pub(crate) struct LineConfig {
    pub(crate) connector: Connector,
    pub(crate) waits: Waits,
    /// Whether Basic is answered over plain http.
    pub(crate) basic_without_tls: bool,
}

/// Makes the request for a URL, without credentials, with a body that counts in this progress.
pub(crate) type Make<'a> = &'a dyn Fn(&HttpUrl, &Rc<Progress>) -> Result<Request<Outgoing>, NetError>;

/// A server, who the client is there, and the connection to it.
pub(crate) struct Line {
    /// Where the next request goes: what was configured, or where a redirect has led.
    pub(crate) url: HttpUrl,
    method: Method,
    config: LineConfig,
    auth: Authenticator,
    connection: Option<Connection>,
    /// Challenges answered and redirects followed for the present message.
    attempts: u32,
    redirects: u32,
}

/// What a reply asks for.
pub(crate) enum Next {
    /// It is the answer.
    Done,
    /// The same request again, with credentials or elsewhere.
    Again,
}

impl Line {
    /// A line without a connection. Every request on it has this method.
    pub(crate) fn new(method: Method, url: HttpUrl, auth: Authenticator, config: LineConfig) -> Self {
        Self { url, method, config, auth, connection: None, attempts: 0, redirects: 0 }
    }

    /// Connects before the first request.
    pub(crate) async fn open(&mut self) -> Result<(), NetError> {
        self.connection = Some(Connection::open(&self.url, &self.config.connector).await?);
        Ok(())
    }

    /// Closes the connection; the next request has a new one.
    pub(crate) fn hang_up(&mut self) {
        self.connection = None;
    }

    /// The box's address and port on the present connection.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        Some(self.connection.as_ref()?.local)
    }

    /// Whether the server sees credentials.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.auth.is_challenged()
    }

    /// Whether the server has taken Basic credentials over TLS.
    pub(crate) fn is_basic_over_tls(&self) -> bool {
        self.url.scheme == Scheme::Https && self.auth.is_basic()
    }

    /// A new message: challenges and redirects are counted from here.
    pub(crate) fn begin(&mut self) {
        (self.attempts, self.redirects) = (0, 0);
    }

    /// Sends the request on the present connection, or on a new one when that has ended; `receive` takes the body of the
    /// reply.
    ///
    /// # Errors
    /// Those of the connection and of `receive`. A request that may have been seen by the server is not sent again.
    pub(crate) async fn exchange<T, E: From<NetError>>(
        &mut self,
        make: Make<'_>,
        receive: &mut impl AsyncFnMut(&Parts, Incoming, &Progress) -> Result<T, E>,
    ) -> Result<(Parts, T), E> {
        for _ in 0..limits::RECONNECTS {
            let mut connection = self.connection().await?;
            let mut request = make(&self.url, &connection.progress)?;
            if let Some(value) = self.auth.authorization(self.method.as_str(), &self.url.path_and_query) {
                // A username with a line break fits into no header.
                let value = HeaderValue::try_from(value.into_bytes());
                let mut value = value.map_err(|_| NetError::Unauthorized)?;
                value.set_sensitive(true);
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            match connection.exchange(request, &self.config.waits, receive).await {
                Ok((head, received)) => {
                    // Seen here as well as by hyper, which would first send the rest of a request that was answered early.
                    if !says_close(&head.headers) {
                        self.connection = Some(connection);
                    }
                    return Ok((head, received));
                }
                Err(ExchangeError::NotSent) => {}
                Err(ExchangeError::Failed(error)) => return Err(error),
            }
        }
        Err(NetError::Broken(format!("{} closes every connection unasked", place(&self.url))).into())
    }

    /// Takes the connection out: if it is not put back, the next request has a new one.
    async fn connection(&mut self) -> Result<Connection, NetError> {
        if let Some(mut kept) = self.connection.take() {
            if kept.origin == Origin::of(&self.url) && (!kept.used || kept.is_open().await) {
                return Ok(kept);
            }
        }
        self.auth.connection_changed().map_err(|error| NetError::Broken(error.to_string()))?;
        Connection::open(&self.url, &self.config.connector).await
    }

    /// Finds out what a reply asks for, and gets ready to do it.
    ///
    /// # Errors
    /// [`NetError::Unauthorized`] and [`NetError::Redirect`] where it leads no further.
    pub(crate) fn after(&mut self, head: &Parts) -> Result<Next, NetError> {
        match head.status.as_u16() {
            401 => {
                let allowed = self.url.scheme == Scheme::Https || self.config.basic_without_tls;
                let challenges = head.headers.get_all(header::WWW_AUTHENTICATE);
                let challenges = challenges.iter().map(HeaderValue::as_bytes);
                let again = self.auth.challenged(challenges, allowed);
                if !again.map_err(|error| NetError::Broken(error.to_string()))? {
                    return Err(NetError::Unauthorized);
                }
                self.attempts += 1;
                if self.attempts > limits::AUTHENTICATION_ATTEMPTS {
                    return Err(NetError::Unauthorized);
                }
            }
            // A GET may be sent elsewhere with 303 as well; for other methods it would become another request.
            301 | 302 | 307 | 308 => self.follow(head)?,
            303 if self.method == Method::GET => self.follow(head)?,
            _ => return Ok(Next::Done),
        }
        Ok(Next::Again)
    }

    fn follow(&mut self, head: &Parts) -> Result<(), NetError> {
        let url = redirect(&self.url, &head.headers)?;
        self.redirects += 1;
        if self.redirects > limits::REDIRECTS {
            return Err(NetError::Redirect(format!("more than {} in a row", limits::REDIRECTS)));
        }
        if Origin::of(&url) != Origin::of(&self.url) {
            self.auth.forget_challenge();
            self.attempts = 0;
        }
        self.url = url;
        Ok(())
    }
}
