//! IPPing over real sockets and links, in network namespaces that the tests make. Needs root and iproute2.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod link;

use std::{collections::BTreeMap, fmt, rc::Rc, time::Instant};

use cwmp_core::{io::Input, job::Diagnostic, value::ValueType};
use cwmp_diagnostics::Diagnostics;
use cwmp_platform::source::{Access, Change, ObjectKind, ParameterSink, ParameterSource, Wanted};
use link::{FAR, FAR_V6, Link, NEAR, NEAR_V6, OTHER, Sockets, Verdict};

const PING: &str = "Device.IP.Diagnostics.IPPing.";
/// By how many milliseconds a measured time may exceed what the relay has added.
const SLACK: u32 = 10;

/// What a test has left to be read.
struct Results(BTreeMap<String, String>);

impl Results {
    fn text(&self, name: &str) -> &str {
        &self.0[name]
    }

    fn number(&self, name: &str) -> u32 {
        self.0[name].parse().unwrap()
    }

    /// DiagnosticsState, SuccessCount, FailureCount.
    fn counts(&self) -> (&str, u32, u32) {
        (self.text("DiagnosticsState"), self.number("SuccessCount"), self.number("FailureCount"))
    }
}

impl ParameterSink for Results {
    fn object(&mut self, _: &str, _: ObjectKind) {}

    fn parameter(&mut self, name: &str, value: &dyn fmt::Display, _: Access) {
        self.0.insert(name.to_owned(), value.to_string());
    }

    fn vendor_parameter(&mut self, name: &str, _: ValueType, value: &dyn fmt::Display, access: Access) {
        self.parameter(name, value, access);
    }
}

/// A whole test with these inputs, on the box that it is called on.
async fn run(inputs: &[(&str, &str)]) -> Results {
    let device = |path: &str| match path {
        "Device.IP.Interface.1" => Some("wan0".to_owned()),
        "Device.IP.Interface.2" => Some("idle0".to_owned()),
        _ => None,
    };
    let diagnostics = Diagnostics::new(Rc::new(device));
    let request = ("DiagnosticsState", "Requested");
    let changes = inputs.iter().copied().chain([request]);
    let change =
        |(name, value): (&str, &str)| Change { name: format!("{PING}{name}"), value: value.to_owned() };
    let changes: Vec<Change> = changes.map(change).collect();
    assert_eq!(diagnostics.check(&changes).await, []);
    diagnostics.apply(&changes).await.unwrap();
    let requested = Input::DiagnosticRequested { diagnostic: Diagnostic::IpPing, by_acs: true };
    assert_eq!(diagnostics.settle(true, true), [requested]);
    diagnostics.run(Diagnostic::IpPing).await;
    let mut results = Results(BTreeMap::new());
    diagnostics.read(&Wanted::new(&[PING]), &mut results).await.unwrap();
    results
}

/// The same on the near box.
fn ping(link: &Link, inputs: &[(&'static str, &'static str)]) -> Results {
    let inputs = inputs.to_vec();
    link.near(|| async move { run(&inputs).await })
}

/// Three of ten replies are lost, the others come 40 ms late.
fn lossy() -> Vec<Verdict> {
    let lost = |n: u32| [3, 4, 9].contains(&n);
    (1..=10).map(|n| if lost(n) { Verdict::lost() } else { Verdict::after(40) }).collect()
}

fn loss_is_exact_and_times_are_right(sockets: Sockets, host: &'static str, used: &str) {
    let Some(link) = Link::new(sockets) else { return };
    assert_eq!(link.has_ping_sockets(), matches!(sockets, Sockets::Ping));
    link.relay.answer(lossy());
    let results = ping(&link, &[("Host", host), ("NumberOfRepetitions", "10"), ("Timeout", "300")]);
    let time = |which: &str| results.number(&format!("{which}ResponseTimeDetailed"));
    let (minimum, average, maximum) = (time("Minimum"), time("Average"), time("Maximum"));
    eprintln!("{host}, {sockets:?}: {:?}, {minimum} {average} {maximum} us", results.counts());
    assert_eq!(results.counts(), ("Complete", 7, 3));
    assert_eq!(results.text("IPAddressUsed"), used);
    assert!(minimum >= 40_000 && minimum <= average && average <= maximum);
    assert!(average <= (40 + SLACK) * 1000, "{average} us");
    let time = |which: &str| results.number(&format!("{which}ResponseTime"));
    assert!(
        time("Minimum") >= 40 && time("Minimum") <= time("Average") && time("Average") <= time("Maximum")
    );
    assert_eq!(link.relay.seen().len(), 10);
}

