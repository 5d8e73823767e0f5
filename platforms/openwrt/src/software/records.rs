//! What opkg and apk have written down of the packages that are installed.

use std::collections::{BTreeMap, BTreeSet};

use cwmp_linux::files::{Root, read_regular};

use super::{Tool, is_word, limits};

/// An installed package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) version: String,
    /// Somebody has asked for it by name; nothing else has brought it along, and it came not with the firmware.
    pub(super) chosen: bool,
    /// Unpacked and set up.
    pub(super) whole: bool,
    /// Its init scripts, sorted.
    pub(super) scripts: Vec<String>,
    /// When it was installed, where that is told.
    time: String,
}

const STATUS: &str = "usr/lib/opkg/status";
const INFO: &str = "usr/lib/opkg/info";
const INSTALLED: &str = "lib/apk/db/installed";
const WORLD: &str = "etc/apk/world";
const LISTS: &str = "lib/apk/packages";
/// Where the firmware as it was built lies below an overlay.
const ROM: &str = "rom";
/// Part of every firmware: what has its time of installation was built with it.
const BUILT_IN: &str = "base-files";
const SCRIPTS: &str = "etc/init.d/";

/// All packages by name.
///
/// # Errors
/// The list cannot be read.
pub(super) fn read(root: &Root, tool: Tool) -> Result<BTreeMap<String, Record>, String> {
    let text = |path: &str| {
        let bytes = read_regular(&root.path(path), limits::STATUS_BYTES)?;
        Ok::<_, String>(String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut records = match tool {
        Tool::Opkg => opkg(&text(STATUS)?),
        Tool::Apk => apk(&text(INSTALLED)?, &text(WORLD)?),
    };
    let built_in = built_in(root, tool);
    let built = records.get(BUILT_IN).map(|record| record.time.clone()).filter(|time| !time.is_empty());
    for (name, record) in &mut records {
        record.chosen &= !built_in.contains(name) && Some(&record.time) != built.as_ref();
        if record.chosen && record.scripts.is_empty() {
            record.scripts = listed_scripts(root, tool, name);
        }
    }
    Ok(records)
}

/// What the firmware as it was built says of itself; empty where there is no overlay above it.
fn of_rom(root: &Root, path: &str) -> String {
    let bytes = read_regular(&root.path(format!("{ROM}/{path}")), limits::STATUS_BYTES);
    String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
}

/// Names of the packages that were built into the firmware.
pub(super) fn built_in(root: &Root, tool: Tool) -> BTreeSet<String> {
    match tool {
        Tool::Opkg => opkg(&of_rom(root, STATUS)).into_keys().collect(),
        Tool::Apk => apk(&of_rom(root, INSTALLED), "").into_keys().collect(),
    }
}

/// Init scripts by the list of the package's files.
fn listed_scripts(root: &Root, tool: Tool, name: &str) -> Vec<String> {
    let folder = if tool == Tool::Opkg { INFO } else { LISTS };
    let list = read_regular(&root.path(format!("{folder}/{name}.list")), limits::LIST_BYTES);
    let list = String::from_utf8_lossy(&list.unwrap_or_default()).into_owned();
    let scripts = list.lines().filter_map(|line| {
        let path = line.split('\t').next().unwrap_or_default().trim().trim_start_matches('/');
        path.strip_prefix(SCRIPTS)
    });
    sorted(scripts)
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: BTreeSet<&str> = names.filter(|name| is_word(name)).collect();
    names.into_iter().take(limits::SCRIPTS).map(str::to_owned).collect()
}

/// The value of a field, as control files have them: `Name: value`.
pub(super) fn field<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// `Status: <want> <flags, with commas> <state>`; `user` among the flags is what somebody has asked for.
fn opkg(status: &str) -> BTreeMap<String, Record> {
    let record = |block: &str| {
        let (name, version) = (field(block, "Package")?, field(block, "Version")?);
        let mut state = field(block, "Status")?.split_whitespace();
        let (flags, state) = (state.nth(1)?, state.next()?);
        if !is_word(name) || !is_word(version) || state == "not-installed" || state == "config-files" {
            return None;
        }
        let record = Record {
            version: version.to_owned(),
            chosen: flags.split(',').any(|flag| flag == "user"),
            whole: state == "installed",
            scripts: Vec::new(),
            time: field(block, "Installed-Time").unwrap_or_default().to_owned(),
        };
        Some((name.to_owned(), record))
    };
    status.split("\n\n").filter_map(record).collect()
}

/// Blocks of lines with a letter: P name, V version, F a folder and R a file in it.
fn apk(installed: &str, of_world: &str) -> BTreeMap<String, Record> {
    let chosen = world(of_world);
    let record = |block: &str| {
        let (name, version) = (field(block, "P")?, field(block, "V")?);
        if !is_word(name) || !is_word(version) {
            return None;
        }
        let mut in_folder = false;
        let mut scripts = Vec::new();
        for line in block.lines() {
            match line.split_once(':') {
                Some(("F", folder)) => {
                    in_folder = folder.trim_end_matches('/') == SCRIPTS.trim_end_matches('/')
                }
                Some(("R", file)) if in_folder => scripts.push(file),
                _ => {}
            }
        }
        // `f:` tells of files or scripts that have failed.
        let whole = field(block, "f").is_none_or(str::is_empty);
        let scripts = sorted(scripts.into_iter());
        let chosen = chosen.contains(name);
        let record = Record { version: version.to_owned(), chosen, whole, scripts, time: String::new() };
        Some((name.to_owned(), record))
    };
    installed.split("\n\n").filter_map(record).collect()
}

/// The names in apk's list of what somebody wants: `name`, `name=1.0`, `name><checksum`, `name@repository`.
fn world(text: &str) -> BTreeSet<String> {
    let wanted = text.split_whitespace().filter(|word| !word.starts_with('!'));
    wanted.filter_map(|word| word.split(['=', '<', '>', '~', '@']).next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use cwmp_linux::testing::FakeRoot;

    use super::*;

    const OPKG: &str = "\
Package: base-files
Version: 1660~29397011cc
Status: install ok installed
Installed-Time: 1760891865

Package: luci
Version: 25.291
Status: install user installed
Installed-Time: 1760891865

Package: sqm-scripts
Version: 1.6.0-r1
Depends: libc, tc
Status: install user installed
Conffiles:
 /etc/config/sqm 3c1f0a77
Installed-Time: 1761211002

Package: tc
Version: 6.3
Status: install ok installed
Installed-Time: 1761211001

Package: half
Version: 1
Status: install user unpacked

Package: gone
Version: 1
Status: deinstall ok not-installed
";

    fn chosen(records: &BTreeMap<String, Record>) -> Vec<&str> {
        records.iter().filter(|(_, record)| record.chosen).map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn of_opkg_only_what_a_user_has_asked_for_is_chosen() {
        let root = FakeRoot::new();
        root.file(STATUS, OPKG);
        root.file(
            "usr/lib/opkg/info/sqm-scripts.list",
            "/usr/lib/sqm/run.sh\n/etc/init.d/sqm\n/etc/init.d/../x\n",
        );
        let tree = Root::new(root.path().to_owned());
        let records = read(&tree, Tool::Opkg).unwrap();
        assert_eq!(chosen(&records), ["half", "sqm-scripts"], "luci was built in");
        assert_eq!(records["sqm-scripts"].scripts, ["sqm"]);
        assert!(records["sqm-scripts"].whole && !records["half"].whole);
        assert_eq!(records.keys().count(), 5);
        root.file("rom/usr/lib/opkg/status", "Package: half\nVersion: 0\nStatus: install user installed\n");
        assert_eq!(chosen(&read(&tree, Tool::Opkg).unwrap()), ["sqm-scripts"]);
    }

    #[test]
    fn of_apk_only_what_is_in_the_world_is_chosen() {
        let root = FakeRoot::new();
        root.file(
            INSTALLED,
            "C:Q1abc=\nP:base-files\nV:1667~1\nA:x86_64\nF:etc/init.d\nR:boot\n\n\
             C:Q1def=\nP:sqm-scripts\nV:1.6.0-r1\nA:noarch\nF:etc\nR:x\nF:etc/init.d\nM:0:0:755\nR:sqm\na:0:0:755\n\
             Z:Q1x=\nF:usr\nR:y\n\nC:Q1\nP:tc\nV:6\n\nC:Q1\nP:broken\nV:1\nf:fs\n",
        );
        root.file(WORLD, "base-files\nsqm-scripts><Q1def= broken@local !other\n");
        root.file("rom/lib/apk/db/installed", "P:base-files\nV:1667~1\n");
        let tree = Root::new(root.path().to_owned());
        let records = read(&tree, Tool::Apk).unwrap();
        assert_eq!(chosen(&records), ["broken", "sqm-scripts"]);
        assert_eq!(records["sqm-scripts"].scripts, ["sqm"]);
        assert!(records["tc"].whole && !records["broken"].whole);
    }

    #[test]
    fn a_list_that_is_not_there_is_an_error() {
        let root = FakeRoot::new();
        assert!(read(&Root::new(root.path().to_owned()), Tool::Opkg).is_err());
    }
}
