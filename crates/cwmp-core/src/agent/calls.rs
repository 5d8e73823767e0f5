//! What the agent does with the calls of the ACS: whom it asks, and what must be stored before it answers.

use super::{Agent, OpenSession, Restart, Stage, session::Answer};
use crate::{
    fault::{CwmpFault, FaultCode},
    io::{DataOp, DataReply, Effect, ListingKind, OpId, RebootCause, Ticket},
    limits,
    rpc::{CommandKey, CpeRequest, CpeResponse},
    time::Now,
};

/// A call of the ACS that waits for somebody else.
#[derive(Debug)]
pub(super) enum Call {
    /// The data model works on it.
    Data { op: OpId, kind: DataCall },
    /// The answer is a promise that must be on stable storage first.
    Storing { ticket: Ticket, promise: Promise },
}

/// Which response the data model's reply becomes.
#[derive(Clone, Copy, Debug)]
pub(super) enum DataCall {
    Set,
    SetAttributes,
    Add,
    Delete,
    List(ListingKind),
}

/// What is promised to the ACS.
#[derive(Clone, Copy, Debug)]
pub(super) enum Promise {
    Reboot,
    FactoryReset,
}

impl Agent {
    /// The methods that work on this box, for GetRPCMethods (TR-069a6 A.3.1.1). What is not listed is refused with 9000.
    fn methods(&self) -> Vec<String> {
        let always = [
            "GetRPCMethods",
            "SetParameterValues",
            "GetParameterValues",
            "GetParameterNames",
            "SetParameterAttributes",
            "GetParameterAttributes",
            "AddObject",
            "DeleteObject",
        ];
        let reboot = self.abilities.reboot.then_some("Reboot");
        let factory_reset = self.abilities.factory_reset.then_some("FactoryReset");
        always.into_iter().chain(reboot).chain(factory_reset).map(str::to_owned).collect()
    }

    /// Executes a call of the ACS, or has it executed.
    pub(super) fn execute(&mut self, request: CpeRequest) {
        match request {
            CpeRequest::GetRPCMethods => {
                let methods = self.methods();
                self.answer(Answer::Response(CpeResponse::GetRPCMethods(methods)));
            }
            CpeRequest::SetParameterValues(call) => {
                let op = DataOp::Set { parameters: call.parameters, parameter_key: call.parameter_key };
                self.ask_data(op, DataCall::Set);
            }
            CpeRequest::GetParameterValues(call) => {
                self.ask_data(DataOp::Values { names: call.names }, DataCall::List(ListingKind::Values));
            }
            CpeRequest::GetParameterNames(call) => {
                let op = DataOp::Names { path: call.path, next_level: call.next_level };
                self.ask_data(op, DataCall::List(ListingKind::Names));
            }
            CpeRequest::SetParameterAttributes(call) => {
                self.ask_data(DataOp::SetAttributes { entries: call.entries }, DataCall::SetAttributes);
            }
            CpeRequest::GetParameterAttributes(call) => {
                self.ask_data(
                    DataOp::Attributes { names: call.names },
                    DataCall::List(ListingKind::Attributes),
                );
            }
            CpeRequest::AddObject(call) => {
                let op = DataOp::Add { object_name: call.object_name, parameter_key: call.parameter_key };
                self.ask_data(op, DataCall::Add);
            }
            CpeRequest::DeleteObject(call) => {
                let op = DataOp::Delete { object_name: call.object_name, parameter_key: call.parameter_key };
                self.ask_data(op, DataCall::Delete);
            }
            CpeRequest::Reboot(call) if self.abilities.reboot => self.promise_reboot(call.command_key),
            CpeRequest::FactoryReset if self.abilities.factory_reset => {
                self.state.factory_reset = true;
                self.store_then_answer(Promise::FactoryReset);
            }
            other => {
                let text = format!("{} is not supported", other.method());
                self.refuse(FaultCode::METHOD_NOT_SUPPORTED, text);
            }
        }
    }

    fn promise_reboot(&mut self, key: CommandKey) {
        if self.state.reboots.len() >= limits::INFORM_EVENTS {
            return self
                .refuse(FaultCode::RESOURCES_EXCEEDED, "too many Reboot calls are pending".to_owned());
        }
        self.state.reboots.push(key);
        self.store_then_answer(Promise::Reboot);
    }

    fn store_then_answer(&mut self, promise: Promise) {
        let ticket = self.persist();
        if let Some(open) = self.open() {
            open.call = Some(Call::Storing { ticket, promise });
        }
    }

