//! `netview values|changes [NUMBERS]`: the network of this machine as the generic Linux backend shows it.
//!
//! The tests start it in network namespaces of theirs. `values` prints what the tree holds, what of it breaks a rule of the
//! model, which references lead nowhere, and the uplink, as JSON; `NUMBERS` is a file that keeps the numbers of rows.
//! `changes` says when it listens, and again when it has heard of a change.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use cwmp_core::io::{DataOp, DataReply};
use cwmp_datamodel::{
    AttributeError, AttributeStore, Attributes, DataModel, Origin,
    facts::{Facet, Facts, Place, Rule},
    validate::validate,
};
use cwmp_platform::{
    Platform,
    instances::{InstanceNumbers, NumberStore, Numbers},
    settings::Settings,
};
use cwmp_platform_generic_linux::{GenericLinux, Options};
use serde_json::{Value, json};

/// How long `changes` waits.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(|error| error.to_string()).and_then(|runtime| match words.as_slice() {
        ["values"] => runtime.block_on(values(None)),
        ["values", numbers] => runtime.block_on(values(Some(Path::new(numbers)))),
        ["changes"] => runtime.block_on(changes()),
        _ => Err("usage: netview values|changes [NUMBERS]".to_owned()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("netview: {error}");
            ExitCode::FAILURE
        }
    }
}

fn platform(numbers: Rc<InstanceNumbers>) -> GenericLinux {
    let options = Options { trust_clock: true, ..Options::default() };
    GenericLinux::new(options, Rc::new(Known), numbers)
}

async fn values(file: Option<&Path>) -> Result<(), String> {
    let store = file.map(|file| Rc::new(NumberFile { file: file.to_owned(), saves: Cell::new(0) }));
    let numbers =
        store.clone().map_or_else(InstanceNumbers::in_memory, |store| InstanceNumbers::new(store as _));
    let platform = platform(Rc::new(numbers));
    let mut model = DataModel::new(platform.sources(), Rc::new(Nowhere));
    let start = Instant::now();
    let op = DataOp::Values { names: vec!["Device.".to_owned()] };
    let reply = model.execute(op, Origin::Local).await.map_err(|fault| fault.to_string())?;
    let took = start.elapsed();
    let DataReply::Listing { snapshot, .. } = reply else { return Err("no values".to_owned()) };
    let snapshot = model.snapshot(snapshot).ok_or("no snapshot")?;
    let entries = snapshot.entries();
    let values: BTreeMap<String, String> =
        entries.map(|entry| ([entry.object, entry.name].concat(), entry.text.to_owned())).collect();
    let uplink = platform
        .uplink()
        .map(|uplink| json!({"device": uplink.device, "gateway": uplink.gateway, "source": uplink.source}));
    let interfaces = values.keys().filter_map(|name| name.strip_suffix(".LowerLayers"));
    let names: BTreeMap<&str, Value> =
        interfaces.map(|path| (path, json!(platform.interface_name(path)))).collect();
    let told = json!({
        "values": values,
        "invalid": invalid(&values),
        "dangling": dangling(&values),
        "uplink": uplink,
        "names": names,
        "saves": store.map_or(0, |store| store.saves.get()),
        "microseconds": u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    });
    println!("{told}");
    Ok(())
}

fn rule(name: &str) -> Option<Rule> {
    match Facts::tr181().find(name) {
        Some(Place::Parameter(_, parameter)) => Some(parameter.rule()),
        _ => None,
    }
}

/// Values that the model does not allow, or not in this form.
fn invalid(values: &BTreeMap<String, String>) -> Vec<String> {
    let judged = values.iter().map(|(name, text)| match rule(name) {
        None => Some(format!("{name} is not in the model")),
        Some(rule) => match validate(rule, None, text) {
            Ok(canonical) if canonical == *text => None,
            Ok(canonical) => Some(format!("{name} = {text} should be {canonical}")),
            Err(invalid) => Some(format!("{name} = {text}: {invalid}")),
        },
    });
    judged.flatten().collect()
}

/// References to rows that are not there.
fn dangling(values: &BTreeMap<String, String>) -> Vec<String> {
    let mut objects = BTreeSet::new();
    for name in values.keys() {
        objects.extend(name.match_indices('.').filter_map(|(at, _)| name.get(..at)));
    }
    let refers = |name: &str| {
        rule(name).is_some_and(|rule| rule.facets().any(|facet| matches!(facet, Facet::PathRef(_))))
    };
    let references = values.iter().filter(|(name, _)| refers(name));
    let items = references.flat_map(|(name, text)| text.split(',').map(move |item| (name, item)));
    let lost = items.filter(|(_, item)| !item.is_empty() && !objects.contains(item));
    lost.map(|(name, item)| format!("{name} -> {item}")).collect()
}

async fn changes() -> Result<(), String> {
    let platform = platform(Rc::new(InstanceNumbers::in_memory()));
    let mut changes = platform.changes().ok_or("the backend tells of no changes")?;
    println!("listening");
    let heard = tokio::time::timeout(PATIENCE, changes.changed()).await;
    heard.map_err(|_| format!("nothing was heard for {} s", PATIENCE.as_secs()))?;
    println!("changed");
    Ok(())
}

/// An identity, which a machine of the cloud may not have.
struct Known;

impl Settings for Known {
    fn get(&self, section: &str, key: &str) -> Option<String> {
        let value = match (section, key) {
            ("DeviceInfo", "Manufacturer") => "Example",
            ("DeviceInfo", "ManufacturerOUI") => "00D09E",
            ("DeviceInfo", "ProductClass") => "Netview",
            ("DeviceInfo", "SerialNumber") => "1",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn set(&self, _: &[(&str, &str, &str)]) -> Result<(), String> {
        Err("there is nothing to be set here".to_owned())
    }
}

/// No attributes.
struct Nowhere;

#[async_trait(?Send)]
impl AttributeStore for Nowhere {
    fn load(&self) -> Attributes {
        Attributes::default()
    }

    async fn save(&self, _: &Attributes) -> Result<(), AttributeError> {
        Ok(())
    }
}

/// Numbers of rows in a file, and how often it was written.
struct NumberFile {
    file: PathBuf,
    saves: Cell<u32>,
}

#[async_trait(?Send)]
impl NumberStore for NumberFile {
    fn load(&self) -> Numbers {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn save(&self, numbers: &Numbers) -> Result<(), String> {
        self.saves.set(self.saves.get() + 1);
        let text = serde_json::to_string(numbers).map_err(|error| error.to_string())?;
        fs::write(&self.file, text).map_err(|error| error.to_string())
    }

    async fn delete(&self) -> Result<(), String> {
        fs::remove_file(&self.file).map_err(|error| error.to_string())
    }
}
