//! IPPing in the parameter tree: what the ACS sees and writes, through the data model.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use async_trait::async_trait;
use cwmp_core::{
    fault::CwmpFault,
    io::{DataOp, DataReply, Input},
    job::Diagnostic,
    rpc::{ParameterKey, ParameterValueStruct, Status},
    value::ValueType,
};
use cwmp_datamodel::{
    AttributeError, AttributeStore, Attributes, DataModel, Origin,
    facts::{Facts, Kind, Place},
    validate::validate,
};
use cwmp_diagnostics::Diagnostics;
use cwmp_platform::source::{
    Access, Change, ObjectKind, ParameterSink, ParameterSource, SourceError, Wanted,
};

const OBJECT: &str = "Device.IP.Diagnostics.";
const PING: &str = "Device.IP.Diagnostics.IPPing.";
const REQUESTED: Input = Input::DiagnosticRequested { diagnostic: Diagnostic::IpPing, by_acs: true };

/// Keeps the ParameterKey, and has an interface to refer to.
#[derive(Default)]
struct Rest {
    key: RefCell<String>,
    fails: Cell<bool>,
}

#[async_trait(?Send)]
impl ParameterSource for Rest {
    fn name(&self) -> &'static str {
        "rest"
    }

    fn objects(&self) -> &[&'static str] {
        &["Device.ManagementServer.", "Device.IP.Interface.{i}."]
    }

    async fn read(&self, _: &Wanted<'_>, out: &mut dyn ParameterSink) -> Result<(), SourceError> {
        out.object("Device.ManagementServer.", ObjectKind::Single);
        out.parameter("ParameterKey", &*self.key.borrow(), Access::ReadOnly);
        out.object("Device.IP.Interface.", ObjectKind::Table { addable: false });
        out.object("Device.IP.Interface.1.", ObjectKind::Instance { deletable: true });
        out.parameter("Name", &"wan0", Access::ReadOnly);
        Ok(())
    }

    async fn apply(&self, changes: &[Change]) -> Result<Status, SourceError> {
        if self.fails.get() {
            return Err(SourceError::new("broken on purpose"));
        }
        changes[0].value.clone_into(&mut self.key.borrow_mut());
        Ok(Status::Applied)
    }

    async fn delete(&self, _: &str, _: &[Change]) -> Result<Status, CwmpFault> {
        Ok(Status::Applied)
    }
}

struct NoStore;

#[async_trait(?Send)]
impl AttributeStore for NoStore {
    fn load(&self) -> Attributes {
        Attributes::default()
    }

    async fn save(&self, _: &Attributes) -> Result<(), AttributeError> {
        Ok(())
    }
}

struct Bench {
    model: DataModel,
    diagnostics: Rc<Diagnostics>,
    rest: Rc<Rest>,
}

impl Bench {
    fn new() -> Self {
        let rest = Rc::new(Rest::default());
        let device = |path: &str| (path == "Device.IP.Interface.1").then(|| "wan0".to_owned());
        let diagnostics = Rc::new(Diagnostics::new(Rc::new(device)));
        let sources: Vec<Rc<dyn ParameterSource>> = vec![diagnostics.clone(), rest.clone()];
        Self { model: DataModel::new(sources, Rc::new(NoStore)), diagnostics, rest }
    }

    /// An operation of the ACS as the program executes it: what the agent hears, or the fault with its entries.
    async fn execute(&mut self, op: DataOp) -> Result<Vec<Input>, (u32, Vec<(String, u32)>)> {
        let done = self.model.execute(op, Origin::Acs).await;
        let inputs = self.diagnostics.settle(done.is_ok(), true);
        let Err(fault) = done else { return Ok(inputs) };
        assert_eq!(inputs, [], "a failed operation means nothing");
        let entries = fault.parameters.iter().map(|entry| (entry.name.replace(PING, ""), entry.code.0));
        Err((fault.code.0, entries.collect()))
    }

    async fn set(&mut self, values: &[(&str, &str)]) -> Result<Vec<Input>, (u32, Vec<(String, u32)>)> {
        let parameter = |(name, value): &(&str, &str)| ParameterValueStruct {
            name: format!("{PING}{name}"),
            value_type: None,
            value: (*value).to_owned(),
        };
        let parameter_key = ParameterKey::new("next").unwrap();
        let parameters = values.iter().map(parameter).collect();
        self.execute(DataOp::Set { parameters, parameter_key }).await
    }

    /// Name, value and access of everything below a path.
    async fn values(&mut self, path: &str) -> Vec<(String, String, bool)> {
        let op = DataOp::Values { names: vec![path.to_owned()] };
        let Ok(DataReply::Listing { snapshot, .. }) = self.model.execute(op, Origin::Acs).await else {
            panic!("no {path}")
        };
        let held = self.model.snapshot(snapshot).unwrap();
        let value = held
            .entries()
            .map(|entry| ([entry.object, entry.name].concat(), entry.text.to_owned(), entry.writable));
        value.collect()
    }

    async fn value(&mut self, name: &str) -> String {
        self.values(&format!("{PING}{name}")).await.remove(0).1
    }
}

