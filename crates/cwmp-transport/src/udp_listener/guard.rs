//! No connection request counts twice, not even after a restart (TR-069a6 Annex G).
//!
//! A request must not be older than the last one that was accepted, and be none of those of the same second. That moment has to outlive the program, whatever the clock
//! says after a boot, and yet not every request may cost a write to flash: so it is written a little ahead, at most once
//! in [`limits::UDP_NOTE_AHEAD_S`] of the ACS's time. The price is that after a restart the requests of that time are not
//! taken either.

use std::{collections::VecDeque, fmt, future::Future, pin::Pin};

use cwmp_core::time::Wall;
use tokio::time::Instant;

use super::request::UdpRequest;
use crate::{limits, listener::rate::Rate};

/// Keeps a moment durably: nothing up to it is accepted after the next start. Seconds since 1970.
pub type KeepNote = Box<dyn FnMut(u64) -> Pin<Box<dyn Future<Output = ()>>>>;

/// What requests have been accepted, over all changes of settings. One for each run of the program.
pub struct ReplayGuard {
    /// What an earlier run has noted: up to then everything may have been accepted.
    floor: u64,
    /// The last ones that were accepted, the latest at the end.
    accepted: VecDeque<UdpRequest>,
    noted: u64,
    keep: KeepNote,
    rate: Rate,
    start: Instant,
}

/// Why a request with the right signature is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwanted {
    #[error("it is older than the last one")]
    Old,
    #[error("it is a copy of an earlier one")]
    Copy,
    #[error("its time lies more than a day ahead")]
    Ahead,
    #[error("too many have come")]
    Rate,
}

impl ReplayGuard {
    /// Goes on from the note of an earlier run; `keep` writes a new one.
    #[must_use]
    pub fn new(noted: Option<u64>, keep: KeepNote) -> Self {
        let noted = noted.unwrap_or(0);
        let (accepted, rate) = (VecDeque::new(), Rate::new(limits::REQUEST_BURST, limits::REQUEST_REFILL_MS));
        Self { floor: noted, accepted, noted, keep, rate, start: Instant::now() }
    }

    /// Milliseconds since the run has begun.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Accepts a request whose signature is right, once. What it takes to refuse it after a restart is durable then. When
    /// this is dropped, the request has not come.
    pub(super) async fn accept(
        &mut self,
        request: &UdpRequest,
        now_ms: u64,
        date: Option<Wall>,
    ) -> Result<(), Unwanted> {
        // The same signed text with its fields cut elsewhere has another id, and is a copy as well.
        if self.accepted.iter().any(|known| known.id == request.id || known.sig == request.sig) {
            return Err(Unwanted::Copy);
        }
        let last = self.accepted.back().map_or(0, |last| last.ts);
        if request.ts < last || request.ts <= self.floor {
            return Err(Unwanted::Old);
        }
        // Else one wrong clock would keep all right ones away for years.
        let today = date.and_then(|date| u64::try_from(date.0 / 1000).ok());
        if today.is_some_and(|today| request.ts > today.saturating_add(limits::UDP_AHEAD_S)) {
            return Err(Unwanted::Ahead);
        }
        // One that gives way to another must be older, so that it cannot come again.
        let full = self.accepted.len() == limits::UDP_REMEMBERED;
        let no_room = full && self.accepted.front().is_some_and(|oldest| oldest.ts == request.ts);
        if no_room || !self.rate.take(now_ms) {
            return Err(Unwanted::Rate);
        }
        if request.ts > self.noted {
            let until = request.ts.saturating_add(limits::UDP_NOTE_AHEAD_S);
            (self.keep)(until).await;
            self.noted = until;
        }
        if full {
            self.accepted.pop_front();
        }
        self.accepted.push_back(request.clone());
        Ok(())
    }
}

