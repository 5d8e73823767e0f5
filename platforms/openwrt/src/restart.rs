//! Restarting the box and putting it back into factory state.

use cwmp_linux::command;
use cwmp_platform::{FactoryReset, PlatformError, Restart};
use cwmp_ubus::Table;

use crate::{ground::Ground, limits};

/// What wipes the overlay, the first that is there: the name of fstools since 2024-11, the one before, and the script of
/// base-files.
const WIPERS: [&str; 3] = ["sbin/factoryreset", "sbin/jffs2reset", "sbin/firstboot"];

impl Ground {
    /// Has procd stop everything in order and restart. `rpc-sys reboot` would pass over that.
    pub(crate) async fn reboot(&self) -> Result<Restart, PlatformError> {
        let ordered = self.bus.call("system", "reboot", &Table::new()).await;
        let Err(why) = ordered else { return Ok(Restart::Imminent) };
        let Some(program) = self.program("sbin/reboot") else {
            return Err(PlatformError::Failed(format!(
                "{why}; {} is not there",
                self.root.path("sbin/reboot").display()
            )));
        };
        tracing::warn!("{why}: {program} runs instead");
        command::run(&[program], &[], limits::SHORT_RUN).await.map(|()| Restart::Imminent)
    }

    fn wiper(&self) -> Option<String> {
        WIPERS.iter().find_map(|path| self.program(path))
    }

    /// Only where there is an overlay: a box whose root is one writable file system has nothing to go back to.
    pub(crate) fn can_factory_reset(&self) -> bool {
        self.wiper().is_some() && self.root.path("overlay").is_dir() && self.root.path("rom").is_dir()
    }

    /// Wipes the overlay and restarts. With it go the agent's own files, which lie there too: the box comes up as it left
    /// the factory.
    pub(crate) async fn factory_reset(&self) -> Result<FactoryReset, PlatformError> {
        let Some(program) = self.wiper().filter(|_| self.can_factory_reset()) else {
            return Err(PlatformError::Unsupported(
                "reset this box: it has no overlay, or no program that wipes it",
            ));
        };
        let words = [program.as_str(), "-y", "-r"].map(str::to_owned);
        command::outlive(&words, &[], limits::UPGRADE_RUN).await?;
        Ok(FactoryReset::Restarting)
    }
}

#[cfg(test)]
mod tests;
