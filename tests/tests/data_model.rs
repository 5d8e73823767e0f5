//! The data model of the real program, as an ACS sees it on the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use cwmp_acs::{Direction, SessionReport};
use cwmp_core::{
    event::EventCode,
    rpc::{CpeRequest, CpeResponse, GetParameterNames},
};
use cwmpd_tests::{
    Scene, program,
    sandbox::known,
    scene::{acs_options, get},
};

/// A parameter of each type, and some of the model whose types have names of their own.
const MAP: &str = "\
[Device.X_00D09E_Lamp.]
X_00D09E_A: string = text(a)
X_00D09E_B: int = text(-1)
X_00D09E_C: unsignedInt = text(1)
X_00D09E_D: long = text(-9000000000)
X_00D09E_E: unsignedLong = text(9000000000)
X_00D09E_F: boolean = text(true)
X_00D09E_G: dateTime = text(2026-07-01T12:00:00Z)
X_00D09E_H: base64 = text(QUJD)
X_00D09E_I: hexBinary = text(0AFF)
X_00D09E_J: decimal = text(1.5)

[Device.QoS.Classification.{i}.]  rows = keys(one)
DestIP = text(192.0.2.1)
SourceMACAddress = text(02:00:5e:10:00:01)
SourceClientID = text(0AFF)

[Device.DHCPv4.Relay.]
Enable = text(false)

[Device.DeviceInfo.SupportedDataModel.{i}.]  rows = keys(model)
URL = text(http://192.0.2.1/box.xml)
URN = text(urn:example-com:box-1-0)
";

async fn mapped() -> Scene {
    let mut scene = Scene::new(acs_options(), |sandbox| sandbox).await;
    let folder = scene.folder().join("datamodel.d");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("vendor.map"), MAP).unwrap();
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    scene
}

/// The envelope that the agent answered with.
fn sent(report: &SessionReport, method: &str) -> String {
    let fits =
        |message: &&cwmp_acs::Message| message.direction == Direction::FromCpe && message.method == method;
    let message = report.messages.iter().find(fits).unwrap();
    String::from_utf8(message.body.to_vec()).unwrap()
}

/// Name and `xsi:type` of each value of an envelope.
fn types(envelope: &str) -> BTreeMap<&str, &str> {
    envelope
        .split("<ParameterValueStruct>")
        .skip(1)
        .map(|parameter| {
            let between = |start: &str, end: &str| parameter.split_once(start)?.1.split(end).next();
            (between("<Name>", "<").unwrap(), between("xsi:type=\"", "\"").unwrap())
        })
        .collect()
}

/// Conformance: 9.01
#[tokio::test]
async fn values_have_the_base_types_of_soap_on_the_wire() {
    const BASE: [&str; 10] = [
        "xsd:string",
        "xsd:int",
        "xsd:unsignedInt",
        "xsd:long",
        "xsd:unsignedLong",
        "xsd:boolean",
        "xsd:dateTime",
        "xsd:base64Binary",
        "xsd:hexBinary",
        "xsd:decimal",
    ];
    let scene = mapped().await;
    let answer = scene.acs.call(known::CPE, get(&["Device."]));
    scene.ring().await;
    let report = scene.session(EventCode::ConnectionRequest).await;
    answer.await.unwrap();
    let envelope = sent(&report, "GetParameterValuesResponse");
    assert!(envelope.contains("xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\""));
    let types = types(&envelope);
    for (letter, base) in ('A'..='J').zip(BASE) {
        assert_eq!(types[format!("Device.X_00D09E_Lamp.X_00D09E_{letter}").as_str()], base);
    }
    // Types with names: IPAddress, MACAddress, Alias, StatsCounter64, a list, an enumeration, a reference.
    for (name, base) in [
        ("Device.QoS.Classification.1.DestIP", "xsd:string"),
        ("Device.QoS.Classification.1.SourceMACAddress", "xsd:string"),
        ("Device.QoS.Classification.1.SourceClientID", "xsd:hexBinary"),
        ("Device.QoS.Classification.1.Alias", "xsd:string"),
        ("Device.QoS.ClassificationNumberOfEntries", "xsd:unsignedInt"),
        ("Device.DeviceInfo.SupportedDataModel.1.URL", "xsd:string"),
        ("Device.ManagementServer.URL", "xsd:string"),
        ("Device.ManagementServer.PeriodicInformTime", "xsd:dateTime"),
        ("Device.ManagementServer.EnableCWMP", "xsd:boolean"),
        ("Device.Time.Status", "xsd:string"),
    ] {
        assert_eq!(types.get(name), Some(&base), "{name}");
    }
    assert!(types.len() > 100, "{}", types.len());
    for (name, base) in types {
        assert!(BASE.contains(&base), "{name} has the type {base}");
    }
    scene.assert_clean();
}

