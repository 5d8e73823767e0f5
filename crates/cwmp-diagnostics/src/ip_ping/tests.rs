//! Runs over a network of the test's own, in virtual time.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    future::pending,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use async_trait::async_trait;
use cwmp_core::io::Input;
use cwmp_platform::source::{Change, ParameterSource, Wanted};
use tokio::time::{Instant, sleep_until};

use super::*;
use crate::{
    Diagnostics,
    echo::{EchoOptions, EchoSocket, OpenError},
};

/// When the replies to one request arrive, in microseconds after it: none, one or several.
type Replies = &'static [u64];

/// Names, routes and replies as the test wants them.
#[derive(Default)]
struct FakeNetwork {
    hosts: BTreeMap<&'static str, Vec<&'static str>>,
    /// Replies to one request after another; those beyond are not answered.
    replies: RefCell<VecDeque<Replies>>,
    /// Errors of sending, before replies are looked at.
    send_errors: RefCell<VecDeque<Option<io::ErrorKind>>>,
    silent_name_server: bool,
    only_route: Option<&'static str>,
    permitted: bool,
    /// Where sockets led, and how.
    opened: RefCell<Vec<(SocketAddr, EchoOptions)>>,
    sent: Rc<RefCell<Vec<Duration>>>,
}

impl FakeNetwork {
    fn new(replies: impl IntoIterator<Item = Replies>) -> Self {
        Self {
            hosts: BTreeMap::from([("both.example", vec!["192.0.2.1", "2001:db8::1"])]),
            replies: RefCell::new(replies.into_iter().collect()),
            permitted: true,
            ..Self::default()
        }
    }
}

struct FakeSocket {
    replies: VecDeque<Replies>,
    errors: VecDeque<Option<io::ErrorKind>>,
    arriving: BTreeMap<(Instant, usize), u16>,
    began: Instant,
    sent: Rc<RefCell<Vec<Duration>>>,
}

#[async_trait(?Send)]
impl Network for FakeNetwork {
    async fn resolve(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        if self.silent_name_server {
            pending::<()>().await;
        }
        let found = self.hosts.get(host).ok_or_else(|| io::Error::other("no such name"))?;
        Ok(found.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect())
    }

    fn supports(&self, version: IpVersion) -> bool {
        version == IpVersion::V4
    }

    fn open(&self, to: SocketAddr, options: &EchoOptions) -> Result<Box<dyn EchoSocket>, OpenError> {
        if !self.permitted {
            return Err(OpenError::NotPermitted(io::ErrorKind::PermissionDenied.into()));
        }
        if self.only_route.is_some_and(|only| only != to.ip().to_string()) {
            return Err(OpenError::NoRoute(io::ErrorKind::NetworkUnreachable.into()));
        }
        self.opened.borrow_mut().push((to, options.clone()));
        Ok(Box::new(FakeSocket {
            replies: self.replies.take(),
            errors: self.send_errors.take(),
            arriving: BTreeMap::new(),
            began: Instant::now(),
            sent: Rc::clone(&self.sent),
        }))
    }
}

#[async_trait(?Send)]
impl EchoSocket for FakeSocket {
    fn local(&self) -> IpAddr {
        "192.0.2.200".parse().unwrap()
    }

    async fn send(&mut self, sequence: u16) -> io::Result<()> {
        self.sent.borrow_mut().push(self.began.elapsed());
        if let Some(kind) = self.errors.pop_front().flatten() {
            return Err(kind.into());
        }
        for (n, after) in self.replies.pop_front().unwrap_or_default().iter().enumerate() {
            self.arriving.insert((Instant::now() + Duration::from_micros(*after), n), sequence);
        }
        Ok(())
    }

    async fn receive(&mut self) -> io::Result<u16> {
        let Some(((at, n), _)) = self.arriving.first_key_value() else { return pending().await };
        let key = (*at, *n);
        sleep_until(key.0).await;
        Ok(self.arriving.remove(&key).unwrap())
    }
}

/// The source over such a network, and the words of an ACS.
struct Bench {
    network: Rc<FakeNetwork>,
    diagnostics: Rc<Diagnostics>,
}

const PING: &str = "Device.IP.Diagnostics.IPPing.";
const REQUESTED: Input = Input::DiagnosticRequested { diagnostic: Diagnostic::IpPing, by_acs: true };
const WITHDRAWN: Input = Input::DiagnosticWithdrawn(Diagnostic::IpPing);

