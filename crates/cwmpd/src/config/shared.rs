//! The layers as all parts of the program share them.

use std::cell::{Ref, RefCell};

use cwmp_platform::settings::Settings;
use cwmp_store::{Layers, StoreError};

/// The one copy of the layers in memory. Everything runs on one thread, and nobody holds a borrow across an await.
pub(crate) struct SharedLayers(RefCell<Layers>);

impl SharedLayers {
    pub(crate) fn new(layers: Layers) -> Self {
        Self(RefCell::new(layers))
    }

    /// To read.
    pub(crate) fn borrow(&self) -> Ref<'_, Layers> {
        self.0.borrow()
    }

    /// Makes changes, durably and all or none.
    ///
    /// # Errors
    /// Those of [`Layers::change`].
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Layers) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.0.borrow_mut().change(change)
    }

    /// Deletes what was set on this box.
    ///
    /// # Errors
    /// Those of [`Layers::delete_user`].
    pub(crate) fn delete_user(&self) -> Result<(), StoreError> {
        self.0.borrow_mut().delete_user()
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
