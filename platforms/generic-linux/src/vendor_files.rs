//! Device.DeviceInfo.VendorConfigFile and VendorLogFile: the files that a Download brought and that an Upload can name.
//!
//! Rows 1 to 16 of VendorConfigFile are the files that the integrator named; the others are the configurations that were
//! downloaded, one for each name. Their records lie with the settings: a factory reset forgets them with the
//! configuration itself.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use cwmp_core::{datetime::DateTime, time::Wall};
use cwmp_platform::source::{
    Access::ReadOnly, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted,
};

use crate::{
    files::{self, clean},
    options::{FILES, NamedFile},
    platform::{Shared, off_thread},
    room::Place,
};

const CONFIG_FILE: &str = "Device.DeviceInfo.VendorConfigFile.{i}.";
const LOG_FILE: &str = "Device.DeviceInfo.VendorLogFile.{i}.";
/// Where the records lie: section `DeviceInfo.VendorConfigFile.<row>`.
const SECTION: &str = "DeviceInfo.VendorConfigFile";
/// Most rows for downloads; beyond that a new name takes the row that was written longest ago.
const DOWNLOADS: u32 = 16;
/// What a downloaded configuration is called when nobody has named it.
const NO_NAME: &str = "configuration";
/// Longest Name, in characters.
const NAME_CHARS: usize = 64;
/// Longest Version, in characters.
const VERSION_CHARS: usize = 16;
/// Where the version of a configuration is looked for: this many bytes from its start.
const VERSION_BYTES: u64 = 4096;

/// Answers for the two tables.
pub(crate) struct VendorFiles {
    pub(crate) shared: Rc<Shared>,
}

/// A configuration that was downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    row: u32,
    name: String,
    version: String,
    /// When it was loaded, as dateTime.
    date: String,
}

/// What a row of VendorConfigFile stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConfigRow {
    /// A file of the box.
    File(PathBuf),
    /// The configuration that was loaded under that name: what is in force now.
    Present,
}

impl Shared {
    /// The files of rows 1 to 16. The sandbox has none: its files are its own.
    fn config_files(&self) -> Vec<NamedFile> {
        let files = if self.sandbox.is_some() { &[] } else { self.options.config_files.as_slice() };
        files.iter().take(FILES).cloned().collect()
    }

    /// The rows of VendorLogFile.
    pub(crate) fn log_files(&self) -> Vec<NamedFile> {
        match &self.sandbox {
            Some(sandbox) => vec![NamedFile { name: "box.log".to_owned(), path: sandbox.log_file() }],
            None => self.options.log_files.iter().take(FILES).cloned().collect(),
        }
    }

    /// Where such a file lies.
    pub(crate) fn place_of(&self, file: &NamedFile) -> PathBuf {
        if self.sandbox.is_some() { file.path.clone() } else { self.root.path(&file.path) }
    }

    /// What a row of VendorConfigFile stands for; `None` for a row that is not there.
    pub(crate) fn config_row(&self, row: u32) -> Option<ConfigRow> {
        let number = usize::try_from(row).ok()?;
        if let Some(file) = self.config_files().get(number.checked_sub(1)?) {
            return Some(ConfigRow::File(self.place_of(file)));
        }
        self.records().iter().any(|record| record.row == row).then_some(ConfigRow::Present)
    }

    /// The first of the named files.
    pub(crate) fn first_config_file(&self) -> Option<PathBuf> {
        self.config_files().first().map(|file| self.place_of(file))
    }

    fn records(&self) -> Vec<Record> {
        let record = |row: u32| {
            let section = format!("{SECTION}.{row}");
            let value = |key| self.settings.get(&section, key).unwrap_or_default();
            let name = clean(&value("Name"), NAME_CHARS);
            let date = DateTime::parse(&value("Date")).unwrap_or(DateTime::Unknown).to_string();
            let version = clean(&value("Version"), VERSION_CHARS);
            (!name.is_empty()).then_some(Record { row, name, version, date })
        };
        rows().filter_map(record).collect()
    }

