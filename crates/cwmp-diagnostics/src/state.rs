//! The course of a diagnostic, whatever it tests (TR-106, data type DiagnosticsState).
//!
//! Changes are staged first. They come into force when whoever drives the data model knows that the whole operation
//! holds; a failed SetParameterValues, whatever its undo writes, therefore neither starts nor stops anything.

/// Name of the parameter that every diagnostic has.
pub(crate) const DIAGNOSTICS_STATE: &str = "DiagnosticsState";

/// DiagnosticsState.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DiagnosticsState {
    /// Nothing was requested since the start, or the test was cancelled, or an input has changed.
    #[default]
    None,
    /// Requested: it waits for the end of the session, or it runs.
    Requested,
    /// It has ended, and the results are right.
    Complete,
    /// It could not be carried out.
    Error(DiagnosticError),
}

/// Why a diagnostic could not be carried out: the values of DiagnosticsState that begin with `Error_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiagnosticError {
    /// The name of the host has no address, or none of the wanted family.
    CannotResolveHostName,
    /// The box has no route to any address of the host.
    NoRouteToHost,
    /// The box does not let the agent do it.
    Internal,
    /// All else.
    Other,
}

impl DiagnosticsState {
    /// As the ACS reads it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Requested => "Requested",
            Self::Complete => "Complete",
            Self::Error(DiagnosticError::CannotResolveHostName) => "Error_CannotResolveHostName",
            Self::Error(DiagnosticError::NoRouteToHost) => "Error_NoRouteToHost",
            Self::Error(DiagnosticError::Internal) => "Error_Internal",
            Self::Error(DiagnosticError::Other) => "Error_Other",
        }
    }
}

/// What somebody may write to DiagnosticsState.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// `Requested`: run, with the inputs that are set now.
    Request,
    /// `Canceled`: do not, or no longer.
    Cancel,
}

impl Order {
    /// Reads a value; `None` for one that may not be written.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        match value {
            "Requested" => Some(Self::Request),
            "Canceled" => Some(Self::Cancel),
            _ => None,
        }
    }
}

/// What an operation means for the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// The test is to run, or to begin anew.
    Requested,
    /// A test that waited or ran is off.
    Withdrawn,
}

/// Names one run, so that a run that was overtaken by a change writes no results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RunNumber(u32);

/// A diagnostic's inputs `I`, its state, and its results `R`.
#[derive(Debug, Default)]
pub(crate) struct Machine<I, R> {
    inputs: I,
    state: DiagnosticsState,
    results: R,
    run: RunNumber,
    staged: Option<Staged<I>>,
}

#[derive(Debug)]
struct Staged<I> {
    inputs: I,
    order: Option<Order>,
}

impl<I: Clone, R: Default> Machine<I, R> {
    /// The state in force.
    pub(crate) fn state(&self) -> DiagnosticsState {
        self.state
    }

    /// The inputs in force.
    pub(crate) fn inputs(&self) -> &I {
        &self.inputs
    }

    /// The inputs as the changes of the present operation leave them.
    pub(crate) fn next_inputs(&self) -> &I {
        self.staged.as_ref().map_or(&self.inputs, |staged| &staged.inputs)
    }

    /// Results of the last run; kept until the next one.
    pub(crate) fn results(&self) -> &R {
        &self.results
    }

    /// Takes changed inputs, and an order where DiagnosticsState was written, until [`Machine::settle`].
    pub(crate) fn stage(&mut self, inputs: I, order: Option<Order>) {
        self.staged = Some(Staged { inputs, order });
    }

    /// Puts what was staged into force, or forgets it. Tells what that means for the agent.
    pub(crate) fn settle(&mut self, keep: bool) -> Option<Transition> {
        let staged = self.staged.take().filter(|_| keep)?;
        self.inputs = staged.inputs;
        self.run = RunNumber(self.run.0.wrapping_add(1));
        let before = self.state;
        if staged.order == Some(Order::Request) {
            self.state = DiagnosticsState::Requested;
            return Some(Transition::Requested);
        }
        self.state = DiagnosticsState::None;
        (before == DiagnosticsState::Requested).then_some(Transition::Withdrawn)
    }

    /// Begins the run that was requested; `None` when none is. The results of the run before are gone from here on.
    pub(crate) fn begin(&mut self) -> Option<(RunNumber, I)> {
        if self.state != DiagnosticsState::Requested {
            return None;
        }
        self.results = R::default();
        Some((self.run, self.inputs.clone()))
    }

