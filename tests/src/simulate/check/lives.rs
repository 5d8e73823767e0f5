//! What outlives a failed session and the end of the program.

use cwmp_core::{
    event::EventCode,
    io::{BootCause, Start},
    limits,
    settings::AgentSettings,
};

use super::{CallState, Check, Failed, Need, Periods};

impl Check {
    /// The program starts: what it knows is what was durable.
    pub(super) fn started(&mut self, start: &Start) {
        self.present = self.durable.clone();
        self.last_handed = self.durable.clone();
        self.last_state = start.state.clone();
        if start.cause == BootCause::Boot {
            // What is on the disk names another boot.
            self.last_state.boot_id.clear();
        }
        self.in_flight = None;
        self.gathering = false;
        self.session = None;
        self.handed.clear();
        self.unwritten = false;
        self.restarting = false;
        self.local_restart = false;
        self.acs_methods_asked = false;
        self.failed = None;
        self.diagnostic = None;
        self.stopped_diagnostic = None;
        self.datagram = Need::No;
        self.methods = None;
        self.wants_download = false;
        self.resume_transfers(start);
        self.failures_since_boot = 0;
        self.settings = start.settings.clone();
        self.pending_settings = None;
        self.periods = Periods::default();
        self.periods.configure(&self.settings, self.now);
        if self.present.url_just_changed {
            self.present.retry = start.state.retry_count;
            self.last_handed.retry = self.present.retry;
            if start.state.events.iter().any(|event| event.code == EventCode::Boot) {
                self.last_handed.events.boot = Need::Must;
                self.present.events.boot = Need::Must;
            }
        }
        if start.cause == BootCause::Boot {
            self.present.events.boot = Need::Must;
            for id in std::mem::take(&mut self.present.reboots) {
                let promised = self.calls.get(id).is_some_and(|call| call.state == CallState::Promised);
                self.present.events.reboots.push((id, if promised { Need::Must } else { Need::May }));
            }
        }
        if self.present.url_just_changed {
            // The state may have been written shortly before the change, though the settings were changed by then.
            self.present.events.reboots.iter_mut().for_each(|(_, need)| *need = Need::May);
            self.discard_what_is_due();
            self.forget_reports();
            let url = self.settings.url.as_ref().map(ToString::to_string);
            if start.state.bootstrapped == url {
                self.present.contacted = url;
                self.present.events.bootstrap = Need::No;
            }
        }
        let url = self.settings.url.as_ref().map(ToString::to_string);
        if self.present.contacted != url {
            self.forget_reports();
            let booted = self.present.events.boot;
            self.discard_what_is_due();
            self.present.other_acs();
            self.present.events.boot = booted;
        }
    }

    /// A session, or the attempt at one, has failed: its events stay owed, and a wait begins.
    pub(super) fn session_failed(&mut self) {
        if let Some(undelivered) = self.in_flight.take() {
            self.present.periodic_failed |= undelivered.periodic == Need::Must;
            let mut undelivered = undelivered;
            undelivered.vendor.iter_mut().for_each(|event| event.failed = true);
            self.present.events.put_back(&undelivered);
        }
        self.present.retry += 1;
        self.failures_since_boot += 1;
        let (low, high) = range_ms(&self.settings, self.failures_since_boot);
        let asked = u64::from(self.asked_retry_after.min(limits::RETRY_AFTER_SECONDS)) * 1000;
        let at = self.now.mono.0;
        self.failed = Some(Failed { at, low: low.max(asked), high: high.max(asked), cut_short: false });
    }
}

/// The wait before a retry: m * (k/1000)^(n-1) to m * (k/1000)^n, from the tenth on the same, a week at most.
fn range_ms(settings: &AgentSettings, retry: u32) -> (u64, u64) {
    let row = i32::try_from(retry.min(10)).unwrap_or(10);
    let factor = f64::from(settings.retry_interval_multiplier) / 1000.0;
    let bound = |exponent: i32| {
        let ms = f64::from(settings.retry_minimum_wait_interval) * 1000.0 * factor.powi(exponent);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a week")]
        let whole = ms.clamp(0.0, 7.0 * 86_400_000.0) as u64;
        whole
    };
    (bound(row - 1).saturating_sub(1), bound(row) + 1)
}
