//! Checks the mapping files against the facts of the model: a wrong one fails the build.

use std::{env, io, path::Path};

fn main() -> io::Result<()> {
    let out =
        env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR for build scripts"))?;
    cwmp_datamodel::mapping::build::check(Path::new("mapping"), Path::new(&out), &["ubus", "uci"])
}
