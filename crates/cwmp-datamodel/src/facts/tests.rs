//! The committed file against the table it was made from, and against damage.

use std::{fmt::Write, fs, path::Path};

use cwmp_core::value::ValueType;

use super::*;

/// The table, or `None` where it is not at hand; in CI it must be.
fn table() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schemas = std::env::var_os("CWMP_SCHEMA_DIR").map_or_else(|| root.join("../shared"), Into::into);
    let file = schemas.join("bbf/tr-181-2-17-cwmp.tsv");
    match fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{}: {error}", file.display());
            eprintln!("skipped: {}: {error}", file.display());
            None
        }
    }
}

/// What reads as empty: the model's own marks that the table lacks, and a few more.
fn secrets() -> std::collections::BTreeSet<&'static str> {
    let list = include_str!("../../data/tr-181-2-17.secrets");
    list.lines().filter(|line| line.starts_with("Device.")).collect()
}

/// A rule as the columns of the table: kind, access, type, facets, list, default, status, notify.
fn columns(rule: Rule) -> [String; 8] {
    let mut facets = Vec::new();
    let mut default = String::new();
    for facet in rule.facets() {
        let bound = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
        facets.push(match facet {
            Facet::Length(min, max) => {
                format!("len={}..{max}", min.map(|n| n.to_string()).unwrap_or_default())
            }
            Facet::Range(min, max) => format!("range={}..{}", bound(min), bound(max)),
            Facet::Named(text) => format!("type={text}"),
            Facet::Enumeration(text) => format!("enum={text}"),
            Facet::EnumerationRef(text) => format!("enumRef={text}"),
            Facet::Pattern(text) => format!("pattern={text}"),
            Facet::PathRef(text) => format!("pathRef={text}"),
            Facet::Key(text) => format!("key={text}"),
            Facet::Count(text) => format!("count={text}"),
            Facet::Enable(text) => format!("enable={text}"),
            Facet::Default(of, text) => {
                default = format!("{}:{text}", format!("{of:?}").to_lowercase());
                continue;
            }
        });
    }
    facets.extend(rule.is_hidden().then(|| "hidden".to_owned()));
    facets.extend(rule.is_command().then(|| "command".to_owned()));
    facets.sort();
    let (kind, value_type) = match rule.kind() {
        Kind::Object => ("object", ""),
        Kind::Table => ("table", ""),
        Kind::Parameter(ValueType::Base64) => ("parameter", "base64"),
        Kind::Parameter(value_type) => ("parameter", value_type.xsd_name()),
    };
    let access = match rule.access() {
        Access::ReadOnly => "readOnly",
        Access::ReadWrite => "readWrite",
        Access::WriteOnceReadOnly => "writeOnceReadOnly",
    };
    let notify = [
        (rule.is_force_enabled(), "forceEnabled"),
        (rule.is_force_default_enabled(), "forceDefaultEnabled"),
        (rule.can_deny(), "canDeny"),
        (rule.is_forced_inform(), "forcedInform"),
    ];
    let notify: Vec<&str> = notify.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
    let status = format!("{:?}", rule.status()).to_lowercase();
    let list = if rule.is_list() { "list" } else { "" };
    [kind, access, value_type, &facets.join(";"), list, &default, &status, &notify.join(" ")]
        .map(str::to_owned)
}

#[test]
fn every_row_of_the_table_is_kept() {
    let Some(table) = table() else { return };
    let mut rows = 0;
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [path, kind, access, value_type, facets, list, default, _, status, notify] = cells[..] else {
            panic!("{line}")
        };
        let mut facets: Vec<&str> =
            facets.split(';').filter(|facet| !["", "len=.."].contains(facet)).collect();
        if secrets().contains(path) && !facets.contains(&"hidden") {
            facets.push("hidden");
        }
        facets.sort_unstable();
        let access = if access.is_empty() { "readOnly" } else { access };
        let rule = match Facts::tr181().find(path) {
            Some(Place::Object(object) | Place::Table(object)) => object.rule(),
            Some(Place::Parameter(_, parameter)) => parameter.rule(),
            None => panic!("{path} is not found"),
        };
        let wanted = [kind, access, value_type, &facets.join(";"), list, default, status, notify];
        assert_eq!(columns(rule), wanted, "{path}");
        rows += 1;
    }
    let known: usize = Facts::tr181().objects().map(|object| 1 + object.parameters().count()).sum();
    assert_eq!(known, rows);
}

