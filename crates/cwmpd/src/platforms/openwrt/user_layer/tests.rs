//! On a disk that loses power.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use cwmp_store::{Layers, sim::Sim};

use super::{
    played::{load, real_folder},
    *,
};

mod cuts;
mod damage;

const FACTORY: &str = "[ManagementServer]\nURL=http://factory/\n";
const SERVICE: &str = "\nconfig service 'service'\n\toption firewall_zone 'wan'\n\n";
const USED: &str = "\nconfig service 'service'\n\toption firewall_zone 'wan'\n\n\
                    config object 'ManagementServer'\n\toption URL 'http://old/'\n\toption Password 'secret'\n\n";
const UCI: &str = "/etc/config/cwmpd";
const DIR: &str = "/etc/cwmpd";
const COPY_FILE: &str = "/etc/cwmpd/state/cwmpd.uci";

/// A start on what is on a disk.
struct Cpe {
    sim: Arc<Sim>,
    real: tempfile::TempDir,
    layers: Layers,
    problems: Vec<String>,
}

/// A disk with these files, and the factory defaults.
fn disk(files: &[(&str, &str)]) -> Arc<Sim> {
    let base =
        [("/etc/cwmpd/factory.ini", FACTORY), ("/etc/config/network", "\n"), ("/etc/cwmpd/state/x", "")];
    Sim::with(&[&base, files].concat())
}

impl Cpe {
    fn start(sim: &Arc<Sim>) -> Self {
        Self::try_start(sim).unwrap()
    }

    fn try_start(sim: &Arc<Sim>) -> Result<Self, StoreError> {
        Self::start_in(sim, real_folder(sim))
    }

    fn start_in(sim: &Arc<Sim>, real: tempfile::TempDir) -> Result<Self, StoreError> {
        let (layers, problems) = load(sim, Path::new(DIR), Path::new("/etc/cwmpd/state"), real.path())?;
        // The folder has another name each time.
        let text =
            |problem: &Problem| problem.to_string().replace(real.path().to_str().unwrap(), "/etc/config");
        let problems = problems.iter().map(text).collect();
        Ok(Self { sim: Arc::clone(sim), real, layers, problems })
    }

    fn url(&self) -> &str {
        self.layers.get("ManagementServer", "URL").unwrap()
    }

    fn set_url(&mut self, url: &str) -> Result<(), StoreError> {
        self.layers.change(|layers| {
            layers.set("ManagementServer", "ParameterKey", url)?;
            layers.set("ManagementServer", "URL", url)
        })
    }

    /// Somebody replaces the file.
    fn by_hand(&self, change: impl FnOnce(String) -> String) {
        let text = change(self.sim.text(UCI).unwrap());
        for (real, content) in [(true, &text), (false, &text)] {
            if real {
                fs::write(self.real.path().join("new"), content).unwrap();
                fs::rename(self.real.path().join("new"), self.real.path().join("cwmpd")).unwrap();
            } else {
                self.sim.write_new(Path::new("/etc/config/new"), content.as_bytes()).unwrap();
                self.sim.fsync(Path::new("/etc/config/new")).unwrap();
                self.sim.rename(Path::new("/etc/config/new"), Path::new(UCI)).unwrap();
            }
        }
    }

    fn real(&self) -> String {
        fs::read_to_string(self.real.path().join("cwmpd")).unwrap()
    }
}

#[test]
fn what_is_set_is_in_the_file_and_the_file_is_its_owners_alone() {
    let mut there = Cpe::start(&disk(&[]));
    assert_eq!((there.url(), there.problems.len()), ("http://factory/", 0));
    there.set_url("http://new/").unwrap();
    let text = "\nconfig object 'ManagementServer'\n\toption ParameterKey 'http://new/'\n\toption URL 'http://new/'\n\n";
    assert_eq!(there.sim.text(UCI).as_deref(), Some(text));
    let mode = fs::metadata(there.real.path().join("cwmpd")).unwrap().permissions().mode();
    assert_eq!((there.real().as_str(), mode & 0o777), (text, 0o600));
    assert_eq!(there.sim.text(COPY_FILE).as_deref(), Some(text));
    assert_eq!(there.layers.file(cwmp_store::Layer::User), there.real.path().join("cwmpd"));
    assert_eq!(Cpe::start(&there.sim).url(), "http://new/");
}

