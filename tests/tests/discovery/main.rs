//! Finding the ACS: what DHCP tells arrives at the running program by its command line, as the hooks of DHCP clients call it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod hooks;
mod leases;
#[path = "../network/namespace.rs"]
#[allow(dead_code, reason = "what the tests of the network need beyond this")]
mod namespace;
mod options;

use std::process::Command;

use cwmp_acs::Acs;
use cwmp_core::{event::EventCode, value::ValueType};
use cwmpd_tests::{
    Cwmpd, Sandbox, Scene, program,
    sandbox::known,
    scene::{PATIENCE, acs_options, get, set, value_of},
};
use options::{gateway, option_17, option_43, option_125};

const URL: &str = "Device.ManagementServer.URL";
const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const MINIMUM: &str = "Device.ManagementServer.CWMPRetryMinimumWaitInterval";
const MULTIPLIER: &str = "Device.ManagementServer.CWMPRetryIntervalMultiplier";

/// A box that knows of no ACS.
fn without_url(sandbox: Sandbox) -> Sandbox {
    sandbox.with("ManagementServer", "URL", "")
}

async fn unaware() -> Scene {
    let mut scene = Scene::new(acs_options(), without_url).await;
    scene.switch_on();
    scene.logged("no ACS is known: DHCP is asked for one", 1).await;
    scene
}

/// What a hook does.
fn told(scene: &Scene, words: &[&str]) {
    scene.ask(&[&["dhcp", "--interface", "wan0"], words].concat());
}