impl fmt::Debug for ReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayGuard").field("floor", &self.floor).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc, time::Duration};

    use super::*;

    const T: u64 = 1_800_000_000;

    fn request(ts: u64, id: &str) -> UdpRequest {
        let text = format!("GET ?ts={ts}&id={id}&un=u&cn=c&sig=00 HTTP/1.1\r\n\r\n");
        let request = UdpRequest::parse(text.as_bytes()).unwrap();
        UdpRequest { sig: format!("{ts} {id}").into_bytes(), ..request }
    }

    /// A guard, the last note of it, and how often one was written.
    fn guard(noted: Option<u64>) -> (ReplayGuard, Rc<Cell<(u64, u32)>>) {
        let notes = Rc::new(Cell::new((0, 0)));
        let kept = Rc::clone(&notes);
        let keep: KeepNote = Box::new(move |moment| {
            kept.set((moment, kept.get().1 + 1));
            Box::pin(std::future::ready(()))
        });
        (ReplayGuard::new(noted, keep), notes)
    }

    /// Conformance: 6.28
    #[tokio::test]
    async fn copies_old_ones_and_repeated_ids_do_not_count() {
        let (mut guard, _) = guard(None);
        assert_eq!(guard.accept(&request(T, "1"), 0, None).await, Ok(()));
        assert_eq!(guard.accept(&request(T, "1"), 0, None).await, Err(Unwanted::Copy));
        assert_eq!(guard.accept(&request(T + 1, "1"), 0, None).await, Err(Unwanted::Copy));
        assert_eq!(guard.accept(&request(T - 1, "2"), 0, None).await, Err(Unwanted::Old));
        assert_eq!(guard.accept(&request(T, "3"), 0, None).await, Ok(()), "of the same second");
        let cut_elsewhere = UdpRequest { id: "31".to_owned(), ..request(T, "3") };
        assert_eq!(guard.accept(&cut_elsewhere, 0, None).await, Err(Unwanted::Copy));
        assert_eq!(guard.accept(&request(T + 1, "4"), 0, None).await, Ok(()));
        assert_eq!(guard.accept(&request(T, "5"), 0, None).await, Err(Unwanted::Old));
    }

    /// Conformance: 6.28
    #[tokio::test]
    async fn a_restart_opens_no_window() {
        let (mut first, notes) = guard(None);
        for second in 0..100 {
            assert_eq!(
                first.accept(&request(T + second, &second.to_string()), second * 10_000, None).await,
                Ok(())
            );
            // Whenever it is killed, what has been accepted is refused after it.
            let (mut second_run, _) = guard(Some(notes.get().0));
            for seen in 0..=second {
                let seen = request(T + seen, &seen.to_string());
                assert_eq!(second_run.accept(&seen, 0, None).await, Err(Unwanted::Old));
            }
        }
        assert_eq!(notes.get().1, 2, "a note is not written for every request");
        let (mut second_run, _) = guard(Some(notes.get().0));
        assert_eq!(second_run.accept(&request(T + 200, "200"), 0, None).await, Ok(()));
    }

    /// Conformance: 6.28
    #[tokio::test]
    async fn no_copy_counts_however_many_come_in_one_second() {
        let (mut guard, _) = guard(None);
        let mut accepted = 0;
        for round in 0..3 {
            for n in 0..100 {
                // Slowly enough for the rate; only the time of the ACS stands still.
                let ms = (round * 100 + n) * limits::REQUEST_REFILL_MS;
                accepted += u32::from(guard.accept(&request(T, &n.to_string()), ms, None).await.is_ok());
            }
        }
        assert_eq!(accepted as usize, limits::UDP_REMEMBERED);
        assert_eq!(guard.accept(&request(T + 1, "next"), u64::MAX, None).await, Ok(()));
    }

    #[tokio::test]
    async fn a_wrong_clock_of_somebody_does_not_lock_the_door() {
        let (mut guard, _) = guard(None);
        let today = Some(Wall::from_seconds(i64::try_from(T).unwrap()));
        assert_eq!(guard.accept(&request(9_999_999_999, "1"), 0, today).await, Err(Unwanted::Ahead));
        assert_eq!(guard.accept(&request(T + 3600, "2"), 0, today).await, Ok(()));
    }

    #[tokio::test]
    async fn as_many_are_accepted_as_over_http() {
        let (mut guard, _) = guard(None);
        for (from, ms, expected) in
            [(0, 0, limits::REQUEST_BURST as usize), (100, limits::REQUEST_REFILL_MS * 2, 2)]
        {
            let mut taken = 0;
            for n in from..from + 100 {
                taken += usize::from(guard.accept(&request(T + n, &n.to_string()), ms, None).await.is_ok());
            }
            assert_eq!(taken, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_counts_once_its_note_is_durable_and_not_before() {
        let slow: KeepNote = Box::new(|_| Box::pin(tokio::time::sleep(Duration::from_secs(1))));
        let mut guard = ReplayGuard::new(None, slow);
        let first = request(T, "1");
        let given_up = tokio::time::timeout(Duration::from_millis(999), guard.accept(&first, 0, None)).await;
        assert!(given_up.is_err());
        // It has not rung; so its next copy does, and waits for a note as well.
        let begun = Instant::now();
        assert_eq!(guard.accept(&first, 0, None).await, Ok(()));
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
        assert_eq!(guard.accept(&first, 0, None).await, Err(Unwanted::Copy));
    }
}
