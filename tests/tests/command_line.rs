//! The command line: every command of `cwmpd --help`, what goes wrong and how it is said, and who may read what.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use cwmp_core::{event::EventCode, value::ValueType};
use cwmpd_tests::{
    Sandbox, Scene,
    program::binary,
    sandbox::known,
    scene::{PATIENCE, acs_options, acs_options_at, get, set},
};

const CODE: &str = "Device.DeviceInfo.ProvisioningCode";
const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";

/// Runs the program with these words to its end, which must come by itself.
fn run<S: AsRef<OsStr>>(words: &[S]) -> Output {
    let mut command = Command::new(binary().unwrap());
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("the program does not end: {:?}", child.wait_with_output());
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a failed command says; it must have failed with status 1 and print nothing else.
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(printed(output), "");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What the program says that is to run with this folder and does not.
fn refuses_to_run(folder: &Path) -> String {
    complaint(&run(&[OsStr::new("run"), OsStr::new("--config"), folder.as_os_str()]))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode()
        & 0o7777
}

#[test]
fn help_names_every_command_and_version_the_program() {
    let help = run(&["--help"]);
    assert!(help.status.success());
    let help = printed(&help);
    for command in ["run", "get", "set", "status", "inform", "acs-methods", "reboot", "factory-reset"] {
        assert!(help.contains(&format!("cwmpd {command}")), "{command}: {help}");
    }
    let version = run(&["--version"]);
    assert!(version.status.success());
    assert!(printed(&version).starts_with("cwmpd "), "{version:?}");
}

#[test]
fn a_command_that_cannot_be_read_is_refused_with_the_right_one() {
    let cases: [(&[&str], &str); 9] = [
        (&[], "a command is missing: try `cwmpd --help`"),
        (&["dance"], "`dance` is no command: try `cwmpd --help`"),
        (&["get"], "get needs a path"),
        (&["set"], "set needs PATH=VALUE"),
        (&["set", CODE], "is not PATH=VALUE"),
        (&["status", "now"], "status takes no arguments"),
        (&["run", "now"], "run takes no arguments"),
        (&["--loud"], "--loud"),
        (&["run", "--config"], "--config"),
    ];
    for (words, text) in cases {
        let complaint = complaint(&run(words));
        assert!(complaint.starts_with("cwmpd: ") && complaint.contains(text), "{words:?}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
    }
}

#[test]
fn without_a_running_agent_the_socket_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("no.sock");
    let socket = socket.to_str().unwrap();
    for command in ["status", "inform", "acs-methods", "reboot", "factory-reset"] {
        let complaint = complaint(&run(&["--control", socket, command]));
        assert!(complaint.contains(socket) && complaint.contains("does cwmpd run?"), "{complaint}");
    }
}

#[test]
fn a_wrong_setting_is_named_with_file_section_and_key() {
    let cases = [
        ("log_level", "loud"),
        ("state_dir", "relative"),
        ("control_socket", "relative"),
        ("platform", "toaster"),
        ("sandbox", "maybe"),
        ("connection_request_address", "here"),
        ("connection_request_port", "65536"),
        ("connection_request_path", "no/slash"),
        ("connection_request_host", "a:b:c"),
        ("acs_reply_timeout", "29"),
        ("basic_without_tls", "perhaps"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("factory.ini");
    for (key, value) in cases {
        Sandbox::new(folder.path(), "http://127.0.0.1/").with("cwmpd", key, value).write().unwrap();
        let complaint = refuses_to_run(folder.path());
        assert!(complaint.contains(file.to_str().unwrap()), "{complaint}");
        assert!(complaint.contains("[cwmpd]") && complaint.contains(key), "{complaint}");
        assert!(complaint.contains("must be"), "{complaint}");
    }
}

#[test]
fn a_factory_ini_that_is_missing_or_damaged_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("factory.ini");
    let missing = refuses_to_run(&folder.path().join("nowhere"));
    assert!(missing.contains("nowhere/factory.ini"), "{missing}");
    assert!(refuses_to_run(folder.path()).contains(file.to_str().unwrap()));
    for damage in [&b"[cwmpd\nsandbox = true\n"[..], b"[cwmpd]\nno equals sign\n", b"\xff\xfe[\0c\0"] {
        fs::write(&file, damage).unwrap();
        let complaint = refuses_to_run(folder.path());
        assert!(complaint.contains(file.to_str().unwrap()), "{complaint}");
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(refuses_to_run(folder.path()).contains(file.to_str().unwrap()));
}

#[tokio::test]
async fn a_second_agent_on_the_same_socket_does_not_start() {
    let scene = Scene::bootstrapped().await;
    let complaint = refuses_to_run(scene.folder());
    let socket = scene.sandbox.socket();
    assert!(
        complaint.contains("another cwmpd") && complaint.contains(socket.to_str().unwrap()),
        "{complaint}"
    );
    // The first one is not disturbed.
    assert_eq!(scene.ask(&["get", INTERVAL]), format!("{INTERVAL}=86400\n"));
    assert_eq!(scene.value(INTERVAL).await, "86400");
    scene.assert_clean();
}

#[tokio::test]
async fn what_a_dead_agent_left_behind_does_not_keep_the_next_one_from_starting() {
    let mut scene = Scene::bootstrapped().await;
    scene.cut_power();
    assert!(scene.sandbox.socket().exists());
    scene.switch_on();
    scene.session(EventCode::Boot).await;
    assert!(scene.ask(&["status"]).contains("bootstrapped: yes"));
}

#[tokio::test]
async fn get_and_set_work_on_parameters_and_whole_objects() {
    let scene = Scene::bootstrapped().await;
    assert_eq!(scene.ask(&["set", &format!("{CODE}=a = b"), &format!("{INTERVAL}=077")]), "");
    assert_eq!(scene.ask(&["get", CODE, INTERVAL]), format!("{CODE}=a = b\n{INTERVAL}=77\n"));
    let object = scene.ask(&["get", "Device.DeviceInfo."]);
    assert!(object.lines().any(|line| line == "Device.DeviceInfo.SerialNumber=0001"), "{object}");
    assert!(object.lines().all(|line| line.starts_with("Device.DeviceInfo.")), "{object}");
    // A setting made by hand leaves the ACS's label alone.
    scene.calls(vec![set(&[(INTERVAL, ValueType::UnsignedInt, "99")], "label")]).await.remove(0).unwrap();
    scene.ask(&["set", &format!("{INTERVAL}=98")]);
    let key = "Device.ManagementServer.ParameterKey";
    assert_eq!(scene.ask(&["get", key]), format!("{key}=label\n"));
    scene.assert_clean();
}

#[tokio::test]
async fn what_cannot_be_set_or_read_is_named_with_its_fault() {
    let scene = Scene::bootstrapped().await;
    let fails = |words: &[&str]| complaint(&scene.agent().ask(words).unwrap());
    let good = format!("{CODE}=half");
    let cases = [
        ("Device.Nothing=1", "Device.Nothing: 9005: "),
        ("Device.DeviceInfo.SerialNumber=2", "Device.DeviceInfo.SerialNumber: 9008: "),
        (
            "Device.ManagementServer.PeriodicInformInterval=0",
            "Device.ManagementServer.PeriodicInformInterval: 9007: ",
        ),
        ("Device.ManagementServer.ParameterKey=x", "Device.ManagementServer.ParameterKey: 9008: "),
        ("Device.ManagementServer.URL=ftp://x", "Device.ManagementServer.URL: 9007: "),
    ];
    for (bad, text) in cases {
        let complaint = fails(&["set", &good, bad]);
        assert!(complaint.contains("9003"), "{complaint}");
        assert!(complaint.lines().any(|line| line.starts_with(&format!("cwmpd: {text}"))), "{complaint}");
    }
    assert_eq!(scene.ask(&["get", CODE]), format!("{CODE}=\n"), "all or nothing");
    for name in ["Device.Nothing", "Device.Nothing.", "Device", "InternetGatewayDevice."] {
        let complaint = fails(&["get", CODE, name]);
        assert!(complaint.contains("9005") && complaint.contains(name), "{complaint}");
    }
    scene.assert_clean();
}

#[tokio::test]
async fn status_says_what_the_agent_does() {
    let scene = Scene::bootstrapped().await;
    scene.until("idle", || scene.ask(&["status"]).contains("session:      idle")).await;
    let status = scene.ask(&["status"]);
    for line in
        [format!("ACS:          {}", scene.acs.url()), "bootstrapped: yes".into(), "RetryCount:   0".into()]
    {
        assert!(status.lines().any(|shown| shown == line), "{line}: {status}");
    }
    scene.acs.stop().await;
    scene.ask(&["inform"]);
    scene.until("a retry", || scene.ask(&["status"]).contains("next retry:   in 1 s")).await;
    let status = scene.ask(&["status"]);
    assert!(status.contains("undelivered:  2 PERIODIC"), "{status}");
}

#[tokio::test]
async fn only_the_owner_may_read_what_the_agent_keeps() {
    let scene = Scene::bootstrapped().await;
    scene.call(set(&[(CODE, ValueType::String, "x")], "x")).await.unwrap();
    assert_eq!(mode(&scene.sandbox.socket()), 0o600);
    assert_eq!(mode(&scene.folder().join("user.ini")), 0o600);
    let state = scene.folder().join("state");
    assert_eq!(mode(&state), 0o700);
    let files: Vec<_> = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().any(|file| file.ends_with("state.json")), "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn passwords_are_neither_logged_nor_shown() {
    let mut scene = Scene::new(acs_options_at(2), |sandbox| sandbox).await;
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    let (password, ring) =
        ("Device.ManagementServer.Password", "Device.ManagementServer.ConnectionRequestPassword");
    let long = "over-long-secret".repeat(20);
    let refused = scene.agent().ask(&["set", &format!("{password}={long}")]).unwrap();
    assert!(!complaint(&refused).contains("over-long-secret"));
    let answers = scene
        .calls(vec![
            set(&[(password, ValueType::String, &long)], ""),
            set(
                &[(password, ValueType::String, known::PASSWORD), (ring, ValueType::String, "ring-secret")],
                "",
            ),
            get(&["Device."]),
        ])
        .await;
    assert!(!format!("{:?}", answers[0]).contains("over-long-secret"), "{:?}", answers[0]);
    assert!(answers[1].is_ok());
    let secrets = [known::PASSWORD, known::CR_PASSWORD, "ring-secret", "over-long-secret"];
    let shown = scene.ask(&["get", "Device."]) + &scene.ask(&["status"]);
    let read = format!("{:?}", answers[2]);
    scene.ask(&["inform"]);
    scene.session(EventCode::Periodic).await;
    // A refusal by the ACS is logged too.
    scene.acs.stop().await;
    let others = cwmp_acs::Authentication::digest("others", "only");
    let listen = scene.acs.address();
    let closed = cwmp_acs::AcsOptions { listen, authentication: others, ..acs_options() };
    scene.acs = cwmp_acs::Acs::start(closed).await.unwrap();
    scene.ask(&["inform"]);
    scene.logged("the ACS refuses the credentials", 1).await;
    let log = scene.log();
    assert!(log.contains("<6>"), "{log}");
    for secret in secrets {
        for (what, text) in [("get", &shown), ("GetParameterValues", &read), ("the log", &log)] {
            assert!(!text.contains(secret), "{secret} in {what}: {text}");
        }
    }
    assert!(shown.contains(&format!("{password}=\n")), "{shown}");
}
