//! Device.Firewall: package `firewall` as one chain.
//!
//! The order is that of the firewall itself: `rule` sections as they stand in the file, then what `forwarding` sections let
//! through between zones, then what a zone does with all else for the box itself (`input`) and within it (`forward`). The level
//! has what holds between zones (`defaults`).
//!
//! The model speaks of interfaces where the firewall has zones: a zone is shown as its first interface, and an interface stands
//! for all its zone. A rule without a destination is for what the box itself receives, one for `*` (DestAllInterfaces) for what
//! it forwards. What the model has no word for (several ports, limits, types of ICMP) stays as it is and is not shown.

mod fields;
mod rule;

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_core::fault::{CwmpFault, SetParameterValuesFault};
use cwmp_linux::files::clean;
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_uci::{Package, Section};

use super::nat::{FIREWALL, zone};
use crate::{
    edits::{Edits, PackageEdits},
    limits,
    network::Network,
    part::{InRow, Part, below, by_row, internal, invalid, new_section, no_such, not_writable, section_keys},
    survey::Survey,
};

const ROOT: &str = "Device.Firewall.";
const LEVEL: &str = "Device.Firewall.Level.{i}.";
const CHAIN: &str = "Device.Firewall.Chain.{i}.";
const RULE: &str = "Device.Firewall.Chain.{i}.Rule.{i}.";
/// Path of the only table of rules.
const RULES: &str = "Device.Firewall.Chain.1.Rule.";
/// Section of what holds between zones.
const DEFAULTS: &str = "@defaults[0]";
/// What a rule is that never ends (TR-181).
const NO_END: &str = "9999-12-31T23:59:59Z";

pub(crate) struct Firewall;