    fn ask_data(&mut self, op: DataOp, kind: DataCall) {
        let op = self.data(op);
        if let Some(open) = self.open() {
            open.call = Some(Call::Data { op, kind });
        }
    }

    /// The store has answered. Promises are kept once they are stored, even if the session is gone by then.
    pub(super) fn persisted(&mut self, ticket: Ticket, stored: bool, now: Now) {
        let Some(Call::Storing { ticket: awaited, promise }) = self.open().and_then(|open| {
            open.call
                .take_if(|call| matches!(call, Call::Storing { ticket: awaited, .. } if *awaited <= ticket))
        }) else {
            return;
        };
        debug_assert!(awaited <= ticket);
        match (promise, stored) {
            (Promise::Reboot, true) => {
                // A factory reset that was promised earlier in the session includes the restart.
                self.restart.get_or_insert(Restart::Reboot(RebootCause::Acs));
                self.answer(Answer::Response(CpeResponse::Reboot));
            }
            (Promise::FactoryReset, true) => {
                self.restart = Some(Restart::FactoryReset);
                self.answer(Answer::Response(CpeResponse::FactoryReset));
            }
            (Promise::Reboot, false) => {
                self.state.reboots.pop();
                self.refuse(FaultCode::INTERNAL_ERROR, "the request cannot be stored".to_owned());
            }
            (Promise::FactoryReset, false) => {
                self.state.factory_reset = false;
                self.refuse(FaultCode::INTERNAL_ERROR, "the request cannot be stored".to_owned());
            }
        }
        self.pump(now);
    }

    /// The data model has answered.
    pub(super) fn data_done(&mut self, op: OpId, result: Result<DataReply, CwmpFault>, now: Now) {
        if self.lightweight.awaits(op) {
            return self.send_lightly(result, now);
        }
        if let Stage::Gathering { op: awaited, .. } = &self.stage
            && *awaited == op
        {
            return self.inform_data(result, now);
        }
        let awaited = self.open().and_then(|open| {
            open.call.take_if(|call| matches!(call, Call::Data { op: awaited, .. } if *awaited == op))
        });
        let Some(Call::Data { kind, .. }) = awaited else {
            // The session that wanted it is gone.
            if let Ok(DataReply::Listing { snapshot, .. }) = result {
                self.effects.push_back(Effect::ReleaseSnapshot(snapshot));
            }
            return;
        };
        let answer = match result {
            Ok(reply) => answer_of(kind, reply),
            Err(fault) => Answer::Fault(fault),
        };
        self.answer(answer);
        self.pump(now);
    }

    fn inform_data(&mut self, result: Result<DataReply, CwmpFault>, now: Now) {
        let Stage::Gathering { events, .. } = std::mem::replace(&mut self.stage, Stage::Idle) else { return };
        match result {
            Ok(DataReply::Inform { parameters, value_change }) => {
                self.gathered(events, parameters, value_change, now)
            }
            other => {
                self.stage = Stage::Gathering { op: OpId(0), events };
                let reason = match other {
                    Err(fault) => fault.to_string(),
                    Ok(_) => "the data model answered something else".to_owned(),
                };
                self.session_failed(super::Failure::new(format!("no parameters for the Inform: {reason}")));
            }
        }
    }

    fn refuse(&mut self, code: FaultCode, text: String) {
        self.answer(Answer::Fault(CwmpFault::new(code, text)));
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(open) = self.open() {
            open.session.answer(answer);
        }
    }

    /// The session that is on.
    pub(super) fn open(&mut self) -> Option<&mut OpenSession> {
        match &mut self.stage {
            Stage::Open(open) => Some(open),
            _ => None,
        }
    }
}

fn answer_of(kind: DataCall, reply: DataReply) -> Answer {
    match (kind, reply) {
        (DataCall::Set, DataReply::Status(status)) => {
            Answer::Response(CpeResponse::SetParameterValues(status))
        }
        (DataCall::Delete, DataReply::Status(status)) => Answer::Response(CpeResponse::DeleteObject(status)),
        (DataCall::Add, DataReply::Added(added)) => Answer::Response(CpeResponse::AddObject(added)),
        (DataCall::SetAttributes, DataReply::Done) => Answer::Response(CpeResponse::SetParameterAttributes),
        (DataCall::List(kind), DataReply::Listing { snapshot, count }) => {
            Answer::Listing { kind, snapshot, count }
        }
        (kind, _) => {
            let text = format!("the data model answered {kind:?} with something else");
            Answer::Fault(CwmpFault::new(FaultCode::INTERNAL_ERROR, text))
        }
    }
}
