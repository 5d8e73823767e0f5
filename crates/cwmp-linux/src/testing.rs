//! A box made of files, settings in memory, and the facts of the model to hold values against.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use cwmp_core::{datetime::DateTime, value::ValueType};
use cwmp_platform::{
    settings::Settings,
    source::{Access, ObjectKind, ParameterSink, ParameterSource, Wanted},
};
use tempfile::TempDir;

use crate::files::Root;

/// A root folder that is gone with the test.
pub struct FakeRoot(Option<TempDir>);

impl Default for FakeRoot {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeRoot {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir();
        assert!(folder.is_ok(), "{folder:?}");
        Self(folder.ok())
    }

    /// A small x86 router.
    #[must_use]
    pub fn pc() -> Self {
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

    /// Puts a file there, with the folders above it.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        let folder = path.parent().unwrap_or(Path::new("/"));
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, content));
        assert!(written.is_ok(), "{}: {written:?}", path.display());
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new("/nowhere"), TempDir::path)
    }

    /// As backends take it.
    #[must_use]
    pub fn root(&self) -> Root {
        Root::new(self.path().to_owned())
    }
}

/// Settings in memory.
#[derive(Default)]
pub struct FakeSettings {
    /// By section and key.
    pub values: RefCell<BTreeMap<(String, String), String>>,
    /// Nothing more can be written.
    pub full: bool,
}

impl FakeSettings {
    /// With these values in one section.
    #[must_use]
    pub fn of(section: &str, values: &[(&str, &str)]) -> Self {
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
pub struct Collected {
    /// Objects in the order in which they came.
    pub objects: Vec<(String, ObjectKind)>,
    /// Parameters by full name.
    pub values: BTreeMap<String, (String, Access)>,
}

impl Collected {
    /// What it has below these paths.
    pub async fn from(source: &dyn ParameterSource, paths: &[&str]) -> Self {
        let mut collected = Self::default();
        let read = source.read(&Wanted::new(paths), &mut collected).await;
        assert!(read.is_ok(), "{}: {read:?}", source.name());
        collected
    }

    /// The value of a parameter.
    #[must_use]
    pub fn value(&self, path: &str) -> Option<&str> {
        self.values.get(path).map(|(value, _)| value.as_str())
    }
}

impl ParameterSink for Collected {
    fn object(&mut self, path: &str, kind: ObjectKind) {
        assert!(path.ends_with('.'), "{path}");
        self.objects.push((path.to_owned(), kind));
    }

    fn parameter(&mut self, name: &str, value: &dyn fmt::Display, access: Access) {
        let object = self.objects.last().map_or("an object comes first: ", |(path, _)| path.as_str());
        assert!(object.ends_with('.'), "{object}{name}");
        let before = self.values.insert(format!("{object}{name}"), (value.to_string(), access));
        assert!(before.is_none(), "{object}{name} was delivered twice");
    }

    fn vendor_parameter(&mut self, name: &str, _: ValueType, value: &dyn fmt::Display, access: Access) {
        self.parameter(name, value, access);
    }
}

/// Holds everything that a source delivers against the facts of TR-181. Without the facts the test is skipped, except in
/// continuous integration, where it fails.
pub async fn assert_fits_the_model(source: &dyn ParameterSource) {
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
        let row = model.get(&schema).map(Vec::as_slice).unwrap_or_default();
        assert_eq!(column(row, 1), expected, "{schema}");
    }
    for (path, (value, access)) in &collected.values {
        let row = model.get(&schema_path(path)).map(Vec::as_slice).unwrap_or_default();
        assert!(!row.is_empty(), "{path} is not in the model");
        if *access == Access::ReadWrite {
            assert_eq!(column(row, 2), "readWrite", "{path}");
        }
        let wrong = breaks(column(row, 3), column(row, 4), value);
        assert!(wrong.is_none(), "{path} = {value}: {wrong:?}");
    }
}

fn column(row: &[String], number: usize) -> &str {
    row.get(number).map_or("", String::as_str)
}

/// What a value breaks of its type or its facets.
fn breaks(value_type: &str, facets: &str, value: &str) -> Option<String> {
    let number: Option<i64> = value.parse().ok();
    let fits = match value_type {
        "unsignedInt" => value.parse::<u32>().is_ok(),
        "int" => value.parse::<i32>().is_ok(),
        "boolean" => ["true", "false"].contains(&value),
        "dateTime" => DateTime::parse(value).is_ok(),
        "string" => true,
        other => return Some(format!("what is a right {other}?")),
    };
    if !fits {
        return Some(format!("no {value_type}"));
    }
    let is_broken = |facet: &&str| {
        let (kind, bound) = facet.split_once('=').unwrap_or((facet, ""));
        let within = |n: i64| {
            let (low, high) = bound.split_once("..").unwrap_or_default();
            low.parse().is_ok_and(|low: i64| n < low) || high.parse().is_ok_and(|high: i64| n > high)
        };
        match kind {
            "len" => i64::try_from(value.chars().count()).map_or(true, within),
            "range" => number.is_none_or(within),
            "enum" => !bound.split('|').any(|known| known == value),
            // Empty refers to nothing.
            "pathRef" => {
                !value.is_empty()
                    && value.split(',').any(|path| match bound.strip_prefix('#') {
                        Some(table) => !path.starts_with("Device.") || !path.contains(table),
                        None => !path.starts_with(&format!("Device.DeviceInfo.{bound}")),
                    })
            }
            "pattern" if bound == "[0-9A-F]{6}" => !value.bytes().all(|b| b"0123456789ABCDEF".contains(&b)),
            // What this does not know, no value fits.
            _ => true,
        }
    };
    facets.split(';').filter(|facet| !facet.is_empty()).find(is_broken).map(str::to_owned)
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
        (column(&row, 0).to_owned(), row)
    };
    Some(text.lines().skip(1).map(row).collect())
}
