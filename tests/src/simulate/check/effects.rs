//! What the agent does: whether it may, and what it must have done before it rests.

use cwmp_core::{
    io::{Effect, RebootCause, Ticket},
    stored::Stored,
};

use super::{CallId, CallState, Check, EFFECTS_OF_AN_INPUT, Finding, LATE_MS, Need, Next, Session};
use crate::simulate::acs::Posted;

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
                Effect::Persist(..) | Effect::Trace(_) | Effect::ReleaseSnapshot(_) | Effect::Listen(_)
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
            Effect::SendDatagram(_) => {
                Err("a lightweight notification, which nobody has switched on".to_owned())
            }
            Effect::Data(..) | Effect::ReleaseSnapshot(_) | Effect::Listen(_) | Effect::Trace(_) => Ok(()),
            Effect::StartJob(..) | Effect::CancelJob(_) | Effect::DiscardFile(_) => {
                Err("a job, which nobody has asked for".to_owned())
            }
            Effect::Reboot(cause) => {
                let asked = match cause {
                    RebootCause::Acs => !self.present.reboots.is_empty(),
                    RebootCause::Local => self.local_restart,
                    RebootCause::Transfer => false,
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
        match () {
            () if self.session.is_some() || self.gathering => {
                Err("the box restarts during a session".to_owned())
            }
            () if !asked => Err("the box restarts, and nobody has asked for it".to_owned()),
            () => Ok(()),
        }
    }

    fn persist(&mut self, ticket: Ticket, state: &Stored) -> Finding {
        if self.resting() {
            self.adopt();
        }
        self.writes += 1;
        let promise = self.session.as_ref().is_some_and(|session| session.call.is_some());
        if *state == self.last_state && !self.unwritten && !promise {
            return Err("the state is written though nothing in it has changed".to_owned());
        }
        self.last_state.clone_from(state);
        self.unwritten = false;
        let mut owed = self.present.clone();
        if let Some(in_flight) = &self.in_flight {
            owed.events.put_back(in_flight);
        }
        self.last_handed = owed.clone();
        // A periodic event is worth a write only once its session has failed.
        let periodic = if owed.periodic_failed { Need::Must } else { Need::May };
        owed.events.periodic = owed.events.periodic.min(periodic);
        owed.events.connection_request = Need::No;
        // So is a boot, where only the program starts again.
        owed.events.boot = if owed.boot_failed() { Need::Must } else { Need::No };
        self.handed.insert(ticket.0, owed);
        Ok(())
    }

    /// The agent begins a session by asking for the parameters of its Inform.
    fn attempt(&mut self) -> Finding {
        if self.session.is_some() || self.gathering {
            return Err("a second session begins while one is on".to_owned());
        }
        self.adopt();
        if let Some(failed) = self.failed.take() {
            let waited = self.now.mono.0.saturating_sub(failed.at);
            if waited < failed.low && !failed.cut_short && !self.due_since(failed.at) {
                return Err(format!("tried again after {waited} ms instead of {} at least", failed.low));
            }
            if waited > failed.high + LATE_MS {
                return Err(format!("tried again after {waited} ms instead of {} at most", failed.high));
            }
        }
        self.gathering = true;
        self.answered = false;
        self.value_change = false;
        self.present.url_just_changed = false;
        self.weigh_schedules();
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
        if self.gathering && self.answered {
            // No session was opened upon the answer.
            self.gathering = false;
            if let Some(taken) = self.in_flight.take() {
                if taken.urgent() || self.value_change || self.present.retry != 0 {
                    return Err("no session, though there is something to tell".to_owned());
                }
                self.present.events.put_back(&taken);
            }
        }
        if self.resting() {
            self.adopt();
            if self.present.reboots.iter().any(|id| self.is_promised(*id)) {
                return Err("a promised reboot does not happen".to_owned());
            }
        }
        let mut owed = self.present.clone();
        if let Some(in_flight) = &self.in_flight {
            owed.events.put_back(in_flight);
        }
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

    fn is_promised(&self, id: CallId) -> bool {
        self.calls.get(id).is_some_and(|call| call.state == CallState::Promised)
    }
}
