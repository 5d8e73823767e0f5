//! The package as others see it: read back, unpacked by python and busybox, its scripts run under busybox's shell in a
//! root folder of their own, with the functions of OpenWrt played.

use super::*;
use crate::sh::on_path;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const IDENTITY: Identity<'_> =
    Identity { version: "0.1.0-r1", architecture: "mipsel_24kc", epoch: 1_700_000_000 };
/// Stands for the program: writes down what it was called with.
const PROGRAM: &str = "#!/bin/sh\nfor word; do printf '<%s>\\n' \"$word\"; done >> /log\n";
/// What a shell would make something of.
const HOSTILE: [&str; 9] = [
    "$(touch /owned)",
    "`touch /owned`",
    "; touch /owned;",
    "| touch /owned",
    "line\ntouch /owned\n",
    "*",
    "\"'\\",
    "'; touch /owned; '",
    "--config=/tmp",
];

fn package() -> Vec<u8> {
    ipk(&Sh::new(), &IDENTITY, PROGRAM.into()).unwrap()
}

/// The members of an archive: name, mode, content.
fn members(packed: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert!(header.as_gnu().is_some() && (header.uid().unwrap(), header.gid().unwrap()) == (0, 0));
        assert_eq!(header.mtime().unwrap(), IDENTITY.epoch);
        let (name, mode) =
            (String::from_utf8(entry.path_bytes().into_owned()).unwrap(), header.mode().unwrap());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (name, mode, content)
    };
    // Raw: what extends a header would be an entry of its own.
    archive.entries().unwrap().raw(true).map(read).collect()
}

fn part(packed: &[u8], name: &str) -> Vec<u8> {
    members(packed).into_iter().find(|(found, ..)| found == name).unwrap().2
}

#[test]
fn building_twice_gives_the_same_bytes() {
    assert!(package() == package());
}

#[test]
fn our_reader_finds_what_opkg_looks_for() {
    let packed = package();
    // Byte 4 to 7 of gzip are its time, bit 3 of byte 3 a name.
    assert_eq!(packed.get(3..8), Some([0; 5].as_slice()));
    let names: Vec<_> = members(&packed).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["./debian-binary", "./data.tar.gz", "./control.tar.gz"]);
    assert_eq!(part(&packed, "./debian-binary"), b"2.0\n");

    let data = members(&part(&packed, "./data.tar.gz"));
    let names: Vec<_> = data.iter().map(|(name, ..)| name.as_str()).collect();
    assert!(names.is_sorted() && names.first() == Some(&"./"), "{names:?}");
    let mode = |path: &str| {
        let found = data.iter().find(|(name, ..)| name == path);
        found.unwrap_or_else(|| panic!("{path} is missing")).1
    };
    for (path, expected) in [
        ("./usr/sbin/cwmpd", 0o755),
        ("./etc/init.d/cwmpd", 0o755),
        ("./etc/uci-defaults/95-cwmpd", 0o755),
        ("./etc/cwmpd/", 0o700),
        ("./etc/cwmpd/factory.ini", 0o600),
        ("./etc/config/cwmpd", 0o600),
        ("./etc/udhcpc.user.d/cwmpd", 0o644),
        ("./etc/odhcp6c.user.d/cwmpd", 0o644),
        ("./etc/hotplug.d/ntp/50-cwmpd", 0o644),
        // ubusd passes over a list that others than root can write.
        ("./usr/share/acl.d/cwmpd.json", 0o644),
    ] {
        assert_eq!(mode(path), expected, "{path}");
    }
    let content = |path: &str| &data.iter().find(|(name, ..)| name == path).unwrap().2;
    // What sysupgrade keeps beside the files that are the owner's: settings and state.
    assert_eq!(content("./lib/upgrade/keep.d/cwmpd"), b"/etc/cwmpd/\n");
    let list: serde_json::Value = serde_json::from_slice(content("./usr/share/acl.d/cwmpd.json")).unwrap();
    assert!(list["access"].is_object() || list["user"].is_string(), "{list}");

    let control = part(&packed, "./control.tar.gz");
    let text = String::from_utf8(part(&control, "./control")).unwrap();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    assert_eq!((field("Package"), field("Version")), (Some("cwmpd"), Some("0.1.0-r1")));
    assert_eq!(field("Architecture"), Some("mipsel_24kc"));
    let bytes: usize = data.iter().map(|(.., content)| content.len()).sum();
    assert_eq!(field("Installed-Size"), Some(bytes.to_string().as_str()));
    // Each file that an upgrade leaves alone is there.
    for owned in String::from_utf8(part(&control, "./conffiles")).unwrap().lines() {
        assert!(names.contains(&format!(".{owned}").as_str()), "{owned}");
    }
}

