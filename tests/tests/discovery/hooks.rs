//! The hooks for DHCP clients: whatever the server says becomes an argument of cwmpd, and nothing else.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Values that a shell would make something of.
const HOSTILE: [&str; 11] = [
    "$(touch owned)",
    "`touch owned`",
    "; touch owned;",
    "| touch owned",
    "a b\tc",
    "line\ntouch owned\n",
    "--config=/tmp",
    "*",
    "\"'\\",
    "${HOME}",
    "&& touch owned || touch owned",
];

struct Bench {
    folder: tempfile::TempDir,
    shell: Vec<&'static str>,
}

/// The shells that a box may have: that of this machine, and that of busybox.
fn benches() -> Vec<Bench> {
    let shells = [vec!["sh"], vec!["busybox", "sh"]];
    let there = |shell: &Vec<&'static str>| {
        let mut command = Command::new(shell[0]);
        let there = command.args(&shell[1..]).args(["-c", "true"]).output().is_ok_and(|o| o.status.success());
        // Where everything could have been installed, a skip hides a defect.
        assert!(there || std::env::var("CI").as_deref() != Ok("true"), "no {}", shell[0]);
        there
    };
    let make = |shell| {
        let folder = tempfile::tempdir().unwrap();
        let fake = folder.path().join("cwmpd");
        // One argument a line, their ends marked.
        fs::write(&fake, "#!/bin/sh\nfor word; do printf '<%s>\\n' \"$word\"; done >> words\n").unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        Bench { folder, shell }
    };
    shells.into_iter().filter(there).map(make).collect()
}

fn hook(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../platforms/generic-linux/packaging/dhcp").join(name)
}

impl Bench {
    /// What cwmpd was called with by a hook with these arguments and variables.
    fn run(&self, hook: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let folder = self.folder.path();
        let mut command = Command::new(self.shell[0]);
        command.args(&self.shell[1..]).arg(hook).args(arguments).current_dir(folder);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command
            .env("CWMPD", folder.join("cwmpd"))
            .env("CWMPD_LEASES", folder)
            .envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!folder.join("owned").exists(), "{variables:?} was executed");
        let words = folder.join("words");
        let text = fs::read_to_string(&words).unwrap_or_default();
        fs::remove_file(&words).ok();
        text
    }
}

/// As the fake writes them.
fn words(words: &[&str]) -> String {
    words.iter().map(|word| format!("<{word}>\n")).collect()
}

#[test]
fn udhcpc_hands_over_what_it_was_told() {
    for bench in benches() {
        for value in HOSTILE.into_iter().chain(["010461626364"]) {
            let variables = [("interface", "eth0"), ("opt43", value), ("opt125", value)];
            for reason in ["bound", "renew"] {
                let expected =
                    words(&["dhcp", "--interface", "eth0", "--option43", value, "--option125", value]);
                assert_eq!(bench.run(&hook("udhcpc"), &[reason], &variables), expected);
            }
            assert_eq!(bench.run(&hook("udhcpc"), &["deconfig"], &variables), "");
        }
        let none = bench.run(&hook("udhcpc"), &["bound"], &[("interface", "eth0")]);
        assert_eq!(none, words(&["dhcp", "--interface", "eth0"]), "a lease without options is news as well");
    }
}

/// Conformance: 13.06
#[test]
fn dhclient_reads_its_hook_and_goes_on_as_before() {
    for bench in benches() {
        // As dhclient-script does: the hook is a part of it, and its own arguments and status stay.
        let script = bench.folder.path().join("dhclient-script");
        let text = format!(
            "#!/bin/sh\nset -- kept \"$@\"\n. '{}'\n[ \"$*\" = \"kept own\" ] || exit 9\n",
            hook("dhclient").display()
        );
        fs::write(&script, text).unwrap();
        for value in HOSTILE.into_iter().chain(["1:4:61:62"]) {
            let variables = [
                ("interface", "eth0"),
                ("reason", "BOUND"),
                ("new_vendor_encapsulated_options", value),
                ("new_cwmpd_identity", value),
            ];
            let expected = words(&["dhcp", "--interface", "eth0", "--option43", value, "--option125", value]);
            assert_eq!(bench.run(&script, &["own"], &variables), expected);
            let variables = [("interface", "eth0"), ("reason", "REBIND6"), ("new_dhcp6_vendor_opts", value)];
            let expected = words(&["dhcp", "--interface", "eth0", "--option17", value]);
            assert_eq!(bench.run(&script, &["own"], &variables), expected);
        }
        assert_eq!(bench.run(&script, &["own"], &[("interface", "eth0"), ("reason", "EXPIRE")]), "");
    }
}

#[test]
fn odhcp6c_hands_over_what_it_was_told() {
    for bench in benches() {
        for value in HOSTILE.into_iter().chain(["00000de9"]) {
            let run = |reason| bench.run(&hook("odhcp6c"), &["eth0", reason], &[("OPTION_17", value)]);
            assert_eq!(run("bound"), words(&["dhcp", "--interface", "eth0", "--option17", value]));
            assert_eq!(run("stopped"), "");
        }
    }
}

#[test]
fn the_lease_of_networkd_is_read_and_not_executed() {
    for bench in benches() {
        let index = fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
        let lease = bench.folder.path().join(index.trim());
        for value in HOSTILE.into_iter().filter(|value| !value.contains('\n')).chain(["010461626364"]) {
            let text = format!("# This is private data.\nADDRESS=192.0.2.2\nVENDOR_SPECIFIC={value}\nT1=1\n");
            fs::write(&lease, text).unwrap();
            let found = bench.run(&hook("networkd"), &[], &[("IFACE", "lo")]);
            assert_eq!(found, words(&["dhcp", "--interface", "lo", "--option43", value]));
        }
        fs::remove_file(&lease).unwrap();
        assert_eq!(bench.run(&hook("networkd"), &[], &[("IFACE", "lo")]), "");
        assert_eq!(bench.run(&hook("networkd"), &[], &[("IFACE", "../../../etc")]), "");
    }
}
