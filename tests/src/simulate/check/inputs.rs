//! What reaches the agent, and what it comes to owe by that.

use cwmp_core::{
    io::{Input, LocalCommand},
    limits,
    time::Now,
};

use super::{Call, CallState, Check, InformCall, Need, Next, RebootCall, transfers::Transfer};
use crate::simulate::acs::{
    Answer, Asked, Meaning,
    transfers::{Goods, Order, When},
};

impl Check {
    /// An input is about to reach the agent; `meaning` belongs to a reply.
    pub(in crate::simulate) fn input(&mut self, input: &Input, now: Now, answer: Option<&Answer>) {
        self.now = now;
        self.effects = 0;
        match input {
            Input::Started(start) => self.started(start),
            Input::PersistFailed(ticket, _) => {
                self.handed.remove(&ticket.0);
                self.unwritten = true;
                self.store_answers(*ticket, false);
            }
            Input::Persisted(ticket) => self.store_answers(*ticket, true),
            Input::Connected => {
                if let Some(session) = &mut self.session {
                    session.connected = true;
                    session.next = Next::Post;
                }
            }
            Input::Reply(reply) => {
                self.asked_retry_after = reply.retry_after.unwrap_or(0);
                if let Some(answer) = answer {
                    self.replied(answer);
                }
            }
            Input::SessionLost(_) => {
                self.asked_retry_after = 0;
                if let Some(session) = &mut self.session {
                    session.next = Next::Fail;
                }
            }
            Input::ConnectionRequest(_) => {
                self.present.events.connection_request = Need::Must;
                self.impulse();
            }
            Input::JobDone(..)
            | Input::DiagnosticRequested { .. }
            | Input::DiagnosticWithdrawn(_)
            | Input::BoxIdle(_) => self.work(input),
            // In no world a configuration is undone, or has the box software modules.
            Input::TransferUndone(_)
            | Input::UnitsMayHaveChanged
            | Input::DataDone(_, _)
            | Input::ClockStepped
            | Input::LightweightChanged => {}
            Input::VendorEvent(event) => {
                if self.owed_now().events.vendor.len() < limits::VENDOR_EVENTS {
                    self.present.events.vendor_event(event);
                }
                self.impulse();
            }
            Input::WatchedChanged => self.impulse(),
            Input::SettingsChanged(settings) => self.pending_settings = Some((**settings).clone()),
            Input::RestartFailed(_) => {
                if std::mem::take(&mut self.restarting) {
                    self.transfer_restart_failed();
                }
                if let Some(failed) = &mut self.failed {
                    // While the box was about to restart, no session could begin.
                    failed.high = failed.high.max(now.mono.0.saturating_sub(failed.at));
                }
                self.present.reboots.clear();
                self.present.factory_reset = false;
            }
            Input::Command(LocalCommand::Inform) => {
                self.present.events.periodic = Need::Must;
                self.impulse();
            }
            Input::Command(LocalCommand::AcsMethods) => {
                self.ask_for_methods();
            }
            // Who asks for the same once more asks for nothing more.
            Input::Command(LocalCommand::RequestDownload(_)) if self.wants_download => {}
            Input::Command(LocalCommand::RequestDownload(_)) => {
                self.wants_download = self.methods.is_none_or(|[_, takes]| takes);
                match self.methods {
                    Some([_, true]) => self.request_download_is_due(),
                    Some([_, false]) => {}
                    None => self.ask_for_methods(),
                }
            }
            Input::Command(LocalCommand::Transfer(order)) => {
                let goods = [Goods::Firmware, Goods::Configuration, Goods::Upload];
                let goods = goods.into_iter().find(|goods| goods.file_type() == order.file_type);
                let (key, url, when) = (String::new(), order.url.clone(), When::After(0));
                let order = Order { key, url, goods: goods.unwrap_or(Goods::Upload), when };
                self.transfers.push(Transfer::new(&order, true, now));
            }
            Input::Command(LocalCommand::ConfirmDownload(key)) => {
                for transfer in &mut self.transfers {
                    transfer.confirmed |= transfer.key == key.as_str();
                }
            }
            Input::Command(LocalCommand::Reboot) => self.local_restart = true,
            Input::Command(LocalCommand::FactoryReset) => {
                self.present.factory_reset = true;
                self.local_restart = true;
                if let Some(call) = self.session.as_mut().and_then(|session| session.call.as_mut()) {
                    call.owed_before = true;
                }
            }
        }
        self.box_stays_up();
        if matches!(input, Input::ClockStepped) {
            self.periods.reckon_anew(now);
            self.clock_is_set();
        }
        self.time_passes(now);
        if self.resting() {
            self.adopt();
        }
    }

