//! The command on a sandbox of the real backend, with a mapping file of a vendor.

use std::{collections::BTreeMap, fs, path::Path};

use cwmp_core::{
    io::{DataOp, DataReply},
    rpc::{ParameterKey, ParameterValueStruct, Status},
};
use cwmp_datamodel::{AttributeError, AttributeStore, Attributes, Origin};
use cwmp_platform::source::{Access, ParameterSink, ParameterSource, SourceError, Wanted};
use quick_xml::{Reader, events::Event};

use super::*;

const VENDOR: &str = "
[Device.DeviceInfo.]
X_ACME_Colour: string = file(/etc/colour)  set = file(/etc/colour)
[Device.X_ACME_Lamp.{i}.]  rows = keys(left, right)
Name: string = key
Level: unsignedInt = text(7)
";

/// A configuration with a sandbox.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ini = "[cwmpd]\nsandbox=true\n[ManagementServer]\nURL=http://acs.example/\nPassword=hush\n\
               [ManagementServer.InformParameter.3]\nParameterName=Device.DeviceInfo.UpTime\n\
               [DeviceInfo]\nManufacturer=Example\nManufacturerOUI=00D09E\nProductClass=Box\nSerialNumber=1\n";
    fs::write(folder.path().join("factory.ini"), ini).unwrap();
    let kept = folder.path().join("box/files/etc");
    fs::create_dir_all(&kept).unwrap();
    fs::write(kept.join("colour"), "red\n").unwrap();
    folder
}

fn vendor(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder.join("datamodel.d")).unwrap();
    fs::write(folder.join("datamodel.d").join(name), text).unwrap();
}

async fn ask(folder: &Path, query: Query) -> (String, bool) {
    answer(&open(folder).await.unwrap(), &query).await.unwrap()
}

fn line<'t>(text: &'t str, start: &str) -> &'t str {
    text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {text}"))
}

#[test]
fn words_of_the_command_line() {
    let read = |words: &str, dry_run| query(words.split_whitespace().map(str::to_owned).collect(), dry_run);
    assert_eq!(read("list", false), Ok(Query::List { path: String::new() }));
    assert_eq!(read("list Device.Time.", false), Ok(Query::List { path: "Device.Time.".into() }));
    let values = vec![("A".to_owned(), "b".to_owned())];
    assert_eq!(read("set A b", true), Ok(Query::DryRun { values }));
    for (words, dry_run, wanted) in [
        ("", false, "datamodel takes list, explain, set --dry-run, coverage or xml"),
        ("set A b", false, "datamodel set changes nothing: say --dry-run, or use `cwmpd set`"),
        ("set A", true, "datamodel set --dry-run takes names and values: NAME VALUE..."),
        ("xml x", false, "xml takes no arguments"),
        ("list a b", false, "list takes one path"),
    ] {
        assert_eq!(read(words, dry_run).unwrap_err(), wanted);
    }
}

#[tokio::test]
async fn the_list_names_type_access_and_source() {
    let folder = folder();
    vendor(folder.path(), "acme.map", VENDOR);
    let (text, _) = ask(folder.path(), Query::List { path: String::new() }).await;
    assert_eq!(
        line(&text, "Device.DeviceInfo.SerialNumber"),
        "Device.DeviceInfo.SerialNumber\tstring\tro\tlinux-device-info"
    );
    assert_eq!(
        line(&text, "Device.DeviceInfo.MemoryStatus.Total"),
        "Device.DeviceInfo.MemoryStatus.Total\tunsignedInt\tro\tmapping"
    );
    assert_eq!(
        line(&text, "Device.DeviceInfo.X_ACME_Colour"),
        "Device.DeviceInfo.X_ACME_Colour\tstring\trw\tmapping"
    );
    assert_eq!(line(&text, "Device.X_ACME_Lamp.2.Name"), "Device.X_ACME_Lamp.2.Name\tstring\tro\tmapping");
    assert_eq!(
        line(&text, "Device.ManagementServer.InformParameter.\t"),
        "Device.ManagementServer.InformParameter.\ttable\tadd\t"
    );
    assert!(text.contains("Device.ManagementServer.InformParameter.3.\trow\tdelete\t\n"), "{text}");
    assert!(
        text.contains("Device.ManagementServer.InformParameterNumberOfEntries\tunsignedInt\tro\t"),
        "{text}"
    );
    let (part, _) = ask(folder.path(), Query::List { path: "Device.X_ACME_Lamp.*.Level".into() }).await;
    assert_eq!(
        part,
        "Device.X_ACME_Lamp.1.Level\tunsignedInt\tro\tmapping\nDevice.X_ACME_Lamp.2.Level\tunsignedInt\tro\tmapping\n"
    );
    // Nothing was written: no state but the folders that an opening makes.
    assert!(!folder.path().join("state/instances.json").exists());
}

