//! File transfers by the real program: from the call of the ACS to the file on the box and the report.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::PathBuf, time::Duration};

use cwmp_acs::{AcsOptions, Authentication, FileOptions, Script, SessionReport, Step};
use cwmp_core::{
    event::EventCode,
    rpc::{
        AcsRequest, AutonomousTransferComplete, CommandKey, CpeRequest, CpeResponse, Download, ToAcs,
        TransferComplete, TransferResponse, Upload,
    },
    soap,
    value::ValueType,
};
use cwmpd_tests::{
    Sandbox, Scene,
    scene::{acs_options, set},
};
use tempfile::TempDir;

const FIRMWARE: &str = "1 Firmware Upgrade Image";
const CONFIGURATION: &str = "3 Vendor Configuration File";
/// What is in force.
const OLD: &str = "wan.mode=dhcp\n";
/// What nobody wants to keep.
const BAD: &str = "wan.mode=none\n";
const VERSION: &str = "Device.DeviceInfo.SoftwareVersion";

/// An ACS with a file server, and an agent that it knows.
struct Depot {
    scene: Scene,
    files: TempDir,
}

impl Depot {
    async fn open() -> Self {
        Self::guarded_by(Authentication::None).await
    }

    async fn guarded_by(authentication: Authentication) -> Self {
        Self::of(authentication, |sandbox| sandbox).await
    }

    /// One where what may cut the box off waits so many seconds for the ACS, and which has a configuration.
    async fn confirming(seconds: &str) -> Self {
        let waits = |sandbox: Sandbox| sandbox.with("cwmpd", "confirm_time", seconds);
        let depot = Self::of(Authentication::None, waits).await;
        depot.serve("old.conf", OLD);
        depot.serve("bad.conf", BAD);
        let (_, complete) = depot.fetched(depot.download("old.conf", CONFIGURATION, "old")).await;
        assert_eq!(complete.fault.code.0, 0, "{complete:?}");
        depot.scene.until("the configuration is confirmed", || !depot.waits()).await;
        depot
    }

    async fn of(authentication: Authentication, change: impl FnOnce(Sandbox) -> Sandbox) -> Self {
        let files = tempfile::tempdir().unwrap();
        let served = FileOptions { authentication, ..FileOptions::folder(files.path()) };
        let options = AcsOptions { files: Some(served), ..acs_options() };
        let mut scene = Scene::new(options, change).await;
        scene.switch_on();
        scene.session(EventCode::Bootstrap).await;
        Self { scene, files }
    }

    fn serve(&self, name: &str, content: &str) {
        fs::write(self.files.path().join(name), content).unwrap();
    }

    fn download(&self, name: &str, file_type: &str, key: &str) -> Download {
        Download {
            command_key: CommandKey::new(key).unwrap(),
            file_type: file_type.to_owned(),
            url: self.scene.acs.file_url(name),
            username: "user".to_owned(),
            password: "pass".to_owned(),
            file_size: 0,
            target_file_name: String::new(),
            delay_seconds: 0,
            success_url: String::new(),
            failure_url: String::new(),
        }
    }

    fn upload(&self, name: &str, file_type: &str, key: &str) -> Upload {
        Upload {
            command_key: CommandKey::new(key).unwrap(),
            file_type: file_type.to_owned(),
            url: self.scene.acs.file_url(name),
            username: "user".to_owned(),
            password: "pass".to_owned(),
            delay_seconds: 0,
        }
    }

    /// The ACS orders a download and hears of its end.
    async fn fetched(&self, download: Download) -> (SessionReport, TransferComplete) {
        let answer = self.scene.call(CpeRequest::Download(download)).await;
        assert_eq!(answer.unwrap(), CpeResponse::Download(TransferResponse::Later));
        self.reported().await
    }

    async fn sent(&self, upload: Upload) -> TransferComplete {
        let answer = self.scene.call(CpeRequest::Upload(upload)).await;
        assert_eq!(answer.unwrap(), CpeResponse::Upload(TransferResponse::Later));
        self.reported().await.1
    }

