//! The real program on a router that is played, with the development ACS: the tree is read, written, added to and deleted from,
//! and the router restarted and upgraded. Its files and the calls on its bus are looked at afterwards.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod played;
mod settings;
mod software;
mod whole;

use std::{fs, path::Path, process::Command};

use cwmp_core::{
    event::EventCode,
    rpc::{
        AcsRequest, AddObject, CommandKey, CpeRequest, CpeResponse, DeleteObject, Download, ParameterKey,
        Reboot, Status, TransferResponse,
    },
    value::ValueType,
};
use cwmpd_test_router::Router;
use cwmpd_tests::{
    Sandbox, Scene, program,
    scene::{fault_of, set},
};
use played::{agent_of, announced, commit, config, requests, router, row, tree};

/// What a router of a home has at least, the agent's own parameters included.
const PARAMETERS: usize = 1500;
const OBJECTS: usize = 60;

#[test]
fn a_router_has_much_of_the_model_and_each_value_is_as_the_model_wants_it() {
    let router = Router::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    agent_of(&router, Sandbox::new(folder.path(), "http://192.0.2.1:7547/")).write().unwrap();
    let mut command = Command::new(program::binary().unwrap());
    let output = command.arg("--config").arg(folder.path()).args(["datamodel", "coverage"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    let last = text.lines().last().unwrap_or_default();
    eprintln!("{last}");
    let words: Vec<&str> = last.split(' ').collect();
    let ["coverage:", parameters, "parameters,", _, "objects,", "0", "violations"] = words[..] else {
        panic!("{text}")
    };
    assert!(parameters.parse::<usize>().unwrap() >= PARAMETERS, "{text}");
    // Each line is an object of the model, however many rows it has.
    let objects = text.lines().filter(|line| line.starts_with("Device.")).count();
    assert!(objects >= OBJECTS, "{text}");
    for object in
        ["DNS.Client.Server", "Firewall.Chain.{i}.Rule", "DHCPv6.Server.Pool.{i}.Client", "Users.User"]
    {
        assert!(text.contains(&format!("Device.{object}.{{i}}.\t")), "no {object} in {text}");
    }
}

#[tokio::test]
async fn pools_are_changed_added_and_deleted_by_the_acs() {
    let (router, scene, _files) = router().await;
    let before = tree(&scene).await;
    assert_eq!(before["Device.DeviceInfo.ManufacturerOUI"], "00D09E", "the integrator's setting");
    let lan = row(&before, "Device.IP.Interface.", "Name", "br-lan");
    let pool = row(&before, "Device.DHCPv4.Server.Pool.", "Interface", lan.trim_end_matches('.'));
    announced(&router);

    let lease = format!("{pool}LeaseTime");
    let changes = [
        (lease.as_str(), ValueType::Int, "7200"),
        ("Device.Time.NTPServer1", ValueType::String, "ntp.example.com"),
    ];
    let answer = scene.call(set(&changes, "first")).await;
    assert_eq!(answer.unwrap(), CpeResponse::SetParameterValues(Status::Applied), "{}", scene.log());
    assert!(config(&router, "dhcp").contains("\toption leasetime '7200s'\n"));
    assert!(config(&router, "system").contains("'ntp.example.com'\n"));
    assert_eq!(announced(&router), ["system", "dhcp"]);

    // One value that cannot be, and nothing at all is changed.
    let (dhcp, network) = (config(&router, "dhcp"), config(&router, "network"));
    let first = format!("{pool}MinAddress");
    let bad = [(lease.as_str(), ValueType::Int, "300"), (first.as_str(), ValueType::String, "192.0.2.1")];
    assert_eq!(fault_of(&scene.call(set(&bad, "bad")).await), 9003);
    assert_eq!((config(&router, "dhcp"), config(&router, "network")), (dhcp.clone(), network));
    assert_eq!(announced(&router), [""; 0]);

    let (key, table) = (ParameterKey::default(), "Device.DHCPv4.Server.Pool.");
    let add = AddObject { object_name: table.to_owned(), parameter_key: key.clone() };
    let answer = scene.call(CpeRequest::AddObject(add)).await.unwrap();
    let CpeResponse::AddObject(added) = answer else { panic!("{answer:?}") };
    let made = format!("{table}{}.", added.instance_number);
    assert!(
        config(&router, "dhcp").contains(&format!("config dhcp 'cwmp_pool_{}'\n", added.instance_number))
    );
    let guest = row(&before, "Device.IP.Interface.", "Name", "br-guest");
    let interface = format!("{made}Interface");
    let changes = [(interface.as_str(), ValueType::String, guest.trim_end_matches('.'))];
    scene.call(set(&changes, "second")).await.unwrap();
    assert_eq!(scene.value(&interface).await, guest.trim_end_matches('.'));
    let delete = DeleteObject { object_name: made.clone(), parameter_key: key };
    scene.call(CpeRequest::DeleteObject(delete)).await.unwrap();
    assert_eq!(config(&router, "dhcp"), dhcp, "as it was before the row");
    assert!(!tree(&scene).await.keys().any(|name| name.starts_with(&made)));
    scene.assert_clean();
}

#[tokio::test]
async fn a_port_mapping_ends_when_its_lease_is_over() {
    let (router, scene, _files) = router().await;
    let before = config(&router, "firewall");
    let (key, table) = (ParameterKey::default(), "Device.NAT.PortMapping.");
    let add = AddObject { object_name: table.to_owned(), parameter_key: key };
    let CpeResponse::AddObject(added) = scene.call(CpeRequest::AddObject(add)).await.unwrap() else {
        panic!("{}", scene.log())
    };
    let lease = format!("{table}{}.LeaseDuration", added.instance_number);
    let long = [(lease.as_str(), ValueType::UnsignedInt, "600")];
    scene.call(set(&long, "for a while")).await.unwrap();
    assert!((590..=600).contains(&scene.value(&lease).await.parse::<u32>().unwrap()));
    announced(&router);
    let short = [(lease.as_str(), ValueType::UnsignedInt, "1")];
    scene.call(set(&short, "not for long")).await.unwrap();
    scene.until("the mapping is gone", || config(&router, "firewall") == before).await;
    scene.until("the firewall hears of both", || router.world(|world| world.service_events.len()) == 2).await;
    assert_eq!(announced(&router), ["firewall", "firewall"]);
    assert!(!tree(&scene).await.contains_key(&lease));
    scene.assert_clean();
}

#[tokio::test]
async fn a_change_on_the_box_is_noticed_and_told() {
    let (router, scene, _files) = router().await;
    let entry = cwmp_core::rpc::SetParameterAttributesStruct {
        name: "Device.Time.NTPServer1".to_owned(),
        notification_change: true,
        notification: 2,
        access_list_change: false,
        access_list: Vec::new(),
    };
    let watch = cwmp_core::rpc::SetParameterAttributes { entries: vec![entry] };
    scene.call(CpeRequest::SetParameterAttributes(watch)).await.unwrap();
    let first = scene.value("Device.Time.NTPServer1").await;
    commit(&router, "system", &config(&router, "system").replacen(&first, "by.hand.example", 1));
    let report = scene.session(EventCode::ValueChange).await;
    let told = requests(&report).find_map(|request| match request {
        AcsRequest::Inform(inform) => {
            inform.parameters.into_iter().find(|value| value.name == "Device.Time.NTPServer1")
        }
        _ => None,
    });
    assert_eq!(told.map(|value| value.value).as_deref(), Some("by.hand.example"));
    scene.assert_clean();
}

/// The box starts again: another boot, and a file of it is another one.
fn boot_with(router: &Router, scene: &mut Scene, change: impl FnOnce(&Path)) {
    scene.cut_power();
    change(&router.root());
    fs::write(router.root().join("proc/sys/kernel/random/boot_id"), "00000000-0000-4000-8000-000000000002\n")
        .unwrap();
    scene.switch_on();
}

#[tokio::test]
async fn a_reboot_goes_through_procd_and_is_told_after_it() {
    let (router, mut scene, _files) = router().await;
    let reboot = Reboot { command_key: CommandKey::new("again").unwrap() };
    scene.call(CpeRequest::Reboot(reboot)).await.unwrap();
    scene.until("procd is asked to restart", || router.world(|world| world.reboots) == 1).await;
    boot_with(&router, &mut scene, |_| {});
    let report = scene.session(EventCode::Boot).await;
    let key = report
        .events
        .iter()
        .find(|event| event.code == EventCode::MReboot)
        .map(|event| event.command_key.as_str());
    assert_eq!(key, Some("again"));
    scene.assert_clean();
}

#[tokio::test]
async fn an_upgrade_is_judged_by_the_release_that_runs_after_the_boot() {
    let (router, mut scene, files) = router().await;
    fs::write(files.path().join("new.bin"), "an image").unwrap();
    let download = Download {
        command_key: CommandKey::new("up").unwrap(),
        file_type: "1 Firmware Upgrade Image".to_owned(),
        url: scene.acs.file_url("new.bin"),
        username: String::new(),
        password: String::new(),
        file_size: 0,
        target_file_name: String::new(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    };
    let answer = scene.call(CpeRequest::Download(download)).await.unwrap();
    assert_eq!(answer, CpeResponse::Download(TransferResponse::Later));
    let written = || router.commands().iter().any(|line| line.starts_with("sysupgrade /"));
    scene.until("sysupgrade is run", written).await;
    let commands = router.commands();
    assert!(commands.iter().any(|line| line.starts_with("sysupgrade -T ")), "{commands:?}");
    boot_with(&router, &mut scene, |root| {
        let release = root.join("etc/openwrt_release");
        let text = fs::read_to_string(&release).unwrap();
        let revision = text.lines().find(|line| line.starts_with("DISTRIB_REVISION=")).unwrap().to_owned();
        fs::write(&release, text.replace(&revision, "DISTRIB_REVISION='r99999-0123456789'")).unwrap();
    });
    let report = scene.session(EventCode::TransferComplete).await;
    let complete = requests(&report).find_map(|request| match request {
        AcsRequest::TransferComplete(complete) => Some(complete),
        _ => None,
    });
    let complete = complete.unwrap();
    assert_eq!((complete.command_key.as_str(), complete.fault.code.0), ("up", 0), "{complete:?}");
    assert!(scene.value("Device.DeviceInfo.SoftwareVersion").await.ends_with("r99999-0123456789"));
    scene.assert_clean();
}
