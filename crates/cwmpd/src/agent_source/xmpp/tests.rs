use std::{fs, path::Path};

use cwmp_core::{rpc::DeviceId, settings::XmppServers};
use cwmp_store::{Layers, durable::RealFiles};
use tempfile::TempDir;

use super::{
    super::tests::{Lines, now},
    *,
};
use crate::config::SharedLayers;

struct Cpe {
    dir: TempDir,
    agent: Rc<AgentSource>,
    source: XmppSource,
}

fn open(dir: TempDir) -> Cpe {
    let (layers, _) = Layers::load(std::sync::Arc::new(RealFiles), dir.path()).unwrap();
    let id = DeviceId {
        manufacturer: "M".into(),
        oui: "00D09E".into(),
        product_class: "P".into(),
        serial_number: "1".into(),
    };
    let (agent, _) = AgentSource::new(Rc::new(SharedLayers::new(layers)), &id, |_| false);
    let agent = Rc::new(agent);
    Cpe { dir, source: XmppSource::new(Rc::clone(&agent)), agent }
}

fn change(name: &str, value: &str) -> Change {
    Change { name: name.to_owned(), value: value.to_owned() }
}

impl Cpe {
    fn factory(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("factory.ini"), text).unwrap();
        open(dir)
    }

    fn again(self) -> Self {
        open(self.dir)
    }

    fn set(&self, changes: &[(&str, &str)]) {
        let changes: Vec<_> = changes.iter().map(|(name, value)| change(name, value)).collect();
        assert_eq!(now(self.source.check(&changes)), []);
        now(self.source.apply(&changes)).unwrap();
    }

    fn name_it(&self, path: &str) {
        now(self.agent.apply(&[change("Device.ManagementServer.ConnReqXMPPConnection", path)])).unwrap();
    }

    fn lines(&self) -> String {
        let mut lines = Lines::default();
        now(self.source.read(&Wanted::new(&[""]), &mut lines)).unwrap();
        lines.lines.join("\n")
    }
}

fn user_ini(dir: &Path) -> String {
    fs::read_to_string(dir.join("user.ini")).unwrap()
}

const CONNECTION_1: &str = "\
[XMPP.Connection.1]
Enable = true
Username = cpe
Password = secret
Domain = xmpp.example
UseTLS = true
ServerConnectAlgorithm = ServerTable
[XMPP.Connection.1.Server.1]
Enable = true
ServerAddress = one.example
Priority = 3
[XMPP.Connection.1.Server.2]
Enable = false
ServerAddress = two.example
";

#[test]
fn the_connection_that_is_named_and_enabled_is_used() {
    let cpe = Cpe::factory(CONNECTION_1);
    assert_eq!(cpe.agent.settings().xmpp, None, "none is named");
    cpe.name_it("Device.XMPP.Connection.1");
    let used = cpe.agent.settings().xmpp.unwrap();
    assert_eq!((used.instance, &*used.username, &*used.password.0), (1, "cpe", "secret"));
    assert_eq!((&*used.domain, used.use_tls, used.keep_alive), ("xmpp.example", true, None));
    let XmppServers::Table(servers) = &used.servers else { panic!("{:?}", used.servers) };
    let [server] = &servers[..] else { panic!("{servers:?}") };
    assert_eq!(
        (&*server.address, server.port, server.priority, server.weight),
        ("one.example", 5222, 3, None)
    );
    for wrong in ["Device.XMPP.Connection.2", "Device.XMPP.Connection.", "Device.XMPP.Connection.x", "X", ""]
    {
        cpe.name_it(wrong);
        assert_eq!(cpe.agent.settings().xmpp, None, "{wrong}");
    }
    cpe.name_it("Device.XMPP.Connection.1");
    cpe.set(&[("Device.XMPP.Connection.1.Enable", "false")]);
    assert_eq!(cpe.agent.settings().xmpp, None, "it is not enabled");
}

#[test]
fn a_change_reaches_whoever_watches_the_settings_and_lasts() {
    let cpe = Cpe::factory(CONNECTION_1);
    cpe.name_it("Device.XMPP.Connection.1");
    let settings = cpe.agent.subscribe();
    cpe.set(&[
        ("Device.XMPP.Connection.1.KeepAliveInterval", "90"),
        ("Device.XMPP.Connection.1.Server.2.Enable", "1"),
    ]);
    assert!(settings.has_changed().unwrap());
    let cpe = cpe.again();
    let used = cpe.agent.settings().xmpp.unwrap();
    assert_eq!(used.keep_alive, Some(90));
    assert!(matches!(&used.servers, XmppServers::Table(servers) if servers.len() == 2));
}

