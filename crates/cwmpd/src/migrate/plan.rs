//! Which options are taken, and whether their values are right.

use std::path::Path;

use cwmp_core::discovery::{IDENTITY, PROVISIONING_CODE};
use cwmp_store::{Layer, Layers};
use cwmp_uci::{Package, Section};

use super::peers::{Key, Known, Opt, Peer, Source, To};
use crate::{agent_source, config::Config};

/// Longest Description, in characters (TR-181).
const DESCRIPTION: usize = 256;
const AGENT: &str = "cwmpd";

/// What becomes of an option.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is set.
    Taken,
    /// It is set to that already.
    Same,
    /// Something else was set on this box.
    Kept,
    /// It has no counterpart; why.
    Left(String),
    /// Its value cannot be taken; what would be right, to follow "must be".
    Wrong(String),
}

/// An option, and one of our keys where it has some.
#[derive(Debug)]
pub(super) struct Line {
    /// The file of the option.
    file: String,
    /// As the command `uci` names it.
    pub(super) option: String,
    /// Section and key.
    pub(super) key: Option<(&'static str, &'static str)>,
    /// What the key is set to; `None` for a secret.
    pub(super) value: Option<String>,
    pub(super) fate: Fate,
}

/// All that there is.
pub(super) struct Plan {
    pub(super) lines: Vec<Line>,
    /// What is wrong with the configuration that this makes, beyond single values.
    beyond: Vec<String>,
    /// The file that is written.
    pub(super) target: String,
}

impl Plan {
    /// Makes the changes in memory; the caller commits them.
    pub(super) fn make(peer: &Peer, source: &Source, layers: &mut Layers, force: bool) -> Self {
        let target = layers.file(Layer::User).display().to_string();
        let mut plan = Self { lines: Vec::new(), beyond: Vec::new(), target };
        for package in &source.packages {
            let found: Vec<_> =
                peer.sections.iter().filter_map(|known| Some((known, known.find(package)?))).collect();
            for (known, section) in &found {
                plan.section(source, known, section, layers, force);
            }
            for section in package.sections() {
                if !found.iter().any(|(_, known)| std::ptr::eq(*known, section)) {
                    let why = "a section that is not known here".to_owned();
                    plan.leave(source, package.name(), shown(package, section), why);
                }
            }
        }
        plan.check(layers);
        plan
    }

    fn leave(&mut self, source: &Source, package: &str, option: String, why: String) {
        let file = file(source, package);
        self.lines.push(Line { file, option, key: None, value: None, fate: Fate::Left(why) });
    }

