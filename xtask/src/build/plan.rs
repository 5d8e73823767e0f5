//! Which compiler driver, linker and standard library a cross build uses. The first that fits wins:
//!
//! 1. a linker that the user names in `CARGO_TARGET_<TRIPLE>_LINKER`;
//! 2. the compiler of an OpenWrt SDK in `OPENWRT_SDK`;
//! 3. zig as linker, with the standard library built from source, for static musl programs. All releases are made so.
//!
//! There is no fallback from a static musl program to anything else.

use crate::need::{Need, RUST_SRC, ZIG};
use std::path::PathBuf;

/// Each of these was needed or measured:
/// - static relocation: a static-pie from zig's linker crashes at its start on MIPS; the other targets get smaller;
/// - no self-contained linking: targets without a prebuilt standard library have no start files, zig brings its own;
/// - static C library: not the default of the MIPS targets;
/// - no unwind tables: of no use when a panic aborts, and they take 10 % of the program.
const STATIC_FLAGS: &str = "-Crelocation-model=static -Clink-self-contained=no -Ctarget-feature=+crt-static \
                            -Cforce-unwind-tables=no";

/// What is known about the machine and the wish.
pub(super) struct Facts {
    pub(super) target: String,
    /// Whether the user has named a linker for the target.
    pub(super) linker_named: bool,
    pub(super) sdk: Option<Sdk>,
    /// Whether the toolchain has the target's standard library.
    pub(super) prebuilt_std: bool,
}

/// The parts of an unpacked OpenWrt SDK that matter here.
#[derive(Clone)]
pub(super) struct Sdk {
    pub(super) staging: PathBuf,
    pub(super) gcc: PathBuf,
    pub(super) ar: PathBuf,
}

/// How to build.
pub(super) struct Plan {
    /// What was chosen, in words.
    pub(super) choice: &'static str,
    /// Through cargo-zigbuild instead of plain cargo.
    pub(super) zig: bool,
    /// Build the standard library too, optimised for size.
    pub(super) build_std: bool,
    /// Whether the result must be a static program at fixed addresses.
    pub(super) fixed: bool,
    pub(super) env: Vec<(String, String)>,
    pub(super) needs: Vec<&'static Need>,
}

/// `CARGO_TARGET_MIPSEL_UNKNOWN_LINUX_MUSL_` + `what`.
pub(super) fn variable(target: &str, what: &str) -> String {
    format!("CARGO_TARGET_{}_{what}", target.to_uppercase().replace('-', "_"))
}

pub(super) fn choose(facts: &Facts) -> Result<Plan, String> {
    let target = &facts.target;
    let build_std = !facts.prebuilt_std;
    let needs = if build_std { vec![&RUST_SRC] } else { Vec::new() };
    if facts.linker_named {
        let choice = "the linker named in the environment";
        return Ok(Plan { choice, zig: false, build_std, fixed: false, env: Vec::new(), needs });
    }
    if let Some(sdk) = &facts.sdk {
        let gcc = sdk.gcc.display().to_string();
        let underscored = target.replace('-', "_");
        let env = vec![
            ("STAGING_DIR".to_owned(), sdk.staging.display().to_string()),
            (variable(target, "LINKER"), gcc.clone()),
            (variable(target, "RUSTFLAGS"), "-Ctarget-feature=-crt-static".to_owned()),
            (format!("CC_{underscored}"), gcc),
            (format!("AR_{underscored}"), sdk.ar.display().to_string()),
        ];
        let choice = "the OpenWrt SDK's compiler, linked to the router's C library";
        return Ok(Plan { choice, zig: false, build_std, fixed: false, env, needs });
    }
    if !target.contains("-musl") {
        return Err(format!(
            "no linker for {target}: name one in {}, or choose a musl target",
            variable(target, "LINKER")
        ));
    }
    Ok(Plan {
        choice: "zig as linker, static, standard library from source",
        zig: true,
        build_std: true,
        fixed: true,
        env: vec![(variable(target, "RUSTFLAGS"), STATIC_FLAGS.to_owned())],
        needs: vec![&ZIG, &RUST_SRC],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mipsel() -> Facts {
        let target = "mipsel-unknown-linux-musl".to_owned();
        Facts { target, linker_named: false, sdk: None, prebuilt_std: false }
    }

    #[test]
    fn a_bare_machine_builds_static_with_zig_and_its_own_standard_library() {
        let plan = choose(&mipsel()).unwrap();
        assert!(plan.zig && plan.build_std && plan.fixed);
        assert_eq!(plan.env[0].0, "CARGO_TARGET_MIPSEL_UNKNOWN_LINUX_MUSL_RUSTFLAGS");
        assert!(plan.env[0].1.contains("relocation-model=static"));
        // Even where a prebuilt library exists: all releases are built in one way.
        assert!(choose(&Facts { prebuilt_std: true, ..mipsel() }).unwrap().build_std);
    }

    #[test]
    fn the_users_linker_wins_and_its_flags_are_left_alone() {
        let plan = choose(&Facts { linker_named: true, ..mipsel() }).unwrap();
        assert!(!plan.zig && plan.build_std && plan.env.is_empty());
    }

    #[test]
    fn the_sdk_links_to_the_routers_c_library() {
        let sdk = Sdk { staging: "/sdk/staging_dir".into(), gcc: "/sdk/gcc".into(), ar: "/sdk/ar".into() };
        let plan = choose(&Facts { sdk: Some(sdk), ..mipsel() }).unwrap();
        let env: std::collections::HashMap<_, _> = plan.env.into_iter().collect();
        assert_eq!(env["CARGO_TARGET_MIPSEL_UNKNOWN_LINUX_MUSL_LINKER"], "/sdk/gcc");
        assert_eq!(env["CC_mipsel_unknown_linux_musl"], "/sdk/gcc");
        assert_eq!(env["CARGO_TARGET_MIPSEL_UNKNOWN_LINUX_MUSL_RUSTFLAGS"], "-Ctarget-feature=-crt-static");
        assert!(!plan.fixed);
    }

    #[test]
    fn a_target_that_nobody_can_link_is_refused_with_the_variable_to_set() {
        let target = "armv7-unknown-linux-gnueabihf".to_owned();
        let error = choose(&Facts { target, ..mipsel() }).err().unwrap();
        assert!(error.contains("CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER"), "{error}");
    }
}
