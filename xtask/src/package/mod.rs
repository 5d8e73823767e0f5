//! `package`: the program with all that OpenWrt wants around it, as one file that opkg installs.

mod archive;
mod contents;
#[cfg(test)]
mod tests;

use crate::build;
use crate::flags;
use crate::sh::{Res, Sh};
use archive::{Member, tar_gz};
use contents::Identity;
use std::path::Path;

/// OpenWrt's own release number of a package, which follows the version of the program.
const RELEASE: &str = "r1";

/// What OpenWrt calls the processor of a target, where one name is the usual one; the program is static and runs on its
/// relatives as well, for which `--arch` gives the name.
const ARCHITECTURES: [(&str, &str); 8] = [
    ("mipsel-unknown-linux-musl", "mipsel_24kc"),
    ("mips-unknown-linux-musl", "mips_24kc"),
    ("aarch64-unknown-linux-musl", "aarch64_generic"),
    ("arm-unknown-linux-musleabi", "arm_arm926ej-s"),
    ("armv7-unknown-linux-musleabihf", "arm_cortex-a7_neon-vfpv4"),
    ("i686-unknown-linux-musl", "i386_pentium4"),
    ("riscv64gc-unknown-linux-musl", "riscv64_riscv64"),
    ("x86_64-unknown-linux-musl", "x86_64"),
];

pub(crate) fn run(sh: &Sh, options: &flags::Package) -> Res {
    let target = options.target.as_deref().unwrap_or(build::MIPSEL);
    let architecture = architecture(target, options.arch.as_deref())?;
    let program = match &options.program {
        Some(file) => sh.root().join(file),
        None => build::for_openwrt(sh, target, sh.ci() || options.setup)?,
    };
    let program = std::fs::read(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    let version = format!("{}-{RELEASE}", env!("CARGO_PKG_VERSION"));
    let identity = Identity { version: &version, architecture, epoch: epoch(sh)? };
    let bytes = ipk(sh, &identity, program)?;
    let folder = sh.target("dist").join(target);
    let file = folder.join(format!("cwmpd_{version}_{architecture}.ipk"));
    write(&folder, &file, &bytes)?;
    println!("{}: {} bytes", file.display(), bytes.len());
    Ok(())
}

/// The package for the smallest boxes, around a program whose size is held.
pub(crate) fn check(sh: &Sh) -> Res {
    let program = build::held_for_openwrt(sh, build::MIPSEL, sh.ci(), None)?;
    let program = Some(program.to_string_lossy().into_owned());
    run(sh, &flags::Package { program, ..flags::Package::default() })
}

fn architecture<'a>(target: &str, named: Option<&'a str>) -> Result<&'a str, String> {
    let known = ARCHITECTURES.iter().find(|(known, _)| *known == target).map(|(_, name)| *name);
    named.or(known).ok_or_else(|| format!("{target}: give OpenWrt's name of the processor with --arch"))
}

/// The time of everything in the package: SOURCE_DATE_EPOCH, else that of the last commit.
fn epoch(sh: &Sh) -> Res<u64> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => sh.cmd("git").words("log -1 --format=%ct").read()?,
    };
    text.trim().parse().map_err(|_| "SOURCE_DATE_EPOCH must be seconds since 1970".into())
}

/// The package file: an archive of archives.
fn ipk(sh: &Sh, identity: &Identity<'_>, program: Vec<u8>) -> Res<Vec<u8>> {
    let data = contents::data(sh, program)?;
    let control = contents::control(sh, identity, &data)?;
    let inner = |members: &archive::Members| {
        tar_gz(members.iter().map(|(path, member)| (path.as_str(), member)), identity.epoch)
            .map(|bytes| Member::file(0o644, bytes))
    };
    let version = Member::file(0o644, "2.0\n");
    let (data, control) = (inner(&data)?, inner(&control)?);
    let outer = [("debian-binary", &version), ("data.tar.gz", &data), ("control.tar.gz", &control)];
    Ok(tar_gz(outer, identity.epoch)?)
}

fn write(folder: &Path, file: &Path, bytes: &[u8]) -> Result<(), String> {
    let done = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(file, bytes));
    done.map_err(|error| format!("{}: {error}", file.display()))
}
