//! A folder that plays a box.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Credentials and identity of every sandbox.
pub mod known {
    /// ManagementServer.Username.
    pub const USERNAME: &str = "cpe";
    /// ManagementServer.Password.
    pub const PASSWORD: &str = "cpe-secret";
    /// ManagementServer.ConnectionRequestUsername.
    pub const CR_USERNAME: &str = "acs";
    /// ManagementServer.ConnectionRequestPassword.
    pub const CR_PASSWORD: &str = "acs-secret";
    /// `OUI-ProductClass-SerialNumber` of the box.
    pub const CPE: &str = "00D09E-Sandbox-0001";
}

/// The files of one box: configuration, state and control socket in one folder.
#[derive(Debug)]
pub struct Sandbox {
    folder: PathBuf,
    settings: Vec<(String, String, String)>,
}

impl Sandbox {
    /// A box in this folder (made where it is missing) that reports to this ACS.
    #[must_use]
    pub fn new(folder: &Path, acs_url: &str) -> Self {
        let mut sandbox = Self { folder: folder.to_owned(), settings: Vec::new() };
        let (socket, state) = (sandbox.socket(), folder.join("state"));
        for (section, key, value) in [
            ("cwmpd", "sandbox", "true"),
            ("cwmpd", "log_level", "debug"),
            ("cwmpd", "state_dir", &state.to_string_lossy()),
            ("cwmpd", "control_socket", &socket.to_string_lossy()),
            ("cwmpd", "connection_request_address", "127.0.0.1"),
            ("cwmpd", "connection_request_port", "0"),
            ("DeviceInfo", "Manufacturer", "Example"),
            ("DeviceInfo", "ManufacturerOUI", "00D09E"),
            ("DeviceInfo", "ProductClass", "Sandbox"),
            ("DeviceInfo", "SerialNumber", "0001"),
            ("ManagementServer", "URL", acs_url),
            ("ManagementServer", "Username", known::USERNAME),
            ("ManagementServer", "Password", known::PASSWORD),
            ("ManagementServer", "ConnectionRequestUsername", known::CR_USERNAME),
            ("ManagementServer", "ConnectionRequestPassword", known::CR_PASSWORD),
            ("ManagementServer", "CWMPRetryMinimumWaitInterval", "1"),
            ("ManagementServer", "CWMPRetryIntervalMultiplier", "1000"),
        ] {
            sandbox = sandbox.with(section, key, value);
        }
        match std::env::var("CWMPD_PROCESSES").as_deref() {
            Ok("2") => sandbox.in_two_processes(),
            _ => sandbox,
        }
    }

    /// The program runs as two processes, the second one with little power. With `CWMPD_PROCESSES=2` in the environment that
    /// is so for every sandbox.
    #[must_use]
    pub fn in_two_processes(self) -> Self {
        self.with("cwmpd", "single_process", "false").with("cwmpd", "protocol_user", "nobody")
    }

    /// Sets or replaces a factory setting; [`Sandbox::write`] puts it into factory.ini.
    #[must_use]
    pub fn with(mut self, section: &str, key: &str, value: &str) -> Self {
        self.settings.retain(|(s, k, _)| (s.as_str(), k.as_str()) != (section, key));
        self.settings.push((section.to_owned(), key.to_owned(), value.to_owned()));
        self
    }

    /// Writes factory.ini.
    ///
    /// # Errors
    /// The I/O error.
    pub fn write(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut sections: Vec<&str> = Vec::new();
        for (section, ..) in &self.settings {
            if !sections.contains(&section.as_str()) {
                sections.push(section);
            }
        }
        let mut text = String::new();
        for section in sections {
            let _ = writeln!(text, "[{section}]");
            for (_, key, value) in self.settings.iter().filter(|(s, ..)| s == section) {
                let _ = writeln!(text, "{key} = {value}");
            }
            text.push('\n');
        }
        fs::write(self.folder.join("factory.ini"), text)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("cwmpd.sock")
    }

    /// The program's log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("cwmpd.log")
    }
}
