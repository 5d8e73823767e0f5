//! The agent's real parts without the loop over them, for tests that bring their own clock and their own ACS.
//!
//! [`Workbench::open`] reads the files as a start of the program does; what is missing of the program is what has to do with
//! the outside: the driver loop, the connection to the ACS, the listener and the control socket.

use std::{
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use cwmp_core::{
    fault::CwmpFault,
    io::{DataOp, DataReply, Input, Listing, SnapshotId, Start},
    settings::AgentSettings,
    stored::Stored,
};
use cwmp_datamodel::{DataModel, Origin};
use cwmp_platform::{Platform, instances::InstanceNumbers, settings::Settings};
use cwmp_store::{Layers, durable::Files};
use tokio::sync::{mpsc, watch};

pub use crate::snapshots::Written;
use crate::{
    agent_source::AgentSource,
    box_loop::Parts,
    config::{Config, SharedLayers},
    data_task::Tree,
    numbers,
    restart::forget,
    run::{all, assemble, one},
    snapshots::Snapshots,
    store_task::Kept,
};

/// Does what the protocol process does before it hears from the network, for a test that plays one that was taken over. Comes
/// back with the socket to the box process, and the folders with secrets that it was told of.
///
/// # Errors
/// What keeps the protocol process from starting, a sentence each.
pub fn taken_over() -> Result<(UnixStream, Vec<PathBuf>), Vec<String>> {
    let (begin, stream) = crate::protocol::process::begin()?;
    Ok((stream, begin.private_folders))
}

/// One start of the agent on the files of a folder.
pub struct Workbench {
    /// What the agent is told at its start.
    pub start: Box<Start>,
    tree: Tree,
    /// What the agent must hear of the last operation.
    told: mpsc::UnboundedReceiver<Input>,
    layers: Rc<SharedLayers>,
    source: Rc<AgentSource>,
    numbers: Rc<InstanceNumbers>,
    settings: watch::Receiver<AgentSettings>,
    kept: Kept,
    snapshots: Snapshots,
}

impl Workbench {
    /// Starts on the configuration and state in `folder` of these files, with the platform that `platform` makes of its
    /// settings and the numbers of its rows.
    ///
    /// # Errors
    /// What keeps the program from starting, a sentence each.
    pub async fn open(
        files: Arc<dyn Files>,
        folder: &Path,
        platform: impl FnOnce(Rc<dyn Settings>, Rc<InstanceNumbers>) -> Rc<dyn Platform>,
    ) -> Result<Self, Vec<String>> {
        let (layers, _) = Layers::load(Arc::clone(&files), folder).map_err(one)?;
        let (config, _) = Config::load(&layers).map_err(all)?;
        let layers = Rc::new(SharedLayers::new(layers));
        let (numbers, _) = numbers::of_state(&files, &config.state_dir).map_err(one)?;
        let platform = platform(Rc::clone(&layers) as _, Rc::clone(&numbers));
        let (_, asked) = mpsc::channel(1);
        let mut parts = assemble(config, layers, platform, numbers, &files, asked).await?;
        parts.recover().await;
        let Parts { layers, source, data: model, ledger, diagnostics, kept, start, numbers, .. } = parts;
        let (inputs, told) = mpsc::unbounded_channel();
        let settings = source.subscribe();
        let tree = Tree { model, ledger, diagnostics, inputs, told_of_rollback: false };
        let snapshots = Snapshots::default();
        Ok(Self { start, tree, told, layers, source, numbers, settings, kept, snapshots })
    }

    /// The parameter tree, the agent's own parameters included, to look at. Changes go through [`Workbench::execute`].
    pub fn data(&mut self) -> &mut DataModel {
        &mut self.tree.model
    }

    /// Does what the agent or somebody on the box asks of the tree. What a call changes in user.ini is one step on the disk.
    ///
    /// # Errors
    /// The fault to answer.
    pub async fn execute(&mut self, op: DataOp, origin: Origin) -> Result<DataReply, CwmpFault> {
        self.tree.execute(op, origin).await
    }

    /// What the agent must hear before the answer to the last operation.
    pub fn told(&mut self) -> Option<Input> {
        self.told.try_recv().ok()
    }

    /// The settings in force, where they have changed since this was last called.
    pub fn changed_settings(&mut self) -> Option<AgentSettings> {
        let changed = self.settings.has_changed().unwrap_or(false);
        changed.then(|| self.settings.borrow_and_update().clone())
    }

    /// Says where connection requests are taken; empty while they are not.
    pub fn set_connection_request_url(&self, url: String) {
        self.source.set_connection_request_url(url);
    }

    /// Keeps the protocol state on the disk.
    ///
    /// # Errors
    /// A sentence that names file and reason.
    pub fn save(&mut self, state: &Stored) -> Result<(), String> {
        self.kept.save(state)
    }

    /// Holds a snapshot of the tree until [`Workbench::release`].
    pub fn keep(&mut self, id: SnapshotId) {
        if let Some(snapshot) = self.tree.model.snapshot(id) {
            self.snapshots.keep(id, snapshot);
            self.tree.model.release(id);
        }
    }

    /// Lets go of a snapshot.
    pub fn release(&mut self, id: SnapshotId) {
        self.snapshots.release(id);
    }

    /// The envelope of a listing, as it is sent; `None` when its snapshot is gone.
    #[must_use]
    pub fn written(&self, listing: Listing) -> Option<Written> {
        let snapshot = listing.snapshot;
        self.snapshots.write(listing)?;
        self.snapshots.written(snapshot)
    }

    /// Deletes what the agent keeps, as a factory reset does. `pending` is a state that the store had been given before
    /// and has not written yet.
    ///
    /// # Errors
    /// What could not be deleted.
    pub async fn forget(&mut self, pending: Option<&Stored>) -> Result<(), String> {
        let Self { tree, layers, numbers, kept, start, .. } = self;
        let mut attributes = async || tree.forget().await;
        let rest = Stored { boot_id: start.state.boot_id.clone(), ..Stored::default() };
        let mut state = async || {
            if let Some(pending) = pending {
                // That it could not be written is no news beside what follows.
                let _ = kept.save(pending);
            }
            kept.forget(&rest)
        };
        forget(layers, &mut attributes, numbers, &mut state).await
    }
}