    async fn reported(&self) -> (SessionReport, TransferComplete) {
        let report = self.scene.session(EventCode::TransferComplete).await;
        let complete = requests(&report).find_map(|request| match request {
            AcsRequest::TransferComplete(complete) => Some(complete),
            _ => None,
        });
        (report, complete.unwrap())
    }

    /// The ACS orders the configuration after which it is not reached any more; until that is in force.
    async fn cut_off_by_configuration(&self, key: &str) {
        // A second later: the session of the call ends well.
        let bad = Download { delay_seconds: 1, ..self.download("bad.conf", CONFIGURATION, key) };
        self.scene.call(CpeRequest::Download(bad)).await.unwrap();
        self.scene.acs.script("*", Script::by_rule(|_| vec![Step::Close]));
        let is_loaded = || fs::read_to_string(self.configuration()).is_ok_and(|text| text == BAD);
        self.scene.until("the configuration is in force", is_loaded).await;
    }

    /// The ACS is there again, and hears of the end of the download; those sessions that it did not answer do not count.
    async fn told(&self) -> TransferComplete {
        self.scene.acs.clear_scripts();
        let report = self.scene.good_session(EventCode::TransferComplete).await;
        let mut completes = requests(&report).filter_map(|request| match request {
            AcsRequest::TransferComplete(complete) => Some(complete),
            _ => None,
        });
        completes.next().unwrap_or_else(|| panic!("{:?}\n{}", report.events, self.scene.log()))
    }

    /// Whether the former configuration is in force because the ACS was not reached, and the ACS is yet to be told.
    fn is_taken_back(&self) -> bool {
        let text = |file| fs::read_to_string(file).unwrap_or_default();
        let kept = text(self.scene.folder().join("user.ini"));
        let owed =
            kept.lines().any(|line| line.starts_with("X_CWMPD_RollbackReported") && line.ends_with("false"));
        owed && !self.waits() && text(self.configuration()) == OLD
    }

    /// Whether a change waits to be confirmed.
    fn waits(&self) -> bool {
        self.scene.folder().join("state/journal.json").exists()
    }

    fn configuration(&self) -> PathBuf {
        self.scene.folder().join("box/platform.conf")
    }
}

/// The requests of the agent in a session.
fn requests(report: &SessionReport) -> impl Iterator<Item = AcsRequest> {
    let decoded = |body: &[u8]| soap::decode_to_acs(body).ok().map(|envelope| envelope.message);
    let messages = report.messages.iter().filter_map(move |message| decoded(&message.body));
    messages.filter_map(|message| match message {
        ToAcs::Request(request) => Some(request),
        _ => None,
    })
}

fn codes(report: &SessionReport) -> Vec<&str> {
    report.events.iter().map(|event| event.code.as_str()).collect()
}

/// Conformance: 2.07, 7.02, 7.22, 7.24, 7.28
#[tokio::test]
async fn a_configuration_is_loaded_and_comes_back_as_an_upload() {
    let depot = Depot::open().await;
    depot.serve("new.conf", "wan.mode=dhcp\n");
    let (report, complete) = depot.fetched(depot.download("new.conf", CONFIGURATION, "c1")).await;
    assert_eq!(codes(&report), ["7 TRANSFER COMPLETE", "M Download"]);
    assert_eq!((complete.command_key.as_str(), complete.fault.code.0), ("c1", 0), "{complete:?}");
    assert_eq!(fs::read_to_string(depot.configuration()).unwrap(), "wan.mode=dhcp\n");
    // Up again, then something else is loaded, and what went up restores the box.
    assert_eq!(
        depot.sent(depot.upload("saved.conf", "1 Vendor Configuration File", "u1")).await.fault.code.0,
        0
    );
    depot.serve("other.conf", "wan.mode=static\n");
    depot.fetched(depot.download("other.conf", CONFIGURATION, "c2")).await;
    assert_eq!(fs::read_to_string(depot.configuration()).unwrap(), "wan.mode=static\n");
    depot.fetched(depot.download("saved.conf", CONFIGURATION, "c3")).await;
    assert_eq!(fs::read_to_string(depot.configuration()).unwrap(), "wan.mode=dhcp\n");
    let left: Vec<_> = fs::read_dir(depot.scene.folder().join("downloads")).unwrap().collect();
    assert!(left.is_empty(), "what was fetched is gone: {left:?}");
    depot.scene.assert_clean();
}

