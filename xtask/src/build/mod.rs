//! `build`: the program as it ships: small, static, stripped, checked, run once and measured.

mod elf;
mod plan;
mod ratchet;

use crate::flags;
use crate::need::{self, QEMU, ZIG_VENV, ensure_all};
use crate::sh::{Cmd, Res, Sh};
use plan::{Facts, Plan, Sdk, variable};
use ratchet::Verdict;
use std::path::{Path, PathBuf};

const PROGRAM: &str = "cwmpd";
const PROFILE: &str = "small";
/// What the program is built with for OpenWrt: all that the usual one has, with the other backend.
const OPENWRT: &str = "compression,confine,openwrt,stun,tls,xmpp";
/// The smallest boxes that the program is for, and the target that most tools support least.
pub(crate) const MIPSEL: &str = "mipsel-unknown-linux-musl";

pub(crate) fn run(sh: &Sh, options: &flags::Build) -> Res {
    if options.debug {
        return sh.cargo().words("build -p").arg(PROGRAM).run();
    }
    let setup = sh.ci() || options.setup;
    match (&options.target, &options.bless) {
        (Some(target), bless) if options.openwrt => {
            held_for_openwrt(sh, target, setup, bless.as_deref()).map(drop)
        }
        (Some(target), bless) => cross(sh, target, setup, bless.as_deref()),
        (None, None) => native(sh),
        (None, Some(_)) => Err("--bless needs --target: sizes are kept for what ships on routers".into()),
    }
}

/// The cross build that every CI run makes, and a session of it under the emulator.
pub(crate) fn mipsel(sh: &Sh) -> Res {
    cross(sh, MIPSEL, sh.ci(), None)?;
    let tests = sh.cargo().words("test --workspace --test foreign -- --ignored");
    let tests = tests.env("CWMPD_BIN", sh.target("dist").join(MIPSEL).join(PROGRAM));
    match emulator(MIPSEL) {
        Emulator::None => tests.run_tests(),
        Emulator::Qemu(name) => tests.env("CWMPD_RUNNER", name).run_tests(),
    }
}

fn native(sh: &Sh) -> Res {
    sh.cargo().words("build --profile").arg(PROFILE).arg("-p").arg(PROGRAM).run()?;
    let program = sh.target(PROFILE).join(PROGRAM);
    smoke(|| sh.cmd(&program))?;
    println!("{}: {} bytes", program.display(), size(&program)?);
    Ok(())
}

/// The program for OpenWrt, in a folder of its own. Returns the file.
pub(crate) fn for_openwrt(sh: &Sh, target: &str, setup: bool) -> Res<PathBuf> {
    made(sh, target, Some(OPENWRT), setup, &sh.target("dist").join(target).join("openwrt"))
}

/// The same, held to its size: this is what must fit beside OpenWrt into 16 MB of flash.
pub(crate) fn held_for_openwrt(sh: &Sh, target: &str, setup: bool, bless: Option<&str>) -> Res<PathBuf> {
    let program = for_openwrt(sh, target, setup)?;
    hold(sh, &Held { target, openwrt: true }, size(&program)?, bless)?;
    Ok(program)
}

fn cross(sh: &Sh, target: &str, setup: bool, bless: Option<&str>) -> Res {
    let program = made(sh, target, None, setup, &sh.target("dist").join(target))?;
    hold(sh, &Held { target, openwrt: false }, size(&program)?, bless)
}

