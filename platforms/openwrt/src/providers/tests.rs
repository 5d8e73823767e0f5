use cwmp_datamodel::mapping::{Compiled, MappedSource};
use cwmp_linux::{host::Host, testing::Collected};
use cwmp_platform::{
    mapping::Mapping,
    source::{Access, ParameterSource},
};
use serde_json::json;

use super::*;
use crate::testing::{Fake, change};

/// The source of a mapping file on a box.
fn mapped(fake: &Fake, text: &str) -> MappedSource {
    // Written below each other here; a blank at the beginning of a line would make it one with the line before.
    let text = text.trim_end().replace("\n         ", "\n");
    let (compiled, errors) = Compiled::of(&[("f.map", &text)], &["ubus", "uci"]);
    assert_eq!(errors, []);
    let host = Rc::new(Host { root: fake.ground.root.clone(), sandbox: None });
    let ground = || Rc::clone(&fake.ground);
    let providers: Vec<Rc<dyn FieldProvider>> =
        vec![Rc::new(OfBus { ground: ground() }), Rc::new(OfUci { ground: ground() })];
    let mapping = Mapping { texts: &[], host, providers };
    MappedSource::new(compiled, &mapping, Rc::clone(&fake.ground.numbers), &[])
}

async fn values(source: &MappedSource) -> Vec<String> {
    let collected = Collected::from(source, &["Device."]).await;
    collected.values.iter().map(|(name, (value, _))| format!("{name}={value}")).collect()
}

#[tokio::test]
async fn answers_of_the_bus_are_followed_and_asked_for_once() {
    let fake = Fake::new();
    fake.bus.answer("system", "info", json!({"uptime": 7, "load": [65536, 1], "memory": {"total": 4_294_967_296_i64, "shared": false}, "root": {"x": 1.5}}));
    let source = mapped(
        &fake,
        "[Device.X_ACME_Info.]
         Up: unsignedInt = ubus(system, info, uptime)
         Load: unsignedInt = ubus(system, info, load, 0)
         Loads: string = ubus(system, info, load)
         Memory: unsignedLong = ubus(system, info, memory, total)
         Shared: boolean = ubus(system, info, memory, shared) | bool
         Half: string = ubus(system, info, root, x)
         Table: string = ubus(system, info, memory)
         Deep: string = ubus(system, info, uptime, x)
         Beyond: string = ubus(system, info, load, 2)
         Nowhere: string = ubus(nobody, info, x)
        ",
    );
    assert_eq!(
        values(&source).await,
        [
            "Device.X_ACME_Info.Half=1.5",
            "Device.X_ACME_Info.Load=65536",
            "Device.X_ACME_Info.Loads=65536,1",
            "Device.X_ACME_Info.Memory=4294967296",
            "Device.X_ACME_Info.Shared=false",
            "Device.X_ACME_Info.Up=7",
        ]
    );
    assert_eq!(fake.bus.asked(), ["system info", "nobody info"]);
}

#[tokio::test]
async fn tables_of_the_bus_are_rows() {
    let fake = Fake::new();
    fake.bus.answer(
        "service",
        "list",
        json!({"dnsmasq": {"instances": {"a": {"pid": 7}}}, "odd": 1, "log": {"instances": {}}}),
    );
    fake.bus.answer("network.interface", "dump", json!({"interface": [{"interface": "lan", "up": true}, {"interface": "wan", "up": false}, {"up": true}]}));
    let source = mapped(
        &fake,
        "[Device.X_ACME_Service.{i}.] rows = ubus(service, list)
         Name: string = key
         Pid: unsignedInt = ubus(service, list, {key}, instances, a, pid)
         [Device.X_ACME_Line.{i}.] rows = ubus(network.interface, dump, interface)  key = interface
         Name: string = key
         Up: boolean = ubus(up) | bool
        ",
    );
    assert_eq!(
        values(&source).await,
        [
            "Device.X_ACME_Line.1.Name=lan",
            "Device.X_ACME_Line.1.Up=true",
            "Device.X_ACME_Line.2.Name=wan",
            "Device.X_ACME_Line.2.Up=false",
            "Device.X_ACME_Service.1.Name=dnsmasq",
            "Device.X_ACME_Service.1.Pid=7",
            "Device.X_ACME_Service.2.Name=log",
        ]
    );
    assert_eq!(fake.bus.asked().len(), 2);
}

#[tokio::test]
async fn options_are_read_and_set_and_what_uses_them_is_reloaded() {
    let fake = Fake::new();
    fake.uci(
        "system",
        "config system\n\toption hostname 'my box'\n\nconfig led 'power'\n\toption trigger 'none'\n",
    );
    fake.uci("firewall", "config zone\n\toption name 'lan'\n\tlist network 'lan'\n\tlist network 'lan2'\n\nconfig zone\n\toption name 'wan'\n\toption masq '1'\n");
    let source = mapped(
        &fake,
        "[Device.DeviceInfo.]
         HostName = uci(system, @system[0], hostname)
             set = uci(system, @system[0], hostname)
         [Device.X_ACME_Led.{i}.] rows = keys(power, wifi)
         Trigger: string = uci(system, {key}, trigger)  set = uci(system, {key}, trigger)
         [Device.X_ACME_Zone.{i}.] rows = uci(firewall, zone)  key = name
         Masq: boolean = uci(masq) | bool
         Networks: string = uci(network)
        ",
    );
    assert_eq!(
        values(&source).await,
        [
            "Device.DeviceInfo.HostName=my box",
            "Device.X_ACME_Led.1.Trigger=none",
            "Device.X_ACME_Zone.1.Networks=lan,lan2",
            "Device.X_ACME_Zone.2.Masq=true",
        ]
    );
    let collected = Collected::from(&source, &["Device.DeviceInfo.HostName"]).await;
    assert_eq!(collected.values["Device.DeviceInfo.HostName"].1, Access::ReadWrite);
    let changes =
        [change("Device.DeviceInfo.HostName", "other"), change("Device.X_ACME_Led.1.Trigger", "timer")];
    assert_eq!(source.check(&changes).await, []);
    source.apply(&changes).await.unwrap();
    assert_eq!(
        fake.file("system"),
        "\nconfig system\n\toption hostname 'other'\n\nconfig led 'power'\n\toption trigger 'timer'\n\n"
    );
    assert_eq!(fake.bus.asked(), [r#"service event {"data":{"package":"system"},"type":"config.change"}"#]);
    let missing =
        source.apply(&[change("Device.X_ACME_Led.2.Trigger", "timer")]).await.unwrap_err().to_string();
    assert!(missing.contains("there is no section wifi"), "{missing}");
}