impl Bench {
    fn new(network: FakeNetwork) -> Self {
        let network = Rc::new(network);
        let device = |path: &str| (path == "Device.IP.Interface.1").then(|| "wan0".to_owned());
        let diagnostics = Diagnostics::over(Rc::clone(&network) as _, Rc::new(device));
        Self { network, diagnostics: Rc::new(diagnostics) }
    }

    /// SetParameterValues; the codes of what is refused, or what the agent hears.
    async fn set(&self, values: &[(&str, &str)]) -> Result<Vec<Input>, Vec<(String, u32)>> {
        let change = |(name, value): &(&str, &str)| Change {
            name: format!("{PING}{name}"),
            value: (*value).to_owned(),
        };
        let changes: Vec<Change> = values.iter().map(change).collect();
        let faults = self.diagnostics.check(&changes).await;
        if !faults.is_empty() {
            return Err(faults.iter().map(|f| (f.name.replace(PING, ""), f.code.0)).collect());
        }
        self.diagnostics.apply(&changes).await.unwrap();
        Ok(self.diagnostics.settle(true, true))
    }

    async fn value(&self, name: &str) -> String {
        let mut values = Values::default();
        self.diagnostics.read(&Wanted::new(&[PING]), &mut values).await.unwrap();
        values.0.remove(name).unwrap()
    }

    async fn values<const N: usize>(&self, names: [&str; N]) -> [String; N] {
        let mut values = names.map(str::to_owned);
        for value in &mut values {
            *value = self.value(value).await;
        }
        values
    }

    /// A whole test of `both.example`; gives DiagnosticsState, SuccessCount and FailureCount.
    async fn ping(&self, inputs: &[(&str, &str)]) -> [String; 3] {
        let all = [inputs, &[("Host", "both.example"), ("DiagnosticsState", "Requested")]].concat();
        assert_eq!(self.set(&all).await, Ok(vec![REQUESTED]));
        self.diagnostics.run(Diagnostic::IpPing).await;
        self.values(["DiagnosticsState", "SuccessCount", "FailureCount"]).await
    }
}

#[derive(Default)]
struct Values(BTreeMap<String, String>);

impl ParameterSink for Values {
    fn object(&mut self, _: &str, _: cwmp_platform::source::ObjectKind) {}

    fn parameter(&mut self, name: &str, value: &dyn std::fmt::Display, _: Access) {
        self.0.insert(name.to_owned(), value.to_string());
    }

    fn vendor_parameter(
        &mut self,
        name: &str,
        _: cwmp_core::value::ValueType,
        value: &dyn std::fmt::Display,
        access: Access,
    ) {
        self.parameter(name, value, access);
    }
}

/// Conformance: 10.11
#[tokio::test(start_paused = true)]
async fn each_request_that_is_answered_in_time_is_a_success_and_times_are_in_order() {
    let bench = Bench::new(FakeNetwork::new([&[1_400][..], &[], &[1_600], &[2_100]]));
    let ended = bench.ping(&[("NumberOfRepetitions", "4"), ("DSCP", "46"), ("DataBlockSize", "1400")]).await;
    assert_eq!(ended, ["Complete", "3", "1"]);
    let names = ["Minimum", "Average", "Maximum"].map(|which| format!("{which}ResponseTimeDetailed"));
    // The virtual clock wakes at whole milliseconds.
    assert_eq!(bench.values(names.each_ref().map(String::as_str)).await, ["2000", "2333", "3000"]);
    let names = ["Minimum", "Average", "Maximum"].map(|which| format!("{which}ResponseTime"));
    assert_eq!(bench.values(names.each_ref().map(String::as_str)).await, ["2", "2", "3"]);
    assert_eq!(bench.value("IPAddressUsed").await, "192.0.2.200");
    let to = "192.0.2.1:0".parse().unwrap();
    assert_eq!(
        *bench.network.opened.borrow(),
        [(to, EchoOptions { device: None, data_block_size: 1400, dscp: 46 })]
    );
}

#[test]
fn milliseconds_are_rounded_half_up() {
    assert_eq!([0, 499, 500, 1_499, 1_500, u32::MAX].map(milliseconds), [0, 0, 1, 1, 2, 4_294_967]);
}

