//! What the ACS is told of transfers: the events of an Inform, the requests of its session, and the lists that it asks for.

use cwmp_core::{
    datetime::DateTime,
    event::{EventCode, EventStruct},
    fault::FaultCode,
    rpc::{AcsRequest, CpeResponse, Fault, FaultStruct, TransferResponse, TransferState},
    stored::Stored,
    transfer::Stage,
};

use super::{
    CallState, Check, Finding,
    transfers::{SUCCESS, Step, Transfer, TransferNo, stage_in},
};
use crate::simulate::acs::transfers::{Goods, Order};

impl Transfer {
    fn event(&self) -> EventCode {
        match self.goods {
            _ if self.local => EventCode::AutonomousTransferComplete,
            Goods::Upload => EventCode::MUpload,
            Goods::Firmware | Goods::Configuration if self.is_scheduled() => EventCode::MScheduleDownload,
            Goods::Firmware | Goods::Configuration => EventCode::MDownload,
        }
    }

    /// Whether a report tells what has happened.
    fn is_told_by(&self, fault: &FaultStruct, start: DateTime, complete: DateTime) -> bool {
        let success = self.verdict == Some(SUCCESS);
        self.is_due()
            && self.verdict == Some(fault.code.0)
            && (start == DateTime::Unknown || start == self.start)
            && (success || complete == DateTime::Unknown)
    }

    /// That it is over must be durable before it is told, unless the store has failed with it; and nothing else is told later.
    fn may_be_told(&mut self, request: &AcsRequest, stored: &Stored, failed_writes: u32) -> Finding {
        let name = format!("transfer `{}` {}", self.key, self.url);
        if self.reported.as_ref().is_some_and(|before| before != request) {
            return Err(format!("{name} is reported in two different ways"));
        }
        if matches!(stage_in(stored, &self.url), Some(Stage::Over(_))) {
            self.reported = Some(request.clone());
            Ok(())
        } else if failed_writes > self.failures_before {
            Ok(())
        } else {
            Err(format!("{name} is reported before its end is stored"))
        }
    }
}

impl Check {
    /// An Inform is begun: the transfers that it must list.
    pub(super) fn list_transfers(&mut self) {
        let state = &self.last_state;
        let listed = |transfer: &Transfer| {
            let kept = || matches!(stage_in(state, &transfer.url), Some(Stage::Over(_)));
            let certain = !transfer.may_vanish && !transfer.local && !transfer.being_cancelled;
            transfer.is_due() && (certain || kept())
        };
        self.listed =
            (0..self.transfers.len()).filter(|at| self.transfers.get(*at).is_some_and(listed)).collect();
    }

    /// Takes out of an Inform's list what reports transfers, which must be as it is owed; returns the rest.
    pub(super) fn compare_transfers(&self, events: &[EventStruct]) -> Result<Vec<EventStruct>, String> {
        let mut owed: Vec<(EventCode, String)> = Vec::new();
        let (mut ordered, mut local) = (false, false);
        for transfer in self.listed.iter().filter_map(|at| self.transfers.get(*at)) {
            if transfer.local {
                local = true;
            } else {
                ordered = true;
                owed.push((transfer.event(), transfer.key.clone()));
            }
        }
        owed.extend(ordered.then(|| (EventCode::TransferComplete, String::new())));
        owed.extend(local.then(|| (EventCode::AutonomousTransferComplete, String::new())));
        let of_transfers = [
            EventCode::TransferComplete,
            EventCode::AutonomousTransferComplete,
            EventCode::MDownload,
            EventCode::MScheduleDownload,
            EventCode::MUpload,
        ];
        let mut rest = Vec::new();
        for event in events {
            if !of_transfers.contains(&event.code) {
                rest.push(event.clone());
                continue;
            }
            let (code, key) = (&event.code, event.command_key.as_str());
            match owed.iter().position(|(owed, of)| owed == code && of == key) {
                Some(at) => {
                    owed.remove(at);
                }
                None => return Err(format!("`{} {key}` is invented or told again", code.as_str())),
            }
        }
        match owed.first() {
            Some((code, key)) => Err(format!("`{} {key}` is lost", code.as_str())),
            None => Ok(rest),
        }
    }

