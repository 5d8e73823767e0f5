//! The verbs.

use std::{
    ffi::OsStr,
    path::Path,
    rc::Rc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use cwmp_core::io::RebootCause;
use cwmp_platform::{
    DeviceFacts, FactoryReset, Flash, FlashOptions, LoadConfig, Platform, PlatformError, Restart,
    mapping::Mapping, settings::Settings, source::ParameterSource,
};

use crate::{
    clock, command,
    device_info::{DeviceInfo, uptime},
    files::{Root, clean},
    identity::Identity,
    mapping::{Host, TEXTS},
    options::Options,
    process::Processes,
    sandbox::Sandbox,
    time::Time,
};

/// Longest run of the reboot command; it only orders the restart.
const REBOOT_LIMIT: Duration = Duration::from_secs(60);
/// Longest run of the factory reset command.
const FACTORY_RESET_LIMIT: Duration = Duration::from_secs(300);
/// Longest run of the firmware command: writing flash is slow.
const FIRMWARE_LIMIT: Duration = Duration::from_secs(1800);
/// Longest run of the commands that load and save the configuration.
const CONFIG_LIMIT: Duration = Duration::from_secs(300);

/// What stands for a path in the arguments of a command.
const FILE: &str = "{file}";
/// What stands for `true` or `false` in the arguments of the firmware command.
const KEEP_SETTINGS: &str = "{keep_settings}";

/// Any Linux box, or a sandbox on one.
pub struct GenericLinux {
    shared: Rc<Shared>,
    sources: [Rc<dyn ParameterSource>; 3],
}

/// What the verbs and the sources have in common.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) settings: Rc<dyn Settings>,
    pub(crate) root: Root,
    sandbox: Option<Sandbox>,
}

impl Shared {
    pub(crate) fn new(options: Options, settings: Rc<dyn Settings>) -> Self {
        let root = Root::new(options.root.clone());
        let sandbox = options.sandbox.clone().map(Sandbox::boot);
        Self { options, settings, root, sandbox }
    }

    pub(crate) fn identity(&self) -> Identity<'_> {
        Identity { root: &self.root, settings: &*self.settings, lenient: self.sandbox.is_some() }
    }

    pub(crate) fn facts(&self) -> Result<DeviceFacts, PlatformError> {
        self.identity().facts(self.sandbox.as_ref().and_then(Sandbox::version))
    }

    /// Seconds since the boot; that of a sandbox is the start of the program.
    pub(crate) fn uptime(&self) -> Option<u32> {
        match &self.sandbox {
            Some(sandbox) => Some(sandbox.uptime()),
            None => uptime(&self.root),
        }
    }

    /// Fills in `{file}`; a command without it could only work on another file.
    async fn run_on(
        &self,
        key: &str,
        command: &[String],
        file: &Path,
        limit: Duration,
    ) -> Result<(), PlatformError> {
        require(key, command, FILE)?;
        command::run(command, &[(FILE, file.as_os_str())], limit).await
    }
}

fn require(key: &str, command: &[String], placeholder: &str) -> Result<(), PlatformError> {
    if command.iter().skip(1).any(|argument| argument.contains(placeholder)) {
        return Ok(());
    }
    Err(PlatformError::Failed(format!("{key} has no argument with {placeholder}")))
}

/// Work on files that waits for the disk goes to another thread.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PlatformError> + Send + 'static,
) -> Result<T, PlatformError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(PlatformError::Failed(format!("the work on the sandbox broke off: {e}"))))
}

impl GenericLinux {
    /// A backend with these options. `settings` holds what the box has no place for: the identity where it is set, and
    /// ProvisioningCode.
    ///
    /// In a sandbox this is the moment of the boot: the image that lies there now is the one that runs.
    #[must_use]
    pub fn new(options: Options, settings: Rc<dyn Settings>) -> Self {
        let shared = Rc::new(Shared::new(options, settings));
        let sources: [Rc<dyn ParameterSource>; 3] = [
            Rc::new(DeviceInfo { shared: Rc::clone(&shared) }),
            Rc::new(Processes::new(Rc::clone(&shared))),
            Rc::new(Time { shared: Rc::clone(&shared), now: SystemTime::now }),
        ];
        Self { shared, sources }
    }
}

