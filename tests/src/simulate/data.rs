//! A data model without data: one piece of work after the other, answered late, refused, or done.

use std::collections::VecDeque;

use cwmp_core::{
    fault::{CwmpFault, FaultCode},
    io::{DataOp, DataReply, OpId, SnapshotId},
    limits,
    rpc::{AddObjectResponse, ParameterValueStruct, Status},
    value::ValueType,
};

use super::dice::{Dice, Mood};

#[derive(Debug, Default)]
pub(super) struct Data {
    work: VecDeque<(OpId, DataOp)>,
    working: bool,
    next_snapshot: u32,
    /// How often watched values have changed; how often when an Inform last carried them; when it was last answered.
    changes: u32,
    carried: u32,
    known: u32,
}

/// A finished piece of work.
pub(super) struct Done {
    pub(super) op: OpId,
    pub(super) result: Result<DataReply, CwmpFault>,
    /// Parameters that have been set by it.
    pub(super) set: Vec<ParameterValueStruct>,
    pub(super) snapshot: Option<u32>,
    /// It was for an Inform: with a change or without one, or failed.
    pub(super) gathered: Option<Option<bool>>,
    /// It was for a lightweight notification: whether there is something to notify.
    pub(super) lightweight: Option<bool>,
}

impl Data {
    pub(super) fn ask(&mut self, op: OpId, question: DataOp) {
        self.work.push_back((op, question));
    }

    pub(super) fn change(&mut self) {
        self.changes += 1;
    }

    /// Whether a change has not been reported to the ACS.
    pub(super) fn unreported(&self) -> bool {
        self.changes != self.known
    }

    pub(super) fn is_busy(&self) -> bool {
        self.working
    }

    /// The program is gone, and what it had asked with it.
    pub(super) fn forget_work(&mut self) {
        self.work.clear();
        self.working = false;
    }

    /// Begins with the oldest piece of work, if it rests; returns how long that takes.
    pub(super) fn begins(&mut self, dice: &mut Dice, mood: &Mood) -> Option<u64> {
        if self.working || self.work.is_empty() {
            return None;
        }
        self.working = true;
        Some(if dice.permille(mood.data) {
            dice.between(100, limits::DATA_TIMEOUT_MS)
        } else {
            dice.below(5)
        })
    }

    pub(super) fn finish(&mut self, dice: &mut Dice, mood: &Mood) -> Option<Done> {
        self.working = false;
        let (op, question) = self.work.pop_front()?;
        let gathers = matches!(question, DataOp::Inform { .. });
        let (set, result) = (Vec::new(), Ok(DataReply::Done));
        let mut done = Done { op, result, set, snapshot: None, gathered: None, lightweight: None };
        if dice.permille(if gathers { mood.data / 4 } else { mood.data }) {
            let code = if dice.below(2) == 0 { FaultCode::INTERNAL_ERROR } else { FaultCode(9003) };
            done.result = Err(CwmpFault::new(code, "the data model is not in the mood"));
            done.gathered = gathers.then_some(None);
            return Some(done);
        }
        done.result = Ok(match question {
            DataOp::Inform { .. } => {
                let value_change = self.changes != self.known;
                self.carried = self.changes;
                done.gathered = Some(Some(value_change));
                DataReply::Inform { parameters: Vec::new(), value_change }
            }
            DataOp::Lightweight => {
                let (name, value) = ("Device.DeviceInfo.UpTime".to_owned(), "1".to_owned());
                let one = ParameterValueStruct { name, value_type: Some(ValueType::UnsignedInt), value };
                let found = dice.below(2) == 0;
                done.lightweight = Some(found);
                DataReply::Lightweight { parameters: if found { vec![one] } else { Vec::new() } }
            }
            DataOp::InformDelivered => {
                self.known = self.carried;
                DataReply::Done
            }
            DataOp::Names { .. } | DataOp::Values { .. } | DataOp::Attributes { .. } => {
                self.next_snapshot += 1;
                done.snapshot = Some(self.next_snapshot);
                let count = u32::try_from(dice.below(4)).unwrap_or(0);
                DataReply::Listing { snapshot: SnapshotId(self.next_snapshot), count }
            }
            DataOp::Set { parameters, .. } => {
                done.set = parameters;
                DataReply::Status(if dice.below(2) == 0 { Status::Applied } else { Status::Committed })
            }
            DataOp::SetAttributes { .. } => DataReply::Done,
            DataOp::Add { .. } => {
                DataReply::Added(AddObjectResponse { instance_number: 1, status: Status::Applied })
            }
            DataOp::Delete { .. } => DataReply::Status(Status::Applied),
        });
        Some(done)
    }
}
