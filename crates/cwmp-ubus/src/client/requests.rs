//! Requests that wait for their answer, told apart by number and peer.

use super::inbox::Inbox;
use crate::{
    error::{BusError, DecodeError},
    limits,
    message::Fields,
};
use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
};
use tokio::sync::oneshot;

/// The answer to a request.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) data: Vec<Fields>,
    pub(crate) status: u32,
    /// The object that the status names: the service itself has answered, not the bus in its place.
    pub(crate) object: Option<u32>,
}

type Answer = Result<Reply, BusError>;

struct Pending {
    peer: u32,
    /// Object and method, for errors.
    what: Rc<str>,
    data: Vec<Fields>,
    bytes: usize,
    /// Who the object belongs to that this request adds to the bus.
    adds: Option<Rc<Inbox>>,
    done: oneshot::Sender<Answer>,
}

struct Zombie {
    seq: u16,
    peer: u32,
    /// Nobody waits for the object any more that the request adds.
    adds: bool,
}

/// An object of ours that the bus has now.
pub(crate) enum Added {
    For(Rc<Inbox>, u32),
    Unwanted(u32),
}

#[derive(Default)]
pub(crate) struct Requests {
    last: u16,
    pending: HashMap<u16, Pending>,
    zombies: VecDeque<Zombie>,
}

impl Requests {
    /// A number for a message whose answer nobody waits for.
    pub(crate) fn number(&mut self) -> Option<u16> {
        for _ in 0..=u16::MAX {
            self.last = self.last.wrapping_add(1);
            let seq = self.last;
            if !self.pending.contains_key(&seq) && !self.zombies.iter().any(|zombie| zombie.seq == seq) {
                return Some(seq);
            }
        }
        None
    }

    /// Starts a request to a peer, and says where its answer comes; None when every number is taken.
    pub(crate) fn begin(
        &mut self,
        peer: u32,
        what: &Rc<str>,
        adds: Option<Rc<Inbox>>,
    ) -> Option<(u16, oneshot::Receiver<Answer>)> {
        let seq = self.number()?;
        let (done, answer) = oneshot::channel();
        let pending = Pending { peer, what: Rc::clone(what), data: Vec::new(), bytes: 0, adds, done };
        self.pending.insert(seq, pending);
        Some((seq, answer))
    }

    /// Takes a DATA message of so many bytes.
    pub(crate) fn data(
        &mut self,
        seq: u16,
        peer: u32,
        bytes: usize,
        fields: Result<Fields, DecodeError>,
    ) -> Option<Added> {
        let Some(pending) = self.pending.get_mut(&seq).filter(|pending| pending.peer == peer) else {
            let zombie = self.zombies.iter().find(|zombie| zombie.seq == seq && zombie.peer == peer)?;
            let object = fields.ok()?.object?;
            return zombie.adds.then_some(Added::Unwanted(object));
        };
        let what = || pending.what.to_string();
        pending.bytes += bytes;
        let fields = match fields {
            Err(error) => {
                let error = BusError::Malformed(what(), error);
                return self.give_up(seq, error);
            }
            Ok(_) if pending.bytes > limits::REPLY_BYTES || pending.data.len() >= limits::REPLIES => {
                let error = BusError::TooLarge(what());
                return self.give_up(seq, error);
            }
            Ok(fields) => fields,
        };
        let added = pending.adds.clone().zip(fields.object);
        pending.data.push(fields);
        added.map(|(inbox, object)| Added::For(inbox, object))
    }

    /// Answers with an error; what may still come for the request is not looked at.
    fn give_up(&mut self, seq: u16, error: BusError) -> Option<Added> {
        if let Some(pending) = self.bury(seq) {
            let _ = pending.done.send(Err(error));
        }
        None
    }

