//! The client that carries sessions to the ACS.

use std::{
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

use cwmp_core::{
    io::{AcsTarget, NetError, Reply},
    limits::{CONNECT_TIMEOUT_MS, REPLY_TIMEOUT_MS},
    settings::HttpCompression,
    time::Wall,
    url::{HttpUrl, Scheme},
};
use hyper::{
    HeaderMap, Request,
    header::{self, HeaderName, HeaderValue},
    http::uri::PathAndQuery,
};

use crate::{
    auth::Authenticator,
    body::{Outgoing, PostBody, Progress},
    compression::{self, Coding},
    connection::{Connection, ExchangeError, Origin, Received, place},
    cookie::CookieJar,
    limits,
};

const USER_AGENT: &str = concat!("cwmpd/", env!("CARGO_PKG_VERSION"));
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
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_millis(CONNECT_TIMEOUT_MS),
            reply_timeout: Duration::from_millis(REPLY_TIMEOUT_MS),
            reply_total: Duration::from_millis(limits::REPLY_TOTAL_MS),
            basic_without_tls: true,
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
}

struct Session {
    /// ManagementServer.URL, or where a redirect has led.
    url: HttpUrl,
    auth: Authenticator,
    connection: Option<Connection>,
    /// What was asked for by the target.
    asked: (HttpUrl, HttpCompression),
    /// How messages are compressed; `None` also for an ACS that refuses it.
    coding: Option<Coding>,
}

/// What a reply asks for.
enum Next {
    Done(Reply),
    Authenticate,
    Redirect(HttpUrl),
}

