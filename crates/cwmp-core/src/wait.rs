//! Waits that outlive a boot.

use serde::{Deserialize, Serialize};

use crate::time::{Mono, Now, Wall};

/// A date is written anew when the clock has been set by more than this, in milliseconds.
const RENOTE_MS: u64 = 60_000;

/// A moment ahead.
///
/// While the box is up, `due` counts alone: no jump of the wall clock moves it. After a boot that clock is gone; then the date
/// counts where the box knows the date, but never makes the wait longer than `remaining_ms`. Without a clock, what was left at
/// the last orderly restart is waited for again, or all of it after a power cut: late rather than lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// When it is over, on the clock of the present uptime.
    pub due: Mono,
    /// When it is over as a date, where the clock was known.
    pub due_wall: Option<Wall>,
    /// Milliseconds that were left at its beginning or at the last orderly restart.
    pub remaining_ms: u64,
}

impl Wait {
    /// So many milliseconds from now.
    #[must_use]
    pub fn new(ms: u64, now: Now) -> Self {
        let due = now.mono.after_ms(ms);
        Self { due, due_wall: now.wall.map(|wall| date_of(due, now.mono, wall)), remaining_ms: ms }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self, now: Now) -> bool {
        self.due <= now.mono
    }

    /// The monotonic clock has begun anew: reckons the rest from the date, or from what remained.
    pub fn boot(&mut self, now: Now) {
        self.due = now.mono.after_ms(self.rest_after_boot(now));
    }

    /// The clock has been set, or knows the date for the first time. The date of a wait of this uptime is written anew; that
    /// of an earlier one says how much has passed while the box was off. Returns whether there is something to store.
    pub fn meet_clock(&mut self, of_earlier_uptime: bool, now: Now) -> bool {
        let Some(wall) = now.wall else { return false };
        if of_earlier_uptime && self.due_wall.is_some() {
            self.due = self.due.min(now.mono.after_ms(self.rest_after_boot(now)));
        }
        let date = date_of(self.due, now.mono, wall);
        let changed = self.due_wall.is_none_or(|noted| noted.0.abs_diff(date.0) > RENOTE_MS);
        if changed {
            self.due_wall = Some(date);
        }
        changed
    }

    /// Before an orderly restart: a box without a clock has nothing but this to go by.
    pub fn note_what_remains(&mut self, now: Now) {
        self.remaining_ms = self.due.since(now.mono);
    }

    /// Milliseconds that a wait of an earlier uptime still takes.
    fn rest_after_boot(&self, now: Now) -> u64 {
        match (self.due_wall, now.wall) {
            (Some(due), Some(wall)) => {
                u64::try_from(due.0.saturating_sub(wall.0)).unwrap_or(0).min(self.remaining_ms)
            }
            _ => self.remaining_ms,
        }
    }
}

/// The date of a moment ahead.
fn date_of(due: Mono, now: Mono, wall: Wall) -> Wall {
    Wall(wall.0.saturating_add(i64::try_from(due.since(now)).unwrap_or(i64::MAX)))
}
