//! Commit-confirm on a network: an ACS that cuts the box off from itself has it back, with what was before, and knows it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use cwmp_acs::{AcsOptions, PendingCall, Rule, SessionReport};
use cwmp_core::{event::EventCode, rpc::CpeResponse, value::ValueType};
use cwmpd_tests::{
    Sandbox, Scene, program,
    sandbox::known,
    scene::{PATIENCE, acs_options, get, set},
};

use crate::Home;

const ADDRESS: &str = "Device.IP.X_EXAMPLE_UplinkAddress";
const URL: &str = "Device.ManagementServer.URL";
const KEY: &str = "Device.ManagementServer.ParameterKey";
const ROLLED_BACK: &str = "Device.ManagementServer.X_CWMPD_RolledBack";
const REPORTED: &str = "Device.ManagementServer.X_CWMPD_RollbackReported";
/// What the uplink has at first.
const OLD: &str = "192.0.2.2/24";
/// What sets the address of the uplink. The last of several that run at a time leaves everything in place.
const SCRIPT: &str = "#!/bin/sh
ip -4 address flush dev wan0 scope global && ip address replace \"$1\" dev wan0 || exit 1
ip route replace default via 192.0.2.1 || true
";

/// No sandbox but the machine itself, which nothing here restarts.
pub(crate) fn of_real_box(sandbox: Sandbox) -> Sandbox {
    let downloads = sandbox.folder().join("downloads").display().to_string();
    sandbox
        .with("cwmpd", "sandbox", "false")
        .with("cwmpd", "platform", "generic-linux")
        .with("cwmpd", "log_level", "info")
        .with("cwmpd", "download_dir", &downloads)
        .with("cwmpd", "connection_request_address", "0.0.0.0")
        .with("generic-linux", "reboot_command", "/bin/true")
}

/// A box whose address the ACS may set, and its ACS beyond the uplink.
struct Line<'h> {
    home: &'h Home,
    scene: Scene,
}

impl<'h> Line<'h> {
    /// The agent has said `0 BOOTSTRAP`.
    async fn open(home: &'h Home, confirm_time: &str) -> Self {
        // Not a lease, which would run out.
        home.router.ip("address replace 192.0.2.2/24 dev wan0 valid_lft forever preferred_lft forever");
        let options = AcsOptions { listen: "192.0.2.1:0".parse().unwrap(), ..acs_options() };
        let of_box = |sandbox| of_real_box(sandbox).with("cwmpd", "confirm_time", confirm_time);
        let scene = Scene::new(options, of_box).await;
        let script = scene.folder().join("address");
        fs::write(&script, SCRIPT).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let mapping = format!(
            "[Device.IP.]\nX_EXAMPLE_UplinkAddress: string =\n    \
             command({}, -4, -o, address, show, dev, wan0) | column(4)\n    set = command({}, {{value}})\n",
            ip(),
            script.display()
        );
        fs::create_dir(scene.folder().join("datamodel.d")).unwrap();
        fs::write(scene.folder().join("datamodel.d/example.map"), mapping).unwrap();
        let mut line = Self { home, scene };
        line.switch_on();
        line.scene.session(EventCode::Bootstrap).await;
        line
    }

    fn switch_on(&mut self) {
        self.scene.agent = Some(self.home.router.cwmpd(&self.scene.sandbox));
    }

    /// The address that the uplink has, by what the kernel says.
    fn address(&self) -> String {
        let links = self.home.router.json("-4 address show dev wan0");
        let infos = links.iter().filter_map(|link| link["addr_info"].as_array()).flatten();
        let text = |info: &serde_json::Value| {
            format!("{}/{}", info["local"].as_str().unwrap_or_default(), info["prefixlen"])
        };
        infos.map(text).collect::<Vec<_>>().join(" ")
    }

    /// Whether a change waits to be confirmed, by what is written down.
    fn waits(&self) -> bool {
        let journal = fs::read_to_string(self.scene.folder().join("state/journal.json"));
        journal.is_ok_and(|text| text.contains("Unconfirmed"))
    }

