//! Keeps the attributes of parameters in a state file.

use std::{cell::RefCell, path::Path, sync::Arc};

use async_trait::async_trait;
use cwmp_core::rpc::DeviceId;
use cwmp_datamodel::{AttributeError, AttributeStore, Attributes};
use cwmp_store::{Problem, StateFile, StoreError, durable::Files};
use serde::{Deserialize, Serialize};

/// `attributes.json` of the state folder.
pub(crate) struct AttributeFile {
    file: RefCell<StateFile<Kept>>,
    owner: String,
    loaded: Attributes,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The box that the attributes belong to, as in the protocol state. Empty in files from before there was an owner.
    #[serde(default)]
    owner: String,
    #[serde(flatten)]
    attributes: Attributes,
}

/// `OUI-ProductClass-SerialNumber`: the box that a file belongs to.
pub(crate) fn owner(id: &DeviceId) -> String {
    format!("{}-{}-{}", id.oui, id.product_class, id.serial_number)
}

impl AttributeFile {
    /// Opens the file; damage is reported and the last good copy serves. Attributes of another box (a backup restored
    /// elsewhere) are reported and not used.
    ///
    /// # Errors
    /// Those of [`StateFile::open`].
    pub(crate) fn open(
        files: Arc<dyn Files>,
        path: &Path,
        owner: String,
    ) -> Result<(Self, Vec<Problem>), StoreError> {
        let (file, kept, mut problems) = StateFile::<Kept>::open(files, path)?;
        let loaded = match kept {
            Some(kept) if kept.owner.is_empty() || kept.owner == owner => kept.attributes,
            Some(kept) => {
                let reason = format!("it belongs to {}: the defaults of the model serve", kept.owner);
                problems.push(Problem::file(path, reason));
                Attributes::default()
            }
            None => Attributes::default(),
        };
        Ok((Self { file: RefCell::new(file), owner, loaded }, problems))
    }
}

#[async_trait(?Send)]
impl AttributeStore for AttributeFile {
    fn load(&self) -> Attributes {
        self.loaded.clone()
    }

    async fn save(&self, attributes: &Attributes) -> Result<(), AttributeError> {
        let kept = Kept { owner: self.owner.clone(), attributes: attributes.clone() };
        self.file.borrow_mut().save(&kept).map(|_| ()).map_err(|error| AttributeError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cwmp_datamodel::Deviation;
    use cwmp_store::sim::Sim;

    use super::*;

    fn open(sim: &Arc<Sim>, owner: &str) -> (AttributeFile, Vec<Problem>) {
        AttributeFile::open(sim.clone(), Path::new("/state/attributes.json"), owner.to_owned()).unwrap()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn attributes_stay_on_their_box_and_do_not_follow_a_backup_to_another() {
        let sim = Sim::with(&[]);
        let watched = Deviation { notification: Some(2), acs_only: true };
        let attributes = Attributes {
            set: BTreeMap::from([("Device.Time.Enable".to_owned(), watched)]),
            known: BTreeMap::from([("Device.Time.Enable".to_owned(), u64::MAX)]),
            ..Attributes::default()
        };
        open(&sim, "00D09E-Box-1").0.save(&attributes).await.unwrap();
        let (file, problems) = open(&sim, "00D09E-Box-1");
        assert_eq!((file.load(), problems), (attributes.clone(), vec![]));
        let (file, problems) = open(&sim, "00D09E-Box-2");
        assert_eq!(file.load(), Attributes::default());
        assert!(problems[0].reason.contains("belongs to 00D09E-Box-1"), "{problems:?}");
        file.save(&attributes).await.unwrap();
        assert_eq!(open(&sim, "00D09E-Box-2").1, []);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_file_from_before_there_was_an_owner_is_taken() {
        let sim = Sim::with(&[]);
        let path = Path::new("/state/attributes.json");
        let old =
            Attributes { known: BTreeMap::from([("Device.X_A".to_owned(), 7)]), ..Attributes::default() };
        StateFile::open(sim.clone(), path).unwrap().0.save(&old).unwrap();
        let (file, problems) = open(&sim, "00D09E-Box-1");
        assert_eq!((file.load(), problems), (old, vec![]));
    }
}
