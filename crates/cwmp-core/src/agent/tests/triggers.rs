//! What starts a session, and what becomes of events.

use super::bench::{Bench, Seen, device, events, settings, with_password};
use crate::{
    datetime::DateTime,
    io::{BootCause, Input, LocalCommand},
    rpc::{CommandKey, CpeRequest, DeviceId, GetParameterValues},
    settings::{AgentSettings, HttpCompression, Secret, XmppRetry, XmppServers, XmppSettings},
    stored::Stored,
    time::Wall,
    url::HttpUrl,
};

fn every(seconds: u32) -> AgentSettings {
    AgentSettings { periodic_inform_interval: seconds, ..settings() }
}

fn other_acs() -> AgentSettings {
    AgentSettings { url: Some(HttpUrl::parse("http://other.example/").unwrap()), ..settings() }
}

/// Conformance: 2.08, 2.11, 2.12, 2.17
#[test]
fn failed_sessions_are_retried_in_their_ranges_and_counted() {
    let mut bench = Bench::fresh();
    bench.expect_session();
    bench.reachable = false;
    bench.connection_lost();
    for n in 1..=12_u32 {
        let row = n.min(10);
        let low = 5000 * 2_u64.pow(row - 1);
        let wait = bench.sleep();
        assert!((low..=2 * low).contains(&wait), "retry {n} after {wait} ms");
    }
    bench.seen.clear();
    bench.reachable = true;
    bench.sleep();
    assert_eq!(bench.whole_session().retry_count, 13);
    bench.connection_request();
    assert_eq!(bench.whole_session().retry_count, 0);
}

/// Conformance: 2.14
#[test]
fn waits_differ_from_box_to_box() {
    let mut bench = Bench::fresh();
    let mut waits = Vec::new();
    for seed in 0..20 {
        let start = crate::io::Start {
            device: device(),
            settings: settings(),
            state: Stored::default(),
            cause: BootCause::Boot,
            seed,
            abilities: crate::io::Abilities { reboot: true, factory_reset: true, ..Default::default() },
            image: String::new(),
        };
        bench.agent = crate::agent::Agent::new();
        bench.reachable = false;
        bench.input(Input::Started(Box::new(start)));
        waits.push(bench.agent.status(bench.now).retry_in_ms.unwrap());
    }
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 15, "{waits:?}");
}

/// Conformance: 2.15, 2.20
#[test]
fn an_event_that_needs_a_session_ends_the_wait_and_is_still_a_retry() {
    let mut bench = Bench::fresh();
    bench.expect_session();
    bench.connection_lost();
    bench.expect_close();
    bench.connection_request();
    let inform = bench.expect_session();
    assert_eq!(events(&inform), ["0 BOOTSTRAP", "1 BOOT", "6 CONNECTION REQUEST"]);
    assert_eq!(inform.retry_count, 1);
}

/// Conformance: 3.17
#[test]
fn a_connection_request_is_not_reported_again_when_its_session_fails() {
    let mut bench = Bench::known();
    bench.connection_request();
    assert_eq!(events(&bench.expect_session()), ["6 CONNECTION REQUEST"]);
    bench.connection_lost();
    bench.expect_close();
    bench.sleep();
    let inform = bench.expect_session();
    assert_eq!(
        (events(&inform).len(), inform.retry_count),
        (0, 1),
        "the session is tried again, without the event"
    );
}

#[test]
fn the_cookies_of_an_interrupted_session_are_sent_again_and_others_not() {
    let mut bench = Bench::fresh();
    assert!(!bench.expect_open().keep_cookies);
    bench.expect_inform();
    bench.connection_lost();
    bench.expect_close();
    bench.sleep();
    assert!(bench.expect_open().keep_cookies);
    bench.expect_inform();
    bench.inform_response();
    bench.expect_empty_post();
    bench.reply_empty();
    bench.expect_close();
    bench.connection_request();
    assert!(!bench.expect_open().keep_cookies);
}

/// Conformance: 2.02, 13.10
#[test]
fn periodic_informs_come_and_change_nothing_on_the_disk() {
    let mut bench = Bench::start(every(30), Stored::default(), BootCause::Boot);
    bench.whole_session();
    bench.writes = 0;
    for _ in 0..100 {
        bench.sleep();
        assert_eq!(events(&bench.whole_session()), ["2 PERIODIC"]);
    }
    assert_eq!(bench.writes, 0);
}