#[tokio::test]
async fn a_parameter_is_explained_with_its_line_and_its_facts() {
    let folder = folder();
    vendor(folder.path(), "acme.map", VENDOR);
    let explained = async |name: &str| ask(folder.path(), Query::Explain { name: name.to_owned() }).await.0;
    let text = explained("Device.DeviceInfo.MemoryStatus.Total").await;
    assert!(text.contains("mapped      device.map:") && text.contains("| key(MemTotal) | kib\n"), "{text}");
    let text = explained("Device.DeviceInfo.X_ACME_Colour").await;
    let file = folder.path().join("datamodel.d/acme.map");
    assert!(text.contains(&format!("mapped      {}:3: X_ACME_Colour", file.display())), "{text}");
    assert!(text.contains("value       red\n") && text.contains("access      read-write\n"), "{text}");
    let text = explained("Device.ManagementServer.PeriodicInformInterval").await;
    assert!(text.contains("range       1 or more\n") && text.contains("source      agent\n"), "{text}");
    let text = explained("Device.ManagementServer.Password").await;
    assert!(text.contains("value       (hidden)\n") && !text.contains("hush"), "{text}");
    let text = explained("Device.DeviceInfo.ProxierInfo.ProxyProtocol").await;
    assert!(
        text.contains("no source of this box delivers it") && text.contains("one of      Z-Wave, ZigBee"),
        "{text}"
    );
    let model = open(folder.path()).await.unwrap();
    for name in ["Device.Nothing", "Device.DeviceInfo."] {
        let query = Query::Explain { name: name.to_owned() };
        answer(&model, &query).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let folder = folder();
    vendor(folder.path(), "acme.map", VENDOR);
    let (colour, url) = ("Device.DeviceInfo.X_ACME_Colour", "Device.ManagementServer.URL");
    let pairs = |pairs: &[(&str, &str)]| Query::DryRun {
        values: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let (text, good) = ask(folder.path(), pairs(&[(colour, "blue"), (url, "http://other.example/")])).await;
    assert!(good, "{text}");
    assert!(text.contains(&format!("{colour}: would be `blue`, by mapping\n")), "{text}");
    assert!(text.contains("set = file(/etc/colour)\n"), "{text}");
    assert!(text.contains(&format!("{url}: would be `http://other.example/`, by agent\n")), "{text}");
    let bad = [(colour, "blue"), (url, "nonsense"), ("Device.DeviceInfo.SerialNumber", "2")];
    let (text, good) = ask(folder.path(), pairs(&bad)).await;
    assert!(!good);
    assert!(line(&text, "refused: ").contains("2 of the parameters"), "{text}");
    assert!(line(&text, url).starts_with(&format!("{url}: 9007")), "{text}");
    assert!(line(&text, "Device.DeviceInfo.SerialNumber").contains("9008"), "{text}");
    let colour = fs::read_to_string(folder.path().join("box/files/etc/colour")).unwrap();
    assert_eq!(colour, "red\n");
    assert!(!folder.path().join("user.ini").exists());
}

#[tokio::test]
async fn the_real_backend_violates_nothing() {
    let folder = folder();
    vendor(folder.path(), "acme.map", VENDOR);
    let (text, good) = ask(folder.path(), Query::Coverage).await;
    assert!(good, "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("coverage: ") && last.ends_with(" objects, 0 violations"), "{last}");
    let (list, _) = ask(folder.path(), Query::List { path: String::new() }).await;
    // Processes come and go between the two.
    let without = |text: &str| text.lines().filter(|line| !line.contains("Process.")).count();
    assert!(without(&list) > 60, "{list}");
    assert_eq!(line(&text, "Device.DeviceInfo.MemoryStatus."), "Device.DeviceInfo.MemoryStatus.\t2 of 4");
    assert!(text.contains("5 parameters of vendors\n"), "{text}");
}

/// A source that delivers what the model does not allow.
struct Odd;

#[async_trait(?Send)]
impl ParameterSource for Odd {
    fn name(&self) -> &'static str {
        "odd"
    }

    fn objects(&self) -> &[&'static str] {
        &["Device.Time."]
    }

    async fn read(&self, _: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        out.object("Device.Time.", ObjectKind::Single);
        out.parameter("Enable", &"yes", Access::ReadOnly);
        out.parameter("Status", &"Late", Access::ReadOnly);
        out.parameter("NTPServer1", &"ntp.example", Access::ReadOnly);
        Ok(())
    }
}

#[async_trait(?Send)]
impl AttributeStore for Odd {
    fn load(&self) -> Attributes {
        Attributes::default()
    }

    async fn save(&self, _: &Attributes) -> Result<(), AttributeError> {
        Ok(())
    }
}

#[tokio::test]
async fn what_the_model_does_not_allow_is_listed_and_counted() {
    let model = DataModel::new(vec![Rc::new(Odd)], Rc::new(Odd));
    let (text, good) = answer(&model, &Query::Coverage).await.unwrap();
    assert!(!good);
    assert_eq!(line(&text, "Device.Time."), "Device.Time.\t3 of 11");
    assert_eq!(
        line(&text, "violation: Device.Time.Enable"),
        "violation: Device.Time.Enable = `yes`: the value must be 0, 1, false or true"
    );
    assert!(
        line(&text, "violation: Device.Time.Status").contains("one of Disabled, Unsynchronized"),
        "{text}"
    );
    assert_eq!(text.lines().last(), Some("coverage: 4 parameters, 2 objects, 2 violations"));
}

/// Conformance: 9.15
#[tokio::test]
async fn names_of_vendors_items_in_the_whole_tree_have_the_right_form() {
    let folder = folder();
    vendor(folder.path(), "acme.map", VENDOR);
    let (text, _) = ask(folder.path(), Query::List { path: String::new() }).await;
    let mut vendors = 0;
    for name in text.lines().filter_map(|line| line.split('\t').next()) {
        assert!(name.len() <= 256, "{name}");
        for part in name.split('.').filter(|part| part.starts_with("X_")) {
            let (vendor, own) =
                part.trim_start_matches("X_").split_once('_').unwrap_or_else(|| panic!("{name}"));
            let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
            assert!(!vendor.is_empty() && vendor.chars().all(fits) && !own.is_empty(), "{name}");
            vendors += 1;
        }
    }
    assert!(vendors >= 5, "{vendors}");
}

#[tokio::test]
async fn names_and_values_agree_on_the_whole_tree() {
    let folder = folder();
    vendor(folder.path(), "acme.map", VENDOR);
    let mut model = open(folder.path()).await.unwrap();
    let mut entries = async |op: DataOp| {
        let DataReply::Listing { snapshot, .. } = model.execute(op, Origin::Acs).await.unwrap() else {
            panic!()
        };
        let held = model.snapshot(snapshot).unwrap();
        model.release(snapshot);
        let full = held
            .entries()
            .filter(|entry| !entry.name.is_empty())
            .map(|entry| ([entry.object, entry.name].concat(), (entry.value_type, entry.writable)));
        // Processes come and go between the two calls.
        full.filter(|(name, _)| !name.contains(".Process.")).collect::<BTreeMap<_, _>>()
    };
    let values = entries(DataOp::Values { names: vec![String::new()] }).await;
    let names = entries(DataOp::Names { path: String::new(), next_level: false }).await;
    assert_eq!(names, values);
    assert!(values.len() > 50, "{}", values.len());
    // And each on its own, by its name.
    let each = entries(DataOp::Values { names: values.keys().cloned().collect() }).await;
    assert_eq!(each, values);
}

#[tokio::test]
async fn the_document_lists_exactly_what_is_there() {
    let folder = folder();
    vendor(folder.path(), "acme.map", VENDOR);
    let (xml, _) = ask(folder.path(), Query::Xml).await;
    let (list, _) = ask(folder.path(), Query::List { path: String::new() }).await;
    let (mut reader, mut listed, mut object) = (Reader::from_str(&xml), BTreeMap::new(), String::new());
    reader.config_mut().check_end_names = true;
    loop {
        let event = reader.read_event().unwrap();
        if matches!(event, Event::Eof) {
            break;
        }
        let (Event::Start(tag) | Event::Empty(tag)) = event else { continue };
        let attribute = |name: &str| {
            let found = tag.try_get_attribute(name).unwrap();
            found.map(|found| found.value.into_owned()).unwrap_or_default()
        };
        match tag.name().as_ref() {
            "object" => {
                object = attribute("ref");
                listed.insert(object.clone(), attribute("access"));
            }
            "parameter" => drop(listed.insert([&*object, &attribute("ref")].concat(), attribute("access"))),
            _ => {}
        }
    }
    let mut there = BTreeMap::new();
    for line in list.lines().filter(|line| !line.contains(".X_")) {
        let [name, kind, access, _] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let number = |part: &str| part.parse::<u32>().map_or(part.to_owned(), |_| "{i}".to_owned());
        let mut name: String = name.split('.').map(number).collect::<Vec<_>>().join(".");
        if kind == "table" {
            name.push_str("{i}.");
        }
        let writable = matches!(access, "rw" | "add");
        let known = there.entry(name).or_insert(false);
        *known |= writable;
    }
    let there: BTreeMap<String, String> = there
        .into_iter()
        .map(|(name, writable)| (name, if writable { "readWrite" } else { "readOnly" }.to_owned()))
        .collect();
    assert_eq!(listed, there);
    assert!(xml.contains("<model ref=\"Device:2.17\">"), "{xml}");
    assert!(xml.contains("; 5 parameters of vendors are not listed"), "{xml}");
}

#[tokio::test]
async fn a_vendors_file_is_read_set_and_kept_like_the_rest() {
    let folder = folder();
    vendor(folder.path(), "acme.map", VENDOR);
    let mut model = open(folder.path()).await.unwrap();
    let name = "Device.DeviceInfo.X_ACME_Colour";
    let parameters =
        vec![ParameterValueStruct { name: name.to_owned(), value_type: None, value: "dark blue".to_owned() }];
    let op = DataOp::Set { parameters, parameter_key: ParameterKey::new("k").unwrap() };
    assert_eq!(model.execute(op, Origin::Acs).await, Ok(DataReply::Status(Status::Applied)));
    let kept = fs::read_to_string(folder.path().join("box/files/etc/colour")).unwrap();
    assert_eq!(kept, "dark blue\n");
    // Another start of the program.
    let (text, _) = ask(folder.path(), Query::Explain { name: name.to_owned() }).await;
    assert!(text.contains("value       dark blue\n"), "{text}");
}

#[tokio::test]
async fn a_bad_file_is_reported_and_the_others_serve() {
    let folder = folder();
    vendor(folder.path(), "a.map", "[Device.DeviceInfo.]\nSerialNumber = text(2)");
    vendor(folder.path(), "b.map", "[Device.DeviceInfo.]\nUpTime = text(soon)");
    vendor(folder.path(), "c.map", "[Device.DeviceInfo.MemoryStatus.]\nTotal = text(1)");
    vendor(
        folder.path(),
        "d.map",
        "[Device.DeviceInfo.Processor.{i}.] rows = keys(a)\nArchitecture = text(arm)",
    );
    vendor(folder.path(), "e.map", VENDOR);
    vendor(folder.path(), "f.txt", "none of ours");
    fs::create_dir(folder.path().join("datamodel.d/g.map")).unwrap();
    let files = RealFiles::shared();
    let (layers, _) = cwmp_store::Layers::load(files, folder.path()).unwrap();
    let (config, _) = Config::load(&layers).unwrap();
    let layers = Rc::new(SharedLayers::new(layers));
    let numbers = Rc::new(InstanceNumbers::in_memory());
    let (platform, _) = platforms::choose(&config, &layers, &numbers, folder.path()).unwrap();
    let mut sources = platform.sources();
    let problems = crate::mapping::add(&*platform, folder.path(), &numbers, &mut sources).await;
    let shown: Vec<String> = problems
        .iter()
        .map(|text| text.replace(&format!("{}/datamodel.d/", folder.path().display()), ""))
        .collect();
    assert_eq!(
        shown,
        [
            "g.map: not a regular file",
            "b.map:2: `soon`: the value must be an unsignedInt from 0 to 4294967295",
            "c.map:2: Device.DeviceInfo.MemoryStatus.Total is mapped already",
            "a.map:2: Device.DeviceInfo.SerialNumber comes from another source already",
            "d.map:1: the rows of Device.DeviceInfo.Processor.{i}. come from another source already",
        ]
    );
    let mapped = sources.last().unwrap();
    assert_eq!(mapped.name(), "mapping");
    assert!(mapped.parameters().contains(&"Device.DeviceInfo.X_ACME_Colour"));
    assert!(mapped.objects().contains(&"Device.X_ACME_Lamp.{i}."));
}