/// Conformance: 3.32, 7.19, 9.31
#[tokio::test]
async fn an_upgrade_is_reported_with_the_boot_and_the_new_version() {
    let depot = Depot::open().await;
    depot.serve("v2.img", "cwmpd-sandbox-firmware 2.0\nand the rest");
    let (report, complete) = depot.fetched(depot.download("v2.img", FIRMWARE, "fw")).await;
    assert_eq!(codes(&report), ["1 BOOT", "4 VALUE CHANGE", "7 TRANSFER COMPLETE", "M Download"]);
    assert_eq!(complete.fault.code.0, 0, "{complete:?}");
    let inform = requests(&report).find_map(|request| match request {
        AcsRequest::Inform(inform) => Some(inform),
        _ => None,
    });
    let version = inform.unwrap().parameters.into_iter().find(|parameter| parameter.name == VERSION);
    assert_eq!(version.unwrap().value, "2.0");
    depot.scene.assert_clean();
}

/// Conformance: 7.17, 7.25
#[tokio::test]
async fn what_is_no_image_or_no_configuration_changes_nothing() {
    let depot = Depot::open().await;
    let before = depot.scene.value(VERSION).await;
    depot.serve("bad.img", "no image at all");
    let (_, complete) = depot.fetched(depot.download("bad.img", FIRMWARE, "f")).await;
    assert_eq!(complete.fault.code.0, 9018, "{complete:?}");
    assert_eq!(depot.scene.value(VERSION).await, before);
    depot.serve("bad.conf", "key=1\nnonsense\n");
    let (_, complete) = depot.fetched(depot.download("bad.conf", CONFIGURATION, "c")).await;
    assert_eq!(complete.fault.code.0, 9018, "{complete:?}");
    assert!(complete.fault.text.contains("line 2"), "{}", complete.fault.text);
    assert!(!depot.configuration().exists());
    let (_, complete) = depot.fetched(depot.download("missing.conf", CONFIGURATION, "m")).await;
    assert_eq!(complete.fault.code.0, 9016, "{complete:?}");
    depot.scene.assert_clean();
}

/// Conformance: 7.09
#[tokio::test]
async fn the_credentials_of_the_call_open_the_file_server() {
    let depot = Depot::guarded_by(Authentication::digest("user", "pass")).await;
    depot.serve("new.conf", "a=1\n");
    let (_, complete) = depot.fetched(depot.download("new.conf", CONFIGURATION, "right")).await;
    assert_eq!(complete.fault.code.0, 0, "{complete:?}");
    assert_eq!(depot.sent(depot.upload("log.txt", "2 Vendor Log File", "log")).await.fault.code.0, 0);
    let wrong =
        Download { password: "guess".to_owned(), ..depot.download("new.conf", CONFIGURATION, "wrong") };
    let (_, complete) = depot.fetched(wrong).await;
    assert_eq!(complete.fault.code.0, 9012, "{complete:?}");
    assert!(!depot.scene.log().contains("guess"), "a password is in the log");
    depot.scene.assert_clean();
}

