//! Reboot and factory reset.

use super::bench::{Bench, Seen, events, settings};
use crate::{
    fault::FaultCode,
    io::{BootCause, Input, LocalCommand, RebootCause},
    rpc::{CommandKey, CpeRequest, CpeResponse, Reboot},
    stored::Stored,
};

fn reboot(key: &str) -> CpeRequest {
    CpeRequest::Reboot(Reboot { command_key: CommandKey::new(key).unwrap() })
}

#[test]
fn the_command_key_is_stored_before_reboot_response_is_sent() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.store_answers = false;
    bench.call(reboot("k"));
    bench.expect_nothing();
    bench.answer_store(true);
    assert_eq!(bench.expect_response(), CpeResponse::Reboot);
}

/// Conformance: 2.45, 8.01, 8.02, 8.15
#[test]
fn the_session_goes_on_only_when_the_delivered_events_are_forgotten_for_good() {
    for well in [true, false] {
        let mut bench = Bench::fresh();
        bench.expect_session();
        bench.store_answers = false;
        bench.inform_response();
        bench.expect_nothing();
        bench.answer_store(well);
        bench.expect_empty_post();
    }
}

#[test]
fn reboot_comes_after_the_session_and_is_reported_with_its_key() {
    for key in ["", "x", "12345678901234567890123456789012"] {
        let mut bench = Bench::fresh();
        bench.establish();
        bench.call(reboot(key));
        assert_eq!(bench.expect_response(), CpeResponse::Reboot);
        bench.call(CpeRequest::GetRPCMethods);
        bench.expect_response();
        bench.reply_empty();
        bench.expect_close();
        assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Acs));
        bench.connection_request();
        bench.expect_nothing();

        let mut bench = bench.reboot(settings());
        let expected = if key.is_empty() { "M Reboot".to_owned() } else { format!("M Reboot {key}") };
        assert_eq!(events(&bench.whole_session()), ["1 BOOT".to_owned(), expected]);
        let mut bench = bench.reboot(settings());
        assert_eq!(events(&bench.whole_session()), ["1 BOOT"], "reported once");
    }
}

/// Conformance: 3.03, 8.03
#[test]
fn two_reboot_calls_in_a_session_are_one_restart_and_two_events() {
    let mut bench = Bench::fresh();
    bench.establish();
    for key in ["a", "b"] {
        bench.call(reboot(key));
        bench.expect_response();
    }
    bench.reply_empty();
    bench.expect_close();
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Acs));
    bench.expect_nothing();
    let mut bench = bench.reboot(settings());
    assert_eq!(events(&bench.expect_session()), ["1 BOOT", "M Reboot a", "M Reboot b"]);
}

/// Conformance: 8.05
#[test]
fn a_session_that_breaks_after_reboot_response_does_not_keep_the_box_from_restarting() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.call(reboot("k"));
    bench.expect_response();
    bench.connection_lost();
    bench.expect_close();
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Acs));
    let mut bench = bench.reboot(settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT", "M Reboot k"]);
}

/// Conformance: 3.05, 3.26
#[test]
fn m_reboot_stays_owed_until_the_acs_has_answered() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.call(reboot("a"));
    bench.expect_response();
    bench.reply_empty();
    let mut bench = bench.reboot(settings());
    bench.expect_session();
    bench.connection_lost();
    let mut bench = bench.reboot(settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT", "M Reboot a"], "after another boot, once");
    assert_eq!(bench.stored.events, []);
}

#[test]
fn a_reboot_that_cannot_be_stored_is_refused_and_does_not_happen() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.store_answers = false;
    bench.call(reboot("k"));
    bench.answer_store(false);
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::INTERNAL_ERROR);
    bench.store_answers = true;
    bench.reply_empty();
    bench.expect_close();
    bench.expect_nothing();
    assert_eq!(bench.stored.reboots, []);
}

/// Conformance: 8.04
#[test]
fn a_local_reboot_has_no_m_reboot() {
    let mut bench = Bench::known();
    bench.input(Input::Command(LocalCommand::Reboot));
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Local));
    let mut bench = bench.reboot(settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"]);
}

#[test]
fn a_program_that_died_before_the_promised_restart_carries_it_out() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.call(reboot("k"));
    let mut bench = Bench::start(settings(), bench.stored.clone(), BootCause::AgentRestart);
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Acs));
    let mut bench = bench.reboot(settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT", "M Reboot k"]);
}

#[test]
fn a_restart_that_fails_is_not_reported_as_done() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.call(reboot("k"));
    bench.reply_empty();
    bench.input(Input::RestartFailed("/sbin/reboot: not found".into()));
    assert_eq!(bench.stored.reboots, []);
    bench.seen.clear();
    bench.connection_request();
    assert_eq!(events(&bench.whole_session()), ["6 CONNECTION REQUEST"]);
}

/// Conformance: 8.07, 8.08
#[test]
fn factory_reset_comes_after_the_session_and_wins_over_a_reboot() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.call(reboot("k"));
    bench.expect_response();
    bench.call(CpeRequest::FactoryReset);
    assert_eq!(bench.expect_response(), CpeResponse::FactoryReset);
    bench.reply_empty();
    bench.expect_close();
    assert_eq!(bench.seen.remove(0), Seen::FactoryReset);
    bench.expect_nothing();
    // The driver has deleted the state.
    let mut bench = Bench::start(settings(), Stored::default(), BootCause::Boot);
    let inform = bench.expect_session();
    assert_eq!(
        (events(&inform), inform.retry_count),
        (vec!["0 BOOTSTRAP".to_owned(), "1 BOOT".to_owned()], 0)
    );
}

