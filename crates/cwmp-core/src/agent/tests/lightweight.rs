//! When lightweight notifications are sent, and where to.

use super::bench::{Bench, Seen, settings};
use crate::{
    io::{BootCause, Datagram, Input},
    rpc::ParameterValueStruct,
    settings::{AgentSettings, LightweightSettings, Secret},
    stored::Stored,
};

const HOST: &str = "Device.Hosts.Host.1.HostName";

fn light(change: impl FnOnce(&mut LightweightSettings)) -> AgentSettings {
    let mut settings =
        AgentSettings { username: "cpe".into(), password: Secret("secret".into()), ..settings() };
    settings.lightweight.udp = true;
    change(&mut settings.lightweight);
    settings
}

fn started(settings: AgentSettings) -> Bench {
    let mut bench = Bench::start(settings, Stored::default(), BootCause::Boot);
    bench.whole_session();
    bench.seen.clear();
    bench
}

fn change(bench: &mut Bench, value: &str) {
    bench.lightweight =
        vec![ParameterValueStruct { name: HOST.into(), value_type: None, value: value.into() }];
}

fn datagrams(bench: &mut Bench) -> Vec<Datagram> {
    let datagram = |seen| match seen {
        Seen::Datagram(datagram) => datagram,
        other => panic!("{other:?}"),
    };
    bench.seen.drain(..).map(datagram).collect()
}

/// Conformance: 5.21, 5.22
#[test]
fn an_active_one_goes_to_the_host_of_the_acs_without_a_session() {
    let mut bench = started(light(|_| {}));
    let writes = bench.writes;
    change(&mut bench, "new");
    bench.input(Input::LightweightChanged);
    let sent = datagrams(&mut bench);
    let [Datagram { host, port, bytes }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((host.as_str(), *port), ("acs.example", 7547));
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains("<TS>1700000000</TS><UN>cpe</UN><CN>"), "{text}");
    assert!(text.contains("<OUI>00D09E</OUI><ProductClass>Box</ProductClass>"), "{text}");
    assert!(text.contains(">new</Value>") && !text.contains("secret"), "{text}");
    assert_eq!(bench.writes, writes, "the agent stores nothing for it");
}

#[test]
fn cnonces_differ_and_host_and_port_can_be_set() {
    let mut bench = started(light(|settings| {
        settings.host = "light.example".into();
        settings.port = 9;
    }));
    let mut cnonces = Vec::new();
    for _ in 0..3 {
        change(&mut bench, "x");
        bench.input(Input::LightweightChanged);
        let sent = datagrams(&mut bench);
        assert_eq!((sent[0].host.as_str(), sent[0].port), ("light.example", 9));
        let text = String::from_utf8(sent[0].bytes.clone()).unwrap();
        let cnonce = text.split("<CN>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        assert!(cnonce.len() == 32 && !cnonces.contains(&cnonce), "{cnonce}");
        cnonces.push(cnonce);
    }
}

/// Conformance: 5.22
#[test]
fn passive_ones_go_at_the_trigger_interval_and_only_when_something_has_changed() {
    let mut bench = started(light(|settings| settings.trigger_interval = 60));
    bench.advance(60_000);
    assert_eq!(datagrams(&mut bench), []);
    change(&mut bench, "1");
    bench.advance(59_999);
    assert_eq!(datagrams(&mut bench), []);
    bench.advance(1);
    assert_eq!(datagrams(&mut bench).len(), 1);
}

/// Conformance: 5.22
#[test]
fn the_trigger_time_sets_the_phase() {
    let mut bench = started(light(|settings| {
        settings.trigger_interval = 3600;
        // The bench starts 1,700,000,000 s after the epoch: 800 s after a full hour.
        settings.trigger_time = crate::datetime::DateTime::At(crate::time::Wall(0));
    }));
    change(&mut bench, "1");
    bench.advance(2_799_999);
    assert_eq!(datagrams(&mut bench), []);
    bench.advance(1);
    assert_eq!(datagrams(&mut bench).len(), 1);
}

#[test]
fn none_go_while_they_are_off_or_the_date_is_unknown() {
    let interval = |settings: &mut LightweightSettings| settings.trigger_interval = 60;
    let off = light(|settings| {
        interval(settings);
        settings.udp = false;
    });
    let mut bench = started(off);
    change(&mut bench, "1");
    bench.input(Input::LightweightChanged);
    bench.advance(60_000);
    assert_eq!(datagrams(&mut bench), []);

    let mut bench = started(light(interval));
    let date = bench.now.wall.take();
    change(&mut bench, "1");
    bench.input(Input::LightweightChanged);
    assert_eq!(datagrams(&mut bench), []);
    bench.now.wall = date;
    bench.input(Input::LightweightChanged);
    assert_eq!(datagrams(&mut bench).len(), 1, "it stays news");

    let silent = AgentSettings { enable_cwmp: false, ..light(|_| {}) };
    let mut bench = Bench::start(silent, Stored::default(), BootCause::Boot);
    change(&mut bench, "1");
    bench.input(Input::LightweightChanged);
    assert_eq!(datagrams(&mut bench), []);
}
