//! The configuration of the box as a whole: loaded, saved, and kept while another one is being loaded.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use cwmp_platform::{LoadConfig, PlatformError};

use crate::{
    command,
    platform::{Shared, off_thread},
    updater::{FILE, require},
};

/// Longest run of the commands that load and save the configuration.
const CONFIG_LIMIT: Duration = Duration::from_secs(300);
/// Name of the backup.
const BACKUP: &str = "configuration.backup";

impl Shared {
    pub(crate) fn can_load_config(&self) -> bool {
        self.sandbox.is_some() || self.options.config_load_command.is_some()
    }

    pub(crate) fn can_save_config(&self) -> bool {
        self.sandbox.is_some() || self.options.config_save_command.is_some()
    }

    /// Where the backup lies: in the sandbox's folder, or where the program keeps its state.
    fn backup(&self) -> Option<PathBuf> {
        let folder = match &self.sandbox {
            Some(sandbox) => Some(sandbox.folder()),
            None => self.options.backup_folder.as_deref(),
        };
        folder.map(|folder| folder.join(BACKUP))
    }

    /// Saves the present configuration beside the agent's state, where only its owner may read it. The former backup stays
    /// until the new one is whole. `None` where the box cannot save, or has no place to keep a backup.
    pub(crate) async fn back_up(&self) -> Result<Option<PathBuf>, PlatformError> {
        let Some(backup) = self.backup().filter(|_| self.can_save_config()) else { return Ok(None) };
        let failed = |e: io::Error| PlatformError::Failed(format!("cannot write {}: {e}", backup.display()));
        let fresh = backup.with_extension("new");
        prepare(&fresh).map_err(failed)?;
        let saved = self.save(&fresh).await;
        saved.map_err(|e| {
            PlatformError::Failed(format!("the present configuration cannot be backed up: {e}"))
        })?;
        let (from, to) = (fresh, backup.clone());
        let kept = off_thread(move || {
            let folder = to.parent().unwrap_or(Path::new("."));
            let kept = File::open(&from)
                .and_then(|file| file.sync_all())
                .and_then(|()| fs::rename(&from, &to))
                .and_then(|()| File::open(folder)?.sync_all());
            kept.map_err(|e| PlatformError::Failed(format!("cannot write {}: {e}", to.display())))
        });
        kept.await.map(|()| Some(backup))
    }

    /// Forgets the backup: it holds what a factory reset is to forget.
    pub(crate) fn forget_backup(&self) -> Result<(), PlatformError> {
        let Some(backup) = self.backup() else { return Ok(()) };
        for path in [backup.with_extension("new"), backup] {
            match fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(PlatformError::Failed(format!("cannot remove {}: {e}", path.display())));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Loads a configuration. Where that fails half-way, the one that was saved just before is loaded again.
    pub(crate) async fn load(&self, file: &Path) -> Result<LoadConfig, PlatformError> {
        if !self.can_load_config() {
            return Err(PlatformError::Unsupported("load a configuration: no config_load_command is set"));
        }
        if let Some(command) = self.options.config_load_command.as_ref().filter(|_| self.sandbox.is_none()) {
            require("config_load_command", command, FILE)?;
        }
        let backup = self.back_up().await?;
        let why = match self.load_as_it_is(file).await {
            Err(PlatformError::Failed(why)) => why,
            other => return other,
        };
        let Some(backup) = backup else {
            return Err(PlatformError::Failed(format!(
                "{why}; part of it may be in force, for nothing could be backed up (config_save_command)"
            )));
        };
        Err(PlatformError::Failed(match self.load_as_it_is(&backup).await {
            Ok(_) => format!("{why}; the former configuration was loaded again"),
            Err(e) => format!(
                "{why}; the former configuration could not be loaded again: {e}; it is kept as {}",
                backup.display()
            ),
        }))
    }

    async fn load_as_it_is(&self, file: &Path) -> Result<LoadConfig, PlatformError> {
        if let Some(sandbox) = self.sandbox.clone() {
            let file = file.to_owned();
            off_thread(move || sandbox.load_config(&file)).await?;
            return Ok(LoadConfig::Applied);
        }
        let command = self.options.config_load_command.as_deref().unwrap_or_default();
        self.run_on("config_load_command", command, file).await?;
        let later = self.options.config_load_needs_restart;
        Ok(if later { LoadConfig::RestartNeeded } else { LoadConfig::Applied })
    }

    pub(crate) async fn save(&self, file: &Path) -> Result<(), PlatformError> {
        if let Some(sandbox) = self.sandbox.clone() {
            let file = file.to_owned();
            return off_thread(move || sandbox.save_config(&file)).await;
        }
        let Some(command) = &self.options.config_save_command else {
            return Err(PlatformError::Unsupported("save the configuration: no config_save_command is set"));
        };
        self.run_on("config_save_command", command, file).await
    }

    async fn run_on(&self, key: &str, command: &[String], file: &Path) -> Result<(), PlatformError> {
        require(key, command, FILE)?;
        command::run(command, &[(FILE, file.as_os_str())], CONFIG_LIMIT).await
    }
}

/// An empty file that only its owner may read, in a folder that only its owner may enter: the command that saves writes
/// passwords with whatever mask it has.
fn prepare(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match fs::remove_file(file) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map(drop)
}
