//! Brute force, slowed: who has given wrong passwords too often must wait before another one is looked at.
//!
//! Each source has an allowance of its own, and there is one for all sources together, lest many of them should guess side by
//! side. A source that has proved the password before does not depend on that common one: nobody can lock the ACS out
//! from elsewhere. What is refused here is not looked at, right or wrong, so that nothing is learnt from it.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv6Addr},
};

use super::rate::Rate;
use crate::limits::{
    GUESS_OF_ALL_REFILL_MS, GUESS_REFILL_MS, GUESSES, GUESSES_OF_ALL, GUESSING_SOURCES, PROVEN_SOURCES,
};

/// Where requests come from: an IPv4 address, or the 64 bits of an IPv6 address that a whole network shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Source(IpAddr);

impl Source {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX)).into(),
            four => four,
        })
    }
}

/// Counts wrong passwords.
pub(super) struct Guesses {
    /// Those that have guessed, the last one at the back.
    sources: VecDeque<(Source, Rate)>,
    all: Rate,
    /// Those that have proved the password, the last one at the back.
    proven: VecDeque<Source>,
}

impl Default for Guesses {
    fn default() -> Self {
        let all = Rate::new(GUESSES_OF_ALL, GUESS_OF_ALL_REFILL_MS);
        Self { sources: VecDeque::new(), all, proven: VecDeque::new() }
    }
}

impl Guesses {
    /// Whether a password from there is looked at now.
    pub(super) fn allows(&mut self, from: IpAddr, now_ms: u64) -> bool {
        let from = Source::of(from);
        let own = self.sources.iter_mut().find(|(source, _)| *source == from);
        let own = own.is_none_or(|(_, rate)| rate.has(now_ms));
        own && (self.all.has(now_ms) || self.proven.contains(&from))
    }

    /// A wrong one came from there.
    pub(super) fn failed(&mut self, from: IpAddr, now_ms: u64) {
        let from = Source::of(from);
        self.all.take(now_ms);
        let known = self.sources.iter().position(|(source, _)| *source == from);
        let known = known.and_then(|at| self.sources.remove(at));
        let mut entry = known.unwrap_or_else(|| (from, Rate::new(GUESSES, GUESS_REFILL_MS)));
        entry.1.take(now_ms);
        if self.sources.len() >= GUESSING_SOURCES {
            self.sources.pop_front();
        }
        self.sources.push_back(entry);
    }

    /// The right one came from there.
    pub(super) fn proved(&mut self, from: IpAddr) {
        let from = Source::of(from);
        self.proven.retain(|source| *source != from);
        if self.proven.len() >= PROVEN_SOURCES {
            self.proven.pop_front();
        }
        self.proven.push_back(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn guess(guesses: &mut Guesses, from: IpAddr, times: u32, now_ms: u64) -> u32 {
        let one = |guesses: &mut Guesses| {
            let allowed = guesses.allows(from, now_ms);
            if allowed {
                guesses.failed(from, now_ms);
            }
            u32::from(allowed)
        };
        (0..times).map(|_| one(guesses)).sum()
    }

    #[test]
    fn a_source_has_a_burst_and_then_one_guess_in_a_while() {
        let (mut guesses, bad) = (Guesses::default(), ip("192.0.2.1"));
        assert_eq!(guess(&mut guesses, bad, 1000, 0), GUESSES);
        assert_eq!(guess(&mut guesses, bad, 1000, GUESS_REFILL_MS - 1), 0);
        assert_eq!(guess(&mut guesses, bad, 1000, 3 * GUESS_REFILL_MS), 3);
        assert!(guesses.allows(ip("192.0.2.2"), 0));
        // The same one, written in two ways; a network of IPv6 is one source.
        assert!(!guesses.allows(ip("::ffff:192.0.2.1"), 3 * GUESS_REFILL_MS));
        assert_eq!(guess(&mut guesses, ip("2001:db8::1"), 1000, 0), GUESSES);
        assert!(!guesses.allows(ip("2001:db8::ffff"), 0));
        assert!(guesses.allows(ip("2001:db8:0:1::1"), 0));
    }

    #[test]
    fn many_sources_share_an_allowance_and_do_not_lock_out_who_knows_the_password() {
        let (mut guesses, acs) = (Guesses::default(), ip("198.51.100.1"));
        guesses.proved(acs);
        let many = (0..1000_u32).map(|n| IpAddr::from(n.to_be_bytes()));
        let allowed: u32 = many.map(|from| guess(&mut guesses, from, 1, 0)).sum();
        assert_eq!(allowed, GUESSES_OF_ALL);
        assert!(!guesses.allows(ip("203.0.113.1"), 0));
        assert!(guesses.allows(acs, 0));
        assert!(guesses.allows(ip("203.0.113.1"), GUESS_OF_ALL_REFILL_MS));
        assert_eq!(guesses.sources.len(), GUESSING_SOURCES);
        for n in 0..1000_u32 {
            guesses.proved(IpAddr::from(n.to_be_bytes()));
        }
        assert_eq!(guesses.proven.len(), PROVEN_SOURCES);
    }
}