    /// The agent is about to be woken.
    pub(in crate::simulate) fn woken(&mut self, now: Now) {
        self.now = now;
        self.effects = 0;
        self.box_stays_up();
        self.time_passes(now);
    }

    /// The question rides in a session that is on, while the box may still ask something in it.
    fn ask_for_methods(&mut self) {
        let rides = self.session.as_ref().is_some_and(|session| session.connected && !session.said_empty);
        if !rides && !self.acs_methods_asked {
            self.present.events.periodic = Need::Must;
        }
        self.acs_methods_asked = true;
        self.impulse();
    }

    pub(super) fn request_download_is_due(&mut self) {
        self.present.events.request_download = Need::Must;
        self.impulse();
    }

    /// The data model has answered for a lightweight notification.
    pub(in crate::simulate) fn lightweight(&mut self, found: bool, now: Now) {
        let may = found && now.wall.is_some();
        self.datagram = if may { Need::Must } else { Need::No };
    }

    fn time_passes(&mut self, now: Now) {
        if !self.restarting && self.periods.fire(now) {
            self.present.events.periodic = Need::Must;
            self.impulse();
        }
    }

    pub(super) fn impulse(&mut self) {
        if let Some(failed) = &mut self.failed {
            failed.cut_short = true;
        }
    }

    pub(super) fn adopt(&mut self) {
        let Some(settings) = self.pending_settings.take() else { return };
        let other = settings.url != self.settings.url;
        self.settings = settings;
        self.periods.configure(&self.settings, self.now);
        if other {
            self.present.retry = 0;
            self.failures_since_boot = 0;
            self.failed = None;
            if self.present.events.bootstrap != Need::Must {
                self.discard_what_is_due();
            }
            self.forget_reports();
            self.acs_methods_asked |= self.wants_download;
            self.present.other_acs();
            self.present.url_just_changed = true;
        }
    }

    /// The data model answers for the Inform.
    pub(in crate::simulate) fn gathered(&mut self, value_change: Option<bool>, now: Now) {
        self.now = now;
        if !self.gathering {
            return;
        }
        match value_change {
            Some(change) => (self.value_change, self.answered) = (change, true),
            None => {
                self.asked_retry_after = 0;
                self.gathering = false;
                self.session_failed();
            }
        }
    }

    fn replied(&mut self, answer: &Answer) {
        let Some(session) = &mut self.session else { return };
        let request = session.request.clone();
        session.held = answer.held;
        session.next = match (&answer.meaning, &request) {
            (Meaning::Accepted, Some((method, ..))) if method == "Inform" => {
                session.established = true;
                session.request = None;
                self.in_flight = None;
                self.present.contacted = self.settings.url.as_ref().map(ToString::to_string);
                if self.present.events.periodic == Need::No {
                    self.present.periodic_failed = false;
                }
                Next::Post
            }
            (Meaning::Again, Some((_, _, times))) if *times <= limits::REPEATS_AFTER_8005 => Next::Post,
            (Meaning::Again, Some(_)) => Next::Fail,
            (Meaning::Answered | Meaning::Methods(_), Some((method, ..))) if method != "Inform" => {
                session.request = None;
                session.next = Next::Post;
                let methods = match answer.meaning {
                    Meaning::Methods(methods) => Some(methods),
                    _ => None,
                };
                let reporting = session.reporting.take();
                return self.answered(method, reporting, methods);
            }
            (Meaning::Call(asked), None) => {
                let (mut reboot, mut inform) = (None, None);
                let owed_before = self.present.factory_reset;
                let mut too_late = false;
                match asked {
                    Asked::Reboot(key) => {
                        if self.present.reboots.len() < limits::INFORM_EVENTS {
                            reboot = Some(self.calls.len());
                            self.present.reboots.push(self.calls.len());
                        }
                        self.calls.push(RebootCall { key: key.clone(), state: CallState::Called });
                    }
                    Asked::ScheduleInform(delay, key) => {
                        inform = Some(self.informs.len());
                        self.present.events.scheduled.push((self.informs.len(), Need::No));
                        self.informs.push(InformCall::new(key, *delay, self.now));
                    }
                    Asked::FactoryReset => self.present.factory_reset = true,
                    Asked::Transfer(order) => self.transfers.push(Transfer::new(order, false, self.now)),
                    Asked::Cancel(key) => too_late = self.cancel_called(key),
                    Asked::Queue | Asked::Other(_) | Asked::Faulty(_) => {}
                }
                let (id, asked) = (answer.id.clone(), asked.clone());
                if let Some(session) = &mut self.session {
                    session.call = Some(Call { id, asked, reboot, inform, owed_before, too_late });
                    session.next = Next::Post;
                }
                return;
            }
            (Meaning::Nothing, None) if session.said_empty => Next::End,
            (Meaning::Nothing, None) => Next::Post,
            _ => Next::Fail,
        };
    }
}