/// Conformance: 3.12
#[test]
fn periods_missed_while_the_acs_is_away_are_one_event_which_survives_a_reboot() {
    let mut bench = Bench::start(every(30), Stored::default(), BootCause::Boot);
    bench.whole_session();
    bench.reachable = false;
    for _ in 0..5 {
        bench.sleep();
    }
    let mut bench = bench.reboot(every(30));
    let inform = bench.expect_session();
    assert_eq!(events(&inform), ["1 BOOT", "2 PERIODIC"]);
    assert!(inform.retry_count > 0, "RetryCount goes on until a session succeeds");
}

/// Conformance: 2.04
#[test]
fn changed_periodic_settings_count_from_the_end_of_the_session() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.input(Input::SettingsChanged(Box::new(every(20))));
    bench.advance(3000);
    bench.reply_empty();
    bench.expect_close();
    assert_eq!(bench.sleep(), 20_000);
    assert_eq!(events(&bench.whole_session()), ["2 PERIODIC"]);
}

/// Conformance: 2.03, 13.11
#[test]
fn the_first_synchronisation_of_the_clock_neither_loses_nor_multiplies_periodic_informs() {
    let dated = AgentSettings { periodic_inform_time: DateTime::At(Wall(0)), ..every(3600) };
    let mut bench = Bench::start(dated, Stored::default(), BootCause::Boot);
    bench.now.wall = None;
    bench.whole_session();
    bench.now.wall = Some(Wall::from_seconds(1_700_000_000));
    bench.input(Input::ClockStepped);
    assert_eq!(bench.sleep(), 2_800_000, "to the next full hour");
    bench.whole_session();
    assert_eq!(bench.sleep(), 3_600_000);
}

/// Conformance: 2.46, 3.03, 6.03
#[test]
fn what_happens_during_a_session_makes_exactly_one_more() {
    let mut bench = Bench::start(every(30), Stored::default(), BootCause::Boot);
    bench.establish();
    for _ in 0..3 {
        bench.connection_request();
        bench.advance(40_000);
    }
    bench.expect_nothing();
    bench.reply_empty();
    bench.expect_close();
    assert_eq!(events(&bench.whole_session()), ["2 PERIODIC", "6 CONNECTION REQUEST"]);
    bench.expect_nothing();
}

/// Conformance: 2.05, 3.06, 3.08, 8.12, 8.13
#[test]
fn a_new_acs_url_is_a_bootstrap_after_the_session() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.input(Input::SettingsChanged(Box::new(other_acs())));
    bench.call(CpeRequest::GetRPCMethods);
    bench.expect_response();
    bench.reply_empty();
    bench.expect_close();
    assert_eq!(bench.expect_open().url.host, "other.example");
    assert_eq!(events(&bench.expect_inform()), ["0 BOOTSTRAP"]);
    // The new ACS does not answer: the bootstrap stays owed over failures and boots.
    bench.connection_lost();
    bench.expect_close();
    let mut bench = bench.reboot(other_acs());
    assert_eq!(events(&bench.whole_session()), ["0 BOOTSTRAP", "1 BOOT"]);
    let mut bench = bench.reboot(other_acs());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"]);
    bench.input(Input::SettingsChanged(Box::new(settings())));
    assert_eq!(events(&bench.whole_session()), ["0 BOOTSTRAP"], "back at the first one");
}

/// Conformance: 3.10
#[test]
fn the_same_url_is_no_new_acs() {
    let mut bench = Bench::known();
    bench.input(Input::SettingsChanged(Box::new(settings())));
    bench.expect_nothing();
}

/// Conformance: 3.07, 3.09, 8.14
#[test]
fn bootstrap_is_done_with_the_inform_response_even_if_the_session_breaks_later() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.connection_lost();
    bench.expect_close();
    let mut bench = bench.reboot(settings());
    assert_eq!(events(&bench.expect_session()), ["1 BOOT"]);
}

#[test]
fn state_of_another_box_is_not_used() {
    let bench = Bench::known();
    let mut stored = bench.stored.clone();
    stored.owner = format!("{}-another", DeviceId::default().oui);
    let mut bench = Bench::start(settings(), stored, BootCause::Boot);
    assert_eq!(events(&bench.expect_session()), ["0 BOOTSTRAP", "1 BOOT"]);
}

/// Conformance: 3.11
#[test]
fn a_restart_of_the_program_alone_is_no_boot() {
    let bench = Bench::known();
    let mut bench = Bench::start(settings(), bench.stored.clone(), BootCause::AgentRestart);
    bench.expect_nothing();
    bench.connection_request();
    assert_eq!(events(&bench.whole_session()), ["6 CONNECTION REQUEST"]);
}

