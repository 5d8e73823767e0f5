//! Calls that wait for their CPE, and those who wait for the answers.

use std::collections::{HashMap, VecDeque};

use cwmp_core::rpc::CpeResponse;
use tokio::sync::oneshot;

use crate::{
    cpe::{CpeKey, CpeSelector},
    exchange::{Call, CallId, Payload},
    limits,
    report::CallError,
};

/// What a call comes to.
pub(crate) type Answer = Result<CpeResponse, CallError>;

/// All calls that are not yet answered.
#[derive(Default)]
pub(crate) struct Calls {
    next_id: u64,
    queued: usize,
    by_cpe: HashMap<CpeKey, VecDeque<Call>>,
    for_any: VecDeque<Call>,
    waiting: HashMap<CallId, oneshot::Sender<Answer>>,
}

impl Calls {
    /// Puts a call at the end of its CPE's queue. The answer comes through the channel; whoever drops its end withdraws
    /// the call, unless it was sent already.
    pub(crate) fn push(&mut self, cpe: CpeSelector, payload: Payload) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        if self.queued >= limits::QUEUED_CALLS {
            // The receiver is still here.
            let _ = sender.send(Err(CallError::QueueFull));
            return receiver;
        }
        self.next_id = self.next_id.wrapping_add(1);
        self.queued += 1;
        let id = CallId(self.next_id);
        self.waiting.insert(id, sender);
        let queue = match cpe {
            CpeSelector::Any => &mut self.for_any,
            CpeSelector::Key(key) => self.by_cpe.entry(key).or_default(),
        };
        queue.push_back(Call { id, payload });
        receiver
    }

    /// The next call for this CPE, in the order in which they were made; withdrawn ones are passed over.
    pub(crate) fn next(&mut self, key: &CpeKey) -> Option<Call> {
        loop {
            let own = self.by_cpe.get(key).and_then(VecDeque::front).map(|call| call.id.0);
            let any = self.for_any.front().map(|call| call.id.0);
            let call = match (own, any) {
                (Some(own), any) if any.is_none_or(|any| own < any) => self.pop_own(key)?,
                _ => self.for_any.pop_front()?,
            };
            self.queued = self.queued.saturating_sub(1);
            if self.waiting.get(&call.id).is_some_and(|sender| !sender.is_closed()) {
                return Some(call);
            }
            self.waiting.remove(&call.id);
        }
    }

    fn pop_own(&mut self, key: &CpeKey) -> Option<Call> {
        let queue = self.by_cpe.get_mut(key)?;
        let call = queue.pop_front();
        if queue.is_empty() {
            self.by_cpe.remove(key);
        }
        call
    }

    /// Hands an answer to whoever waits for it.
    pub(crate) fn answer(&mut self, id: CallId, answer: Answer) {
        if let Some(sender) = self.waiting.remove(&id) {
            // Nobody waits any more: nothing is lost.
            let _ = sender.send(answer);
        }
    }

    /// Gives up all calls.
    pub(crate) fn clear(&mut self) {
        *self = Self { next_id: self.next_id, ..Self::default() };
    }

    /// Calls that were not yet sent, for this CPE or for any.
    pub(crate) fn queued_for(&self, key: &CpeKey) -> usize {
        self.by_cpe.get(key).map_or(0, VecDeque::len) + self.for_any.len()
    }
}

#[cfg(test)]
mod tests {
    use cwmp_core::rpc::CpeRequest;

    use super::*;

    fn call(calls: &mut Calls, cpe: &str) -> oneshot::Receiver<Answer> {
        calls.push(CpeSelector::from(cpe), Payload::Request(CpeRequest::GetRPCMethods))
    }

    #[test]
    fn calls_come_in_the_order_they_were_made() {
        let mut calls = Calls::default();
        let (first, second, third) = (call(&mut calls, "*"), call(&mut calls, "A"), call(&mut calls, "*"));
        let key = CpeKey::new("A");
        assert_eq!(calls.queued_for(&key), 3);
        let ids: Vec<u64> = std::iter::from_fn(|| calls.next(&key)).map(|call| call.id.0).collect();
        assert_eq!(ids, [1, 2, 3]);
        drop((first, second, third));
    }

    #[test]
    fn a_withdrawn_call_is_passed_over() {
        let mut calls = Calls::default();
        drop(call(&mut calls, "A"));
        let kept = call(&mut calls, "A");
        let key = CpeKey::new("A");
        assert_eq!(calls.next(&key).map(|call| call.id), Some(CallId(2)));
        calls.answer(CallId(2), Err(CallError::Interrupted));
        assert_eq!(kept.blocking_recv(), Ok(Err(CallError::Interrupted)));
        assert!(calls.next(&CpeKey::new("B")).is_none());
    }
}