    /// Keeps that a configuration of this name was loaded just now. A record that cannot be kept is reported: the
    /// configuration is in force all the same.
    pub(crate) async fn record(&self, file: &Path, name: &str) {
        let name = clean(name, NAME_CHARS);
        let name = if name.is_empty() { NO_NAME.to_owned() } else { name };
        let path = file.to_owned();
        let version = off_thread(move || Ok(version(&path))).await.ok().flatten().unwrap_or_default();
        let date = match self.clock_is_synchronised() {
            true => seconds(SystemTime::now()),
            false => DateTime::Unknown,
        };
        let records = self.records();
        let known = records.iter().find(|record| record.name == name).map(|record| record.row);
        let free = || rows().find(|row| records.iter().all(|record| record.row != *row));
        let oldest = || records.iter().min_by_key(|record| record.date.clone()).map(|record| record.row);
        let Some(row) = known.or_else(free).or_else(oldest) else { return };
        let section = format!("{SECTION}.{row}");
        let values = [("Name", name), ("Version", version), ("Date", date.to_string())];
        let values: Vec<_> =
            values.iter().map(|(key, value)| (section.as_str(), *key, value.as_str())).collect();
        if let Err(e) = self.settings.set(&values) {
            tracing::error!("the configuration is loaded, but VendorConfigFile does not show it: {e}");
        }
    }
}

/// The numbers of the rows for downloads.
fn rows() -> impl Iterator<Item = u32> {
    let first = u32::try_from(FILES).unwrap_or(u32::MAX).saturating_add(1);
    first..first.saturating_add(DOWNLOADS)
}

fn seconds(time: SystemTime) -> DateTime {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(seconds).map_or(DateTime::Unknown, |seconds| DateTime::At(Wall::from_seconds(seconds)))
}

/// The version that a configuration tells about itself: on a line near its start, behind any comment mark, `version` in
/// small or capital letters, `=` or `:`, and a word, perhaps in quotes.
fn version(file: &Path) -> Option<String> {
    let start = files::read_start(file, VERSION_BYTES).ok()?;
    let text = String::from_utf8_lossy(&start);
    text.lines().find_map(|line| {
        let line = line.trim_start_matches(|c: char| c.is_whitespace() || "#;/!\"".contains(c));
        let (key, value) = line.split_once(['=', ':'])?;
        let is_version = key.trim().trim_end_matches('"').eq_ignore_ascii_case("version");
        let value = clean(value.trim().trim_end_matches([',', ';']).trim_matches(['"', '\'']), VERSION_CHARS);
        (is_version && !value.is_empty()).then_some(value)
    })
}

#[async_trait(?Send)]
impl ParameterSource for VendorFiles {
    fn name(&self) -> &'static str {
        "linux-vendor-files"
    }

    fn objects(&self) -> &[&'static str] {
        &[CONFIG_FILE, LOG_FILE]
    }

    async fn read(&self, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        if wanted.touches(CONFIG_FILE) {
            self.config_files(out);
        }
        if wanted.touches(LOG_FILE) {
            self.log_files(out);
        }
        Ok(())
    }
}

impl VendorFiles {
    fn config_files(&self, out: &mut dyn ParameterSink) {
        out.object("Device.DeviceInfo.VendorConfigFile.", ObjectKind::Table { addable: false });
        let shared = &self.shared;
        let named = (1..).zip(shared.config_files()).map(|(row, file)| {
            let place = shared.place_of(&file);
            let modified = std::fs::metadata(&place).and_then(|facts| facts.modified());
            let date = modified.map_or(DateTime::Unknown, seconds).to_string();
            let version = version(&place).unwrap_or_default();
            (Record { row, name: clean(&file.name, NAME_CHARS), version, date }, false)
        });
        // What is in force can be saved and loaded again; a named file is only read.
        let restores = shared.can_save_config() && shared.can_load_config();
        let downloads = shared.records().into_iter().map(|record| (record, restores));
        for (record, restores) in named.chain(downloads) {
            let row = format!("Device.DeviceInfo.VendorConfigFile.{}.", record.row);
            out.object(&row, ObjectKind::Instance { deletable: false });
            out.parameter("Name", &record.name, ReadOnly);
            out.parameter("Version", &record.version, ReadOnly);
            out.parameter("Date", &record.date, ReadOnly);
            let description = if restores { "loaded by a download" } else { "a file of the box" };
            out.parameter("Description", &description, ReadOnly);
            out.parameter("UseForBackupRestore", &restores, ReadOnly);
        }
    }

    fn log_files(&self, out: &mut dyn ParameterSink) {
        out.object("Device.DeviceInfo.VendorLogFile.", ObjectKind::Table { addable: false });
        for (number, file) in (1..).zip(self.shared.log_files()) {
            let number: u32 = number;
            let row = format!("Device.DeviceInfo.VendorLogFile.{number}.");
            out.object(&row, ObjectKind::Instance { deletable: false });
            out.parameter("Name", &clean(&file.name, NAME_CHARS), ReadOnly);
            // Who writes it decides how large it grows: no limit is known here.
            out.parameter("MaximumSize", &0, ReadOnly);
            let lasts = Place::of(self.shared.place_of(&file).parent()) != Place::Memory;
            out.parameter("Persistent", &lasts, ReadOnly);
        }
    }
}

#[cfg(test)]
mod tests;
