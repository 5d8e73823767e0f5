use std::{
    fs,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use cwmp_core::{
    datetime::DateTime,
    settings::{HttpCompression, LightweightSettings, Secret},
    value::ValueType,
};
use cwmp_store::durable::RealFiles;
use tempfile::TempDir;

use super::*;

mod discovered;
mod rows;
mod software;
#[cfg(feature = "stun")]
mod stun;
mod tree;

/// The source never waits for anything.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the source waits"),
    }
}

/// Notes what a source delivers, a line each.
#[derive(Default)]
pub(super) struct Lines {
    object: String,
    pub(super) lines: Vec<String>,
}

impl ParameterSink for Lines {
    fn object(&mut self, path: &str, kind: ObjectKind) {
        self.object = path.to_owned();
        self.lines.push(format!("{path} {kind:?}"));
    }

    fn parameter(&mut self, name: &str, value: &dyn fmt::Display, access: Access) {
        let access = if access == Access::ReadWrite { "rw" } else { "ro" };
        self.lines.push(format!("{}{name} {access} {value}", self.object));
    }

    fn vendor_parameter(&mut self, name: &str, _: ValueType, value: &dyn fmt::Display, access: Access) {
        assert!(name.starts_with("X_CWMPD_"), "{name}");
        self.parameter(name, value, access);
    }
}

struct Cpe {
    dir: TempDir,
    source: AgentSource,
    problems: Vec<Problem>,
}

fn id() -> DeviceId {
    DeviceId {
        manufacturer: "Maker".into(),
        oui: "00D09E".into(),
        product_class: "A B/é".into(),
        serial_number: "S-1_2".into(),
    }
}

fn started(dir: TempDir) -> Cpe {
    let (layers, problems) = Layers::load(RealFiles::shared(), dir.path()).unwrap();
    assert_eq!(problems, []);
    let forced = |name: &str| name == "Device.DeviceInfo.SoftwareVersion";
    let (source, problems) = AgentSource::new(Rc::new(SharedLayers::new(layers)), &id(), forced);
    Cpe { dir, source, problems }
}

/// A box with these files.
fn with(factory: &str, isp: &str) -> Cpe {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("factory.ini"), factory).unwrap();
    fs::write(dir.path().join("ISP.def"), isp).unwrap();
    started(dir)
}

fn fresh() -> Cpe {
    with("", "")
}

impl Cpe {
    fn restarted(self) -> Cpe {
        started(self.dir)
    }

    fn user_ini(&self) -> Option<String> {
        fs::read_to_string(self.dir.path().join("user.ini")).ok()
    }

    fn read(&self, wanted: &str) -> Vec<String> {
        let mut lines = Lines::default();
        now(self.source.read(&Wanted::new(&[wanted]), &mut lines)).unwrap();
        lines.lines
    }

    /// Access and value of one parameter below `Device.ManagementServer.`.
    fn show(&self, name: &str) -> String {
        let start = format!("{OBJECT}{name} ");
        let lines = self.read(OBJECT);
        lines.iter().find_map(|line| line.strip_prefix(&start)).unwrap_or("nothing").to_owned()
    }

    /// What the data model does for SetParameterValues: check, and apply if there is no fault.
    fn set(&self, values: &[(&str, &str)]) -> Vec<(String, u32)> {
        let changes = changes(values);
        let faults = now(self.source.check(&changes));
        if faults.is_empty() {
            assert_eq!(now(self.source.apply(&changes)), Ok(Status::Applied));
        }
        faults
            .into_iter()
            .map(|fault| (fault.name.strip_prefix(OBJECT).unwrap().to_owned(), fault.code.0))
            .collect()
    }

    fn add(&self) -> u32 {
        now(self.source.add(TABLE, &[])).unwrap().0
    }

    fn delete(&self, number: u32) {
        assert_eq!(now(self.source.delete(&format!("{TABLE}{number}."), &[])), Ok(Status::Applied));
    }
}

