use cwmp_platform::source::ParameterSource;

use super::*;
use crate::testing::{Fake, change, lan_and_wan, values};

const FILE: &str = "
config zone
\toption name 'wan'
\tlist network 'wan'
\toption masq '1'

config redirect 'cwmp_pm_7'
\toption target 'DNAT'
\toption src 'wan'
\toption proto 'tcp'

config redirect
\toption name 'by hand'
\toption target 'DNAT'

";
const ROW: &str = "Device.NAT.PortMapping.1.";
const DURATION: &str = "Device.NAT.PortMapping.1.LeaseDuration";
/// What the box of the tests takes for the present.
const NOW: i64 = 1_800_000_000;

fn present(date: Option<i64>, uptime: i64, boot: &str) -> Present {
    Present { date, uptime, boot: boot.to_owned() }
}

fn with_mappings() -> Fake {
    let fake = lan_and_wan();
    fake.uci(FIREWALL, FILE);
    fake
}

fn package(fake: &Fake) -> Package {
    Package::parse(FIREWALL, fake.file(FIREWALL).as_bytes()).unwrap()
}

/// Has seconds of a lease written at a moment.
async fn lease(fake: &Fake, seconds: u32, at: &Present) -> Package {
    let mut edits = Edits::new(fake.ground.survey());
    set(edits.package(FIREWALL).await.unwrap(), "cwmp_pm_7", seconds, at);
    edits.commit().await.unwrap();
    fake.ground.forget();
    package(fake)
}

#[tokio::test]
async fn a_date_ends_a_lease_in_any_boot() {
    let fake = with_mappings();
    let package = lease(&fake, 600, &present(Some(NOW), 50, "first")).await;
    let left = |present: &Present| remaining(&package, "cwmp_pm_7", present);
    assert_eq!(left(&present(Some(NOW), 50, "first")), 600);
    assert_eq!(left(&present(Some(NOW + 599), 20, "second")), 1);
    // It goes with the next look of the timer; until then it is there.
    assert_eq!(left(&present(Some(NOW + 5000), 20, "second")), 1);
    // No date yet after a boot: not a moment too early.
    assert_eq!(left(&present(None, 9000, "second")), 600);
    // The clock was set back.
    assert_eq!(left(&present(Some(NOW - 5000), 60, "first")), 600);
    assert_eq!(remaining(&package, "another", &present(None, 0, "")), 0);
}

#[tokio::test]
async fn without_a_date_a_lease_is_reckoned_from_the_boot() {
    let fake = with_mappings();
    let package = lease(&fake, 600, &present(None, 50, "first")).await;
    let left = |present: &Present| remaining(&package, "cwmp_pm_7", present);
    assert_eq!(left(&present(None, 150, "first")), 500);
    // A date that comes later moves nothing.
    assert_eq!(left(&present(Some(NOW), 150, "first")), 500);
    assert_eq!(left(&present(Some(NOW), 10, "second")), 590, "the whole time, from the boot on");
    // With a date from now on, and to the end of time with none.
    let package = lease(&fake, 60, &present(Some(NOW), 160, "first")).await;
    assert_eq!(remaining(&package, "cwmp_pm_7", &present(Some(NOW), 0, "third")), 60);
    let package = lease(&fake, 0, &present(Some(NOW), 160, "first")).await;
    assert_eq!(remaining(&package, "cwmp_pm_7", &present(Some(NOW), 0, "third")), 0);
    assert!(package.of_type(KIND).next().is_none());
}

#[test]
fn what_cannot_be_read_ends_nothing() {
    let text = "config cwmpd_lease\n\toption mapping 'm'\n\toption until 'soon'\n\toption duration 'long'\n";
    let package = Package::parse(FIREWALL, text.as_bytes()).unwrap();
    assert_eq!(remaining(&package, "m", &present(Some(NOW), 5, "")), u32::MAX - 5);
}

#[tokio::test]
async fn the_acs_sets_a_lease_of_a_mapping_that_has_a_name() {
    let fake = with_mappings();
    let source = fake.source_of(super::super::Nat);
    assert!(values(&source, ROW).await.contains("LeaseDuration=0\n"));
    source.apply(&[change(DURATION, "3600")]).await.unwrap();
    assert!(fake.file(FIREWALL).ends_with(
        "\nconfig cwmpd_lease 'lease_cwmp_pm_7'\n\toption mapping 'cwmp_pm_7'\n\toption duration '3600'\n\t\
         option until '1800003600'\n\n"
    ));
    assert!(values(&source, ROW).await.contains("LeaseDuration=3600\n"));
    let anonymous = source.check(&[change("Device.NAT.PortMapping.2.LeaseDuration", "60")]).await;
    assert_eq!(anonymous.len(), 1);
    // Its section goes with the mapping.
    source.delete(ROW, &[]).await.unwrap();
    assert!(!fake.file(FIREWALL).contains("cwmp_pm_7"));
}

#[tokio::test]
async fn mappings_go_when_their_time_is_over() {
    let fake = with_mappings();
    assert_eq!(end(&fake.ground).await, Ok(None));
    // The clock of this box stands at NOW.
    lease(&fake, 100, &present(Some(NOW - 90), 0, "")).await;
    assert_eq!(end(&fake.ground).await, Ok(Some(Duration::from_secs(10))));
    assert!(fake.file(FIREWALL).contains("cwmp_pm_7"));
    let runs = tokio::task::LocalSet::new();
    runs.run_until(async {
        let running = tokio::task::spawn_local(run(Rc::clone(&fake.ground)));
        // The task hears of the commit, not of the time.
        lease(&fake, 100, &present(Some(NOW - 100), 0, "")).await;
        while fake.file(FIREWALL).contains("cwmp_pm_7") {
            tokio::task::yield_now().await;
        }
        running.abort();
    })
    .await;
    assert!(fake.file(FIREWALL).contains("by hand"));
    assert!(!fake.file(FIREWALL).contains(KIND));
    let announced = r#"service event {"data":{"package":"firewall"},"type":"config.change"}"#;
    assert_eq!(fake.bus.asked().last().map(String::as_str), Some(announced));
}

#[tokio::test]
async fn a_lease_that_names_something_else_takes_nothing_but_itself_away() {
    let fake = with_mappings();
    let zone = "config zone 'keep'\n\toption name 'keep'\n\n";
    let lease = "config cwmpd_lease 'by_hand'\n\toption mapping 'keep'\n\toption duration '5'\n\toption until '5'\n\n";
    fake.uci(FIREWALL, &format!("{FILE}{zone}{lease}"));
    assert_eq!(end(&fake.ground).await, Ok(None));
    assert_eq!(fake.file(FIREWALL), format!("{FILE}{zone}"));
}