impl AcsClient {
    /// A client without a session.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        Self { config, session: None, jar: CookieJar::default(), refused: None }
    }

    /// Begins a session: connects to the ACS. A session that is still open is closed first. Cookies of the session before
    /// are only kept where the target says so.
    ///
    /// # Errors
    /// [`NetError::Resolve`] and [`NetError::Connect`], the latter also for an https URL.
    pub async fn open(&mut self, target: &AcsTarget) -> Result<(), NetError> {
        self.close();
        if !target.keep_cookies {
            self.jar.clear();
        }
        let asked = (target.url.clone(), target.compression);
        self.refused = self.refused.take().filter(|refused| *refused == asked);
        let connection = Connection::open(&target.url, &self.config).await?;
        self.session = Some(Session {
            url: target.url.clone(),
            auth: Authenticator::new(&target.username, &target.password.0),
            connection: Some(connection),
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
            Some(coding) => compression::compress(body, coding).await,
            None => body,
        };
        let (mut attempts, mut redirects) = (0, 0);
        loop {
            let received = self.exchange(&mut session, &body, coding).await?;
            match self.digest_reply(&mut session, received)? {
                Next::Done(reply) => {
                    if reply.status == 415 && coding.is_some() {
                        let place = place(&session.url);
                        tracing::warn!("{place} refuses compressed messages: the next session is without");
                        self.refused = Some(session.asked.clone());
                    }
                    self.session = Some(session);
                    return Ok(reply);
                }
                Next::Authenticate => {
                    attempts += 1;
                    if attempts > limits::AUTHENTICATION_ATTEMPTS {
                        return Err(NetError::Unauthorized);
                    }
                }
                Next::Redirect(url) => {
                    redirects += 1;
                    if redirects > limits::REDIRECTS {
                        return Err(NetError::Redirect(format!("more than {} in a row", limits::REDIRECTS)));
                    }
                    if Origin::of(&url) != Origin::of(&session.url) {
                        session.auth.forget_challenge();
                        attempts = 0;
                    }
                    session.url = url;
                }
            }
        }
    }

    /// Ends the session and closes its connection. Cookies stay for a session that continues an interrupted one.
    pub fn close(&mut self) {
        self.session = None;
    }

    /// The box's address and port on the session's present connection: what the ACS sees unless there is NAT.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        Some(self.session.as_ref()?.connection.as_ref()?.local)
    }

    /// Sends the message on the session's connection, or on a new one when that has ended.
    async fn exchange(
        &mut self,
        session: &mut Session,
        body: &PostBody,
        coding: Option<Coding>,
    ) -> Result<Received, NetError> {
        for _ in 0..limits::RECONNECTS {
            let mut connection = self.connection(session).await?;
            let request = self.request(session, body, coding, &connection.progress)?;
            match connection.exchange(request, &self.config).await {
                Ok(received) => {
                    // Seen here as well as by hyper, which would first send the rest of a request that was answered early.
                    if !says_close(&received.head.headers) {
                        session.connection = Some(connection);
                    }
                    return Ok(received);
                }
                Err(ExchangeError::NotSent) => {}
                Err(ExchangeError::Failed(error)) => return Err(error),
            }
        }
        Err(NetError::Broken(format!("{} closes every connection unasked", place(&session.url))))
    }

    /// Takes the connection out of the session: if it is not put back, the next message has a new one.
    async fn connection(&self, session: &mut Session) -> Result<Connection, NetError> {
        if let Some(mut kept) = session.connection.take() {
            if kept.origin == Origin::of(&session.url) && (!kept.used || kept.is_open().await) {
                return Ok(kept);
            }
        }
        session.auth.connection_changed().map_err(|error| NetError::Broken(error.to_string()))?;
        Connection::open(&session.url, &self.config).await
    }

    fn request(
        &self,
        session: &mut Session,
        body: &PostBody,
        coding: Option<Coding>,
        progress: &Rc<Progress>,
    ) -> Result<Request<Outgoing>, NetError> {
        let url = &session.url;
        let target = PathAndQuery::try_from(url.path_and_query.as_str())
            .map_err(|_| NetError::Connect(format!("{}: the path of the URL is malformed", place(url))))?;
        let mut request = Request::new(body.outgoing(progress));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = target.into();
        let headers = request.headers_mut();
        set(headers, header::HOST, url.authority().as_bytes())?;
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        if !matches!(body, PostBody::Empty) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
            headers.insert(HeaderName::from_static("soapaction"), HeaderValue::from_static(""));
        }
        if session.coding.is_some() {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(compression::ACCEPTED));
        }
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.length()));
        if let Some(cookies) = self.jar.header(url, Instant::now()) {
            set(headers, header::COOKIE, &cookies)?;
        }
        if let Some(value) = session.auth.authorization(&url.path_and_query) {
            // A username with a line break fits into no header.
            let mut value = HeaderValue::try_from(value.into_bytes()).map_err(|_| NetError::Unauthorized)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// Takes the cookies of a reply and finds out what it asks for.
    fn digest_reply(&mut self, session: &mut Session, received: Received) -> Result<Next, NetError> {
        let Received { head, body } = received;
        let headers = &head.headers;
        self.store_cookies(&session.url, headers);
        match head.status.as_u16() {
            401 => {
                let allowed = session.url.scheme == Scheme::Https || self.config.basic_without_tls;
                let challenges = headers.get_all(header::WWW_AUTHENTICATE).iter().map(HeaderValue::as_bytes);
                match session.auth.challenged(challenges, allowed) {
                    Ok(true) => Ok(Next::Authenticate),
                    Ok(false) => Err(NetError::Unauthorized),
                    Err(error) => Err(NetError::Broken(error.to_string())),
                }
            }
            301 | 302 | 307 | 308 => redirect(&session.url, headers).map(Next::Redirect),
            status => {
                // The page of a failure is of no use; it need not be decodable.
                let body =
                    if (200..300).contains(&status) { compression::decode(headers, body)? } else { body };
                Ok(Next::Done(Reply { status, retry_after: retry_after(headers), body }))
            }
        }
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

fn set(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) -> Result<(), NetError> {
    let broken = |_| NetError::Broken(format!("no {name} header can be made"));
    let value = HeaderValue::from_bytes(value).map_err(broken)?;
    headers.insert(name, value);
    Ok(())
}

fn redirect(from: &HttpUrl, headers: &HeaderMap) -> Result<HttpUrl, NetError> {
    let refused = |reason: &str| NetError::Redirect(format!("{}: {reason}", place(from)));
    let location = headers.get(header::LOCATION).ok_or_else(|| refused("there is no Location"))?;
    let location = location.to_str().map_err(|_| refused("the Location is no URL"))?;
    let to = from.join(location.trim()).map_err(|error| refused(&error.to_string()))?;
    if from.scheme == Scheme::Https && to.scheme == Scheme::Http {
        return Err(refused("it leads from https to http"));
    }
    Ok(to)
}

fn says_close(headers: &HeaderMap) -> bool {
    let options = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    options.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"))
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

    #[test]
    fn close_is_one_of_the_connection_options() {
        for (value, close) in
            [("close", true), ("Keep-Alive , CLOSE", true), ("keep-alive", false), ("closed", false)]
        {
            assert_eq!(says_close(&headers(header::CONNECTION, value)), close, "{value}");
        }
    }

    #[test]
    fn a_redirect_from_https_to_http_is_refused() {
        let from = HttpUrl::parse("https://acs/a").unwrap();
        let lead =
            |location| redirect(&from, &headers(header::LOCATION, location)).map(|url| url.to_string());
        assert_eq!(lead("/b").unwrap(), "https://acs/b");
        assert_eq!(lead("https://other:1/").unwrap(), "https://other:1/");
        for location in ["http://acs/a", "http://u:secret@acs/", "ftp://acs/"] {
            let error = lead(location).unwrap_err();
            assert!(matches!(&error, NetError::Redirect(text) if !text.contains("secret")), "{error}");
        }
        assert!(redirect(&from, &HeaderMap::new()).is_err());
    }
}