    /// The ACS sets a value, and it waits. There may never be an answer: the way that it would take is changed.
    async fn provisionally(&self, name: &str, value: &str, key: &str) -> PendingCall {
        let call = self.scene.acs.call(known::CPE, set(&[(name, ValueType::String, value)], key));
        let rung = self.scene.acs.connection_request(known::CPE).await;
        // In a session that has just begun the call is made as well.
        assert!(matches!(rung, Ok(200 | 503)), "{rung:?}\n{}", self.scene.log());
        self.scene.until("a change waits to be confirmed", || self.waits()).await;
        call
    }

    /// The next session that tells of a rollback. A cut may end it once the ACS knows.
    async fn told(&self) -> SessionReport {
        self.scene.any_session(EventCode::parse("X CWMPD Rollback")).await
    }

    /// The agent kept all rules, but for the one connection at a time: the end of one whose address is gone reaches nobody.
    fn assert_clean(&self) {
        let mut broken = self.scene.acs.violations();
        broken.retain(|violation| violation.rule != Rule::OneSession);
        assert_eq!(broken, [], "\n{}", self.scene.log());
        assert!(!self.scene.log().contains("panicked"), "{}", self.scene.log());
    }

    /// Nothing is owed any more, and what was told twice is not taken for the next rollback: a cut may come between the
    /// answer of the ACS and the moment when the box knows of it for good.
    async fn all_is_told(&self) {
        loop {
            let read = self.read(&[REPORTED]);
            let rung = self.scene.acs.connection_request(known::CPE).await;
            assert!(matches!(rung, Ok(200 | 503)), "{rung:?}\n{}", self.scene.log());
            if self.values(read).await[REPORTED] == "true" {
                break;
            }
        }
        while self.scene.acs.wait_session(Duration::ZERO, |_| true).await.is_ok() {}
    }

    /// Calls in the next session, whatever it is for.
    fn read(&self, names: &[&str]) -> PendingCall {
        self.scene.acs.call(known::CPE, get(names))
    }

    async fn values(&self, answer: PendingCall) -> BTreeMap<String, String> {
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        match answer.unwrap_or_else(|_| panic!("no values\n{}", self.scene.log())) {
            Ok(CpeResponse::GetParameterValues(values)) => {
                values.into_iter().map(|value| (value.name, value.value)).collect()
            }
            other => panic!("no values but {other:?}\n{}", self.scene.log()),
        }
    }
}

/// Where the program is: mapping files take absolute paths.
fn ip() -> String {
    let folders = std::env::var("PATH").unwrap_or_default();
    let mut found = folders.split(':').map(|folder| format!("{folder}/ip"));
    found.find(|path| fs::exists(path).unwrap_or(false)).unwrap()
}

#[test]
fn a_box_that_an_address_cuts_off_comes_back_by_itself_and_says_what_was_undone() {
    let Some(home) = Home::new() else { return };
    program::binary().unwrap();
    home.world.run(async {
        let line = Line::open(&home, "3").await;
        let start = Instant::now();
        let call = line.provisionally(ADDRESS, "198.51.100.7/24", "cut").await;
        assert_eq!(line.address(), "198.51.100.7/24", "it is in force at once");
        let report = line.told().await;
        eprintln!("back after {} ms: {:?}", start.elapsed().as_millis(), report.events);
        drop(call);
        assert_eq!(line.address(), OLD);
        let read = line.read(&[ADDRESS, KEY, ROLLED_BACK, REPORTED]);
        line.scene.ring().await;
        let values = line.values(read).await;
        assert_eq!((&*values[ADDRESS], &*values[KEY]), (OLD, ""));
        assert_eq!(values[ROLLED_BACK], format!("{ADDRESS},{KEY}"));
        assert_eq!(values[REPORTED], "true");
        line.assert_clean();
    });
}

