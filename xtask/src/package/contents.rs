//! What the package for OpenWrt holds, beside the program.

use super::archive::{Member, Members, with_parents};
use crate::sh::{Res, Sh};

/// Where the program goes.
const PROGRAM: &str = "usr/sbin/cwmpd";
/// The folder of the settings and of the state: both hold secrets.
const FOLDER: &str = "etc/cwmpd";

/// Path on the box, mode, file of the repository.
const FILES: [(&str, u32, &str); 10] = [
    ("etc/config/cwmpd", 0o600, "platforms/openwrt/package/cwmpd.config"),
    ("etc/cwmpd/factory.ini", 0o600, "platforms/openwrt/package/factory.ini"),
    ("etc/init.d/cwmpd", 0o755, "platforms/openwrt/package/cwmpd.init"),
    ("etc/uci-defaults/95-cwmpd", 0o755, "platforms/openwrt/package/cwmpd.defaults"),
    ("etc/udhcpc.user.d/cwmpd", 0o644, "platforms/openwrt/package/udhcpc.user"),
    ("etc/odhcp6c.user.d/cwmpd", 0o644, "platforms/openwrt/package/odhcp6c.user"),
    ("etc/hotplug.d/ntp/50-cwmpd", 0o644, "platforms/openwrt/package/ntp.hotplug"),
    ("lib/upgrade/keep.d/cwmpd", 0o644, "platforms/openwrt/package/cwmpd.keep"),
    ("usr/lib/cwmpd/dhcp/udhcpc", 0o755, "platforms/generic-linux/packaging/dhcp/udhcpc"),
    ("usr/lib/cwmpd/dhcp/odhcp6c", 0o755, "platforms/generic-linux/packaging/dhcp/odhcp6c"),
];
/// Who but root may ask the agent over the bus.
const ACCESS_LIST: (&str, u32, &str) =
    ("usr/share/acl.d/cwmpd.json", 0o644, "crates/cwmpd/ubus/cwmpd_acl.json");

/// Files that an upgrade of the package leaves to their owner.
const OWNED: [&str; 2] = ["/etc/config/cwmpd", "/etc/cwmpd/factory.ini"];

/// What the package is called, and for whom.
pub(super) struct Identity<'a> {
    /// OpenWrt's form of the version: `0.1.0-r1`.
    pub(super) version: &'a str,
    /// OpenWrt's name of the processor.
    pub(super) architecture: &'a str,
    /// Seconds since 1970.
    pub(super) epoch: u64,
}

/// What is unpacked on the box.
pub(super) fn data(sh: &Sh, program: Vec<u8>) -> Res<Members> {
    let mut members = Members::new();
    for (path, mode, source) in FILES.into_iter().chain([ACCESS_LIST]) {
        members.insert(path.to_owned(), Member::file(mode, read(sh, source)?));
    }
    members.insert(PROGRAM.to_owned(), Member::file(0o755, program));
    members.insert(FOLDER.to_owned(), Member::folder(0o700));
    Ok(with_parents(members))
}

/// What the package manager keeps.
pub(super) fn control(sh: &Sh, identity: &Identity<'_>, data: &Members) -> Res<Members> {
    let bytes: usize = data.values().filter_map(|member| member.content.as_ref()).map(Vec::len).sum();
    let Identity { version, architecture, epoch } = identity;
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._+~".contains(&b))
    };
    // opkg takes a package without a version, and says of a wrong architecture something else.
    if !plain(version) || !plain(architecture) {
        return Err(
            format!("`{version}` or `{architecture}` is no version or architecture of a package").into()
        );
    }
    let text = format!(
        "Package: cwmpd\nVersion: {version}\nDepends: libc, ca-bundle\nSource: cwmpd\nSourceName: cwmpd\n\
         License: MIT OR Apache-2.0\nSection: net\nRequire-User: cwmpd:cwmpd\nSourceDateEpoch: {epoch}\n\
         Architecture: {architecture}\nInstalled-Size: {bytes}\n\
         Description: TR-069 (CWMP) agent: reports to the provider's server and does what it asks.\n"
    );
    let scripts = ["postinst", "prerm"].map(|name| (name, format!("platforms/openwrt/package/{name}")));
    let mut members = Members::new();
    members.insert("control".to_owned(), Member::file(0o644, text));
    members
        .insert("conffiles".to_owned(), Member::file(0o644, OWNED.map(|path| format!("{path}\n")).concat()));
    for (name, source) in scripts {
        members.insert(name.to_owned(), Member::file(0o755, read(sh, &source)?));
    }
    Ok(with_parents(members))
}

fn read(sh: &Sh, source: &str) -> Res<Vec<u8>> {
    std::fs::read(sh.root().join(source)).map_err(|error| format!("{source}: {error}").into())
}