fn changes(values: &[(&str, &str)]) -> Vec<Change> {
    let change =
        |(name, value): &(&str, &str)| Change { name: format!("{OBJECT}{name}"), value: (*value).to_owned() };
    values.iter().map(change).collect()
}

#[test]
fn a_fresh_box_shows_the_defaults() {
    let lines = fresh().read("");
    let expected = "\
Device.ManagementServer. Single
Device.ManagementServer.EnableCWMP rw true
Device.ManagementServer.URL rw 
Device.ManagementServer.Username rw 00D09E-A%20B%2F%C3%A9-S%2D1_2
Device.ManagementServer.Password rw 
Device.ManagementServer.PeriodicInformEnable rw true
Device.ManagementServer.PeriodicInformInterval rw 86400
Device.ManagementServer.PeriodicInformTime rw 0001-01-01T00:00:00Z
Device.ManagementServer.ParameterKey ro 
Device.ManagementServer.ConnectionRequestUsername rw 
Device.ManagementServer.ConnectionRequestPassword rw 
Device.ManagementServer.HTTPConnectionRequestEnable rw true
Device.ManagementServer.DefaultActiveNotificationThrottle rw 0
Device.ManagementServer.HTTPCompression rw Disabled
Device.ManagementServer.CWMPRetryMinimumWaitInterval rw 5
Device.ManagementServer.CWMPRetryIntervalMultiplier rw 2000
Device.ManagementServer.UpgradesManaged rw false
Device.ManagementServer.ScheduleReboot rw 0001-01-01T00:00:00Z
Device.ManagementServer.InstanceMode rw InstanceNumber
Device.ManagementServer.AutoCreateInstances rw false
Device.ManagementServer.LightweightNotificationProtocolsUsed rw 
Device.ManagementServer.LightweightNotificationTriggerInterval rw 0
Device.ManagementServer.LightweightNotificationTriggerTime rw 0001-01-01T00:00:00Z
Device.ManagementServer.UDPLightweightNotificationHost rw 
Device.ManagementServer.UDPLightweightNotificationPort rw 7547
Device.ManagementServer.STUNEnable rw false
Device.ManagementServer.STUNServerAddress rw 
Device.ManagementServer.STUNServerPort rw 3478
Device.ManagementServer.STUNUsername rw 
Device.ManagementServer.STUNPassword rw 
Device.ManagementServer.STUNMaximumKeepAlivePeriod rw -1
Device.ManagementServer.STUNMinimumKeepAlivePeriod rw 20
Device.ManagementServer.ConnReqXMPPConnection rw 
Device.ManagementServer.ConnReqAllowedJabberIDs rw 
Device.ManagementServer.DelayReboot rw -1
Device.ManagementServer.HTTPCompressionSupported ro GZIP,Deflate
Device.ManagementServer.LightweightNotificationProtocolsSupported ro UDP
Device.ManagementServer.ConnectionRequestURL ro 
Device.ManagementServer.UDPConnectionRequestAddress ro 
Device.ManagementServer.NATDetected ro false
Device.ManagementServer.ConnReqJabberID ro 
Device.ManagementServer.SupportedConnReqMethods ro HTTP,STUN,XMPP
Device.ManagementServer.AliasBasedAddressing ro true
Device.ManagementServer.InstanceWildcardsSupported ro true
Device.ManagementServer.InformParameterNumberOfEntries ro 0
Device.ManagementServer.X_CWMPD_RolledBack ro 
Device.ManagementServer.X_CWMPD_RollbackReported ro true
Device.ManagementServer.HeartbeatPolicy. Single
Device.ManagementServer.HeartbeatPolicy.Enable rw false
Device.ManagementServer.HeartbeatPolicy.ReportingInterval rw 86400
Device.ManagementServer.HeartbeatPolicy.InitiationTime rw 0001-01-01T00:00:00Z
Device.ManagementServer.AutonomousTransferCompletePolicy. Single
Device.ManagementServer.AutonomousTransferCompletePolicy.Enable rw false
Device.ManagementServer.AutonomousTransferCompletePolicy.TransferTypeFilter rw Both
Device.ManagementServer.AutonomousTransferCompletePolicy.ResultTypeFilter rw Both
Device.ManagementServer.AutonomousTransferCompletePolicy.FileTypeFilter rw 
Device.ManagementServer.InformParameter. Table { addable: true }";
    let (compresses, stun, xmpp) =
        (cfg!(feature = "compression"), cfg!(feature = "stun"), cfg!(feature = "xmpp"));
    let of_stun =
        |line: &str| ["STUN", "UDPConnection", "NATDetected"].iter().any(|part| line.contains(part));
    let offered = |line: &&str| compresses || !line.contains("HTTPCompression");
    let expected = if stun { expected.to_owned() } else { expected.replace(",STUN", "") };
    let expected = if xmpp { expected } else { expected.replace(",XMPP", "") };
    let offered = expected.lines().filter(offered).filter(|line| stun || !of_stun(line));
    let offered = offered.filter(|line| xmpp || !line.contains("ConnReqXMPP") && !line.contains("Jabber"));
    assert_eq!(lines, offered.collect::<Vec<_>>());
}

