//! EnableCWMP: 2.09 and 6.08 of the conformance list.

use super::bench::{Bench, events, settings, with_password};
use crate::{
    event::{EventCode, EventStruct},
    io::{BootCause, Input},
    rpc::{CommandKey, CpeRequest, ScheduleInform},
    settings::{AgentSettings, HeartbeatPolicy},
    stored::Stored,
};

fn lively() -> AgentSettings {
    AgentSettings {
        periodic_inform_interval: 60,
        heartbeat_policy: HeartbeatPolicy {
            enable: true,
            reporting_interval: 50,
            ..HeartbeatPolicy::default()
        },
        ..with_password(settings())
    }
}

fn off() -> AgentSettings {
    AgentSettings { enable_cwmp: false, ..lively() }
}

fn set(bench: &mut Bench, settings: AgentSettings) {
    bench.input(Input::SettingsChanged(Box::new(settings)));
}

/// A box that its ACS has silenced in a session, with a schedule pending.
fn silenced() -> Bench {
    let mut bench = Bench::start(lively(), Stored::default(), BootCause::Boot);
    bench.establish();
    let command_key = CommandKey::new("k").unwrap();
    bench.call(CpeRequest::ScheduleInform(ScheduleInform { delay_seconds: 30, command_key }));
    bench.expect_response();
    set(&mut bench, off());
    bench.call(CpeRequest::GetRPCMethods);
    bench.expect_response();
    bench.reply_empty();
    bench.expect_close();
    bench.expect_nothing();
    bench
}

/// Conformance: 2.09
#[test]
fn after_the_session_that_disables_it_nothing_is_heard() {
    let mut bench = silenced();
    assert_eq!(bench.listening, Some(false));
    bench.value_change = true;
    bench.input(Input::WatchedChanged);
    let code = EventCode::Other("X CWMPD x".into());
    bench.input(Input::VendorEvent(EventStruct::new(code)));
    bench.connection_request();
    for _ in 0..50 {
        bench.sleep();
    }
    bench.expect_nothing();
    let mut bench = bench.boot_after(1000, off());
    bench.advance(3_600_000);
    bench.expect_nothing();
}

/// Conformance: 2.09
#[test]
fn a_retry_that_is_pending_falls_silent_too() {
    let mut bench = Bench::start(lively(), Stored::default(), BootCause::Boot);
    bench.expect_session();
    bench.connection_lost();
    bench.expect_close();
    set(&mut bench, off());
    bench.advance(10_000_000);
    bench.expect_nothing();
}

/// Conformance: 2.09
/// What must not be lost is reported once it is enabled again; the periods of the silence are not.
#[test]
fn enabled_again_it_reports_what_is_still_owed() {
    let mut bench = silenced();
    bench.advance(3_600_000);
    bench.expect_nothing();
    set(&mut bench, lively());
    assert_eq!(bench.listening, Some(true));
    assert_eq!(events(&bench.whole_session()), ["3 SCHEDULED", "M ScheduleInform k"]);
    assert!(bench.sleep() <= 50_000, "and the timers go on");
}

/// Conformance: 2.09
#[test]
fn a_factory_reset_enables_it() {
    let bench = silenced();
    let mut bench = Bench::start_at(bench.now, lively(), Stored::default(), BootCause::Boot);
    assert_eq!(events(&bench.expect_session()), ["0 BOOTSTRAP", "1 BOOT"]);
}
