//! How many connection requests are accepted (TR-069a6 3.2.2): a burst, then one in a while.

use crate::limits::{REQUEST_BURST, REQUEST_REFILL_MS};

/// A bucket of tokens. Times are milliseconds since the listener started.
pub(crate) struct Rate {
    tokens: u32,
    /// When the last token was added.
    refilled_ms: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Self { tokens: REQUEST_BURST, refilled_ms: 0 }
    }
}

impl Rate {
    /// Takes a token where there is one.
    pub(crate) fn take(&mut self, now_ms: u64) -> bool {
        let earned = now_ms.saturating_sub(self.refilled_ms) / REQUEST_REFILL_MS;
        self.refilled_ms = self.refilled_ms.saturating_add(earned.saturating_mul(REQUEST_REFILL_MS));
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.tokens = self.tokens.saturating_add(earned).min(REQUEST_BURST);
        let taken = self.tokens.checked_sub(1);
        self.tokens = taken.unwrap_or(0);
        taken.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_in_three_seconds() {
        let mut rate = Rate::default();
        let accepted = |rate: &mut Rate, ms| (0..100).filter(|_| rate.take(ms)).count();
        assert_eq!(accepted(&mut rate, 0), 20);
        assert_eq!(accepted(&mut rate, 2_999), 0);
        assert_eq!(accepted(&mut rate, 3_000), 1);
        assert_eq!(accepted(&mut rate, 9_500), 2);
        assert_eq!(accepted(&mut rate, 12_000), 1);
        assert_eq!(accepted(&mut rate, 10_000_000), 20);
        assert_eq!(accepted(&mut rate, u64::MAX), 20);
    }
}
