//! The task that owns the data model: it answers the agent, the command line, and the question whether a watched parameter
//! has changed.

use std::{cell::Cell, rc::Rc};

use cwmp_core::{
    fault::{CwmpFault, FaultCode},
    io::{DataOp, DataReply, Input, OpId},
    rpc::{ParameterKey, ParameterValueStruct},
};
use cwmp_datamodel::{DataModel, Origin};
use cwmp_diagnostics::Diagnostics;
use tokio::sync::{mpsc, oneshot};

use crate::{
    control::Answer,
    door::Door,
    ledger::{Ledger, tell_of_rollback},
    snapshots::Snapshots,
};

/// What the data model is asked, and by whom.
pub(crate) enum Question {
    /// The agent, for the ACS.
    Agent(OpId, DataOp),
    /// The command line wants values.
    Get(Vec<String>, oneshot::Sender<Answer>),
    /// The command line sets values.
    Set(Vec<(String, String)>, oneshot::Sender<Answer>),
    /// The command line adds a row.
    Add(String, oneshot::Sender<Answer>),
    /// The command line deletes a row.
    Delete(String, oneshot::Sender<Answer>),
    /// Has a parameter with active notification changed? The flag is cleared when the box is looked at.
    Watch(Rc<Cell<bool>>),
    /// The network has changed: is ConnectionRequestURL still true, and has a watched parameter changed?
    Changed(Rc<Cell<bool>>),
    /// Forget all attributes (factory reset).
    Forget(oneshot::Sender<Result<(), String>>),
}

/// The tree, and what its changes are written down in.
pub(crate) struct Tree {
    pub(crate) model: DataModel,
    pub(crate) ledger: Rc<Ledger>,
    pub(crate) diagnostics: Rc<Diagnostics>,
    /// Where what the agent must hear before the answer goes.
    pub(crate) inputs: mpsc::UnboundedSender<Input>,
    /// The Inform under way tells the ACS of a rollback.
    pub(crate) told_of_rollback: bool,
}

impl Tree {
    /// Executes an operation. A change that could not be undone is undone before another one is made.
    pub(crate) async fn execute(&mut self, op: DataOp, origin: Origin) -> Result<DataReply, CwmpFault> {
        let changes = matches!(op, DataOp::Set { .. } | DataOp::Add { .. } | DataOp::Delete { .. });
        if changes {
            let recovered = self.ledger.recover(&mut self.model).await;
            recovered.map_err(|error| CwmpFault::new(FaultCode::INTERNAL_ERROR, error))?;
        }
        let delivered = op == DataOp::InformDelivered;
        if let DataOp::Inform { events } = &op {
            self.told_of_rollback = tell_of_rollback(events);
        }
        let done = self.model.execute(op, origin).await;
        if delivered && done.is_ok() {
            self.ledger.confirm();
            self.ledger.informed(self.told_of_rollback);
        }
        if changes {
            for input in self.diagnostics.settle(done.is_ok(), origin == Origin::Acs) {
                self.inputs.send(input).ok();
            }
        }
        self.pass_news();
        done
    }

    /// Tells the agent of changes that are to be confirmed or were undone.
    fn pass_news(&self) {
        for input in self.ledger.news() {
            self.inputs.send(input).ok();
        }
    }

    /// Forgets what the ACS has set of the tree, and the change that may be under way (factory reset).
    pub(crate) async fn forget(&mut self) -> Result<(), String> {
        self.ledger.forget()?;
        self.model.forget_attributes().await.map_err(|error| error.to_string())
    }

    /// The next question. In the meantime a change whose time to be confirmed is over is undone.
    pub(crate) async fn next(
        &mut self,
        questions: &mut mpsc::UnboundedReceiver<Question>,
    ) -> Option<Question> {
        while let Some(wait) = self.ledger.waits() {
            tokio::select! {
                question = questions.recv() => return question,
                () = tokio::time::sleep(wait) => {
                    if let Err(error) = self.ledger.recover(&mut self.model).await {
                        tracing::error!("{error}");
                    }
                    self.pass_news();
                }
            }
        }
        questions.recv().await
    }
}

