//! `deny`: licences, sources and duplicates of all dependencies, by `deny.toml`.

use crate::need::{Install, Need};
use crate::sh::{Res, Sh};
use std::path::PathBuf;

/// Built without optimisation: it runs for a second, and the optimised build takes more than twice as long (measured on
/// 2 cores: 137 s against 52 s).
pub(crate) const CARGO_DENY: Need = Need {
    what: "cargo-deny",
    probe: |sh| program(sh).is_file(),
    install: Install::Cargo { name: "cargo-deny", version: "0.20.2", root: "tools", quick: true },
};

fn program(sh: &Sh) -> PathBuf {
    sh.target("tools/bin/cargo-deny")
}

pub(crate) fn run(sh: &Sh) -> Res {
    CARGO_DENY.ensure(sh, sh.ci())?;
    sh.cmd(program(sh)).words("check --hide-inclusion-graph bans licenses sources").run()?;
    // Known vulnerabilities are a database of their own, which lives on the network and changes without us: looked
    // up where somebody has fetched it, never a reason for a build to depend on a foreign server.
    if advisories_present() {
        return sh.cmd(program(sh)).words("check --hide-inclusion-graph --disable-fetch advisories").run();
    }
    eprintln!(
        "deny: advisories not checked: no database here; to fetch it and check: \
         target/tools/bin/cargo-deny check advisories"
    );
    Ok(())
}

/// Whether cargo-deny's advisory database has been fetched on this machine.
fn advisories_present() -> bool {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let folder = cargo_home.and_then(|home| std::fs::read_dir(home.join("advisory-dbs")).ok());
    folder.is_some_and(|entries| entries.flatten().any(|entry| entry.path().is_dir()))
}
