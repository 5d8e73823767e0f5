//! What the first session after a boot waits for. There is no wait for the network: the table of retries covers that.

use super::Agent;
use crate::{
    random::Random,
    settings::AgentSettings,
    time::{Mono, Now},
};

/// The first session after a boot waits: for a random time, so that the boxes of a town do not come in one crowd after a
/// power failure, and for the clock, so that CurrentTime and certificates can be right. A connection request or somebody on
/// the box ends the wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    until: Mono,
    /// Without a clock, until then.
    clock_until: Mono,
    clock_known: bool,
}

impl Hold {
    /// The wait that the settings ask for; `None` for none.
    pub(super) fn begin(settings: &AgentSettings, random: &mut Random, now: Now) -> Option<Self> {
        let AgentSettings { boot_wait, clock_wait, .. } = *settings;
        (boot_wait > 0 || clock_wait > 0).then(|| Self {
            until: now.mono.after_ms(random.between(0, u64::from(boot_wait) * 1000)),
            clock_until: now.mono.after_ms(u64::from(clock_wait) * 1000),
            clock_known: now.wall.is_some(),
        })
    }

    /// When the wait ends if nothing happens.
    pub(super) fn next(&self) -> Mono {
        if self.clock_known { self.until } else { self.until.max(self.clock_until) }
    }
}

impl Agent {
    /// Whether the first session still has to wait.
    pub(super) fn held(&mut self, now: Now) -> bool {
        if let Some(hold) = &mut self.hold {
            hold.clock_known |= now.wall.is_some();
        }
        self.hold = self.hold.filter(|hold| hold.next() > now.mono);
        self.hold.is_some()
    }
}
