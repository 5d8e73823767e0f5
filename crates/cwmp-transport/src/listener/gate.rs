//! Who may ring: the decision on one request, without sockets.

use std::{
    io,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cwmp_core::{
    digest::{Algorithm, DigestAuthorization, DigestChallenge, constant_time_eq},
    io::Via,
    settings::Secret,
};
use hyper::{
    HeaderMap, Method, StatusCode, Uri,
    header::{self, HeaderName, HeaderValue},
};
use tokio::{
    sync::mpsc::{Sender, error::TrySendError},
    time::Instant,
};

use super::{
    AcceptHook, ListenerConfig,
    guesses::Guesses,
    nonce::{Nonces, Verdict},
    rate::Rate,
};
use crate::limits::{REQUEST_BURST, REQUEST_REFILL_MS};

/// The same on every box: it must not tell one from another.
const REALM: &str = "Connection Request";

/// What is answered; bodies are always empty.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    /// The sender knows the password and a session will follow.
    pub(super) accepted: bool,
}

impl From<StatusCode> for Answer {
    fn from(status: StatusCode) -> Self {
        Self { status, header: None, accepted: false }
    }
}

struct State {
    username: String,
    password: Secret,
    nonces: Nonces,
    /// Accepted requests.
    rate: Rate,
    /// Wrong passwords.
    guesses: Guesses,
}

/// Decides on requests.
pub(crate) struct Gate {
    path: String,
    sink: Sender<Via>,
    accept: AcceptHook,
    state: Mutex<State>,
    start: Instant,
}

impl Gate {
    /// # Errors
    /// When the system has no random source.
    pub(crate) fn new(config: ListenerConfig) -> io::Result<Self> {
        let ListenerConfig { path, username, password, sink, accept, .. } = config;
        let state = State {
            username,
            password,
            nonces: Nonces::new()?,
            rate: Rate::new(REQUEST_BURST, REQUEST_REFILL_MS),
            guesses: Guesses::default(),
        };
        Ok(Self { path, sink, accept, state: Mutex::new(state), start: Instant::now() })
    }

    /// From now on these are asked for. Nonces stay good, and the rate counts on.
    pub(super) fn set_credentials(&self, username: String, password: Secret) {
        let mut state = self.state();
        (state.username, state.password) = (username, password);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answer(&self, from: IpAddr, method: &Method, uri: &Uri, headers: &HeaderMap) -> Answer {
        // The path is half a secret, too.
        if !constant_time_eq(uri.path().as_bytes(), self.path.as_bytes()) {
            return StatusCode::NOT_FOUND.into();
        }
        if method != Method::GET {
            let header = Some((header::ALLOW, HeaderValue::from_static("GET")));
            return Answer { header, ..StatusCode::METHOD_NOT_ALLOWED.into() };
        }
        let mut state = self.state();
        let now_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        if !headers.contains_key(header::AUTHORIZATION) {
            return challenge(&state.nonces, now_ms, false);
        }
        if !state.guesses.allows(from, now_ms) {
            return StatusCode::SERVICE_UNAVAILABLE.into();
        }
        let verdict = state.verdict(uri, headers, now_ms);
        match verdict {
            None => state.guesses.failed(from, now_ms),
            Some(_) => state.guesses.proved(from),
        }
        if verdict != Some(Verdict::Good) {
            return challenge(&state.nonces, now_ms, verdict == Some(Verdict::Stale));
        }
        // Refusals carry no Retry-After (TR-069a6 3.2.2).
        if !(self.accept)() || !state.rate.take(now_ms) {
            return StatusCode::SERVICE_UNAVAILABLE.into();
        }
        match self.sink.try_send(Via::Http) {
            Ok(()) | Err(TrySendError::Full(_)) => Answer { accepted: true, ..StatusCode::OK.into() },
            Err(TrySendError::Closed(_)) => StatusCode::SERVICE_UNAVAILABLE.into(),
        }
    }
}

impl State {
    /// `None` when the request proves nothing; otherwise the password was known and the nonce decides.
    fn verdict(&mut self, uri: &Uri, headers: &HeaderMap, now_ms: u64) -> Option<Verdict> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let given = DigestAuthorization::parse(&String::from_utf8_lossy(value.as_bytes()))?;
        let target = uri.path_and_query().map(hyper::http::uri::PathAndQuery::as_str)?;
        // A request line with an absolute URL may be signed as it stands.
        let right_uri = given.uri == target || (uri.scheme().is_some() && given.uri == uri.to_string());
        let right_user = constant_time_eq(given.username.as_bytes(), self.username.as_bytes());
        let right_proof = given.verify("GET", &self.password.0);
        let known = right_uri
            && right_user
            && right_proof
            && given.realm == REALM
            && given.algorithm == Algorithm::Md5;
        // Only who knows the password can use up a nonce.
        known.then(|| self.nonces.check(&given.nonce, given.qop.as_ref().map(|qop| qop.nc), now_ms))
    }
}

fn challenge(nonces: &Nonces, now_ms: u64, stale: bool) -> Answer {
    let Ok(nonce) = nonces.issue(now_ms) else { return StatusCode::SERVICE_UNAVAILABLE.into() };
    let challenge = DigestChallenge {
        realm: REALM.into(),
        nonce,
        opaque: None,
        algorithm: Algorithm::Md5,
        qop_auth: true,
        stale,
    };
    let header =
        HeaderValue::try_from(challenge.to_string()).ok().map(|value| (header::WWW_AUTHENTICATE, value));
    Answer { header, ..StatusCode::UNAUTHORIZED.into() }
}