#[test]
fn a_package_that_opkg_would_misread_is_not_made() {
    for (version, architecture) in
        [("", "mips_24kc"), ("1 2", "mips_24kc"), ("1\nEssential: yes", "x"), ("1", "")]
    {
        let identity = Identity { version, architecture, epoch: 0 };
        assert!(ipk(&Sh::new(), &identity, Vec::new()).is_err(), "{version:?} {architecture:?}");
    }
    assert_eq!(architecture("mips-unknown-linux-musl", None), Ok("mips_24kc"));
    assert_eq!(architecture("mips-unknown-linux-musl", Some("mips_mips32")), Ok("mips_mips32"));
    assert!(architecture("vax-unknown-netbsd", None).unwrap_err().contains("--arch"));
}

/// A folder below `target/`, new for each test.
fn folder(name: &str) -> PathBuf {
    let folder = Sh::new().target("test-package").join(format!("{name}-{}", std::process::id()));
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether a program is there; where everything could have been installed, a skip hides a defect.
fn there(program: &str) -> bool {
    let there = on_path(program).is_some();
    assert!(there || !Sh::new().ci(), "no {program}");
    there
}

#[test]
fn python_reads_the_same_members() {
    if !there("python3") {
        return;
    }
    let folder = folder("python");
    fs::write(folder.join("p.ipk"), package()).unwrap();
    let script = "import io, sys, tarfile\n\
        outer = tarfile.open(sys.argv[1], 'r:gz')\n\
        for part in ('./data.tar.gz', './control.tar.gz'):\n\
        \x20   inner = tarfile.open(fileobj=io.BytesIO(outer.extractfile(part).read()), mode='r:gz')\n\
        \x20   assert not inner.pax_headers\n\
        \x20   for m in inner:\n\
        \x20       assert m.uid == m.gid == 0 and (m.isdir() or m.isreg())\n\
        \x20       print(part, m.name, oct(m.mode), m.size if m.isreg() else 'folder')\n";
    let output = Command::new("python3").arg("-c").arg(script).arg(folder.join("p.ipk")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let packed = package();
    let mut expected = String::new();
    for name in ["./data.tar.gz", "./control.tar.gz"] {
        for (member, mode, content) in members(&part(&packed, name)) {
            // Python leaves the slash of a folder away.
            let (shown, size) = match member.strip_suffix('/') {
                Some(folder) => (folder, "folder".to_owned()),
                None => (member.as_str(), content.len().to_string()),
            };
            expected.push_str(&format!("{name} {shown} 0o{mode:o} {size}\n"));
        }
    }
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    fs::remove_dir_all(folder).unwrap();
}

/// A root folder with the package unpacked by busybox, and OpenWrt's functions played: each writes its name and arguments
/// to `/log`. Settings are files, `/uci/PACKAGE.SECTION.OPTION`.
struct Router {
    root: PathBuf,
}

const FUNCTIONS: &str = r#"
record() { for word; do printf '<%s>' "$word"; done >> /log; echo >> /log; }
default_postinst() { record default_postinst "$@"; }
default_prerm() { record default_prerm "$@"; }
config_load() { package=$1; }
config_get() {
    local value=$4
    [ ! -f "/uci/$package.$2.$3" ] || value=$(cat "/uci/$package.$2.$3")
    eval "$1=\$value"
}
config_get_bool() {
    config_get "$@"
    eval "case \"\$$1\" in 1 | on | true | yes | enabled) $1=1 ;; *) $1=0 ;; esac"
}
"#;
const RC_COMMON: &str = r#"
. /lib/functions.sh
for name in procd_open_instance procd_set_param procd_close_instance procd_open_data procd_close_data \
    procd_set_config_changed procd_add_reload_trigger json_add_array json_add_object json_add_string json_close_object \
    json_close_array; do
    eval "$name() { record $name \"\$@\"; }"
done
. "$1"
"$2"
"#;
const UCI: &str = r#"#!/bin/sh
[ "$1" != -q ] || shift
case "$1" in
    get) [ ! -f "/uci/$2" ] && exit 1; cat "/uci/$2" ;;
    set) printf '%s\n' "${2#*=}" > "/uci/${2%%=*}" ;;
    commit) echo "commit $2" >> /log ;;
esac
"#;

