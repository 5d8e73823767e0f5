//! acsrs as a child process, in a home folder of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use cwmpd_tests::{loopback::free_addresses, sandbox::known};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Connection;

/// Longest wait for anything that acsrs is to do.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two looks at something that gives no signal.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The server; killed when dropped, and its home removed.
pub(crate) struct Acsrs {
    child: Child,
    /// Where CPEs connect to.
    pub(crate) cwmp: SocketAddr,
    management: SocketAddr,
    lines: Receiver<String>,
    /// All lines so far, for when something goes wrong.
    log: Vec<String>,
    _home: TempDir,
}

impl Drop for Acsrs {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Acsrs {
    /// Starts it on loopback; it listens when this returns.
    pub(crate) fn start() -> Self {
        // Between choosing a port and its being bound by acsrs another program may take it.
        let started = (0..3).find_map(|_| Self::try_start());
        started.expect("acsrs does not start: its log is above")
    }

    fn try_start() -> Option<Self> {
        let program =
            std::env::var_os("ACSRS_BIN").expect("ACSRS_BIN is not set: run `cargo xtask interop acsrs`");
        let home = tempfile::tempdir().unwrap();
        // `-c` would name the folder, but acsrs 0.5.2 panics on it.
        let folder = home.path().join(".acsrs");
        fs::create_dir(&folder).unwrap();
        let [cwmp, secure, management] = free_addresses();
        make_identity(&folder);
        fs::write(folder.join("config.toml"), configuration(cwmp, secure, management)).unwrap();
        let mut child = Command::new(program)
            .arg("--verbose")
            .env("HOME", home.path())
            // Plain lines in the log.
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = read_lines(child.stderr.take().unwrap());
        let mut acsrs = Self { child, cwmp, management, lines, log: Vec::new(), _home: home };
        match acsrs.find("Management server listening on") {
            Ok(_) => Some(acsrs),
            Err(why) => {
                eprintln!("acsrs: {why}: {:#?}", acsrs.log);
                None
            }
        }
    }

    /// URL for ManagementServer.URL. acsrs takes CWMP only below this path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/cwmpWeb/CPEMgt", self.cwmp)
    }

    /// Waits for the next line of its log that has these words, and returns the lines up to it.
    pub(crate) fn logs(&mut self, words: &str) -> Vec<String> {
        self.find(words).unwrap_or_else(|why| panic!("acsrs never logs `{words}`, {why}: {:#?}", self.log))
    }

    fn find(&mut self, words: &str) -> Result<Vec<String>, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut passed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).map_err(|error| error.to_string())?;
            self.log.push(line.clone());
            let found = line.contains(words);
            passed.push(line);
            if found {
                return Ok(passed);
            }
        }
    }

    /// Waits until a box has said hello for the first time: acsrs knows it and has given it credentials for connection
    /// requests. Its session is still open then, for 3 s and for as long as a [`Management`] connection wants something.
    pub(crate) fn registers(&mut self) {
        self.logs("Received: SPV Response = 0");
    }

    /// Waits until the session is over and acsrs knows it. While it believes that there is one, it rings nobody, and what
    /// it is asked to send then would stay in its queue.
    pub(crate) fn ends_session(&mut self) {
        self.logs("Send: Reply with no content");
        // acsrs ties the session to its connection and logs nothing when that closes. The kernel's table of sockets is the
        // only place where it can be seen, and it cannot be waited on.
        let deadline = Instant::now() + PATIENCE;
        while open_connections(self.cwmp) > 0 {
            assert!(Instant::now() < deadline, "the agent keeps the connection of an ended session");
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// A new connection to the management interface.
    pub(crate) fn management(&self) -> Management {
        Management(Connection::open(self.management).unwrap())
    }
}

/// A connection to the management interface. Once it has called a CPE, acsrs keeps that CPE's session open for it.
pub(crate) struct Management(Connection);

impl Management {
    /// The boxes that acsrs knows.
    pub(crate) fn list(&mut self) -> Vec<Value> {
        self.ask(&json!({"command": "List"})).unwrap()["List"].as_array().unwrap().clone()
    }

    /// Calls the box; what is returned is the content of the answer of that name, or status and words of the refusal.
    pub(crate) fn call(&mut self, command: &str, arguments: Value) -> Result<Value, (u16, String)> {
        let request = json!({"serial_number": SERIAL_NUMBER, "command": {command: arguments}});
        self.ask(&request).map(|answer| answer[command].clone())
    }

    fn ask(&mut self, request: &Value) -> Result<Value, (u16, String)> {
        let reply = self.0.post("/api", &request.to_string()).unwrap();
        let answer: Value = serde_json::from_str(&reply.body).unwrap();
        match reply.status {
            200 => Ok(answer),
            status => Err((status, answer["Error"]["description"].as_str().unwrap().to_owned())),
        }
    }
}

/// Serial number of the box, by which acsrs knows it.
pub(crate) const SERIAL_NUMBER: &str = "0001";

fn configuration(cwmp: SocketAddr, secure: SocketAddr, management: SocketAddr) -> String {
    // Without hostname, acsrs asks a public site for its address; with autocert it makes keys with a shell.
    format!(
        r#"cpe = []

[config]
hostname = "127.0.0.1"
username = "{}"
password = "{}"
autocert = false
identity_password = "ACSRS"
secure_address = "{secure}"
unsecure_address = "{cwmp}"
management_address = "{management}"
noauth = false
"#,
        known::USERNAME,
        known::PASSWORD,
    )
}

/// The key and certificate without which acsrs does not start, although nobody here connects over TLS.
fn make_identity(folder: &Path) {
    let openssl = |arguments: &str| {
        let made =
            Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("openssl");
        assert!(made.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&made.stderr));
    };
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 \
         -keyout key.pem -out cert.pem",
    );
    openssl("pkcs12 -export -inkey key.pem -in cert.pem -name acsrs -passout pass:ACSRS -out identity.p12");
}

fn read_lines(stderr: ChildStderr) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    // Ends with the child, whose end of the pipe closes then.
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // Without a receiver the lines are still taken, lest acsrs should stop at a full pipe.
            let _ = sender.send(line);
        }
    });
    lines
}

/// Connections that the server on this address has accepted and not yet closed itself.
fn open_connections(server: SocketAddr) -> usize {
    const ESTABLISHED: &str = "01";
    const CLOSE_WAIT: &str = "08";
    let local = format!(":{:04X}", server.port());
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let is_open = |line: &&str| {
        let mut fields = line.split_whitespace().skip(1);
        let (address, _remote, state) = (fields.next(), fields.next(), fields.next());
        address.is_some_and(|address| address.ends_with(&local))
            && state.is_some_and(|state| [ESTABLISHED, CLOSE_WAIT].contains(&state))
    };
    table.lines().filter(is_open).count()
}
