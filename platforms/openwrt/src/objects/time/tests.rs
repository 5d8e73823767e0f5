use cwmp_core::rpc::Status;
use cwmp_linux::testing::{Collected, assert_fits_the_model};
use cwmp_platform::source::ParameterSource;

use super::*;
use crate::testing::{Fake, change, values};

const SYSTEM_FILE: &str = "
config system
\toption hostname 'router'
\toption timezone 'CET-1CEST,M3.5.0,M10.5.0/3'
\toption zonename 'Europe/Berlin'

config timeserver 'ntp'
\tlist server '0.openwrt.pool.ntp.org'
\tlist server '1.openwrt.pool.ntp.org'

";

/// Conformance: 9.33
#[tokio::test]
async fn servers_zone_and_local_time() {
    let fake = Fake::new();
    fake.uci("system", SYSTEM_FILE);
    let source = fake.source_of(Time);
    assert_eq!(
        values(&source, "Device.Time.").await,
        "CurrentLocalTime=2027-01-15T09:00:00+01:00\nEnable=true\nLocalTimeZone=CET-1CEST,M3.5.0,M10.5.0/3\n\
         NTPServer1=0.openwrt.pool.ntp.org\nNTPServer2=1.openwrt.pool.ntp.org\nNTPServer3=\nNTPServer4=\nNTPServer5=\n\
         Status=Synchronized\n"
    );
    assert_fits_the_model(&source).await;
}

#[tokio::test]
async fn what_is_set_is_one_commit_and_one_reload() {
    let fake = Fake::new();
    fake.uci("system", SYSTEM_FILE);
    let source = fake.source_of(Time);
    let changes = [
        change("Device.Time.NTPServer1", "ntp.example.com"),
        change("Device.Time.NTPServer4", "192.0.2.1"),
        change("Device.Time.LocalTimeZone", "UTC0"),
        change("Device.Time.Enable", "false"),
    ];
    assert_eq!(source.check(&changes).await, []);
    assert_eq!(fake.bus.asked(), [""; 0]);
    assert_eq!(source.apply(&changes).await, Ok(Status::Applied));
    assert_eq!(
        fake.file("system"),
        "
config system
\toption hostname 'router'
\toption timezone 'UTC0'

config timeserver 'ntp'
\tlist server 'ntp.example.com'
\tlist server '1.openwrt.pool.ntp.org'
\tlist server '192.0.2.1'
\toption enabled '0'

"
    );
    assert_eq!(fake.bus.asked(), [r#"service event {"data":{"package":"system"},"type":"config.change"}"#]);
    // The same again changes nothing and reloads nothing.
    let again = [change("Device.Time.NTPServer3", "192.0.2.1"), change("Device.Time.LocalTimeZone", "UTC0")];
    assert_eq!(source.apply(&again).await, Ok(Status::Applied));
    assert_eq!(fake.bus.asked(), [""; 0]);
}

#[tokio::test]
async fn values_that_cannot_be_are_refused_each_by_itself() {
    let fake = Fake::new();
    fake.uci("system", SYSTEM_FILE);
    let source = fake.source_of(Time);
    let changes = [
        change("Device.Time.NTPServer1", "-x"),
        change("Device.Time.NTPServer2", "a b"),
        change("Device.Time.LocalTimeZone", "Berlin time"),
        change("Device.Time.NTPServer3", "fine.example.com"),
    ];
    let faults = source.check(&changes).await;
    let names: Vec<&str> = faults.iter().map(|fault| fault.name.as_str()).collect();
    assert_eq!(names, ["Device.Time.NTPServer1", "Device.Time.NTPServer2", "Device.Time.LocalTimeZone"]);
    assert!(source.apply(&changes).await.is_err());
    assert_eq!(fake.file("system"), SYSTEM_FILE);
}

#[tokio::test]
async fn without_a_section_there_is_nothing_to_write() {
    let fake = Fake::new();
    fake.uci("system", "");
    std::fs::remove_file(fake.root.path().join("var/state/dnsmasqsec")).unwrap();
    let collected = Collected::from(&fake.source_of(Time), &["Device.Time."]).await;
    assert_eq!(collected.values["Device.Time.Status"], ("Disabled".to_owned(), ReadOnly));
    assert_eq!(collected.values["Device.Time.NTPServer1"].1, ReadOnly);
    assert_eq!(collected.value("Device.Time.LocalTimeZone"), Some("UTC0"));
    assert_eq!(collected.value("Device.Time.CurrentLocalTime"), Some("0001-01-02T02:03:04"));
}