/// Conformance: 2.09, 6.08
#[test]
fn without_an_acs_url_or_with_cwmp_disabled_there_is_silence() {
    let silent =
        [AgentSettings { url: None, ..settings() }, AgentSettings { enable_cwmp: false, ..settings() }];
    for settings in silent {
        let off = !settings.enable_cwmp;
        let mut bench = Bench::start(with_password(settings), Stored::default(), BootCause::Boot);
        bench.advance(100_000_000);
        bench.expect_nothing();
        if off {
            bench.connection_request();
            bench.expect_nothing();
            assert_eq!((bench.listening, bench.listening_udp), (None, None));
        }
    }
}

/// Conformance: 2.09, 6.08
#[test]
fn it_listens_while_enabled_with_a_password() {
    let mut bench = Bench::start(with_password(settings()), Stored::default(), BootCause::Boot);
    assert_eq!((bench.listening, bench.listening_udp), (Some(true), Some(true)));
    bench.whole_session();
    let off = AgentSettings { enable_cwmp: false, ..with_password(settings()) };
    bench.input(Input::SettingsChanged(Box::new(off)));
    assert_eq!((bench.listening, bench.listening_udp), (Some(false), Some(false)));
}

/// Conformance: 2.09, 6.08
#[test]
fn xmpp_rings_while_a_connection_is_named_and_there_is_a_password() {
    let mut bench = Bench::start(with_password(settings()), Stored::default(), BootCause::Boot);
    bench.whole_session();
    assert_eq!(bench.listening_xmpp, None);
    let connection = XmppSettings {
        instance: 1,
        username: "cpe".into(),
        password: Secret("secret".into()),
        domain: "xmpp.example".into(),
        resource: String::new(),
        servers: XmppServers::Srv,
        keep_alive: None,
        retry: XmppRetry::default(),
        use_tls: true,
        allowed: Vec::new(),
    };
    let mut named = with_password(settings());
    named.xmpp = Some(Box::new(connection));
    bench.input(Input::SettingsChanged(Box::new(named.clone())));
    assert_eq!(bench.listening_xmpp, Some(true));
    named.connection_request.password = Secret::default();
    bench.input(Input::SettingsChanged(Box::new(named)));
    assert_eq!(bench.listening_xmpp, Some(false));
}

/// Conformance: 6.23, 6.25
#[test]
fn http_can_be_switched_off_alone_and_without_a_password_nothing_is_open() {
    let mut bench = Bench::start(with_password(settings()), Stored::default(), BootCause::Boot);
    bench.whole_session();
    let mut settings = with_password(settings());
    settings.connection_request.http_enable = false;
    bench.input(Input::SettingsChanged(Box::new(settings.clone())));
    assert_eq!((bench.listening, bench.listening_udp), (Some(false), Some(true)));
    settings.connection_request.password = Secret::default();
    bench.input(Input::SettingsChanged(Box::new(settings)));
    assert_eq!((bench.listening, bench.listening_udp), (Some(false), Some(false)));
}

/// Conformance: 2.06, 3.14
#[test]
fn an_active_notification_opens_a_session_with_value_change() {
    let mut bench = Bench::known();
    bench.value_change = true;
    bench.input(Input::WatchedChanged);
    assert_eq!(events(&bench.whole_session()), ["4 VALUE CHANGE"]);
    bench.input(Input::WatchedChanged);
    bench.expect_nothing();
}

/// Conformance: 5.19
#[test]
fn the_throttle_delays_active_notifications_and_another_session_carries_them() {
    let throttled = AgentSettings { default_active_notification_throttle: 60, ..settings() };
    let mut bench = Bench::start(throttled, Stored::default(), BootCause::Boot);
    bench.whole_session();
    bench.value_change = true;
    bench.input(Input::WatchedChanged);
    bench.expect_nothing();
    bench.advance(20_000);
    bench.connection_request();
    assert_eq!(events(&bench.whole_session()), ["4 VALUE CHANGE", "6 CONNECTION REQUEST"]);
    bench.value_change = true;
    bench.input(Input::WatchedChanged);
    assert_eq!(bench.sleep(), 60_000);
    assert_eq!(events(&bench.whole_session()), ["4 VALUE CHANGE"]);
}

/// Conformance: 5.18
#[test]
fn a_value_that_flaps_ten_times_a_second_does_not_flood_the_acs_and_its_last_change_is_told() {
    let throttled = AgentSettings { default_active_notification_throttle: 60, ..settings() };
    let mut bench = Bench::start(throttled, Stored::default(), BootCause::Boot);
    bench.whole_session();
    let mut told = Vec::new();
    for tenths in 0..6100_u64 {
        bench.value_change = true;
        bench.input(Input::WatchedChanged);
        bench.advance(100);
        if !bench.seen.is_empty() {
            assert_eq!(events(&bench.whole_session()), ["4 VALUE CHANGE"]);
            told.push(tenths);
        }
    }
    assert_eq!(told.len(), 10, "ten minutes and ten seconds: {told:?}");
    assert!(told.windows(2).all(|pair| pair[1] - pair[0] >= 600), "{told:?}");
    // What has changed since the last of them is told as well, with nothing that would remind of it.
    bench.sleep();
    assert_eq!(events(&bench.whole_session()), ["4 VALUE CHANGE"]);
    bench.expect_nothing();
}

