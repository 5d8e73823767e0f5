//! A router that is played, and an agent on it.

use std::{collections::BTreeMap, fs, path::Path};

use cwmp_acs::{AcsOptions, Authentication, FileOptions, SessionReport};
use cwmp_core::{
    event::EventCode,
    rpc::{AcsRequest, ToAcs},
    soap,
};
use cwmpd_test_router::Router;
use cwmpd_tests::{Sandbox, Scene, scene::acs_options};
use tempfile::TempDir;

/// The settings of an agent of this router.
pub(crate) fn agent_of(router: &Router, sandbox: Sandbox) -> Sandbox {
    let (root, socket) = (router.root().display().to_string(), router.socket().display().to_string());
    let downloads = sandbox.folder().join("downloads").display().to_string();
    let sandbox = sandbox.with("cwmpd", "sandbox", "false").with("cwmpd", "platform", "openwrt");
    let sandbox = sandbox.with("openwrt", "root", &root).with("openwrt", "ubus_socket", &socket);
    sandbox.with("openwrt", "trust_clock", "true").with("cwmpd", "download_dir", &downloads)
}

/// A router whose agent is switched off; the ACS serves the files of the folder. `prepare` is given the root of the router.
pub(crate) async fn switched_off(prepare: impl FnOnce(&Path)) -> (Router, Scene, TempDir) {
    serving(Authentication::None, prepare).await
}

/// The same where those who fetch files have to prove who they are.
pub(crate) async fn serving(
    authentication: Authentication,
    prepare: impl FnOnce(&Path),
) -> (Router, Scene, TempDir) {
    let router = Router::start().unwrap();
    for folder in ["rom", "overlay"] {
        fs::create_dir(router.root().join(folder)).unwrap();
    }
    fs::create_dir_all(router.root().join("bin")).unwrap();
    std::os::unix::fs::symlink("/bin/tar", router.root().join("bin/tar")).unwrap();
    prepare(&router.root());
    let files = tempfile::tempdir().unwrap();
    let served = FileOptions { authentication, ..FileOptions::folder(files.path()) };
    let options = AcsOptions { files: Some(served), ..acs_options() };
    let scene = Scene::new(options, |sandbox| agent_of(&router, sandbox)).await;
    (router, scene, files)
}

/// The file of a package.
pub(crate) fn config(router: &Router, package: &str) -> String {
    fs::read_to_string(router.root().join("etc/config").join(package)).unwrap()
}

/// Puts another file in the place of a package's, as `uci commit` does.
pub(crate) fn commit(router: &Router, package: &str, text: &str) {
    let path = router.root().join("etc/config").join(package);
    let new = path.with_file_name(format!(".{package}.uci-a1b2c3"));
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// A router whose agent has said `0 BOOTSTRAP`.
pub(crate) async fn router() -> (Router, Scene, TempDir) {
    let (router, mut scene, files) = switched_off(|_| ()).await;
    scene.switch_on();
    scene.session(EventCode::Bootstrap).await;
    (router, scene, files)
}

/// What the box asks of the ACS in a session.
pub(crate) fn requests(report: &SessionReport) -> impl Iterator<Item = AcsRequest> {
    let decoded = |body: &[u8]| soap::decode_to_acs(body).ok().map(|envelope| envelope.message);
    let messages = report.messages.iter().filter_map(move |message| decoded(&message.body));
    messages.filter_map(|message| match message {
        ToAcs::Request(request) => Some(request),
        _ => None,
    })
}

/// The packages that were announced as changed, in order; those of before are forgotten.
pub(crate) fn announced(router: &Router) -> Vec<String> {
    let events = router.world(|world| std::mem::take(&mut world.service_events));
    events.iter().filter_map(|event| event["data"]["package"].as_str().map(str::to_owned)).collect()
}

pub(crate) async fn tree(scene: &Scene) -> BTreeMap<String, String> {
    scene.tree().await.into_iter().map(|(name, value)| (name, value.value)).collect()
}

/// The path of the row in whose parameter this value stands.
pub(crate) fn row(tree: &BTreeMap<String, String>, table: &str, parameter: &str, value: &str) -> String {
    let end = format!(".{parameter}");
    let found =
        tree.iter().find(|(name, has)| name.starts_with(table) && name.ends_with(&end) && *has == value);
    found
        .unwrap_or_else(|| panic!("no {table} with {parameter} = {value}"))
        .0
        .strip_suffix(parameter)
        .unwrap()
        .to_owned()
}
