//! What an integrator can set.

use std::path::PathBuf;

/// How the backend does its work on this box.
///
/// A command is a program with its arguments, never a shell line. `{file}` in an argument is replaced by the path of the
/// file; it stays one argument whatever the path holds. A command sees no environment but PATH, runs in a process group
/// of its own, and is killed with that group when it takes too long. Exit status 0 is success; 65 (EX_DATAERR) says that
/// the file is not for this box and that nothing was changed; everything else is a failure, reported with the end of
/// what the command wrote to stderr.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the system's files are read, `/` by default. With another root, reboot(2) is never called.
    pub root: PathBuf,
    /// Sandbox: nothing outside this folder is changed and no command runs. A reboot restarts the program, and each start
    /// of it is a boot. An image begins with the line `cwmpd-sandbox-firmware VERSION`; it is kept as `firmware.img`, and
    /// SoftwareVersion is that VERSION from the next start on. A configuration is lines of `key=value`, kept as
    /// `platform.conf`.
    pub sandbox: Option<PathBuf>,
    /// Restarts the box; without it `/sbin/reboot`, and without that reboot(2).
    pub reboot_command: Option<Vec<String>>,
    /// Puts the box itself back into factory state; without it only what the agent keeps is reset.
    pub factory_reset_command: Option<Vec<String>>,
    /// The factory reset command restarts the box by itself.
    pub factory_reset_restarts: bool,
    /// Checks and writes the firmware image `{file}`. `{keep_settings}` becomes `true` or `false`; a command without it
    /// is taken to keep the settings, so an upgrade that must not keep them is refused.
    pub firmware_command: Option<Vec<String>>,
    /// The firmware command restarts the box by itself.
    pub firmware_restarts: bool,
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
            firmware_command: None,
            firmware_restarts: false,
            config_load_command: None,
            config_load_needs_restart: false,
            config_save_command: None,
            clock_marker: None,
            trust_clock: false,
        }
    }
}
