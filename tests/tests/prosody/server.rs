//! prosody as a child process, in a folder of its own, and a client that rings as an ACS would.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use cwmpd_tests::{loopback::free_addresses, scene::PATIENCE};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::certificates::{ALWAYS, Certificate, Says};

pub(crate) const DOMAIN: &str = "xmpp.example";
/// Pause between two looks: it gives no signal.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The server; killed when dropped.
pub(crate) struct Prosody {
    child: Option<Child>,
    folder: TempDir,
    pub(crate) address: SocketAddr,
}

impl Drop for Prosody {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Prosody {
    /// Starts it with the accounts `cpe` (password `cpe-secret`) and `acs` (`acs-secret`); `ca.pem` in its folder is the
    /// authority that speaks for its certificate.
    pub(crate) fn start() -> Self {
        let mut folder = tempfile::tempdir().unwrap();
        let root = Certificate::root("root");
        let says = Says { common_name: DOMAIN, names: &[DOMAIN], valid: ALWAYS };
        let own = Certificate::of(&says, &root);
        let at = |name: &str| folder.path().join(name);
        fs::write(at("ca.pem"), root.pem()).unwrap();
        fs::write(at("server.pem"), own.pem()).unwrap();
        fs::write(at("server.key"), own.key_pem()).unwrap();
        let accounts = at("data/xmpp%2eexample/accounts");
        fs::create_dir_all(&accounts).unwrap();
        for name in ["cpe", "acs"] {
            let text = format!("return {{ [\"password\"] = \"{name}-secret\"; }};\n");
            fs::write(accounts.join(format!("{name}.dat")), text).unwrap();
        }
        // Another program may take the port before prosody does.
        for _ in 0..3 {
            let [address] = free_addresses();
            let mut server = Self { child: None, folder, address };
            if server.run() {
                return server;
            }
            folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
        }
        panic!("prosody does not start: {}", fs::read_to_string(folder.path().join("log")).unwrap());
    }

    /// Starts the program on its address; whether it listens.
    pub(crate) fn run(&mut self) -> bool {
        let folder = self.folder.path();
        let file = folder.join("prosody.cfg.lua");
        fs::write(&file, configuration(folder, self.address)).unwrap();
        let log = fs::File::create(folder.join("log")).unwrap();
        let mut child = Command::new("prosody")
            .arg("-F")
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            if std::net::TcpStream::connect(self.address).is_ok() {
                self.child = Some(child);
                return true;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        child.kill().ok();
        child.wait().ok();
        false
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The client that rings may tell its password in clear text, on loopback; that the box does not is for the box to see to.
fn configuration(folder: &Path, address: SocketAddr) -> String {
    let (root, port) = (folder.display(), address.port());
    format!(
        "run_as_root = true\npidfile = \"{root}/pid\"\ndata_path = \"{root}/data\"\n\
         log = {{ debug = \"*console\" }}\ninterfaces = {{ \"127.0.0.1\" }}\n\
         c2s_ports = {{ {port} }}\ns2s_ports = {{}}\nc2s_direct_tls_ports = {{}}\nhttp_ports = {{}}\nhttps_ports = {{}}\n\
         modules_enabled = {{ \"saslauth\", \"tls\", \"ping\" }}\nmodules_disabled = {{ \"s2s\" }}\n\
         c2s_require_encryption = false\nallow_unencrypted_plain_auth = true\n\
         authentication = \"internal_plain\"\n\
         ssl = {{ certificate = \"{root}/server.pem\", key = \"{root}/server.key\" }}\n\
         VirtualHost \"{DOMAIN}\"\n"
    )
}

/// A client of the server, as an ACS has one.
pub(crate) struct Acs {
    stream: TcpStream,
    heard: String,
}

impl Acs {
    /// Logged in as `acs@xmpp.example/x`.
    pub(crate) async fn login(server: &Prosody) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let mut acs = Self { stream, heard: String::new() };
        acs.open().await;
        let told = data_encoding::BASE64.encode(b"\0acs\0acs-secret");
        acs.say(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{told}</auth>"))
            .await;
        acs.hear("<success").await;
        acs.open().await;
        acs.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>x</resource></bind></iq>")
            .await;
        acs.hear("</iq>").await;
        acs
    }

    /// Rings and comes back with the answer.
    pub(crate) async fn ring(&mut self, to: &str, username: &str, password: &str) -> String {
        self.say(&format!(
            "<iq to='{to}' id='ring' type='get'><connectionRequest \
             xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'><username>{username}</username>\
             <password>{password}</password></connectionRequest></iq>"
        ))
        .await;
        let mut answer = self.hear("<iq").await;
        answer += &self.hear(">").await;
        if !answer.ends_with("/>") {
            answer += &self.hear("</iq>").await;
        }
        answer
    }

    async fn open(&mut self) {
        self.say(&format!(
            "<?xml version='1.0'?><stream:stream to='{DOMAIN}' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'>"
        ))
        .await;
        self.hear("</stream:features>").await;
    }

    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    async fn hear(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.heard.find(end) {
                let rest = self.heard.split_off(at + end.len());
                return std::mem::replace(&mut self.heard, rest);
            }
            let mut piece = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut piece)).await;
            let read = read.unwrap_or_else(|_| panic!("{end} does not come: {}", self.heard)).unwrap();
            assert!(read > 0, "closed before {end}: {}", self.heard);
            self.heard.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
    }
}
