//! Keeps the attributes of parameters in a state file.

use std::{cell::RefCell, path::Path, sync::Arc};

use async_trait::async_trait;
use cwmp_datamodel::{AttributeError, AttributeStore, Attributes};
use cwmp_store::{Problem, StateFile, StoreError, durable::Files};

/// `attributes.json` of the state folder.
pub(crate) struct AttributeFile {
    file: RefCell<StateFile<Attributes>>,
    loaded: Attributes,
}

impl AttributeFile {
    /// Opens the file; damage is reported and the last good copy serves.
    ///
    /// # Errors
    /// Those of [`StateFile::open`].
    pub(crate) fn open(files: Arc<dyn Files>, path: &Path) -> Result<(Self, Vec<Problem>), StoreError> {
        let (file, loaded, problems) = StateFile::open(files, path)?;
        Ok((Self { file: RefCell::new(file), loaded: loaded.unwrap_or_default() }, problems))
    }
}

#[async_trait(?Send)]
impl AttributeStore for AttributeFile {
    fn load(&self) -> Attributes {
        self.loaded.clone()
    }

    async fn save(&self, attributes: &Attributes) -> Result<(), AttributeError> {
        self.file.borrow_mut().save(attributes).map(|_| ()).map_err(|error| AttributeError(error.to_string()))
    }
}
