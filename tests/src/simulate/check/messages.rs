//! What the box posts: whether it may be said now, and whether it is true.

use cwmp_core::{
    datetime::DateTime,
    fault::FaultCode,
    limits,
    rpc::{AcsRequest, CpeResponse, Envelope, Fault, Inform, ToAcs},
    stored::Stored,
};

use super::{Call, CallState, Check, Finding, Next};
use crate::simulate::{
    acs::{Asked, Posted},
    owed::Owed,
};

impl Check {
    pub(super) fn post(&mut self, posted: &Posted, stored: &Stored) -> Finding {
        let Some(session) = &mut self.session else {
            return Err("something is posted outside a session".to_owned());
        };
        if !session.connected || session.next != Next::Post {
            return Err(format!("posted when {:?} was due", session.next));
        }
        session.next = Next::Wait;
        match posted {
            Posted::Empty if !session.established => Err("an empty POST before Inform".to_owned()),
            Posted::Empty if session.call.is_some() => Err("an empty POST instead of a response".to_owned()),
            Posted::Empty if session.request.is_some() => Err("no repetition after fault 8005".to_owned()),
            Posted::Empty => {
                session.said_empty |= !session.held;
                if session.said_empty { self.all_is_reported() } else { Ok(()) }
            }
            Posted::Message(envelope) => match &envelope.message {
                ToAcs::Request(AcsRequest::Inform(inform)) => self.inform(inform, envelope),
                ToAcs::Request(request) => self.request(request, envelope, stored),
                ToAcs::Response(response) => self.response(Ok(response), envelope, stored),
                ToAcs::Fault(fault) => self.response(Err(fault), envelope, stored),
                ToAcs::Unusable { method, .. } => Err(format!("the box has sent an unusable {method}")),
            },
        }
    }

    fn inform(&mut self, inform: &Inform, envelope: &Envelope<ToAcs>) -> Finding {
        let Some(session) = &mut self.session else { return Ok(()) };
        if let Some(before) = &session.inform {
            let repeated = session.request.as_mut().filter(|(_, id, _)| *id == envelope.header.id);
            return match repeated {
                Some((_, _, times)) if before == inform => {
                    *times += 1;
                    Ok(())
                }
                _ => Err("a second Inform that is no repetition".to_owned()),
            };
        }
        session.inform = Some(inform.clone());
        session.request = Some(("Inform".to_owned(), envelope.header.id.clone(), 1));
        let opened = session.opened.wall.map_or(DateTime::Unknown, |wall| DateTime::At(wall.whole_seconds()));
        if inform.current_time != opened {
            return Err(format!("CurrentTime is {:?} instead of {opened:?}", inform.current_time));
        }
        let retry = self.present.retry;
        if retry != inform.retry_count {
            return Err(format!("RetryCount is {} instead of {retry}", inform.retry_count));
        }
        let mut owed = self.in_flight.take().unwrap_or_default();
        let rest = self.compare_transfers(&inform.events)?;
        let full = inform.events.len() >= limits::INFORM_EVENTS;
        if inform.events.len() > limits::INFORM_EVENTS {
            return Err(format!("an Inform with {} events", inform.events.len()));
        }
        let behind = owed.compare(&rest, full, self.value_change, |code, id| self.key(code, id))?;
        self.in_flight = Some(owed);
        self.present.events.put_back(&behind);
        self.last_inform = Some(inform.clone());
        Ok(())
    }

    fn request(&mut self, request: &AcsRequest, envelope: &Envelope<ToAcs>, stored: &Stored) -> Finding {
        let Some(session) = &mut self.session else { return Ok(()) };
        let method = request.method();
        if let Some((before, id, times)) = &mut session.request {
            if before == method && *id == envelope.header.id {
                *times += 1;
                return Ok(());
            }
            return Err(format!("{method} instead of {before} again"));
        }
        if !session.established || session.said_empty || session.held || session.call.is_some() {
            return Err(format!("{method} where the box may not send a request"));
        }
        session.request = Some((method.to_owned(), envelope.header.id.clone(), 1));
        let reporting = self.report(request, stored)?;
        if let Some(session) = &mut self.session {
            session.reporting = reporting;
        }
        Ok(())
    }

