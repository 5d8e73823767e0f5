//! The user layer in UCI on a disk that loses power, for tests: the file of UCI is a real one, for its locks, and each operation of
//! a commit is made on the simulated disk before it is made on the real one.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use cwmp_platform_openwrt::UserConfig;
use cwmp_store::{Layers, Problem, StoreError, durable::Files, sim::Sim};
use cwmp_uci::{Disk, RealDisk, Uci, UciOptions};
use tempfile::TempDir;

use super::UciLayer;

/// The simulated disk, then the real one.
struct Both(Arc<Sim>);

/// Where a file of the real folder lies on the simulated disk.
fn simulated(file: &Path) -> PathBuf {
    Path::new("/etc/config").join(file.file_name().unwrap())
}

impl Disk for Both {
    fn write_new(&self, file: &Path, content: &[u8], like: &File) -> io::Result<()> {
        self.0.write_new(&simulated(file), content)?;
        RealDisk.write_new(file, content, like)
    }

    fn sync(&self, file: &Path) -> io::Result<()> {
        self.0.fsync(&simulated(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(&simulated(from), &simulated(to))?;
        RealDisk.rename(from, to)
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        self.0.fsync_dir(Path::new("/etc/config"))
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.0.remove(&simulated(file))?;
        RealDisk.remove(file)
    }
}

/// A folder with what the simulated disk has in `/etc/config`.
pub(crate) fn real_folder(sim: &Sim) -> TempDir {
    let real = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    for name in sim.names().iter().filter(|name| name.starts_with("/etc/config/")) {
        let file = real.path().join(Path::new(name).file_name().unwrap());
        fs::write(&file, sim.text(name).unwrap()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    real
}

/// The layers in `dir` of the simulated disk, that of the user in UCI.
pub(crate) fn load(
    sim: &Arc<Sim>,
    dir: &Path,
    state_dir: &Path,
    real: &Path,
) -> Result<(Layers, Vec<Problem>), StoreError> {
    let uci = Uci::new(UciOptions { config: real.to_owned(), overrides: None });
    let config = UserConfig::of(uci.on_disk(Arc::new(Both(Arc::clone(sim)))), real);
    let files: Arc<dyn Files> = sim.clone();
    Layers::load_with(Arc::clone(&files), dir, |below, problems| {
        let layer = UciLayer::new(config, &files, below.dir(), state_dir);
        Ok(layer.in_charge(problems).map(|layer| Box::new(layer) as _))
    })
}