#[test]
fn rows_are_added_and_deleted_with_what_is_below_them() {
    let cpe = Cpe::factory(CONNECTION_1);
    let (number, _) = now(cpe.source.add(TABLE, &[])).unwrap();
    assert_eq!(number, 2);
    let (server, _) = now(cpe.source.add("Device.XMPP.Connection.2.Server.", &[])).unwrap();
    assert_eq!(server, 1);
    let lines = cpe.lines();
    for line in [
        "Device.XMPP.ConnectionNumberOfEntries ro 2",
        "Device.XMPP.Connection.2.Enable rw false",
        "Device.XMPP.Connection.2.Status ro Disabled",
        "Device.XMPP.Connection.2.ServerNumberOfEntries ro 1",
        "Device.XMPP.Connection.2.Server.1.Port rw 5222",
    ] {
        assert!(lines.lines().any(|shown| shown == line), "{line}\n{lines}");
    }
    now(cpe.source.delete("Device.XMPP.Connection.2.", &[])).unwrap();
    assert!(!user_ini(cpe.dir.path()).contains("XMPP.Connection.2"));
    now(cpe.source.delete("Device.XMPP.Connection.1.Server.1.", &[])).unwrap();
    now(cpe.source.delete("Device.XMPP.Connection.1.", &[])).unwrap();
    let cpe = cpe.again();
    assert!(cpe.lines().contains("ConnectionNumberOfEntries ro 0"), "{}", cpe.lines());
    let (number, _) = now(cpe.source.add(TABLE, &[])).unwrap();
    assert_eq!(number, 3, "no number is given twice");
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let cpe = Cpe::factory(CONNECTION_1);
    let cases = [
        ("Device.XMPP.Connection.1.ServerRetryInitialInterval", "0", FaultCode::INVALID_PARAMETER_VALUE),
        ("Device.XMPP.Connection.1.ServerConnectAlgorithm", "WebSocket", FaultCode::INVALID_PARAMETER_VALUE),
        ("Device.XMPP.Connection.1.Server.1.ServerAddress", "a b", FaultCode::INVALID_PARAMETER_VALUE),
        ("Device.XMPP.Connection.1.Status", "Enabled", FaultCode::NOT_WRITABLE),
        ("Device.XMPP.Connection.4.Enable", "true", FaultCode::INVALID_PARAMETER_NAME),
        ("Device.XMPP.Connection.1.Server.7.Port", "1", FaultCode::INVALID_PARAMETER_NAME),
        ("Device.XMPP.Connection.1.Server.1.x.Port", "1", FaultCode::INVALID_PARAMETER_NAME),
    ];
    for (name, value, code) in cases {
        let faults = now(cpe.source.check(&[change(name, value)]));
        assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{name}");
        assert!(now(cpe.source.apply(&[change(name, value)])).is_err(), "{name}");
    }
    for path in ["Device.XMPP.Connection.9.", "Device.XMPP.Connection.1.Server.9.", "Device.XMPP."] {
        assert!(now(cpe.source.delete(path, &[])).is_err(), "{path}");
        assert!(now(cpe.source.add(path, &[])).is_err(), "{path}");
    }
    assert!(!cpe.dir.path().join("user.ini").exists());
}

#[test]
fn there_is_room_for_so_many_rows() {
    let cpe = Cpe::factory("");
    for _ in 0..MOST_CONNECTIONS {
        now(cpe.source.add(TABLE, &[])).unwrap();
    }
    assert_eq!(now(cpe.source.add(TABLE, &[])).unwrap_err().code, FaultCode::RESOURCES_EXCEEDED);
}

/// Conformance: 6.36
#[test]
fn the_jid_is_that_of_the_connection_and_empty_without_one() {
    let cpe = Cpe::factory(CONNECTION_1);
    let jid = || {
        let mut lines = Lines::default();
        now(cpe.agent.read(&Wanted::new(&[""]), &mut lines)).unwrap();
        let text = lines.lines.join("\n");
        let line = text.lines().find(|line| line.contains("ConnReqJabberID ")).unwrap();
        line.split_once(" ro ").unwrap().1.to_owned()
    };
    let state = |resource: &str| XmppState {
        status: XmppStatus::Enabled,
        jabber_id: format!("cpe@xmpp.example/{resource}"),
        tls: true,
    };
    cpe.name_it("Device.XMPP.Connection.1");
    let date = DateTime::parse("2026-01-31T12:00:00Z").unwrap();
    assert!(cpe.agent.set_xmpp(state("a"), date));
    assert!(!cpe.agent.set_xmpp(state("a"), DateTime::Unknown), "that is no news");
    assert_eq!(jid(), "cpe@xmpp.example/a");
    let lines = cpe.lines();
    for line in [
        "Device.XMPP.Connection.1.JabberID ro cpe@xmpp.example/a",
        "Device.XMPP.Connection.1.Status ro Enabled",
        "Device.XMPP.Connection.1.LastChangeDate ro 2026-01-31T12:00:00Z",
        "Device.XMPP.Connection.1.TLSEstablished ro true",
    ] {
        assert!(lines.lines().any(|shown| shown == line), "{line}\n{lines}");
    }
    assert!(cpe.agent.set_xmpp(state("b"), DateTime::Unknown));
    assert_eq!(jid(), "cpe@xmpp.example/b");
    cpe.name_it("");
    assert_eq!(jid(), "");
    assert!(cpe.lines().contains("Device.XMPP.Connection.1.Status ro Dormant"), "{}", cpe.lines());
    cpe.name_it("Device.XMPP.Connection.1");
    cpe.set(&[("Device.XMPP.Connection.1.Enable", "false")]);
    assert_eq!(jid(), "");
    assert!(cpe.lines().contains("Device.XMPP.Connection.1.Status ro Disabled"), "{}", cpe.lines());
}

#[test]
fn what_is_wrong_in_the_files_is_said_and_the_default_serves() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("factory.ini"),
        "[XMPP.Connection.1]\nEnable = maybe\nKeepAliveInterval = soon\n",
    )
    .unwrap();
    let (layers, _) = Layers::load(std::sync::Arc::new(RealFiles), dir.path()).unwrap();
    let problems: Vec<_> = rows::problems(&layers).iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.contains("XMPP.Connection.1")), "{problems:?}");
    let cpe = open(dir);
    assert!(cpe.lines().contains("Device.XMPP.Connection.1.KeepAliveInterval rw -1"), "{}", cpe.lines());
}
