//! What the agent does: whether it may, and what it must have done before it rests.

use cwmp_core::{
    io::{Effect, RebootCause, Ticket},
    stored::Stored,
};

use super::{
    CallId, CallState, Check, EFFECTS_OF_AN_INPUT, Finding, LATE_MS, Need, Next, Session, transfers::Step,
};
use crate::simulate::{acs::Posted, owed::Owed};

impl Check {
    /// An effect of the agent, before it is carried out. `stored` is what is on stable storage.
    pub(in crate::simulate) fn effect(
        &mut self,
        effect: &Effect,
        posted: Option<&Posted>,
        stored: &Stored,
    ) -> Finding {
        self.effects += 1;
        if self.effects > EFFECTS_OF_AN_INPUT {
            return Err(format!("more than {EFFECTS_OF_AN_INPUT} effects of one input"));
        }
        if self.restarting
            && !matches!(
                effect,
                Effect::Persist(..)
                    | Effect::Trace(_)
                    | Effect::ReleaseSnapshot(_)
                    | Effect::Listen(_)
                    | Effect::ListenUdp(_)
                    | Effect::ListenXmpp(_)
            )
        {
            return Err(format!("{effect:?} while the box restarts"));
        }
        match effect {
            Effect::Persist(ticket, state) => self.persist(*ticket, state),
            Effect::OpenSession(target) => self.open(target.url.to_string()),
            Effect::Post(_) => match posted {
                Some(posted) => self.post(posted, stored),
                None => Err("the box has posted what no ACS can read".to_owned()),
            },
            Effect::CloseSession => self.close(),
            Effect::Data(_, cwmp_core::io::DataOp::Inform { .. }) => self.attempt(),
            Effect::SendDatagram(_) => match std::mem::take(&mut self.datagram) {
                Need::No => Err("a lightweight notification of nothing".to_owned()),
                Need::May | Need::Must => Ok(()),
            },
            Effect::Data(_, cwmp_core::io::DataOp::Lightweight) if !self.settings.lightweight.udp => {
                Err("a lightweight notification, which nobody has switched on".to_owned())
            }
            Effect::Data(..)
            | Effect::ReleaseSnapshot(_)
            | Effect::Listen(_)
            | Effect::ListenUdp(_)
            | Effect::ListenXmpp(_)
            | Effect::Trace(_) => Ok(()),
            Effect::StartJob(id, job) => self.job_starts(*id, job, stored),
            Effect::CancelJob(id) => self.job_stops(*id),
            Effect::DiscardFile(_) | Effect::KeepImage | Effect::RenewDhcp => Ok(()),
            Effect::Reboot(cause) => {
                let asked = match cause {
                    RebootCause::Acs => !self.present.reboots.is_empty(),
                    RebootCause::Local => self.local_restart,
                    RebootCause::Transfer => self.transfer_restart,
                };
                self.restart(asked)
            }
            Effect::FactoryReset => self.restart(self.present.factory_reset || self.local_restart),
        }
    }

    fn restart(&mut self, asked: bool) -> Finding {
        if self.resting() {
            self.adopt();
        }
        self.restarting = true;
        // What is here and not yet applied waits for the time after the boot.
        for transfer in self.transfers.iter_mut().filter(|transfer| transfer.step == Step::Here) {
            transfer.step = Step::Waiting;
            transfer.storing = None;
        }
        match () {
            () if self.session.is_some() || self.gathering => {
                Err("the box restarts during a session".to_owned())
            }
            () if self.box_is_taken() => Err("the box restarts while it is written to".to_owned()),
            () if !asked => Err("the box restarts, and nobody has asked for it".to_owned()),
            () => Ok(()),
        }
    }

    fn persist(&mut self, ticket: Ticket, state: &Stored) -> Finding {
        if self.resting() {
            self.adopt();
        }
        self.writes += 1;
        self.stores_what_is_here(ticket);
        let promise = self.session.as_ref().is_some_and(|session| session.call.is_some());
        if *state == self.last_state && !self.unwritten && !promise {
            return Err("the state is written though nothing in it has changed".to_owned());
        }
        self.last_state.clone_from(state);
        self.unwritten = false;
        let mut owed = self.owed_now();
        self.last_handed = owed.clone();
        // A periodic event is worth a write only once its session has failed.
        let periodic = if owed.periodic_failed { Need::Must } else { Need::May };
        owed.events.periodic = owed.events.periodic.min(periodic);
        owed.events.only_what_is_kept();
        self.handed.insert(ticket.0, owed);
        Ok(())
    }

