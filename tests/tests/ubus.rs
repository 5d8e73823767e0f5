//! The agent's object on the bus, with the real program and a broker that is none of ours.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{path::Path, process::Stdio};

use cwmp_core::event::EventCode;
use cwmp_ubus::{Bus, BusError, BusOptions, Table, broker::TestBroker, status};
use cwmpd_tests::{
    Cwmpd, Scene,
    scene::{PATIENCE, acs_options},
};
use tokio::task::LocalSet;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cwmpd_on_bus");
const TABLE: &str = "Device.ManagementServer.InformParameter.";
const CODE: &str = "Device.DeviceInfo.ProvisioningCode";

/// A bus and an agent on it that has said `0 BOOTSTRAP`.
async fn on_bus(test: impl AsyncFnOnce(Scene, Bus)) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("ubus.sock");
    let _broker = TestBroker::start(&socket).unwrap();
    let mut scene = Scene::new(acs_options(), |sandbox| {
        sandbox.with("ubus", "socket", &socket.to_string_lossy()).with("ubus", "alias", "tr069")
    })
    .await;
    let program = Path::new(PROGRAM);
    scene.agent = Some(Cwmpd::start_program(program, &scene.sandbox, Stdio::inherit()).unwrap());
    LocalSet::new()
        .run_until(async {
            let bus = Bus::connect(BusOptions::at(&socket));
            appears(&bus).await;
            scene.session(EventCode::Bootstrap).await;
            test(scene, bus).await;
        })
        .await;
}

/// Waits until both objects are there.
async fn appears(bus: &Bus) {
    let both = async {
        let events = bus.events("ubus.object.add");
        events.ready().await.unwrap();
        while bus.objects("cwmpd").await.unwrap().is_empty() || bus.objects("tr069").await.unwrap().is_empty()
        {
            events.next().await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
}

async fn call(bus: &Bus, method: &str, arguments: Table) -> Result<Table, BusError> {
    let answers = bus.call("cwmpd", method, &arguments).await?;
    Ok(answers.into_iter().next().unwrap_or_default())
}

async fn value(bus: &Bus, path: &str) -> String {
    let answer = call(bus, "get", Table::new().with("path", path)).await.unwrap();
    answer.table("values").unwrap().str(path).unwrap().to_owned()
}

/// Calls once no session is on.
async fn once_idle(bus: &Bus) {
    let idle = async {
        loop {
            let status = call(bus, "status", Table::new()).await.unwrap();
            if status.str("session") == Some("idle") {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, idle).await.unwrap();
}

#[tokio::test]
async fn scripts_read_set_add_and_delete_over_the_bus() {
    on_bus(async |scene, bus| {
        let pair = Table::new().with("path", CODE).with("value", "bus.1");
        call(&bus, "set", pair).await.unwrap();
        assert_eq!(value(&bus, CODE).await, "bus.1");
        let mut cwmpd = std::process::Command::new(PROGRAM);
        let got = cwmpd.arg("--control").arg(scene.sandbox.socket()).args(["get", CODE]).output().unwrap();
        let got = String::from_utf8(got.stdout).unwrap();
        assert_eq!(got.trim(), format!("{CODE}=bus.1"), "it is the same tree");
        let both =
            Table::new().with(CODE, "bus.2").with("Device.ManagementServer.PeriodicInformInterval", "none");
        let error = call(&bus, "set", Table::new().with("values", both)).await.unwrap_err();
        assert_eq!(error.status(), Some(status::UNKNOWN_ERROR));
        assert_eq!(value(&bus, CODE).await, "bus.1", "all or none");

        let added = call(&bus, "add", Table::new().with("path", TABLE)).await.unwrap();
        let row = format!("{TABLE}{}.", added.i64("instance").unwrap());
        let paths = Table::new().with("paths", vec![format!("{row}Enable"), CODE.to_owned()]);
        let values = call(&bus, "get", paths).await.unwrap();
        assert_eq!(values.table("values").unwrap().len(), 2);
        call(&bus, "del", Table::new().with("path", row.as_str())).await.unwrap();
        assert!(call(&bus, "get", Table::new().with("path", row)).await.is_err());
        let password = "Device.ManagementServer.Password";
        assert_eq!(value(&bus, password).await, "", "secrets read back empty");
        let wrong = call(&bus, "get", Table::new()).await.unwrap_err();
        assert_eq!(wrong.status(), Some(status::INVALID_ARGUMENT));
        let transfers = call(&bus, "transfers", Table::new()).await.unwrap();
        assert_eq!(transfers, Table::new().with("transfers", vec![0; 0]));
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_asked_for_over_the_bus_is_told_of_there() {
    on_bus(async |scene, bus| {
        once_idle(&bus).await;
        let events = bus.events("cwmpd.*");
        events.ready().await.unwrap();
        call(&bus, "inform", Table::new().with("event", "X 00D09E Backup done")).await.unwrap();
        let report = scene.any_session(EventCode::parse("X 00D09E Backup done")).await;
        assert!(report.is_clean());
        for state in ["opening", "open", "idle"] {
            let event = tokio::time::timeout(PATIENCE, events.next()).await.unwrap();
            assert_eq!((event.id.as_str(), event.data.str("state")), ("cwmpd.session", Some(state)));
        }
        let sessions = call(&bus, "sessions", Table::new()).await.unwrap();
        assert_eq!((sessions.str("session"), sessions.i64("retry_count")), (Some("idle"), Some(0)));
        assert!(sessions.get("acs_url").is_none());
        bus.call("tr069", "inform", &Table::new().with("event", "6 connection request")).await.unwrap();
        tokio::time::timeout(PATIENCE, events.next()).await.unwrap();
        bus.call("tr069", "notify", &Table::new()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn reload_starts_again_with_the_new_configuration_and_not_with_one_that_is_wrong() {
    on_bus(async |mut scene, bus| {
        once_idle(&bus).await;
        let sandbox = std::mem::replace(&mut scene.sandbox, cwmpd_tests::Sandbox::new(Path::new("/"), ""));
        scene.sandbox = sandbox.with("cwmpd", "log_level", "loud");
        scene.sandbox.write().unwrap();
        let refused = call(&bus, "reload", Table::new()).await.unwrap_err();
        assert_eq!(refused.status(), Some(status::UNKNOWN_ERROR));
        let sandbox = std::mem::replace(&mut scene.sandbox, cwmpd_tests::Sandbox::new(Path::new("/"), ""));
        scene.sandbox =
            sandbox.with("cwmpd", "log_level", "info").with("DeviceInfo", "ProvisioningCode", "new");
        scene.sandbox.write().unwrap();
        let going = bus.events("ubus.object.remove");
        going.ready().await.unwrap();
        bus.call("tr069", "command", &Table::new().with("command", "reload")).await.unwrap();
        tokio::time::timeout(PATIENCE, going.next()).await.unwrap();
        appears(&bus).await;
        let come = async {
            while call(&bus, "status", Table::new()).await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, come).await.unwrap();
        assert_eq!(value(&bus, CODE).await, "new");
    })
    .await;
}
