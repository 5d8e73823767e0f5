//! A box made of files, settings in memory, and the facts of the model to hold values against.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use cwmp_core::{datetime::DateTime, value::ValueType};
use cwmp_datamodel::{
    facts::{Facts, Place},
    validate::validate,
};
use cwmp_platform::{
    settings::Settings,
    source::{Access, ObjectKind, ParameterSink, ParameterSource, Wanted},
};
use tempfile::TempDir;

use crate::files::Root;

/// A root folder that is gone with the test.
pub(crate) struct FakeRoot(TempDir);

impl FakeRoot {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A small x86 router.
    pub(crate) fn pc() -> Self {
        let root = Self::new();
        root.file("sys/class/dmi/id/sys_vendor", "PC Engines\n");
        root.file("sys/class/dmi/id/product_name", "apu4\n");
        root.file("sys/class/dmi/id/product_serial", "1234567\n");
        root.file("sys/class/dmi/id/board_version", "1.0\n");
        root.file("etc/os-release", "PRETTY_NAME=\"Router OS 12\"\nVERSION_ID=12\nIMAGE_VERSION=20261101\n");
        for (name, index, assigned, address) in [
            ("lo", 1, 0, "00:00:00:00:00:00"),
            ("br0", 2, 1, "0a:11:22:33:44:55"),
            ("eth0", 3, 0, "00:0d:b9:4a:5b:6c"),
        ] {
            root.file(&format!("sys/class/net/{name}/ifindex"), format!("{index}\n"));
            root.file(&format!("sys/class/net/{name}/type"), if name == "lo" { "772\n" } else { "1\n" });
            root.file(&format!("sys/class/net/{name}/addr_assign_type"), format!("{assigned}\n"));
            root.file(&format!("sys/class/net/{name}/address"), format!("{address}\n"));
        }
        root.file("sys/class/net/eth0/device/vendor", "0x8086\n");
        root.file("sys/devices/system/cpu/online", "0-1\n");
        root.file("proc/uptime", "93784.25 180000.00\n");
        root.file(
            "proc/meminfo",
            "MemTotal:        4030124 kB\nMemFree:         3500000 kB\nMemAvailable:    3700000 kB\n",
        );
        root.file("proc/stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 50 0 50 350 50 0 0 0 0 0\n");
        root.file("proc/sys/kernel/hostname", "router\n");
        root.file("proc/sys/kernel/random/boot_id", "6d5a1c5e-0b8a-4c2b-9a55-2f6f0ad1f3b2\n");
        root
    }

    pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn root(&self) -> Root {
        Root::new(self.0.path().to_owned())
    }
}

/// A command that runs this script, which lies in the root folder. Through the shell: a program that was written just now
/// may still be open for writing in a child of another test.
pub(crate) fn script(root: &FakeRoot, name: &str, text: &str) -> Vec<String> {
    root.file(name, text);
    vec!["/bin/sh".to_owned(), root.path().join(name).display().to_string()]
}

/// Settings in memory.
#[derive(Default)]
pub(crate) struct FakeSettings {
    pub(crate) values: RefCell<BTreeMap<(String, String), String>>,
    pub(crate) full: bool,
}

impl FakeSettings {
    pub(crate) fn of(section: &str, values: &[(&str, &str)]) -> Self {
        let of_section =
            |(key, value): &(&str, &str)| ((section.to_owned(), (*key).to_owned()), (*value).to_owned());
        Self { values: RefCell::new(values.iter().map(of_section).collect()), full: false }
    }
}

impl Settings for FakeSettings {
    fn get(&self, section: &str, key: &str) -> Option<String> {
        self.values.borrow().get(&(section.to_owned(), key.to_owned())).cloned()
    }

    fn set(&self, values: &[(&str, &str, &str)]) -> Result<(), String> {
        if self.full {
            return Err("cannot write user.ini: no space left".to_owned());
        }
        for (section, key, value) in values {
            self.values.borrow_mut().insert(((*section).to_owned(), (*key).to_owned()), (*value).to_owned());
        }
        Ok(())
    }
}

/// What a source delivered.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) objects: Vec<(String, ObjectKind)>,
    pub(crate) values: BTreeMap<String, (String, Access)>,
}

impl Collected {
    pub(crate) async fn from(source: &dyn ParameterSource, paths: &[&str]) -> Self {
        let mut collected = Self::default();
        source.read(&Wanted::new(paths), &mut collected).await.unwrap();
        collected
    }

    pub(crate) fn value(&self, path: &str) -> Option<&str> {
        self.values.get(path).map(|(value, _)| value.as_str())
    }
}

impl ParameterSink for Collected {
    fn object(&mut self, path: &str, kind: ObjectKind) {
        assert!(path.ends_with('.'), "{path}");
        self.objects.push((path.to_owned(), kind));
    }

    fn parameter(&mut self, name: &str, value: &dyn fmt::Display, access: Access) {
        let object = &self.objects.last().expect("an object comes first").0;
        let before = self.values.insert(format!("{object}{name}"), (value.to_string(), access));
        assert!(before.is_none(), "{object}{name} was delivered twice");
    }

