//! The client that carries sessions to the ACS.

use std::{
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use cwmp_core::{
    io::{AcsTarget, NetError, Reply},
    limits::{CONNECT_TIMEOUT_MS, ENVELOPE_BYTES, REPLY_TIMEOUT_MS},
    settings::HttpCompression,
    time::Wall,
    url::HttpUrl,
};
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Method, Request,
    body::Incoming,
    header::{self, HeaderName, HeaderValue},
    http::response::Parts,
};

use crate::{
    auth::Authenticator,
    body::{Outgoing, PostBody, Progress},
    compression::{self, Coding},
    connection::broken,
    connector::{Connector, place},
    cookie::CookieJar,
    headers, limits,
    line::{Line, LineConfig, Next},
    path::ManagementPath,
    patience::Waits,
    tls::Tls,
};

const CONTENT_TYPE: &str = "text/xml; charset=\"utf-8\"";

/// Settings of the client that do not come from the data model.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Longest wait for a connection, over all addresses of the ACS.
    pub connect_timeout: Duration,
    /// Longest silence while a request is sent or a reply awaited (TR-069a6 3.4.2: at least 30 s).
    pub reply_timeout: Duration,
    /// Longest time for a reply that keeps coming, from the end of the request, on top of `reply_timeout`.
    pub reply_total: Duration,
    /// Whether Basic is answered over plain http, where everybody on the way can read the password.
    pub basic_without_tls: bool,
    /// For https; to be shared by all clients of the program.
    pub tls: Tls,
    /// Which way connections take; to be shared as well.
    pub path: ManagementPath,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_millis(CONNECT_TIMEOUT_MS),
            reply_timeout: Duration::from_millis(REPLY_TIMEOUT_MS),
            reply_total: Duration::from_millis(limits::REPLY_TOTAL_MS),
            basic_without_tls: true,
            tls: Tls::default(),
            path: ManagementPath::default(),
        }
    }
}

impl ClientConfig {
    fn line(&self) -> LineConfig {
        LineConfig {
            connector: Connector {
                connect_timeout: self.connect_timeout,
                tls: self.tls.clone(),
                path: self.path.clone(),
            },
            waits: Waits { silence: self.reply_timeout, total: self.reply_total },
            basic_without_tls: self.basic_without_tls,
        }
    }
}

/// Carries one session at a time: one connection, one request at a time (TR-069a6 3.4).
///
/// Authentication, redirects, cookies and the change to a new connection after the ACS has closed the old one happen in
/// here; the session sees posts and replies.
pub struct AcsClient {
    config: ClientConfig,
    session: Option<Session>,
    jar: CookieJar,
    /// The ACS that has refused a compressed message, and the setting that it was compressed with.
    refused: Option<(HttpUrl, HttpCompression)>,
    /// The ACS that has asked for Basic over TLS in the last session, and taken it: the next one begins with it
    /// (TR-069a6 3.4.4).
    basic: Option<HttpUrl>,
}

struct Session {
    line: Line,
    /// What was asked for by the target.
    asked: (HttpUrl, HttpCompression),
    /// How messages are compressed; `None` also for an ACS that refuses it.
    coding: Option<Coding>,
}

