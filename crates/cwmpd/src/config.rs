//! The program's own settings: section `[cwmpd]` of the layers.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use cwmp_core::{limits, url::HttpUrl};
use cwmp_store::{
    Layers, Problem, StoreError,
    prozone::{self, MemoryZone, Prozone, PstoreZone},
};
use cwmp_transport::{PathConfig, path::Interface};
use serde::{Deserialize, Serialize};
use tracing::Level;

use self::reader::Reader;

mod dhcp;
mod path;
mod processes;
pub(crate) mod reader;
pub(crate) mod rows;
mod shared;
mod tls;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    dhcp::{DhcpPolicy, is_device},
    processes::Processes,
    shared::SharedLayers,
    tls::TlsFiles,
};

/// Where a trace ends unless told otherwise, in bytes.
const TRACE_BYTES: u32 = 1 << 20;
const SECTION: &str = "cwmpd";
/// Folder of the protocol state, below that of the configuration.
const STATE_DIR: &str = "state";
const PATH_KEY: &str = "connection_request_path";
/// Longest connection_request_path, in characters.
const PATH_CHARS: usize = 256;
/// Longest control_socket, in bytes: what fits into a socket address, without the closing zero.
const SOCKET_BYTES: usize = 107;
/// Longest boot_wait, in seconds.
const BOOT_WAIT: u32 = 3600;
/// Longest clock_wait, in seconds.
const CLOCK_WAIT: u32 = 600;
const PROZONE_PATH: &str = "prozone_path";
/// Area of the prozone unless told otherwise, in bytes.
const PROZONE_SIZE: u32 = 8192;
/// Largest area of the prozone, in bytes.
const PROZONE_LARGEST: u32 = 1 << 20;
/// Longest confirm_time, in seconds.
const CONFIRM_TIME: u32 = 86_400;
/// Most addresses in connection_request_address.
const ADDRESSES: usize = 16;

/// The platforms that this program was built with.
const PLATFORMS: &[&str] = &[
    #[cfg(feature = "generic-linux")]
    "generic-linux",
    #[cfg(feature = "openwrt")]
    "openwrt",
];

/// The platform where none is named.
#[cfg(feature = "openwrt")]
pub(crate) const DEFAULT_PLATFORM: Option<&str> = PLATFORMS.first().copied();

/// The folder of the protocol state as the layers name it, for what is kept there before the user layer can be read.
#[cfg(feature = "openwrt")]
pub(crate) fn lower_state_dir(layers: &Layers) -> PathBuf {
    layers.get(SECTION, "state_dir").and_then(path).unwrap_or_else(|| layers.dir().join(STATE_DIR))
}

/// The settings of `[cwmpd]`, checked. docs/configuration.md has them all with range and default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// What is logged: this level and the graver ones.
    pub(crate) log_level: Level,
    /// Folder of the protocol state.
    pub(crate) state_dir: PathBuf,
    /// Where downloaded files lie until they are used, and files that are uploaded.
    pub(crate) download_dir: PathBuf,
    /// Unix socket of the command line.
    pub(crate) control_socket: PathBuf,
    /// Backend, one of those that were built in.
    pub(crate) platform: &'static str,
    /// Nothing is done to the box itself: for trying out and for tests.
    pub(crate) sandbox: bool,
    /// Where connection requests are taken.
    pub(crate) connection_request: Listen,
    /// UDP port for them; `None`: the same as over TCP.
    pub(crate) udp_connection_request_port: Option<u16>,
    /// Wait for a reply of the ACS before the session counts as failed.
    pub(crate) acs_reply_timeout: Duration,
    /// How long a change that may cut the box off from the ACS waits for it to answer, in milliseconds; 0: changes are final.
    pub(crate) confirm_ms: u64,
    /// Whether a Basic challenge is answered without TLS, where everybody on the way can read the password.
    pub(crate) basic_without_tls: bool,
    /// Which way the traffic of the agent takes.
    pub(crate) path: PathConfig,
    /// Whom https trusts, and who the box is there.
    pub(crate) tls: TlsFiles,
    /// What DHCP may tell.
    pub(crate) dhcp: DhcpPolicy,
    /// Where a trace of the agent is written, if it is.
    pub(crate) trace_file: Option<PathBuf>,
    /// Where the trace ends, in bytes.
    pub(crate) trace_bytes: u64,
    /// Memory that a warm reboot keeps.
    pub(crate) prozone: ProzoneConfig,
    /// Whether one process does everything; `None` where that depends on what is there for two.
    pub(crate) single_process: Option<bool>,
    /// The user of the protocol process.
    pub(crate) protocol_user: String,
}