/// Answers questions, one at a time, until the sender is gone.
pub(crate) async fn run(
    mut tree: Tree,
    snapshots: Snapshots,
    door: Rc<Door>,
    mut questions: mpsc::UnboundedReceiver<Question>,
) {
    let inputs = tree.inputs.clone();
    tree.ledger.resume();
    tree.pass_news();
    while let Some(question) = tree.next(&mut questions).await {
        match question {
            Question::Agent(id, op) => {
                if matches!(op, DataOp::Inform { .. }) {
                    door.settle().await;
                }
                let answer = execute(&mut tree, &snapshots, op, Origin::Acs).await;
                inputs.send(Input::DataDone(id, answer)).ok();
            }
            Question::Get(names, answer) => {
                let values = get(&mut tree, names).await;
                answer.send(values.unwrap_or_else(|fault| refusal(&fault))).ok();
            }
            Question::Set(values, answer) => {
                let done = set(&mut tree, values).await;
                answer.send(done.map_or_else(|fault| refusal(&fault), |()| Answer::Done)).ok();
                watch(&mut tree, &inputs).await;
            }
            Question::Add(object_name, answer) => {
                let op = DataOp::Add { object_name, parameter_key: ParameterKey::default() };
                let done = tree.execute(op, Origin::Local).await;
                answer.send(done.map_or_else(|fault| refusal(&fault), added)).ok();
                watch(&mut tree, &inputs).await;
            }
            Question::Delete(object_name, answer) => {
                let op = DataOp::Delete { object_name, parameter_key: ParameterKey::default() };
                let done = tree.execute(op, Origin::Local).await;
                answer.send(done.map_or_else(|fault| refusal(&fault), |_| Answer::Done)).ok();
                watch(&mut tree, &inputs).await;
            }
            Question::Watch(asked) => {
                asked.set(false);
                watch(&mut tree, &inputs).await;
            }
            Question::Changed(asked) => {
                asked.set(false);
                door.settle().await;
                watch(&mut tree, &inputs).await;
            }
            Question::Forget(done) => {
                done.send(tree.forget().await).ok();
            }
        }
    }
}

/// Executes an operation; a snapshot moves to where the answer is written from.
async fn execute(
    tree: &mut Tree,
    snapshots: &Snapshots,
    op: DataOp,
    origin: Origin,
) -> Result<DataReply, CwmpFault> {
    let reply = tree.execute(op, origin).await?;
    if let DataReply::Listing { snapshot, .. } = &reply
        && let Some(content) = tree.model.snapshot(*snapshot)
    {
        snapshots.keep(*snapshot, content);
        tree.model.release(*snapshot);
    }
    Ok(reply)
}

async fn get(tree: &mut Tree, names: Vec<String>) -> Result<Answer, CwmpFault> {
    let reply = tree.execute(DataOp::Values { names }, Origin::Local).await?;
    let DataReply::Listing { snapshot: id, .. } = reply else { return Ok(Answer::error("no values")) };
    let snapshot = tree.model.snapshot(id);
    tree.model.release(id);
    let values = snapshot.iter().flat_map(|snapshot| {
        snapshot.entries().map(|entry| ([entry.object, entry.name].concat(), entry.text.to_owned()))
    });
    Ok(Answer::Values { values: values.collect() })
}

async fn set(tree: &mut Tree, values: Vec<(String, String)>) -> Result<(), CwmpFault> {
    let parameters =
        values.into_iter().map(|(name, value)| ParameterValueStruct { name, value_type: None, value });
    let op = DataOp::Set { parameters: parameters.collect(), parameter_key: ParameterKey::default() };
    tree.execute(op, Origin::Local).await.map(|_| ())
}

fn added(reply: DataReply) -> Answer {
    match reply {
        DataReply::Added(added) => Answer::Added { instance: added.instance_number },
        _ => Answer::error("no row was added"),
    }
}

async fn watch(tree: &mut Tree, inputs: &mpsc::UnboundedSender<Input>) {
    if tree.model.check_watched().await {
        inputs.send(Input::WatchedChanged).ok();
    }
    if tree.model.check_lightweight().await {
        inputs.send(Input::LightweightChanged).ok();
    }
}

fn refusal(fault: &CwmpFault) -> Answer {
    let mut errors = vec![fault.to_string()];
    errors.extend(fault.parameters.iter().map(|bad| format!("{}: {}: {}", bad.name, bad.code, bad.text)));
    Answer::Error { errors }
}