/// Conformance: 10.11
#[tokio::test(start_paused = true)]
async fn late_and_repeated_replies_count_for_no_other_request() {
    // The first reply comes while the second request waits, and so does a copy of the third's while the fourth waits.
    let bench = Bench::new(FakeNetwork::new([&[350_000][..], &[], &[10_000, 250_000], &[]]));
    let ended = bench.ping(&[("NumberOfRepetitions", "4"), ("Timeout", "300")]).await;
    assert_eq!(ended, ["Complete", "1", "3"]);
    assert_eq!(bench.values(["MaximumResponseTime", "MinimumResponseTime"]).await, ["10", "10"]);
}

/// Conformance: 10.12
#[tokio::test(start_paused = true)]
async fn a_silent_host_is_complete_with_failures_and_without_times() {
    let bench = Bench::new(FakeNetwork::new([]));
    let began = Instant::now();
    assert_eq!(
        bench.ping(&[("NumberOfRepetitions", "5"), ("Timeout", "2000")]).await,
        ["Complete", "0", "5"]
    );
    assert_eq!(began.elapsed().as_secs(), 10);
    assert_eq!(bench.values(["MinimumResponseTime", "AverageResponseTimeDetailed"]).await, ["0", "0"]);
}

#[tokio::test(start_paused = true)]
async fn requests_are_paced_however_fast_the_replies_are() {
    let bench = Bench::new(FakeNetwork::new([&[0][..], &[0], &[0]]));
    bench.ping(&[]).await;
    let sent: Vec<u128> = bench.network.sent.borrow().iter().map(Duration::as_millis).collect();
    assert_eq!(sent, [0, 200, 400]);
}

/// Conformance: 10.04, 10.12
#[tokio::test(start_paused = true)]
async fn what_cannot_be_carried_out_ends_with_its_error() {
    let error = async |network: FakeNetwork, inputs: &[(&str, &str)]| {
        let [state, successes, failures] = Bench::new(network).ping(inputs).await;
        assert_eq!((successes, failures), ("0".to_owned(), "0".to_owned()));
        state
    };
    let network = || FakeNetwork::new([&[1][..], &[1], &[1]]);
    let nameless = FakeNetwork { hosts: BTreeMap::new(), ..network() };
    assert_eq!(error(nameless, &[]).await, "Error_CannotResolveHostName");
    let silent = FakeNetwork { silent_name_server: true, ..network() };
    assert_eq!(error(silent, &[]).await, "Error_CannotResolveHostName");
    let only_v4 = FakeNetwork { hosts: BTreeMap::from([("both.example", vec!["192.0.2.1"])]), ..network() };
    assert_eq!(error(only_v4, &[("ProtocolVersion", "IPv6")]).await, "Error_CannotResolveHostName");
    let island = FakeNetwork { only_route: Some("nowhere"), ..network() };
    assert_eq!(error(island, &[]).await, "Error_NoRouteToHost");
    let unreachable = FakeNetwork::new([]);
    unreachable.send_errors.borrow_mut().push_back(Some(io::ErrorKind::NetworkUnreachable));
    assert_eq!(error(unreachable, &[]).await, "Error_NoRouteToHost");
    let forbidden = FakeNetwork { permitted: false, ..network() };
    assert_eq!(error(forbidden, &[]).await, "Error_Internal");
}

#[tokio::test(start_paused = true)]
async fn a_route_that_goes_away_in_mid_run_makes_failures() {
    let network = FakeNetwork::new([&[1_000][..], &[1_000]]);
    *network.send_errors.borrow_mut() = VecDeque::from([None, Some(io::ErrorKind::NetworkUnreachable), None]);
    assert_eq!(Bench::new(network).ping(&[]).await, ["Complete", "2", "1"]);
}

/// Conformance: 10.11
#[tokio::test(start_paused = true)]
async fn protocol_version_and_routes_choose_the_address_and_the_interface_its_device() {
    let used = async |network: FakeNetwork, inputs: &[(&str, &str)]| {
        let bench = Bench::new(network);
        assert_eq!(bench.ping(inputs).await, ["Complete", "0", "3"]);
        let opened = bench.network.opened.borrow().clone();
        assert_eq!(opened.len(), 1);
        (opened[0].0.ip().to_string(), opened[0].1.device.clone())
    };
    let network = || FakeNetwork::new([]);
    assert_eq!(used(network(), &[]).await, ("192.0.2.1".to_owned(), None));
    assert_eq!(used(network(), &[("ProtocolVersion", "IPv6")]).await.0, "2001:db8::1");
    assert_eq!(used(network(), &[("ProtocolVersion", "IPv4")]).await.0, "192.0.2.1");
    let routed = FakeNetwork { only_route: Some("2001:db8::1"), ..network() };
    assert_eq!(used(routed, &[]).await.0, "2001:db8::1");
    let through = [("Interface", "Device.IP.Interface.1")];
    assert_eq!(used(network(), &through).await.1.as_deref(), Some("wan0"));
}