    /// A request that reports something; returns the transfer that it is about.
    pub(super) fn report(
        &mut self,
        request: &AcsRequest,
        stored: &Stored,
    ) -> Result<Option<TransferNo>, String> {
        let found = match request {
            AcsRequest::TransferComplete(told) => self.listed.iter().copied().find(|at| {
                self.transfers.get(*at).is_some_and(|transfer| {
                    let content = transfer.reported.as_ref().is_none_or(|before| before == request);
                    !transfer.local
                        && content
                        && transfer.key == told.command_key.as_str()
                        && transfer.is_told_by(&told.fault, told.start_time, told.complete_time)
                })
            }),
            AcsRequest::AutonomousTransferComplete(told) => {
                if self.methods.is_none_or(|[takes, _]| !takes) {
                    return Err("AutonomousTransferComplete to an ACS that does not list it".to_owned());
                }
                self.listed.iter().copied().find(|at| {
                    self.transfers.get(*at).is_some_and(|transfer| {
                        transfer.local
                            && transfer.url == told.transfer_url
                            && transfer.is_told_by(&told.fault, told.start_time, told.complete_time)
                    })
                })
            }
            AcsRequest::RequestDownload(_) => {
                return match (self.methods, self.wants_download) {
                    (Some([_, true]), true) => Ok(None),
                    (Some([_, true]), false) => Err("RequestDownload that nobody has asked for".to_owned()),
                    _ => Err("RequestDownload to an ACS that does not list it".to_owned()),
                };
            }
            _ => return Ok(None),
        };
        let failed_writes = self.failed_writes;
        match found.and_then(|at| Some((at, self.transfers.get_mut(at)?))) {
            Some((at, transfer)) => {
                transfer.may_be_told(request, stored, failed_writes)?;
                Ok(Some(at))
            }
            None => Err(format!("{request:?} is not true, or not listed in the Inform")),
        }
    }

    /// The ACS has answered a request of the box for good.
    pub(super) fn answered(
        &mut self,
        method: &str,
        reporting: Option<TransferNo>,
        methods: Option<[bool; 2]>,
    ) {
        if let Some(transfer) = reporting.and_then(|at| self.transfers.get_mut(at)) {
            transfer.ended = true;
        }
        match method {
            "RequestDownload" => self.wants_download = false,
            "GetRPCMethods" => {
                self.acs_methods_asked = false;
                let first = self.methods.is_none();
                if !first && methods.is_none() {
                    return;
                }
                self.methods = methods;
                let takes = methods.is_some_and(|[takes, _]| takes);
                for transfer in self.transfers.iter_mut().filter(|transfer| transfer.local && !takes) {
                    transfer.may_vanish |= transfer.verdict.is_some();
                }
                match methods {
                    Some([_, true]) if first && self.wants_download => self.request_download_is_due(),
                    Some([_, true]) => {}
                    _ => self.wants_download = false,
                }
            }
            _ => {}
        }
    }

    /// The box says that it has nothing to say: everything that its Inform has listed must have been told.
    pub(super) fn all_is_reported(&self) -> Finding {
        let takes = self.methods.is_some_and(|[takes, _]| takes);
        let open = |transfer: &&Transfer| {
            !transfer.ended && (if transfer.local { takes && !transfer.may_vanish } else { true })
        };
        match self.listed.iter().filter_map(|at| self.transfers.get(*at)).find(open) {
            Some(transfer) => {
                Err(format!("transfer `{}` {} is not reported in its session", transfer.key, transfer.url))
            }
            None => Ok(()),
        }
    }

    /// The answer to an order.
    pub(super) fn order_answered(
        &mut self,
        order: &Order,
        response: Result<&CpeResponse, &Fault>,
        stored: &Stored,
    ) -> Finding {
        let Some(transfer) = self.transfers.iter_mut().find(|transfer| transfer.url == order.url) else {
            return Ok(());
        };
        match response {
            Ok(
                CpeResponse::Download(TransferResponse::Later)
                | CpeResponse::Upload(TransferResponse::Later)
                | CpeResponse::ScheduleDownload,
            ) => {
                transfer.state = CallState::Promised;
                match stage_in(stored, &order.url) {
                    Some(Stage::Waiting) => Ok(()),
                    other => Err(format!("transfer {} is promised and stored as {other:?}", order.url)),
                }
            }
            Ok(other) => Err(format!("{order:?} was answered with {other:?}")),
            Err(fault) => {
                transfer.state = CallState::Refused;
                let code = fault.cwmp.as_ref().map(|cwmp| cwmp.code);
                let may = [FaultCode::INTERNAL_ERROR, FaultCode::RESOURCES_EXCEEDED].map(Some);
                if may.contains(&code) { Ok(()) } else { Err(format!("{order:?} was refused with {code:?}")) }
            }
        }
    }