/// What it says where nothing is taken.
fn refused(scene: &Scene, words: &[&str]) -> String {
    let words = [&["dhcp"], words].concat();
    let output = scene.agent().ask(&words).unwrap();
    assert!(!output.status.success(), "{words:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The whole of dhcp.ini.
fn kept(scene: &Scene) -> String {
    std::fs::read_to_string(scene.folder().join("dhcp.ini")).unwrap_or_default()
}

/// Conformance: 12.01, 12.05, 12.06
#[tokio::test]
async fn a_box_without_an_acs_finds_it_by_dhcp() {
    for option in [
        ("--option43", option_43 as fn(&[(u8, &str)]) -> String),
        ("--option125", option_125),
        ("--option17", option_17),
    ] {
        let scene = unaware().await;
        let url = format!("{}\0", scene.acs.url());
        let values = [(1, url.as_str()), (2, "TLCO.GRP2"), (3, "7"), (4, "3000")];
        told(&scene, &[option.0, &option.1(&values)]);
        let report = scene.session(EventCode::Bootstrap).await;
        assert!(report.has_event(&EventCode::Boot), "{:?}", report.events);
        for (name, value) in
            [(URL, scene.acs.url().as_str()), (CODE, "TLCO.GRP2"), (MINIMUM, "7"), (MULTIPLIER, "3000")]
        {
            assert_eq!(scene.value(name).await, value, "{}", option.0);
        }
        scene.assert_clean();
    }
}

/// Conformance: 12.01
#[tokio::test]
async fn what_was_told_before_the_program_ran_counts_when_it_starts() {
    let mut scene = Scene::new(acs_options(), without_url).await;
    let output = Command::new(program::binary().unwrap())
        .arg("--control")
        .arg(scene.sandbox.socket())
        .args(["dhcp", "--interface", "wan0", "--option43", &option_43(&[(1, &scene.acs.url())])])
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    scene.assert_clean();
}

/// Conformance: 12.08
#[tokio::test]
async fn another_url_by_dhcp_is_a_bootstrap_and_the_same_again_is_nothing() {
    let scene = unaware().await;
    told(&scene, &["--option43", &option_43(&[(1, &scene.acs.url())])]);
    scene.session(EventCode::Bootstrap).await;
    let before = kept(&scene);
    told(&scene, &["--option43", &option_43(&[(1, &scene.acs.url())])]);
    scene.ask(&["inform"]);
    let report = scene.session(EventCode::Periodic).await;
    assert!(!report.has_event(&EventCode::Bootstrap), "{:?}", report.events);
    assert_eq!(kept(&scene), before);

    let other = Acs::start(acs_options()).await.unwrap();
    told(&scene, &["--option43", &option_43(&[(1, &other.url())])]);
    let report = other.wait_session(PATIENCE, |report| report.has_event(&EventCode::Bootstrap)).await;
    assert!(report.unwrap_or_else(|error| panic!("{error}\n{}", scene.log())).is_clean());
    scene.assert_clean();
}

/// Conformance: 12.02, 12.13
#[tokio::test]
async fn what_the_acs_sets_is_kept_whatever_dhcp_tells_later() {
    let mut scene = unaware().await;
    let all = [(1, scene.acs.url()), (2, "OLD".to_owned()), (3, "7".to_owned())];
    let all: Vec<_> = all.iter().map(|(number, value)| (*number, value.as_str())).collect();
    told(&scene, &["--option43", &option_43(&all)]);
    scene.session(EventCode::Bootstrap).await;
    let url = scene.acs.url();
    let values = [
        (CODE, ValueType::String, "NEW"),
        (MINIMUM, ValueType::UnsignedInt, "11"),
        (URL, ValueType::String, &url),
    ];
    scene.call(set(&values, "")).await.unwrap();

    let other = Acs::start(acs_options()).await.unwrap();
    let renewed = option_43(&[(1, &other.url()), (2, "NEWER"), (3, "8"), (4, "4000")]);
    told(&scene, &["--option43", &renewed]);
    for (name, value) in [(URL, url.as_str()), (CODE, "NEW"), (MINIMUM, "11"), (MULTIPLIER, "4000")] {
        assert_eq!(scene.value(name).await, value);
    }
    assert_eq!(other.cpes(), [], "the other ACS has heard of nobody");
    scene.cut_power();
    scene.switch_on();
    let report = scene.session(EventCode::Boot).await;
    assert!(!report.has_event(&EventCode::Bootstrap), "{:?}", report.events);
    assert_eq!(scene.value(CODE).await, "NEW");
    scene.assert_clean();
}

/// Conformance: 12.02
#[tokio::test]
async fn a_boot_without_an_answer_of_dhcp_goes_to_the_acs_that_it_told() {
    let mut scene = unaware().await;
    told(&scene, &["--option125", &option_125(&[(1, &scene.acs.url())])]);
    scene.session(EventCode::Bootstrap).await;
    scene.cut_power();
    scene.switch_on();
    let report = scene.session(EventCode::Boot).await;
    assert!(!report.has_event(&EventCode::Bootstrap), "{:?}", report.events);
    // A lease without the option says nothing against it.
    told(&scene, &[]);
    assert_eq!(scene.value(URL).await, scene.acs.url());
    // What one DHCP server has told is no property of the box.
    scene.ask(&["factory-reset"]);
    scene.logged("no ACS is known: DHCP is asked for one", 2).await;
    assert_eq!(kept(&scene), "");
    scene.assert_clean();
}

/// Conformance: 12.07, 13.06
#[tokio::test]
async fn hostile_options_change_nothing() {
    let scene = unaware().await;
    told(&scene, &["--option43", &option_43(&[(1, &scene.acs.url()), (2, "CODE")])]);
    scene.session(EventCode::Bootstrap).await;
    let before = kept(&scene);
    let long = "41".repeat(4096);
    for content in [
        "",
        "01",
        "01ff68747470",
        "ffffffff",
        &long,
        &option_43(&[(1, "ftp://acs.example/")]),
        &option_43(&[(1, "http://$(reboot)/"), (9, "x")]),
        &option_43(&[(1, "http://a.example/\r\nX: y")]),
        &option_43(&[(3, "99999999999999999999")]),
        &option_43(&[(2, "a\nb"), (2, &"x".repeat(200))]),
    ] {
        told(&scene, &["--option43", content, "--option125", content, "--option17", content]);
    }
    for words in [
        &["--interface", "wan0", "--option43", "$(reboot)"][..],
        &["--interface", "wan0", "--option43", "0"],
        &["--interface", "../../etc", "--option43", "00"],
        &["--option43", "00"],
        &["--interface", "wan0", "--option43", &"00".repeat(20_000)],
        &["--interface", "wan0", "word"],
    ] {
        let error = refused(&scene, words);
        assert!(error.starts_with("cwmpd: ") && error.len() < 300, "{error}");
    }
    assert_eq!(kept(&scene), before);
    let values = value_of(&scene.call(get(&[CODE])).await);
    assert_eq!(values, "CODE");
    scene.assert_clean();
}

/// Conformance: 12.15
#[tokio::test]
async fn a_policy_takes_only_https_from_dhcp() {
    let policy = |sandbox| without_url(sandbox).with("cwmpd", "dhcp_requires_https", "true");
    let mut scene = Scene::new(acs_options(), policy).await;
    scene.switch_on();
    scene.logged("no ACS is known", 1).await;
    let plain = option_43(&[(1, &scene.acs.url()), (2, "CODE")]);
    let error = refused(&scene, &["--interface", "wan0", "--option43", &plain]);
    assert_eq!(error, "cwmpd: dhcp_requires_https is true: an ACS without https is refused\n");
    assert_eq!(kept(&scene), "");
    told(&scene, &["--option43", &option_43(&[(1, "https://acs.invalid/")])]);
    assert!(scene.ask(&["status"]).contains("https://acs.invalid/"));
    scene.assert_clean();
}

/// Conformance: 12.14
#[tokio::test]
async fn the_acs_is_told_of_the_gateway() {
    let scene = Scene::bootstrapped().await;
    const GATEWAY: &str = "Device.GatewayInfo.";
    told(&scene, &["--option125", &gateway("00D09E", "GW-1", "Gate")]);
    let report = scene.session(EventCode::ValueChange).await;
    let inform = scene.acs.with_cpe(known::CPE, |_, cpe| cpe.last_inform.clone()).unwrap();
    let changed: Vec<_> = inform.parameters.iter().filter(|value| value.name.starts_with(GATEWAY)).collect();
    assert_eq!(changed.len(), 3, "{:?} {:?}", report.events, inform.parameters);
    for (name, value) in [("ManufacturerOUI", "00D09E"), ("SerialNumber", "GW-1"), ("ProductClass", "Gate")] {
        assert_eq!(scene.value(&format!("{GATEWAY}{name}")).await, value);
    }
    // The box is elsewhere now.
    told(&scene, &["--option43", ""]);
    scene.session(EventCode::ValueChange).await;
    assert_eq!(scene.value(&format!("{GATEWAY}SerialNumber")).await, "");
    scene.assert_clean();
}

/// Conformance: 12.03, 12.14
#[test]
fn the_program_tells_what_a_dhcp_client_is_to_send() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(folder.path(), "");
    sandbox.write().unwrap();
    let output = Command::new(program::binary().unwrap())
        .arg("--config")
        .arg(folder.path())
        .arg("dhcp-options")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let identity = option_125(&[(1, "00D09E"), (2, "0001"), (3, "Sandbox")]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "option60=64736c666f72756d2e6f7267", "dslforum.org");
    assert_eq!(lines[1], format!("option125={identity}"));
    assert_eq!(lines[2], "option16=00000de9000c64736c666f72756d2e6f7267");
    assert_eq!(lines[3], format!("option17={}", option_17(&[(11, "00D09E"), (12, "0001"), (13, "Sandbox")])));
}

/// The program, if only to see that it still runs.
fn runs(agent: &Cwmpd) -> bool {
    agent.ask(&["status"]).is_ok_and(|output| output.status.success())
}