    /// The agent begins a session by asking for the parameters of its Inform.
    fn attempt(&mut self) -> Finding {
        if self.session.is_some() || self.gathering {
            return Err("a second session begins while one is on".to_owned());
        }
        self.adopt();
        if self.box_is_taken() {
            return Err("a session begins while the box is written to".to_owned());
        }
        if let Some(failed) = self.failed.take() {
            let waited = self.now.mono.0.saturating_sub(failed.at);
            if waited < failed.low && !failed.cut_short && !self.due_since(failed.at) {
                return Err(format!("tried again after {waited} ms instead of {} at least", failed.low));
            }
            let high = failed.high.max(self.busy_until.saturating_sub(failed.at));
            if waited > high + LATE_MS {
                return Err(format!("tried again after {waited} ms instead of {} at most", failed.high));
            }
        }
        self.gathering = true;
        self.answered = false;
        self.value_change = false;
        self.present.url_just_changed = false;
        self.weigh_schedules();
        self.list_transfers();
        self.in_flight = Some(std::mem::take(&mut self.present.events));
        Ok(())
    }

    fn open(&mut self, url: String) -> Finding {
        if self.session.is_some() || !self.gathering {
            return Err("OpenSession while a session is on, or before the parameters were there".to_owned());
        }
        self.gathering = false;
        if Some(&url) != self.settings.url.as_ref().map(ToString::to_string).as_ref() {
            return Err(format!("a session with {url}, which is not the ACS"));
        }
        self.session = Some(Session {
            connected: false,
            next: Next::Wait,
            inform: None,
            established: false,
            said_empty: false,
            held: false,
            request: None,
            reporting: None,
            call: None,
            opened: self.now,
        });
        Ok(())
    }

    fn close(&mut self) -> Finding {
        let Some(session) = self.session.take() else {
            return Err("CloseSession without a session".to_owned());
        };
        match session.next {
            Next::End => {
                self.successes += 1;
                self.present.retry = 0;
                self.failures_since_boot = 0;
                self.failed = None;
            }
            Next::Fail => self.session_failed(),
            next => return Err(format!("closed when {next:?} was due")),
        }
        Ok(())
    }

    /// The agent has nothing more to do until the next input.
    pub(in crate::simulate) fn quiet(&mut self) -> Finding {
        if let Some(finding) = self.broken.take() {
            return Err(finding);
        }
        self.transfers_are_kept()?;
        self.stopped_for_a_reason()?;
        if self.datagram == Need::Must && !self.restarting {
            return Err("a lightweight notification is not sent".to_owned());
        }
        self.datagram = Need::No;
        if self.gathering && self.answered {
            // No session was opened upon the answer.
            self.gathering = false;
            if let Some(taken) = self.in_flight.take() {
                if taken.urgent() || !self.listed.is_empty() || self.value_change || self.present.retry != 0 {
                    return Err("no session, though there is something to tell".to_owned());
                }
                self.present.events.put_back(&taken);
            }
        }
        if self.resting() {
            self.adopt();
            if self.transfer_restart && !self.box_is_taken() {
                return Err("what was written waits for its restart".to_owned());
            }
            if self.present.reboots.iter().any(|id| self.is_promised(*id)) && !self.box_is_taken() {
                return Err("a promised reboot does not happen".to_owned());
            }
        }
        let owed = self.owed_now();
        if !self.unwritten && owed.essence() != self.last_handed.essence() {
            return Err(format!(
                "what must survive is not handed to the store: {:?} instead of {:?}",
                self.last_handed.essence(),
                owed.essence()
            ));
        }
        match &self.session {
            Some(session) if matches!(session.next, Next::End | Next::Fail) => {
                Err("a session that is over is not closed".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// What is owed, with what the present Inform tells.
    pub(super) fn owed_now(&self) -> Owed {
        let mut owed = self.present.clone();
        if let Some(in_flight) = &self.in_flight {
            owed.events.put_back(in_flight);
        }
        owed
    }

    fn is_promised(&self, id: CallId) -> bool {
        self.calls.get(id).is_some_and(|call| call.state == CallState::Promised)
    }
}
