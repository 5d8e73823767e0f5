//! nginx as a child process, in a folder of its own.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use cwmpd_tests::loopback::free_addresses;
use tempfile::TempDir;

/// Longest wait for it to listen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two looks: it gives no signal.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The server; killed when dropped.
pub(crate) struct Nginx {
    child: Option<Child>,
    folder: TempDir,
    /// Two addresses for the test's configuration.
    pub(crate) addresses: [SocketAddr; 2],
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Nginx {
    /// Starts it with what `http` writes for the block of that name, given its two addresses and its folder. Files are
    /// served from `files/` in there.
    pub(crate) fn start(prepare: impl Fn(&Path), http: impl Fn([SocketAddr; 2], &Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["files", "temp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        prepare(folder.path());
        // Another program may take a port before nginx does.
        for _ in 0..3 {
            let addresses = free_addresses();
            let text = configuration(&http(addresses, folder.path()), folder.path());
            fs::write(folder.path().join("nginx.conf"), text).unwrap();
            if let Some(child) = spawn(folder.path(), addresses[0]) {
                return Self { child: Some(child), folder, addresses };
            }
        }
        panic!("nginx does not start: {}", log(folder.path(), "error.log"));
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A URL on the first address.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses[0])
    }

    /// A URL with https on the first address.
    pub(crate) fn https(&self, path: &str) -> String {
        format!("https://{}{path}", self.addresses[0])
    }

    /// Ends it as a crash would: all connections break.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again with the same configuration.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.folder.path(), self.addresses[0]);
        assert!(self.child.is_some(), "nginx does not start again: {}", log(self.folder.path(), "error.log"));
    }

    /// Lines of its access log: method, path, status and Range of each request.
    pub(crate) fn requests(&self) -> Vec<String> {
        log(self.folder.path(), "access.log").lines().map(str::to_owned).collect()
    }
}

fn log(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

/// Starts it and waits until it listens.
fn spawn(folder: &Path, address: SocketAddr) -> Option<Child> {
    let system = Path::new("/usr/sbin/nginx");
    let program = if system.exists() { system } else { Path::new("nginx") };
    let mut child = Command::new(program)
        .arg("-p")
        .arg(folder)
        .arg("-e")
        .arg("error.log")
        .arg("-c")
        .arg("nginx.conf")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx is missing: cargo xtask interop nginx --setup");
    let deadline = Instant::now() + PATIENCE;
    loop {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        if TcpStream::connect(address).is_ok() {
            return Some(child);
        }
        assert!(Instant::now() < deadline, "nginx listens nowhere");
        std::thread::park_timeout(LOOK_AGAIN);
    }
}

/// One process, everything below its folder.
fn configuration(http: &str, folder: &Path) -> String {
    let temp = |name: &str| format!("{name}_temp_path {}/temp/{name};\n", folder.display());
    let temps: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(temp).concat();
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log notice;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n{temps}log_format short '$request_method $uri $status $http_range';\n\
         access_log access.log short;\nserver_tokens off;\n{http}\n}}\n"
    )
}
