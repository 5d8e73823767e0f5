//! How long an exchange may take: an end to silence, and an end to a reply that trickles.

use std::time::Duration;

use tokio::time::Instant;

/// The bounds of one exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// Longest silence while a request is sent or a reply awaited.
    pub(crate) silence: Duration,
    /// Longest time for a reply that keeps coming, from the end of the request, on top of that.
    pub(crate) total: Duration,
}

/// The waits of one exchange. Every step of progress starts the wait anew; the total is for the reply alone, so that a
/// request that is still being sent over a slow line does not use it up.
pub(crate) struct Patience {
    waits: Waits,
    /// Counts of what was sent and received, at the last look.
    seen: (u64, u64),
    end: Instant,
}

impl Patience {
    /// The bounds, and the counts before the first step.
    pub(crate) fn new(waits: &Waits, seen: (u64, u64), now: Instant) -> Self {
        Self { waits: *waits, seen, end: now + waits.silence + waits.total }
    }

    /// When to look again.
    pub(crate) fn next_look(&self, now: Instant) -> Instant {
        self.end.min(now + self.waits.silence)
    }

    /// Looks at what was sent and received by now, and tells whether that is too little.
    pub(crate) fn is_over(&mut self, (sent, received): (u64, u64), now: Instant) -> bool {
        if sent != self.seen.0 {
            self.end = now + self.waits.silence + self.waits.total;
        }
        let silent = (sent, received) == self.seen;
        self.seen = (sent, received);
        silent || now >= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn patience(now: Instant) -> Patience {
        Patience::new(&Waits { silence: SECOND, total: 3 * SECOND }, (0, 0), now)
    }

    #[test]
    fn silence_ends_it() {
        let start = Instant::now();
        let mut patience = patience(start);
        assert_eq!(patience.next_look(start), start + SECOND);
        assert!(!patience.is_over((1, 0), start + SECOND));
        assert!(!patience.is_over((1, 1), start + 2 * SECOND));
        assert!(patience.is_over((1, 1), start + 3 * SECOND));
    }

    #[test]
    fn a_reply_that_keeps_coming_ends_with_the_total() {
        let start = Instant::now();
        let mut patience = patience(start);
        for n in 1..=3 {
            assert!(!patience.is_over((0, n), start + u32::try_from(n).unwrap() * SECOND));
        }
        assert_eq!(patience.next_look(start + 7 * SECOND / 2), start + 4 * SECOND);
        assert!(patience.is_over((0, 4), start + 4 * SECOND));
    }

    #[test]
    fn a_request_that_keeps_going_out_does_not_use_up_the_total() {
        let start = Instant::now();
        let mut patience = patience(start);
        for n in 1..=100 {
            assert!(!patience.is_over((n, 0), start + u32::try_from(n).unwrap() * SECOND));
        }
        assert!(!patience.is_over((100, 1), start + 101 * SECOND));
        assert!(patience.is_over((100, 2), start + 104 * SECOND));
    }
}
