//! `cwmpd migrate`: takes over what another agent of the box was set to.
//!
//! `peers` says what the options of the others mean here, `values` turns their words into ours, `plan` decides what is
//! taken and writes it to the user layer, all or none, `table` prints it. Nothing of the other agent is changed.

mod peers;
mod plan;
mod table;
mod values;

#[cfg(test)]
mod tests;

use std::{
    io::Write as _,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use cwmp_store::durable::RealFiles;
use cwmp_uci::{Uci, UciError, UciOptions};

use self::{
    peers::{PEERS, Peer, Source},
    plan::Plan,
};
use crate::{
    config::Config,
    opening,
    run::{all, one},
};

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Migration {
    /// Whose settings; `None` for those of the one that there is.
    pub(crate) from: Option<String>,
    /// Only says what would be taken.
    pub(crate) dry_run: bool,
    /// Takes what was set on this box already as well.
    pub(crate) force: bool,
}

/// Reads the words after `cwmpd migrate`.
///
/// # Errors
/// How it should be.
pub(crate) fn parse(words: Vec<String>, dry_run: bool, force: bool) -> Result<Migration, String> {
    let mut words = words.into_iter();
    let from = words.next();
    let known = |name: &String| PEERS.iter().any(|peer| peer.name == name);
    if words.next().is_some() || from.as_ref().is_some_and(|name| !known(name)) {
        return Err(format!("migrate takes the name of one agent: {}", names()));
    }
    Ok(Migration { from, dry_run, force })
}

fn names() -> String {
    PEERS.iter().map(|peer| peer.name).collect::<Vec<_>>().join(" or ")
}

/// Takes the settings over and prints what became of each option.
///
/// # Errors
/// What keeps it from that, a sentence each, with file, section and option; nothing is written then.
pub(crate) fn run(folder: &Path, asked: &Migration) -> Result<(), Vec<String>> {
    let mut layers = opening::open(&RealFiles::shared(), folder).map_err(one)?.layers;
    let (config, _) = Config::load(&layers).map_err(all)?;
    if !asked.dry_run && UnixStream::connect(&config.control_socket).is_ok() {
        return Err(vec![format!(
            "{}: cwmpd runs, and has the settings in its memory: stop it first (/etc/init.d/cwmpd stop), or try \
             --dry-run",
            config.control_socket.display()
        )]);
    }
    let root = PathBuf::from(layers.get("openwrt", "root").unwrap_or("/"));
    let (peer, source) = choose(&root, asked.from.as_deref())?;
    let plan = Plan::make(peer, &source, &mut layers, asked.force);
    let wrong = plan.wrong();
    let set = wrong.is_empty() && !asked.dry_run;
    if set {
        layers.commit().map_err(one)?;
    }
    // Whoever reads may have gone: `| head`.
    std::io::stdout().write_all(table::of(&plan, set).as_bytes()).ok();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(wrong.into_iter().chain(["nothing was taken".to_owned()]).collect())
}

/// The agent whose settings are taken, with its packages.
fn choose(root: &Path, named: Option<&str>) -> Result<(&'static Peer, Source), Vec<String>> {
    let config = root.join("etc/config");
    let uci = Uci::new(UciOptions { config: config.clone(), overrides: Some(root.join("var/run/uci")) });
    let mut found = Vec::new();
    for peer in PEERS.iter().filter(|peer| named.is_none_or(|name| name == peer.name)) {
        let mut packages = Vec::new();
        for (at, name) in peer.packages().into_iter().enumerate() {
            match uci.load(name) {
                Ok(package) => packages.push(package),
                // Only the first is what makes the agent be there.
                Err(UciError::Missing { .. }) if at == 0 => break,
                Err(UciError::Missing { .. }) => {}
                Err(error) => return Err(vec![error.to_string()]),
            }
        }
        if !packages.is_empty() {
            found.push((peer, Source { root: root.to_owned(), config: config.clone(), packages }));
        }
    }
    let one = found.pop();
    match (one, found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => {
            Err(vec![format!("there are settings of more than one agent: say `cwmpd migrate` {}", names())])
        }
        (None, _) => {
            let of = PEERS.iter().filter(|peer| named.is_none_or(|name| name == peer.name));
            let files: Vec<String> =
                of.map(|peer| config.join(peer.package()).display().to_string()).collect();
            Err(vec![format!("there is nothing to take over: no {}", files.join(" and no "))])
        }
    }
}
