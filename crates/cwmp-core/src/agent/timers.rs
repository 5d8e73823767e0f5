//! The timers of the agent and what they set off: `2 PERIODIC`, `14 HEARTBEAT`, lightweight notifications, scheduled
//! Informs and restarts.
//!
//! All of them are moments on the monotonic clock. Those that follow dates are reckoned anew when the wall clock is set or
//! becomes known.

use super::Agent;
use crate::{
    event::{EventCode, EventStruct},
    io::Level,
    limits,
    periodic::Rule,
    settings::AgentSettings,
    time::{Mono, Now},
};

impl Agent {
    pub(super) fn start_timers(&mut self, now: Now) {
        self.clock_known = now.wall.is_some();
        self.configure_timers(now);
        self.scheduled_reboot.set(self.settings.schedule_reboot, self.state.reboot_done, now);
    }

    pub(super) fn configure_timers(&mut self, now: Now) {
        self.periodic.configure(Rule::periodic_inform(&self.settings), now);
        self.heartbeat.configure(Rule::heartbeat(&self.settings), now);
        self.lightweight.configure(&self.settings, now);
    }

    /// New settings count from the end of the session, but whether ScheduleReboot lies ahead is decided when it is set.
    pub(super) fn settings_changed(&mut self, settings: Box<AgentSettings>, now: Now) {
        self.scheduled_reboot.set(settings.schedule_reboot, self.state.reboot_done, now);
        self.new_settings = Some(settings);
    }

    pub(super) fn clock_stepped(&mut self, now: Now) {
        self.periodic.clock_stepped(now);
        self.heartbeat.clock_stepped(now);
        self.lightweight.timer.clock_stepped(now);
        self.scheduled_reboot.clock_stepped(now);
        self.waits_meet_the_clock(now);
    }

    /// Does what is due, whether a session is on or not.
    pub(super) fn fire_timers(&mut self, now: Now) {
        let known = now.wall.is_some();
        if known && !std::mem::replace(&mut self.clock_known, known) {
            self.clock_stepped(now);
        }
        self.clock_known = known;
        // While CWMP is disabled there is nothing to report: the periods pass in silence.
        if self.periodic.fire(now) && self.settings.enable_cwmp {
            self.event(EventCode::Periodic);
        }
        if self.heartbeat.fire(now) && self.settings.enable_cwmp {
            self.event(EventCode::Heartbeat);
        }
        if self.lightweight.timer.fire(now) {
            self.notify_lightly(now);
        }
        self.fire_rediscovery(now);
        self.fire_schedules(now);
        self.fire_scheduled_reboot(now);
    }

    /// What calls for [`Agent::handle_time`] at any time.
    pub(super) fn timers(&self) -> impl Iterator<Item = Mono> {
        let grids =
            self.periodic.due().into_iter().chain(self.heartbeat.due()).chain(self.lightweight.timer.due());
        grids.chain(self.next_schedule()).chain(self.scheduled_reboot.due()).chain(self.next_rediscovery())
    }

    /// What calls for it while no session is on.
    pub(super) fn idle_timers(&self) -> impl Iterator<Item = Mono> {
        let session = match &self.hold {
            // What keeps a session from starting wakes the agent when it ends.
            _ if !self.may_start() || self.restart.is_some() => None,
            _ if self.transfer_has_the_box() || self.outcome_is_being_stored() => None,
            Some(hold) => Some(hold.next()),
            None => self.retry_at.into_iter().chain(self.notify_at).min(),
        };
        session
            .into_iter()
            .chain(self.state.delayed_reboot)
            .chain(self.transfer_moments())
            .chain(self.software_moments())
    }

    /// An event of a vendor: kept like those of the standard, but few of them.
    pub(super) fn vendor_event(&mut self, event: EventStruct) {
        let waiting = self.undelivered().filter(|event| event.code.is_vendor()).count();
        let code = event.code.as_str().to_owned();
        if !event.code.is_vendor() {
            self.trace(Level::Warning, format!("`{code}` is no event code of a vendor: not reported"));
        } else if waiting >= limits::VENDOR_EVENTS || !self.events.raise(event) {
            self.trace(Level::Warning, format!("too many events wait for the ACS: `{code}` is not reported"));
        } else {
            self.retry_at = None;
        }
    }
}
