//! The store of the box: one write at a time, slow or refused at times, and what is on it when the power goes.

use cwmp_core::{
    io::{Input, Ticket},
    stored::Stored,
};

use super::{Happening, World};

#[derive(Debug, Default)]
pub(super) struct Store {
    /// Tickets and state of the write under way.
    writing: Option<(Vec<Ticket>, Box<Stored>)>,
    waiting: Option<(Vec<Ticket>, Box<Stored>)>,
}

impl Store {
    pub(super) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }
}

impl World {
    pub(super) fn persist(&mut self, ticket: Ticket, state: Box<Stored>) {
        if self.store.writing.is_none() {
            self.store.writing = Some((vec![ticket], state));
            return self.write();
        }
        let mut tickets = self.store.waiting.take().map(|(tickets, _)| tickets).unwrap_or_default();
        tickets.push(ticket);
        self.store.waiting = Some((tickets, state));
    }

    fn write(&mut self) {
        let after = match () {
            () if self.dice.permille(self.mood.store) => self.dice.between(100, 90_000),
            () => self.dice.between(0, 20),
        };
        self.at(after, Happening::Written);
    }

    pub(super) fn written(&mut self) {
        let Some((tickets, state)) = self.store.writing.take() else { return };
        let well = !self.dice.permille(self.mood.store);
        if well {
            self.stored = *state;
            self.written_since_boot = true;
            tickets.iter().for_each(|ticket| self.check.written(*ticket));
        }
        self.tell(|| format!("the store: {}", if well { "written" } else { "failed" }));
        self.store.writing = self.store.waiting.take();
        if self.store.writing.is_some() {
            self.write();
        }
        for ticket in tickets {
            let input = match well {
                true => Input::Persisted(ticket),
                false => Input::PersistFailed(ticket, "disk full".to_owned()),
            };
            self.feed(input, None);
        }
    }

    pub(super) fn finish_writes(&mut self) {
        let writes = [self.store.writing.take(), self.store.waiting.take()];
        for (tickets, state) in writes.into_iter().flatten() {
            self.stored = *state;
            self.written_since_boot = true;
            for ticket in tickets {
                self.check.written(ticket);
            }
        }
    }
}
