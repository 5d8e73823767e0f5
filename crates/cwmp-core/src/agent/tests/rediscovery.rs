use super::bench::{Bench, Seen, settings};
use crate::{io::BootCause, settings::AgentSettings, stored::Stored, time::Mono};

fn from_dhcp() -> AgentSettings {
    AgentSettings { url_from_dhcp: true, ..settings() }
}

/// A box whose ACS has just not been reached for the first time.
fn unreachable(settings: AgentSettings) -> Bench {
    let mut bench = Bench::start(settings, Stored::default(), BootCause::Boot);
    bench.whole_session();
    bench.reachable = false;
    bench.connection_request();
    bench
}

/// When DHCP is asked up to this moment.
fn asked_until(bench: &mut Bench, end: Mono) -> Vec<Mono> {
    let mut asked = Vec::new();
    while bench.agent.next_wakeup().is_some_and(|at| at <= end) {
        bench.seen.clear();
        bench.sleep();
        let count = bench.seen.iter().filter(|seen| **seen == Seen::RenewDhcp).count();
        asked.extend(std::iter::repeat_n(bench.now.mono, count));
    }
    asked
}

/// 12.09: TCP to every address has failed for 300 s.
#[test]
fn dhcp_is_asked_again_when_its_acs_was_not_reached_for_five_minutes() {
    let mut bench = unreachable(from_dhcp());
    let first = bench.now.mono;
    assert_eq!(asked_until(&mut bench, first.after_ms(300_000)), [first.after_ms(300_000)]);
    // The next five minutes begin with the next failure.
    let again = asked_until(&mut bench, first.after_ms(7_200_000));
    assert!(!again.is_empty() && again.iter().all(|at| at.since(first) >= 600_000), "{again:?}");
    assert!(again.windows(2).all(|pair| pair[1].since(pair[0]) >= 300_000), "{again:?}");
}

/// 12.09
#[test]
fn an_acs_that_is_reached_again_or_does_not_come_from_dhcp_is_not_rediscovered() {
    let mut bench = unreachable(settings());
    let end = bench.now.mono.after_ms(7_200_000);
    assert_eq!(asked_until(&mut bench, end), [], "somebody has set it");
    let mut bench = unreachable(from_dhcp());
    let first = bench.now.mono;
    assert_eq!(asked_until(&mut bench, first.after_ms(200_000)), []);
    bench.reachable = true;
    // Whatever the ACS then says: a connection has come about.
    bench.connection_request();
    assert_eq!(asked_until(&mut bench, first.after_ms(400_000)), []);
}

/// 12.01
#[test]
fn a_box_without_an_acs_asks_dhcp_at_its_start() {
    let none = AgentSettings { url: None, ..from_dhcp() };
    let bench = Bench::start(none.clone(), Stored::default(), BootCause::Boot);
    assert_eq!(bench.seen, [Seen::RenewDhcp]);
    let fixed = AgentSettings { url_from_dhcp: false, ..none.clone() };
    assert_eq!(Bench::start(fixed, Stored::default(), BootCause::Boot).seen, []);
    let silent = AgentSettings { enable_cwmp: false, ..none };
    assert_eq!(Bench::start(silent, Stored::default(), BootCause::Boot).seen, []);
}

/// 12.02: the URL that somebody had set was taken away.
#[test]
fn dhcp_is_asked_when_the_url_loses_its_value() {
    let mut bench = Bench::known();
    let none = AgentSettings { url: None, ..from_dhcp() };
    bench.input(crate::io::Input::SettingsChanged(Box::new(none)));
    assert_eq!(bench.seen, [Seen::RenewDhcp]);
}
