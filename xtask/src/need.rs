//! What a step needs from the machine: how to see that it is there, and how to get it. The only place that installs.

use crate::sh::{Res, Sh, on_path};
use std::path::{Path, PathBuf};

/// Something outside the repository that a step cannot do without.
pub(crate) struct Need {
    pub(crate) what: &'static str,
    pub(crate) probe: fn(&Sh) -> bool,
    pub(crate) install: Install,
}

/// How a [`Need`] is met. Nothing but `Apt`, `Rustup` and `Toolchain` touches the machine outside `target/`.
pub(crate) enum Install {
    /// Packages of Debian and its relatives.
    Apt(&'static str),
    /// A component of the Rust toolchain.
    Rustup(&'static str),
    /// Another Rust toolchain, without its documentation.
    Toolchain(&'static str),
    /// Python packages, into a virtual environment of their own below `target/`.
    Pip { venv: &'static str, packages: &'static str },
    /// A program from the Rust registry, into `target/<root>/bin`. `quick` builds it without optimisation.
    Cargo { name: &'static str, version: &'static str, root: &'static str, quick: bool },
    /// What takes more than a few commands: the job that does it, and its function. It stays below `target/`.
    Job { how: &'static str, run: fn(&Sh) -> Res },
    /// Nothing that a program could fetch: what a person has to do.
    ByHand(&'static str),
}

impl Install {
    /// The commands, in order.
    fn commands<'sh>(&self, sh: &'sh Sh) -> Vec<crate::sh::Cmd<'sh>> {
        match *self {
            Self::Apt(packages) => {
                let program = if is_root(sh) { "apt-get" } else { "sudo" };
                let apt = |words: &str| {
                    let prefix = if program == "sudo" { "apt-get " } else { "" };
                    sh.cmd(program).words(prefix).words(words)
                };
                let install = apt("install -y --no-install-recommends").words(packages);
                vec![apt("update -q"), install.env("DEBIAN_FRONTEND", "noninteractive")]
            }
            Self::Rustup(component) => vec![sh.cmd("rustup").words("component add").arg(component)],
            Self::Toolchain(name) => {
                vec![sh.cmd("rustup").words("toolchain install --profile minimal").arg(name)]
            }
            Self::Pip { venv, packages } => {
                let folder = sh.target(venv);
                let pip = folder.join("bin/pip");
                vec![
                    sh.cmd("python3").words("-m venv").arg(folder),
                    sh.cmd(pip).words("install --quiet").words(packages),
                ]
            }
            Self::Cargo { name, version, root, quick } => {
                let root = sh.target(root);
                // Its own build folder: the workspace's must not be locked or mixed up by a foreign build.
                let cargo = sh.cargo().env("CARGO_TARGET_DIR", root.join("build"));
                let install = cargo.words("install --locked").arg(name).arg("--version").arg(version);
                let install = install.arg("--root").arg(root);
                vec![if quick { install.arg("--debug").env("CARGO_PROFILE_DEV_DEBUG", "0") } else { install }]
            }
            Self::Job { .. } | Self::ByHand(_) => Vec::new(),
        }
    }

    /// What a person types to get it.
    pub(crate) fn how(&self, sh: &Sh) -> String {
        if let Self::ByHand(text) | Self::Job { how: text, .. } = self {
            return (*text).to_owned();
        }
        let root = format!("{}/", sh.root().display());
        self.commands(sh).iter().map(|cmd| cmd.shown().replace(&root, "")).collect::<Vec<_>>().join(" && ")
    }
}

impl Need {
    /// Makes sure that the need is met: `setup` installs what is missing, otherwise the error says how to.
    pub(crate) fn ensure(&self, sh: &Sh, setup: bool) -> Res {
        if (self.probe)(sh) {
            return Ok(());
        }
        if !setup || matches!(self.install, Install::ByHand(_)) {
            return Err(format!("{} is missing; to get it: {}", self.what, self.install.how(sh)).into());
        }
        for command in self.install.commands(sh) {
            command.run()?;
        }
        if let Install::Job { run, .. } = self.install {
            run(sh)?;
        }
        if (self.probe)(sh) {
            Ok(())
        } else {
            Err(format!("{} was installed but cannot be found or does not run", self.what).into())
        }
    }
}

/// Meets all needs of a step, or says which one stands in the way.
pub(crate) fn ensure_all(needs: &[&Need], sh: &Sh, setup: bool) -> Res {
    needs.iter().try_for_each(|need| need.ensure(sh, setup))
}

fn is_root(sh: &Sh) -> bool {
    sh.cmd("id").arg("-u").read().is_ok_and(|id| id.trim() == "0")
}

/// The environment variable with the folder of the message schemas, and where they are looked for without it.
const SCHEMA_DIR: (&str, &str) = ("CWMP_SCHEMA_DIR", "../shared");

pub(crate) const SCHEMAS: Need = Need {
    what: "the folder of the Broadband Forum's schemas",
    probe: |sh| {
        let folder =
            std::env::var_os(SCHEMA_DIR.0).map_or_else(|| sh.root().join(SCHEMA_DIR.1), PathBuf::from);
        folder.join("tools/validate_soap.py").is_file()
    },
    install: Install::ByHand("name in CWMP_SCHEMA_DIR the folder that holds bbf/ and tools/validate_soap.py"),
};

pub(crate) const LXML: Need = Need {
    what: "lxml, which checks messages against the schemas,",
    probe: |sh| {
        // The system's python where there is one: distributions package lxml for that one.
        let system = Path::new("/usr/bin/python3");
        let python = if system.exists() { system } else { Path::new("python3") };
        sh.cmd(python).arg("-c").arg("import lxml.etree").read().is_ok()
    },
    install: Install::Apt("python3-lxml"),
};

/// Where the toolchain keeps its libraries and tools.
pub(crate) fn sysroot(sh: &Sh) -> Res<PathBuf> {
    Ok(PathBuf::from(sh.cmd("rustc").words("--print sysroot").read()?.trim()))
}

/// The folder of the cross-compiler's virtual environment, below `target/`.
pub(crate) const ZIG_VENV: &str = "xc-venv";

pub(crate) const ZIG: Need = Need {
    what: "the cross-linker (zig and cargo-zigbuild)",
    probe: |sh| {
        let bin = sh.target(ZIG_VENV).join("bin");
        ["python-zig", "cargo-zigbuild"].iter().all(|program| bin.join(program).is_file())
    },
    install: Install::Pip { venv: ZIG_VENV, packages: "ziglang==0.17.1 cargo-zigbuild==0.24.0" },
};

pub(crate) const RUST_SRC: Need = Need {
    what: "the source of Rust's standard library",
    probe: |sh| sysroot(sh).is_ok_and(|root| root.join("lib/rustlib/src/rust/library/Cargo.lock").is_file()),
    install: Install::Rustup("rust-src"),
};

/// libFuzzer's hooks are a compiler flag that stable Rust does not take.
pub(crate) const NIGHTLY: Need = Need {
    what: "a nightly Rust toolchain",
    probe: |sh| sh.cmd("rustup").words("run nightly rustc --version").read().is_ok(),
    install: Install::Toolchain("nightly"),
};

pub(crate) const RUSTFMT: Need = Need {
    what: "rustfmt",
    probe: |sh| sh.cargo().words("fmt --version").read().is_ok(),
    install: Install::Rustup("rustfmt"),
};

pub(crate) const CLIPPY: Need = Need {
    what: "clippy",
    probe: |sh| sh.cargo().words("clippy --version").read().is_ok(),
    install: Install::Rustup("clippy"),
};

pub(crate) const QEMU: Need = Need {
    what: "qemu's user mode emulation",
    probe: |_| on_path("qemu-mipsel-static").is_some(),
    install: Install::Apt("qemu-user-static"),
};

pub(crate) const OPENSSL: Need = Need {
    what: "the openssl command",
    probe: |_| on_path("openssl").is_some(),
    install: Install::Apt("openssl"),
};

pub(crate) const CURL: Need =
    Need { what: "the curl command", probe: |_| on_path("curl").is_some(), install: Install::Apt("curl") };

pub(crate) const IPROUTE2: Need =
    Need { what: "the ip command", probe: |_| on_path("ip").is_some(), install: Install::Apt("iproute2") };

pub(crate) const NAMESPACES: Need = Need {
    what: "the right to make network namespaces",
    probe: |sh| sh.cmd("unshare").words("--net true").read().is_ok(),
    install: Install::ByHand("run as root; a container needs CAP_SYS_ADMIN and CAP_NET_ADMIN"),
};

pub(crate) const BUSYBOX: Need = Need {
    what: "busybox, with the DHCP client udhcpc,",
    probe: |_| on_path("busybox").is_some(),
    install: Install::Apt("busybox-static"),
};

pub(crate) const DNSMASQ: Need = Need {
    what: "the DHCP server dnsmasq",
    probe: |_| Path::new("/usr/sbin/dnsmasq").is_file(),
    install: Install::Apt("dnsmasq-base"),
};

pub(crate) const NGINX: Need = Need {
    what: "nginx",
    // Not every user has /usr/sbin in the path.
    probe: |_| on_path("nginx").is_some() || Path::new("/usr/sbin/nginx").is_file(),
    install: Install::Apt("nginx-light"),
};

pub(crate) const COTURN: Need =
    Need { what: "coturn", probe: |_| on_path("turnserver").is_some(), install: Install::Apt("coturn") };

pub(crate) const PROSODY: Need =
    Need { what: "prosody", probe: |_| on_path("prosody").is_some(), install: Install::Apt("prosody") };

pub(crate) const NFTABLES: Need = Need {
    what: "nftables",
    // Not every user has /usr/sbin in the path.
    probe: |_| on_path("nft").is_some() || Path::new("/usr/sbin/nft").is_file(),
    install: Install::Apt("nftables"),
};

#[cfg(test)]
mod tests {
    use super::*;

    const ABSENT: Need = Need { what: "a unicorn", probe: |_| false, install: Install::Rustup("unicorn") };

    #[test]
    fn a_missing_need_names_the_command_and_installs_nothing() {
        let failure = ABSENT.ensure(&Sh::new(), false).unwrap_err();
        assert_eq!(failure.to_string(), "a unicorn is missing; to get it: rustup component add unicorn");
    }

    #[test]
    fn what_only_a_person_can_get_is_never_tried() {
        let need = Need { install: Install::ByHand("find one"), ..ABSENT };
        for setup in [false, true] {
            let failure = need.ensure(&Sh::new(), setup).unwrap_err();
            assert_eq!(failure.to_string(), "a unicorn is missing; to get it: find one");
        }
    }

    #[test]
    fn commands_are_shown_relative_to_the_repository() {
        let how = ZIG.install.how(&Sh::new());
        assert!(how.starts_with("python3 -m venv target/xc-venv && target/xc-venv/bin/pip install"), "{how}");
    }

    #[test]
    fn the_first_missing_need_stops_a_step() {
        let present = Need { what: "air", probe: |_| true, install: Install::Apt("air") };
        assert!(ensure_all(&[&present], &Sh::new(), false).is_ok());
        assert!(ensure_all(&[&present, &ABSENT], &Sh::new(), false).is_err());
    }
}
