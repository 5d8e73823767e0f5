//! The driver loop on a mock of the box, against the development ACS: everything but the platform is real.

use std::{cell::RefCell, path::Path, rc::Rc, sync::Arc, time::Duration};

use async_trait::async_trait;
use cwmp_acs::{Acs, AcsOptions, Login, SessionReport};
use cwmp_core::{
    event::EventCode,
    io::RebootCause,
    rpc::{
        CommandKey, CpeRequest, CpeResponse, DeviceId, GetParameterValues, ParameterKey,
        ParameterValueStruct, Reboot, ScheduleInform, SetParameterAttributes, SetParameterAttributesStruct,
        SetParameterValues, Status,
    },
    stored::Stored,
};
use cwmp_platform::{
    DeviceFacts, FactoryReset, MockPlatform, Platform, PlatformError, Restart,
    source::{Access, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted},
};
use cwmp_store::{
    Layers, StateFile,
    durable::RealFiles,
    prozone::{MemoryZone, Prozone},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::LocalSet,
};

use crate::{
    box_loop::Parts,
    config::{Config, SharedLayers},
    control::{Answer, Asked, Request},
    numbers,
    restart::Departure,
    run::{assemble, together},
};

mod changes;
mod hostile;

const PATIENCE: Duration = Duration::from_secs(20);
const CPE: &str = "00D09E-Mock-7";
const INTERVAL: &str = "Device.ManagementServer.PeriodicInformInterval";

/// `Device.DeviceInfo.` of the mock, with a ProvisioningCode that may change on the box.
#[derive(Default)]
struct Info(Rc<RefCell<&'static str>>);

#[async_trait(?Send)]
impl ParameterSource for Info {
    fn name(&self) -> &'static str {
        "mock-device-info"
    }

    fn objects(&self) -> &[&'static str] {
        &["Device.DeviceInfo."]
    }

    async fn read(&self, _: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        out.object("Device.DeviceInfo.", ObjectKind::Single);
        for (name, value) in [
            ("SerialNumber", "7"),
            ("HardwareVersion", "1"),
            ("SoftwareVersion", "1.0"),
            ("ProvisioningCode", *self.0.borrow()),
        ] {
            out.parameter(name, &value, Access::ReadOnly);
        }
        Ok(())
    }
}

/// A box that allows what every start asks for.
fn mock(boot_id: &'static str) -> MockPlatform {
    let mut mock = bare(boot_id);
    mock.expect_changes().returning_st(|| None);
    mock.expect_sources().returning_st(|| vec![Rc::new(Info::default()) as Rc<dyn ParameterSource>]);
    mock
}

/// The same without parameters and without changes.
fn bare(boot_id: &'static str) -> MockPlatform {
    let mut mock = MockPlatform::new();
    mock.expect_name().return_const("mock");
    mock.expect_clock_is_synchronised().return_const(true);
    mock.expect_mapping().returning_st(|| None);
    mock.expect_can_factory_reset().return_const(true);
    mock.expect_download_types().returning(Vec::new);
    mock.expect_upload_types().returning(Vec::new);
    mock.expect_software().returning_st(|| None);
    mock.expect_upkeep().returning_st(|| None);
    mock.expect_image_mark().returning(|| Ok("1.0 in slot A".to_owned()));
    mock.expect_boot_id().returning(move || Ok(boot_id.to_owned()));
    mock.expect_device_facts().returning(|| {
        let text = str::to_owned;
        let id = DeviceId {
            manufacturer: text("Example"),
            oui: text("00D09E"),
            product_class: text("Mock"),
            serial_number: text("7"),
        };
        Ok(DeviceFacts { id, ..DeviceFacts::default() })
    });
    mock
}

/// The parts of a program on the mock, and where it is asked.
async fn parts(folder: &Path, platform: MockPlatform) -> (Parts, mpsc::Sender<Asked>) {
    let files = RealFiles::shared();
    let (layers, _) = Layers::load(Arc::clone(&files), folder).unwrap();
    let (config, _) = Config::load(&layers).unwrap();
    let layers = Rc::new(SharedLayers::new(layers));
    let platform: Rc<dyn Platform> = Rc::new(platform);
    let (requests, asked) = mpsc::channel(1);
    let (numbers, _) = numbers::of_state(&files, &config.state_dir).unwrap();
    let mut parts = assemble(config, layers, platform, numbers, &files, asked).await.unwrap();
    parts.recover().await;
    (parts, requests)
}

/// A running agent on the mock.
struct Running {
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<Departure>,
    requests: mpsc::Sender<Asked>,
}

