//! `cwmpd migrate` from outside: the settings of another agent become those of this one, which then runs with them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use cwmp_core::event::EventCode;
use cwmpd_tests::{Scene, program::binary, sandbox::known, scene::acs_options};
use tempfile::TempDir;

/// A router that another agent has managed: its root, and the folder of this program's files.
struct Router {
    root: TempDir,
}

impl Router {
    fn new(files: &[(&str, String)]) -> Self {
        let made = Self { root: tempfile::tempdir().unwrap() };
        for folder in [made.root.path().join("etc/config"), made.folder()] {
            fs::create_dir_all(folder).unwrap();
        }
        for (name, content) in files {
            fs::write(made.file(name), content).unwrap();
        }
        let (root, socket) = (made.root.path().display(), made.folder().join("none.sock"));
        let factory = format!(
            "[cwmpd]\ncontrol_socket = {}\nplatform = openwrt\n[openwrt]\nroot = {root}\n",
            socket.display()
        );
        fs::write(made.folder().join("factory.ini"), factory).unwrap();
        made
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.path().join("etc/config").join(name)
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("etc/cwmpd")
    }

    /// The settings of cwmpd, if it has any.
    fn settings(&self) -> Option<String> {
        fs::read_to_string(self.file("cwmpd")).ok()
    }
}

fn migrate(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(binary().unwrap());
    command.arg("migrate").args(words).arg("--config").arg(folder).output().unwrap()
}

fn printed(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn easycwmp(url: &str, interval: &str) -> String {
    format!(
        "config local\n\toption enable '1'\n\toption port '7547'\n\toption username '{}'\n\toption password '{}'\n\
         \nconfig acs\n\toption url '{url}'\n\toption username '{}'\n\toption password '{}'\n\
         \toption periodic_enable '1'\n\toption periodic_interval '{interval}'\n",
        known::CR_USERNAME,
        known::CR_PASSWORD,
        known::USERNAME,
        known::PASSWORD
    )
}

#[test]
fn a_dry_run_tells_and_the_run_does_it() {
    let router = Router::new(&[("easycwmp", easycwmp("http://acs.example/", "900"))]);
    let before = fs::read(router.file("easycwmp")).unwrap();

    let output = migrate(&router.folder(), &["--dry-run"]);
    let (told, complaint) = printed(&output);
    assert!(output.status.success() && complaint.is_empty(), "{told}{complaint}");
    assert!(
        told.contains("would take") && told.contains("[ManagementServer] URL = http://acs.example/"),
        "{told}"
    );
    assert!(!told.contains(known::PASSWORD) && !told.contains(known::CR_PASSWORD), "{told}");
    assert_eq!(router.settings(), None);

    let output = migrate(&router.folder(), &["easycwmp"]);
    let (told, complaint) = printed(&output);
    assert!(output.status.success() && complaint.is_empty(), "{told}{complaint}");
    assert!(told.contains("taken") && !told.contains(known::PASSWORD), "{told}");
    let user = router.settings().unwrap();
    for option in ["URL 'http://acs.example/'", "PeriodicInformInterval '900'", "Password 'cpe-secret'"] {
        assert!(user.contains(&format!("\toption {option}\n")), "{option} in {user}");
    }
    assert_eq!(fs::read(router.file("easycwmp")).unwrap(), before);

    // Once more: nothing is new. Another value of theirs does not win against what is set here, unless it is told to.
    let told = printed(&migrate(&router.folder(), &[])).0;
    assert!(told.contains("\n0 set in "), "{told}");
    fs::write(router.file("easycwmp"), easycwmp("http://other.example/", "900")).unwrap();
    let told = printed(&migrate(&router.folder(), &[])).0;
    assert!(told.contains("1 kept") && router.settings().unwrap() == user, "{told}");
    assert!(migrate(&router.folder(), &["--force"]).status.success());
    assert!(router.settings().unwrap().contains("http://other.example/"));
}

#[test]
fn one_wrong_value_and_nothing_is_taken() {
    let router = Router::new(&[("easycwmp", easycwmp("http://acs.example/", "never"))]);
    let output = migrate(&router.folder(), &[]);
    let (_, complaint) = printed(&output);
    assert_eq!(output.status.code(), Some(1));
    let place = format!(
        "{}: easycwmp.@acs[0].periodic_interval: must be a number",
        router.file("easycwmp").display()
    );
    assert!(complaint.contains(&place) && complaint.contains("nothing was taken"), "{complaint}");
    assert!(!complaint.contains("never"), "{complaint}");
    assert_eq!(router.settings(), None);
}

#[test]
fn it_says_how_it_wants_to_be_called() {
    let router = Router::new(&[]);
    for (words, text) in [
        (&["freecwmp"] as &[&str], "easycwmp or icwmp"),
        (&["easycwmp", "icwmp"], "easycwmp or icwmp"),
        (&[], "there is nothing to take over"),
    ] {
        let output = migrate(&router.folder(), words);
        assert_eq!(output.status.code(), Some(1));
        assert!(printed(&output).1.contains(text), "{words:?}: {output:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_agent_runs_with_what_was_taken_and_is_not_overruled_while_it_does() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc/config")).unwrap();
    let place = root.path().display().to_string();
    let mut scene = Scene::new(acs_options(), |sandbox| {
        let nobody =
            sandbox.with("ManagementServer", "Username", "").with("ManagementServer", "Password", "");
        nobody.with("openwrt", "root", &place)
    })
    .await;
    let folder = scene.folder().to_owned();
    // Any free port: other tests run beside this one.
    let settings = easycwmp(&scene.acs.url(), "900").replace("7547", "0");
    fs::write(root.path().join("etc/config/easycwmp"), settings).unwrap();
    scene.sandbox.write().unwrap();
    let output = migrate(&folder, &[]);
    assert!(output.status.success(), "{output:?}");

    // The ACS asks for the credentials that were taken.
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    let (_, complaint) = printed(&migrate(&folder, &["--force"]));
    assert!(complaint.contains("cwmpd runs") && complaint.contains("stop it first"), "{complaint}");
    assert!(migrate(&folder, &["--dry-run"]).status.success());
}
