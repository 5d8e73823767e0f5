//! What an integrator can set.

use std::path::PathBuf;

use cwmp_core::job::{DownloadType, UploadType};
use cwmp_platform::policy::ImagePolicy;

/// Most files of [`Options::config_files`] and of [`Options::log_files`].
pub const FILES: usize = 16;

/// What writes firmware.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirmwareBackend {
    /// The commands `firmware_*`.
    #[default]
    Hook,
    /// RAUC.
    Rauc,
    /// SWUpdate.
    Swupdate,
}

/// A file of the box that the ACS may know by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// VendorConfigFile.Name or VendorLogFile.Name, at most 64 characters.
    pub name: String,
    /// Where it lies, below [`Options::root`].
    pub path: PathBuf,
}

/// How the backend does its work on this box.
///
/// A command is a program with its arguments, never a shell line. `{file}` in an argument is replaced by the path of the
/// file; it stays one argument whatever the path holds. A command sees no environment but PATH, runs in a process group
/// of its own, and is killed with that group when it takes too long. Exit status 0 is success. 65 (EX_DATAERR), 77
/// (EX_NOPERM) and 73 (EX_CANTCREAT) say that the file is not for this box, that it is not authentic, that there is no room
/// for it, and each time that nothing was changed; everything else is a failure. All are reported with the end of what the
/// command wrote to stderr.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the system's files are read, `/` by default. With another root, reboot(2) is never called.
    pub root: PathBuf,
    /// Sandbox: nothing outside this folder is changed and no command runs. A reboot restarts the program, and each start
    /// of it is a boot. An image begins with the line `cwmpd-sandbox-firmware VERSION`; it is kept as `firmware.img`, and
    /// SoftwareVersion is that VERSION from the next start on. A configuration is lines of `key=value`, kept as
    /// `platform.conf`. Other downloads are kept in folders of their own, and `box.log` says what was done.
    pub sandbox: Option<PathBuf>,
    /// Restarts the box; without it logind through `systemctl` or `loginctl`, then `/sbin/reboot`, then reboot(2).
    pub reboot_command: Option<Vec<String>>,
    /// Puts the box itself back into factory state; without it only what the agent keeps is reset.
    pub factory_reset_command: Option<Vec<String>>,
    /// The factory reset command restarts the box by itself.
    pub factory_reset_restarts: bool,
    /// Makes the DHCP client ask again.
    pub dhcp_renew_command: Option<Vec<String>>,
    /// What writes firmware.
    pub firmware_backend: FirmwareBackend,
    /// What an image must be before it is written.
    pub image_policy: ImagePolicy,
    /// Writes the firmware image `{file}`. For SWUpdate, `/usr/bin/swupdate-client {file}` without it; not used with RAUC. `{keep_settings}` becomes `true` or `false`; a command without it
    /// is taken to keep the settings, so an upgrade that must not keep them is refused.
    pub firmware_command: Option<Vec<String>>,
    /// The firmware command restarts the box by itself.
    pub firmware_restarts: bool,
    /// Checks the image `{file}` before anything is written; may write lines `version=` and `mark=` (what the mark command
    /// will say once the image runs). For the backend `hook`.
    pub firmware_check_command: Option<Vec<String>>,
    /// Writes the mark of the image that runs. For the backend `hook`.
    pub firmware_mark_command: Option<Vec<String>>,
    /// Writes `ok`, `installed`, `testing` or `failed`, or SWUpdate's `ustate` as a number. Not used with RAUC.
    pub firmware_state_command: Option<Vec<String>>,
    /// Makes the image that runs the one to stay. Not used with RAUC.
    pub firmware_confirm_command: Option<Vec<String>>,
    /// Commands that stop and start services which leave no memory for an upgrade; `{action}` becomes `stop` or `start`.
    pub firmware_stop_services: Vec<Vec<String>>,
    /// Memory that must be available for an upgrade, in KiB, beyond an image that is fetched into memory.
    pub firmware_free_memory: u32,
    /// The program `rauc`, and arguments that stand before the subcommand.
    pub rauc_command: Vec<String>,
    /// Where fetched files will lie: says which room to look for.
    pub download_folder: Option<PathBuf>,
    /// Where the present configuration is kept while another one is loaded.
    pub backup_folder: Option<PathBuf>,
    /// Folders of which no file is ever uploaded: those of the agent, with its keys and passwords.
    pub private_folders: Vec<PathBuf>,
    /// Rows 1 to [`FILES`] of VendorConfigFile; the others are downloads.
    pub config_files: Vec<NamedFile>,
    /// The rows of VendorLogFile.
    pub log_files: Vec<NamedFile>,
    /// Writes the default log to stdout; without it the first of [`Options::log_files`] is the default.
    pub log_command: Option<Vec<String>>,
    /// What takes other downloads: a command for each type, with `{file}` and `{name}` (TargetFileName).
    pub download_hooks: Vec<(DownloadType, Vec<String>)>,
    /// What makes the file of other uploads: a command for each type, with `{file}`.
    pub upload_hooks: Vec<(UploadType, Vec<String>)>,
    /// Loads the configuration `{file}`, all or nothing.
    pub config_load_command: Option<Vec<String>>,
    /// A loaded configuration is in force after a restart only.
    pub config_load_needs_restart: bool,
    /// Writes the present configuration to `{file}`.
    pub config_save_command: Option<Vec<String>>,
    /// A file, below [`Options::root`], that exists exactly while the clock is synchronised: for time clients that
    /// leave no other trace, such as busybox ntpd with a script.
    pub clock_marker: Option<PathBuf>,
    /// The clock is right from the start (a battery, or the host of a virtual machine keeps it).
    pub trust_clock: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            root: PathBuf::from("/"),
            sandbox: None,
            reboot_command: None,
            factory_reset_command: None,
            factory_reset_restarts: false,
            dhcp_renew_command: None,
            firmware_command: None,
            firmware_restarts: false,
            firmware_backend: FirmwareBackend::Hook,
            image_policy: ImagePolicy::default(),
            firmware_check_command: None,
            firmware_mark_command: None,
            firmware_state_command: None,
            firmware_confirm_command: None,
            firmware_stop_services: Vec::new(),
            firmware_free_memory: 8192,
            rauc_command: vec!["/usr/bin/rauc".to_owned()],
            download_folder: None,
            backup_folder: None,
            private_folders: Vec::new(),
            config_files: Vec::new(),
            log_files: Vec::new(),
            log_command: None,
            download_hooks: Vec::new(),
            upload_hooks: Vec::new(),
            config_load_command: None,
            config_load_needs_restart: false,
            config_save_command: None,
            clock_marker: None,
            trust_clock: false,
        }
    }
}
