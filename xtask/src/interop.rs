//! `interop`: the agent against what somebody else wrote: acsrs, an ACS; nginx, for files and https; coturn, for STUN; prosody, for XMPP;
//! libuci's command.
//!
//! They are run as programs and never linked. The tests write their configurations and start them.

use crate::flags;
use crate::libuci::{self, LIBUCI};
use crate::need::{
    COTURN, IPROUTE2, Install, NAMESPACES, NFTABLES, NGINX, Need, OPENSSL, PROSODY, ensure_all,
};
use crate::sh::{Res, Sh};
use std::path::PathBuf;

pub(crate) const ACSRS: Need = Need {
    what: "acsrs",
    probe: |sh| binary(sh).is_file(),
    install: Install::Cargo { name: "acsrs", version: "0.5.2", root: "interop/acsrs", quick: false },
};

fn binary(sh: &Sh) -> PathBuf {
    sh.target("interop/acsrs/bin/acsrs")
}

pub(crate) fn run(sh: &Sh, options: &flags::Interop) -> Res {
    let setup = sh.ci() || options.setup;
    match options.peer {
        flags::Peer::Acsrs => {
            ensure_all(&[&OPENSSL, &ACSRS], sh, setup)?;
            acsrs(sh)
        }
        flags::Peer::Nginx => {
            NGINX.ensure(sh, setup)?;
            nginx(sh)
        }
        flags::Peer::Prosody => {
            PROSODY.ensure(sh, setup)?;
            prosody(sh)
        }
        flags::Peer::Coturn => {
            ensure_all(&[&COTURN, &NFTABLES, &IPROUTE2, &NAMESPACES], sh, setup)?;
            coturn(sh)
        }
        flags::Peer::Libuci => {
            LIBUCI.ensure(sh, setup)?;
            libuci::test(sh)
        }
    }
}

/// Runs the tests that need prosody; they are `#[ignore]`d elsewhere.
pub(crate) fn prosody(sh: &Sh) -> Res {
    sh.cargo().words("test --workspace --test prosody -- --ignored").run_tests()
}

/// Runs the tests that need coturn and a NAT; they are `#[ignore]`d elsewhere.
pub(crate) fn coturn(sh: &Sh) -> Res {
    sh.cargo().words("test --workspace --test nat -- --ignored").run_tests()
}

/// Runs the tests that need nginx; they are `#[ignore]`d elsewhere.
pub(crate) fn nginx(sh: &Sh) -> Res {
    sh.cargo().words("test --workspace --test nginx -- --ignored").run_tests()
}

/// Runs the tests that need acsrs; they are `#[ignore]`d elsewhere. `ACSRS_BIN` tells them which program to start.
pub(crate) fn acsrs(sh: &Sh) -> Res {
    // The whole workspace, as in `test`: one package alone would enable other features and compile everything again.
    let tests = sh.cargo().words("test --workspace --test acsrs -- --ignored");
    tests.env("ACSRS_BIN", binary(sh)).run_tests()
}