#[test]
#[cfg(feature = "compression")]
fn only_supported_compression_is_taken() {
    let there = fresh();
    assert_eq!(there.set(&[("HTTPCompression", "Deflate")]), []);
    assert_eq!(there.source.settings().http_compression, HttpCompression::Deflate);
    for refused in ["Compress", "gzip", "", "GZIP,Deflate"] {
        assert_eq!(there.set(&[("HTTPCompression", refused)]), [("HTTPCompression".to_owned(), 9007)]);
    }
    assert_eq!(
        there.set(&[("HTTPCompressionSupported", "GZIP")]),
        [("HTTPCompressionSupported".to_owned(), 9008)]
    );
    assert_eq!(there.set(&[("HTTPCompression", "Disabled")]), []);
    assert_eq!(there.source.settings().http_compression, HttpCompression::Disabled);
}

#[test]
fn the_default_username_is_unique_in_the_world() {
    let name = |product_class: &str| {
        parameters::default_username(&DeviceId { product_class: product_class.into(), ..id() })
    };
    assert_eq!(name("A B/é"), "00D09E-A%20B%2F%C3%A9-S%2D1_2");
    assert_eq!(name(""), "00D09E-S%2D1_2");
}

#[test]
fn a_configured_username_counts_even_when_it_is_empty() {
    let there = with("", "[ManagementServer]\nUsername=isp\n");
    assert_eq!(there.source.settings().username, "isp");
    assert_eq!(there.set(&[("Username", "")]), []);
    assert_eq!((there.source.settings().username.as_str(), there.show("Username").as_str()), ("", "rw "));
}

