//! A home router that is played, and the tree of the backend on it.
#![allow(dead_code, reason = "not every test needs all of it")]
#![allow(clippy::panic, reason = "tests")]

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use async_trait::async_trait;
use cwmp_core::{
    io::{DataOp, DataReply},
    rpc::{ParameterKey, ParameterValueStruct},
};
use cwmp_datamodel::{
    AttributeError, AttributeStore, Attributes, DataModel, Origin, Surveyed,
    mapping::{Compiled, MappedSource},
};
use cwmp_platform::{Platform, instances::InstanceNumbers, settings::Settings};
use cwmp_platform_openwrt::{OpenWrt, Options};
use cwmpd_test_router::{Router, difference};
use tokio::task::LocalSet;

/// Settings in memory.
#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, String>>);

impl Settings for Memory {
    fn get(&self, section: &str, key: &str) -> Option<String> {
        self.0.borrow().get(&format!("{section}.{key}")).cloned()
    }

    fn set(&self, values: &[(&str, &str, &str)]) -> Result<(), String> {
        let named =
            values.iter().map(|(section, key, value)| (format!("{section}.{key}"), (*value).to_owned()));
        self.0.borrow_mut().extend(named);
        Ok(())
    }
}

struct NoAttributes;

#[async_trait(?Send)]
impl AttributeStore for NoAttributes {
    fn load(&self) -> Attributes {
        Attributes::default()
    }

    async fn save(&self, _: &Attributes) -> Result<(), AttributeError> {
        Ok(())
    }
}

/// The tree of a backend: its sources and its mapping files.
fn tree(platform: &OpenWrt, numbers: &Rc<InstanceNumbers>) -> DataModel {
    let mut sources = platform.sources();
    let mapping = platform.mapping().unwrap();
    let texts: Vec<(&str, &str)> = mapping.texts.iter().map(|text| (text.name, text.text)).collect();
    let (compiled, errors) = Compiled::of(&texts, &["ubus", "uci"]);
    assert_eq!(errors, []);
    let others: Vec<&str> = sources.iter().flat_map(|source| source.objects()).copied().collect();
    sources.push(Rc::new(MappedSource::new(compiled, &mapping, Rc::clone(numbers), &others)));
    DataModel::new(sources, Rc::new(NoAttributes))
}

/// Runs a test against a router, once its bus is reached.
pub(crate) fn on(test: impl AsyncFnOnce(&Router, &OpenWrt, &mut DataModel)) {
    let router = Router::start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let options = Options {
            root: router.root(),
            ubus_sockets: vec![router.socket()],
            trust_clock: true,
            ..Options::default()
        };
        let numbers = Rc::new(InstanceNumbers::in_memory());
        let platform = OpenWrt::new(options, Rc::new(Memory::default()), Rc::clone(&numbers));
        let mut tree = tree(&platform, &numbers);
        let reached = async {
            while tree.survey("Device.IP.", &mut |_| {}).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), reached).await.expect("the bus is reached");
        tokio::time::timeout(Duration::from_secs(120), test(&router, &platform, &mut tree))
            .await
            .expect("in time");
    });
}

/// Names and values below a path.
pub(crate) async fn values(tree: &DataModel, path: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut see = |seen: Surveyed<'_>| {
        if let Surveyed::Parameter { entry, .. } = seen {
            found.insert([entry.object, entry.name].concat(), entry.text.to_owned());
        }
    };
    tree.survey(path, &mut see).await.unwrap();
    found
}

pub(crate) async fn set(tree: &mut DataModel, changes: &[(&str, &str)]) -> Result<DataReply, String> {
    let parameters = changes.iter().map(|(name, value)| ParameterValueStruct {
        name: (*name).to_owned(),
        value_type: None,
        value: (*value).to_owned(),
    });
    let op = DataOp::Set { parameters: parameters.collect(), parameter_key: ParameterKey::default() };
    tree.execute(op, Origin::Local).await.map_err(|fault| format!("{fault} {:?}", fault.parameters))
}

/// Adds a row and gives its path, with the last dot.
pub(crate) async fn add(tree: &mut DataModel, table: &str) -> String {
    let op = DataOp::Add { object_name: table.to_owned(), parameter_key: ParameterKey::default() };
    match tree.execute(op, Origin::Local).await {
        Ok(DataReply::Added(added)) => format!("{table}{}.", added.instance_number),
        other => panic!("{table}: {other:?}"),
    }
}

/// Deletes a row.
pub(crate) async fn delete(tree: &mut DataModel, row: &str) -> Result<(), String> {
    let op = DataOp::Delete { object_name: row.to_owned(), parameter_key: ParameterKey::default() };
    tree.execute(op, Origin::Local).await.map(|_| ()).map_err(|fault| fault.to_string())
}

/// Values below a path as text, one line a parameter.
pub(crate) async fn text(tree: &DataModel, path: &str) -> String {
    let values = values(tree, path).await;
    let below = values.iter().map(|(name, value)| (name.strip_prefix(path).unwrap_or(name), value));
    below.map(|(name, value)| format!("{name}={value}\n")).collect()
}

/// The path of the row of a table with this value.
pub(crate) async fn row(tree: &DataModel, table: &str, parameter: &str, value: &str) -> String {
    let values = values(tree, table).await;
    let suffix = format!(".{parameter}");
    let found = values.iter().find(|(name, known)| name.ends_with(&suffix) && *known == value);
    let name = found.unwrap_or_else(|| panic!("no {table} with {parameter} = {value}: {values:?}")).0;
    name.strip_suffix(parameter).unwrap().to_owned()
}

/// A package of the configuration.
pub(crate) fn file(router: &Router, package: &str) -> String {
    std::fs::read_to_string(router.root().join("etc/config").join(package)).unwrap()
}

/// Sets parameters of a row and gives what that has changed in a package.
pub(crate) async fn changed(
    router: &Router,
    tree: &mut DataModel,
    package: &str,
    row: &str,
    changes: &[(&str, &str)],
) -> String {
    let before = file(router, package);
    let full: Vec<(String, &str)> =
        changes.iter().map(|(name, value)| (format!("{row}{name}"), *value)).collect();
    let full: Vec<(&str, &str)> = full.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    set(tree, &full).await.unwrap();
    difference(&before, &file(router, package))
}

/// The fault of a change that is refused; the package stays as it is.
pub(crate) async fn refused(
    router: &Router,
    tree: &mut DataModel,
    package: &str,
    name: &str,
    value: &str,
) -> String {
    let before = file(router, package);
    let fault = set(tree, &[(name, value)]).await.unwrap_err();
    assert_eq!(file(router, package), before);
    let code = ["9007", "9008", "9005"].into_iter().find(|code| fault.contains(code));
    code.unwrap_or_else(|| panic!("{fault}")).to_owned()
}