    /// Ends a run. One that a change has overtaken leaves no trace.
    pub(crate) fn end(&mut self, run: RunNumber, outcome: Result<R, DiagnosticError>) {
        if run != self.run || self.state != DiagnosticsState::Requested {
            return;
        }
        self.state = match outcome {
            Ok(results) => {
                self.results = results;
                DiagnosticsState::Complete
            }
            Err(error) => DiagnosticsState::Error(error),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Test = Machine<&'static str, u32>;

    /// One operation that writes an input, DiagnosticsState, or both.
    fn write(test: &mut Test, input: Option<&'static str>, order: Option<Order>) -> Option<Transition> {
        let inputs = input.unwrap_or(*test.next_inputs());
        test.stage(inputs, order);
        test.settle(true)
    }

    fn complete(test: &mut Test, results: u32) {
        let (run, _) = test.begin().unwrap();
        test.end(run, Ok(results));
    }

    /// Conformance: 10.01, 10.02
    #[test]
    fn it_starts_at_none_and_runs_with_the_inputs_of_the_request() {
        let mut test = Test::default();
        assert_eq!((test.state().as_str(), test.begin().is_some()), ("None", false));
        assert_eq!(write(&mut test, Some("a"), Some(Order::Request)), Some(Transition::Requested));
        assert_eq!(test.state().as_str(), "Requested");
        assert_eq!(test.begin().unwrap().1, "a");
    }

    /// Conformance: 10.06
    #[test]
    fn a_changed_input_gives_none_and_stops_what_waits_or_runs() {
        let mut test = Test::default();
        assert_eq!(write(&mut test, Some("a"), None), None);
        write(&mut test, None, Some(Order::Request));
        assert_eq!(write(&mut test, Some("b"), None), Some(Transition::Withdrawn), "waits");
        assert_eq!(test.state().as_str(), "None");

        write(&mut test, None, Some(Order::Request));
        let (run, _) = test.begin().unwrap();
        assert_eq!(write(&mut test, Some("c"), None), Some(Transition::Withdrawn), "runs");
        test.end(run, Ok(7));
        assert_eq!((test.state().as_str(), *test.results()), ("None", 0));

        write(&mut test, None, Some(Order::Request));
        complete(&mut test, 8);
        assert_eq!(write(&mut test, Some("c"), None), None, "has ended; the same value is a change too");
        assert_eq!(test.state().as_str(), "None");
    }

    /// Conformance: 10.07
    #[test]
    fn a_request_during_a_run_begins_anew_with_the_present_inputs() {
        let mut test = Test::default();
        write(&mut test, Some("a"), Some(Order::Request));
        let (old, _) = test.begin().unwrap();
        assert_eq!(write(&mut test, Some("b"), Some(Order::Request)), Some(Transition::Requested));
        test.end(old, Ok(1));
        assert_eq!((test.state().as_str(), *test.results()), ("Requested", 0), "the old run says nothing");
        let (new, inputs) = test.begin().unwrap();
        assert_eq!(inputs, "b");
        test.end(new, Ok(2));
        assert_eq!((test.state().as_str(), *test.results()), ("Complete", 2));
    }

    /// Conformance: 10.07
    #[test]
    fn a_cancelled_test_is_at_none_and_its_run_leaves_no_results() {
        let mut test = Test::default();
        assert_eq!(write(&mut test, None, Some(Order::Cancel)), None, "nothing to cancel");
        write(&mut test, Some("a"), Some(Order::Request));
        let (run, _) = test.begin().unwrap();
        assert_eq!(write(&mut test, None, Some(Order::Cancel)), Some(Transition::Withdrawn));
        test.end(run, Err(DiagnosticError::Other));
        assert_eq!((test.state().as_str(), *test.inputs()), ("None", "a"));
    }

    /// Conformance: 10.08
    #[test]
    fn results_are_kept_until_the_next_run() {
        let mut test = Test::default();
        write(&mut test, Some("a"), Some(Order::Request));
        complete(&mut test, 5);
        write(&mut test, None, Some(Order::Request));
        assert_eq!(*test.results(), 5, "requested, not yet run");
        test.begin();
        assert_eq!(*test.results(), 0);
    }

    #[test]
    fn an_operation_that_fails_changes_nothing_whatever_its_undo_writes() {
        let mut test = Test::default();
        write(&mut test, Some("a"), Some(Order::Request));
        let (run, _) = test.begin().unwrap();
        test.stage("b", Some(Order::Request));
        assert_eq!((*test.inputs(), *test.next_inputs()), ("a", "b"));
        test.stage("a", Some(Order::Request));
        assert_eq!(test.settle(false), None);
        test.end(run, Ok(3));
        assert_eq!((test.state().as_str(), *test.results(), *test.inputs()), ("Complete", 3, "a"));
        assert_eq!(test.settle(true), None, "nothing is left of it");
    }
}
