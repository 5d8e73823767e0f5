//! Packages in the formats of opkg and apk, for tests that install them.

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder},
};
use std::io::Write;

/// A gzip stream.
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// A tar with these members, as GNU tar writes it.
#[must_use]
pub fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, content) in members {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        let size = format!("{:011o}\0", content.len());
        for (at, text) in [
            (100, "0000755\0"),
            (108, "0000000\0"),
            (116, "0000000\0"),
            (124, size.as_str()),
            (136, "00000000000\0"),
            (148, "        "),
            (156, "0"),
            (257, "ustar  \0"),
        ] {
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
        }
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend_from_slice(&header);
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

/// A package of opkg with these init scripts.
#[must_use]
pub fn ipk(name: &str, version: &str, scripts: &[&str]) -> Vec<u8> {
    let control = format!(
        "Package: {name}\nVersion: {version}\nDepends: libc\nSection: utils\nArchitecture: all\n\
         Maintainer: Somebody <somebody@example.com>\nDescription: a test\n"
    );
    let paths: Vec<String> = scripts.iter().map(|script| format!("./etc/init.d/{script}")).collect();
    let members: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), SCRIPT.as_bytes())).collect();
    let data = gzip(&tar(&members));
    let control = gzip(&tar(&[("./control", control.as_bytes())]));
    gzip(&tar(&[("./debian-binary", b"2.0\n"), ("./data.tar.gz", &data), ("./control.tar.gz", &control)]))
}

/// Plays an init script: whether its service runs is a file below `var/run/services`, whether it starts with the box a link
/// below `etc/rc.d`.
const SCRIPT: &str = r#"#!/bin/sh
root=$(cd "$(dirname "$0")/../.." && pwd)
name=$(basename "$0")
echo "$name $*" >> "$root/tmp/commands"
case "$1" in
start)
	[ -e "$root/tmp/refuse-$name" ] && { echo "$name: no" >&2; exit 1; }
	mkdir -p "$root/var/run/services" && : > "$root/var/run/services/$name" ;;
stop) rm -f "$root/var/run/services/$name" ;;
enable) mkdir -p "$root/etc/rc.d" && ln -sf "../init.d/$name" "$root/etc/rc.d/S95$name" ;;
disable) rm -f "$root/etc/rc.d/"S??"$name" ;;
esac
"#;

/// A package of apk-tools 3: the database of its values, without files.
#[must_use]
pub fn apk(name: &str, version: &str) -> Vec<u8> {
    let mut values = vec![0_u8; 8];
    let mut blob = |text: &str| {
        let at = u32::try_from(values.len()).expect("a test is small");
        values.push(u8::try_from(text.len()).expect("a test is short"));
        values.extend_from_slice(text.as_bytes());
        (0x8 << 28) | at
    };
    let (name, version) = (blob(name), blob(version));
    let mut object = |slots: &[u32]| {
        values.resize(values.len().next_multiple_of(4), 0);
        let at = u32::try_from(values.len()).expect("a test is small");
        values.extend_from_slice(&u32::try_from(slots.len() + 1).expect("few").to_le_bytes());
        slots.iter().for_each(|slot| values.extend_from_slice(&slot.to_le_bytes()));
        (0xe << 28) | at
    };
    let info = object(&[name, version]);
    let package = object(&[info]);
    values[4..8].copy_from_slice(&package.to_le_bytes());
    let mut file = b"ADB.pckg".to_vec();
    file.extend_from_slice(&u32::try_from(values.len() + 4).expect("a test is small").to_le_bytes());
    file.extend_from_slice(&values);
    file.resize(file.len().next_multiple_of(8), 0);
    file
}

/// The same, deflated.
#[must_use]
pub fn deflated_apk(name: &str, version: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&apk(name, version)).expect("memory takes all");
    [b"ADBd".as_slice(), &encoder.finish().expect("memory takes all")].concat()
}