    fn vendor_parameter(&mut self, name: &str, _: ValueType, value: &dyn fmt::Display, access: Access) {
        self.parameter(name, value, access);
    }
}

/// Holds values against the facts of TR-181 that the program is built with.
pub(crate) fn assert_values_fit(collected: &Collected) {
    for (path, (value, _)) in &collected.values {
        let Some(Place::Parameter(_, parameter)) = Facts::tr181().find(path) else {
            panic!("{path} is not in the model")
        };
        if let Err(invalid) = validate(parameter.rule(), None, value) {
            panic!("{path} = `{value}`: {}", invalid.text);
        }
    }
}

/// Holds everything that a source delivers against the facts of TR-181. Without the facts the test is skipped, except in
/// continuous integration, where it fails.
pub(crate) async fn assert_fits_the_model(source: &dyn ParameterSource) {
    let Some(model) = model() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "set CWMP_SCHEMA_DIR to the folder of bbf/");
        eprintln!("skipped: no facts of TR-181 here (CWMP_SCHEMA_DIR)");
        return;
    };
    let collected = Collected::from(source, &[""]).await;
    assert!(!collected.values.is_empty());
    for object in source.objects() {
        assert!(model.contains_key(*object), "{object} is not in the model");
    }
    for (path, kind) in &collected.objects {
        let schema = schema_path(path);
        let schema = if matches!(kind, ObjectKind::Table { .. }) { schema + "{i}." } else { schema };
        assert!(source.objects().contains(&schema.as_str()), "{schema} is not announced");
        let expected = if matches!(kind, ObjectKind::Single) { "object" } else { "table" };
        assert_eq!(model[&schema][1], expected, "{schema}");
    }
    for (path, (value, access)) in &collected.values {
        let row = model.get(&schema_path(path)).unwrap_or_else(|| panic!("{path} is not in the model"));
        if *access == Access::ReadWrite {
            assert_eq!(row[2], "readWrite", "{path}");
        }
        assert_value(path, row, value);
    }
}

fn assert_value(path: &str, row: &[String], value: &str) {
    let number: Option<i64> = match row[3].as_str() {
        "unsignedInt" => {
            Some(i64::from(value.parse::<u32>().unwrap_or_else(|e| panic!("{path} = {value}: {e}"))))
        }
        "int" => Some(i64::from(value.parse::<i32>().unwrap_or_else(|e| panic!("{path} = {value}: {e}")))),
        "boolean" => {
            assert!(["true", "false"].contains(&value), "{path} = {value}");
            None
        }
        "dateTime" => {
            assert!(DateTime::parse(value).is_ok(), "{path} = {value}");
            None
        }
        "string" => None,
        other => panic!("{path}: what is a right {other}?"),
    };
    for facet in row[4].split(';').filter(|facet| !facet.is_empty()) {
        let (kind, bound) = facet.split_once('=').unwrap();
        let within = |n: i64| {
            let (low, high) = bound.split_once("..").unwrap();
            low.parse().is_ok_and(|low: i64| n < low) || high.parse().is_ok_and(|high: i64| n > high)
        };
        let wrong = match kind {
            "len" => within(i64::try_from(value.chars().count()).unwrap()),
            "range" => within(number.unwrap()),
            "enum" => !bound.split('|').any(|known| known == value),
            "pathRef" => !value.starts_with(&format!("Device.DeviceInfo.{bound}")),
            "pattern" if bound == "[0-9A-F]{6}" => !value.bytes().all(|b| b"0123456789ABCDEF".contains(&b)),
            other => panic!("{path}: facet {other}"),
        };
        assert!(!wrong, "{path} = {value} breaks {facet}");
    }
}

/// `Device.X.1.Y` as the model has it: `Device.X.{i}.Y`.
fn schema_path(path: &str) -> String {
    let part = |part: &str| if part.parse::<u32>().is_ok() { "{i}".to_owned() } else { part.to_owned() };
    path.split('.').map(part).collect::<Vec<_>>().join(".")
}

fn model() -> Option<BTreeMap<String, Vec<String>>> {
    let shared = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("CWMP_SCHEMA_DIR").map_or_else(shared, PathBuf::from);
    let text = fs::read_to_string(folder.join("bbf/tr-181-2-17-cwmp.tsv")).ok()?;
    let row = |line: &str| {
        let row: Vec<String> = line.split('\t').map(str::to_owned).collect();
        (row[0].clone(), row)
    };
    Some(text.lines().skip(1).map(row).collect())
}

/// A backend that remembers the numbers of its rows only while it lives.
pub(crate) fn backend(options: crate::Options, settings: Rc<dyn Settings>) -> crate::GenericLinux {
    let numbers = cwmp_platform::instances::InstanceNumbers::in_memory();
    crate::GenericLinux::new(options, settings, Rc::new(numbers))
}