/// Which memory keeps the CommandKeys of a Reboot, beside the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProzoneConfig {
    /// None: the state serves alone.
    None,
    /// A device or file over such memory.
    File {
        path: PathBuf,
        /// Where the area begins, in bytes.
        offset: u64,
        /// How large it is, in bytes.
        size: u32,
    },
    /// Linux pstore.
    Pstore,
}

impl ProzoneConfig {
    /// The memory, where there is to be one.
    pub(crate) fn open(&self) -> Option<Box<dyn Prozone>> {
        match self {
            Self::None => None,
            Self::File { path, offset, size } => {
                Some(Box::new(MemoryZone::new(path.clone(), *offset, *size)))
            }
            Self::Pstore => Some(Box::new(PstoreZone::default())),
        }
    }
}

/// Where connection requests over HTTP are taken, and what ConnectionRequestURL says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listen {
    /// Addresses to bind, at least one.
    pub(crate) addresses: Vec<IpAddr>,
    /// Network device that they come by.
    pub(crate) interface: Interface,
    /// Port; 0 for any free one.
    pub(crate) port: u16,
    /// Path, beginning with `/`; `None` until [`Config::keep_path`] has made one.
    pub(crate) path: Option<String>,
    /// Host for ConnectionRequestURL, an IPv6 literal without brackets; `None` for the local address towards the ACS.
    pub(crate) host: Option<String>,
}

impl Config {
    /// Reads and checks the section. Unknown keys come back as problems beside the settings.
    ///
    /// # Errors
    /// Every value that is wrong, with file, section, key and what would be right.
    pub(crate) fn load(layers: &Layers) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let mut read = Reader::new(layers, SECTION);
        let default_timeout = u32::try_from(limits::REPLY_TIMEOUT_MS / 1000).unwrap_or(u32::MAX);
        let absolute = "an absolute path";
        let sandbox = read.boolean("sandbox").unwrap_or(false);
        let config = Self {
            log_level: read.read("log_level", "error, warning, info or debug", level).unwrap_or(Level::INFO),
            state_dir: read.read("state_dir", absolute, path).unwrap_or_else(|| layers.dir().join(STATE_DIR)),
            download_dir: read.read("download_dir", absolute, path).unwrap_or_else(|| match sandbox {
                true => layers.dir().join("downloads"),
                false => PathBuf::from("/var/run/cwmpd"),
            }),
            control_socket: read
                .read("control_socket", "an absolute path of at most 107 bytes", |text| {
                    path(text).filter(|path| path.as_os_str().len() <= SOCKET_BYTES)
                })
                .unwrap_or_else(|| PathBuf::from("/var/run/cwmpd.sock")),
            platform: read
                .read("platform", &format!("one of: {}", PLATFORMS.join(", ")), |text| {
                    PLATFORMS.iter().copied().find(|name| *name == text)
                })
                .or(PLATFORMS.first().copied())
                .unwrap_or_default(),
            sandbox,
            connection_request: Listen {
                addresses: read
                    .read("connection_request_address", "1 to 16 IP addresses, separated by commas", addresses)
                    .unwrap_or_else(|| vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]),
                interface: path::read_interface(&mut read),
                port: read
                    .unsigned("connection_request_port", 0..=65_535)
                    .and_then(|port| u16::try_from(port).ok())
                    .unwrap_or(7547),
                path: read.read(
                    PATH_KEY,
                    "a path that begins with /, of at most 256 characters that need no escape in a URL, without ? and #",
                    url_path,
                ),
                host: read
                    .read("connection_request_host", "a host name or an IP address, without a port, or empty", host)
                    .flatten(),
            },
            udp_connection_request_port: read
                .unsigned("udp_connection_request_port", 0..=65_535)
                .and_then(|port| u16::try_from(port).ok()),
            acs_reply_timeout: Duration::from_secs(
                read.unsigned("acs_reply_timeout", 30..=3600).unwrap_or(default_timeout).into(),
            ),
            confirm_ms: u64::from(read.unsigned("confirm_time", 0..=CONFIRM_TIME).unwrap_or(600)) * 1000,
            basic_without_tls: read.boolean("basic_without_tls").unwrap_or(true),
            path: path::read(&mut read),
            tls: tls::read(&mut read),
            dhcp: dhcp::read(&mut read),
            trace_file: read.read("trace_file", absolute, path),
            trace_bytes: read.unsigned("trace_bytes", 4096..=1 << 30).unwrap_or(TRACE_BYTES).into(),
            prozone: read_prozone(&mut read),
            single_process: read.boolean("single_process"),
            protocol_user: read
                .read("protocol_user", "the name of a user", |name| {
                    Some(name.to_owned()).filter(|name| !name.is_empty())
                })
                .unwrap_or_else(|| "cwmpd".to_owned()),
        };
        // They are settings of the agent; here they are checked with the rest.
        read_waits(&mut read);
        let unknown = read.unknown();
        let wrong = read.problems();
        if wrong.is_empty() { Ok((config, unknown)) } else { Err(wrong) }
    }

    /// Where connection requests over UDP are taken: on one address, which is of IPv4 where there is one. NATs are its
    /// business.
    pub(crate) fn udp_address(&self) -> SocketAddr {
        let Listen { addresses, port, .. } = &self.connection_request;
        let of_ipv4 = addresses.iter().find(|address| address.is_ipv4());
        let address = of_ipv4.or(addresses.first()).copied().unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        SocketAddr::new(address, self.udp_connection_request_port.unwrap_or(*port))
    }

    /// Where no path for connection requests is configured: makes one that nobody can guess, and keeps it in user.ini,
    /// so that ConnectionRequestURL stays the same from start to start.
    ///
    /// # Errors
    /// Those of [`Layers::commit`]; the path is used nevertheless.
    pub(crate) fn keep_path(&mut self, layers: &SharedLayers, random: [u8; 16]) -> Result<(), StoreError> {
        if self.connection_request.path.is_some() {
            return Ok(());
        }
        let path = format!("/{:032x}", u128::from_be_bytes(random));
        self.connection_request.path = Some(path.clone());
        layers.change(|layers| layers.set(SECTION, PATH_KEY, &path))
    }
}