impl Running {
    /// Starts the agent on what is in the folder.
    async fn start(folder: &Path, platform: MockPlatform) -> Self {
        let (parts, requests) = parts(folder, platform).await;
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::task::spawn_local(together(parts, async {
            stopped.await.ok();
        }));
        Self { stop, ended, requests }
    }

    async fn ask(&self, request: Request) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Asked { request, answer }).await.ok().unwrap();
        answered.await.unwrap()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        assert_eq!(self.ended.await.unwrap(), Departure::Stop);
    }

    async fn departs(self) -> Departure {
        tokio::time::timeout(PATIENCE, self.ended).await.unwrap().unwrap()
    }
}

async fn acs(folder: &Path) -> Acs {
    let options =
        AcsOptions { connection_request: Some(Login::new("acs", "secret")), ..AcsOptions::default() };
    let acs = Acs::start(options).await.unwrap();
    let ini = format!(
        "[cwmpd]\nconnection_request_address=127.0.0.1\nconnection_request_port=0\nconnection_request_path=/cr\n\
         state_dir={}\n[ManagementServer]\nURL={}\nConnectionRequestUsername=acs\nConnectionRequestPassword=secret\n\
         CWMPRetryMinimumWaitInterval=1\nCWMPRetryIntervalMultiplier=1000\n",
        folder.join("state").display(),
        acs.url(),
    );
    std::fs::write(folder.join("factory.ini"), ini).unwrap();
    acs
}

async fn session(acs: &Acs) -> SessionReport {
    let report = acs.wait_session(PATIENCE, |_| true).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.ending);
    report
}

fn events(report: &SessionReport) -> Vec<&str> {
    report.events.iter().map(|event| event.code.as_str()).collect()
}

fn set_interval(value: &str) -> CpeRequest {
    set(INTERVAL, value)
}

fn set(name: &str, value: &str) -> CpeRequest {
    let parameter = ParameterValueStruct { name: name.into(), value_type: None, value: value.into() };
    CpeRequest::SetParameterValues(SetParameterValues {
        parameters: vec![parameter],
        parameter_key: ParameterKey::new("k").unwrap(),
    })
}

async fn interval(acs: &Acs) -> String {
    let get = CpeRequest::GetParameterValues(GetParameterValues { names: vec![INTERVAL.into()] });
    match acs.call_now(CPE, get).await.unwrap() {
        CpeResponse::GetParameterValues(values) => values[0].value.clone(),
        other => panic!("{other:?}"),
    }
}