#[test]
fn nothing_is_written_when_nothing_has_changed() {
    let sim = disk(&[(UCI, USED)]);
    let mut there = Cpe::start(&sim);
    let once = sim.written();
    assert_eq!(once, USED.len(), "the copy, at the first start");
    there.layers.change(|layers| layers.set("ManagementServer", "URL", "http://old/")).unwrap();
    there.layers.reread().unwrap();
    Cpe::start(&sim);
    assert_eq!((sim.written(), there.layers.bytes_written()), (once, 0));
    // What somebody else has set to the same value is not written again.
    there.by_hand(|text| text.replace("http://old/", "http://same/"));
    let written = sim.written();
    there.layers.change(|layers| layers.set("ManagementServer", "URL", "http://same/")).unwrap();
    assert_eq!(sim.written(), written);
}

#[test]
fn what_others_change_is_taken_in_and_changes_that_wait_are_not_lost() {
    let mut there = Cpe::start(&disk(&[(UCI, USED)]));
    there.layers.set("ManagementServer", "Username", "waits").unwrap();
    there.by_hand(|text| text.replace("http://old/", "http://hand/").replace("'wan'", "'lan'"));
    there.layers.reread().unwrap();
    assert_eq!(there.url(), "http://hand/");
    assert_eq!(there.layers.take_others(), ["ManagementServer".to_owned()].into());
    there.layers.reread().unwrap();
    assert!(!there.layers.has_others(), "what is known is no news");
    there.layers.commit().unwrap();
    assert!(!there.layers.has_others(), "nor is what was committed");
    assert!(there.real().contains("Username 'waits'") && there.real().contains("'http://hand/'"));
    assert!(there.real().contains("firewall_zone 'lan'"));

    // A commit comes upon a change that nobody has noticed yet.
    there.by_hand(|text| text + "config cwmpd 'cwmpd'\n\toption log_level 'debug'\n");
    there.set_url("http://acs/").unwrap();
    assert_eq!(there.layers.get("cwmpd", "log_level"), Some("debug"));
    assert_eq!(there.layers.take_others(), ["cwmpd".to_owned()].into());
    let again = Cpe::start(&there.sim);
    assert_eq!((again.url(), again.layers.get("cwmpd", "log_level")), ("http://acs/", Some("debug")));

    // What is undone leaves what others have set.
    there.layers.set("ManagementServer", "URL", "http://refused/").unwrap();
    there.by_hand(|text| text.replace("'debug'", "'error'"));
    there.layers.reread().unwrap();
    there.layers.rollback();
    assert_eq!((there.url(), there.layers.get("cwmpd", "log_level")), ("http://acs/", Some("error")));
}

#[test]
fn what_an_older_version_has_left_is_taken_over_once() {
    let user = "stray=1\n[ManagementServer]\nURL=http://user/\nUsername=\n[X.1]\nodd-key=\"a\\nb\"\n";
    let sim = disk(&[(UCI, USED), ("/etc/cwmpd/user.ini", user), ("/etc/cwmpd/user.ini.1", "[Y]\na=b\n")]);
    let mut there = Cpe::start(&sim);
    assert_eq!(
        there.problems,
        ["/etc/cwmpd/user.ini: what stands before the first section is not taken over"]
    );
    assert_eq!((there.url(), there.layers.get("X.1", "odd-key")), ("http://user/", Some("a\nb")));
    assert_eq!(there.layers.get("ManagementServer", "Username"), Some(""));
    assert_eq!(there.layers.get("ManagementServer", "Password"), Some("secret"), "it was there before");
    assert!(there.layers.sections("Y").is_empty());
    assert_eq!(sim.text("/etc/cwmpd/user.ini.migrated").as_deref(), Some(user));
    assert!(!sim.names().iter().any(|name| name.ends_with("user.ini") || name.ends_with("user.ini.1")));
    there.set_url("http://later/").unwrap();
    assert_eq!(Cpe::start(&sim).url(), "http://later/");
    there.layers.delete_user().unwrap();
    assert_eq!((there.real().as_str(), there.url()), (SERVICE, "http://factory/"));
    assert_eq!(sim.text("/etc/cwmpd/user.ini.migrated"), None, "it holds secrets");
    assert_eq!(sim.text(COPY_FILE), None);
}

#[test]
fn more_than_the_file_may_have_is_refused_as_too_large() {
    let mut there = Cpe::start(&disk(&[(UCI, USED)]));
    let large = "x".repeat(layer_limits::VALUE_BYTES);
    let error = there
        .layers
        .change(|layers| (0..9).try_for_each(|number| layers.set("S", &format!("K{number}"), &large)));
    assert!(error.unwrap_err().is_full());
    assert_eq!((there.real().as_str(), there.layers.get("S", "K0")), (USED, None));
}
