//! Until when a change is to be confirmed: a wait that no reboot makes endless.

use cwmp_core::time::{Mono, Now, Wall};
use serde::{Deserialize, Serialize};

/// Longest time for a confirmation, in milliseconds: a day.
pub const CONFIRM_MS: u64 = 24 * 60 * 60 * 1000;
/// Most boots that a change may wait through: one that makes the box crash must not stay because no boot lasts long
/// enough.
pub const CONFIRM_BOOTS: u32 = 3;

/// The present, and the boot that the monotonic clock counts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// As the platform names it.
    pub boot_id: String,
    /// Both clocks.
    pub now: Now,
}

/// When a change is undone unless it is confirmed.
///
/// In the boot in which it was reckoned `due` counts alone. After a boot the date counts where it was known and is known
/// again, but never makes the wait longer than `remaining_ms`; without a date what was left is waited for anew. Each boot
/// counts, and after [`CONFIRM_BOOTS`] the time is over: so the wait ends after at most one more than that many times
/// what was allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    boot_id: String,
    due: Mono,
    due_wall: Option<Wall>,
    /// Milliseconds that were left when it was reckoned.
    remaining_ms: u64,
    boots: u32,
}

impl Deadline {
    /// So many milliseconds from now, at most [`CONFIRM_MS`].
    #[must_use]
    pub fn new(ms: u64, moment: &Moment) -> Self {
        Self::reckoned(ms.min(CONFIRM_MS), 0, moment)
    }

    fn reckoned(ms: u64, boots: u32, Moment { boot_id, now }: &Moment) -> Self {
        let later = i64::try_from(ms).unwrap_or(i64::MAX);
        Self {
            boot_id: boot_id.clone(),
            due: now.mono.after_ms(ms),
            due_wall: now.wall.map(|wall| Wall(wall.0.saturating_add(later))),
            remaining_ms: ms,
            boots,
        }
    }

    /// Milliseconds that are left; 0 when the time is over.
    #[must_use]
    pub fn remaining(&self, Moment { boot_id, now }: &Moment) -> u64 {
        if self.boot_id == *boot_id {
            return self.due.since(now.mono);
        }
        if self.boots >= CONFIRM_BOOTS {
            return 0;
        }
        let by_date = self.due_wall.zip(now.wall).map(|(due, now)| due.0.saturating_sub(now.0));
        by_date.map_or(self.remaining_ms, |left| u64::try_from(left).unwrap_or(0).min(self.remaining_ms))
    }

    /// The same after a start of the program; counts a boot where there was one.
    pub(super) fn resumed(&self, moment: &Moment) -> Self {
        if self.boot_id == moment.boot_id {
            return self.clone();
        }
        Self::reckoned(self.remaining(moment), self.boots.saturating_add(1), moment)
    }
}