/// Conformance: 10.01, 10.02
#[tokio::test(start_paused = true)]
async fn unusable_inputs_and_states_that_only_the_box_sets_are_refused() {
    let bench = Bench::new(FakeNetwork::new([]));
    let refused = || Err(vec![("DiagnosticsState".to_owned(), 9007)]);
    for state in ["None", "Complete", "Error_Other", "requested"] {
        assert_eq!(bench.set(&[("DiagnosticsState", state)]).await, refused(), "{state}");
    }
    let request = ("DiagnosticsState", "Requested");
    assert_eq!(bench.set(&[request]).await, refused(), "no Host");
    assert_eq!(bench.set(&[request, ("Host", "a"), ("NumberOfRepetitions", "3601")]).await, refused());
    assert_eq!(bench.set(&[request, ("Host", "a"), ("NumberOfRepetitions", "4294967295")]).await, refused());
    assert_eq!(bench.set(&[request, ("Host", "a"), ("Interface", "Device.IP.Interface.2")]).await, refused());
    assert_eq!(bench.values(["DiagnosticsState", "Host"]).await, ["None", ""]);
    bench.diagnostics.run(Diagnostic::IpPing).await;
    assert!(bench.network.opened.borrow().is_empty());
    // In either order, and in two steps.
    assert_eq!(
        bench.set(&[request, ("Host", "a"), ("NumberOfRepetitions", "3600")]).await,
        Ok(vec![REQUESTED])
    );
    assert_eq!(bench.set(&[("DiagnosticsState", "Canceled")]).await, Ok(vec![WITHDRAWN]));
    assert_eq!(bench.set(&[request]).await, Ok(vec![REQUESTED]));
}

/// Conformance: 10.05, 10.06, 10.07
#[tokio::test(start_paused = true)]
async fn a_run_is_stopped_by_a_change_and_by_a_cancel_and_begins_anew_with_a_request() {
    let bench = Bench::new(FakeNetwork::new([]));
    let request: &[(&str, &str)] = &[("Host", "both.example"), ("DiagnosticsState", "Requested")];
    for (write, heard) in [
        (&[("Timeout", "100")][..], WITHDRAWN),
        (&[("DiagnosticsState", "Canceled")], WITHDRAWN),
        (&[("DSCP", "1"), ("DiagnosticsState", "Canceled")], WITHDRAWN),
        (&[("DSCP", "2"), ("DiagnosticsState", "Requested")], REQUESTED),
    ] {
        bench.set(request).await.unwrap();
        let run = bench.diagnostics.run(Diagnostic::IpPing);
        let stopped = tokio::time::timeout(Duration::from_millis(50), run).await;
        assert!(stopped.is_err(), "it runs");
        assert_eq!(bench.set(write).await, Ok(vec![heard.clone()]));
        let state = if heard == REQUESTED { "Requested" } else { "None" };
        assert_eq!(bench.value("DiagnosticsState").await, state, "{write:?}");
    }
    bench.diagnostics.run(Diagnostic::IpPing).await;
    assert_eq!(bench.value("DiagnosticsState").await, "Complete");
    assert_eq!(bench.network.opened.borrow().last().unwrap().1.dscp, 2);
}

/// Conformance: 10.06, 10.08
#[tokio::test(start_paused = true)]
async fn results_stay_when_an_input_changes_and_the_state_does_not() {
    let bench = Bench::new(FakeNetwork::new([&[1_000][..], &[1_000], &[1_000]]));
    bench.ping(&[]).await;
    assert_eq!(bench.value("DiagnosticsState").await, "Complete");
    assert_eq!(bench.set(&[("Host", "both.example")]).await, Ok(vec![]));
    assert_eq!(bench.values(["DiagnosticsState", "SuccessCount"]).await, ["None", "3"]);
}
