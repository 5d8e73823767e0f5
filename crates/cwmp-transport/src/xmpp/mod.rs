//! Connection requests over XMPP (TR-069a6 Annex K): a client that holds one connection to a server and takes requests, and
//! nothing else, on it.
//!
//! The client is our own: what it needs of XMPP is small, and `tokio-xmpp` with `xmpp-parsers` is larger than the whole rest
//! of the agent's network side. It speaks TLS through [`crate::tls`] like all else here, so that nothing can switch
//! verification off; the name that must be in the certificate is Domain.

pub(crate) mod element;
pub(crate) mod frames;
mod login;
pub(crate) mod request;
mod scram;
mod servers;
mod wire;

#[cfg(test)]
mod tests;

use std::{rc::Rc, time::Duration};

use cwmp_core::{
    io::Via,
    settings::{XmppListening, XmppRetry, XmppSettings, XmppState, XmppStatus},
};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep, timeout},
};

use self::{
    login::{Reached, reach},
    request::{Gate, Verdict},
    wire::Wire,
};
use crate::{
    limits::{DATE_ATTEMPTS, XMPP_ANSWER_MS, XMPP_HANDSHAKE_MS, XMPP_KEEP_ALIVE_MS},
    path::ManagementPath,
    random,
    tls::Tls,
};

/// What the connection is made with, and whom it tells.
pub struct XmppConfig {
    /// The connection, and who may ring.
    pub listening: XmppListening,
    /// The way to the server. A proxy is for HTTP: it is not used.
    pub path: ManagementPath,
    /// How TLS is spoken.
    pub tls: Tls,
    /// Where accepted requests go, as [`Via::Xmpp`]; while it is full, requests are answered with `service-unavailable`.
    pub sink: mpsc::Sender<Via>,
    /// Notified when the network of the box has changed.
    pub network: Rc<Notify>,
    /// Hears how the connection is, whenever that changes.
    pub report: Box<dyn Fn(XmppState)>,
}

/// Why there is no connection.
#[derive(Debug)]
enum Trouble {
    /// No server answers.
    Unreachable(String),
    /// The server refuses the credentials, or is not the one that knows them.
    Authentication(String),
    /// A setting is missing or cannot be used.
    Misconfigured(String),
    /// All else.
    Broken(String),
}

impl Trouble {
    fn status(&self) -> (XmppStatus, &str) {
        match self {
            Self::Unreachable(reason) => (XmppStatus::ServerNotPresent, reason),
            Self::Authentication(reason) => (XmppStatus::AuthenticationFailure, reason),
            Self::Misconfigured(reason) => (XmppStatus::Misconfigured, reason),
            Self::Broken(reason) => (XmppStatus::Error, reason),
        }
    }
}

/// Holds a connection until it is dropped: makes it, takes requests, and makes it again when it is lost (TR-181
/// `Device.XMPP.Connection.{i}.`).
pub async fn run(config: &XmppConfig) {
    let settings = &config.listening.connection;
    let mut gate = Gate::new(config.listening.clone());
    let begun = Instant::now();
    // Failures since there was a connection, and those of one server.
    let (mut failures, mut of_server, mut server) = (0_u32, 0_u32, 0_usize);
    let report = |status| (config.report)(XmppState { status, ..XmppState::default() });
    report(XmppStatus::Connecting);
    loop {
        let trouble = match connect(config, settings, server).await {
            Ok((wire, jabber_id)) => {
                let tls = wire.is_secure();
                tracing::info!("connection requests are taken over XMPP as {jabber_id}");
                (config.report)(XmppState { status: XmppStatus::Enabled, jabber_id, tls });
                (failures, of_server, server) = (0, 0, 0);
                serve(config, wire, &mut gate, begun).await
            }
            Err(trouble) => trouble,
        };
        let (status, reason) = trouble.status();
        failures = failures.saturating_add(1);
        of_server = of_server.saturating_add(1);
        if of_server >= settings.retry.attempts.max(1) {
            (of_server, server) = (0, server.wrapping_add(1));
        }
        let (low, high) = waits_ms(settings.retry, failures);
        let wait = low.saturating_add(random::up_to(high.saturating_sub(low)));
        tracing::warn!("no connection requests over XMPP: {reason}; next try in {} s", wait / 1000);
        report(status);
        // Another network may have a way.
        timeout(Duration::from_millis(wait), config.network.notified()).await.ok();
        report(XmppStatus::Connecting);
    }
}

