//! The layers as all parts of the program share them.

use std::{
    cell::{Cell, Ref, RefCell},
    collections::BTreeSet,
};

use cwmp_platform::settings::Settings;
use cwmp_store::{Layers, StoreError};
use tokio::sync::Notify;

/// The one copy of the layers in memory. Everything runs on one thread, and nobody holds a borrow across an await.
pub(crate) struct SharedLayers {
    layers: RefCell<Layers>,
    /// Changes stay in memory until [`SharedLayers::settle`].
    gathering: Cell<bool>,
    /// Told when a commit has come upon what others have changed.
    others: Notify,
}

impl SharedLayers {
    pub(crate) fn new(layers: Layers) -> Self {
        Self { layers: RefCell::new(layers), gathering: Cell::new(false), others: Notify::new() }
    }

    /// To read.
    pub(crate) fn borrow(&self) -> Ref<'_, Layers> {
        self.layers.borrow()
    }

    /// Gathers the changes of all who make some, until [`SharedLayers::settle`]: they become one step on the disk.
    pub(crate) fn gather(&self) {
        self.gathering.set(true);
    }

    /// Whether changes are being gathered: what the layers say may still be taken back.
    pub(crate) fn is_gathering(&self) -> bool {
        self.gathering.get()
    }

    /// Makes what was gathered durable, or undoes it.
    ///
    /// # Errors
    /// Those of [`Layers::change`]; all is undone then.
    pub(crate) fn settle(&self, keep: bool) -> Result<(), StoreError> {
        let gathered = self.gathering.replace(false);
        let mut layers = self.layers.borrow_mut();
        match (gathered, keep) {
            (true, true) => {
                let done = layers.change(|_| Ok(()));
                self.look_for_others(&layers);
                done
            }
            (true, false) => {
                layers.rollback();
                Ok(())
            }
            (false, _) => Ok(()),
        }
    }

    /// Makes changes, durably and all or none. While changes are gathered neither is promised before the end of that.
    ///
    /// # Errors
    /// Those of [`Layers::change`].
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Layers) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut layers = self.layers.borrow_mut();
        let done = if self.gathering.get() { change(&mut layers) } else { layers.change(change) };
        self.look_for_others(&layers);
        done
    }

    fn look_for_others(&self, layers: &Layers) {
        if layers.has_others() {
            self.others.notify_one();
        }
    }

    /// Takes in what others have changed.
    ///
    /// # Errors
    /// Those of [`Layers::reread`].
    pub(crate) fn reread(&self) -> Result<(), StoreError> {
        self.layers.borrow_mut().reread()
    }

    /// Waits until a commit has come upon what others have changed.
    pub(crate) async fn met_others(&self) {
        self.others.notified().await;
    }

    /// The sections that others have changed since this was last asked.
    pub(crate) fn take_others(&self) -> BTreeSet<String> {
        self.layers.borrow_mut().take_others()
    }

    /// Replaces what DHCP has told, durably; what is being gathered is not touched. Returns whether anything was different.
    ///
    /// # Errors
    /// Those of [`Layers::learn`].
    pub(crate) fn learn(&self, values: &[(&str, &str, &str)]) -> Result<bool, StoreError> {
        self.layers.borrow_mut().learn(values)
    }

    /// Deletes what was set on this box, and what is being gathered.
    ///
    /// # Errors
    /// Those of [`Layers::delete_user`].
    pub(crate) fn delete_user(&self) -> Result<(), StoreError> {
        self.gathering.set(false);
        self.layers.borrow_mut().delete_user()
    }
}

impl Settings for SharedLayers {
    fn get(&self, section: &str, key: &str) -> Option<String> {
        self.borrow().get(section, key).map(str::to_owned)
    }

    fn set(&self, values: &[(&str, &str, &str)]) -> Result<(), String> {
        self.change(|layers| {
            values.iter().try_for_each(|(section, key, value)| layers.set(section, key, value))
        })
        .map_err(|error| error.to_string())
    }
}