/// Builds the program into a folder, and holds it to what every build must be.
fn made(sh: &Sh, target: &str, features: Option<&str>, setup: bool, folder: &Path) -> Res<PathBuf> {
    let plan = plan::choose(&facts(sh, target)?)?;
    eprintln!("{target}: {}", plan.choice);
    ensure_all(&plan.needs, sh, setup)?;
    let build = command(sh, target, &plan);
    let build = match features {
        Some(features) => build.words("--no-default-features --features").arg(features),
        None => build,
    };
    build.run()?;
    let program = finish(sh, target, folder)?;
    let bytes = std::fs::read(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    let elf = elf::parse(&bytes).ok_or_else(|| format!("{}: not an ELF file", program.display()))?;
    let wrong = elf::complaints(&elf, target, plan.fixed);
    if !wrong.is_empty() {
        return Err(format!("{}: {}", program.display(), wrong.join("; ")).into());
    }
    match emulator(target) {
        // A program linked to a router's shared libraries cannot start here.
        _ if !plan.fixed => eprintln!("not run: it needs the router's libraries"),
        Emulator::None => smoke(|| sh.cmd(&program))?,
        Emulator::Qemu(name) => {
            QEMU.ensure(sh, setup)?;
            smoke(|| sh.cmd(&name).arg(&program))?;
        }
    }
    println!("{}: {} bytes", program.display(), bytes.len());
    Ok(program)
}

fn facts(sh: &Sh, target: &str) -> Res<Facts> {
    let library = need::sysroot(sh)?.join("lib/rustlib").join(target).join("lib");
    Ok(Facts {
        target: target.to_owned(),
        linker_named: std::env::var_os(variable(target, "LINKER")).is_some(),
        sdk: std::env::var_os("OPENWRT_SDK").map(|folder| sdk(Path::new(&folder))).transpose()?,
        prebuilt_std: library.is_dir(),
    })
}

/// Finds the compiler in an unpacked SDK: `staging_dir/toolchain-*/bin/*-openwrt-linux-musl-gcc`.
fn sdk(folder: &Path) -> Result<Sdk, String> {
    let staging = folder.join("staging_dir");
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let toolchains = entries(&staging).filter(|path| path.to_string_lossy().contains("/toolchain-"));
    let mut compilers = toolchains
        .flat_map(|toolchain| entries(&toolchain.join("bin")).collect::<Vec<_>>())
        .filter(|file| file.to_string_lossy().ends_with("-openwrt-linux-musl-gcc"));
    let gcc = compilers.next().ok_or_else(|| {
        format!(
            "OPENWRT_SDK: no staging_dir/toolchain-*/bin/*-openwrt-linux-musl-gcc in {}",
            folder.display()
        )
    })?;
    let ar = PathBuf::from(format!("{}ar", gcc.to_string_lossy().trim_end_matches("gcc")));
    Ok(Sdk { staging, gcc, ar })
}

/// The one cargo command of a cross build.
fn command<'sh>(sh: &'sh Sh, target: &str, plan: &Plan) -> Cmd<'sh> {
    let mut cmd = if plan.zig {
        let bin = sh.target(ZIG_VENV).join("bin");
        let zig = bin.join("python-zig");
        sh.cmd(bin.join("cargo-zigbuild")).env("CARGO_ZIGBUILD_ZIG_PATH", zig).arg("zigbuild")
    } else {
        sh.cargo().arg("build")
    };
    cmd = cmd.arg("-p").arg(PROGRAM).arg("--profile").arg(PROFILE).arg("--target").arg(target);
    if plan.build_std {
        // RUSTC_BOOTSTRAP for this one child process: anywhere else it makes build scripts believe in a nightly.
        cmd = cmd
            .env("RUSTC_BOOTSTRAP", "1")
            .words("-Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size");
    }
    for (name, value) in &plan.env {
        let flags = name.ends_with("_RUSTFLAGS").then(|| remapped(sh)).into_iter().flatten();
        let value = std::iter::once(value.clone()).chain(flags).collect::<Vec<_>>().join(" ");
        cmd = cmd.env(name, value);
    }
    // A dependency of rust-ini draws a number at compile time: without a seed no two builds are alike.
    cmd.env("CONST_RANDOM_SEED", PROGRAM)
}

/// Flags that keep this machine's folders out of the program's panic messages: builds in two places are the same, and
/// the short names save flash.
fn remapped(sh: &Sh) -> Vec<String> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(home?.join(".cargo")));
    let library = need::sysroot(sh).ok().map(|root| root.join("lib/rustlib/src/rust"));
    let folders = [(cargo, "cargo"), (library, "rust"), (Some(sh.root().to_owned()), ".")];
    let known = folders.into_iter().filter_map(|(folder, name)| Some((folder?.to_str()?.to_owned(), name)));
    // The variable is split at spaces: such a folder cannot be named in it.
    let usable = known.filter(|(folder, _)| !folder.contains(char::is_whitespace));
    usable.map(|(folder, name)| format!("--remap-path-prefix={folder}={name}")).collect()
}

/// Copies the program to a folder, without what strip leaves.
fn finish(sh: &Sh, target: &str, folder: &Path) -> Res<PathBuf> {
    let built = sh.target(target).join(PROFILE).join(PROGRAM);
    let shipped = folder.join(PROGRAM);
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    if target.starts_with("mips") {
        // 15 % of a MIPS program is .pdr, a table for debuggers that is never loaded.
        let sysroot = need::sysroot(sh)?;
        let host = host(sh)?;
        let objcopy = sysroot.join("lib/rustlib").join(host).join("bin/rust-objcopy");
        let objcopy = sh.cmd(objcopy).env("LD_LIBRARY_PATH", sysroot.join("lib"));
        objcopy.words("--remove-section .pdr").arg(&built).arg(&shipped).run()?;
    } else {
        std::fs::copy(&built, &shipped).map_err(|error| format!("{}: {error}", built.display()))?;
    }
    Ok(shipped)
}

/// The toolchain's own triple.
fn host(sh: &Sh) -> Res<String> {
    let version = sh.cmd("rustc").arg("-vV").read()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc -vV names no host")?.to_owned())
}

enum Emulator {
    None,
    Qemu(String),
}

fn emulator(target: &str) -> Emulator {
    let architecture = target.split('-').next().unwrap_or(target);
    let own = std::env::consts::ARCH;
    match architecture {
        same if same == own => Emulator::None,
        "i586" | "i686" if own == "x86_64" => Emulator::None,
        "riscv64gc" => Emulator::Qemu("qemu-riscv64-static".to_owned()),
        "i586" | "i686" => Emulator::Qemu("qemu-i386-static".to_owned()),
        arm if arm.starts_with("arm") => Emulator::Qemu("qemu-arm-static".to_owned()),
        other => Emulator::Qemu(format!("qemu-{other}-static")),
    }
}

