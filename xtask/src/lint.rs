//! `lint`: formatting, clippy, documentation. All three run, whichever fails first.

use crate::sh::{Res, Sh};

pub(crate) fn run(sh: &Sh) -> Res {
    let runs = [
        sh.cargo().words("fmt --all --check").run(),
        sh.cargo().words("fmt --check --manifest-path fuzz/Cargo.toml").run(),
        sh.cargo().words("clippy --workspace --all-targets --keep-going -- -D warnings").run(),
        sh.cargo().words("doc --workspace --no-deps --keep-going").env("RUSTDOCFLAGS", "-D warnings").run(),
    ];
    let failed: Vec<_> = runs.iter().filter_map(|run| run.as_ref().err()).map(ToString::to_string).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}