#[test]
fn what_the_acs_sets_is_kept_over_a_restart() {
    let values = [
        ("EnableCWMP", "0"),
        ("URL", "HTTP://ACS.example/cwmp"),
        ("Username", "user \"quoted\""),
        ("Password", "p;a#s=s"),
        ("PeriodicInformEnable", "false"),
        ("PeriodicInformInterval", "4294967295"),
        ("PeriodicInformTime", "2026-01-31T12:00:00Z"),
        ("ParameterKey", "k1"),
        ("ConnectionRequestUsername", "cr"),
        ("ConnectionRequestPassword", "secret"),
        ("HTTPConnectionRequestEnable", "false"),
        ("DefaultActiveNotificationThrottle", "30"),
        #[cfg(feature = "compression")]
        ("HTTPCompression", "GZIP"),
        ("CWMPRetryMinimumWaitInterval", "65535"),
        ("CWMPRetryIntervalMultiplier", "1000"),
        ("UpgradesManaged", "true"),
        ("ScheduleReboot", "2030-01-01T00:00:00Z"),
        ("InstanceMode", "InstanceAlias"),
        ("AutoCreateInstances", "true"),
        ("LightweightNotificationProtocolsUsed", "UDP"),
        ("LightweightNotificationTriggerInterval", "60"),
        ("LightweightNotificationTriggerTime", "2026-01-31T12:00:00Z"),
        ("UDPLightweightNotificationHost", "light.example"),
        ("UDPLightweightNotificationPort", "65535"),
        #[cfg(feature = "xmpp")]
        ("ConnReqXMPPConnection", "Device.XMPP.Connection.7"),
        #[cfg(feature = "xmpp")]
        ("ConnReqAllowedJabberIDs", "acs@example/1,other@example"),
    ];
    // Those of STUN have a test of their own.
    let stored = STORED.iter().map(|stored| stored.name).filter(|name| !name.starts_with("STUN"));
    assert!(values.iter().map(|(name, _)| *name).eq(stored));
    let there = fresh();
    assert_eq!(there.set(&values), []);
    let there = there.restarted();
    assert_eq!(there.problems, []);
    for (name, value) in values {
        let access = if name == "ParameterKey" { "ro" } else { "rw" };
        let value = match name {
            "EnableCWMP" => "false",
            _ => value,
        };
        assert_eq!(there.show(name), format!("{access} {value}"), "{name}");
    }
    let expected = AgentSettings {
        enable_cwmp: false,
        url: cwmp_core::url::HttpUrl::parse("http://acs.example/cwmp").ok(),
        username: "user \"quoted\"".into(),
        password: Secret("p;a#s=s".into()),
        periodic_inform_enable: false,
        periodic_inform_interval: u32::MAX,
        periodic_inform_time: DateTime::parse("2026-01-31T12:00:00Z").unwrap(),
        retry_minimum_wait_interval: 65_535,
        retry_interval_multiplier: 1000,
        default_active_notification_throttle: 30,
        schedule_reboot: DateTime::parse("2030-01-01T00:00:00Z").unwrap(),
        http_compression: if cfg!(feature = "compression") {
            HttpCompression::Gzip
        } else {
            HttpCompression::Disabled
        },
        connection_request: cwmp_core::settings::ConnectionRequestSettings {
            http_enable: false,
            username: "cr".into(),
            password: Secret("secret".into()),
        },
        lightweight: LightweightSettings {
            udp: true,
            trigger_interval: 60,
            trigger_time: DateTime::parse("2026-01-31T12:00:00Z").unwrap(),
            host: "light.example".into(),
            port: 65_535,
        },
        upgrades_managed: true,
        ..AgentSettings::default()
    };
    assert_eq!(there.source.settings(), expected);
}

#[test]
fn what_does_not_fit_lightweight_notifications_is_refused() {
    let there = fresh();
    for (name, value) in [
        ("LightweightNotificationProtocolsUsed", "TCP"),
        ("LightweightNotificationTriggerInterval", "-1"),
        ("LightweightNotificationTriggerTime", "noon"),
        ("UDPLightweightNotificationHost", "a b"),
        ("UDPLightweightNotificationHost", "host\r\nX: y"),
        ("UDPLightweightNotificationHost", "host:7547"),
        ("UDPLightweightNotificationPort", "0"),
        ("UDPLightweightNotificationPort", "65536"),
    ] {
        assert_eq!(there.set(&[(name, value)]), [(name.to_owned(), 9007)], "{value}");
    }
    assert_eq!(there.set(&[("UDPLightweightNotificationHost", "[2001:db8::1]")]), []);
    assert_eq!(there.source.settings().lightweight.host, "2001:db8::1");
    assert_eq!(
        there.set(&[("UDPLightweightNotificationHost", ""), ("LightweightNotificationProtocolsUsed", "")]),
        []
    );
    assert_eq!(there.source.settings().lightweight, LightweightSettings::default());
}

