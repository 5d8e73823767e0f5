//! Rules of the manifests: who may depend on whom, and what every package inherits from the workspace.

use super::{File, Finding};
use crate::sh::Res;
use serde_json::Value;
use std::path::Path;

/// A package of the workspace with what it builds on, test-only dependencies left out.
pub(super) struct Package {
    pub(super) name: String,
    /// Its folder from the repository's root.
    pub(super) folder: String,
    pub(super) dependencies: Vec<String>,
    /// What only its build script needs: no part of what ships.
    pub(super) build_dependencies: Vec<String>,
}

/// Which packages of the workspace a package may depend on.
enum Layer {
    Any,
    Only(&'static [&'static str]),
}

/// Everything that the protocol may build on, none of it with I/O.
const CORE_DEPENDENCIES: &[&str] =
    &["data-encoding", "md-5", "quick-xml", "serde", "sha1", "sha2", "thiserror"];

/// The development ACS serves tests and the demo; nothing that ships may pull it in.
const NOT_SHIPPED: &str = "cwmp-acs";

/// Build scripts of backends check their mapping files with it.
const COMPILER: &str = "cwmp-datamodel";

fn layer(package: &Package) -> Option<Layer> {
    const CORE: &str = "cwmp-core";
    const PLATFORM: &str = "cwmp-platform";
    Some(match package.name.as_str() {
        CORE => Layer::Only(&[]),
        PLATFORM | "cwmp-acs" | "cwmp-ubus" | "cwmp-uci" => Layer::Only(&[CORE]),
        "cwmp-store" | "cwmp-datamodel" | "cwmp-transport" | "cwmp-diagnostics" | "cwmp-linux" => {
            Layer::Only(&[CORE, PLATFORM])
        }
        "cwmpd" | "cwmpd-test-router" | "cwmpd-tests" | "xtask" => Layer::Any,
        _ if package.folder.starts_with("platforms/") => {
            Layer::Only(&[CORE, PLATFORM, "cwmp-linux", "cwmp-ubus", "cwmp-uci"])
        }
        _ => return None,
    })
}