impl AcsClient {
    /// A client without a session.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        Self { config, session: None, jar: CookieJar::default(), refused: None, basic: None }
    }

    /// Begins a session: connects to the ACS. A session that is still open is closed first. Cookies of the session before
    /// are only kept where the target says so.
    ///
    /// # Errors
    /// [`NetError::Resolve`] and [`NetError::Connect`]; the latter also where https does not come about.
    pub async fn open(&mut self, target: &AcsTarget) -> Result<(), NetError> {
        self.close();
        if !target.keep_cookies {
            self.jar.clear();
        }
        let asked = (target.url.clone(), target.compression);
        self.refused = self.refused.take().filter(|refused| *refused == asked);
        let mut auth = Authenticator::new(&target.username, &target.password.0);
        if self.basic.take().is_some_and(|url| url == target.url) {
            auth.offer_basic();
        }
        let mut line = Line::new(Method::POST, target.url.clone(), auth, self.config.line());
        line.open().await?;
        self.session = Some(Session {
            line,
            coding: Coding::of(target.compression).filter(|_| self.refused.is_none()),
            asked,
        });
        Ok(())
    }

    /// Posts and awaits the reply: the first one that is neither a redirect nor a challenge, whatever its status.
    ///
    /// A message is compressed as the target says, until the ACS answers 415 to one: then no longer towards this ACS, until
    /// the target names another coding or the program starts again (TR-069a6 3.4.7). The reply 415 itself is handed out.
    ///
    /// After an error the session is over. When the future is dropped, its connection is closed.
    ///
    /// # Errors
    /// Any [`NetError`]. A connection that breaks before the reply is complete is [`NetError::Broken`]: a POST must not be
    /// repeated when the ACS may have seen it (RFC 9110 9.2.2).
    pub async fn post(&mut self, body: PostBody) -> Result<Reply, NetError> {
        let no_session = || NetError::Broken("there is no open session".into());
        let mut session = self.session.take().ok_or_else(no_session)?;
        let coding = session.coding.filter(|_| !matches!(body, PostBody::Empty));
        let body = match coding {
            Some(coding) => compression::compress(body, coding).await?,
            None => body,
        };
        session.line.begin();
        loop {
            let codings = (session.coding.is_some(), coding);
            let make = |url: &HttpUrl, progress: &Rc<Progress>| self.request(url, &body, codings, progress);
            let (head, received) = session.line.exchange(&make, &mut receive).await?;
            self.store_cookies(&session.line.url, &head.headers);
            if let Next::Again = session.line.after(&head)? {
                continue;
            }
            let status = head.status.as_u16();
            if status == 415 && coding.is_some() {
                let place = place(&session.line.url);
                tracing::warn!("{place} refuses compressed messages: the next session is without");
                self.refused = Some(session.asked.clone());
            }
            // The page of a failure is of no use; it need not be decodable.
            let decode = head.status.is_success();
            let body = if decode { compression::decode(&head.headers, received)? } else { received };
            // Where a redirect has led, nothing is given unasked.
            let basic = session.line.is_basic_over_tls() && session.line.url == session.asked.0;
            self.basic = basic.then(|| session.asked.0.clone());
            self.session = Some(session);
            return Ok(Reply { status, retry_after: retry_after(&head.headers), body });
        }
    }

    /// Ends the session and closes its connection. Cookies stay for a session that continues an interrupted one.
    pub fn close(&mut self) {
        self.session = None;
    }

    /// The box's address and port on the session's present connection: what the ACS sees unless there is NAT.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.session.as_ref()?.line.local_addr()
    }

    fn request(
        &self,
        url: &HttpUrl,
        body: &PostBody,
        (accepts, coding): (bool, Option<Coding>),
        progress: &Rc<Progress>,
    ) -> Result<Request<Outgoing>, NetError> {
        let mut request = headers::request(Method::POST, url, body.outgoing(progress))?;
        let headers = request.headers_mut();
        if !matches!(body, PostBody::Empty) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
            headers.insert(HeaderName::from_static("soapaction"), HeaderValue::from_static(""));
        }
        if accepts {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(compression::ACCEPTED));
        }
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.length()));
        if let Some(cookies) = self.jar.header(url, Instant::now()) {
            headers::set(headers, header::COOKIE, &cookies)?;
        }
        Ok(request)
    }

    fn store_cookies(&mut self, url: &HttpUrl, headers: &HeaderMap) {
        let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let system = Wall(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX));
        for cookie in headers.get_all(header::SET_COOKIE) {
            self.jar.store(url, cookie.as_bytes(), date, system, Instant::now());
        }
    }
}

/// Takes a reply as a whole.
async fn receive(_: &Parts, mut incoming: Incoming, progress: &Progress) -> Result<Vec<u8>, NetError> {
    let too_large = NetError::TooLarge(ENVELOPE_BYTES);
    // An announced length is only compared, never allocated.
    if hyper::body::Body::size_hint(&incoming).lower() > ENVELOPE_BYTES as u64 {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        progress.received.set(progress.received.get().wrapping_add(1));
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
        if body.len() + data.len() > ENVELOPE_BYTES {
            return Err(too_large);
        }
        body.extend_from_slice(&data);
    }
    Ok(body)
}

/// Seconds of Retry-After; its form as a date is not used, because the clock of a box may not be set.
fn retry_after(headers: &HeaderMap) -> Option<u32> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn retry_after_in_seconds_only() {
        let cases =
            [("120", Some(120)), ("99999999999", Some(u32::MAX)), ("-1", None), ("", None), ("+5", None)];
        for (text, seconds) in cases {
            assert_eq!(retry_after(&headers(header::RETRY_AFTER, text)), seconds, "{text}");
        }
        assert_eq!(retry_after(&headers(header::RETRY_AFTER, "Wed, 21 Oct 2015 07:28:00 GMT")), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