#[test]
fn only_http_and_https_urls_of_valid_form_are_taken() {
    let there = fresh();
    assert_eq!(there.set(&[("URL", "https://acs/")]), []);
    for url in [
        "ftp://x/",
        "acs",
        "http://",
        "http://a b/",
        "http://user:pw@acs/",
        &format!("http://a/{}", "x".repeat(2048)),
    ] {
        let changes = changes(&[("Username", "other"), ("URL", url)]);
        let faults = now(there.source.check(&changes));
        assert_eq!((faults.len(), faults[0].code), (1, FaultCode::INVALID_PARAMETER_VALUE), "{url}");
        assert!(
            faults[0].text.contains("must be an http or https URL") && !faults[0].text.contains("pw"),
            "{faults:?}"
        );
        assert!(now(there.source.apply(&changes)).is_err(), "nothing gets in unchecked");
    }
    assert_eq!(there.show("URL"), "rw https://acs/");
    assert_eq!(there.show("Username"), "rw 00D09E-A%20B%2F%C3%A9-S%2D1_2");
    assert_eq!(there.set(&[("URL", "")]), []);
    assert_eq!(there.source.settings().url, None);
}

#[test]
fn other_wrong_values_and_names_have_their_faults() {
    let wrong = [
        ("EnableCWMP", "yes", 9007),
        ("PeriodicInformInterval", "0", 9007),
        ("PeriodicInformTime", "now", 9007),
        ("Username", &"u".repeat(257), 9007),
        ("Password", &"p".repeat(257), 9007),
        ("ParameterKey", &"k".repeat(33), 9007),
        ("CWMPRetryMinimumWaitInterval", "65536", 9007),
        ("CWMPRetryIntervalMultiplier", "999", 9007),
        ("ScheduleReboot", "tomorrow", 9007),
        ("DelayReboot", "-2", 9007),
        ("DelayReboot", "2147483648", 9007),
        ("DelayReboot", "", 9007),
        ("HeartbeatPolicy.Enable", "on", 9007),
        ("HeartbeatPolicy.ReportingInterval", "29", 9007),
        ("HeartbeatPolicy.InitiationTime", "", 9007),
        ("HeartbeatPolicy.Nothing", "", 9005),
        ("InstanceMode", "instancealias", 9007),
        ("AutoCreateInstances", "", 9007),
        ("ConnectionRequestURL", "http://x/", 9008),
        ("InformParameterNumberOfEntries", "1", 9008),
        ("Nothing", "1", 9005),
        ("InformParameter.1.Enable", "true", 9005),
        ("InformParameter.NextInstance", "1", 9005),
    ];
    let there = fresh();
    for (name, value, code) in wrong {
        assert_eq!(there.set(&[(name, value)]), [(name.to_owned(), code)]);
    }
    assert_eq!(there.user_ini(), None);
}

#[test]
fn all_changes_of_a_call_are_one_commit() {
    let there = fresh();
    there.set(&[("Username", "before")]);
    let before = there.user_ini();
    // A folder in the way of the new file: the second commit fails as a whole.
    let obstacle = there.dir.path().join("user.ini.new");
    fs::create_dir(&obstacle).unwrap();
    let both = changes(&[("Username", "after"), ("ParameterKey", "k2")]);
    let error = now(there.source.apply(&both)).unwrap_err().to_string();
    assert!(error.contains("user.ini"), "{error}");
    assert_eq!((there.show("Username").as_str(), there.show("ParameterKey").as_str()), ("rw before", "ro "));
    assert!(now(there.source.add(TABLE, &both)).is_err_and(|fault| fault.code == FaultCode::INTERNAL_ERROR));
    assert_eq!(there.show("InformParameterNumberOfEntries"), "ro 0");
    assert_eq!(there.user_ini(), before);
    fs::remove_dir(obstacle).unwrap();
    assert_eq!(now(there.source.apply(&both)), Ok(Status::Applied));
    assert_eq!((there.show("Username").as_str(), there.show("ParameterKey").as_str()), ("rw after", "ro k2"));
}

