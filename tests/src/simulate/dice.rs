//! Chance from a seed: the same seed always tells the same story.

/// A generator of random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed);
        dice.next();
        dice
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `n` - 1.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True `n` times of a thousand.
    pub(crate) fn permille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }
}

/// How bad each part of one seed's world is: in permille, each of them none, little, much.
#[derive(Clone, Debug, Default)]
pub(super) struct Mood {
    /// The network loses things.
    pub(super) network: u64,
    /// The ACS answers with nonsense or errors.
    pub(super) acs: u64,
    /// The data model refuses or is slow.
    pub(super) data: u64,
    /// Writes fail or are slow.
    pub(super) store: u64,
    /// A power cut or a crash of the program at an effect (of 100,000).
    pub(super) cut: u64,
    /// The ACS asks for one Reboot after the other.
    pub(super) reboot_storm: bool,
    /// The ACS orders more transfers than the box can queue.
    pub(super) transfer_storm: bool,
    /// Jobs fail or take long.
    pub(super) jobs: u64,
    /// Things happen on the box every so many milliseconds.
    pub(super) stir_ms: u64,
}

impl Mood {
    pub(super) fn roll(dice: &mut Dice) -> Self {
        let mut level = |little: u64, much: u64| match dice.below(3) {
            0 => 0,
            1 => little,
            _ => much,
        };
        Self {
            network: level(50, 300),
            acs: level(40, 250),
            data: level(30, 200),
            store: level(50, 300),
            cut: level(300, 2500),
            jobs: level(80, 400),
            reboot_storm: dice.below(12) == 0,
            transfer_storm: dice.below(8) == 0,
            stir_ms: dice.between(1_000, 60_000) * dice.between(1, 60),
        }
    }
}
