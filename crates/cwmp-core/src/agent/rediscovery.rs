//! When DHCP is asked for the ACS (TR-069a6 3.1): while there is none, and when the one that DHCP has told of cannot be
//! reached.

use super::Agent;
use crate::{
    io::{Effect, Level, NetError},
    limits,
    time::{Mono, Now},
};

/// How long the ACS has not been reached.
#[derive(Default)]
pub(super) struct Rediscovery {
    /// The first of the connections that have failed since the last one that came about, or since DHCP was asked.
    unreachable_since: Option<Mono>,
}

impl Rediscovery {
    fn due(&self) -> Option<Mono> {
        self.unreachable_since.map(|since| since.after_ms(limits::UNREACHABLE_MS))
    }
}

impl Agent {
    /// No connection came about to any address.
    pub(super) fn not_reached(&mut self, error: &NetError, now: Now) {
        if matches!(error, NetError::Resolve(_) | NetError::Connect(_)) {
            self.rediscovery.unreachable_since.get_or_insert(now.mono);
        }
    }

    /// A connection came about, or another ACS is in force.
    pub(super) fn reached(&mut self) {
        self.rediscovery.unreachable_since = None;
    }

    /// DHCP is asked again when it has told of an ACS that was not reached for [`limits::UNREACHABLE_MS`], and then again
    /// after as long.
    pub(super) fn fire_rediscovery(&mut self, now: Now) {
        if self.next_rediscovery().is_some_and(|due| due <= now.mono) {
            self.rediscovery.unreachable_since = None;
            let minutes = limits::UNREACHABLE_MS / 60_000;
            self.ask_dhcp(&format!("the ACS was not reached for {minutes} minutes"));
        }
    }

    pub(super) fn next_rediscovery(&self) -> Option<Mono> {
        let wanted = self.settings.url_from_dhcp && self.settings.enable_cwmp;
        self.rediscovery.due().filter(|_| wanted)
    }

    /// Asks DHCP where it is to tell the URL and has not.
    pub(super) fn discover(&mut self) {
        if self.settings.url_from_dhcp && self.settings.url.is_none() && self.settings.enable_cwmp {
            self.ask_dhcp("no ACS is known");
        }
    }

    fn ask_dhcp(&mut self, why: &str) {
        self.trace(Level::Info, format!("{why}: DHCP is asked for one"));
        self.effects.push_back(Effect::RenewDhcp);
    }
}