/// Shortest and longest wait before the `retry`th retry (1 is the first), in milliseconds: 0 to m, then
/// m * (k/1000)^(n-2) to m * (k/1000)^(n-1), never more than ServerRetryMaxInterval.
fn waits_ms(retry: XmppRetry, number: u32) -> (u64, u64) {
    let most = u64::from(retry.maximum.max(1)) * 1000;
    let grow = |ms: u64| (ms.saturating_mul(u64::from(retry.multiplier.max(1000))) / 1000).min(most);
    let (mut low, mut high) = (0, (u64::from(retry.initial.max(1)) * 1000).min(most));
    for _ in 1..number {
        (low, high) = (high, grow(high));
        if low == high {
            break;
        }
    }
    (low, high)
}

/// Makes a connection to the `number`th server and logs in.
async fn connect(
    config: &XmppConfig,
    settings: &XmppSettings,
    number: usize,
) -> Result<(Wire, String), Trouble> {
    if settings.username.is_empty() || settings.domain.is_empty() {
        return Err(Trouble::Misconfigured("Username and Domain must be set".to_owned()));
    }
    let servers = servers::targets(settings, &config.path).await?;
    let nobody = || Trouble::Unreachable("there is no server".to_owned());
    let (host, port) = servers.get(number % servers.len().max(1)).ok_or_else(nobody)?;
    let mut attempt = config.tls.begin().map_err(Trouble::Broken)?;
    for _ in 0..DATE_ATTEMPTS {
        let reached = reach(settings, &config.path, &config.tls, (host, *port), attempt);
        match timeout(Duration::from_millis(XMPP_HANDSHAKE_MS), reached).await {
            Ok(Ok(Reached::Bound(wire, jid))) => return Ok((wire, jid)),
            Ok(Ok(Reached::Later(next))) => attempt = next,
            Ok(Err(trouble)) => return Err(trouble),
            Err(_) => return Err(Trouble::Unreachable(format!("{host} does not answer"))),
        }
    }
    Err(Trouble::Broken("TLS: there is no date on which all certificates of the chain are valid".to_owned()))
}

/// Takes requests until the connection is lost.
async fn serve(config: &XmppConfig, mut wire: Wire, gate: &mut Gate, begun: Instant) -> Trouble {
    let keep_alive = match config.listening.connection.keep_alive {
        Some(0) => None,
        Some(seconds) => Some(Duration::from_secs(seconds.into())),
        None => Some(Duration::from_millis(XMPP_KEEP_ALIVE_MS)),
    };
    let mut pinged = false;
    loop {
        let quiet = match (pinged, keep_alive) {
            (true, _) => Duration::from_millis(XMPP_ANSWER_MS),
            (false, Some(interval)) => interval,
            (false, None) => Duration::MAX,
        };
        let outcome = tokio::select! {
            stanza = wire.stanza() => match stanza {
                Ok(stanza) => {
                    pinged = false;
                    let now = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                    answer(config, &mut wire, gate.judge(&stanza, &config.sink, now)).await
                }
                Err(trouble) => Err(trouble),
            },
            () = sleep(quiet) => {
                if pinged {
                    Err(Trouble::Broken("the server does not answer a ping".to_owned()))
                } else {
                    pinged = true;
                    wire.send("<iq type='get' id='ping'><ping xmlns='urn:xmpp:ping'/></iq>").await
                }
            }
            () = config.network.notified() => match wire.local_address() {
                Some(address) if !config.path.has_address(address).await => {
                    Err(Trouble::Broken(format!("the box no longer has the address {address}")))
                }
                _ => Ok(()),
            },
        };
        if let Err(trouble) = outcome {
            return trouble;
        }
    }
}

/// Answers first, then rings: the ACS hears of success before the session (TR-069a6 K.2.3).
async fn answer(config: &XmppConfig, wire: &mut Wire, verdict: Verdict) -> Result<(), Trouble> {
    match verdict {
        Verdict::Silence => Ok(()),
        Verdict::Answer(text) => wire.send(&text).await,
        Verdict::Ring(text) => {
            wire.send(&text).await?;
            // There was room when it was judged, and nobody else sends.
            config.sink.try_send(Via::Xmpp).ok();
            Ok(())
        }
    }
}
