//! `features`: each platform builds alone, and a program without any platform is refused with a clear text.

use crate::sh::{Res, Sh};
use serde_json::Value;

/// A feature of `cwmpd` that pulls in a crate with this prefix chooses a platform.
const PLATFORM: &str = "dep:cwmp-platform-";

pub(crate) fn run(sh: &Sh) -> Res {
    let metadata = sh.cargo().words("metadata --no-deps --format-version 1").read()?;
    let metadata = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let platforms = platform_features(&metadata);
    if platforms.is_empty() {
        return Err(format!("crates/cwmpd/Cargo.toml has no feature with `{PLATFORM}...`").into());
    }
    let alone = "check -p cwmpd --no-default-features";
    for feature in &platforms {
        sh.cargo().words(alone).arg("--features").arg(feature).run()?;
    }
    let none = sh.cargo().words(alone);
    let shown = none.shown();
    eprintln!("$ {shown}  (must be refused)");
    let none = none.capture()?;
    if none.success {
        return Err(format!(
            "{shown}\nbuilt a program without any platform; a compile_error! must refuse it"
        )
        .into());
    }
    if !says_platform(&none.stderr) {
        return Err(format!("{shown}\nfailed without naming the missing platform:\n{}", none.stderr).into());
    }
    Ok(())
}

fn platform_features(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let features =
        packages.filter(|package| package["name"] == "cwmpd").filter_map(|p| p["features"].as_object());
    let chooses = |enables: &Value| {
        enables.as_array().is_some_and(|list| {
            list.iter().any(|enabled| enabled.as_str().is_some_and(|name| name.starts_with(PLATFORM)))
        })
    };
    features.flatten().filter(|(_, enables)| chooses(enables)).map(|(name, _)| name.clone()).collect()
}

/// Whether the compiler's own words (not a crate's name in its progress lines) speak of the platform.
fn says_platform(stderr: &str) -> bool {
    stderr.lines().any(|line| line.starts_with("error: ") && line.contains("platform"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_features_that_choose_a_platform_are_found() {
        let metadata = serde_json::json!({"packages": [
            {"name": "other", "features": {"x": ["dep:cwmp-platform-x"]}},
            {"name": "cwmpd", "features": {
                "default": ["generic-linux"],
                "generic-linux": ["dep:cwmp-platform-generic-linux"],
                "tls": ["dep:rustls"],
            }},
        ]});
        assert_eq!(platform_features(&metadata), ["generic-linux"]);
    }

    #[test]
    fn only_an_error_that_speaks_of_the_platform_counts() {
        assert!(says_platform("error: choose a platform: --features generic-linux\n"));
        assert!(!says_platform("    Checking cwmp-platform v0.1.0\nerror: expected `;`\n"));
    }
}
