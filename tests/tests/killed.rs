//! The real program, killed at random moments while the ACS sets, restarts, schedules and transfers: nothing that was promised
//! is lost, and nothing is invented.
//!
//! A start in the sandbox is a boot, so each kill is a power cut of the box as the program sees it; the files are real.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cwmp_acs::{AcsOptions, Direction, FileOptions, Message};
use cwmp_core::{
    event::EventCode,
    rpc::{
        AcsRequest, CommandKey, CpeRequest, Download, Reboot, ScheduleInform, ToAcs, TransferComplete, Upload,
    },
    soap,
    value::ValueType,
};
use cwmpd_tests::{
    Scene,
    sandbox::known,
    scene::{PATIENCE, acs_options, set},
};

/// Kills in one run.
const KILLS: u64 = 200;
/// The program is killed at most so many milliseconds after its start.
const LIFE_MS: u64 = 250;
const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

/// All that the agent has asked of the ACS, in order.
#[derive(Default)]
struct Book {
    bootstraps: usize,
    /// Keys of `M Reboot` and `M ScheduleInform`.
    keys: BTreeSet<String>,
    completes: Vec<TransferComplete>,
}

impl Book {
    fn note(&mut self, message: &Message) {
        if message.direction != Direction::FromCpe {
            return;
        }
        let Ok(envelope) = soap::decode_to_acs(&message.body) else { return };
        match envelope.message {
            ToAcs::Request(AcsRequest::Inform(inform)) => {
                for event in inform.events {
                    self.bootstraps += usize::from(event.code == EventCode::Bootstrap);
                    if [EventCode::MReboot, EventCode::MScheduleInform].contains(&event.code) {
                        self.keys.insert(event.command_key.as_str().to_owned());
                    }
                }
            }
            ToAcs::Request(AcsRequest::TransferComplete(complete)) => self.completes.push(complete),
            _ => {}
        }
    }
}

/// A small generator; the seed is printed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn seed() -> u64 {
    let given = std::env::var("CWMPD_KILL_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64)
}

fn key(text: &str) -> CommandKey {
    CommandKey::new(text).unwrap()
}

/// The call of this round; its key or value is unique.
fn request(round: u64, kind: u64, url: &str) -> (String, CpeRequest) {
    let name = |letter: &str| format!("{letter}{round}");
    let (file_type, url, none) = ("3 Vendor Configuration File".to_owned(), url.to_owned(), String::new());
    match kind {
        0 => {
            let code = name("code");
            (code.clone(), set(&[(CODE, ValueType::String, &code)], &code))
        }
        1 => (name("r"), CpeRequest::Reboot(Reboot { command_key: key(&name("r")) })),
        2 => {
            let call = ScheduleInform { delay_seconds: 1, command_key: key(&name("s")) };
            (name("s"), CpeRequest::ScheduleInform(call))
        }
        3 => {
            let call = Upload {
                command_key: key(&name("u")),
                file_type: "1 Vendor Configuration File".to_owned(),
                url: format!("{url}-up"),
                username: none.clone(),
                password: none,
                delay_seconds: 0,
            };
            (name("u"), CpeRequest::Upload(call))
        }
        _ => {
            let call = Download {
                command_key: key(&name("d")),
                file_type,
                url,
                username: none.clone(),
                password: none.clone(),
                file_size: 0,
                target_file_name: none.clone(),
                delay_seconds: 0,
                success_url: none.clone(),
                failure_url: none,
            };
            (name("d"), CpeRequest::Download(call))
        }
    }
}

/// Conformance: 3.05, 4.13, 7.18, 7.27, 7.28, 8.14
#[tokio::test]
async fn killed_two_hundred_times_it_keeps_what_it_has_promised_and_invents_nothing() {
    let seed = seed();
    println!("CWMPD_KILL_SEED={seed}");
    let mut random = Random(seed);
    let book = Arc::new(Mutex::new(Book::default()));
    let files = tempfile::tempdir().unwrap();
    fs::write(files.path().join("c.conf"), "wan.mode=dhcp\n").unwrap();
    let noted = Arc::clone(&book);
    let options = AcsOptions {
        files: Some(FileOptions::folder(files.path())),
        on_message: Some(Arc::new(move |message: &Message| noted.lock().unwrap().note(message))),
        ..acs_options()
    };
    let mut scene = Scene::new(options, |sandbox| sandbox).await;
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    let bootstraps = book.lock().unwrap().bootstraps;
    let url = scene.acs.file_url("c.conf");

    let (mut promised, mut asked) = (BTreeSet::new(), BTreeSet::new());
    // Values that may be in force: the last one that was promised, and those that were asked for since.
    let mut codes = vec![String::new()];
    let mut pending = Vec::new();
    for round in 0..KILLS {
        let (name, call) = request(round, random.below(5), &url);
        pending.push((name.clone(), tokio::spawn(scene.acs.call(known::CPE, call))));
        asked.insert(name);
        // The moment of the kill is what is random here.
        tokio::time::sleep(Duration::from_millis(random.below(LIFE_MS))).await;
        scene.cut_power();
        scene.switch_on();
    }
    for (name, outcome) in pending {
        let answered = tokio::time::timeout(PATIENCE * 3, outcome).await;
        let promise =
            answered.unwrap_or_else(|_| panic!("{name} is never answered\n{}", scene.log())).unwrap().is_ok();
        if name.starts_with("code") {
            if promise {
                codes.clear();
            }
            codes.push(name.clone());
        }
        if promise {
            promised.insert(name);
        }
    }
    let owed = || -> Vec<String> {
        let book = book.lock().unwrap();
        let done: BTreeSet<&str> =
            book.completes.iter().map(|complete| complete.command_key.as_str()).collect();
        let reported = |name: &&String| match name.chars().next() {
            Some('r' | 's') => book.keys.contains(*name),
            Some('u' | 'd') => done.contains(name.as_str()),
            _ => true,
        };
        promised.iter().filter(|name| !reported(name)).cloned().collect()
    };
    // The last schedules and restarts are still to come; that a session is on is no answer either.
    let settled = || {
        let status = scene.agent().ask(&["status"]).map(|output| output.stdout).unwrap_or_default();
        let status = String::from_utf8_lossy(&status).into_owned();
        let idle = ["undelivered:  -", "session:      idle"].iter().all(|line| status.contains(line));
        idle && !status.contains("transfer:") && owed().is_empty()
    };
    let what = format!("all that was promised reported (seed {seed})");
    scene.until(&what, settled).await;

    {
        let book = book.lock().unwrap();
        assert_eq!(book.bootstraps, bootstraps, "a `0 BOOTSTRAP` is invented, seed {seed}");
        assert!(book.keys.is_subset(&asked), "reported and never asked for, seed {seed}");
        let mut outcomes: BTreeMap<&str, &TransferComplete> = BTreeMap::new();
        for complete in &book.completes {
            let name = complete.command_key.as_str();
            assert!(asked.contains(name), "{name} is reported and was never asked for, seed {seed}");
            let first = outcomes.entry(name).or_insert(complete);
            assert_eq!(*first, complete, "two outcomes, seed {seed}");
            assert_eq!(complete.fault.code.0, 0, "{complete:?}, seed {seed}");
        }
    }
    let code = scene.value(CODE).await;
    assert!(codes.contains(&code), "`{code}` is in force and not one of {codes:?}, seed {seed}");
    assert!(!scene.log().contains("panicked") && !scene.log().contains("damaged"), "{}", scene.log());
}