/// Conformance: 7.30
#[tokio::test]
async fn a_power_cut_in_mid_transfer_loses_nothing() {
    let mut depot = Depot::open().await;
    depot.serve("new.conf", "a=1\n");
    let slow = Download { delay_seconds: 1, ..depot.download("new.conf", CONFIGURATION, "cut") };
    depot.scene.call(CpeRequest::Download(slow)).await.unwrap();
    depot.scene.cut_power();
    depot.scene.switch_on();
    let (report, complete) = depot.reported().await;
    assert!(report.has_event(&EventCode::MDownload));
    assert_eq!((complete.command_key.as_str(), complete.fault.code.0), ("cut", 0), "{complete:?}");
    assert_eq!(fs::read_to_string(depot.configuration()).unwrap(), "a=1\n");
}

/// Conformance: 3.21, 7.29
#[tokio::test]
async fn a_download_of_somebody_on_the_box_is_reported_as_the_policy_says() {
    let depot = Depot::open().await;
    depot.serve("own.conf", "own=1\n");
    let policy = "Device.ManagementServer.AutonomousTransferCompletePolicy.";
    let (enable, types) = (format!("{policy}Enable"), format!("{policy}FileTypeFilter"));
    let call = set(&[(&enable, ValueType::Boolean, "1"), (&types, ValueType::String, CONFIGURATION)], "");
    depot.scene.call(call).await.unwrap();
    let url = depot.scene.acs.file_url("own.conf");
    depot.scene.ask(&["download", &url, "--type", CONFIGURATION]);
    let report = depot.scene.session(EventCode::AutonomousTransferComplete).await;
    let reported = requests(&report).find_map(|request| match request {
        AcsRequest::AutonomousTransferComplete(report) => Some(report),
        _ => None,
    });
    let AutonomousTransferComplete { transfer_url, is_download, fault, .. } = reported.unwrap();
    assert_eq!((transfer_url, is_download, fault.code.0), (url, true, 0));
    assert_eq!(fs::read_to_string(depot.configuration()).unwrap(), "own=1\n");
    depot.scene.assert_clean();
}

#[tokio::test]
async fn somebody_on_the_box_is_told_why_a_transfer_is_refused() {
    let depot = Depot::open().await;
    let output = depot.scene.agent().ask(&["download", "ftp://x/", "--type", CONFIGURATION]).unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("9013"), "{output:?}");
}

/// Conformance: 7.17
#[tokio::test]
async fn a_configuration_after_which_the_acs_is_not_reached_is_taken_back_and_reported_as_failed() {
    let depot = Depot::confirming("2").await;
    depot.cut_off_by_configuration("bad").await;
    depot.scene.until("the former configuration is in force again", || depot.is_taken_back()).await;
    let complete = depot.told().await;
    assert_eq!((complete.command_key.as_str(), complete.fault.code.0), ("bad", 9010), "{complete:?}");
    assert!(complete.fault.text.contains("the former configuration is in force"), "{complete:?}");
    assert_eq!(fs::read_to_string(depot.configuration()).unwrap(), OLD);
    assert_eq!(depot.scene.value("Device.ManagementServer.X_CWMPD_RolledBack").await, CONFIGURATION);
    depot.scene.assert_clean();
}

#[tokio::test]
async fn a_power_cut_after_a_configuration_was_loaded_makes_no_difference_to_what_is_reported() {
    let mut depot = Depot::confirming("1").await;
    // From the moment when it is loaded, before anybody has noted that, to a little after it was taken back.
    for moment in [0, 0, 1, 2, 5, 10, 200, 700, 980, 1000, 1010, 1020, 1200] {
        let key = format!("bad {moment}");
        depot.cut_off_by_configuration(&key).await;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        depot.scene.cut_power();
        depot.scene.switch_on();
        depot.scene.until("the former configuration is in force again", || depot.is_taken_back()).await;
        let complete = depot.told().await;
        assert_eq!(complete.command_key.as_str(), key, "{}", depot.scene.log());
        assert_eq!(complete.fault.code.0, 9010, "{moment} ms: {complete:?}\n{}", depot.scene.log());
        assert_eq!(fs::read_to_string(depot.configuration()).unwrap(), OLD, "{moment} ms");
    }
}