#[test]
fn an_event_for_which_value_change_leaves_no_room_waits_for_the_next_inform() {
    let keys = (0..64).map(|n| CommandKey::new(n.to_string()).unwrap());
    let bootstrapped = Some(settings().url.unwrap().to_string());
    let state = Stored { bootstrapped, reboots: keys.collect(), ..Stored::default() };
    let mut bench = Bench::start(settings(), state, BootCause::Boot);
    bench.expect_session();
    bench.connection_lost();
    bench.expect_close();
    bench.value_change = true;
    bench.sleep();
    let told = [bench.whole_session(), bench.whole_session()].map(|inform| inform.events.len());
    assert_eq!(told, [64, 2], "1 BOOT, 4 VALUE CHANGE and 64 M Reboot");
}

#[test]
fn a_value_that_changed_during_a_failed_session_rides_in_its_retry_and_does_not_hasten_it() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.expect_session();
    bench.value_change = true;
    bench.input(Input::WatchedChanged);
    bench.connection_lost();
    bench.expect_close();
    bench.expect_nothing();
    assert!((5000..=10_000).contains(&bench.sleep()));
    assert_eq!(events(&bench.whole_session()), ["4 VALUE CHANGE"]);
}

#[test]
fn a_local_wish_for_a_session_is_a_periodic_inform() {
    let mut bench = Bench::known();
    bench.input(Input::Command(LocalCommand::Inform));
    assert_eq!(events(&bench.whole_session()), ["2 PERIODIC"]);
}

#[test]
fn a_session_that_breaks_while_the_data_model_works_leaves_nothing_behind() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.call(CpeRequest::GetParameterValues(GetParameterValues { names: vec![] }));
    assert!(matches!(bench.seen.remove(0), Seen::Post(_)));
    bench.connection_lost();
    bench.expect_close();
    bench.sleep();
    bench.whole_session();
    assert_eq!(bench.snapshots, 0);
}

/// Conformance: 2.02
#[test]
fn periodic_informs_stop_when_they_are_disabled() {
    let mut bench = Bench::start(every(30), Stored::default(), BootCause::Boot);
    bench.whole_session();
    for _ in 0..10 {
        assert_eq!(bench.sleep(), 30_000);
        assert_eq!(events(&bench.whole_session()), ["2 PERIODIC"]);
    }
    let off = AgentSettings { periodic_inform_enable: false, ..every(30) };
    bench.input(Input::SettingsChanged(Box::new(off)));
    bench.advance(86_400_000);
    bench.expect_nothing();
}

/// Conformance: 2.03
#[test]
fn periodic_informs_fall_on_the_grid_of_periodic_inform_time() {
    for time in ["2030-01-01T00:00:07Z", "1999-01-01T00:00:07Z"] {
        let time = DateTime::parse(time).unwrap();
        let dated = AgentSettings { periodic_inform_time: time, ..every(60) };
        let mut bench = Bench::start(dated, Stored::default(), BootCause::Boot);
        bench.whole_session();
        for wait in [47_000, 60_000, 60_000] {
            assert_eq!(bench.sleep(), wait);
            let inform = bench.whole_session();
            assert!(inform.current_time.to_string().ends_with(":07Z"), "{}", inform.current_time);
        }
    }
}

/// Conformance: 6.02
#[test]
fn connection_requests_before_their_session_begins_are_one_session() {
    let mut bench = Bench::known();
    bench.reachable = false;
    bench.connection_request();
    bench.seen.clear();
    bench.reachable = true;
    for _ in 0..5 {
        bench.connection_request();
    }
    assert_eq!(events(&bench.whole_session()), ["6 CONNECTION REQUEST"]);
    // Those that came during the session make one more, not four.
    assert_eq!(events(&bench.whole_session()), ["6 CONNECTION REQUEST"]);
    bench.expect_nothing();
}

#[test]
fn a_new_choice_of_compression_holds_from_the_next_session_on() {
    let mut bench = Bench::fresh();
    bench.whole_session();
    let chosen = AgentSettings { http_compression: HttpCompression::Gzip, ..settings() };
    bench.input(Input::SettingsChanged(Box::new(chosen)));
    bench.connection_request();
    assert_eq!(bench.expect_open().compression, HttpCompression::Gzip);
}