/// Conformance: 10.11
#[test]
fn loss_and_times_over_ipv4_and_ping_sockets() {
    loss_is_exact_and_times_are_right(Sockets::Ping, FAR, NEAR);
}

/// Conformance: 10.11
#[test]
fn loss_and_times_over_ipv6_and_ping_sockets() {
    loss_is_exact_and_times_are_right(Sockets::Ping, FAR_V6, NEAR_V6);
}

/// Conformance: 10.11
#[test]
fn loss_and_times_over_ipv4_and_raw_sockets() {
    loss_is_exact_and_times_are_right(Sockets::Raw, FAR, NEAR);
}

/// Conformance: 10.11
#[test]
fn loss_and_times_over_ipv6_and_raw_sockets() {
    loss_is_exact_and_times_are_right(Sockets::Raw, FAR_V6, NEAR_V6);
}

/// Conformance: 10.11
#[test]
fn size_and_dscp_are_on_the_wire() {
    for sockets in [Sockets::Ping, Sockets::Raw] {
        let Some(link) = Link::new(sockets) else { return };
        for host in [FAR, FAR_V6] {
            for (size, dscp) in [("1", "0"), ("1000", "46"), ("1452", "63")] {
                link.relay.answer([]);
                let inputs =
                    [("Host", host), ("NumberOfRepetitions", "2"), ("DataBlockSize", size), ("DSCP", dscp)];
                assert_eq!(ping(&link, &inputs).counts(), ("Complete", 2, 0), "{host} {size}");
                let seen = link.relay.seen();
                assert_eq!(seen.len(), 2);
                for request in seen {
                    assert_eq!(
                        (request.data.to_string(), request.dscp.to_string(), request.fragmented),
                        (size.to_owned(), dscp.to_owned(), false),
                        "{sockets:?} {host}"
                    );
                }
            }
        }
    }
}

/// Conformance: 10.11
#[test]
fn a_block_larger_than_a_packet_goes_in_fragments_and_one_larger_than_ip_is_an_error() {
    for sockets in [Sockets::Ping, Sockets::Raw] {
        let Some(link) = Link::new(sockets) else { return };
        for (host, most) in [(FAR, "65507"), (FAR_V6, "65527")] {
            link.relay.answer([]);
            let of = |size| [("Host", host), ("NumberOfRepetitions", "1"), ("DataBlockSize", size)];
            assert_eq!(ping(&link, &of(most)).counts(), ("Complete", 1, 0), "{sockets:?} {host}");
            assert!(link.relay.seen().iter().all(|request| request.fragmented));
            assert_eq!(link.relay.seen().len(), 1);
            assert_eq!(ping(&link, &of("65535")).counts(), ("Error_Other", 0, 0), "{sockets:?} {host}");
        }
    }
}

/// Conformance: 10.12
#[test]
fn a_host_that_does_not_answer_is_complete_with_failures() {
    let Some(link) = Link::new(Sockets::Ping) else { return };
    link.relay.answer([Verdict::lost()]);
    let quick = [("NumberOfRepetitions", "2"), ("Timeout", "100")];
    // One that answers nothing, and one that is not even there.
    for host in [FAR, FAR_V6, "192.0.2.77", "2001:db8::77"] {
        let results = ping(&link, &[&[("Host", host)], &quick[..]].concat());
        assert_eq!(results.counts(), ("Complete", 0, 2), "{host}");
        assert_eq!(results.number("MaximumResponseTimeDetailed"), 0);
    }
}

