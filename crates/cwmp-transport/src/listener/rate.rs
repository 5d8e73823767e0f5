//! How often something may happen: a burst, then once in a while.

/// A bucket of tokens. Times are milliseconds since the listener started.
#[derive(Debug)]
pub(crate) struct Rate {
    burst: u32,
    /// Time after which a token is added.
    refill_ms: u64,
    tokens: u32,
    /// When the last token was added.
    refilled_ms: u64,
}

impl Rate {
    /// So many at once, and one more after each so many milliseconds.
    pub(crate) fn new(burst: u32, refill_ms: u64) -> Self {
        Self { burst, refill_ms, tokens: burst, refilled_ms: 0 }
    }

    /// Whether there is a token.
    pub(crate) fn has(&mut self, now_ms: u64) -> bool {
        let earned = now_ms.saturating_sub(self.refilled_ms) / self.refill_ms;
        self.refilled_ms = self.refilled_ms.saturating_add(earned.saturating_mul(self.refill_ms));
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.tokens = self.tokens.saturating_add(earned).min(self.burst);
        self.tokens > 0
    }

    /// Takes a token where there is one.
    pub(crate) fn take(&mut self, now_ms: u64) -> bool {
        let taken = self.has(now_ms);
        self.tokens = self.tokens.saturating_sub(1);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_in_three_seconds() {
        let mut rate = Rate::new(20, 3_000);
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