    /// What the ACS wants to cancel; returns whether it must be refused.
    pub(super) fn cancel_called(&mut self, key: &str) -> bool {
        let mut too_late = false;
        for transfer in self.transfers.iter_mut().filter(|transfer| transfer.is_named(key)) {
            // Where the session breaks now, nobody knows.
            let late =
                transfer.verdict.is_some() || !matches!(transfer.step, Step::Waiting | Step::Moving(_));
            too_late |= late;
            transfer.being_cancelled = true;
        }
        too_late
    }

    /// The answer to a call to cancel.
    pub(super) fn cancel_answered(
        &mut self,
        key: &str,
        too_late: bool,
        response: Result<&CpeResponse, &Fault>,
        stored: &Stored,
    ) -> Finding {
        match response {
            Ok(CpeResponse::CancelTransfer) if !too_late => {
                for transfer in self.transfers.iter_mut().filter(|transfer| transfer.is_named(key)) {
                    if stage_in(stored, &transfer.url).is_some() {
                        return Err(format!("CancelTransferResponse for `{key}` before that is stored"));
                    }
                    if matches!(transfer.step, Step::Moving(_)) {
                        return Err(format!("`{key}` is cancelled and goes on"));
                    }
                    transfer.ended = true;
                    transfer.cancelled = true;
                }
                Ok(())
            }
            Ok(other) => {
                Err(format!("CancelTransfer `{key}` was answered with {other:?}, too late: {too_late}"))
            }
            Err(fault) => {
                for transfer in self.transfers.iter_mut().filter(|transfer| transfer.is_named(key)) {
                    transfer.being_cancelled = false;
                }
                let code = fault.cwmp.as_ref().map(|cwmp| cwmp.code);
                let right = match too_late {
                    true => code == Some(FaultCode::CANCELLATION_NOT_PERMITTED),
                    false => {
                        [FaultCode::INTERNAL_ERROR, FaultCode::RESOURCES_EXCEEDED].map(Some).contains(&code)
                    }
                };
                if right {
                    Ok(())
                } else {
                    Err(format!("CancelTransfer `{key}` was refused with {code:?}, too late: {too_late}"))
                }
            }
        }
    }

    /// The answer to GetQueuedTransfers or GetAllQueuedTransfers.
    pub(super) fn queue_answered(&self, response: Result<&CpeResponse, &Fault>) -> Finding {
        let mut listed: Vec<(String, TransferState)> = match response {
            Ok(CpeResponse::GetQueuedTransfers(list)) => {
                list.iter().map(|one| (one.command_key.as_str().to_owned(), one.state)).collect()
            }
            Ok(CpeResponse::GetAllQueuedTransfers(list)) => {
                list.iter().map(|one| (one.command_key.as_str().to_owned(), one.state)).collect()
            }
            other => return Err(format!("the list of transfers was answered with {other:?}")),
        };
        for transfer in self
            .transfers
            .iter()
            .filter(|transfer| transfer.is_owed() && !transfer.may_vanish && !transfer.being_cancelled)
        {
            let state = match transfer.step {
                _ if transfer.verdict.is_some() => TransferState::Completed,
                Step::Waiting => TransferState::NotYetStarted,
                Step::Moving(_) | Step::Here | Step::Applying(_) | Step::Written => TransferState::InProgress,
                Step::Over => TransferState::Completed,
            };
            match listed.iter().position(|one| *one == (transfer.key.clone(), state)) {
                Some(at) => {
                    listed.swap_remove(at);
                }
                None => return Err(format!("`{}` is not listed as {state:?}", transfer.key)),
            }
        }
        let may_be = |key: &str| {
            self.transfers
                .iter()
                .any(|transfer| !transfer.ended && (transfer.local && key.is_empty() || transfer.key == key))
        };
        match listed.iter().find(|(key, _)| !may_be(key)) {
            Some((key, _)) => Err(format!("`{key}` is listed and not queued")),
            None => Ok(()),
        }
    }
}

impl Transfer {
    /// Whether a call to cancel means it.
    fn is_named(&self, key: &str) -> bool {
        !self.local && !self.ended && self.key == key && self.state != CallState::Refused
    }
}