impl Router {
    /// `None` where this machine cannot do it.
    fn new(name: &str) -> Option<Self> {
        let busybox = on_path("busybox").filter(|_| there("busybox") && there("unshare"))?;
        let root = folder(name);
        let packed = package();
        for (archive, below) in [("./data.tar.gz", "."), ("./control.tar.gz", "control")] {
            fs::create_dir_all(root.join(below)).unwrap();
            let mut tar = Command::new(&busybox);
            let tar = tar.args(["tar", "-xz", "-C"]).arg(root.join(below)).stdin(Stdio::piped());
            let mut child = tar.spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), &part(&packed, archive)).unwrap();
            assert!(child.wait().unwrap().success());
        }
        for below in ["bin", "usr/bin", "uci", "dev", "lib"] {
            fs::create_dir_all(root.join(below)).unwrap();
        }
        fs::copy(busybox, root.join("bin/busybox")).unwrap();
        for applet in ["sh", "cat", "chmod", "mkdir", "touch"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        fs::write(root.join("dev/null"), "").unwrap();
        fs::write(root.join("lib/functions.sh"), FUNCTIONS).unwrap();
        fs::write(root.join("etc/rc.common"), RC_COMMON).unwrap();
        fs::write(root.join("usr/bin/uci"), UCI).unwrap();
        fs::set_permissions(root.join("usr/bin/uci"), fs::Permissions::from_mode(0o755)).unwrap();
        let made = Self { root };
        if made.start(&["/bin/sh", "-c", "true"], &[]).is_err() {
            assert!(!Sh::new().ci(), "no right to change the root folder");
            return None;
        }
        Some(made)
    }

    fn start(&self, words: &[&str], variables: &[(&str, &str)]) -> Result<(), String> {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--root"]).arg(&self.root).args(words);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/bin").envs(variables.iter().copied());
        let output = command.output().map_err(|error| error.to_string())?;
        assert!(!self.root.join("owned").exists(), "{words:?} {variables:?}: something was executed");
        match output.status.success() && output.stderr.is_empty() {
            true => Ok(()),
            false => Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// Runs something, and returns what was called.
    fn run(&self, words: &[&str], variables: &[(&str, &str)]) -> String {
        self.start(words, variables).unwrap();
        let log = self.root.join("log");
        let text = fs::read_to_string(&log).unwrap_or_default();
        fs::remove_file(log).ok();
        text
    }

    fn set(&self, key: &str, value: &str) {
        fs::write(self.root.join("uci").join(key), value).unwrap();
    }

    fn get(&self, key: &str) -> Option<String> {
        fs::read_to_string(self.root.join("uci").join(key)).ok()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.root).ok();
    }
}

#[test]
fn every_script_is_one_for_this_shell() {
    let Some(there) = Router::new("syntax") else { return };
    for script in [
        "/etc/init.d/cwmpd",
        "/etc/uci-defaults/95-cwmpd",
        "/etc/udhcpc.user.d/cwmpd",
        "/etc/odhcp6c.user.d/cwmpd",
        "/etc/hotplug.d/ntp/50-cwmpd",
    ]
    .into_iter()
    .chain([
        "/usr/lib/cwmpd/dhcp/udhcpc",
        "/usr/lib/cwmpd/dhcp/odhcp6c",
        "/control/postinst",
        "/control/prerm",
    ]) {
        there.start(&["/bin/sh", "-n", script], &[]).unwrap();
    }
}

#[test]
fn installing_and_removing_call_what_openwrt_has_for_it() {
    let Some(there) = Router::new("install") else { return };
    let called = there.run(&["/control/postinst", "configure"], &[]);
    assert_eq!(called, "<default_postinst></control/postinst><configure>\n");
    assert_eq!(there.run(&["/control/prerm", "remove"], &[]), "<default_prerm></control/prerm><remove>\n");
    // While an image is built, no script of the box runs.
    assert_eq!(there.run(&["/control/postinst"], &[("IPKG_NO_SCRIPT", "1")]), "");
    assert_eq!(there.run(&["/control/postinst"], &[("IPKG_INSTROOT", "/nowhere")]), "");
}

#[test]
fn the_service_is_started_again_and_let_in_through_the_firewall() {
    let Some(there) = Router::new("service") else { return };
    there.set("cwmpd.service.firewall_zone", "wan");
    let called = there.run(&["/etc/init.d/cwmpd", "start_service"], &[]);
    for line in [
        "<procd_set_param><command></usr/sbin/cwmpd><run>",
        "<procd_set_param><respawn><3600><5><0>",
        // Not the file that cwmpd writes itself: that would be a restart for each change of the ACS.
        "<procd_set_param><file></etc/cwmpd/factory.ini></etc/cwmpd/ISP.def>",
        "<json_add_string><src><wan>",
        "<json_add_string><dest_port><7547>",
        "<procd_close_instance>",
    ] {
        assert!(called.lines().any(|called| called == line), "{line} in\n{called}");
    }
    let triggers = there.run(&["/etc/init.d/cwmpd", "service_triggers"], &[]);
    assert_eq!(triggers, "<procd_add_reload_trigger><cwmpd>\n");
    there.set("cwmpd.service.enabled", "0");
    assert_eq!(there.run(&["/etc/init.d/cwmpd", "start_service"], &[]), "");
}