#[test]
fn a_factory_reset_that_a_power_cut_interrupted_is_finished() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.call(CpeRequest::FactoryReset);
    let mut bench = bench.reboot(settings());
    assert_eq!(bench.seen.remove(0), Seen::FactoryReset);
    bench.expect_nothing();
}

#[test]
fn a_reboot_call_whose_session_breaks_before_the_store_answers_is_carried_out_and_reported() {
    let mut bench = Bench::fresh();
    bench.establish();
    bench.store_answers = false;
    bench.call(reboot("k"));
    bench.connection_lost();
    bench.expect_close();
    bench.expect_nothing();
    bench.store_answers = true;
    bench.answer_store(true);
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Acs));
    let mut bench = bench.reboot(settings());
    assert_eq!(events(&bench.whole_session()), ["1 BOOT", "M Reboot k"]);
}

#[test]
fn a_store_that_never_answers_does_not_collect_promises_without_end() {
    let mut bench = Bench::known();
    bench.store_answers = false;
    bench.connection_request();
    for _ in 0..crate::limits::STORING_PROMISES {
        bench.establish();
        bench.call(reboot("k"));
        bench.connection_lost();
        bench.expect_close();
        bench.sleep();
    }
    bench.establish();
    bench.call(reboot("one too many"));
    assert_eq!(bench.expect_fault().cwmp.unwrap().code, FaultCode::RESOURCES_EXCEEDED);
}

#[test]
fn a_reboot_whose_session_breaks_before_it_is_stored_is_carried_out_once_it_is() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.store_answers = false;
    bench.call(reboot("k"));
    bench.connection_lost();
    bench.expect_close();
    bench.expect_nothing();
    bench.answer_store(true);
    assert_eq!(bench.seen.remove(0), Seen::Restart(RebootCause::Acs));
}

#[test]
fn a_restart_whose_session_breaks_and_that_cannot_be_stored_is_forgotten() {
    for call in [reboot("k"), CpeRequest::FactoryReset] {
        let mut bench = Bench::known();
        bench.connection_request();
        bench.establish();
        bench.store_answers = false;
        bench.call(call);
        bench.connection_lost();
        bench.expect_close();
        bench.answer_store(false);
        bench.store_answers = true;
        bench.sleep();
        bench.whole_session();
        bench.expect_nothing();
        assert_eq!((bench.stored.reboots.len(), bench.stored.factory_reset), (0, false));
    }
}

#[test]
fn a_second_factory_reset_that_cannot_be_stored_does_not_revoke_the_first() {
    let mut bench = Bench::known();
    bench.connection_request();
    bench.establish();
    bench.call(CpeRequest::FactoryReset);
    assert_eq!(bench.expect_response(), CpeResponse::FactoryReset);
    bench.store_answers = false;
    bench.call(CpeRequest::FactoryReset);
    bench.answer_store(false);
    bench.expect_fault();
    bench.store_answers = true;
    bench.input(Input::Command(LocalCommand::Reboot));
    bench.reply_empty();
    bench.expect_close();
    assert!(bench.stored.factory_reset);
    assert_eq!(bench.seen.remove(0), Seen::FactoryReset, "and a local reboot does not take its place");
}

#[test]
fn what_the_store_has_refused_is_handed_to_it_again_after_the_next_session() {
    let mut bench = Bench::fresh();
    bench.store_answers = false;
    bench.expect_session();
    bench.inform_response();
    bench.answer_store(false);
    bench.expect_empty_post();
    bench.store_answers = true;
    assert_eq!(bench.stored.bootstrapped, None);
    bench.reply_empty();
    bench.expect_close();
    assert_eq!(bench.stored.bootstrapped, settings().url.map(|url| url.to_string()));
    bench.writes = 0;
    bench.connection_request();
    bench.whole_session();
    assert_eq!(bench.writes, 0);
}

#[test]
fn a_boot_that_could_not_be_reported_is_not_forgotten_when_the_program_starts_again() {
    let mut bench = Bench::known().reboot(settings());
    bench.expect_session();
    bench.connection_lost();
    let mut bench = Bench::start(settings(), bench.stored.clone(), BootCause::AgentRestart);
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"]);
    let mut bench = Bench::start(settings(), bench.stored.clone(), BootCause::AgentRestart);
    bench.expect_nothing();
    bench.connection_request();
    assert_eq!(events(&bench.whole_session()), ["6 CONNECTION REQUEST"]);
}

#[test]
fn a_boot_that_nobody_has_heard_of_outlives_a_crash_of_the_program() {
    let died = Bench::known().reboot(settings());
    let mut bench = Bench::start(settings(), died.stored.clone(), BootCause::AgentRestart);
    assert_eq!(events(&bench.whole_session()), ["1 BOOT"]);
    Bench::start(settings(), bench.stored.clone(), BootCause::AgentRestart).expect_nothing();
}