    /// Takes the STATUS that ends a request.
    pub(crate) fn status(&mut self, seq: u16, peer: u32, fields: Result<Fields, DecodeError>) {
        if self.pending.get(&seq).is_none_or(|pending| pending.peer != peer) {
            self.zombies.retain(|zombie| zombie.seq != seq || zombie.peer != peer);
            return;
        }
        let Some(pending) = self.pending.remove(&seq) else { return };
        let answer = match fields {
            Ok(Fields { status: Some(status), object, .. }) => {
                Ok(Reply { data: pending.data, status, object })
            }
            Ok(_) => Err(BusError::Malformed(pending.what.to_string(), DecodeError::Field(1))),
            Err(error) => Err(BusError::Malformed(pending.what.to_string(), error)),
        };
        let _ = pending.done.send(answer);
    }

    /// Nobody waits for a request any more. Its number is not used again before its answer has come.
    pub(crate) fn abandon(&mut self, seq: u16) {
        self.bury(seq);
    }

    fn bury(&mut self, seq: u16) -> Option<Pending> {
        let pending = self.pending.remove(&seq)?;
        if self.zombies.len() >= limits::ZOMBIES {
            self.zombies.pop_front();
        }
        self.zombies.push_back(Zombie { seq, peer: pending.peer, adds: pending.adds.is_some() });
        Some(pending)
    }

    /// The object behind a peer has gone: its requests get no answer.
    pub(crate) fn peer_gone(&mut self, peer: u32) {
        let gone: Vec<_> =
            self.pending.iter().filter(|(_, pending)| pending.peer == peer).map(|(seq, _)| *seq).collect();
        for pending in gone.iter().filter_map(|seq| self.pending.remove(seq)) {
            let _ = pending.done.send(Err(BusError::Gone(pending.what.to_string())));
        }
        self.zombies.retain(|zombie| zombie.peer != peer);
    }

    /// The connection has gone, and with it every answer.
    pub(crate) fn disconnected(&mut self) {
        self.zombies.clear();
        for (_, pending) in self.pending.drain() {
            let _ = pending.done.send(Err(BusError::Disconnected(pending.what.to_string())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(requests: &mut Requests, peer: u32) -> (u16, oneshot::Receiver<Answer>) {
        requests.begin(peer, &"a test".into(), None).unwrap()
    }

    #[test]
    fn numbers_wrap_around_and_skip_those_still_in_flight_or_given_up() {
        let mut requests = Requests { last: u16::MAX - 1, ..Requests::default() };
        let kept: Vec<_> = (0..3).map(|_| begin(&mut requests, 7)).collect();
        assert_eq!(kept.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [u16::MAX, 0, 1]);
        requests.abandon(0);
        requests.last = u16::MAX - 1;
        assert_eq!(requests.number(), Some(2));
        // The late answer frees the number.
        requests.status(0, 7, Ok(Fields { status: Some(0), ..Fields::default() }));
        requests.last = u16::MAX - 1;
        assert_eq!(requests.number(), Some(0));
    }

    #[test]
    fn when_all_numbers_are_taken_there_is_none_and_zombies_are_bounded() {
        let mut requests = Requests::default();
        let mut answers = Vec::new();
        while let Some((_, answer)) = requests.begin(7, &"a test".into(), None) {
            answers.push(answer);
        }
        assert_eq!(answers.len(), 1 << 16);
        (0..=u16::MAX).for_each(|seq| requests.abandon(seq));
        assert_eq!(requests.zombies.len(), limits::ZOMBIES);
        assert!(requests.number().is_some());
    }

    #[test]
    fn an_object_that_nobody_waits_for_any_more_is_unwanted() {
        let mut requests = Requests::default();
        let inbox = Inbox::new(super::super::inbox::Takes::Notices, None);
        let (seq, _) = requests.begin(0, &"a test".into(), Some(inbox)).unwrap();
        requests.abandon(seq);
        let added = requests.data(seq, 0, 8, Ok(Fields { object: Some(42), ..Fields::default() }));
        assert!(matches!(added, Some(Added::Unwanted(42))));
    }
}
