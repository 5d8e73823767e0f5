//! Keeps the numbers of rows in a state file.

use std::{
    path::Path,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use cwmp_platform::instances::{InstanceNumbers, NumberStore, Numbers};
use cwmp_store::{Problem, StateFile, StoreError, durable::Files};

/// `instances.json` of the state folder.
struct NumberFile {
    /// Only the thread for blocking calls locks it.
    file: Arc<Mutex<StateFile<Numbers>>>,
    loaded: Numbers,
}

/// Numbers of rows that outlive the program in this file; damage is reported and the last good copy serves.
///
/// # Errors
/// Those of [`StateFile::open`].
pub(crate) fn open(
    files: Arc<dyn Files>,
    path: &Path,
) -> Result<(Rc<InstanceNumbers>, Vec<Problem>), StoreError> {
    let (file, loaded, problems) = StateFile::open(files, path)?;
    let store = NumberFile { file: Arc::new(Mutex::new(file)), loaded: loaded.unwrap_or_default() };
    Ok((Rc::new(InstanceNumbers::new(Rc::new(store))), problems))
}

impl NumberFile {
    /// A new host must not stop the loop for the time of an fsync.
    async fn off_thread(
        &self,
        work: impl FnOnce(&mut StateFile<Numbers>) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), String> {
        let file = Arc::clone(&self.file);
        let done = tokio::task::spawn_blocking(move || {
            work(&mut file.lock().unwrap_or_else(PoisonError::into_inner)).map_err(|error| error.to_string())
        });
        done.await.unwrap_or_else(|error| Err(format!("the numbers of rows could not be kept: {error}")))
    }
}

#[async_trait(?Send)]
impl NumberStore for NumberFile {
    fn load(&self) -> Numbers {
        self.loaded.clone()
    }

    async fn save(&self, numbers: &Numbers) -> Result<(), String> {
        let numbers = numbers.clone();
        self.off_thread(move |file| file.save(&numbers).map(|_| ())).await
    }

    async fn delete(&self) -> Result<(), String> {
        self.off_thread(StateFile::delete).await
    }
}

#[cfg(test)]
mod tests {
    use cwmp_store::durable::RealFiles;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn numbers_outlive_the_program_until_a_factory_reset() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/instances.json");
        let open = || open(RealFiles::shared(), &path).unwrap().0;
        let numbers = open();
        assert_eq!(numbers.assign("Device.IP.Interface.", ["lo", "eth0"], 8), [Some(1), Some(2)]);
        numbers.keep().await.unwrap();
        let numbers = open();
        assert_eq!(numbers.assign("Device.IP.Interface.", ["eth0"], 8), [Some(2)]);
        numbers.forget().await.unwrap();
        assert!(!path.exists());
        assert_eq!(open().assign("Device.IP.Interface.", ["eth0"], 8), [Some(1)]);
    }
}