#[test]
fn bad_values_in_files_are_reported_and_what_lies_below_serves() {
    let factory = "[ManagementServer]\nURL=http://factory/\nPeriodicInformInterval=600\n";
    let isp = "[ManagementServer]\nURL=gopher://secret@isp/\nPeriodicInformInterval=0\nEnableCWMP=maybe\n";
    let there = with(factory, isp);
    let settings = there.source.settings();
    assert_eq!(settings.url.map(|url| url.host).as_deref(), Some("factory"));
    assert_eq!((settings.periodic_inform_interval, settings.enable_cwmp), (600, true));
    assert_eq!(there.show("URL"), "rw http://factory/");
    let reports: Vec<String> = there.problems.iter().map(ToString::to_string).collect();
    assert_eq!(reports.len(), 3);
    assert!(
        reports[0].contains("ISP.def: [ManagementServer] EnableCWMP: must be true or false"),
        "{reports:?}"
    );
    assert!(reports.iter().all(|report| !report.contains("secret")), "{reports:?}");
}

#[test]
fn delay_reboot_is_in_force_and_not_kept_over_a_restart() {
    let there = fresh();
    assert_eq!(there.set(&[("DelayReboot", "300"), ("ParameterKey", "k")]), []);
    assert_eq!(
        (there.show("DelayReboot").as_str(), there.source.settings().delay_reboot.seconds),
        ("rw 300", Some(300))
    );
    assert!(!there.user_ini().unwrap().contains("DelayReboot"));
    there.set(&[("DelayReboot", "-1")]);
    assert_eq!(there.source.settings().delay_reboot.seconds, None);
    let mut settings = there.source.subscribe();
    for _ in 0..2 {
        there.set(&[("DelayReboot", "0")]);
        assert!(settings.has_changed().unwrap(), "the same value is an order again");
        settings.borrow_and_update();
    }
    assert_eq!(there.source.settings().delay_reboot.seconds, Some(0));
    let there = there.restarted();
    assert_eq!(
        (there.show("DelayReboot").as_str(), there.source.settings().delay_reboot.seconds),
        ("rw -1", None)
    );
    // What somebody writes into a file restarts no box.
    let there = with("", "[ManagementServer]\nDelayReboot=5\n");
    assert_eq!(there.source.settings().delay_reboot.seconds, None);
}

#[test]
fn a_delay_that_comes_with_changes_that_cannot_be_stored_is_not_in_force() {
    let there = fresh();
    fs::create_dir(there.dir.path().join("user.ini.new")).unwrap();
    let both = changes(&[("DelayReboot", "5"), ("ParameterKey", "k")]);
    assert!(now(there.source.apply(&both)).is_err());
    assert_eq!(there.source.settings().delay_reboot.seconds, None);
}

#[test]
fn the_heartbeat_policy_is_kept_over_a_restart() {
    let there = fresh();
    let values = [
        ("HeartbeatPolicy.Enable", "1"),
        ("HeartbeatPolicy.ReportingInterval", "30"),
        ("HeartbeatPolicy.InitiationTime", "2026-01-31T12:00:00Z"),
    ];
    assert_eq!(there.set(&values), []);
    let there = there.restarted();
    let policy = there.source.settings().heartbeat_policy;
    assert_eq!((policy.enable, policy.reporting_interval), (true, 30));
    assert_eq!(policy.initiation_time, DateTime::parse("2026-01-31T12:00:00Z").unwrap());
    let there = with("", "[ManagementServer.HeartbeatPolicy]\nEnable=true\nReportingInterval=5\n");
    assert_eq!(there.source.settings().heartbeat_policy.reporting_interval, 86_400);
    let reports: Vec<String> = there.problems.iter().map(ToString::to_string).collect();
    assert_eq!(reports.len(), 1);
    assert!(
        reports[0].contains("[ManagementServer.HeartbeatPolicy] ReportingInterval: must be a number from 30"),
        "{reports:?}"
    );
}

