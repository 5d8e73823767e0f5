//! One diagnostic as an object of the tree: what all of them have in common.

use std::cell::RefCell;

use async_trait::async_trait;
use cwmp_core::{
    fault::{FaultCode, SetParameterValuesFault},
    job::Diagnostic,
};
use cwmp_platform::source::{Access, Change, ObjectKind, ParameterSink, SourceError};

use crate::state::{DIAGNOSTICS_STATE, DiagnosticError, Machine, Order, Transition};

/// What makes one diagnostic different from the others.
pub(crate) trait Kind {
    /// Its name to the agent.
    const DIAGNOSTIC: Diagnostic;
    /// Its object in the tree.
    const OBJECT: &'static str;
    /// What the ACS sets before a run.
    type Inputs: Inputs;
    /// What the ACS reads after it.
    type Results: Default;

    /// Delivers all parameters but DiagnosticsState.
    fn show(inputs: &Self::Inputs, results: &Self::Results, out: &mut dyn ParameterSink);

    /// Why these inputs cannot be used for a run, and what to do about it.
    fn unusable(&self, inputs: &Self::Inputs) -> Option<String>;

    /// Runs with these inputs, in bounded time; stops when it is dropped.
    async fn run(&self, inputs: Self::Inputs) -> Result<Self::Results, DiagnosticError>;
}

/// The inputs of a diagnostic.
pub(crate) trait Inputs: Clone + Default {
    /// Takes the value of a parameter, by its own name; the value has passed the facts of the model. `false` for a
    /// parameter that is no input.
    fn set(&mut self, name: &str, value: &str) -> bool;
}

/// A diagnostic, whatever its kind.
#[async_trait(?Send)]
pub(crate) trait Object {
    /// Its name to the agent.
    fn diagnostic(&self) -> Diagnostic;
    /// Its path, with a dot at the end.
    fn path(&self) -> &'static str;
    /// Delivers it.
    fn show(&self, out: &mut dyn ParameterSink);
    /// Judges changes of its parameters, as a set.
    fn check(&self, changes: &[&Change]) -> Vec<SetParameterValuesFault>;
    /// Takes them, until [`Object::settle`].
    fn stage(&self, changes: &[&Change]) -> Result<(), SourceError>;
    /// Puts what was staged into force, or forgets it.
    fn settle(&self, keep: bool) -> Option<Transition>;
    /// Runs it with the inputs in force, if it is requested.
    async fn run(&self);
}

/// A diagnostic of one kind.
pub(crate) struct Test<K: Kind> {
    kind: K,
    machine: RefCell<Machine<K::Inputs, K::Results>>,
}

impl<K: Kind> Test<K> {
    pub(crate) fn new(kind: K) -> Self
    where
        Machine<K::Inputs, K::Results>: Default,
    {
        Self { kind, machine: RefCell::default() }
    }

    /// The inputs and the order that changes come to.
    fn outcome(&self, changes: &[&Change]) -> Result<(K::Inputs, Option<Order>), SourceError> {
        let mut inputs = self.machine.borrow().next_inputs().clone();
        let mut order = None;
        for change in changes {
            let name = change.name.strip_prefix(K::OBJECT).unwrap_or(&change.name);
            if name == DIAGNOSTICS_STATE {
                // Other values come from an undo alone, which is never put into force.
                order = Order::parse(&change.value);
            } else if !inputs.set(name, &change.value) {
                return Err(SourceError::new(format!("{} is no input of a diagnostic", change.name)));
            }
        }
        Ok((inputs, order))
    }
}

#[async_trait(?Send)]
impl<K: Kind> Object for Test<K> {
    fn diagnostic(&self) -> Diagnostic {
        K::DIAGNOSTIC
    }

    fn path(&self) -> &'static str {
        K::OBJECT
    }

    fn show(&self, out: &mut dyn ParameterSink) {
        let machine = self.machine.borrow();
        out.object(K::OBJECT, ObjectKind::Single);
        out.parameter(DIAGNOSTICS_STATE, &machine.state().as_str(), Access::ReadWrite);
        K::show(machine.inputs(), machine.results(), out);
    }

    fn check(&self, changes: &[&Change]) -> Vec<SetParameterValuesFault> {
        let own = [K::OBJECT, DIAGNOSTICS_STATE].concat();
        let Some(written) = changes.iter().find(|change| change.name == own) else { return Vec::new() };
        let refusal = match Order::parse(&written.value) {
            None => Some("only Requested and Canceled may be written".to_owned()),
            Some(Order::Cancel) => None,
            Some(Order::Request) => match self.outcome(changes) {
                Ok((inputs, _)) => self.kind.unusable(&inputs),
                Err(error) => Some(error.to_string()),
            },
        };
        let fault =
            |text| SetParameterValuesFault { name: own, code: FaultCode::INVALID_PARAMETER_VALUE, text };
        refusal.map(fault).into_iter().collect()
    }

    fn stage(&self, changes: &[&Change]) -> Result<(), SourceError> {
        let (inputs, order) = self.outcome(changes)?;
        self.machine.borrow_mut().stage(inputs, order);
        Ok(())
    }

    fn settle(&self, keep: bool) -> Option<Transition> {
        self.machine.borrow_mut().settle(keep)
    }

    async fn run(&self) {
        let begun = self.machine.borrow_mut().begin();
        let Some((run, inputs)) = begun else { return };
        let outcome = self.kind.run(inputs).await;
        self.machine.borrow_mut().end(run, outcome);
    }
}