fn scenario(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn bootstrap_set_and_reboot_then_the_next_boot_reports_it() {
    scenario(async {
        let folder = tempfile::tempdir().unwrap();
        let acs = acs(folder.path()).await;
        let mut platform = mock("boot-1");
        platform
            .expect_reboot()
            .withf(|cause| *cause == RebootCause::Acs)
            .times(1)
            .returning(|_| Ok(Restart::Process));
        let agent = Running::start(folder.path(), platform).await;
        assert_eq!(events(&session(&acs).await), ["0 BOOTSTRAP", "1 BOOT"]);

        acs.call_now(CPE, set_interval("1234")).await.unwrap();
        assert_eq!(events(&session(&acs).await), ["6 CONNECTION REQUEST"]);
        let order = Reboot { command_key: CommandKey::new("key").unwrap() };
        acs.call_now(CPE, CpeRequest::Reboot(order)).await.unwrap();
        assert_eq!(agent.departs().await, Departure::StartAgain);
        session(&acs).await;

        let agent = Running::start(folder.path(), mock("boot-2")).await;
        let report = session(&acs).await;
        assert!(
            report.has_event(&EventCode::Boot) && report.has_event(&EventCode::MReboot),
            "{:?}",
            events(&report)
        );
        assert!(!report.has_event(&EventCode::Bootstrap));
        assert_eq!(interval(&acs).await, "1234", "what was set outlives the reboot");
        assert_eq!(acs.violations(), []);
        agent.stop().await;
    });
}

#[test]
fn command_keys_that_memory_has_kept_over_a_warm_reboot_are_reported_once() {
    scenario(async {
        let folder = tempfile::tempdir().unwrap();
        let acs = acs(folder.path()).await;
        let memory = folder.path().join("memory");
        std::fs::write(&memory, [0; 4096]).unwrap();
        let zone = MemoryZone::new(memory.clone(), 1024, 2048);
        let ini = format!(
            "[cwmpd]\nprozone=file\nprozone_path={}\nprozone_offset=1024\nprozone_size=2048\n",
            memory.display()
        );
        std::fs::write(folder.path().join("ISP.def"), ini).unwrap();
        let mut platform = mock("boot-1");
        platform.expect_reboot().times(1).returning(|_| Ok(Restart::Process));
        let agent = Running::start(folder.path(), platform).await;
        session(&acs).await;
        let order = Reboot { command_key: CommandKey::new("key").unwrap() };
        acs.call_now(CPE, CpeRequest::Reboot(order)).await.unwrap();
        assert_eq!(agent.departs().await, Departure::StartAgain);
        session(&acs).await;
        let kept = zone.take().unwrap().unwrap();
        assert_eq!((kept.boot_id.as_str(), kept.keys[0].as_str(), kept.keys.len()), ("boot-1", "key", 1));

        // What is on the disk has another key: the one in memory is preferred.
        let state = folder.path().join("state/state.json");
        let (mut file, stored, _) = StateFile::<Stored>::open(RealFiles::shared(), &state).unwrap();
        file.save(&Stored { reboots: vec![CommandKey::new("older").unwrap()], ..stored.unwrap() }).unwrap();
        let agent = Running::start(folder.path(), mock("boot-2")).await;
        let report = session(&acs).await;
        let rebooted: Vec<&str> = report
            .events
            .iter()
            .filter(|event| event.code == EventCode::MReboot)
            .map(|event| event.command_key.as_str())
            .collect();
        assert_eq!(rebooted, ["key"]);
        assert_eq!(zone.take(), Ok(None), "the next boot reports no key again");
        assert_eq!(acs.violations(), []);
        agent.stop().await;
    });
}

/// Conformance: 8.06
#[test]
fn delay_reboot_set_by_the_acs_restarts_the_box_without_m_reboot() {
    scenario(async {
        let folder = tempfile::tempdir().unwrap();
        let acs = acs(folder.path()).await;
        let mut platform = mock("boot-1");
        platform
            .expect_reboot()
            .withf(|cause| *cause == RebootCause::Local)
            .times(1)
            .returning(|_| Ok(Restart::Process));
        let agent = Running::start(folder.path(), platform).await;
        session(&acs).await;
        let answer = acs.call_now(CPE, set("Device.ManagementServer.DelayReboot", "0")).await.unwrap();
        assert_eq!(answer, CpeResponse::SetParameterValues(Status::Applied));
        assert_eq!(agent.departs().await, Departure::StartAgain);
        session(&acs).await;

        let agent = Running::start(folder.path(), mock("boot-2")).await;
        let report = session(&acs).await;
        assert!(report.has_event(&EventCode::Boot) && !report.has_event(&EventCode::MReboot));
        let names = vec!["Device.ManagementServer.DelayReboot".into()];
        let get = CpeRequest::GetParameterValues(GetParameterValues { names });
        let CpeResponse::GetParameterValues(values) = acs.call_now(CPE, get).await.unwrap() else {
            panic!("no values")
        };
        assert_eq!(values[0].value, "-1");
        assert_eq!(acs.violations(), []);
        agent.stop().await;
    });
}

/// Conformance: 4.46
#[test]
fn schedule_inform_is_reported_after_its_delay() {
    scenario(async {
        let folder = tempfile::tempdir().unwrap();
        let acs = acs(folder.path()).await;
        let agent = Running::start(folder.path(), mock("boot-1")).await;
        session(&acs).await;
        let command_key = CommandKey::new("key").unwrap();
        let call = CpeRequest::ScheduleInform(ScheduleInform { delay_seconds: 1, command_key });
        assert_eq!(acs.call_now(CPE, call).await.unwrap(), CpeResponse::ScheduleInform);
        session(&acs).await;
        let report = session(&acs).await;
        assert_eq!(events(&report), ["3 SCHEDULED", "M ScheduleInform"]);
        assert_eq!(report.events[1].command_key.as_str(), "key");
        assert_eq!(acs.violations(), []);
        agent.stop().await;
    });
}

#[test]
fn a_reboot_that_the_box_refuses_is_not_reported_later() {
    scenario(async {
        let folder = tempfile::tempdir().unwrap();
        let acs = acs(folder.path()).await;
        let mut platform = mock("boot-1");
        let (refused, told) = oneshot::channel();
        let mut refused = Some(refused);
        platform.expect_reboot().times(1).returning_st(move |_| {
            refused.take().unwrap().send(()).unwrap();
            Err(PlatformError::Failed("no way to restart".into()))
        });
        let agent = Running::start(folder.path(), platform).await;
        session(&acs).await;
        acs.call_now(CPE, CpeRequest::Reboot(Reboot { command_key: CommandKey::default() })).await.unwrap();
        session(&acs).await;
        told.await.unwrap();
        assert_eq!(agent.ask(Request::Inform).await, Answer::Done);
        assert_eq!(events(&session(&acs).await), ["2 PERIODIC"], "the agent goes on");
        agent.stop().await;

        let agent = Running::start(folder.path(), mock("boot-2")).await;
        assert!(!session(&acs).await.has_event(&EventCode::MReboot));
        agent.stop().await;
    });
}

#[test]
fn factory_reset_forgets_everything_and_bootstraps_even_if_the_box_itself_cannot_be_reset() {
    for of_box in [true, false] {
        scenario(async move {
            let folder = tempfile::tempdir().unwrap();
            let acs = acs(folder.path()).await;
            let mut platform = mock("boot-1");
            platform.expect_factory_reset().times(1).returning(move || match of_box {
                true => Ok(FactoryReset::Done),
                false => Err(PlatformError::Failed("no hook".into())),
            });
            let agent = Running::start(folder.path(), platform).await;
            session(&acs).await;
            acs.call_now(CPE, set_interval("1234")).await.unwrap();
            session(&acs).await;
            assert!(folder.path().join("user.ini").exists());
            acs.call_now(CPE, CpeRequest::FactoryReset).await.unwrap();
            assert_eq!(agent.departs().await, Departure::StartAgain);
            session(&acs).await;
            assert!(!folder.path().join("user.ini").exists());

            // The program starts again on the same boot of the box.
            let agent = Running::start(folder.path(), mock("boot-1")).await;
            assert_eq!(events(&session(&acs).await), ["0 BOOTSTRAP"]);
            assert_eq!(interval(&acs).await, "86400");
            agent.stop().await;
        });
    }
}

#[test]
fn a_restart_of_the_program_alone_opens_no_session() {
    scenario(async {
        let folder = tempfile::tempdir().unwrap();
        let acs = acs(folder.path()).await;
        // Another port for connection requests would be a change to tell the ACS of.
        std::fs::write(
            folder.path().join("ISP.def"),
            "[ManagementServer]\nHTTPConnectionRequestEnable=false\n",
        )
        .unwrap();
        let agent = Running::start(folder.path(), mock("boot-1")).await;
        session(&acs).await;
        agent.stop().await;
        let agent = Running::start(folder.path(), mock("boot-1")).await;
        let Answer::Status { status } = agent.ask(Request::Status).await else { panic!("no status") };
        assert!(status.bootstrapped && status.events.is_empty());
        assert_eq!(agent.ask(Request::Inform).await, Answer::Done);
        assert_eq!(events(&session(&acs).await), ["2 PERIODIC"]);
        let code = "X 00D09E Backup done".to_owned();
        assert_eq!(agent.ask(Request::Event { code: code.clone() }).await, Answer::Done);
        assert_eq!(events(&session(&acs).await), [code.as_str()], "a vendor's event is told at once");
        agent.stop().await;
    });
}

#[test]
fn a_change_on_the_box_is_notified_in_one_datagram() {
    scenario(async {
        let folder = tempfile::tempdir().unwrap();
        let acs = acs(folder.path()).await;
        let receiver = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let ini = format!(
            "[ManagementServer]\nUsername=cpe\nPassword=secret\nLightweightNotificationProtocolsUsed=UDP\n\
             UDPLightweightNotificationHost=127.0.0.1\nUDPLightweightNotificationPort={}\n",
            receiver.local_addr().unwrap().port(),
        );
        std::fs::write(folder.path().join("ISP.def"), ini).unwrap();
        let agent = Running::start(folder.path(), mock("boot-1")).await;
        session(&acs).await;
        let watch = SetParameterAttributesStruct {
            name: INTERVAL.into(),
            notification_change: true,
            notification: 5,
            access_list_change: false,
            access_list: Vec::new(),
        };
        let call = CpeRequest::SetParameterAttributes(SetParameterAttributes { entries: vec![watch] });
        acs.call_now(CPE, call).await.unwrap();
        session(&acs).await;

        let values = vec![(INTERVAL.to_owned(), "4321".to_owned())];
        assert_eq!(agent.ask(Request::Set { values }).await, Answer::Done);
        let mut bytes = [0; 4096];
        let received = tokio::time::timeout(PATIENCE, receiver.recv(&mut bytes)).await.unwrap().unwrap();
        let text = String::from_utf8(bytes[..received].to_vec()).unwrap();
        assert!(text.starts_with("POST / HTTP/1.1\r\nHost: 127.0.0.1:"), "{text}");
        assert!(
            text.contains(&format!(
                "<Param><Name>{INTERVAL}</Name><Value xsi:type=\"xsd:unsignedInt\">4321</Value></Param>"
            )),
            "{text}"
        );
        assert!(
            text.contains("<UN>cpe</UN>") && text.contains("\r\nSignature: ") && !text.contains("secret")
        );

        assert_eq!(agent.ask(Request::Inform).await, Answer::Done);
        assert_eq!(
            events(&session(&acs).await),
            ["2 PERIODIC"],
            "no session of its own, and no value change"
        );
        agent.stop().await;
    });
}