    /// A call was refused: it is owed no more. What was handed over last may be without it already.
    fn never_promised(&mut self, withdraw: impl Fn(&mut Owed)) {
        withdraw(&mut self.present);
        if !self.unwritten {
            withdraw(&mut self.last_handed);
            self.handed.values_mut().for_each(&withdraw);
        }
    }

    fn response(
        &mut self,
        response: Result<&CpeResponse, &Fault>,
        envelope: &Envelope<ToAcs>,
        stored: &Stored,
    ) -> Finding {
        let call = self.session.as_mut().and_then(|session| session.call.take());
        let Some(Call { id, asked, reboot, inform, owed_before, too_late }) = call else {
            return Err("a response to no call".to_owned());
        };
        if envelope.header.id != id {
            return Err(format!("the ID is {:?} instead of {id:?}", envelope.header.id));
        }
        match (asked, response) {
            (Asked::Reboot(key), Ok(CpeResponse::Reboot)) => {
                let Some(call) = reboot else {
                    return Err("more Reboot calls are promised than can be reported".to_owned());
                };
                if !stored.reboots.iter().any(|stored| stored.as_str() == key) {
                    return Err(format!("RebootResponse is sent before its key `{key}` is stored"));
                }
                if let Some(call) = self.calls.get_mut(call) {
                    call.state = CallState::Promised;
                }
                Ok(())
            }
            (Asked::Reboot(_), Err(_)) => {
                if let Some(refused) = reboot {
                    self.never_promised(|owed| owed.reboots.retain(|call| *call != refused));
                    if let Some(call) = self.calls.get_mut(refused) {
                        call.state = CallState::Refused;
                    }
                }
                Ok(())
            }
            (Asked::ScheduleInform(_, key), Ok(CpeResponse::ScheduleInform)) => {
                let Some(id) = inform else { return Ok(()) };
                if let Some(call) = self.informs.get_mut(id) {
                    call.state = CallState::Promised;
                }
                let durable = stored.schedules.iter().any(|call| call.command_key.as_str() == key);
                if durable && self.durable.events.scheduled.iter().any(|(known, _)| *known == id) {
                    Ok(())
                } else {
                    Err(format!("ScheduleInformResponse is sent before its key `{key}` is stored"))
                }
            }
            (Asked::ScheduleInform(..), Err(fault)) => {
                self.never_promised(|owed| owed.events.scheduled.retain(|(id, _)| Some(*id) != inform));
                if let Some(call) = inform.and_then(|id| self.informs.get_mut(id)) {
                    call.state = CallState::Refused;
                }
                refused_with(fault, FaultCode::INTERNAL_ERROR)
            }
            (Asked::FactoryReset, Ok(CpeResponse::FactoryReset)) => {
                if stored.factory_reset {
                    Ok(())
                } else {
                    Err("FactoryResetResponse is sent before the promise is stored".to_owned())
                }
            }
            (Asked::FactoryReset, Err(_)) => {
                self.never_promised(|owed| owed.factory_reset = owed_before);
                Ok(())
            }
            (Asked::Transfer(order), response) => self.order_answered(&order, response, stored),
            (Asked::Cancel(key), response) => self.cancel_answered(&key, too_late, response, stored),
            (Asked::Queue, response) => self.queue_answered(response),
            (Asked::Other(method), Ok(response)) if response.method() == method => Ok(()),
            (Asked::Other(method), Err(_)) if method != "GetRPCMethods" => Ok(()),
            (Asked::Faulty(Some(code)), Err(fault)) => refused_with(fault, code),
            (Asked::Faulty(None), Err(fault)) if fault.faultcode == "MustUnderstand" => Ok(()),
            (asked, response) => Err(format!("{asked:?} was answered with {response:?}")),
        }
    }
}

fn refused_with(fault: &Fault, code: FaultCode) -> Finding {
    let found = fault.cwmp.as_ref().map(|cwmp| cwmp.code);
    if found == Some(code) { Ok(()) } else { Err(format!("fault {found:?} instead of {code}")) }
}
