//! `cwmpd datamodel`: what this box supports, where it comes from, and what a change would do.
//!
//! It opens the tree from the files, as a start of the agent does, and asks no running agent: an integrator tries a mapping
//! file out before any agent runs with it. Nothing is written, no number is given to a row for good, and what only a
//! running agent knows (ConnectionRequestURL) is not to be seen here.

mod coverage;
mod explain;
mod supported;
mod xml;

#[cfg(test)]
mod tests;

use std::{fmt::Write as _, io::Write as _, path::Path, rc::Rc, sync::Arc};

use async_trait::async_trait;
use cwmp_core::rpc::{DeviceId, ParameterValueStruct};
use cwmp_datamodel::{DataModel, Surveyed};
use cwmp_platform::{
    instances::{InstanceNumbers, NumberStore, Numbers},
    source::ObjectKind,
};
use cwmp_store::{StateFile, durable::RealFiles};
use tokio::sync::mpsc;
use tracing::Level;

use crate::{
    config::{Config, SharedLayers},
    log, opening, platforms,
    run::{all, assemble, one, runtime},
};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// Everything below a path.
    List { path: String },
    /// One parameter.
    Explain { name: String },
    /// What a SetParameterValues would do.
    DryRun { values: Vec<(String, String)> },
    /// How much of the model is there, and what violates it.
    Coverage,
    /// The supported model as a device type document (TR-106).
    Xml,
}

/// Reads the words after `cwmpd datamodel`.
///
/// # Errors
/// How it should be.
pub(crate) fn query(mut words: Vec<String>, dry_run: bool) -> Result<Query, String> {
    let verb = if words.is_empty() { String::new() } else { words.remove(0) };
    let one = |words: Vec<String>| <[String; 1]>::try_from(words);
    match verb.as_str() {
        "list" if words.is_empty() => Ok(Query::List { path: String::new() }),
        "list" => one(words).map(|[path]| Query::List { path }).map_err(|_| "list takes one path".to_owned()),
        "explain" => one(words)
            .map(|[name]| Query::Explain { name })
            .map_err(|_| "explain takes one name, such as Device.DeviceInfo.HostName".to_owned()),
        "set" if !dry_run => {
            Err("datamodel set changes nothing: say --dry-run, or use `cwmpd set`".to_owned())
        }
        "set" if words.is_empty() || !words.len().is_multiple_of(2) => {
            Err("datamodel set --dry-run takes names and values: NAME VALUE...".to_owned())
        }
        "set" => {
            let mut words = words.into_iter();
            let pairs = std::iter::from_fn(|| words.next().zip(words.next()));
            Ok(Query::DryRun { values: pairs.collect() })
        }
        "coverage" if words.is_empty() => Ok(Query::Coverage),
        "xml" if words.is_empty() => Ok(Query::Xml),
        "coverage" | "xml" => Err(format!("{verb} takes no arguments")),
        _ => Err("datamodel takes list, explain, set --dry-run, coverage or xml".to_owned()),
    }
}

/// Answers on standard output; returns whether the answer is a good one: a change that would be refused and a model with
/// violations are not.
///
/// # Errors
/// What keeps the tree from being read, a sentence each.
pub(crate) fn run(folder: &Path, query: &Query) -> Result<bool, Vec<String>> {
    log::start(Level::WARN);
    let runtime = runtime()?;
    let (text, good) = tokio::task::LocalSet::new().block_on(&runtime, async {
        let model = open(folder).await?;
        answer(&model, query).await
    })?;
    // Whoever reads may have gone: `| head`.
    std::io::stdout().write_all(text.as_bytes()).ok();
    Ok(good)
}

/// Numbers of rows as they were kept; new ones are forgotten with the end of the program.
struct ReadOnly(Numbers);

#[async_trait(?Send)]
impl NumberStore for ReadOnly {
    fn load(&self) -> Numbers {
        self.0.clone()
    }

    async fn save(&self, _: &Numbers) -> Result<(), String> {
        Ok(())
    }