/// Conformance: 10.01
#[tokio::test]
async fn all_parameters_of_the_model_are_there_with_values_that_fit_it() {
    let mut bench = Bench::new();
    let values = bench.values(OBJECT).await;
    for (name, value, writable) in &values {
        let Some(Place::Parameter(_, parameter)) = Facts::tr181().find(name) else { panic!("{name}?") };
        let rule = parameter.rule();
        assert_eq!(*writable, rule.is_writable(), "{name}");
        let declared = match rule.kind() {
            Kind::Parameter(value_type) => Some(value_type),
            Kind::Object | Kind::Table => None,
        };
        assert_eq!(validate(rule, declared, value).as_deref(), Ok(value.as_str()), "{name}");
    }
    let Some(Place::Object(object)) = Facts::tr181().find(PING) else { panic!() };
    let theirs: Vec<String> =
        object.parameters().map(|parameter| format!("{PING}{}", parameter.name())).collect();
    let ours: Vec<String> =
        values.iter().map(|(name, ..)| name.clone()).filter(|name| name.starts_with(PING)).collect();
    assert_eq!(ours, theirs);
    assert_eq!(bench.value("DiagnosticsState").await, "None");
    assert_eq!([bench.value("ProtocolVersion").await, bench.value("DSCP").await], ["Any", "0"]);
    assert_eq!(values.len(), theirs.len() + 2, "and whether IPv4 and IPv6 can be pinged");
}

/// Conformance: 10.01, 10.02, 10.11
#[tokio::test]
async fn values_outside_of_the_model_and_unusable_ones_are_9007() {
    let mut bench = Bench::new();
    let refused = |name: &str| Err((9003, vec![(name.to_owned(), 9007)]));
    for (name, value) in [
        ("DiagnosticsState", "Complete"),
        ("DiagnosticsState", "None"),
        ("DiagnosticsState", "Foo"),
        ("NumberOfRepetitions", "0"),
        ("Timeout", "0"),
        ("DataBlockSize", "0"),
        ("DataBlockSize", "65536"),
        ("DSCP", "64"),
        ("ProtocolVersion", "IPv5"),
        ("Interface", "Device.IP.Interface.2"),
    ] {
        assert_eq!(bench.set(&[(name, value)]).await, refused(name), "{name} = {value}");
    }
    assert_eq!(
        bench.set(&[("SuccessCount", "1")]).await,
        Err((9003, vec![("SuccessCount".to_owned(), 9008)]))
    );
    let both = [("Host", ""), ("DiagnosticsState", "Requested")];
    assert_eq!(bench.set(&both).await, refused("DiagnosticsState"));
    assert_eq!(bench.value("DiagnosticsState").await, "None");
    let all = [
        ("DiagnosticsState", "Requested"),
        ("Host", "192.0.2.1"),
        ("Interface", "Device.IP.Interface.1"),
        ("ProtocolVersion", "IPv4"),
        ("NumberOfRepetitions", "1"),
        ("Timeout", "1"),
        ("DataBlockSize", "65535"),
        ("DSCP", "63"),
    ];
    assert_eq!(bench.set(&all).await, Ok(vec![REQUESTED]));
    for (name, value) in all {
        assert_eq!(bench.value(name).await, value, "{name}");
    }
}

/// The source of the ParameterKey comes last: when it fails, IPPing has been applied and gets its former values back.
#[tokio::test]
async fn a_call_that_fails_in_another_source_neither_starts_nor_stops_anything() {
    let mut bench = Bench::new();
    let failed = Err((9002, vec![]));
    bench.rest.fails.set(true);
    assert_eq!(bench.set(&[("Host", "a"), ("DiagnosticsState", "Requested")]).await, failed);
    assert_eq!([bench.value("DiagnosticsState").await, bench.value("Host").await], ["None", ""]);
    bench.rest.fails.set(false);
    assert_eq!(bench.set(&[("Host", "a"), ("DiagnosticsState", "Requested")]).await, Ok(vec![REQUESTED]));
    bench.rest.fails.set(true);
    for change in [("Host", "b"), ("DiagnosticsState", "Canceled"), ("DiagnosticsState", "Requested")] {
        assert_eq!(bench.set(&[change]).await, failed, "{change:?}");
        assert_eq!([bench.value("DiagnosticsState").await, bench.value("Host").await], ["Requested", "a"]);
    }
}

/// Conformance: 10.06
#[tokio::test]
async fn a_deleted_interface_is_a_changed_input() {
    let mut bench = Bench::new();
    let inputs = [("Host", "a"), ("Interface", "Device.IP.Interface.1"), ("DiagnosticsState", "Requested")];
    assert_eq!(bench.set(&inputs).await, Ok(vec![REQUESTED]));
    let parameter_key = ParameterKey::new("next").unwrap();
    let delete = DataOp::Delete { object_name: "Device.IP.Interface.1.".to_owned(), parameter_key };
    assert_eq!(bench.execute(delete).await, Ok(vec![Input::DiagnosticWithdrawn(Diagnostic::IpPing)]));
    assert_eq!([bench.value("Interface").await, bench.value("DiagnosticsState").await], ["", "None"]);
}

/// Somebody on the box may ask too; the agent then reports nothing to the ACS.
#[tokio::test]
async fn who_has_asked_goes_along_with_the_request() {
    let mut bench = Bench::new();
    let parameter = |name: &str, value: &str| ParameterValueStruct {
        name: format!("{PING}{name}"),
        value_type: Some(ValueType::String),
        value: value.to_owned(),
    };
    let op = DataOp::Set {
        parameters: vec![parameter("Host", "a"), parameter("DiagnosticsState", "Requested")],
        parameter_key: ParameterKey::default(),
    };
    bench.model.execute(op, Origin::Local).await.unwrap();
    let local = Input::DiagnosticRequested { diagnostic: Diagnostic::IpPing, by_acs: false };
    assert_eq!(bench.diagnostics.settle(true, false), [local]);
}
