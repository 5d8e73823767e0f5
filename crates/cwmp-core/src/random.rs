//! Random numbers from a seed that the driver takes from the system once a start.

/// SplitMix64: enough for waits that must differ between boxes; never for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// From a seed of the system's random source.
    #[must_use]
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included. The bias of the remainder is far below what a wait could show.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        match high.checked_sub(low).and_then(|span| span.checked_add(1)) {
            Some(span) => low + self.next() % span,
            None => low,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_its_bounds_and_spreads() {
        let mut random = Random::new(1);
        let drawn: Vec<u64> = (0..1000).map(|_| random.between(5000, 10_000)).collect();
        assert!(drawn.iter().all(|n| (5000..=10_000).contains(n)));
        assert!(drawn.iter().any(|n| *n < 5500) && drawn.iter().any(|n| *n > 9500));
        assert_eq!(random.between(7, 7), 7);
        assert_eq!(random.between(9, 1), 9, "an empty range gives its lower end");
    }
}