#[async_trait(?Send)]
impl Platform for GenericLinux {
    fn name(&self) -> &'static str {
        "generic-linux"
    }

    async fn device_facts(&self) -> Result<DeviceFacts, PlatformError> {
        self.shared.facts()
    }

    async fn boot_id(&self) -> Result<String, PlatformError> {
        if let Some(sandbox) = &self.shared.sandbox {
            return Ok(sandbox.boot_id().to_owned());
        }
        let path = "proc/sys/kernel/random/boot_id";
        let id = self.shared.root.text(path).map(|id| clean(&id, 64)).filter(|id| !id.is_empty());
        id.ok_or_else(|| {
            PlatformError::Failed(format!("cannot read {}", self.shared.root.path(path).display()))
        })
    }

    fn clock_is_synchronised(&self) -> bool {
        clock::is_synchronised(&self.shared.root, &self.shared.options, SystemTime::now())
    }

    /// Always: without a command it is the agent's own state that goes back, which is all that this backend changes.
    fn can_factory_reset(&self) -> bool {
        true
    }

    fn can_flash_firmware(&self) -> bool {
        self.shared.sandbox.is_some() || self.shared.options.firmware_command.is_some()
    }

    fn can_load_config(&self) -> bool {
        self.shared.sandbox.is_some() || self.shared.options.config_load_command.is_some()
    }

    fn can_save_config(&self) -> bool {
        self.shared.sandbox.is_some() || self.shared.options.config_save_command.is_some()
    }

    async fn reboot(&self, cause: RebootCause) -> Result<Restart, PlatformError> {
        let Shared { options, root, sandbox, .. } = &*self.shared;
        if sandbox.is_some() {
            return Ok(Restart::Process);
        }
        tracing::info!(?cause, "the box restarts");
        let usual = root.path("sbin/reboot");
        if let Some(command) = &options.reboot_command {
            command::run(command, &[], REBOOT_LIMIT).await?;
        } else if usual.is_file() {
            command::run(&[usual.display().to_string()], &[], REBOOT_LIMIT).await?;
        } else if root.is_real() {
            reboot_by_kernel().await?;
        } else {
            return Err(PlatformError::Failed(format!(
                "{} is not there: set reboot_command",
                usual.display()
            )));
        }
        Ok(Restart::Imminent)
    }

    async fn factory_reset(&self) -> Result<FactoryReset, PlatformError> {
        let Shared { options, sandbox, .. } = &*self.shared;
        if let Some(sandbox) = sandbox {
            sandbox.reset()?;
        } else if let Some(command) = &options.factory_reset_command {
            command::run(command, &[], FACTORY_RESET_LIMIT).await?;
            if options.factory_reset_restarts {
                return Ok(FactoryReset::Restarting);
            }
        }
        Ok(FactoryReset::Done)
    }

    async fn flash_firmware(&self, image: &Path, flash: FlashOptions) -> Result<Flash, PlatformError> {
        let Shared { options, sandbox, .. } = &*self.shared;
        if let Some(sandbox) = sandbox.clone() {
            let image = image.to_owned();
            off_thread(move || sandbox.flash(&image, flash.keep_settings)).await?;
            return Ok(Flash::RestartNeeded);
        }
        let Some(command) = &options.firmware_command else {
            return Err(PlatformError::Unsupported("flash firmware: no firmware_command is set"));
        };
        require("firmware_command", command, FILE)?;
        if !flash.keep_settings {
            require("firmware_command", command, KEEP_SETTINGS)?;
        }
        let keep = if flash.keep_settings { "true" } else { "false" };
        let placeholders = [(FILE, image.as_os_str()), (KEEP_SETTINGS, OsStr::new(keep))];
        command::run(command, &placeholders, FIRMWARE_LIMIT).await?;
        Ok(if options.firmware_restarts { Flash::Restarting } else { Flash::RestartNeeded })
    }

    async fn load_config(&self, file: &Path) -> Result<LoadConfig, PlatformError> {
        let Shared { options, sandbox, .. } = &*self.shared;
        if let Some(sandbox) = sandbox.clone() {
            let file = file.to_owned();
            off_thread(move || sandbox.load_config(&file)).await?;
            return Ok(LoadConfig::Applied);
        }
        let Some(command) = &options.config_load_command else {
            return Err(PlatformError::Unsupported("load a configuration: no config_load_command is set"));
        };
        self.shared.run_on("config_load_command", command, file, CONFIG_LIMIT).await?;
        Ok(if options.config_load_needs_restart { LoadConfig::RestartNeeded } else { LoadConfig::Applied })
    }

    async fn save_config(&self, file: &Path) -> Result<(), PlatformError> {
        let Shared { options, sandbox, .. } = &*self.shared;
        if let Some(sandbox) = sandbox.clone() {
            let file = file.to_owned();
            return off_thread(move || sandbox.save_config(&file)).await;
        }
        let Some(command) = &options.config_save_command else {
            return Err(PlatformError::Unsupported("save the configuration: no config_save_command is set"));
        };
        self.shared.run_on("config_save_command", command, file, CONFIG_LIMIT).await
    }

    fn sources(&self) -> Vec<Rc<dyn ParameterSource>> {
        self.sources.to_vec()
    }

    fn mapping(&self) -> Option<Mapping> {
        let host = Rc::new(Host { shared: Rc::clone(&self.shared) });
        Some(Mapping { texts: TEXTS, host, providers: Vec::new() })
    }
}

/// The last resort: nothing is stopped in order, but everything written is on the disk.
async fn reboot_by_kernel() -> Result<(), PlatformError> {
    off_thread(|| {
        nix::unistd::sync();
        match nix::sys::reboot::reboot(nix::sys::reboot::RebootMode::RB_AUTOBOOT) {
            Ok(never) => match never {},
            Err(e) => Err(PlatformError::Failed(format!(
                "there is no /sbin/reboot, and the kernel refuses to restart: {e}; set reboot_command"
            ))),
        }
    })
    .await
}

#[cfg(test)]
mod tests;