/// Starts the program twice: it must know its version and explain itself.
fn smoke<'sh>(program: impl Fn() -> Cmd<'sh>) -> Res {
    let version = program().arg("--version");
    let shown = version.shown();
    let printed = version.read()?;
    eprintln!("$ {shown}\n{}", printed.trim_end());
    // One version for all packages of the workspace, this one included.
    if !printed.contains(env!("CARGO_PKG_VERSION")) {
        return Err(format!("{shown}\ndid not print the version {}", env!("CARGO_PKG_VERSION")).into());
    }
    let help = program().arg("--help");
    let shown = help.shown();
    if help.read()?.trim().is_empty() {
        return Err(format!("{shown}\nprinted nothing").into());
    }
    Ok(())
}

fn size(file: &Path) -> Res<u64> {
    Ok(std::fs::metadata(file).map_err(|error| format!("{}: {error}", file.display()))?.len())
}

/// A program whose size is on record.
struct Held<'a> {
    target: &'a str,
    openwrt: bool,
}

impl Held<'_> {
    /// What its line in the record is called.
    fn name(&self) -> String {
        format!("{}{}", self.target, if self.openwrt { " openwrt" } else { "" })
    }

    /// The command that records a new size.
    fn bless(&self) -> String {
        let platform = if self.openwrt { " --platform openwrt" } else { "" };
        format!("cargo xtask build --target {}{platform} --bless \"why\"", self.target)
    }
}

/// Compares with the recorded size, or records the new one.
fn hold(sh: &Sh, held: &Held<'_>, bytes: u64, bless: Option<&str>) -> Res {
    let name = held.name();
    let file = sh.root().join(ratchet::FILE);
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", ratchet::FILE))?;
    if let Some(reason) = bless {
        let text = ratchet::blessed(&text, &name, bytes, reason)?;
        std::fs::write(&file, text).map_err(|error| format!("{}: {error}", ratchet::FILE))?;
        eprintln!("{}: {name} is now {bytes}", ratchet::FILE);
        return Ok(());
    }
    let bless = held.bless();
    match ratchet::compare(&text, &name, bytes)? {
        Verdict::Held { recorded } => eprintln!("size: {bytes}, recorded {recorded}: within 1 %"),
        Verdict::Shrunk { recorded } => {
            eprintln!("size: {bytes}, recorded {recorded}: smaller, keep it so with: {bless}");
        }
        Verdict::Grown { recorded } => {
            let grown = bytes - recorded;
            return Err(format!(
                "{name} grew by {grown} bytes to {bytes} ({} recorded {recorded}). Every 100 KB counts on a \
                 router: find out what came in (cargo-bloat), or accept it with a reason: {bless}",
                ratchet::FILE
            )
            .into());
        }
        Verdict::Unknown if sh.ci() => {
            return Err(format!("{}: no line for {name}: {bless}", ratchet::FILE).into());
        }
        Verdict::Unknown => eprintln!("size: {bytes}, none recorded; to record it: {bless}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_know_its_version_fails_the_smoke_run() {
        let sh = Sh::new();
        assert!(smoke(|| sh.cmd("echo").arg(env!("CARGO_PKG_VERSION"))).is_ok());
        assert!(smoke(|| sh.cmd("echo").arg("9.9.9")).unwrap_err().to_string().contains("did not print"));
        assert!(smoke(|| sh.cmd("false")).is_err());
    }

    #[test]
    fn a_cross_build_command_sets_its_environment_only_for_itself() {
        let sh = Sh::new();
        let facts = Facts { target: MIPSEL.into(), linker_named: false, sdk: None, prebuilt_std: false };
        let shown = command(&sh, MIPSEL, &plan::choose(&facts).unwrap()).shown();
        assert!(
            shown.contains("RUSTC_BOOTSTRAP=1") && shown.contains("-Zbuild-std=std,panic_abort"),
            "{shown}"
        );
        assert!(std::env::var_os("RUSTC_BOOTSTRAP").is_none());
    }

    #[test]
    fn the_sdk_is_found_by_its_layout() {
        let folder = Sh::new().target("test-sdk");
        let bin = folder.join("staging_dir/toolchain-mipsel_24kc_gcc-13.3.0_musl/bin");
        assert!(sdk(&folder.join("none")).is_err());
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join("mipsel-openwrt-linux-musl-gcc"), "").unwrap();
        let found = sdk(&folder).unwrap();
        assert!(found.ar.ends_with("mipsel-openwrt-linux-musl-ar"), "{:?}", found.ar);
        assert_eq!(found.staging, folder.join("staging_dir"));
    }

    #[test]
    fn every_foreign_target_has_its_emulator() {
        let name = |target| match emulator(target) {
            Emulator::None => "none".to_owned(),
            Emulator::Qemu(name) => name,
        };
        assert_eq!(name(MIPSEL), "qemu-mipsel-static");
        assert_eq!(name("armv7-unknown-linux-musleabihf"), "qemu-arm-static");
        assert_eq!(name(&format!("{}-unknown-linux-musl", std::env::consts::ARCH)), "none");
    }
}
