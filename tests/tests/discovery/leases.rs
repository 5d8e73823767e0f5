//! A DHCP server and a DHCP client that are not ours: dnsmasq, and udhcpc with the hook that ships.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use cwmp_acs::AcsOptions;
use cwmp_core::event::EventCode;
use cwmpd_tests::{Sandbox, Scene, program, scene::acs_options};

use super::{namespace::Namespace, option_43, runs, without_url};

const ADDRESS: &str = "192.0.2.1";

/// Programs of the machine, or a line that says what is missing.
fn there() -> bool {
    let runs = |program: &str, word: &str| Command::new(program).arg(word).output().is_ok();
    let there = runs("busybox", "true") && runs(DNSMASQ, "--version");
    // Where everything could have been installed, a skip hides a defect.
    assert!(there || std::env::var("CI").as_deref() != Ok("true"), "no busybox or no dnsmasq");
    if !there {
        eprintln!("skipped: no busybox or no dnsmasq");
    }
    there
}

const DNSMASQ: &str = "/usr/sbin/dnsmasq";

/// The box and its provider, on one wire.
struct Wire {
    router: Namespace,
    provider: Namespace,
}

impl Wire {
    fn new() -> Option<Self> {
        let (router, provider) = (Namespace::new()?, Namespace::new()?);
        router.ip(&format!("link add wan0 type veth peer name isp netns {}", provider.name));
        router.ip("link set wan0 up");
        provider.ip("link set isp up");
        provider.ip(&format!("addr add {ADDRESS}/24 dev isp"));
        Some(Self { router, provider })
    }

    /// A DHCP server whose log goes to this file.
    fn server(&self, folder: &Path, option_43: &str) -> Server {
        let log = fs::File::create(folder.join("dnsmasq.log")).unwrap();
        let pairs: Vec<_> =
            option_43.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
        let child = self
            .provider
            .exec(DNSMASQ)
            .args(["--no-daemon", "--port=0", "--conf-file=/dev/null", "--user=root", "--log-dhcp"])
            .args(["--interface=isp", "--no-ping", "--dhcp-range=192.0.2.10,192.0.2.99,1h"])
            .arg(format!("--dhcp-leasefile={}", folder.join("leases").display()))
            .arg(format!("--dhcp-option-force=43,{}", pairs.join(":")))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Server(child.unwrap())
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The box has no ACS, makes udhcpc ask, and the hook brings the answer. dnsmasq's log shows how the box has announced
/// itself.
///
/// Conformance: 12.03, 12.09
#[test]
fn the_box_asks_dhcp_and_finds_the_acs() {
    let Some(wire) = there().then(Wire::new).flatten() else { return };
    program::binary().unwrap();
    wire.provider.run(play(&wire));
}

async fn play(wire: &Wire) {
    let options = AcsOptions { listen: format!("{ADDRESS}:0").parse().unwrap(), ..acs_options() };
    // No sandbox: there no command runs. The box must not go down with the test.
    let real = |sandbox: Sandbox| {
        let folder = sandbox.folder().to_owned();
        let udhcpc = format!(
            "{} udhcpc -i wan0 -f -n -q -s {} -O 43 -O 125 -V dslforum.org",
            on_path("busybox"),
            folder.join("script").display()
        );
        without_url(sandbox)
            .with("cwmpd", "sandbox", "false")
            .with("cwmpd", "download_dir", &folder.join("downloads").to_string_lossy())
            .with("generic-linux", "reboot_command", "/bin/false")
            .with("generic-linux", "dhcp_renew_command", &udhcpc)
    };
    let mut scene = Scene::new(options, real).await;
    let folder = scene.folder().to_owned();
    let hook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../platforms/generic-linux/packaging/dhcp/udhcpc");
    script(
        &folder.join("cwmpd"),
        &format!(
            "#!/bin/sh\nexec '{}' --control '{}' \"$@\"\n",
            program::binary().unwrap().display(),
            scene.sandbox.socket().display()
        ),
    );
    script(
        &folder.join("script"),
        &format!(
            "#!/bin/sh\n[ \"$1\" != bound ] || ip addr replace \"$ip/$mask\" dev \"$interface\"\n\
             CWMPD='{}' exec '{}' \"$1\"\n",
            folder.join("cwmpd").display(),
            hook.display()
        ),
    );
    let server = wire.server(&folder, &option_43(&[(1, &scene.acs.url()), (2, "BY.DHCP")]));
    scene.agent = Some(wire.router.cwmpd(&scene.sandbox));
    let report = scene.good_session(EventCode::Bootstrap).await;
    assert!(report.has_event(&EventCode::Boot));
    let code = scene.ask(&["get", "Device.DeviceInfo.ProvisioningCode"]);
    assert_eq!(code, "Device.DeviceInfo.ProvisioningCode=BY.DHCP\n");
    let log = fs::read_to_string(folder.join("dnsmasq.log")).unwrap();
    assert!(log.contains("vendor class: dslforum.org"), "{log}");
    assert!(log.contains("43:vendor-encap, 125:vendor-id-encap"), "{log}");
    assert!(runs(scene.agent()));
    drop(server);
    scene.assert_clean();
}

fn on_path(program: &str) -> String {
    let folders = std::env::var_os("PATH").unwrap();
    let found =
        std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.unwrap().to_string_lossy().into_owned()
}
