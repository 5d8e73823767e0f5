//! How long to wait before a failed session is tried again (TR-069a6 3.2.1.1).

use crate::{random::Random, settings::AgentSettings};

/// From this retry on the last range is kept.
const LAST_ROW: u32 = 10;
/// No wait is longer than this, whatever the two settings multiply to (65535 s * 65.535^10 overflows).
const LONGEST_WAIT_MS: f64 = 7.0 * 86_400_000.0;

/// The two settings that shape the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// CWMPRetryMinimumWaitInterval in seconds: m.
    pub(crate) minimum_wait_interval: u32,
    /// CWMPRetryIntervalMultiplier in thousandths: k.
    pub(crate) interval_multiplier: u32,
}

impl RetryPolicy {
    /// As the settings say.
    #[must_use]
    pub(crate) fn new(settings: &AgentSettings) -> Self {
        Self {
            minimum_wait_interval: settings.retry_minimum_wait_interval,
            interval_multiplier: settings.retry_interval_multiplier,
        }
    }

    /// Shortest and longest wait in milliseconds before the `retry`th retry since boot (1 is the first):
    /// m * (k/1000)^(n-1) to m * (k/1000)^n.
    #[must_use]
    pub(crate) fn range_ms(self, retry: u32) -> (u64, u64) {
        let row = retry.clamp(1, LAST_ROW);
        let factor = f64::from(self.interval_multiplier) / 1000.0;
        let mut low = f64::from(self.minimum_wait_interval) * 1000.0;
        for _ in 1..row {
            low = (low * factor).min(LONGEST_WAIT_MS);
        }
        let high = (low * factor).min(LONGEST_WAIT_MS);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to LONGEST_WAIT_MS")]
        (low.max(0.0) as u64, high.max(0.0) as u64)
    }

    /// A random wait in milliseconds from that range, so that boxes do not come back in lockstep.
    #[must_use]
    pub(crate) fn wait_ms(self, retry: u32, random: &mut Random) -> u64 {
        let (low, high) = self.range_ms(retry);
        random.between(low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(m: u32, k: u32, retry: u32) -> (f64, f64) {
        let (low, high) = RetryPolicy { minimum_wait_interval: m, interval_multiplier: k }.range_ms(retry);
        (low as f64 / 1000.0, high as f64 / 1000.0)
    }

    /// Conformance: 2.11, 2.12
    #[test]
    fn the_table_with_default_settings() {
        let table = [
            (1, 5, 10),
            (2, 10, 20),
            (3, 20, 40),
            (4, 40, 80),
            (5, 80, 160),
            (6, 160, 320),
            (7, 320, 640),
            (8, 640, 1280),
            (9, 1280, 2560),
            (10, 2560, 5120),
            (11, 2560, 5120),
            (u32::MAX, 2560, 5120),
        ];
        for (retry, low, high) in table {
            assert_eq!(seconds(5, 2000, retry), (f64::from(low), f64::from(high)), "retry {retry}");
        }
    }

    /// Conformance: 2.13
    #[test]
    fn other_settings_and_the_extremes() {
        assert_eq!(seconds(2, 1500, 3), (4.5, 6.75));
        assert_eq!(seconds(7, 1000, 9), (7.0, 7.0), "a multiplier of 1000 makes each range one value");
        assert_eq!(seconds(65_535, 65_535, 10), (604_800.0, 604_800.0));
    }
}
