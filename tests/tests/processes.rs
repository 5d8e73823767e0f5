//! The program as two processes: the one that hears from the network has little power, and either may die at any time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use cwmp_core::event::EventCode;
use cwmpd_tests::{
    Cwmpd, Sandbox, Scene,
    scene::{PATIENCE, acs_options},
};
use tokio::net::UnixDatagram;

/// A line of /proc/PID/status.
fn status(pid: u32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().to_owned()
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/exe")).symlink_metadata().is_ok()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

async fn two_processes() -> Scene {
    let mut scene = Scene::new(acs_options(), Sandbox::in_two_processes).await;
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    scene
}

#[tokio::test]
async fn the_protocol_process_has_no_privileges_and_ends_with_the_box_process() {
    let mut scene = two_processes().await;
    let (parent, protocol) = (scene.agent().pid(), scene.agent().protocol_pid().unwrap());
    assert_eq!(status(protocol, "NoNewPrivs"), "1");
    assert_eq!(status(protocol, "CapEff").trim_start_matches('0'), "");
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")) {
        assert_eq!(status(protocol, "Seccomp"), "2");
    }
    if is_root() {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        assert_eq!(status(protocol, "Uid"), [nobody.uid.to_string().as_str(); 4].join("\t"));
        assert_eq!(status(protocol, "Groups"), "");
    }
    // What runs on the box is not hindered.
    assert_eq!(status(parent, "Seccomp"), "0");
    assert_eq!(status(parent, "NoNewPrivs"), "0");
    scene.cut_power();
    scene.until("ended with its box process", || !runs(protocol)).await;
    scene.assert_clean();
}

#[tokio::test]
async fn sigterm_to_both_ends_both_in_order() {
    let mut scene = two_processes().await;
    let protocol = scene.agent().protocol_pid().unwrap();
    // As an init system does that signals every process of a service.
    Cwmpd::signal(protocol, "TERM").unwrap();
    let ended = scene.agent.take().unwrap().stop(PATIENCE).unwrap();
    assert!(ended.success(), "{ended}");
    assert!(!runs(protocol));
    assert!(!scene.log().contains("<3>"), "{}", scene.log());
    scene.assert_clean();
}

#[tokio::test]
async fn a_protocol_process_that_dies_is_started_again_and_nothing_is_lost() {
    let scene = two_processes().await;
    for life in 1..=3 {
        let protocol = scene.agent().protocol_pid().unwrap();
        Cwmpd::signal(protocol, "KILL").unwrap();
        scene.logged("it starts again in", life).await;
        let again = || scene.agent().protocol_pid().is_some_and(|pid| pid != protocol);
        scene.until("started again", again).await;
        // In a sandbox each start counts as a boot.
        let report = scene.good_session(EventCode::Boot).await;
        assert!(!report.has_event(&EventCode::Bootstrap));
    }
    for wait in ["in 0 s", "in 1 s", "in 2 s"] {
        assert!(scene.log().contains(&format!("it starts again {wait}")), "{}", scene.log());
    }
    assert_eq!(scene.value("Device.ManagementServer.PeriodicInformEnable").await, "true");
    scene.assert_clean();
}

/// What an init system hears next, within this time.
async fn sign(socket: &UnixDatagram, wait: Duration) -> Option<String> {
    let mut bytes = [0; 64];
    let count = tokio::time::timeout(wait, socket.recv(&mut bytes)).await.ok()?.unwrap();
    Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
}

#[tokio::test]
async fn a_watchdog_is_fed_as_long_as_both_loops_run() {
    let mut scene = Scene::new(acs_options(), Sandbox::in_two_processes).await;
    let path = scene.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let address = path.display().to_string();
    let environment = [("NOTIFY_SOCKET", address.as_str()), ("WATCHDOG_USEC", "400000")];
    scene.agent = Some(Cwmpd::start_in(&scene.sandbox, &environment).unwrap());
    assert_eq!(sign(&socket, PATIENCE).await.as_deref(), Some("READY=1"));
    for _ in 0..3 {
        assert_eq!(sign(&socket, PATIENCE).await.as_deref(), Some("WATCHDOG=1"));
    }
    let protocol = scene.agent().protocol_pid().unwrap();
    Cwmpd::signal(protocol, "STOP").unwrap();
    // One may be on its way.
    sign(&socket, Duration::from_secs(1)).await;
    assert_eq!(sign(&socket, Duration::from_secs(2)).await, None, "the loop of the agent hangs");
    Cwmpd::signal(protocol, "CONT").unwrap();
    assert_eq!(sign(&socket, PATIENCE).await.as_deref(), Some("WATCHDOG=1"));
    let agent = scene.agent.take().unwrap();
    assert!(agent.stop(PATIENCE).unwrap().success());
    while let Some(said) = sign(&socket, Duration::ZERO).await {
        if said == "STOPPING=1" {
            return;
        }
    }
    panic!("nobody has said that the program ends");
}

/// A protocol process in the hands of an attacker, in the same confinement as the real one.
#[tokio::test]
async fn who_takes_over_the_protocol_process_gains_nothing_else() {
    let scene = Scene::new(acs_options(), Sandbox::in_two_processes).await;
    fs::create_dir_all(scene.folder()).unwrap();
    fs::write(scene.folder().join("user.ini"), "[other]\nsecret = 1\n").unwrap();
    let log = File::options().create(true).append(true).open(scene.sandbox.log()).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_compromised"));
    let agent = Cwmpd::start_program(program, &scene.sandbox, log).unwrap();
    scene.logged("it starts again in", 2).await;
    // The box process goes on serving the box, and ends when it is told to.
    let answer = agent.ask(&["get", "Device.ManagementServer.EnableCWMP"]).unwrap();
    assert!(String::from_utf8_lossy(&answer.stdout).contains("=true"), "{answer:?}\n{}", scene.log());
    assert!(agent.stop(Duration::from_secs(20)).unwrap().success());
    let text = scene.log();
    let attacks: Vec<&str> = text.lines().filter(|line| line.starts_with("attack ")).collect();
    let succeeded: Vec<_> = attacks.iter().filter(|line| line.ends_with(": done")).collect();
    assert!(succeeded.is_empty() && attacks.len() >= 2 * 23, "{succeeded:?}\n{text}");
    let failed = text.lines().any(|line| line.starts_with("work ") && !line.ends_with(": done"));
    assert!(!failed && text.contains("work TCP: done"), "{text}");
    assert!(text.contains("the border to the protocol process: "), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[tokio::test]
async fn two_processes_without_the_user_are_an_error_that_says_what_is_missing() {
    let change =
        |sandbox: Sandbox| sandbox.in_two_processes().with("cwmpd", "protocol_user", "no-such-user-of-cwmpd");
    let mut scene = Scene::new(acs_options(), change).await;
    scene.switch_on();
    if is_root() {
        scene.logged("needs the user no-such-user-of-cwmpd (protocol_user), which does not exist", 1).await;
    } else {
        // There is no user to change to for one who may not.
        scene.session(EventCode::Bootstrap).await;
    }
}