#[test]
fn every_password_and_key_reads_as_empty() {
    let facts = Facts::tr181();
    let is_hidden = |path: &str| match facts.find(path) {
        Some(Place::Parameter(_, parameter)) => parameter.rule().is_hidden(),
        _ => panic!("{path} is not found"),
    };
    assert!(secrets().iter().all(|path| is_hidden(path)));
    let hidden = facts.objects().flat_map(Object::parameters).filter(|p| p.rule().is_hidden()).count();
    assert_eq!(hidden, secrets().len());

    // What the table calls a password, and what it marks itself, is among them.
    let Some(table) = table() else { return };
    const TELLING: [&str; 10] = [
        "Password",
        "Passphrase",
        "SharedSecret",
        "Secret",
        "PIN",
        "WEPKey",
        "PreSharedKey",
        "EncryptionKey",
        "PrivateKey",
        "KeyValue",
    ];
    let mut found = std::collections::BTreeSet::new();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let name = cells[0].rsplit('.').next().unwrap();
        let telling = cells[2] != "readOnly"
            && ["string", "hexBinary"].contains(&cells[3])
            && TELLING.iter().any(|end| name.ends_with(end));
        if telling || cells[4].split(';').any(|facet| facet == "hidden") {
            assert!(is_hidden(cells[0]), "{} reads as it is", cells[0]);
            found.insert(cells[0]);
        }
    }
    let others: Vec<&str> = secrets().into_iter().filter(|path| !found.contains(path)).collect();
    assert_eq!(others, ["Device.USPAgent.ControllerTrust.Challenge.{i}.Value"]);
}

#[test]
fn the_version_is_the_newest_of_any_row() {
    let Some(table) = table() else { return };
    let version = |line: &str| {
        let (major, minor) = line.split('\t').nth(7).unwrap().split_once('.').unwrap();
        (major.parse::<u32>().unwrap(), minor.parse::<u32>().unwrap())
    };
    let (major, minor) = table.lines().skip(1).map(version).max().unwrap();
    assert_eq!(VERSION, format!("{major}.{minor}"));
}

#[test]
fn what_every_inform_carries() {
    let facts = Facts::tr181();
    assert!(facts.is_forced_inform("Device.DeviceInfo.SoftwareVersion"));
    assert!(!facts.is_forced_inform("Device.DeviceInfo.UpTime"));
    assert!(!facts.is_forced_inform("Device.DeviceInfo."));
}

#[test]
fn names_are_found_with_instance_numbers_and_exact_case() {
    let facts = Facts::tr181();
    assert!(matches!(facts.find("Device."), Some(Place::Object(o)) if o.id() == ObjectId(0)));
    assert!(matches!(facts.find("Device.IP.Interface."), Some(Place::Table(_))));
    assert!(matches!(facts.find("Device.IP.Interface.4294967295."), Some(Place::Object(o)) if o.is_table()));
    assert!(matches!(
        facts.find("Device.IP.Interface.2.IPv4Address.1.IPAddress"),
        Some(Place::Parameter(..))
    ));
    for unknown in [
        "",
        ".",
        "device.",
        "Device",
        "Device.ip.",
        "Device.IP.Interface.Name",
        "Device.IP.1.",
        "Device.IP.Interface.0.",
        "Device.IP.Interface.1.2.",
        "Device.IP.Interface.{i}",
        "Device.IP.Interface.01.Name",
        "Device.IP.Interface.4294967296.",
    ] {
        assert!(facts.find(unknown).is_none(), "{unknown}");
    }
}

#[test]
fn objects_come_in_document_order() {
    let facts = Facts::tr181();
    let mut walked = String::new();
    fn walk(object: Object, out: &mut String) {
        writeln!(out, "{}", object.name()).unwrap();
        for child in object.children() {
            walk(child, out);
        }
    }
    walk(facts.root().unwrap(), &mut walked);
    let listed: String = facts.objects().map(|object| format!("{}\n", object.name())).collect();
    assert_eq!(walked, listed);
}

#[test]
fn a_damaged_file_makes_names_unknown() {
    assert!(Facts::new(b"").root().is_none());
    assert!(Facts::new(b"CWF1").root().is_none());
    assert!(Facts::new(b"CWF1\xff\xff\xff\xff\x01\0\0\0\x02\0\0\0\x03\0\0\0rest").root().is_none());
    // Every section in turn gets bytes that point anywhere.
    for step in [3, 7, 11, 13] {
        let mut file = TR_181.to_vec();
        for at in (format::HEADER..file.len()).step_by(step) {
            file[at] ^= 0xff;
        }
        let facts = Facts::new(file.leak());
        for object in facts.objects().take(2000) {
            let _ = (object.name(), object.rule().facets().count(), object.child("Name").is_some());
            for parameter in object.parameters() {
                let _ = (parameter.name(), parameter.rule().facets().count());
            }
        }
        let _ = facts.find("Device.IP.Interface.1.Name");
    }
}

#[test]
fn every_parameter_that_counts_instances_is_named_for_it() {
    let counts: Vec<_> = Facts::tr181().objects().filter_map(|object| object.rule().count()).collect();
    assert!(counts.len() > 100);
    for name in counts {
        assert!(name.ends_with(crate::model::COUNT_SUFFIX), "{name}");
    }
}
