//! The binding that a NAT keeps for connection requests: learning it, keeping it open, finding out for how long the NAT
//! remembers it (TR-069a6 Annex G). A state machine without sockets: time and datagrams come in, datagrams go out.
//!
//! The lifetime is searched with sockets of its own, so that the box stays reachable meanwhile: one gets a binding and is
//! silent; after a while the server is asked, from another socket, to answer to it (RESPONSE-ADDRESS of RFC 3489, else
//! RESPONSE-PORT of RFC 5780). If the answer comes through, the NAT still knew it. A server that does not redirect answers
//! leaves the lifetime unknown, and the period at what is safe with all common NATs: that a mapping is the same as before
//! proves nothing, for many a NAT forgets a binding and then makes the same one again.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use cwmp_core::{settings::StunSettings, time::Mono};

use super::{
    exchange::{Due, Exchange, Line},
    lifetime::Lifetime,
    message::{COOKIE, Content, Proof, Redirect, Request, TransactionId},
};
use crate::limits;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Send this to the server.
    Send(Line, Vec<u8>),
    /// Open new sockets for [`Line::Tested`] and [`Line::Asker`].
    OpenTest,
    /// Close them.
    CloseTest,
    /// The world sees the door here: after each beginning, and whenever it changes.
    Mapped(SocketAddr),
    /// A binding was silent for so long, and whether the NAT still knew it. To be logged.
    Tested { silence: Duration, survived: bool },
    /// Nothing more happens until [`Binding::begin`].
    Lost(Loss),
}

/// Why the server is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Loss {
    #[error("it does not answer")]
    Silent,
    #[error("it asks for credentials (error {0}): set STUNUsername and STUNPassword")]
    Asked(u16),
    #[error("it refuses STUNUsername or STUNPassword (error {0})")]
    Credentials(u16),
    #[error("it refuses with error {0}")]
    Refused(u16),
    #[error("the system has no random numbers")]
    Random,
}

/// Makes transaction IDs that nobody guesses; `None` when the system has no random source.
pub(crate) type Ids = Box<dyn FnMut() -> Option<TransactionId>>;

/// The course towards one server.
pub(crate) struct Binding {
    settings: StunSettings,
    server: SocketAddr,
    /// The door as the box itself sees it.
    local: SocketAddr,
    mapped: Option<SocketAddr>,
    /// Nothing has been heard since the beginning.
    fresh: bool,
    lifetime: Lifetime,
    proof: Option<Proof>,
    /// Refusals since the last answer.
    refusals: u32,
    door: Door,
    test: Test,
    /// Whether the server is asked with RESPONSE-PORT, because it does not know RESPONSE-ADDRESS.
    by_port: bool,
    acts: VecDeque<Act>,
    ids: Ids,
}

enum Door {
    /// Lost: the owner says when to try again.
    Waits,
    /// Open; the next keep-alive is due then. When it was used last.
    Rests { until: Mono, since: Mono },
    /// The server is asked; whether it is told of a change. When the binding was used before.
    Asks { exchange: Exchange, change: bool, since: Mono },
}

enum Test {
    /// The next one may begin then.
    Rests(Mono),
    /// The binding under test is being made.
    Opens(Exchange),
    /// It is silent.
    Silent { mapped: SocketAddr, silence: Duration, until: Mono },
    /// The server is to answer through it.
    Asks { exchange: Exchange, mapped: SocketAddr, silence: Duration },
    /// No answer came: does the server live?
    Doubts { exchange: Exchange, silence: Duration },
    /// The server does not redirect answers.
    Impossible,
}

impl Binding {
    /// A course that has not begun.
    pub(crate) fn new(settings: StunSettings, server: SocketAddr, local: SocketAddr, ids: Ids) -> Self {
        Self {
            lifetime: lifetime(&settings),
            settings,
            server,
            local,
            mapped: None,
            fresh: true,
            proof: None,
            refusals: 0,
            door: Door::Waits,
            test: Test::Rests(Mono(0)),
            by_port: false,
            acts: VecDeque::new(),
            ids,
        }
    }