/// Whether DHCP may tell the URL of the ACS; where a value is wrong, the program has not started with it.
pub(crate) fn dhcp_discovery(layers: &Layers) -> bool {
    dhcp::read(&mut Reader::new(layers, SECTION)).discovery
}

/// What the first session after a boot waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    /// Longest random wait, in seconds.
    pub(crate) boot: u32,
    /// Longest wait for the clock, in seconds.
    pub(crate) clock: u32,
}

/// The waits in force; where a value is wrong, the program has not started with it.
pub(crate) fn waits(layers: &Layers) -> Waits {
    read_waits(&mut Reader::new(layers, SECTION))
}

fn read_waits(read: &mut Reader<'_>) -> Waits {
    Waits {
        boot: read.unsigned("boot_wait", 0..=BOOT_WAIT).unwrap_or(0),
        clock: read.unsigned("clock_wait", 0..=CLOCK_WAIT).unwrap_or(0),
    }
}

fn read_prozone(read: &mut Reader<'_>) -> ProzoneConfig {
    let path = read.read(PROZONE_PATH, "an absolute path", path);
    let offset = read.unsigned("prozone_offset", 0..=u32::MAX).unwrap_or(0).into();
    let size = read.unsigned("prozone_size", prozone::SMALLEST..=PROZONE_LARGEST).unwrap_or(PROZONE_SIZE);
    // A file without a path is no right value of the key that asks for one.
    let right = format!("none, file or pstore, and file only with {PROZONE_PATH}");
    let chosen = read.read("prozone", &right, |text| match (text, &path) {
        ("none", _) => Some(ProzoneConfig::None),
        ("file", Some(path)) => Some(ProzoneConfig::File { path: path.clone(), offset, size }),
        ("pstore", _) => Some(ProzoneConfig::Pstore),
        _ => None,
    });
    chosen.unwrap_or(ProzoneConfig::None)
}

fn level(text: &str) -> Option<Level> {
    match text {
        "error" => Some(Level::ERROR),
        "warning" => Some(Level::WARN),
        "info" => Some(Level::INFO),
        "debug" => Some(Level::DEBUG),
        _ => None,
    }
}

fn path(text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    (path.is_absolute() && !text.contains('\0')).then(|| path.to_owned())
}

fn addresses(text: &str) -> Option<Vec<IpAddr>> {
    let list: Option<Vec<IpAddr>> = text.split(',').map(|address| address.trim().parse().ok()).collect();
    list.filter(|list| list.len() <= ADDRESSES)
}

fn url_path(text: &str) -> Option<String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&b);
    (text.starts_with('/') && text.len() <= PATH_CHARS && text.bytes().all(fits)).then(|| text.to_owned())
}

/// `Some(None)` for the empty text: none is configured, whatever the lower layers say.
pub(crate) fn host(text: &str) -> Option<Option<String>> {
    if text.is_empty() {
        return Some(None);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Some(address.to_string()));
    }
    let url = HttpUrl::parse(&format!("http://{text}/")).ok()?;
    let no_port = !text.contains(':') || (text.starts_with('[') && text.ends_with(']'));
    (no_port && !text.contains(['/', '?', '#', '%'])).then_some(Some(url.host))
}
