//! Which servers are tried, in which order (TR-181 ServerConnectAlgorithm, RFC 2782, RFC 6120 3.2).

use cwmp_core::settings::{XmppServer, XmppServers, XmppSettings};

use super::Trouble;
use crate::{limits::XMPP_SERVERS, path::ManagementPath, random};

/// The port of clients where none is told.
const PORT: u16 = 5222;

/// Hosts and ports, at least one, the first to be tried first.
pub(super) async fn targets(
    settings: &XmppSettings,
    path: &ManagementPath,
) -> Result<Vec<(String, u16)>, Trouble> {
    let domain = || vec![(settings.domain.clone(), PORT)];
    match &settings.servers {
        XmppServers::Dns => Ok(domain()),
        XmppServers::Table(rows) if rows.is_empty() => {
            Err(Trouble::Misconfigured("the table Server has no row that is enabled".to_owned()))
        }
        XmppServers::Table(rows) => Ok(order(rows.clone())),
        XmppServers::Srv => match path.services(&format!("_xmpp-client._tcp.{}", settings.domain)).await {
            Ok(services) if services.is_empty() => Ok(domain()),
            // The name of the root says that there is no such service.
            Ok(services) if services.iter().all(|service| service.target.is_empty()) => {
                Err(Trouble::Unreachable("the domain says that it has no XMPP".to_owned()))
            }
            Ok(services) => {
                let server = |service: crate::dns::Service| XmppServer {
                    priority: service.priority,
                    weight: Some(service.weight),
                    address: service.target,
                    port: service.port,
                };
                let named = services.into_iter().filter(|service| !service.target.is_empty());
                Ok(order(named.map(server).take(XMPP_SERVERS).collect()))
            }
            // Those who have no SRV records often have name servers that do not answer questions for them either.
            Err(reason) => {
                tracing::debug!("no SRV records of {}: {reason}", settings.domain);
                Ok(domain())
            }
        },
    }
}

/// By priority; among those of one, by chance as their weights say.
fn order(mut servers: Vec<XmppServer>) -> Vec<(String, u16)> {
    servers.sort_by_key(|server| server.priority);
    let mut out = Vec::new();
    while let Some(first) = servers.first() {
        let same = servers.iter().take_while(|server| server.priority == first.priority);
        let weights: Vec<u64> = same.map(|server| server.weight.map_or(1, u64::from)).collect();
        let mut left = random::up_to(weights.iter().sum());
        let chosen = weights.iter().position(|weight| {
            let here = left <= *weight;
            left = left.saturating_sub(*weight);
            here
        });
        let server = servers.remove(chosen.unwrap_or(0));
        out.push((server.address, server.port));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(priority: u16, weight: Option<u16>, address: &str) -> XmppServer {
        XmppServer { priority, weight, address: address.to_owned(), port: 1 }
    }

    #[test]
    fn priorities_go_before_weights_and_weights_are_chances() {
        let mut first = std::collections::BTreeMap::new();
        for _ in 0..2_000 {
            let rows = vec![
                server(9, None, "last"),
                server(1, Some(30), "often"),
                server(1, Some(10), "rare"),
                server(5, Some(0), "middle"),
            ];
            let order: Vec<_> = order(rows).into_iter().map(|(host, _)| host).collect();
            assert_eq!(order[2..], ["middle", "last"], "{order:?}");
            *first.entry(order[0].clone()).or_insert(0) += 1;
        }
        let (often, rare) = (first["often"], first["rare"]);
        assert!((1_200..1_800).contains(&often) && rare == 2_000 - often, "{often} {rare}");
    }
}