    /// Asks the server, which may be another one now, or seen from another address of the box. What was learnt of the NAT
    /// holds only for the same two.
    pub(crate) fn begin(&mut self, server: SocketAddr, local: SocketAddr, now: Mono) {
        if (server, local) != (self.server, self.local) {
            (self.server, self.local) = (server, local);
            self.lifetime = lifetime(&self.settings);
            self.proof = None;
            // It may be the same mapping, and yet a NAT or none.
            self.mapped = None;
            self.by_port = false;
            self.test = Test::Rests(now);
            self.acts.push_back(Act::CloseTest);
        } else if !matches!(self.test, Test::Impossible) {
            self.end_test(Test::Rests(now));
        }
        self.refusals = 0;
        self.fresh = true;
        self.ask(false, now, now);
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// When [`Binding::at`] is to be called at the latest.
    pub(crate) fn next_wakeup(&self) -> Option<Mono> {
        let door = match &self.door {
            Door::Waits => return None,
            Door::Rests { until, .. } => *until,
            Door::Asks { exchange, .. } => exchange.next,
        };
        let test = match &self.test {
            Test::Rests(at) => self.may_test().then_some(*at),
            Test::Silent { until, .. } => Some(*until),
            Test::Opens(exchange) | Test::Asks { exchange, .. } | Test::Doubts { exchange, .. } => {
                Some(exchange.next)
            }
            Test::Impossible => None,
        };
        Some(test.map_or(door, |test| test.min(door)))
    }

    /// It is `now`.
    pub(crate) fn at(&mut self, now: Mono) {
        self.door_at(now);
        if !matches!(self.door, Door::Waits) {
            self.test_at(now);
        }
    }

    /// A datagram has come; most that can be said of any but the right one is nothing.
    pub(crate) fn receive(&mut self, on: Line, from: SocketAddr, bytes: &[u8], now: Mono) {
        if from != self.server {
            return;
        }
        let exchange = match (on, &self.door, &self.test) {
            (Line::Door, Door::Asks { exchange, .. }, _) => exchange,
            (Line::Door, ..) => return,
            (_, _, Test::Opens(exchange) | Test::Asks { exchange, .. } | Test::Doubts { exchange, .. }) => {
                exchange
            }
            _ => return,
        };
        let Some(content) = exchange.answer(on, bytes, self.proof.as_ref()) else { return };
        match (on, content) {
            (Line::Door, Content::Mapped(mapped)) => self.learn(mapped, now),
            (Line::Door, Content::Refused { code, ask }) => self.refused(code, ask, now),
            (Line::Tested, Content::Mapped(mapped)) => self.test_answered(mapped, now),
            (Line::Asker, Content::Mapped(_)) | (_, Content::Refused { .. }) => self.test_refused(now),
        }
    }

    fn door_at(&mut self, now: Mono) {
        match &mut self.door {
            Door::Rests { until, since } if *until <= now => {
                let since = *since;
                self.ask(false, since, now);
            }
            Door::Asks { exchange, .. } => match exchange.at(now) {
                Due::Wait => {}
                Due::Send(line, bytes) => self.acts.push_back(Act::Send(line, bytes)),
                Due::Failed => self.lose(Loss::Silent),
            },
            Door::Rests { .. } | Door::Waits => {}
        }
    }

    fn ask(&mut self, change: bool, since: Mono, now: Mono) {
        let Some(id) = self.id() else { return self.lose(Loss::Random) };
        let request = Request {
            connection_requests: true,
            binding_change: change,
            redirect: None,
            proof: self.proof.as_ref(),
        };
        let exchange = Exchange::new(Line::Door, &request, id, now);
        self.door = Door::Asks { exchange, change, since };
        self.door_at(now);
    }

    /// An ID that servers of all RFCs take.
    fn id(&mut self) -> Option<TransactionId> {
        let mut id = (self.ids)()?;
        if let Some(start) = id.first_chunk_mut() {
            *start = COOKIE;
        }
        Some(id)
    }

    fn lose(&mut self, loss: Loss) {
        self.door = Door::Waits;
        self.acts.push_back(Act::Lost(loss));
    }

    fn learn(&mut self, mapped: SocketAddr, now: Mono) {
        let Door::Asks { since, .. } = &self.door else { return };
        let silence = Duration::from_millis(now.since(*since));
        self.refusals = 0;
        let before = self.mapped.replace(mapped);
        let period = self.lifetime.period();
        self.door = Door::Rests { until: after(now, period), since: now };
        let fresh = std::mem::take(&mut self.fresh);
        if before == Some(mapped) {
            if fresh {
                self.acts.push_back(Act::Mapped(mapped));
            }
            return;
        }
        // Another port of the same address: the NAT had forgotten the binding. Another address is another line.
        if before.is_some_and(|before| before.ip() == mapped.ip()) && silence >= period {
            self.lifetime.dies(silence);
        }
        self.acts.push_back(Act::Mapped(mapped));
        self.ask(true, now, now);
    }

    fn refused(&mut self, code: u16, ask: Option<(&[u8], &[u8])>, now: Mono) {
        let Door::Asks { change, since, .. } = self.door else { return };
        let asks = matches!(code, 401 | 430 | 431 | 432 | 438) || (code == 400 && self.proof.is_some());
        if !asks {
            return self.lose(Loss::Refused(code));
        }
        if self.settings.username.is_empty() {
            return self.lose(Loss::Asked(code));
        }
        self.refusals += 1;
        let (username, password) = (self.settings.username.clone(), self.settings.password.0.clone());
        let next = match (ask, &self.proof) {
            _ if self.refusals > limits::AUTHENTICATION_ATTEMPTS => None,
            (Some((realm, nonce)), _) => {
                Some(Proof::LongTerm { username, password, realm: realm.to_vec(), nonce: nonce.to_vec() })
            }
            (None, None) => Some(Proof::Classic { username, password }),
            (None, Some(Proof::Classic { .. })) => Some(Proof::ShortTerm { username, password }),
            (None, Some(_)) => None,
        };
        self.proof = next;
        if self.proof.is_none() {
            return self.lose(Loss::Credentials(code));
        }
        self.ask(change, since, now);
    }

    fn may_test(&self) -> bool {
        self.mapped.is_some() && self.lifetime.next_test().is_some()
    }

    fn test_at(&mut self, now: Mono) {
        let may_test = self.may_test();
        match &mut self.test {
            Test::Rests(at) if *at <= now && may_test => {
                self.acts.push_back(Act::OpenTest);
                self.test_asks(now, Test::Opens);
            }
            Test::Silent { mapped, silence, until } if *until <= now => {
                let (mapped, silence) = (*mapped, *silence);
                self.redirect(mapped, silence, now);
            }
            Test::Opens(exchange) | Test::Asks { exchange, .. } | Test::Doubts { exchange, .. } => {
                match exchange.at(now) {
                    Due::Wait => {}
                    Due::Send(line, bytes) => self.acts.push_back(Act::Send(line, bytes)),
                    Due::Failed => self.test_failed(now),
                }
            }
            Test::Rests(_) | Test::Silent { .. } | Test::Impossible => {}
        }
    }

    /// A plain request from the socket under test.
    fn test_asks(&mut self, now: Mono, then: impl FnOnce(Exchange) -> Test) {
        let Some(id) = self.id() else { return self.test_later(now) };
        let request = Request { proof: self.proof.as_ref(), ..Request::default() };
        self.test = then(Exchange::new(Line::Tested, &request, id, now));
        self.test_at(now);
    }

    /// Has the server answer to the socket under test. RESPONSE-ADDRESS is of RFC 3489 alone, and so is the ID then: servers
    /// that speak both versions tell them apart by it. RESPONSE-PORT came later; it needs both sockets behind the same
    /// public address.
    fn redirect(&mut self, mapped: SocketAddr, silence: Duration, now: Mono) {
        let id = if self.by_port { self.id() } else { (self.ids)() };
        let Some(id) = id else { return self.test_later(now) };
        let redirect = if self.by_port { Redirect::Port(mapped.port()) } else { Redirect::Address(mapped) };
        let request = Request { redirect: Some(redirect), proof: self.proof.as_ref(), ..Request::default() };
        let exchange = Exchange::redirected(Line::Asker, Line::Tested, &request, id, now);
        self.test = Test::Asks { exchange, mapped, silence };
        self.test_at(now);
    }

    fn test_answered(&mut self, mapped: SocketAddr, now: Mono) {
        match &self.test {
            // Before a long wait: does it work at all?
            Test::Opens(_) => self.redirect(mapped, Duration::ZERO, now),
            Test::Asks { mapped, silence, .. } if silence.is_zero() => {
                let (mapped, silence) = (*mapped, self.lifetime.next_test().unwrap_or_default());
                self.test = Test::Silent { mapped, silence, until: after(now, silence) };
            }
            Test::Asks { silence, .. } => {
                let silence = *silence;
                self.lifetime.survives(silence);
                self.acts.push_back(Act::Tested { silence, survived: true });
                self.end_test(Test::Rests(now));
            }
            // The server lives: it was the binding that had gone.
            Test::Doubts { silence, .. } => {
                let silence = *silence;
                self.lifetime.dies(silence);
                self.acts.push_back(Act::Tested { silence, survived: false });
                self.end_test(Test::Rests(now));
                self.keep_in_time(now);
            }
            Test::Rests(_) | Test::Silent { .. } | Test::Impossible => {}
        }
    }

    fn test_refused(&mut self, now: Mono) {
        match self.test {
            Test::Asks { silence, mapped, .. } if silence.is_zero() => self.does_not_redirect(mapped, now),
            _ => self.test_later(now),
        }
    }

    /// It does not work like this. Does it work in another way?
    fn does_not_redirect(&mut self, mapped: SocketAddr, now: Mono) {
        if self.by_port {
            return self.end_test(Test::Impossible);
        }
        self.by_port = true;
        self.redirect(mapped, Duration::ZERO, now);
    }

    fn test_failed(&mut self, now: Mono) {
        match self.test {
            Test::Asks { silence, mapped, .. } if silence.is_zero() => self.does_not_redirect(mapped, now),
            Test::Asks { silence, .. } => {
                self.test_asks(now, |exchange| Test::Doubts { exchange, silence });
            }
            _ => self.test_later(now),
        }
    }

    /// It came to nothing: the sockets could not be opened, or the server was silent.
    pub(crate) fn test_later(&mut self, now: Mono) {
        self.end_test(Test::Rests(now.after_ms(limits::STUN_TEST_PAUSE_MS)));
    }

    fn end_test(&mut self, next: Test) {
        self.test = next;
        self.acts.push_back(Act::CloseTest);
    }

    /// The period has become shorter: so has the rest that is under way.
    fn keep_in_time(&mut self, now: Mono) {
        if let Door::Rests { until, since } = &mut self.door {
            *until = (*until).min(after(*since, self.lifetime.period())).max(now);
        }
    }
}

fn lifetime(settings: &StunSettings) -> Lifetime {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    Lifetime::new(seconds(settings.minimum_keep_alive), settings.maximum_keep_alive.map(seconds))
}

fn after(moment: Mono, wait: Duration) -> Mono {
    moment.after_ms(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