#[test]
fn an_address_that_the_acs_is_reached_with_stays() {
    let Some(home) = Home::new() else { return };
    program::binary().unwrap();
    home.world.run(async {
        let line = Line::open(&home, "15").await;
        let start = Instant::now();
        let call = line.provisionally(ADDRESS, "192.0.2.77/24", "good").await;
        line.scene.session(EventCode::parse("X CWMPD Confirm")).await;
        let took = start.elapsed();
        eprintln!("confirmed after {} ms", took.as_millis());
        assert!(took < Duration::from_secs(15), "it must not wait for the time to be over");
        drop(call);
        line.scene.until("nothing waits any more", || !line.waits()).await;
        let read = line.read(&[ADDRESS, KEY, ROLLED_BACK]);
        line.scene.ring().await;
        let values = line.values(read).await;
        assert_eq!((&*values[ADDRESS], &*values[KEY], &*values[ROLLED_BACK]), ("192.0.2.77/24", "good", ""));
        assert_eq!(line.address(), "192.0.2.77/24");
        line.assert_clean();
    });
}

#[test]
fn an_acs_url_that_leads_nowhere_is_given_up() {
    let Some(home) = Home::new() else { return };
    program::binary().unwrap();
    home.world.run(async {
        let line = Line::open(&home, "3").await;
        let before = line.scene.acs.url();
        // Nobody has this address.
        let call = line.provisionally(URL, "http://192.0.2.99:7547/", "lost").await;
        assert!(call.await.is_ok(), "the session in which it was set goes on");
        line.told().await;
        let read = line.read(&[URL, KEY, ROLLED_BACK]);
        line.scene.ring().await;
        let values = line.values(read).await;
        assert_eq!((&values[URL], &*values[KEY]), (&before, ""));
        assert_eq!(values[ROLLED_BACK], format!("{URL},{KEY}"));
        line.assert_clean();
    });
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

#[test]
fn a_power_cut_at_any_moment_before_the_rollback_changes_nothing_about_it() {
    const LINES: u64 = 5;
    const CUTS: u32 = 10;
    if Home::new().is_none() {
        return;
    }
    program::binary().unwrap();
    let seed = std::env::var("CWMPD_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("CWMPD_TEST_SEED={seed}");
    let start = Instant::now();
    std::thread::scope(|threads| {
        for lane in 0..LINES {
            threads.spawn(move || {
                let home = Home::new().unwrap();
                home.world.run(cut_again_and_again(&home, CUTS, Dice(seed.wrapping_add(lane << 32))));
            });
        }
    });
    eprintln!("{} power cuts in {} s", LINES * u64::from(CUTS), start.elapsed().as_secs());
}

/// The power fails at a moment from the change to a little after its time is over, and comes back at once.
async fn cut_again_and_again(home: &Home, cuts: u32, mut dice: Dice) {
    let mut line = Line::open(home, "1").await;
    for cut in 1..=cuts {
        let call = line.provisionally(ADDRESS, &format!("198.51.100.{cut}/24"), &format!("cut {cut}")).await;
        // The moment is what is drawn: nothing is waited for here.
        let moment = Duration::from_millis(dice.below(1300));
        tokio::time::sleep(moment).await;
        let read = line.read(&[ADDRESS, KEY, ROLLED_BACK]);
        line.scene.cut_power();
        line.switch_on();
        line.told().await;
        drop(call);
        let context = || format!("cut {cut} after {moment:?}\n{}", line.scene.log());
        assert_eq!(line.address(), OLD, "{}", context());
        let values = line.values(read).await;
        assert_eq!((&*values[ADDRESS], &*values[KEY]), (OLD, ""), "{}", context());
        assert_eq!(values[ROLLED_BACK], format!("{ADDRESS},{KEY}"), "{}", context());
        assert!(!line.waits(), "{}", context());
        line.all_is_told().await;
    }
    line.assert_clean();
}
