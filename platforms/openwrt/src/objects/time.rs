//! Device.Time: busybox's time client (`system.ntp`) and the time zone (`system.@system[0]`).

use async_trait::async_trait;
use cwmp_core::fault::SetParameterValuesFault;
use cwmp_linux::{
    files::clean,
    zone::{Zone, local_time, time_since_boot},
};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};

use crate::{
    edits::Edits,
    part::{Part, by_row, invalid, not_writable},
    survey::Survey,
};

const TIME: &str = "Device.Time.";
/// Sections of package `system`.
const SYSTEM: &str = "@system[0]";
const NTP: &str = "ntp";
/// What the model has parameters for; further servers of the box stay as they are.
const SERVERS: usize = 5;
const NTP_SERVER: &str = "NTPServer";
/// Longest LocalTimeZone, in characters (TR-181).
const ZONE_CHARS: usize = 256;
/// Longest NTPServer, in characters (TR-181).
const SERVER_CHARS: usize = 64;

pub(crate) struct Time;

#[async_trait(?Send)]
impl Part for Time {
    fn objects(&self) -> &'static [&'static str] {
        &[TIME]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let package = survey.uci("system").await?;
        let ntp = package.section(NTP);
        // The section's own default is on; without the section no client runs.
        let enabled = ntp.is_some_and(|ntp| ntp.get("enabled") != Some("0"));
        let synchronised = survey.ground().clock_is_synchronised();
        let status = match (enabled, synchronised) {
            (_, true) => "Synchronized",
            (true, false) => "Unsynchronized",
            (false, false) => "Disabled",
        };
        let text = package.section(SYSTEM).and_then(|system| system.get("timezone")).unwrap_or("UTC0");
        let zone = Zone::from_posix(text).unwrap_or_else(Zone::utc);
        let access = if ntp.is_some() { ReadWrite } else { ReadOnly };

        out.object(TIME, ObjectKind::Single);
        out.parameter("Enable", &enabled, access);
        out.parameter("Status", &status, ReadOnly);
        let servers = ntp.map(|ntp| ntp.list("server")).unwrap_or_default();
        for number in 1..=SERVERS {
            let server = servers.get(number - 1).copied().unwrap_or_default();
            out.parameter(&format!("{NTP_SERVER}{number}"), &clean(server, SERVER_CHARS), access);
        }
        match survey.moment().seconds() {
            Some(now) => out.parameter("CurrentLocalTime", &local_time(now, zone.offset_at(now)), ReadOnly),
            None => {
                if let Some(uptime) = survey.ground().uptime() {
                    out.parameter("CurrentLocalTime", &time_since_boot(uptime), ReadOnly);
                }
            }
        }
        let access = if package.section(SYSTEM).is_some() { ReadWrite } else { ReadOnly };
        out.parameter("LocalTimeZone", &clean(text, ZONE_CHARS), access);
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let mut faults = Vec::new();
        let system = edits.package("system").await?;
        let mut servers = system.list(NTP, "server");
        for (name, change) in by_row(TIME, changes).into_values().flatten() {
            let value = change.value.as_str();
            match name {
                "Enable" => system.set_bool(NTP, "enabled", value == "true", true),
                "LocalTimeZone" if Zone::from_posix(value).is_none() => {
                    faults.push(invalid(
                        change,
                        "no time zone in the form of POSIX: CET-1CEST,M3.5.0,M10.5.0/3",
                    ));
                }
                "LocalTimeZone" => {
                    system.set(SYSTEM, "timezone", value);
                    // The file of a zone by name would win over the text.
                    system.unset(SYSTEM, "zonename");
                }
                _ => match name.strip_prefix(NTP_SERVER).and_then(|number| number.parse::<usize>().ok()) {
                    Some(number @ 1..=SERVERS) if value.is_empty() || is_host(value) => {
                        if servers.len() < number {
                            servers.resize(number, String::new());
                        }
                        if let Some(server) = servers.get_mut(number - 1) {
                            value.clone_into(server);
                        }
                    }
                    Some(1..=SERVERS) => faults.push(invalid(change, "no name of a host and no address")),
                    _ => faults.push(not_writable(change)),
                },
            }
        }
        // A list has no gaps: a server moves up to the first free number.
        servers.retain(|server| !server.is_empty());
        system.set_list(NTP, "server", servers);
        Ok(faults)
    }
}

/// A name or an address; nothing that could be an option of the client or two words of its command line.
fn is_host(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_');
    text.chars().all(fits) && !text.starts_with('-')
}

#[cfg(test)]
mod tests;
