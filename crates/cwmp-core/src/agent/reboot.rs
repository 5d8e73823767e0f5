//! DelayReboot and ScheduleReboot (TR-181 ManagementServer): restarts that are set as parameters. They wait for the end of a
//! session and are not reported as `M Reboot`.

use super::{Agent, Restart};
use crate::{
    datetime::DateTime,
    io::{Level, RebootCause},
    time::{Mono, Now, Wall},
};

/// ScheduleReboot as it was set last.
#[derive(Clone, Debug, Default)]
pub(super) struct ScheduledReboot {
    /// What was set; `None` for none.
    at: Option<Wall>,
    /// Whether it is still to be decided if it lies ahead: the date was not known when it was set.
    undecided: bool,
    /// When it is due, where it lies ahead.
    due: Option<Mono>,
}

impl ScheduledReboot {
    /// Takes the parameter. A moment that has passed does nothing, and neither does `done`, the one that was carried out
    /// last.
    pub(super) fn set(&mut self, value: DateTime, done: Option<Wall>, now: Now) {
        let at = match value {
            DateTime::At(at) => Some(at),
            DateTime::Unknown | DateTime::Infinite => None,
        };
        if at != self.at {
            *self = Self { at, undecided: at.is_some() && at != done, due: None };
            self.clock_stepped(now);
        }
    }

    /// When it is due.
    pub(super) fn due(&self) -> Option<Mono> {
        self.due
    }

    /// The clock has been set or has become known. What lay ahead once is carried out even if the clock has jumped over it.
    pub(super) fn clock_stepped(&mut self, now: Now) {
        let (Some(at), Some(wall)) = (self.at, now.wall) else { return };
        let ahead = u64::try_from(at.0.saturating_sub(wall.0)).unwrap_or(0);
        if self.due.is_some() || (self.undecided && ahead > 0) {
            self.due = Some(now.mono.after_ms(ahead));
        }
        self.undecided = false;
    }

    /// The moment, once, when it has come.
    fn fire(&mut self, now: Now) -> Option<Wall> {
        self.due.filter(|due| *due <= now.mono)?;
        if now.wall.is_some_and(|wall| self.at.is_some_and(|at| wall < at)) {
            // The two clocks have drifted apart.
            self.clock_stepped(now);
            return None;
        }
        self.due = None;
        self.at
    }
}

impl Agent {
    /// DelayReboot was changed; it counts from now, the end of the session.
    pub(super) fn delay_reboot(&mut self, seconds: Option<u32>, now: Now) {
        self.state.delayed_reboot = seconds.map(|seconds| now.mono.after_ms(u64::from(seconds) * 1000));
        self.persist_changes();
    }

    pub(super) fn fire_delayed_reboot(&mut self, now: Now) {
        if self.state.delayed_reboot.take_if(|at| *at <= now.mono).is_some() {
            self.restart_as_set("DelayReboot");
        }
    }

    pub(super) fn fire_scheduled_reboot(&mut self, now: Now) {
        if let Some(at) = self.scheduled_reboot.fire(now) {
            self.state.reboot_done = Some(at);
            self.restart_as_set("ScheduleReboot");
        }
    }

    fn restart_as_set(&mut self, parameter: &str) {
        if self.abilities.reboot {
            self.trace(Level::Info, format!("{parameter}: the box is to restart"));
            self.restart.get_or_insert(Restart::Reboot(RebootCause::Local));
        } else {
            self.trace(Level::Error, format!("{parameter}: this platform cannot restart the box"));
        }
    }
}
