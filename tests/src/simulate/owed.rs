//! What the box owes its ACS: the book that an agent must keep, kept here a second time from what was said and seen.

use cwmp_core::event::{EventCode, EventStruct};

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

/// A Reboot or ScheduleInform call, by its place in the list of all such calls.
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
    /// ScheduleInform calls that are not yet reported. Their need is weighed when an Inform is begun.
    pub(super) scheduled: Vec<(CallId, Need)>,
    /// A diagnostic of the ACS has ended.
    pub(super) diagnostics: Need,
    pub(super) request_download: Need,
    pub(super) vendor: Vec<Vendor>,
}

/// An event of a vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vendor {
    event: EventStruct,
    need: Need,
    /// It stood in an Inform whose session failed: from then on it outlives a power cut.
    pub(super) failed: bool,
}

impl Events {
    pub(super) fn vendor_event(&mut self, event: &EventStruct) {
        let known = self.vendor.iter_mut().find(|known| known.event == *event && !event.code.is_multiple());
        match known {
            Some(known) => known.need = Need::Must,
            None => self.vendor.push(Vendor { event: event.clone(), need: Need::Must, failed: false }),
        }
    }

    /// Leaves what outlives the end of the program. A vendor's event is worth a write only once its session has failed.
    pub(super) fn only_what_is_kept(&mut self) {
        self.connection_request = Need::No;
        self.diagnostics = Need::No;
        self.request_download = Need::No;
        for vendor in self.vendor.iter_mut().filter(|vendor| !vendor.failed) {
            vendor.need = vendor.need.min(Need::May);
        }
    }

    /// Whether one of them must be told.
    pub(super) fn urgent(&self) -> bool {
        let singles = [self.bootstrap, self.boot, self.periodic, self.connection_request];
        singles.contains(&Need::Must)
            || [self.diagnostics, self.request_download].contains(&Need::Must)
            || self.vendor.iter().any(|vendor| vendor.need == Need::Must)
            || self.reboots.iter().chain(&self.scheduled).any(|(_, need)| *need == Need::Must)
    }

    /// Puts back what was not delivered, in front of what came since.
    pub(super) fn put_back(&mut self, undelivered: &Events) {
        self.bootstrap = self.bootstrap.max(undelivered.bootstrap);
        self.boot = self.boot.max(undelivered.boot);
        self.periodic = self.periodic.max(undelivered.periodic);
        self.diagnostics = self.diagnostics.max(undelivered.diagnostics);
        let newer = std::mem::replace(&mut self.vendor, undelivered.vendor.clone());
        for vendor in newer {
            let same = |known: &&mut Vendor| known.event == vendor.event && !vendor.event.code.is_multiple();
            match self.vendor.iter_mut().find(same) {
                Some(known) => known.need = known.need.max(vendor.need),
                None => self.vendor.push(vendor),
            }
        }
        let newer = std::mem::take(&mut self.reboots);
        self.reboots = undelivered.reboots.iter().copied().chain(newer).collect();
        self.scheduled.extend(&undelivered.scheduled);
    }

    /// Compares an Inform's list with what is owed; returns what stays behind because the list is full, and what is not
    /// due yet.
    pub(super) fn compare(
        &mut self,
        listed: &[EventStruct],
        full: bool,
        value_change: bool,
        key_of: impl Fn(&EventCode, CallId) -> String,
    ) -> Result<Events, String> {
        let change = if value_change { Need::Must } else { Need::No };
        let singles = [
            (EventCode::Bootstrap, self.bootstrap),
            (EventCode::Boot, self.boot),
            (EventCode::Periodic, self.periodic),
            (EventCode::ConnectionRequest, self.connection_request),
            (EventCode::ValueChange, change),
            (EventCode::DiagnosticsComplete, self.diagnostics),
            (EventCode::RequestDownload, self.request_download),
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
        let mut told = Events::default();
        for event in listed.iter().filter(|event| singles.iter().all(|(code, _)| *code != event.code)) {
            let (owed, told) = match event.code {
                EventCode::MReboot => (&mut self.reboots, &mut told.reboots),
                EventCode::MScheduleInform => (&mut self.scheduled, &mut told.scheduled),
                EventCode::Scheduled => continue,
                EventCode::Other(_) => {
                    match self.vendor.iter().position(|vendor| vendor.event == *event) {
                        Some(at) => told.vendor.push(self.vendor.remove(at)),
                        None => return Err(format!("`{}` is invented", event.code.as_str())),
                    }
                    continue;
                }
                _ => return Err(format!("`{}` is invented", event.code.as_str())),
            };
            let key = event.command_key.as_str();
            let same = owed.iter().enumerate().filter(|(_, (id, _))| key_of(&event.code, *id) == key);
            match same.rev().max_by_key(|(_, (_, need))| *need).map(|(at, (_, need))| (at, *need)) {
                Some((at, need)) if need > Need::No => told.push(owed.remove(at)),
                _ => {
                    let name = event.code.as_str();
                    return Err(format!("`{name} {key}` is invented, told again or told too early"));
                }
            }
        }
        let scheduled = listed.iter().filter(|event| event.code == EventCode::Scheduled).count();
        if scheduled > 1 || (!full && (scheduled == 1) == told.scheduled.is_empty()) {
            return Err(format!("{scheduled} `3 SCHEDULED` with {} calls", told.scheduled.len()));
        }
        for (code, behind) in
            [(EventCode::MReboot, &self.reboots), (EventCode::MScheduleInform, &self.scheduled)]
        {
            if let Some((id, _)) = behind.iter().find(|(_, need)| *need == Need::Must && !full) {
                return Err(format!("`{} {}` is lost", code.as_str(), key_of(&code, *id)));
            }
        }
        if let Some(lost) = self.vendor.iter().find(|vendor| vendor.need == Need::Must && !full) {
            return Err(format!("`{}` is lost", lost.event.code.as_str()));
        }
        let vendor = std::mem::replace(&mut self.vendor, told.vendor);
        let vendor = if full { vendor } else { Vec::new() };
        let reboots = std::mem::replace(&mut self.reboots, told.reboots);
        let scheduled = std::mem::replace(&mut self.scheduled, told.scheduled);
        let reboots = if full { reboots } else { Vec::new() };
        Ok(Events { reboots, scheduled, vendor, ..Events::default() })
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
    /// What of it is to be found on stable storage as soon as the agent rests.
    pub(super) fn essence(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let mut scheduled: Vec<CallId> = self.events.scheduled.iter().map(|(id, _)| *id).collect();
        scheduled.sort_unstable();
        (
            self.contacted.clone(),
            self.retry,
            self.events.bootstrap,
            self.events.boot == Need::Must,
            self.periodic_failed && self.events.periodic == Need::Must,
            self.reboots.clone(),
            self.factory_reset,
            self.events.reboots.iter().filter(|(_, need)| *need == Need::Must).count(),
            scheduled,
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
        self.events.diagnostics = self.events.diagnostics.min(Need::May);
        self.events.request_download = self.events.request_download.min(Need::May);
        self.events.vendor.iter_mut().for_each(|vendor| vendor.need = Need::May);
        for (_, need) in &mut self.events.reboots {
            *need = Need::May;
        }
    }
}
