//! Device.Time: whether the clock is set, and the local time.

use std::{
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use cwmp_platform::source::{
    Access::ReadOnly, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted,
};

use cwmp_linux::system::uptime;

use crate::{
    clock,
    files::clean,
    platform::Shared,
    zone::{Zone, local_time, time_since_boot},
};

const TIME: &str = "Device.Time.";

/// Answers for Time. Everything is read-only: which client sets the clock, and how it is configured, differs between
/// distributions. For the same reason no servers are listed.
pub(crate) struct Time {
    pub(crate) shared: Rc<Shared>,
    pub(crate) now: fn() -> SystemTime,
}

#[async_trait(?Send)]
impl ParameterSource for Time {
    fn name(&self) -> &'static str {
        "linux-time"
    }

    fn objects(&self) -> &[&'static str] {
        &[TIME]
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        if !wanted.touches(TIME) {
            return Ok(());
        }
        let root = &self.shared.root;
        let now = (self.now)();
        let seconds =
            now.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok());
        let seconds = seconds.unwrap_or_default();
        let synchronised = clock::is_synchronised(root, &self.shared.options, now);
        let enabled = synchronised || clock::client_runs(root);
        let zone = self.zone();

        out.object(TIME, ObjectKind::Single);
        out.parameter("Enable", &enabled, ReadOnly);
        let status = match (enabled, synchronised) {
            (_, true) => "Synchronized",
            (true, false) => "Unsynchronized",
            (false, false) => "Disabled",
        };
        out.parameter("Status", &status, ReadOnly);
        if synchronised {
            out.parameter("CurrentLocalTime", &local_time(seconds, zone.offset_at(seconds)), ReadOnly);
        } else if let Some(uptime) = uptime(root) {
            out.parameter("CurrentLocalTime", &time_since_boot(uptime), ReadOnly);
        }
        out.parameter("LocalTimeZone", &clean(&zone.posix(seconds), 256), ReadOnly);
        Ok(())
    }
}

impl Time {
    /// The zone of the system: /etc/localtime, else /etc/TZ (uClibc, OpenWrt), else UTC. The variable TZ of this process
    /// is no setting of the box.
    fn zone(&self) -> Zone {
        let root = &self.shared.root;
        let file = root.bytes("etc/localtime").ok().and_then(|bytes| Zone::from_tzif(&bytes));
        let text = || root.text("etc/TZ").and_then(|text| Zone::from_posix(text.trim()));
        file.or_else(text).unwrap_or_else(Zone::utc)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Options,
        testing::{Collected, FakeRoot, FakeSettings, assert_fits_the_model},
    };

    fn source(root: &FakeRoot, trust_clock: bool) -> Time {
        let options = Options { root: root.path().to_owned(), trust_clock, ..Options::default() };
        let shared = Rc::new(Shared::new(options, Rc::new(FakeSettings::default())));
        // 2026-07-01T12:00:00Z
        Time { shared, now: || SystemTime::UNIX_EPOCH + Duration::from_secs(1_782_907_200) }
    }

    async fn read(source: &Time) -> String {
        let collected = Collected::from(source, &["Device.Time."]).await;
        let line = |(path, (value, _)): (&String, &(String, _))| {
            format!("{}={value} ", path.strip_prefix(TIME).unwrap())
        };
        collected.values.iter().map(line).collect::<String>().trim_end().to_owned()
    }

    /// Conformance: 9.33
    #[tokio::test]
    async fn summer_time_is_told_by_the_offset() {
        let root = FakeRoot::pc();
        root.file("etc/TZ", "CET-1CEST,M3.5.0,M10.5.0/3\n");
        let source = source(&root, true);
        assert_eq!(
            read(&source).await,
            "CurrentLocalTime=2026-07-01T14:00:00+02:00 Enable=true LocalTimeZone=CET-1CEST,M3.5.0,M10.5.0/3 \
             Status=Synchronized"
        );
        assert_fits_the_model(&source).await;
    }

    /// Conformance: 9.33
    #[tokio::test]
    async fn without_the_date_the_time_since_the_boot_is_told() {
        let root = FakeRoot::pc();
        let source = source(&root, false);
        let expected = "CurrentLocalTime=0001-01-02T02:03:04 Enable=false LocalTimeZone=UTC0 Status=Disabled";
        assert_eq!(read(&source).await, expected);
        root.file("proc/9/comm", "chronyd\n");
        assert!(read(&source).await.ends_with("Enable=true LocalTimeZone=UTC0 Status=Unsynchronized"));
        assert_fits_the_model(&source).await;
    }

    #[tokio::test]
    async fn a_damaged_zone_file_is_passed_over() {
        let root = FakeRoot::pc();
        root.file("etc/localtime", b"TZif2 and then nothing of sense");
        root.file("etc/TZ", "<-03>3\n");
        assert!(read(&source(&root, true)).await.starts_with("CurrentLocalTime=2026-07-01T09:00:00-03:00"));
    }

    #[test]
    fn offsets_have_minutes() {
        assert_eq!(local_time(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(local_time(0, 20_700), "1970-01-01T05:45:00+05:45");
        assert_eq!(local_time(0, -12_600), "1969-12-31T20:30:00-03:30");
        assert_eq!(local_time(0, -59), "1970-01-01T00:00:00Z");
    }
}