/// Reads the output of `cargo metadata --no-deps`.
pub(super) fn packages(metadata: &str, root: &Path) -> Res<Vec<Package>> {
    let metadata: Value =
        serde_json::from_str(metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let text = |object: &Value, key| {
        let value: Option<&Value> = object.get(key);
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let list = |object: &Value, key| {
        let value: Option<&Value> = object.get(key);
        value.and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let read = |package: &Value| {
        let manifest = text(package, "manifest_path");
        let folder = Path::new(&manifest).parent().unwrap_or(root);
        let folder = folder.strip_prefix(root).unwrap_or(folder).display().to_string();
        let dependencies = list(package, "dependencies");
        let of = |kinds: &[&str]| {
            let such =
                dependencies.iter().filter(|dependency| kinds.contains(&text(dependency, "kind").as_str()));
            such.map(|dependency| text(dependency, "name")).collect()
        };
        let (dependencies, build_dependencies) = (of(&[""]), of(&["build"]));
        Package { name: text(package, "name"), folder, dependencies, build_dependencies }
    };
    let packages: Vec<_> = list(&metadata, "packages").iter().map(read).collect();
    if packages.is_empty() { Err("cargo metadata lists no packages".into()) } else { Ok(packages) }
}

pub(super) fn layering(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let mut push = |what, why| {
            findings.push(Finding { path: manifest(package), line: 0, what, why });
        };
        let Some(layer) = layer(package) else {
            let why =
                "give it a place in the table of xtask/src/tidy/manifests.rs and in docs/architecture.md";
            push(format!("{} has no layer", package.name), why);
            continue;
        };
        let compiler =
            |dependency: &&String| package.folder.starts_with("platforms/") && *dependency == COMPILER;
        let built_with = package.build_dependencies.iter().filter(|dependency| !compiler(dependency));
        for dependency in package.dependencies.iter().chain(built_with) {
            let ours = packages.iter().any(|other| other.name == *dependency);
            match &layer {
                Layer::Only(allowed) if ours && !allowed.contains(&dependency.as_str()) => push(
                    format!("{} depends on {dependency}", package.name),
                    "layers point one way: cwmpd, platforms, (datamodel store transport diagnostics), platform, core",
                ),
                _ if package.name == "cwmp-core" && !CORE_DEPENDENCIES.contains(&dependency.as_str()) => {
                    push(
                        format!("{} depends on {dependency}", package.name),
                        "the protocol has no I/O; a dependency without any is allowed in xtask/src/tidy/manifests.rs",
                    )
                }
                _ if package.name == "cwmpd" && dependency == NOT_SHIPPED => {
                    push(format!("cwmpd depends on {dependency}"), "it is for tests only: a dev-dependency");
                }
                _ => {}
            }
        }
    }
    findings
}

fn manifest(package: &Package) -> String {
    format!("{}/Cargo.toml", package.folder)
}

/// Lines that every member's manifest has: the workspace decides once.
const INHERITED: &[(&str, &str)] = &[
    ("package", "edition.workspace = true"),
    ("package", "rust-version.workspace = true"),
    ("package", "license.workspace = true"),
    ("package", "version.workspace = true"),
    ("lints", "workspace = true"),
];

pub(super) fn inheritance(packages: &[Package], files: &[File]) -> Vec<Finding> {
    let text_of =
        |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
    let mut findings = Vec::new();
    for package in packages {
        let path = manifest(package);
        for (table, line) in INHERITED {
            if !has(text_of(&path), table, line) {
                let what = format!("`{line}` is missing under [{table}]");
                let why = "lints, edition and Rust version are decided once, in the root Cargo.toml";
                findings.push(Finding { path: path.clone(), line: 0, what, why });
            }
        }
    }
    if !has(text_of("Cargo.toml"), "workspace.lints.rust", "unsafe_code = \"forbid\"") {
        let what = "`unsafe_code = \"forbid\"` is missing under [workspace.lints.rust]".to_owned();
        let why = "no crate of this project needs unsafe code";
        findings.push(Finding { path: "Cargo.toml".to_owned(), line: 0, what, why });
    }
    findings
}

/// Whether a manifest has a line in a table, compared without spaces.
fn has(manifest: &str, table: &str, line: &str) -> bool {
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    let header = format!("[{table}]");
    let mut lines = manifest.lines().map(bare).skip_while(|line| *line != header).skip(1);
    let wanted = bare(line);
    lines.by_ref().take_while(|line| !line.starts_with('[')).any(|line| line == wanted)
}

#[cfg(test)]
mod tests {
    use super::super::{brief, file};
    use super::*;

    fn package(folder: &str, dependencies: &[&str]) -> Package {
        let name = folder.rsplit('/').next().unwrap().to_owned();
        let dependencies = dependencies.iter().map(ToString::to_string).collect();
        Package { name, folder: folder.to_owned(), dependencies, build_dependencies: Vec::new() }
    }

    #[test]
    fn a_dependency_against_the_layers_is_found() {
        let packages = [
            package("crates/cwmp-core", &["serde", "tokio"]),
            package("crates/cwmp-platform", &["cwmp-core"]),
            package("crates/cwmp-store", &["cwmp-core", "cwmp-platform", "cwmp-transport"]),
            package("crates/cwmp-transport", &["cwmp-core", "hyper"]),
            package("platforms/openwrt", &["cwmp-platform", "cwmp-store"]),
            package("crates/cwmpd", &["cwmp-store", "cwmp-acs"]),
            package("crates/cwmp-acs", &["cwmp-core"]),
            package("crates/cwmp-new", &[]),
        ];
        assert_eq!(
            brief(&layering(&packages)),
            [
                "0 cwmp-core depends on tokio",
                "0 cwmp-store depends on cwmp-transport",
                "0 openwrt depends on cwmp-store",
                "0 cwmpd depends on cwmp-acs",
                "0 cwmp-new has no layer",
            ]
        );
    }

    #[test]
    fn only_the_build_of_a_backend_may_compile_mapping_files() {
        let built = |folder: &str, with: &str| {
            let build_dependencies = vec![with.to_owned()];
            brief(&layering(&[
                Package { build_dependencies, ..package(folder, &[]) },
                package("crates/cwmp-datamodel", &[]),
            ]))
        };
        assert_eq!(built("platforms/openwrt", "cwmp-datamodel"), [""; 0]);
        assert_eq!(built("crates/cwmp-store", "cwmp-datamodel"), ["0 cwmp-store depends on cwmp-datamodel"]);
        let ships =
            [package("platforms/openwrt", &["cwmp-datamodel"]), package("crates/cwmp-datamodel", &[])];
        assert_eq!(brief(&layering(&ships)), ["0 openwrt depends on cwmp-datamodel"]);
    }

    #[test]
    fn dependencies_of_tests_have_no_layer() {
        let metadata = r#"{"packages": [{"name": "cwmp-core", "manifest_path": "/r/crates/cwmp-core/Cargo.toml",
            "dependencies": [{"name": "serde", "kind": null}, {"name": "proptest", "kind": "dev"},
                             {"name": "cc", "kind": "build"}]}]}"#;
        let packages = packages(metadata, Path::new("/r")).unwrap();
        assert_eq!(packages[0].folder, "crates/cwmp-core");
        assert_eq!(packages[0].dependencies, ["serde"]);
        assert_eq!(packages[0].build_dependencies, ["cc"]);
        assert!(super::packages("{}", Path::new("/r")).is_err());
    }

    #[test]
    fn a_manifest_that_decides_for_itself_is_found() {
        let good = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\
                    rust-version.workspace = true\nlicense.workspace=true\n\n[lints]\nworkspace = true\n";
        let root = file("Cargo.toml", "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n");
        let packages = [package("crates/a", &[])];
        let of = |text: &str, root: File| {
            brief(&inheritance(&packages, &[file("crates/a/Cargo.toml", text), root]))
        };
        assert_eq!(of(good, file(&root.path, &root.text)), [""; 0]);
        let bad = good.replace("edition.workspace = true", "edition = \"2021\"").replace("[lints]", "[lint]");
        assert_eq!(
            of(&bad, file("Cargo.toml", "[workspace]\nunsafe_code = \"forbid\"\n")),
            [
                "0 `edition.workspace = true` is missing under [package]",
                "0 `workspace = true` is missing under [lints]",
                "0 `unsafe_code = \"forbid\"` is missing under [workspace.lints.rust]",
            ]
        );
    }
}
