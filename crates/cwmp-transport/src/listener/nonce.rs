//! The nonces of the listener.
//!
//! A nonce carries its time and a keyed hash, so that nothing has to be remembered when one is handed out: a flood of
//! requests without credentials cannot push out the nonce of the ACS. Only nonces that were used with the right password
//! are kept, to see that none is used twice with the same count.

use std::{collections::VecDeque, io};

use cwmp_core::digest::constant_time_eq;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::{
    limits::{NONCE_MS, USED_NONCES},
    random,
};

/// Bytes of the hash that go into the nonce.
const TAG_BYTES: usize = 16;

/// What a nonce is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ours, in time, and not yet used with this count.
    Good,
    /// To be replaced: too old, used before, or made before the listener started.
    Stale,
}

struct Used {
    issued_ms: u64,
    salt: [u8; 8],
    /// The highest count so far.
    nc: u32,
}

/// Makes and checks nonces. Times are milliseconds since the listener started.
pub(super) struct Nonces {
    key: [u8; 32],
    /// Added to all times, so that they do not tell how long the box has been up.
    offset_ms: u64,
    /// By time of issue, oldest first.
    used: VecDeque<Used>,
    /// A nonce from this moment or before that is not in `used` may have been used and forgotten.
    forgotten_ms: Option<u64>,
}

impl Nonces {
    /// # Errors
    /// When the system has no random source.
    pub(super) fn new() -> io::Result<Self> {
        let offset_ms = u64::from_be_bytes(random::bytes()?) >> 16;
        Ok(Self { key: random::bytes()?, offset_ms, used: VecDeque::new(), forgotten_ms: None })
    }

    /// A fresh nonce.
    ///
    /// # Errors
    /// When the system has no random source.
    pub(super) fn issue(&self, now_ms: u64) -> io::Result<String> {
        let stamp = now_ms.saturating_add(self.offset_ms);
        let salt = random::bytes()?;
        let tag = self.tag(stamp, salt);
        Ok(HEXLOWER.encode(&[&stamp.to_be_bytes()[..], &salt, &tag].concat()))
    }

    /// Uses a nonce with this count (`None`: without qop, which uses the nonce up).
    pub(super) fn check(&mut self, nonce: &str, nc: Option<u32>, now_ms: u64) -> Verdict {
        let Some((issued_ms, salt)) = self.read(nonce) else { return Verdict::Stale };
        if now_ms.saturating_sub(issued_ms) >= NONCE_MS {
            return Verdict::Stale;
        }
        let nc = nc.unwrap_or(u32::MAX);
        if nc == 0 {
            return Verdict::Stale;
        }
        let known = self.used.iter_mut().find(|used| used.issued_ms == issued_ms && used.salt == salt);
        if let Some(used) = known {
            let fresh = nc > used.nc;
            used.nc = used.nc.max(nc);
            return if fresh { Verdict::Good } else { Verdict::Stale };
        }
        if self.forgotten_ms.is_some_and(|forgotten| issued_ms <= forgotten) {
            return Verdict::Stale;
        }
        let at = self.used.partition_point(|used| used.issued_ms <= issued_ms);
        self.used.insert(at, Used { issued_ms, salt, nc });
        while self.used.len() > USED_NONCES {
            self.forgotten_ms = self.used.pop_front().map(|oldest| oldest.issued_ms);
        }
        Verdict::Good
    }

    /// Time and salt of a nonce that is ours.
    fn read(&self, nonce: &str) -> Option<(u64, [u8; 8])> {
        // Checked first, so that the length of what is decoded is bounded.
        if nonce.len() != 2 * (8 + 8 + TAG_BYTES) {
            return None;
        }
        let bytes = HEXLOWER.decode(nonce.as_bytes()).ok()?;
        let (stamp, rest) = bytes.split_first_chunk::<8>()?;
        let (salt, tag) = rest.split_first_chunk::<8>()?;
        let stamp = u64::from_be_bytes(*stamp);
        if !constant_time_eq(tag, &self.tag(stamp, *salt)) {
            return None;
        }
        Some((stamp.checked_sub(self.offset_ms)?, *salt))
    }

    /// Key and message have fixed lengths and the hash is cut short, so nothing can be appended to it.
    fn tag(&self, stamp: u64, salt: [u8; 8]) -> [u8; TAG_BYTES] {
        let digest =
            Sha256::new().chain_update(self.key).chain_update(stamp.to_be_bytes()).chain_update(salt);
        let mut tag = [0; TAG_BYTES];
        for (to, from) in tag.iter_mut().zip(digest.finalize()) {
            *to = from;
        }
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonces() -> Nonces {
        Nonces::new().unwrap()
    }

    /// Conformance: 6.15
    #[test]
    fn every_count_is_good_once_and_only_upwards() {
        let mut n = nonces();
        let nonce = n.issue(5).unwrap();
        let mut check = |nc| n.check(&nonce, Some(nc), 6);
        assert_eq!(check(0), Verdict::Stale);
        assert_eq!(check(1), Verdict::Good);
        assert_eq!(check(1), Verdict::Stale);
        assert_eq!(check(3), Verdict::Good);
        assert_eq!(check(2), Verdict::Stale);
    }

    #[test]
    fn without_qop_a_nonce_is_used_up() {
        let mut n = nonces();
        let nonce = n.issue(0).unwrap();
        assert_eq!(n.check(&nonce, None, 0), Verdict::Good);
        assert_eq!(n.check(&nonce, None, 0), Verdict::Stale);
        assert_eq!(n.check(&nonce, Some(7), 0), Verdict::Stale);
    }

    /// Conformance: 6.15
    #[test]
    fn a_nonce_expires() {
        let mut n = nonces();
        let nonce = n.issue(1000).unwrap();
        assert_eq!(n.check(&nonce, Some(1), 1000 + NONCE_MS), Verdict::Stale);
        assert_eq!(n.check(&nonce, Some(1), 999 + NONCE_MS), Verdict::Good);
    }

    #[test]
    fn what_nobody_issued_is_not_good() {
        let mut n = nonces();
        let (one, other) = (n.issue(0).unwrap(), nonces().issue(0).unwrap());
        assert_ne!(one, n.issue(0).unwrap());
        for at in 0..one.len() {
            let mut bytes = one.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(n.check(&String::from_utf8(bytes).unwrap(), Some(1), 0), Verdict::Stale);
        }
        for nonce in [other.as_str(), "", "x", &"0".repeat(64), &one.to_uppercase()] {
            assert_eq!(n.check(nonce, Some(1), 0), Verdict::Stale, "{nonce}");
        }
        assert_eq!(n.check(&one, Some(1), 0), Verdict::Good);
    }

    #[test]
    fn what_is_forgotten_cannot_be_used_again() {
        let mut n = nonces();
        let issued: Vec<_> = (0..=USED_NONCES as u64).map(|ms| n.issue(ms).unwrap()).collect();
        for nonce in &issued {
            assert_eq!(n.check(nonce, Some(1), 100), Verdict::Good);
        }
        assert_eq!(n.used.len(), USED_NONCES);
        for nonce in &issued {
            assert_eq!(n.check(nonce, Some(1), 100), Verdict::Stale);
        }
        assert_eq!(n.check(&issued[0], Some(2), 100), Verdict::Stale, "forgotten");
        assert_eq!(n.check(&issued[1], Some(2), 100), Verdict::Good);
        let fresh = n.issue(100).unwrap();
        assert_eq!(n.check(&fresh, Some(1), 100), Verdict::Good);
    }
}
