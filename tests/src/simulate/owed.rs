//! What the box owes its ACS: the book that an agent must keep, kept here a second time from what was said and seen.

use cwmp_core::{
    event::{EventCode, EventStruct},
    limits,
};

/// Whether an event belongs into the next Inform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// It would be invented.
    #[default]
    No,
    /// The standard leaves it open.
    May,
    /// It would be lost.
    Must,
}

/// A Reboot call, by its place in the list of all calls.
pub(super) type CallId = usize;

/// Events that the next Inform is to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Events {
    pub(super) bootstrap: Need,
    pub(super) boot: Need,
    pub(super) periodic: Need,
    pub(super) connection_request: Need,
    /// Reboots that have happened and are to be reported.
    pub(super) reboots: Vec<(CallId, Need)>,
}

impl Events {
    /// Whether one of them must be told.
    pub(super) fn urgent(&self) -> bool {
        [self.bootstrap, self.boot, self.periodic, self.connection_request].contains(&Need::Must)
            || self.reboots.iter().any(|(_, need)| *need == Need::Must)
    }

    /// Puts back what was not delivered, in front of what came since.
    pub(super) fn put_back(&mut self, undelivered: &Events) {
        self.bootstrap = self.bootstrap.max(undelivered.bootstrap);
        self.boot = self.boot.max(undelivered.boot);
        self.periodic = self.periodic.max(undelivered.periodic);
        let newer = std::mem::take(&mut self.reboots);
        self.reboots = undelivered.reboots.iter().copied().chain(newer).collect();
    }

    /// Compares an Inform's list with what is owed; returns what stays behind because the list is full.
    pub(super) fn compare(
        &mut self,
        listed: &[EventStruct],
        value_change: bool,
        key_of: impl Fn(CallId) -> String,
    ) -> Result<Vec<(CallId, Need)>, String> {
        if listed.len() > limits::INFORM_EVENTS {
            return Err(format!("an Inform with {} events", listed.len()));
        }
        let change = if value_change { Need::Must } else { Need::No };
        let singles = [
            (EventCode::Bootstrap, self.bootstrap),
            (EventCode::Boot, self.boot),
            (EventCode::Periodic, self.periodic),
            (EventCode::ConnectionRequest, self.connection_request),
            (EventCode::ValueChange, change),
        ];
        for (code, need) in &singles {
            let times = listed.iter().filter(|event| event.code == *code).count();
            match (times, need) {
                (0, Need::Must) => return Err(format!("`{}` is lost", code.as_str())),
                (1, Need::No) => return Err(format!("`{}` is invented or told again", code.as_str())),
                (0 | 1, _) => {}
                _ => return Err(format!("`{}` stands {times} times", code.as_str())),
            }
        }
        if listed.iter().all(|event| event.code != EventCode::Periodic) {
            self.periodic = Need::No;
        }
        let mut told = Vec::new();
        for event in listed.iter().filter(|event| singles.iter().all(|(code, _)| *code != event.code)) {
            let key = event.command_key.as_str();
            let place = self.reboots.iter().position(|(id, _)| key_of(*id) == key);
            match place {
                Some(at) if event.code == EventCode::MReboot => told.push(self.reboots.remove(at)),
                _ => return Err(format!("`{} {key}` is invented or told again", event.code.as_str())),
            }
        }
        let full = listed.len() >= limits::INFORM_EVENTS;
        let behind = std::mem::replace(&mut self.reboots, told);
        if let Some((id, _)) = behind.iter().find(|(_, need)| *need == Need::Must && !full) {
            return Err(format!("`M Reboot {}` is lost", key_of(*id)));
        }
        Ok(if full { behind } else { Vec::new() })
    }
}

/// Everything that outlives a session.
#[derive(Clone, Debug, Default)]
pub(super) struct Owed {
    /// The ACS that has answered a bootstrap, by its URL.
    pub(super) contacted: Option<String>,
    pub(super) events: Events,
    /// `2 PERIODIC` stood in an Inform whose session failed: from then on it outlives a power cut.
    pub(super) periodic_failed: bool,
    /// Reboot calls that are promised, or may be, and have not happened yet.
    pub(super) reboots: Vec<CallId>,
    /// FactoryReset is promised, or may be, and has not happened yet.
    pub(super) factory_reset: bool,
    /// Failed sessions since the last good one.
    pub(super) retry: u32,
    /// Nothing but the change of the URL has happened since it was changed.
    pub(super) url_just_changed: bool,
}

impl Owed {
    /// Whether `1 BOOT` is to be told and a session has failed since.
    pub(super) fn boot_failed(&self) -> bool {
        self.events.boot == Need::Must && self.retry > 0
    }

    /// What of it is to be found on stable storage as soon as the agent rests.
    pub(super) fn essence(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        (
            self.contacted.clone(),
            self.retry,
            self.events.bootstrap,
            self.boot_failed(),
            self.periodic_failed && self.events.periodic == Need::Must,
            self.reboots.clone(),
            self.factory_reset,
            self.events.reboots.iter().filter(|(_, need)| *need == Need::Must).count(),
        )
    }

    /// The ACS is another one than the one that was contacted: it is owed a bootstrap, and nothing older.
    pub(super) fn other_acs(&mut self) {
        self.contacted = None;
        if std::mem::replace(&mut self.events.bootstrap, Need::Must) == Need::Must {
            return;
        }
        self.periodic_failed = false;
        self.events.periodic = self.events.periodic.min(Need::May);
        self.events.connection_request = self.events.connection_request.min(Need::May);
        for (_, need) in &mut self.events.reboots {
            *need = Need::May;
        }
    }
}
