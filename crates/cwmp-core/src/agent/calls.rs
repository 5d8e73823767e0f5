//! What the agent does with the calls of the ACS: whom it asks, and what must be stored before it answers.

use super::{Agent, OpenSession, Restart, Stage, schedule::is_same_call, session::Answer};
use crate::{
    fault::{CwmpFault, FaultCode},
    io::{DataOp, DataReply, Effect, ListingKind, OpId, RebootCause, Ticket},
    job::TransferId,
    limits,
    rpc::{CommandKey, CpeRequest, CpeResponse},
    stored::ScheduledInform,
    time::Now,
    transfer::Transfer,
};

/// What the session waits for, beside the ACS: most often somebody who executes a call.
#[derive(Debug)]
pub(super) enum Call {
    /// The data model works on it.
    Data { op: OpId, kind: DataCall },
    /// The answer is one of [`Agent::promises`], which must be on stable storage first.
    Storing { ticket: Ticket },
    /// That what the ACS has answered for is not told again must be on stable storage first: the events and changed values of
    /// an Inform, or a report. What is done is taken out.
    Delivering { ticket: Option<Ticket>, op: Option<OpId> },
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    Reboot(CommandKey),
    FactoryReset,
    ScheduleInform(ScheduledInform),
    /// A transfer is queued.
    Transfer(TransferId),
    /// Operations on deployment units are queued.
    ChangeDuState(TransferId),
    /// These transfers are dropped.
    Cancel(Vec<Transfer>),
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
            "ScheduleInform",
        ];
        let reboot = self.abilities.reboot.then_some("Reboot");
        let factory_reset = self.abilities.factory_reset.then_some("FactoryReset");
        let software = self.abilities.software.then_some("ChangeDUState");
        let transfers = self.transfer_methods();
        let single = reboot.into_iter().chain(factory_reset).chain(software);
        always.into_iter().chain(single).chain(transfers).map(str::to_owned).collect()
    }

    /// Executes a call of the ACS, or has it executed.
    pub(super) fn execute(&mut self, request: CpeRequest, now: Now) {
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
            CpeRequest::ScheduleInform(call) => self.promise_inform(call, now),
            CpeRequest::Download(call) if !self.abilities.downloads.is_empty() => {
                self.promise_download(call, now);
            }
            CpeRequest::ScheduleDownload(call) if !self.abilities.downloads.is_empty() => {
                self.promise_scheduled_download(call, now);
            }
            CpeRequest::Upload(call) if !self.abilities.uploads.is_empty() => self.promise_upload(call, now),
            CpeRequest::ChangeDUState(call) if self.abilities.software => self.promise_du_change(call, now),
            CpeRequest::CancelTransfer(call) if self.can_transfer() => self.promise_cancel(call),
            CpeRequest::GetQueuedTransfers if self.can_transfer() => self.answer(self.queued_transfers()),
            CpeRequest::GetAllQueuedTransfers if self.can_transfer() => {
                self.answer(self.all_queued_transfers())
            }
            other => self.not_supported(other.method()),
        }
    }

    /// Refuses a call whose arguments cannot be taken. Where the method is not offered, that comes first.
    pub(super) fn refuse_unusable(&mut self, method: &str, fault: CwmpFault) {
        if self.methods().iter().any(|offered| offered == method) {
            self.answer(Answer::Fault(fault));
        } else {
            self.not_supported(method);
        }
    }

    fn not_supported(&mut self, method: &str) {
        self.refuse(FaultCode::METHOD_NOT_SUPPORTED, format!("{method} is not supported"));
    }

    fn promise_reboot(&mut self, key: CommandKey) {
        if self.state.reboots.len() >= limits::INFORM_EVENTS {
            return self
                .refuse(FaultCode::RESOURCES_EXCEEDED, "too many Reboot calls are pending".to_owned());
        }
        self.state.reboots.push(key.clone());
        self.store_then_answer(Promise::Reboot(key));
    }

    /// Has the state stored that holds the promise; the answer follows then.
    pub(super) fn store_then_answer(&mut self, promise: Promise) {
        if self.promises.len() >= limits::STORING_PROMISES {
            self.withdraw(promise);
            return self.refuse(FaultCode::RESOURCES_EXCEEDED, "the store does not answer".to_owned());
        }
        let ticket = self.persist();
        self.promises.push((ticket, promise));
        if let Some(open) = self.open() {
            open.call = Some(Call::Storing { ticket });
        }
    }

    fn ask_data(&mut self, op: DataOp, kind: DataCall) {
        let op = self.data(op);
        if let Some(open) = self.open() {
            open.call = Some(Call::Data { op, kind });
        }
    }

    /// The store has answered. Promises are kept once they are stored, even if the session is gone by then; one that could
    /// not be stored is as if it had never been asked for.
    pub(super) fn persisted(&mut self, ticket: Ticket, stored: bool, now: Now) {
        self.store_failed |= !stored;
        if !stored {
            self.await_the_newest(ticket);
        }
        let (answered, open) = std::mem::take(&mut self.promises)
            .into_iter()
            .partition::<Vec<_>, _>(|(awaited, _)| *awaited <= ticket);
        self.promises = open;
        for (awaited, promise) in answered {
            let answer = if stored {
                Answer::Response(self.keep(promise))
            } else {
                self.withdraw(promise);
                let text = "the request cannot be stored".to_owned();
                Answer::Fault(CwmpFault::new(FaultCode::INTERNAL_ERROR, text))
            };
            let asks = |call: &mut Call| matches!(call, Call::Storing { ticket } if *ticket == awaited);
            if self.open().is_some_and(|open| open.call.take_if(asks).is_some()) {
                self.answer(answer);
            }
        }
        // What this hands over must be without the promises that could not be stored.
        self.transfers_stored(ticket, stored);
        self.software_stored(ticket, stored);
        // An event that comes twice is better than none: the session goes on even where nothing could be stored.
        if let Some(Call::Delivering { ticket: awaited, .. }) =
            self.open().and_then(|open| open.call.as_mut())
        {
            awaited.take_if(|awaited| *awaited <= ticket);
        }
        self.pump(now);
    }

    /// A write has failed. Where a newer one is under way, which holds the same promises, that one decides: to refuse what is
    /// stored a moment later would be a lie after a power cut.
    fn await_the_newest(&mut self, failed: Ticket) {
        let newest = Ticket(self.next_ticket);
        if failed >= newest {
            return;
        }
        for (awaited, _) in self.promises.iter_mut().filter(|(awaited, _)| *awaited <= failed) {
            *awaited = newest;
        }
        if let Some(OpenSession { call: Some(Call::Storing { ticket }), .. }) = self.open()
            && *ticket <= failed
        {
            *ticket = newest;
        }
    }

    /// The promise is stored: it holds from now on.
    fn keep(&mut self, promise: Promise) -> CpeResponse {
        match promise {
            Promise::Reboot(_) => {
                // A factory reset that was promised earlier in the session includes the restart.
                self.restart.get_or_insert(Restart::Reboot(RebootCause::Acs));
                CpeResponse::Reboot
            }
            Promise::FactoryReset => {
                self.restart = Some(Restart::FactoryReset);
                CpeResponse::FactoryReset
            }
            Promise::ScheduleInform(_) => CpeResponse::ScheduleInform,
            Promise::Transfer(id) => self.transfer_response(id),
            Promise::ChangeDuState(_) => CpeResponse::ChangeDUState,
            Promise::Cancel(dropped) => {
                self.keep_cancelled(&dropped);
                CpeResponse::CancelTransfer
            }
        }
    }

    /// The promise was never made.
    fn withdraw(&mut self, promise: Promise) {
        match promise {
            Promise::Reboot(key) => {
                if let Some(last) = self.state.reboots.iter().rposition(|known| *known == key) {
                    self.state.reboots.remove(last);
                }
            }
            // Unless another call or somebody on the box wants it as well.
            Promise::FactoryReset => {
                let wanted = self.promises.iter().any(|(_, promise)| *promise == Promise::FactoryReset);
                self.state.factory_reset = wanted || self.restart == Some(Restart::FactoryReset);
            }
            Promise::Transfer(id) => self.withdraw_transfer(id),
            Promise::ChangeDuState(id) => self.withdraw_du_change(id),
            Promise::Cancel(dropped) => self.withdraw_cancel(dropped),
            Promise::ScheduleInform(call) => {
                if let Some(last) = self.state.schedules.iter().rposition(|known| is_same_call(known, &call))
                {
                    self.state.schedules.remove(last);
                }
            }
        }
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
        if let Some(Call::Delivering { op: awaited, .. }) = self.open().and_then(|open| open.call.as_mut())
            && awaited.take_if(|awaited| *awaited == op).is_some()
        {
            return self.pump(now);
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

    pub(super) fn refuse(&mut self, code: FaultCode, text: String) {
        self.answer(Answer::Fault(CwmpFault::new(code, text)));
    }

    pub(super) fn answer(&mut self, answer: Answer) {
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