#[test]
fn settings_of_the_service_are_not_evaluated() {
    let Some(there) = Router::new("hostile") else { return };
    for value in HOSTILE.into_iter().chain(["wan wan", "", "123456"]) {
        for (zone, port) in [(value, "7547"), ("wan", value)] {
            there.set("cwmpd.service.firewall_zone", zone);
            there.set("cwmpd.service.firewall_port", port);
            let called = there.run(&["/etc/init.d/cwmpd", "start_service"], &[]);
            let rule = called.contains("json_add_string");
            // A zone may well be called 123456.
            assert_eq!(rule, (zone, port) == ("123456", "7547"), "{zone:?} {port:?}:\n{called}");
            assert!(called.contains("<command></usr/sbin/cwmpd><run>"), "{called}");
        }
        there.set("cwmpd.service.enabled", value);
        assert_eq!(there.run(&["/etc/init.d/cwmpd", "start_service"], &[]), "");
        fs::remove_file(there.root.join("uci/cwmpd.service.enabled")).unwrap();
    }
}

#[test]
fn the_uplink_is_made_to_ask_and_what_is_set_stays() {
    let Some(there) = Router::new("defaults") else { return };
    let defaults = ["/etc/uci-defaults/95-cwmpd"];
    assert_eq!(there.run(&defaults, &[]), "", "without an uplink nothing is written");
    there.set("network.wan.proto", "dhcp");
    there.set("network.wan6.proto", "dhcpv6");
    assert_eq!(there.run(&defaults, &[]), "commit network\n");
    assert_eq!(there.get("network.wan.reqopts").as_deref(), Some("43 125\n"));
    assert_eq!(there.get("network.wan.vendorid").as_deref(), Some("dslforum.org\n"));
    assert_eq!(there.get("network.wan6.reqopts").as_deref(), Some("17\n"));
    assert_eq!(there.run(&defaults, &[]), "", "again nothing");

    for value in HOSTILE {
        there.set("network.wan.vendorid", value);
        assert_eq!(there.run(&defaults, &[]), "");
        assert_eq!(there.get("network.wan.vendorid").as_deref(), Some(value));
    }
    fs::set_permissions(there.root.join("etc/config/cwmpd"), fs::Permissions::from_mode(0o644)).unwrap();
    there.run(&defaults, &[]);
    let mode = |path| fs::metadata(there.root.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("etc/config/cwmpd"), mode("etc/cwmpd")), (0o600, 0o700));
}

#[test]
fn what_dhcp_servers_say_becomes_an_argument_and_nothing_else() {
    let Some(there) = Router::new("dhcp") else { return };
    // As OpenWrt's scripts do: all files of the folder are sourced, with the arguments of the script.
    let script = |folder: &str| format!("for file in /etc/{folder}/*; do . \"$file\"; done; exit 0");
    let (four, six) = (script("udhcpc.user.d"), script("odhcp6c.user.d"));
    for value in HOSTILE.into_iter().chain(["0104687474703a"]) {
        let variables = [("interface", "eth1"), ("opt43", value), ("opt125", value)];
        let called = there.run(&["/bin/sh", "-c", &four, "script", "bound"], &variables);
        let expected =
            format!("<dhcp>\n<--interface>\n<eth1>\n<--option43>\n<{value}>\n<--option125>\n<{value}>\n");
        assert_eq!(called, expected);
        assert_eq!(there.run(&["/bin/sh", "-c", &four, "script", "deconfig"], &variables), "");
        let called = there.run(&["/bin/sh", "-c", &six, "script", "eth1", "bound"], &[("OPTION_17", value)]);
        assert_eq!(called, format!("<dhcp>\n<--interface>\n<eth1>\n<--option17>\n<{value}>\n"));
    }
}

#[test]
fn a_clock_that_is_set_leaves_the_mark_that_the_agent_looks_for() {
    let Some(there) = Router::new("ntp") else { return };
    let mark = there.root.join("var/run/cwmpd/clock");
    let event = |action: &str| there.run(&["/bin/sh", "/etc/hotplug.d/ntp/50-cwmpd"], &[("ACTION", action)]);
    for action in HOSTILE.into_iter().chain(["", "unsync", "periodic"]) {
        event(action);
        assert!(!mark.exists(), "{action}");
    }
    for action in ["stratum", "step"] {
        event(action);
        assert!(mark.exists(), "{action}");
        let folder = fs::metadata(mark.parent().unwrap()).unwrap();
        // It is the folder of downloads as well.
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
        fs::remove_file(&mark).unwrap();
    }
}