/// A row of the chain.
#[derive(Clone, Copy)]
enum Row<'p> {
    Rule(&'p Section),
    Forwarding(&'p Section),
    /// A zone, and the option that is its policy.
    Policy(&'p Section, &'static str),
}

#[async_trait(?Send)]
impl Part for Firewall {
    fn objects(&self) -> &'static [&'static str] {
        &[ROOT, LEVEL, CHAIN, RULE]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let (network, package) = (survey.network().await?, survey.uci(FIREWALL).await?);
        let defaults = package.section(DEFAULTS);
        out.object(ROOT, ObjectKind::Single);
        // No setting keeps the firewall from starting: that is a matter of the box's services.
        out.parameter("Enable", &!package.sections().is_empty(), ReadOnly);
        out.parameter("Config", &"Advanced", ReadOnly);
        out.parameter("AdvancedLevel", &"Device.Firewall.Level.1", ReadOnly);
        out.parameter("Type", &"Stateful", ReadOnly);
        out.object("Device.Firewall.Level.", ObjectKind::Table { addable: false });
        out.object("Device.Firewall.Level.1.", ObjectKind::Instance { deletable: false });
        out.parameter("Name", &"UCI", ReadOnly);
        out.parameter("Description", &"", ReadOnly);
        out.parameter("Order", &1_u32, ReadOnly);
        out.parameter("Chain", &"Device.Firewall.Chain.1", ReadOnly);
        out.parameter("PortMappingEnabled", &true, ReadOnly);
        let policy = defaults.and_then(|defaults| defaults.get("forward")).unwrap_or("DROP");
        let access = if defaults.is_some() { ReadWrite } else { ReadOnly };
        out.parameter("DefaultPolicy", &rule::target(policy).unwrap_or("Drop"), access);
        out.parameter("DefaultLogPolicy", &false, ReadOnly);
        out.object("Device.Firewall.Chain.", ObjectKind::Table { addable: false });
        out.object("Device.Firewall.Chain.1.", ObjectKind::Instance { deletable: false });
        out.parameter("Enable", &true, ReadOnly);
        out.parameter("Name", &"UCI", ReadOnly);
        out.parameter("Creator", &"Other", ReadOnly);
        out.object(RULES, ObjectKind::Table { addable: true });
        let rows = rows(&package);
        let numbers = survey.numbers(RULES, rows.iter().map(|(key, _)| key.as_str()));
        for (order, ((_, row), number)) in (1_u32..).zip(rows.iter().zip(numbers)) {
            let Some(number) = number else { continue };
            let deletable = !matches!(row, Row::Policy(..));
            out.object(&format!("{RULES}{number}."), ObjectKind::Instance { deletable });
            out.parameter("Order", &order, ReadOnly);
            match row {
                Row::Rule(section) => rule::read(section, &package, &network, out),
                Row::Forwarding(section) => forwarding(section, &package, &network, out),
                Row::Policy(zone, option) => policy_of(zone, option, &network, out),
            }
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let survey = Rc::clone(edits.survey());
        let (network, package) = (survey.network().await?, survey.uci(FIREWALL).await?);
        let edits = edits.package(FIREWALL).await?;
        let of_others = [ROOT, CHAIN].into_iter().flat_map(|object| by_row(object, changes).into_values());
        let mut faults: Vec<_> = of_others.flatten().map(|(_, change)| not_writable(change)).collect();
        for (name, change) in by_row(LEVEL, changes).into_values().flatten() {
            match (name, package.section(DEFAULTS)) {
                ("DefaultPolicy", Some(_)) if change.name.starts_with("Device.Firewall.Level.1.") => {
                    edits.set(DEFAULTS, "forward", &change.value.to_ascii_uppercase());
                }
                _ => faults.push(not_writable(change)),
            }
        }
        let rows = rows(&package);
        for (numbers, changes) in by_row(RULE, changes) {
            match row_of(&survey, &rows, &numbers) {
                Some(Row::Rule(section)) => {
                    faults.extend(rule::edit(section, changes, &package, &network, edits));
                }
                Some(row) => {
                    faults.extend(changes.into_iter().filter_map(|change| edit_other(row, change, edits)));
                }
                None => faults.extend(changes.iter().map(|(_, change)| not_writable(change))),
            }
        }
        Ok(faults)
    }

    async fn add(&self, table: &str, edits: &mut Edits) -> Result<u32, CwmpFault> {
        if table != RULES {
            return Err(no_such(table));
        }
        let (number, section) = new_section(edits.survey(), RULES, "rule")?;
        let firewall = edits.package(FIREWALL).await.map_err(internal)?;
        firewall.add("rule", &section);
        // The defaults of the model: not enabled, any protocol, dropped.
        for (option, value) in [("enabled", "0"), ("proto", "all"), ("target", "DROP")] {
            firewall.set(&section, option, value);
        }
        Ok(number)
    }

    async fn delete(&self, instance: &str, edits: &mut Edits) -> Result<(), CwmpFault> {
        let survey = Rc::clone(edits.survey());
        let package = survey.uci(FIREWALL).await.map_err(internal)?;
        let numbers = below(RULE, instance).filter(|(_, rest)| rest.is_empty());
        let rows = rows(&package);
        let section = match numbers.and_then(|(numbers, _)| row_of(&survey, &rows, &numbers)) {
            Some(Row::Rule(section) | Row::Forwarding(section)) => section,
            _ => return Err(no_such(instance)),
        };
        edits.package(FIREWALL).await.map_err(internal)?.delete(section.name());
        Ok(())
    }
}

/// All rows with their keys, in the order in which the firewall has them.
fn rows(package: &Package) -> Vec<(String, Row<'_>)> {
    let of_type = |kind| package.of_type(kind).take(limits::ROWS);
    let rules = section_keys(of_type("rule"), &["name"]).into_iter().zip(of_type("rule"));
    let rules = rules.map(|(key, section)| (key, Row::Rule(section)));
    let forwardings = section_keys(of_type("forwarding"), &["src", "dest"]).into_iter();
    // A section's name has no `:`.
    let forwardings = forwardings
        .zip(of_type("forwarding"))
        .map(|(key, section)| (format!("forwarding:{key}"), Row::Forwarding(section)));
    let zones = || section_keys(of_type("zone"), &["name"]).into_iter().zip(of_type("zone"));
    let policies = ["input", "forward"].into_iter().flat_map(|option| {
        zones().map(move |(key, zone)| (format!("{option}:{key}"), Row::Policy(zone, option)))
    });
    rules.chain(forwardings).chain(policies).take(limits::ROWS).collect()
}

fn row_of<'p>(survey: &Survey, rows: &[(String, Row<'p>)], numbers: &[u32]) -> Option<Row<'p>> {
    let [1, number] = numbers else { return None };
    let key = survey.key(RULES, *number)?;
    rows.iter().find(|(known, _)| *known == key).map(|(_, row)| *row)
}