    fn section(
        &mut self,
        source: &Source,
        known: &Known,
        section: &Section,
        layers: &mut Layers,
        force: bool,
    ) {
        let Some(package) = source.packages.iter().find(|package| package.name() == known.package) else {
            return;
        };
        let of = shown(package, section);
        if let Some(url) = old_url(known, section) {
            let option = format!("{of}.hostname");
            let keys = known.options.iter().find(|opt| opt.option == "url");
            if let Some(Opt { to: To::Keys(keys), .. }) = keys {
                self.keys(source, known.package, &option, keys, &url, layers, force);
            }
        }
        for option in section.options() {
            let name = format!("{of}.{}", option.name());
            // An empty value is none to UCI.
            let Some(value) = section.get(option.name()) else { continue };
            match known.options.iter().find(|opt| opt.option == option.name()).map(|opt| &opt.to) {
                Some(To::Keys(keys)) => self.keys(source, known.package, &name, keys, value, layers, force),
                Some(To::Not(why)) => self.leave(source, known.package, name, (*why).to_owned()),
                None => {
                    self.leave(source, known.package, name, "an option that is not known here".to_owned())
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "where an option stands and where it goes")]
    fn keys(
        &mut self,
        source: &Source,
        package: &str,
        option: &str,
        keys: &'static [Key],
        value: &str,
        layers: &mut Layers,
        force: bool,
    ) {
        for key in keys {
            let fate = take(key, value, &source.root, layers, force);
            let (value, fate) = match fate {
                Ok((value, fate)) => (Some(value).filter(|_| !key.secret), fate),
                Err(fate) => (None, fate),
            };
            let key = Some((key.section, key.key));
            self.lines.push(Line {
                file: file(source, package),
                option: option.to_owned(),
                key,
                value,
                fate,
            });
        }
    }

    /// Checks the section of the program as its start does, for its keys depend on each other.
    fn check(&mut self, layers: &Layers) {
        let Err(problems) = Config::load(layers) else { return };
        for problem in problems {
            let of_key = |line: &&mut Line| {
                line.key == Some((AGENT, problem.key.as_str()))
                    && line.fate == Fate::Taken
                    && problem.section == AGENT
            };
            match self.lines.iter_mut().find(of_key) {
                Some(line) => {
                    let right = problem.reason.strip_prefix("must be ").unwrap_or(&problem.reason);
                    line.fate = Fate::Wrong(right.to_owned());
                }
                None => self.beyond.push(problem.to_string()),
            }
        }
    }

    /// What cannot be taken, a sentence each with file, section and option. No value is shown: it may be a secret.
    pub(super) fn wrong(&self) -> Vec<String> {
        let wrong = |line: &Line| match &line.fate {
            Fate::Wrong(right) => Some(format!("{}: {}: must be {right}", line.file, line.option)),
            _ => None,
        };
        self.lines.iter().filter_map(wrong).chain(self.beyond.iter().cloned()).collect()
    }
}

fn file(source: &Source, package: &str) -> String {
    source.config.join(package).display().to_string()
}

/// A section as the command `uci` names it.
fn shown(package: &Package, section: &Section) -> String {
    if !section.is_anonymous() {
        return format!("{}.{}", package.name(), section.name());
    }
    let mut of_type = package.of_type(section.kind());
    let at = of_type.position(|one| std::ptr::eq(one, section)).unwrap_or_default();
    format!("{}.@{}[{at}]", package.name(), section.kind())
}

/// The URL of an easycwmp before 1.0.5, which had it in parts.
fn old_url(known: &Known, section: &Section) -> Option<String> {
    if (known.package, known.section) != ("easycwmp", "acs") || section.get("url").is_some() {
        return None;
    }
    let part = |name: &str| section.get(name).map(str::trim).unwrap_or_default();
    let (host, scheme) = (section.get("hostname")?.trim(), section.get("scheme").map_or("http", str::trim));
    let port = if part("port").is_empty() { String::new() } else { format!(":{}", part("port")) };
    let path = part("path");
    let slash = if path.starts_with('/') { "" } else { "/" };
    Some(format!("{scheme}://{host}{port}{slash}{path}"))
}

/// Sets a key in memory. Returns its value and what became of it, or why it has none.
fn take(
    key: &Key,
    value: &str,
    root: &Path,
    layers: &mut Layers,
    force: bool,
) -> Result<(String, Fate), Fate> {
    let value = (key.convert)(value, root).map_err(Fate::Wrong)?;
    if key.section != AGENT {
        match rule(key, &value) {
            Some(Ok(())) => {}
            Some(Err(right)) => return Err(Fate::Wrong(right)),
            None => return Err(Fate::Left("this build of cwmpd has no such parameter".to_owned())),
        }
    }
    match layers.of_layer(Layer::User, key.section, key.key) {
        Some(set) if set == value => return Ok((value, Fate::Same)),
        Some(_) if !force => return Ok((value, Fate::Kept)),
        _ => {}
    }
    let set = layers.set(key.section, key.key, &value);
    set.map_err(|error| Fate::Wrong(format!("a value that can be kept ({error})")))?;
    Ok((value, Fate::Taken))
}

/// Whether the key takes the value, by the rules of a set; `None` where there is no such key.
fn rule(key: &Key, value: &str) -> Option<Result<(), String>> {
    let at_most = |most: usize| {
        let fits = value.chars().count() <= most && !value.chars().any(char::is_control);
        if fits { Ok(()) } else { Err(format!("at most {most} characters, none of control")) }
    };
    match (key.section, key.key) {
        ("DeviceInfo", "ManufacturerOUI") => {
            let digits = value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
            let right = "six hexadecimal digits".to_owned();
            Some(if value.len() == 6 && digits { Ok(()) } else { Err(right) })
        }
        ("DeviceInfo", "ProvisioningCode") => Some(at_most(PROVISIONING_CODE)),
        ("DeviceInfo", "Description") => Some(at_most(DESCRIPTION)),
        ("DeviceInfo", _) => Some(at_most(IDENTITY)),
        (section, name) => agent_source::takes(section, name, value),
    }
}
