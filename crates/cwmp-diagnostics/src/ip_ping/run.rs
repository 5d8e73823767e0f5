//! The course of a run: resolve the host, find an address that there is a route to, send and wait.

use std::{io, net::SocketAddr, time::Duration};

use nix::errno::Errno;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::{PingInputs, PingResults};
use crate::{
    echo::{EchoOptions, EchoSocket, Network, OpenError, is_no_route},
    limits,
    state::DiagnosticError,
};

/// Sends NumberOfRepetitions echo requests, one after another, from the device where one is given.
pub(super) async fn run(
    network: &dyn Network,
    inputs: &PingInputs,
    device: Option<String>,
) -> Result<PingResults, DiagnosticError> {
    let addresses = resolve(network, inputs).await?;
    let options = EchoOptions { device, data_block_size: inputs.data_block_size, dscp: inputs.dscp };
    let mut socket = open(network, &addresses, &options)?;
    let wait = Duration::from_millis(inputs.timeout.into());
    let mut times = Times::default();
    let mut failure_count = 0_u32;
    let mut next = Instant::now();
    for (number, sequence) in (0..inputs.number_of_repetitions).zip(1_u16..) {
        sleep_until(next).await;
        next = Instant::now() + Duration::from_millis(limits::PACE_MS);
        match ping(socket.as_mut(), sequence, wait).await {
            Ok(Some(time)) => times.add(time),
            Ok(None) => failure_count = failure_count.saturating_add(1),
            Err(error) if is_too_large(&error) => {
                tracing::warn!("IPPing: DataBlockSize {} cannot be sent: {error}", inputs.data_block_size);
                return Err(DiagnosticError::Other);
            }
            Err(error) if number == 0 && is_no_route(&error) => {
                tracing::info!("IPPing: no route to {:?}: {error}", inputs.host);
                return Err(DiagnosticError::NoRouteToHost);
            }
            Err(error) => {
                tracing::debug!("IPPing: a request could not be sent: {error}");
                failure_count = failure_count.saturating_add(1);
            }
        }
    }
    Ok(PingResults {
        ip_address_used: socket.local().to_string(),
        success_count: times.count,
        failure_count,
        average: times.average(),
        minimum: times.minimum,
        maximum: times.maximum,
    })
}

async fn resolve(network: &dyn Network, inputs: &PingInputs) -> Result<Vec<SocketAddr>, DiagnosticError> {
    let wait = Duration::from_millis(limits::RESOLVE_MS);
    let reason = match timeout(wait, network.resolve(&inputs.host)).await {
        Ok(Ok(found)) => {
            let wanted = |address: &SocketAddr| inputs.protocol_version.is_none_or(|v| v.is_of(address));
            let addresses: Vec<_> = found.into_iter().filter(wanted).take(limits::ADDRESSES).collect();
            if !addresses.is_empty() {
                return Ok(addresses);
            }
            "no address of this ProtocolVersion".to_owned()
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer of the name server within {} s", wait.as_secs()),
    };
    tracing::info!("IPPing: cannot resolve {:?}: {reason}", inputs.host);
    Err(DiagnosticError::CannotResolveHostName)
}

/// A socket towards the first address that there is a route to.
fn open(
    network: &dyn Network,
    addresses: &[SocketAddr],
    options: &EchoOptions,
) -> Result<Box<dyn EchoSocket>, DiagnosticError> {
    let mut outcome = DiagnosticError::NoRouteToHost;
    for address in addresses {
        match network.open(*address, options) {
            Ok(socket) => return Ok(socket),
            Err(error) => {
                tracing::info!("IPPing: nothing can be sent to {}: {error}", address.ip());
                outcome = match error {
                    OpenError::NoRoute(_) => DiagnosticError::NoRouteToHost,
                    OpenError::NotPermitted(_) => DiagnosticError::Internal,
                    OpenError::Other(_) => DiagnosticError::Other,
                };
            }
        }
    }
    Err(outcome)
}

/// Sends one request and waits for its reply: how long it took, or `None` when none came in time.
async fn ping(socket: &mut dyn EchoSocket, sequence: u16, wait: Duration) -> io::Result<Option<Duration>> {
    let sent = Instant::now();
    let deadline = sent + wait;
    match timeout_at(deadline, socket.send(sequence)).await {
        Ok(done) => done?,
        Err(_) => return Ok(None),
    }
    loop {
        match timeout_at(deadline, socket.receive()).await {
            Ok(Ok(received)) => {
                let time = sent.elapsed();
                if time > wait {
                    return Ok(None);
                }
                if received == sequence {
                    return Ok(Some(time));
                }
                // A late reply to an earlier request, or a second one.
            }
            Ok(Err(error)) => {
                tracing::debug!("IPPing: cannot receive: {error}");
                sleep_until(deadline).await;
                return Ok(None);
            }
            Err(_) => return Ok(None),
        }
    }
}

fn is_too_large(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EMSGSIZE as i32)
}

/// Response times, in microseconds.
#[derive(Default)]
struct Times {
    count: u32,
    sum: u64,
    minimum: u32,
    maximum: u32,
}

impl Times {
    fn add(&mut self, time: Duration) {
        let time = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        self.minimum = if self.count == 0 { time } else { self.minimum.min(time) };
        self.maximum = self.maximum.max(time);
        self.sum = self.sum.saturating_add(time.into());
        self.count = self.count.saturating_add(1);
    }

    fn average(&self) -> u32 {
        self.sum.checked_div(self.count.into()).and_then(|average| u32::try_from(average).ok()).unwrap_or(0)
    }
}
