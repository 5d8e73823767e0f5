//! The agent's real parts without the loop over them, for tests that bring their own clock and their own ACS.
//!
//! [`Workbench::open`] reads the files as a start of the program does; what is missing of the program is what has to do with
//! the outside: the driver loop, the connection to the ACS, the listener and the control socket.

use std::{path::Path, rc::Rc, sync::Arc};

use cwmp_core::{
    io::{Listing, SnapshotId, Start},
    settings::AgentSettings,
    stored::Stored,
};
use cwmp_datamodel::DataModel;
use cwmp_platform::{Platform, instances::InstanceNumbers, settings::Settings};
use cwmp_store::{Layers, StateFile, durable::RealFiles};
use cwmp_transport::PostBody;
use tokio::sync::{mpsc, watch};

use crate::{
    agent_source::AgentSource,
    config::{Config, SharedLayers},
    driver::Parts,
    run::{all, assemble, one},
    snapshots::Snapshots,
};

/// One start of the agent on the files of a folder.
pub struct Workbench {
    /// What the agent is told at its start.
    pub start: Box<Start>,
    /// The parameter tree, the agent's own parameters included.
    pub data: DataModel,
    layers: Rc<SharedLayers>,
    source: Rc<AgentSource>,
    settings: watch::Receiver<AgentSettings>,
    state_file: StateFile<Stored>,
    snapshots: Snapshots,
}

impl Workbench {
    /// Starts on the configuration and state in `folder`, with the platform that `platform` makes.
    ///
    /// # Errors
    /// What keeps the program from starting, a sentence each.
    pub async fn open(
        folder: &Path,
        platform: impl FnOnce(Rc<dyn Settings>) -> Rc<dyn Platform>,
    ) -> Result<Self, Vec<String>> {
        let files = RealFiles::shared();
        let (layers, _) = Layers::load(Arc::clone(&files), folder).map_err(one)?;
        let (config, _) = Config::load(&layers).map_err(all)?;
        let layers = Rc::new(SharedLayers::new(layers));
        let platform = platform(Rc::clone(&layers) as _);
        let (_, asked) = mpsc::channel(1);
        let numbers = Rc::new(InstanceNumbers::in_memory());
        let parts = assemble(config, layers, platform, numbers, &files, asked).await?;
        let Parts { layers, source, data, state_file, start, .. } = parts;
        let settings = source.subscribe();
        Ok(Self { start, data, layers, source, settings, state_file, snapshots: Snapshots::default() })
    }

    /// The settings in force, where they have changed since this was last called.
    pub fn changed_settings(&mut self) -> Option<AgentSettings> {
        let changed = self.settings.has_changed().unwrap_or(false);
        changed.then(|| self.settings.borrow_and_update().clone())
    }

    /// Says where connection requests are taken; empty for nowhere.
    pub fn set_connection_request_url(&self, url: String) {
        self.source.set_connection_request_url(url);
    }

    /// Keeps the protocol state on the disk.
    ///
    /// # Errors
    /// A sentence that names file and reason.
    pub fn save(&mut self, state: &Stored) -> Result<(), String> {
        self.state_file.save(state).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Holds a snapshot of the tree until [`Workbench::release`].
    pub fn keep(&mut self, id: SnapshotId) {
        if let Some(snapshot) = self.data.snapshot(id) {
            self.snapshots.keep(id, snapshot);
            self.data.release(id);
        }
    }

    /// Lets go of a snapshot.
    pub fn release(&mut self, id: SnapshotId) {
        self.snapshots.release(id);
    }

    /// The envelope of a listing, as it is sent; `None` when its snapshot is gone.
    #[must_use]
    pub fn body(&self, listing: Listing) -> Option<PostBody> {
        self.snapshots.body(listing)
    }

    /// Deletes what the agent keeps, as a factory reset does.
    ///
    /// # Errors
    /// What could not be deleted.
    pub async fn forget(&mut self) -> Result<(), String> {
        self.layers.delete_user().map_err(|error| error.to_string())?;
        self.data.forget_attributes().await.map_err(|error| error.to_string())?;
        let rest = Stored { boot_id: self.start.state.boot_id.clone(), ..Stored::default() };
        let forgotten = self.state_file.delete().and_then(|()| self.state_file.save(&rest));
        forgotten.map(|_| ()).map_err(|error| error.to_string())
    }
}