#[test]
fn the_waits_of_the_program_reach_the_agent() {
    let there = with("", "[cwmpd]\nboot_wait=300\nclock_wait=60\n");
    let settings = there.source.settings();
    assert_eq!((settings.boot_wait, settings.clock_wait), (300, 60));
    let settings = fresh().source.settings();
    assert_eq!((settings.boot_wait, settings.clock_wait), (0, 0));
}

#[test]
fn those_who_wait_hear_of_changed_settings_and_of_nothing_else() {
    let there = fresh();
    let mut settings = there.source.subscribe();
    assert!(!settings.has_changed().unwrap());
    there.set(&[("ParameterKey", "k")]);
    there.set(&[("PeriodicInformInterval", "86400")]);
    there.add();
    assert!(!settings.has_changed().unwrap());
    there.set(&[("PeriodicInformInterval", "60")]);
    assert!(settings.has_changed().unwrap());
    assert_eq!(settings.borrow_and_update().periodic_inform_interval, 60);
    there.source.layers.delete_user().unwrap();
    there.source.refresh();
    assert_eq!(settings.borrow_and_update().periodic_inform_interval, 86_400);
}

#[test]
fn the_connection_request_url_is_the_programs() {
    let there = fresh();
    there.source.set_connection_request_url("http://192.0.2.1:7547/abc".into());
    assert_eq!(there.show("ConnectionRequestURL"), "ro http://192.0.2.1:7547/abc");
    assert_eq!(there.user_ini(), None);
}

/// Conformance: 9.26
#[test]
fn how_instances_are_named_is_in_force_at_once_and_after_a_restart() {
    let there = fresh();
    let addressing = there.source.addressing();
    assert_eq!(addressing.get(), Addressing::default());
    there.set(&[("InstanceMode", "InstanceAlias"), ("AutoCreateInstances", "1")]);
    let chosen = Addressing { instance_alias: true, auto_create: true };
    assert_eq!(addressing.get(), chosen);
    let there = there.restarted();
    assert_eq!(there.source.addressing().get(), chosen);
    there.set(&[("InstanceMode", "InstanceNumber")]);
    assert!(!there.source.addressing().get().instance_alias);
}

#[test]
fn only_what_is_wanted_is_read() {
    let there = fresh();
    assert_eq!(there.read("Device.Time."), Vec::<String>::new());
    assert!(!there.read("Device.ManagementServer.URL").iter().any(|line| line.contains("Table")));
    assert_eq!(
        there.source.objects(),
        [
            "Device.ManagementServer.",
            "Device.ManagementServer.InformParameter.{i}.",
            "Device.ManagementServer.HeartbeatPolicy.",
            "Device.ManagementServer.AutonomousTransferCompletePolicy.",
        ]
    );
}

#[test]
fn the_policy_for_autonomous_transfers_is_in_force_once_set() {
    let there = fresh();
    let set = [
        ("AutonomousTransferCompletePolicy.Enable", "true"),
        ("AutonomousTransferCompletePolicy.TransferTypeFilter", "Download"),
        ("AutonomousTransferCompletePolicy.ResultTypeFilter", "Failure"),
        ("AutonomousTransferCompletePolicy.FileTypeFilter", "1 Firmware Upgrade Image,X 00D09E Voice"),
    ];
    assert_eq!(there.set(&set), []);
    let there = there.restarted();
    let policy = there.source.settings().autonomous_transfers;
    assert!(policy.wants(true, false, "X 00D09E Voice"));
    assert!(!policy.wants(false, false, "X 00D09E Voice"), "an upload");
    assert!(!policy.wants(true, true, "1 Firmware Upgrade Image"), "a success");
    assert!(!policy.wants(true, false, "2 Web Content"));
    assert_eq!(there.set(&[("AutonomousTransferCompletePolicy.ResultTypeFilter", "Any")]).len(), 1);
}
