//! The call that orders changes.

use crate::{
    agent::{Agent, calls::Promise},
    fault::FaultCode,
    job::TransferId,
    limits,
    rpc::ChangeDUState,
    software::{DuChange, DuOrder},
    time::Now,
    wait::Wait,
};

impl Agent {
    /// Takes the call as a whole; what is wrong with one operation is its result.
    pub(in crate::agent) fn promise_du_change(&mut self, call: ChangeDUState, now: Now) {
        if call.operations.is_empty() {
            return self.refuse(FaultCode::INVALID_ARGUMENTS, "there are no Operations".to_owned());
        }
        if call.operations.len() > limits::DU_OPERATIONS {
            let text = format!("more than {} Operations", limits::DU_OPERATIONS);
            return self.refuse(FaultCode::RESOURCES_EXCEEDED, text);
        }
        if self.state.du_changes.len() >= limits::DU_CHANGES {
            let text = format!("{} calls of ChangeDUState are not yet reported", limits::DU_CHANGES);
            return self.refuse(FaultCode::RESOURCES_EXCEEDED, text);
        }
        let id = TransferId(self.state.next_transfer);
        self.state.next_transfer = id.0.wrapping_add(1);
        self.state.du_changes.push(DuChange {
            id,
            file: id,
            command_key: call.command_key,
            deadline: Wait::new(limits::DU_CHANGE_MS, now),
            orders: call.operations.into_iter().map(DuOrder::from).collect(),
            targets: Vec::new(),
            applying: None,
            results: Vec::new(),
        });
        self.store_then_answer(Promise::ChangeDuState(id));
    }

    pub(in crate::agent) fn withdraw_du_change(&mut self, id: TransferId) {
        self.state.du_changes.retain(|change| change.id != id);
    }

    /// Whether the ACS has not yet been promised it: the store is writing.
    pub(super) fn is_change_being_promised(&self, id: TransferId) -> bool {
        self.promises.iter().any(|(_, promise)| *promise == Promise::ChangeDuState(id))
    }
}