#[test]
fn replies_that_come_late_or_twice_count_for_nothing() {
    for sockets in [Sockets::Ping, Sockets::Raw] {
        let Some(link) = Link::new(sockets) else { return };
        for host in [FAR, FAR_V6] {
            // The late reply arrives while the second request waits, the copy while the fourth does.
            let verdicts = [Verdict::after(250), Verdict::lost(), Verdict::twice(10, 250), Verdict::lost()];
            link.relay.answer(verdicts);
            let results = ping(&link, &[("Host", host), ("NumberOfRepetitions", "4"), ("Timeout", "200")]);
            assert_eq!(results.counts(), ("Complete", 1, 3), "{sockets:?} {host}");
        }
    }
}

#[test]
fn two_tests_at_once_do_not_take_each_others_replies() {
    for sockets in [Sockets::Ping, Sockets::Raw] {
        let Some(link) = Link::new(sockets) else { return };
        for host in [FAR, FAR_V6] {
            // Both send their first request before either has an answer; one of the replies is lost.
            link.relay.answer([Verdict::lost(), Verdict::after(50)]);
            let inputs = [("Host", host), ("NumberOfRepetitions", "1"), ("Timeout", "200")];
            let both = link.near(move || async move { tokio::join!(run(&inputs), run(&inputs)) });
            let successes = both.0.number("SuccessCount") + both.1.number("SuccessCount");
            assert_eq!((successes, link.relay.seen().len()), (1, 2), "{sockets:?} {host}");
        }
    }
}

/// Conformance: 10.04, 10.12
#[test]
fn names_and_routes_that_are_not_there_have_their_errors() {
    let Some(link) = Link::new(Sockets::Ping) else { return };
    link.relay.answer([]);
    let state = |inputs: &[(&'static str, &'static str)]| {
        let began = Instant::now();
        let results = ping(&link, inputs);
        assert!(began.elapsed().as_secs() < 30);
        results.text("DiagnosticsState").to_owned()
    };
    assert_eq!(state(&[("Host", "no-such-host.invalid")]), "Error_CannotResolveHostName");
    assert_eq!(state(&[("Host", "not a name; reboot")]), "Error_CannotResolveHostName");
    assert_eq!(state(&[("Host", FAR), ("ProtocolVersion", "IPv6")]), "Error_CannotResolveHostName");
    assert_eq!(state(&[("Host", "203.0.113.1")]), "Error_NoRouteToHost");
    assert_eq!(state(&[("Host", "2001:db8:1::1")]), "Error_NoRouteToHost");
    link.ip_near("route add unreachable 203.0.113.0/24");
    assert_eq!(state(&[("Host", "203.0.113.1")]), "Error_NoRouteToHost");
    assert_eq!(link.relay.seen(), []);
}

/// Conformance: 10.11
#[test]
fn the_interface_is_the_way_out_and_gives_the_source_address() {
    for sockets in [Sockets::Ping, Sockets::Raw] {
        let Some(link) = Link::new(sockets) else { return };
        // Both links could lead to the far box; the routes prefer the one that leads nowhere.
        link.ip_near("route add 192.0.2.2/32 dev idle0");
        link.relay.answer([]);
        let through = |interface| {
            [("Host", FAR), ("Interface", interface), ("NumberOfRepetitions", "1"), ("Timeout", "200")]
        };
        let results = ping(&link, &through("Device.IP.Interface.1"));
        assert_eq!((results.counts(), results.text("IPAddressUsed")), (("Complete", 1, 0), NEAR));
        for interface in ["Device.IP.Interface.2", ""] {
            let results = ping(&link, &through(interface));
            assert_eq!((results.counts(), results.text("IPAddressUsed")), (("Complete", 0, 1), OTHER));
        }
        assert_eq!(link.relay.seen().len(), 1);
    }
}

#[test]
fn the_box_can_ping_itself() {
    for sockets in [Sockets::Ping, Sockets::Raw] {
        let Some(link) = Link::new(sockets) else { return };
        for host in ["127.0.0.1", "0.0.0.0", "::1", "::", NEAR, "::ffff:127.0.0.1"] {
            let results = ping(&link, &[("Host", host), ("NumberOfRepetitions", "2")]);
            assert_eq!(results.counts(), ("Complete", 2, 0), "{sockets:?} {host}");
        }
    }
}
