//! How long a port mapping lasts (`Device.NAT.PortMapping.{i}.LeaseDuration`).
//!
//! The firewall knows no end of a mapping. The agent therefore writes a section of its own beside it, of a type that the
//! firewall passes over: `config cwmpd_lease` with the name of the mapping's section and the end. So both are one file: one
//! commit, one backup, one image to go back to. [`run`] deletes both when the time is over.

use std::{rc::Rc, time::Duration};

use cwmp_linux::system::boot_id;
use cwmp_platform::source::SourceError;
use cwmp_uci::{Package, Section};
use tokio::time::sleep;

use super::FIREWALL;
use crate::{
    edits::{Edits, PackageEdits},
    ground::Ground,
    survey::Survey,
};

/// Type of the sections.
const KIND: &str = "cwmpd_lease";
/// Longest wait for the next look: dates may be set meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Wait after a look or a commit that has failed.
const AGAIN: Duration = Duration::from_secs(300);

/// The present, as leases are reckoned.
pub(super) struct Present {
    /// Seconds since the epoch; `None` while the clock is not synchronised.
    date: Option<i64>,
    /// Seconds since the boot.
    uptime: i64,
    boot: String,
}

impl Present {
    pub(super) fn of(ground: &Ground) -> Self {
        let moment = ground.moment();
        // Of a box that does not name its boots the seconds alone tell.
        let boot = boot_id(&ground.root).unwrap_or_default();
        Self { date: moment.seconds(), uptime: moment.uptime(), boot }
    }
}

/// Seconds until a mapping goes, at least 1; 0 where it stays.
pub(super) fn remaining(package: &Package, mapping: &str, present: &Present) -> u32 {
    let lease = package.of_type(KIND).find(|lease| lease.get("mapping") == Some(mapping));
    lease.map_or(0, |lease| left(lease, present).max(1))
}

/// Lets a mapping last for so many seconds from now; 0: it stays.
pub(super) fn set(edits: &mut PackageEdits, mapping: &str, seconds: u32, present: &Present) {
    if seconds == 0 {
        return forget(edits, mapping);
    }
    let section = name(mapping);
    edits.add(KIND, &section);
    edits.set(&section, "mapping", mapping);
    edits.set(&section, "duration", &seconds.to_string());
    let after = |start: i64| start.saturating_add(i64::from(seconds)).to_string();
    if let Some(date) = present.date {
        edits.set(&section, "until", &after(date));
        edits.unset(&section, "boot");
        edits.unset(&section, "until_uptime");
    } else {
        // Without a date it ends in this boot, and lasts its whole time in another one.
        edits.unset(&section, "until");
        edits.set(&section, "boot", &present.boot);
        edits.set(&section, "until_uptime", &after(present.uptime));
    }
}

/// Forgets the lease of a mapping that is deleted.
pub(super) fn forget(edits: &mut PackageEdits, mapping: &str) {
    edits.delete(&name(mapping));
}

fn name(mapping: &str) -> String {
    format!("lease_{mapping}")
}

/// Seconds that are left; 0 when it is over.
fn left(lease: &Section, present: &Present) -> u32 {
    let number = |option: &str| lease.get(option).and_then(|text| text.parse::<i64>().ok());
    // Somebody has been at it: what cannot be read never ends a mapping early.
    let duration = number("duration").unwrap_or(i64::from(u32::MAX));
    let left = match (number("until"), present.date) {
        (Some(until), Some(now)) => until.saturating_sub(now),
        // It may be long over, or not: the date will tell.
        (Some(_), None) => duration.max(1),
        (None, _) => {
            let of_this_boot = lease.get("boot").unwrap_or_default() == present.boot;
            let end = number("until_uptime").filter(|_| of_this_boot).unwrap_or(duration);
            end.saturating_sub(present.uptime)
        }
    };
    u32::try_from(left.clamp(0, duration.max(0))).unwrap_or(u32::MAX)
}

/// Deletes each mapping when its time is over, for as long as the program runs.
pub(crate) async fn run(ground: Rc<Ground>) {
    loop {
        let wait = match end(&ground).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!("port mappings whose time is over: {error}");
                Some(AGAIN)
            }
        };
        let timer = async {
            match wait {
                Some(wait) => sleep(wait.min(LONGEST_WAIT)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = timer => {}
            () = ground.firewall_changed.notified() => {}
        }
    }
}

/// Deletes those whose time is over. Gives the time until the next one's is; `None` where no other has an end.
async fn end(ground: &Rc<Ground>) -> Result<Option<Duration>, SourceError> {
    // A look of its own, beside whatever call of the ACS is under way.
    let mut edits = Edits::new(Rc::new(Survey::new(Rc::clone(ground))));
    let package = edits.survey().uci(FIREWALL).await?;
    let present = Present::of(ground);
    let (mut next, mut over) = (None::<u32>, Vec::new());
    for lease in package.of_type(KIND) {
        match left(lease, &present) {
            0 => over.push(lease),
            left => next = Some(next.map_or(left, |next| next.min(left))),
        }
    }
    if !over.is_empty() {
        let firewall = edits.package(FIREWALL).await?;
        for lease in over {
            // The mapping may be gone already, by another hand, and nothing else may go in its place.
            let mapping = lease.get("mapping").and_then(|name| package.section(name));
            if let Some(mapping) = mapping.filter(|section| section.kind() == "redirect").map(Section::name) {
                tracing::info!("the time of port mapping {mapping} is over");
                firewall.delete(mapping);
            }
            firewall.delete(lease.name());
        }
        let done = edits.commit().await;
        ground.forget();
        done?;
    }
    Ok(next.map(|seconds| Duration::from_secs(seconds.into())))
}

#[cfg(test)]
mod tests;
