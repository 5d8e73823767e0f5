//! Names to addresses over the management path: a stub resolver (RFC 1034 5.3.1).
//!
//! The system's resolver knows nothing of a network device or namespace, nor of name servers of the agent's own; where one
//! of them is configured, this one serves. Names are taken as they stand: there is no search list. /etc/hosts goes first.
//! Answers are kept for their TTL, and longer only while no name server can be reached (TR-069a6 3.1).

pub(crate) mod answer;
mod cache;
mod exchange;
mod files;

#[cfg(test)]
mod tests;

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::base::iana::Rtype;
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout},
};

#[cfg(feature = "xmpp")]
pub(crate) use self::answer::Service;
use self::{
    answer::DnsName,
    cache::Cache,
    exchange::{Found, Miss},
    files::SystemFiles,
};
use crate::{limits, path::Sockets};

/// Finds addresses.
#[derive(Debug)]
pub(crate) struct Resolver {
    servers: Vec<SocketAddr>,
    files: SystemFiles,
    cache: Mutex<Cache>,
}

impl Resolver {
    /// Asks these servers, or where there are none those of the system, or of the namespace where it has some of its own.
    pub(crate) fn new(servers: Vec<SocketAddr>, namespace: Option<&Path>) -> Self {
        Self { servers, files: SystemFiles::of(namespace), cache: Mutex::default() }
    }

    /// With other files than those of the system.
    #[cfg(test)]
    fn with_files(
        servers: Vec<SocketAddr>,
        hosts: std::path::PathBuf,
        resolv_conf: std::path::PathBuf,
    ) -> Self {
        Self {
            servers,
            files: SystemFiles { hosts, resolv_conf: vec![resolv_conf] },
            cache: Mutex::default(),
        }
    }

    /// The addresses of a name, IPv6 before IPv4.
    pub(crate) async fn resolve(&self, sockets: &Sockets, host: &str) -> Result<Vec<IpAddr>, String> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        // Never asked of a server (RFC 6761 6.3).
        if host == "localhost" || host.ends_with(".localhost") {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        let files = self.files.clone();
        let looked_for = host.clone();
        let local = spawn_blocking(move || (files.hosts(&looked_for), files.servers())).await;
        let (listed, of_system) = local.map_err(|_| "the program is ending".to_owned())?;
        if !listed.is_empty() {
            return Ok(listed);
        }
        if let Some(known) = self.cache().fresh(&host, Instant::now()) {
            return Ok(known);
        }
        let name = name(&host)?;
        let servers = self.servers(of_system)?;
        let ask = |kind| exchange::find(sockets, &servers, name.clone(), kind);
        let (six, four) = both(ask(Rtype::AAAA), ask(Rtype::A)).await;
        self.conclude(&host, six, four)
    }

    /// The servers of a service, by SRV records (RFC 2782); none where there are no such records. They are not kept.
    #[cfg(feature = "xmpp")]
    pub(crate) async fn services(&self, sockets: &Sockets, service: &str) -> Result<Vec<Service>, String> {
        let files = self.files.clone();
        let of_system = spawn_blocking(move || files.servers()).await;
        let servers = self.servers(of_system.map_err(|_| "the program is ending".to_owned())?)?;
        exchange::find_services(sockets, &servers, &name(service)?).await
    }

    /// Those that are asked.
    fn servers(&self, of_system: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
        let servers = if self.servers.is_empty() { of_system } else { self.servers.clone() };
        let servers: Vec<_> = servers.into_iter().take(limits::DNS_SERVERS).collect();
        if servers.is_empty() {
            Err("no name server is known: set resolvers".to_owned())
        } else {
            Ok(servers)
        }
    }

    /// The addresses of this name lead nowhere: the next question goes to the servers.
    pub(crate) fn doubt(&self, host: &str) {
        self.cache().doubt(&host.trim_end_matches('.').to_ascii_lowercase());
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn conclude(&self, host: &str, six: Outcome, four: Outcome) -> Result<Vec<IpAddr>, String> {
        let complete = six.as_ref().is_some_and(Result::is_ok) && four.as_ref().is_some_and(Result::is_ok);
        let (mut addresses, mut ttl, mut misses) = (Vec::new(), limits::DNS_TTL_S, Vec::new());
        for outcome in [six, four].into_iter().flatten() {
            match outcome {
                Ok(found) => {
                    ttl = ttl.min(found.ttl);
                    addresses.extend(found.addresses);
                }
                Err(miss) => misses.push(miss),
            }
        }
        let mut cache = self.cache();
        if !addresses.is_empty() {
            // Half an answer serves once: the other half may be back the next time.
            if complete {
                cache.keep(host, &addresses, Instant::now() + Duration::from_secs(ttl.into()));
            }
            return Ok(addresses);
        }
        let known = misses.iter().find(|miss| matches!(miss, Miss::NoName | Miss::Refused(_)));
        match known.or(misses.first()) {
            None => Ok(Vec::new()),
            Some(Miss::NoName) => Err("there is no such name".to_owned()),
            Some(Miss::Refused(reason)) => Err(reason.clone()),
            Some(Miss::Unreachable(reason)) => match cache.stale(host) {
                Some(old) => {
                    tracing::warn!("{host}: {reason}; its last addresses serve");
                    Ok(old)
                }
                None => Err(reason.clone()),
            },
        }
    }
}

fn name(text: &str) -> Result<DnsName, String> {
    text.parse().map_err(|_| "it is no name that DNS could have".to_owned())
}

/// What became of the question for one family; `None` where it was not waited for.
type Outcome = Option<Result<Found, Miss>>;

/// Both answers. When one family has addresses, the other is waited for a little longer: there are name servers that drop
/// questions for one of them.
async fn both(
    six: impl Future<Output = Result<Found, Miss>>,
    four: impl Future<Output = Result<Found, Miss>>,
) -> (Outcome, Outcome) {
    let grace = Duration::from_millis(limits::DNS_OTHER_FAMILY_MS);
    let is_enough =
        |outcome: &Result<Found, Miss>| outcome.as_ref().is_ok_and(|found| !found.addresses.is_empty());
    let (mut six, mut four) = (pin!(six), pin!(four));
    tokio::select! {
        biased;
        outcome = &mut six => match is_enough(&outcome) {
            true => (Some(outcome), timeout(grace, four).await.ok()),
            false => (Some(outcome), Some(four.await)),
        },
        outcome = &mut four => match is_enough(&outcome) {
            true => (timeout(grace, six).await.ok(), Some(outcome)),
            false => (Some(six.await), Some(outcome)),
        },
    }
}
