//! What an integrator can set.

use std::path::PathBuf;

use cwmp_platform::policy::ImagePolicy;

/// How the backend does its work on this box.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the system's files and programs are, `/` by default.
    pub root: PathBuf,
    /// Sockets of the bus, the first that answers is taken; those of OpenWrt by default.
    pub ubus_sockets: Vec<PathBuf>,
    /// What an image must be before it is written.
    pub image_policy: ImagePolicy,
    /// Where fetched files will lie: says which room to look for.
    pub download_folder: Option<PathBuf>,
    /// Where it is remembered which packages the ACS has installed; without it there are no software modules.
    pub state_folder: Option<PathBuf>,
    /// Whether the ACS may install packages, whose scripts run as root.
    pub packages: bool,
    /// Folders and files of the agent with its keys and passwords, as the box sees them: never uploaded, never overwritten by
    /// a configuration that is loaded.
    pub private: Vec<PathBuf>,
    /// Memory that must be available for an upgrade, in KiB, beyond an image that is fetched into memory.
    pub firmware_free_memory: u32,
    /// Files, below [`Options::root`], one of which exists while the clock is synchronised.
    pub clock_markers: Vec<PathBuf>,
    /// The clock is right from the start.
    pub trust_clock: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            root: PathBuf::from("/"),
            ubus_sockets: Vec::new(),
            image_policy: ImagePolicy::default(),
            download_folder: None,
            state_folder: None,
            packages: true,
            private: Vec::new(),
            firmware_free_memory: 8192,
            // The hook of this program's package, and that of dnsmasq: both write when busybox ntpd has a stratum.
            clock_markers: vec!["/var/run/cwmpd/clock".into(), "/var/state/dnsmasqsec".into()],
            trust_clock: false,
        }
    }
}
