//! Stands in for `confine` in a build without the feature: only the user and the privileges that it has not are left.

use std::{io, path::PathBuf};

#[allow(clippy::unnecessary_wraps, reason = "the same words as with the feature")]
pub(super) fn confine(_: &[PathBuf]) -> io::Result<()> {
    nix::sys::prctl::set_no_new_privs()?;
    tracing::info!("the protocol process is not confined: this build has neither landlock nor seccomp");
    Ok(())
}