/// The first interface of a zone by its name, as a path; empty where it has none.
fn interface_of<'n>(name: Option<&str>, package: &Package, network: &'n Network) -> Option<&'n str> {
    let zone = zone(package, |zone| zone.get("name").is_some() && zone.get("name") == name)?;
    Some(first_interface(zone, network))
}

fn first_interface<'n>(zone: &Section, network: &'n Network) -> &'n str {
    let first = zone.words("network").into_iter().find_map(|name| network.interface(name));
    first.map_or("", |interface| interface.path.as_str())
}

fn forwarding(section: &Section, package: &Package, network: &Network, out: &mut dyn ParameterSink) {
    let (src, dest) = (section.get("src"), section.get("dest"));
    let (from, to) = (interface_of(src, package, network), interface_of(dest, package, network));
    let enabled = section.get("enabled") != Some("0");
    out.parameter("Enable", &enabled, ReadWrite);
    let complete = (from.is_some() || src == Some("*")) && (to.is_some() || dest == Some("*"));
    out.parameter("Status", &status(enabled, complete), ReadOnly);
    let name = section.get("name").map_or_else(
        || format!("{} to {}", src.unwrap_or_default(), dest.unwrap_or_default()),
        str::to_owned,
    );
    out.parameter("Description", &clean(&name, 256), ReadOnly);
    let version = rule::version(section.get("family")).unwrap_or(-1);
    // A forwarding lets through, or is off.
    out.parameter("Target", &"Accept", ReadOnly);
    fixed((from.unwrap_or_default(), src == Some("*")), version, out);
    out.parameter("DestInterface", &to.unwrap_or_default(), ReadOnly);
    out.parameter("DestAllInterfaces", &(dest == Some("*")), ReadOnly);
}

fn policy_of(zone: &Section, option: &str, network: &Network, out: &mut dyn ParameterSink) {
    let name = zone.get("name").unwrap_or_default();
    let target = zone.get(option).and_then(rule::target).unwrap_or("Drop");
    let enabled = zone.get("enabled") != Some("0");
    out.parameter("Enable", &enabled, ReadOnly);
    out.parameter("Status", &status(enabled, true), ReadOnly);
    out.parameter("Description", &clean(&format!("zone {name}, {option}"), 256), ReadOnly);
    let interface = first_interface(zone, network);
    let version = rule::version(zone.get("family")).unwrap_or(-1);
    out.parameter("Target", &target, ReadWrite);
    fixed((interface, false), version, out);
    let to = if option == "forward" { interface } else { "" };
    out.parameter("DestInterface", &to, ReadOnly);
    out.parameter("DestAllInterfaces", &false, ReadOnly);
}

/// What rows have in common that are no `rule` section.
fn fixed((from, from_all): (&str, bool), version: i32, out: &mut dyn ParameterSink) {
    out.parameter("TargetChain", &"", ReadOnly);
    out.parameter("ExpiryDate", &NO_END, ReadOnly);
    out.parameter("SourceInterface", &from, ReadOnly);
    out.parameter("SourceAllInterfaces", &from_all, ReadOnly);
    out.parameter("IPVersion", &version, ReadOnly);
    out.parameter("Protocol", &-1, ReadOnly);
}

fn status(enabled: bool, complete: bool) -> &'static str {
    match (enabled, complete) {
        (false, _) => "Disabled",
        (true, true) => "Enabled",
        (true, false) => "Error_Misconfigured",
    }
}

fn edit_other(
    row: Row<'_>,
    (name, change): InRow<'_>,
    edits: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    match (row, name) {
        (Row::Forwarding(section), "Enable") => {
            edits.set_bool(section.name(), "enabled", change.value == "true", true);
            None
        }
        (Row::Policy(zone, option), "Target") => match rule::written_target(&change.value) {
            Some(target) => {
                edits.set(zone.name(), option, target);
                None
            }
            None => Some(invalid(change, "the firewall accepts, drops or rejects")),
        },
        _ => Some(not_writable(change)),
    }
}

#[cfg(test)]
mod tests;
