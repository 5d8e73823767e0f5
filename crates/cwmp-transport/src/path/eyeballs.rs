//! The addresses of one name tried side by side (RFC 8305): none that is dead keeps the others waiting.

use std::{
    future::{Future, pending, poll_fn},
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};

use crate::{limits, random};

/// In which order addresses are tried: the families in turn, beginning with that of the first, and within a family from a
/// random one on (TR-069a6 3.1).
pub(super) fn order(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_six = found.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| address.is_ipv6() == first_is_six);
    // Without a random source any order will do.
    let random = random::bytes::<2>().unwrap_or_default();
    for (family, byte) in [&mut first, &mut second].into_iter().zip(random) {
        let start = usize::from(byte) % family.len().max(1);
        family.rotate_left(start);
    }
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    while ordered.len() < limits::ADDRESSES {
        let before = ordered.len();
        ordered.extend(first.next());
        ordered.extend(second.next());
        if ordered.len() == before {
            break;
        }
    }
    ordered.truncate(limits::ADDRESSES);
    ordered
}

/// Begins with one address after the other, the next one when an attempt has failed or [`limits::CONNECT_STAGGER_MS`] have
/// gone by, and gives the first connection that there is. The error names every address with its reason.
pub(super) async fn race<T, F: Future<Output = io::Result<T>>>(
    addresses: &[SocketAddr],
    wait: Duration,
    begin: impl Fn(SocketAddr) -> F,
) -> Result<T, String> {
    let deadline = Instant::now() + wait;
    let mut next = addresses.iter();
    let mut running: Vec<(IpAddr, Pin<Box<F>>)> = Vec::new();
    let mut reasons = Vec::new();
    loop {
        let begun = next.next();
        if let Some(address) = begun {
            running.push((address.ip(), Box::pin(begin(*address))));
        } else if running.is_empty() {
            return Err(reasons.join("; "));
        }
        let more = next.len() > 0;
        let stagger = async {
            if more {
                sleep(Duration::from_millis(limits::CONNECT_STAGGER_MS)).await
            } else {
                pending().await
            }
        };
        tokio::select! {
            biased;
            (ip, outcome) = any(&mut running) => match outcome {
                Ok(connection) => return Ok(connection),
                Err(error) => reasons.push(format!("{ip}: {error}")),
            },
            () = sleep_until(deadline) => {
                let silent = running.iter().map(|(ip, _)| ip);
                reasons.extend(silent.map(|ip| format!("{ip}: no answer within {} s", wait.as_secs())));
                return Err(reasons.join("; "));
            }
            () = stagger => {}
        }
    }
}

/// The first of them that is over, taken out.
async fn any<F: Future>(running: &mut Vec<(IpAddr, Pin<Box<F>>)>) -> (IpAddr, F::Output) {
    poll_fn(|cx| {
        for at in 0..running.len() {
            let Some((ip, attempt)) = running.get_mut(at) else { break };
            if let Poll::Ready(outcome) = attempt.as_mut().poll(cx) {
                let ip = *ip;
                drop(running.remove(at));
                return Poll::Ready((ip, outcome));
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 7547)
    }

    /// What each address does: after so many milliseconds it answers or refuses.
    async fn play(
        script: &[(&str, u64, bool)],
        wait_ms: u64,
    ) -> (Result<IpAddr, String>, Vec<(String, u64)>) {
        let addresses: Vec<_> = script.iter().map(|(ip, ..)| address(ip)).collect();
        let (begin, begun) = (Instant::now(), RefCell::new(Vec::new()));
        let attempt = |peer: SocketAddr| {
            let (_, ms, answers) = *script.iter().find(|(ip, ..)| address(ip) == peer).unwrap();
            begun.borrow_mut().push((peer.ip().to_string(), begin.elapsed().as_millis() as u64));
            async move {
                sleep(Duration::from_millis(ms)).await;
                if answers { Ok(peer.ip()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
            }
        };
        let outcome = race(&addresses, Duration::from_millis(wait_ms), attempt).await;
        (outcome, begun.into_inner())
    }

    const DEAD: u64 = 1_000_000;

    /// Conformance: 12.10, 12.12
    #[tokio::test(start_paused = true)]
    async fn a_silent_address_holds_the_next_one_up_for_a_quarter_of_a_second() {
        let script = [("2001:db8::1", DEAD, true), ("192.0.2.1", 20, true), ("2001:db8::2", 0, true)];
        let (outcome, begun) = play(&script, 30_000).await;
        assert_eq!(outcome.unwrap(), address("192.0.2.1").ip());
        assert_eq!(begun, [("2001:db8::1".to_owned(), 0), ("192.0.2.1".to_owned(), 250)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_starts_the_next_one_at_once_and_the_first_answer_wins() {
        let script = [("192.0.2.1", 10, false), ("2001:db8::1", 400, true), ("192.0.2.2", 50, true)];
        let (outcome, begun) = play(&script, 30_000).await;
        assert_eq!(outcome.unwrap(), address("192.0.2.2").ip());
        let times: Vec<_> = begun.into_iter().map(|(_, ms)| ms).collect();
        assert_eq!(times, [0, 10, 260]);
        // The one that was begun earlier may still win.
        let (outcome, _) = play(&[("192.0.2.1", 300, true), ("192.0.2.2", 900, true)], 30_000).await;
        assert_eq!(outcome.unwrap(), address("192.0.2.1").ip());
    }

    #[tokio::test(start_paused = true)]
    async fn all_reasons_are_told_and_the_wait_is_bounded() {
        let begin = Instant::now();
        let (outcome, begun) = play(&[("192.0.2.1", 5, false), ("192.0.2.2", DEAD, true)], 3_000).await;
        let text = outcome.unwrap_err();
        assert_eq!(text, "192.0.2.1: connection refused; 192.0.2.2: no answer within 3 s");
        assert_eq!((begin.elapsed(), begun.len()), (Duration::from_secs(3), 2));
        let (outcome, _) = play(&[], 3_000).await;
        assert_eq!(outcome, Err(String::new()));
    }

    #[test]
    fn families_take_turns_from_random_starts_and_the_number_is_bounded() {
        let six = (0..6).map(|n| address(&format!("2001:db8::{n}")));
        let four = (0..6).map(|n| address(&format!("192.0.2.{n}")));
        let found: Vec<_> = six.chain(four).collect();
        let mut starts = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let ordered = order(found.clone());
            assert_eq!(ordered.len(), limits::ADDRESSES);
            let turns: Vec<_> = ordered.iter().map(SocketAddr::is_ipv6).collect();
            assert_eq!(turns, [true, false].repeat(4));
            starts.extend(ordered.first().copied());
        }
        assert_eq!(starts.len(), 6, "any of the first family may begin");
        assert_eq!(order(vec![address("192.0.2.1")]), [address("192.0.2.1")]);
        assert!(order(Vec::new()).is_empty());
    }
}