/// Full names with `{i}` for each instance number, as the model has them.
fn model_names(names: impl Iterator<Item = String>) -> BTreeSet<String> {
    let part = |part: &str| if part.parse::<u32>().is_ok() { "{i}".to_owned() } else { part.to_owned() };
    names.map(|name| name.split('.').map(part).collect::<Vec<_>>().join(".")).collect()
}

/// Whether a name of the tree is a vendor's.
fn is_vendors(name: &str) -> bool {
    name.split('.').any(|part| part.starts_with("X_"))
}

/// Conformance: 9.18
#[tokio::test]
async fn what_the_supported_data_model_claims_is_there() {
    let scene = mapped().await;
    let claimed = "Device.DeviceInfo.SupportedDataModel.1.";
    assert_eq!(scene.value(&format!("{claimed}URN")).await, "urn:example-com:box-1-0");
    // The document that a box with this claim publishes under the URL.
    let mut program = Command::new(program::binary().unwrap());
    let printed = program.arg("--config").arg(scene.folder()).args(["datamodel", "xml"]).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let document = String::from_utf8(printed.stdout).unwrap();
    let mut in_document = BTreeSet::new();
    let mut object = "";
    for line in document.lines() {
        let reference = |tag: &str| {
            let rest = line.trim_start().strip_prefix(tag)?.strip_prefix(" ref=\"")?;
            rest.split('"').next()
        };
        if let Some(path) = reference("<object") {
            object = path;
        } else if let Some(name) = reference("<parameter") {
            let access = if line.contains("access=\"readWrite\"") { "rw" } else { "ro" };
            in_document.insert(format!("{object}{name} {access}"));
        }
    }
    let names = GetParameterNames { path: "Device.".to_owned(), next_level: false };
    let Ok(CpeResponse::GetParameterNames(names)) = scene.call(CpeRequest::GetParameterNames(names)).await
    else {
        panic!("no names")
    };
    let parameters = names.into_iter().filter(|info| !info.name.ends_with('.') && !is_vendors(&info.name));
    let in_tree = model_names(
        parameters.map(|info| format!("{} {}", info.name, if info.writable { "rw" } else { "ro" })),
    );
    // What only the running agent knows, the document of a box at rest lacks; the machine's processes come and go.
    let differs: Vec<&String> = in_document.symmetric_difference(&in_tree).collect();
    assert!(
        differs.iter().all(|name| name.contains(".ConnectionRequestURL ") || name.contains(".Process.")),
        "{differs:#?}"
    );
    assert!(in_document.len() > 100, "{document}");
    scene.assert_clean();
}

/// Conformance: 9.33
#[tokio::test]
async fn the_time_has_status_local_time_and_zone() {
    let scene = Scene::bootstrapped().await;
    let tree = scene.tree().await;
    let value = |name: &str| tree.get(&format!("Device.Time.{name}")).map(|value| value.value.as_str());
    assert_eq!((value("Enable"), value("Status")), (Some("true"), Some("Synchronized")));
    let local = value("CurrentLocalTime").unwrap();
    // A date with its offset from UTC, and not far from the clock of this test.
    let (date, zone) = local.split_at(19);
    assert!(date.as_bytes()[10] == b'T' && (zone == "Z" || zone.len() == 6), "{local}");
    let zone = value("LocalTimeZone").unwrap();
    // POSIX: a name of three letters or more, or one in angle brackets, and an offset.
    let name = zone.strip_prefix('<').map_or(zone, |rest| rest.split('>').next().unwrap());
    assert!(
        name.chars().take_while(|c| c.is_ascii_alphanumeric() || "+-".contains(*c)).count() >= 3,
        "{zone}"
    );
    assert!(zone.contains(|c: char| c.is_ascii_digit()), "{zone}");
    scene.assert_clean();
}

/// Names that are still there with the next call; processes come and go.
fn lasting<'n>(names: impl Iterator<Item = &'n str>) -> BTreeSet<&'n str> {
    names.filter(|name| !name.contains(".Process.") && !name.contains(".Hosts.")).collect()
}

#[tokio::test]
async fn names_and_values_agree_on_the_whole_tree_and_on_each_part_of_it() {
    let scene = mapped().await;
    for path in ["", "Device.", "Device.X_00D09E_Lamp.", "Device.ManagementServer.", "Device.Users."] {
        let names = GetParameterNames { path: path.to_owned(), next_level: false };
        let answers = scene.calls(vec![CpeRequest::GetParameterNames(names), get(&[path])]).await;
        let [Ok(CpeResponse::GetParameterNames(names)), Ok(CpeResponse::GetParameterValues(values))] =
            &answers[..]
        else {
            panic!("{path}: {answers:?}")
        };
        let parameters = names.iter().map(|info| info.name.as_str()).filter(|name| !name.ends_with('.'));
        let named = lasting(parameters);
        assert_eq!(named, lasting(values.iter().map(|value| value.name.as_str())), "{path}");
        assert!(!named.is_empty(), "{path}");
    }
    scene.assert_clean();
}