    async fn delete(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Who the box is, as a start of the agent finds it.
///
/// # Errors
/// What keeps it from being known, a sentence each.
pub(crate) fn device(folder: &Path) -> Result<DeviceId, Vec<String>> {
    log::start(Level::WARN);
    let runtime = runtime()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let layers = opening::open(&RealFiles::shared(), folder).map_err(one)?.layers;
        let (config, _) = Config::load(&layers).map_err(all)?;
        let layers = Rc::new(SharedLayers::new(layers));
        let numbers = Rc::new(InstanceNumbers::new(Rc::new(ReadOnly(Numbers::default()))));
        let (platform, _) = platforms::choose(&config, &layers, &numbers, folder)?;
        platform.device_facts().await.map(|facts| facts.id).map_err(one)
    })
}

/// The tree as a start of the agent finds it. A change that is under way is left to the agent.
async fn open(folder: &Path) -> Result<DataModel, Vec<String>> {
    let files = RealFiles::shared();
    let layers = opening::open(&files, folder).map_err(one)?.layers;
    let (config, _) = Config::load(&layers).map_err(all)?;
    let layers = Rc::new(SharedLayers::new(layers));
    let kept = StateFile::<Numbers>::open(Arc::clone(&files), &config.state_dir.join("instances.json"));
    let (_, kept, _) = kept.map_err(one)?;
    let numbers = Rc::new(InstanceNumbers::new(Rc::new(ReadOnly(kept.unwrap_or_default()))));
    let (platform, _) = platforms::choose(&config, &layers, &numbers, folder)?;
    let (_, asked) = mpsc::channel(1);
    Ok(assemble(config, layers, platform, numbers, &files, asked).await?.data)
}

async fn answer(model: &DataModel, query: &Query) -> Result<(String, bool), Vec<String>> {
    match query {
        Query::List { path } => list(model, path).await.map(|text| (text, true)),
        Query::Explain { name } => explain::explain(model, name).await.map(|text| (text, true)),
        Query::DryRun { values } => Ok(dry_run(model, values).await),
        Query::Coverage => coverage::report(model).await,
        Query::Xml => xml::document(model).await.map(|text| (text, true)),
    }
}

/// A line each, with tabs: name, type, access, source.
async fn list(model: &DataModel, path: &str) -> Result<String, Vec<String>> {
    let mut text = String::new();
    let mut see = |seen: Surveyed<'_>| {
        let _ = match seen {
            Surveyed::Object(path, kind) => {
                let (what, access) = match kind {
                    ObjectKind::Single => ("object", "-"),
                    ObjectKind::Table { addable: true } => ("table", "add"),
                    ObjectKind::Table { addable: false } => ("table", "-"),
                    ObjectKind::Instance { deletable: true } => ("row", "delete"),
                    ObjectKind::Instance { deletable: false } => ("row", "-"),
                };
                writeln!(text, "{path}\t{what}\t{access}\t")
            }
            Surveyed::Parameter { entry, source, .. } => {
                let access = if entry.writable { "rw" } else { "ro" };
                let (name, value_type) = (entry.name, entry.value_type.xsd_name());
                writeln!(text, "{}{name}\t{value_type}\t{access}\t{}", entry.object, source.unwrap_or("tree"))
            }
        };
    };
    model.survey(path, &mut see).await.map_err(one)?;
    Ok(text)
}

/// What would be set by which source, or the faults.
async fn dry_run(model: &DataModel, values: &[(String, String)]) -> (String, bool) {
    let pair = |(name, value): &(String, String)| ParameterValueStruct {
        name: name.clone(),
        value_type: None,
        value: value.clone(),
    };
    let parameters: Vec<ParameterValueStruct> = values.iter().map(pair).collect();
    let mut text = String::new();
    match model.dry_run(&parameters).await {
        Ok(planned) => {
            for change in planned {
                let source = change.source.unwrap_or("tree");
                let _ = writeln!(text, "{}: would be `{}`, by {source}", change.name, change.value);
                if let Some(origin) = model.origin(&change.name) {
                    let _ = writeln!(text, "    {origin}");
                }
            }
            (text, true)
        }
        Err(fault) => {
            let _ = writeln!(text, "refused: {fault}");
            for bad in &fault.parameters {
                let _ = writeln!(text, "{}: {}: {}", bad.name, bad.code, bad.text);
            }
            (text, false)
        }
    }
}
