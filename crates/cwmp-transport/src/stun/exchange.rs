//! One request to a STUN server, sent again until it is answered (RFC 3489 9.3).

use cwmp_core::time::Mono;

use super::message::{Content, Proof, Request, Response, TransactionId};
use crate::limits;

/// A socket of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Where connection requests are taken.
    Door,
    /// One whose binding is left alone, to see when the NAT forgets it.
    Tested,
    /// One that has the server answer to the tested one.
    Asker,
}

/// A request that waits for its answer.
pub(super) struct Exchange {
    id: TransactionId,
    from: Line,
    to: Line,
    bytes: Vec<u8>,
    sent: u32,
    /// When it is sent again or has failed.
    pub(super) next: Mono,
}

/// What time has come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing yet.
    Wait,
    /// It is to be sent (again) from this socket.
    Send(Line, Vec<u8>),
    /// Nobody answers.
    Failed,
}

impl Exchange {
    /// Due at once; the answer is expected where it is sent from.
    pub(super) fn new(from: Line, request: &Request<'_>, id: TransactionId, now: Mono) -> Self {
        Self::redirected(from, from, request, id, now)
    }

    /// The same with the answer going elsewhere.
    pub(super) fn redirected(
        from: Line,
        to: Line,
        request: &Request<'_>,
        id: TransactionId,
        now: Mono,
    ) -> Self {
        Self { bytes: request.encode(&id), id, from, to, sent: 0, next: now }
    }

    pub(super) fn at(&mut self, now: Mono) -> Due {
        if now < self.next {
            return Due::Wait;
        }
        if self.sent == limits::STUN_SENDS {
            return Due::Failed;
        }
        let pause = (limits::STUN_FIRST_RESEND_MS << self.sent.min(16)).min(limits::STUN_LAST_RESEND_MS);
        self.next = now.after_ms(pause);
        self.sent += 1;
        Due::Send(self.from, self.bytes.clone())
    }

    /// What the answer to this request says; `None` for every other datagram. Only the server can know the transaction ID,
    /// and with a proof it has to know the password as well.
    pub(super) fn answer<'a>(&self, on: Line, bytes: &'a [u8], proof: Option<&Proof>) -> Option<Content<'a>> {
        let response = Response::decode(bytes)?;
        // What the server does not redirect comes back to where it was asked.
        let right_line = on == self.to || on == self.from;
        let genuine = response.id == self.id && !proof.is_some_and(|proof| response.is_forged(proof));
        (right_line && genuine).then_some(response.content)
    }
}
