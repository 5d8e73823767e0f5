//! https against nginx and the OpenSSL in it: files, and whole sessions of the agent with the development ACS behind it.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use cwmp_acs::{Acs, AcsOptions, Authentication};
use cwmp_core::event::EventCode;
use cwmp_transport::{FileClient, FileConfig, Tls, TlsConfig, tls_config::ClientCertificate};
use cwmpd_tests::{Cwmpd, Sandbox, sandbox::known};
use tempfile::TempDir;

use crate::{
    certificates::{ALWAYS, Certificate, Says},
    code, config, content, remote,
    server::Nginx,
};

/// How long a session and its retries may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const HERE: &[&str] = &["127.0.0.1"];

/// A root that the box trusts, and an authority between.
struct Authorities {
    folder: TempDir,
    root: Certificate,
    between: Certificate,
}

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    WrongName,
    Expired,
    NotYetValid,
    SelfSigned,
    MissingIntermediate,
}

const FLAWS: [(Flaw, &str); 5] = [
    (Flaw::WrongName, "not valid for name"),
    (Flaw::Expired, "expired"),
    (Flaw::NotYetValid, "not valid yet"),
    (Flaw::SelfSigned, "invalid peer certificate"),
    (Flaw::MissingIntermediate, "UnknownIssuer"),
];

impl Authorities {
    fn new() -> Self {
        let (folder, root) = (tempfile::tempdir().unwrap(), Certificate::root("root"));
        fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
        let between = Certificate::between("between", &root);
        Self { folder, root, between }
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Writes `server.pem` and `server.key`.
    fn write(&self, folder: &Path, flaw: Flaw) {
        let names = if flaw == Flaw::WrongName { &["other.example"][..] } else { HERE };
        let valid = match flaw {
            Flaw::Expired => (ALWAYS.0, "20210101000000"),
            Flaw::NotYetValid => ("20480101000000", ALWAYS.1),
            _ => ALWAYS,
        };
        let own = match flaw {
            Flaw::SelfSigned => Certificate::self_signed(HERE),
            _ => Certificate::of(&Says { common_name: "server", names, valid }, &self.between),
        };
        let between = if flaw == Flaw::MissingIntermediate { String::new() } else { self.between.pem() };
        fs::write(folder.join("server.pem"), own.pem() + &between).unwrap();
        fs::write(folder.join("server.key"), own.key_pem()).unwrap();
        fs::write(folder.join("root.pem"), self.root.pem()).unwrap();
    }

    /// A certificate for the box.
    fn of_box(&self) -> ClientCertificate {
        let says = Says { common_name: "00D09E-0001", names: &["box"], valid: ALWAYS };
        let own = Certificate::of(&says, &self.root);
        let (certificate, key) = (self.folder.path().join("box.pem"), self.folder.path().join("box.key"));
        fs::write(&certificate, own.pem()).unwrap();
        fs::write(&key, own.key_pem()).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        ClientCertificate { certificate, key }
    }

    fn client(&self, client: Option<ClientCertificate>) -> FileClient {
        let tls = Tls::new(TlsConfig { ca_file: Some(self.ca_file()), client, ..TlsConfig::default() });
        FileClient::new(FileConfig { tls, ..config() })
    }
}

/// The lines with which a server speaks TLS.
fn secure(address: SocketAddr, folder: &Path, more: &str) -> String {
    let folder = folder.display();
    format!(
        "listen {address} ssl; ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;\n{more}\n"
    )
}

/// Files over https with these lines besides.
fn files(authorities: &Authorities, flaw: Flaw, more: &str) -> Nginx {
    let prepare = |folder: &Path| {
        authorities.write(folder, flaw);
        fs::write(folder.join("files/image"), content(900_000)).unwrap();
    };
    Nginx::start(prepare, |[own, clear], folder| {
        let (secure, root) = (secure(own, folder, more), folder.display());
        format!(
            "server {{ {secure} root {root}/files; location / {{ dav_methods PUT; }} }}\n\
             server {{ listen {clear}; return 302 https://{own}$request_uri; }}"
        )
    })
}

/// Conformance: 7.07, 7.10
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn files_go_over_https_in_both_versions_of_tls() {
    let authorities = Authorities::new();
    for version in ["TLSv1.2", "TLSv1.3"] {
        let nginx = files(&authorities, Flaw::None, &format!("ssl_protocols {version};"));
        let (client, into) = (authorities.client(None), authorities.folder.path().join("image"));
        // The second one is redirected to https.
        for url in [nginx.https("/image"), format!("http://{}/image", nginx.addresses[1])] {
            let fetched = client.fetch(&remote(&url, None), 0, &into, &|_| {}).await.unwrap();
            assert_eq!(fetched.bytes, 900_000);
            assert!(fs::read(&into).unwrap() == content(900_000));
        }
        client.send(&remote(&nginx.https("/log"), None), &into).await.unwrap();
        assert!(fs::read(nginx.folder().join("files/log")).unwrap() == content(900_000));
    }
}

/// Conformance: 7.10
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn a_file_server_with_a_bad_certificate_is_9015() {
    let authorities = Authorities::new();
    for (flaw, words) in FLAWS {
        let nginx = files(&authorities, flaw, "");
        let (client, into) = (authorities.client(None), authorities.folder.path().join("image"));
        let error = client.fetch(&remote(&nginx.https("/image"), None), 0, &into, &|_| {}).await.unwrap_err();
        assert!(error.code.0 == 9015 && error.text.contains(words), "{flaw:?}: {error}");
        let sent = client.send(&remote(&nginx.https("/log"), None), &authorities.ca_file()).await;
        assert_eq!(code(sent), 9015, "{flaw:?}");
        assert!(!into.exists() && nginx.requests().is_empty(), "{flaw:?}");
    }
}

/// Conformance: 1.52
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn a_file_server_may_want_to_know_the_box() {
    let authorities = Authorities::new();
    let root = authorities.ca_file();
    let more = format!("ssl_verify_client on; ssl_client_certificate {};", root.display());
    let nginx = files(&authorities, Flaw::None, &more);
    let (remote, into) = (remote(&nginx.https("/image"), None), authorities.folder.path().join("image"));
    let without = authorities.client(None).fetch(&remote, 0, &into, &|_| {}).await;
    assert_eq!(code(without), 9016, "nginx answers 400");
    let client = authorities.client(Some(authorities.of_box()));
    client.fetch(&remote, 0, &into, &|_| {}).await.unwrap();
}

/// The agent, its ACS, and nginx between them.
struct Chain {
    acs: Acs,
    agent: Cwmpd,
    nginx: Nginx,
    _folder: TempDir,
}

async fn chain(authorities: &Authorities, flaw: Flaw, client: Option<ClientCertificate>) -> Chain {
    let acs = Acs::start(AcsOptions {
        authentication: Authentication::digest(known::USERNAME, known::PASSWORD),
        ..AcsOptions::default()
    })
    .await
    .unwrap();
    let behind = acs.address();
    let ask = if client.is_some() {
        format!("ssl_verify_client on; ssl_client_certificate {};", authorities.ca_file().display())
    } else {
        String::new()
    };
    let nginx = Nginx::start(
        |folder| authorities.write(folder, flaw),
        |[own, _], folder| {
            let secure = secure(own, folder, &ask);
            // A session of the ACS is tied to its connection, so nginx must keep that one.
            format!(
                "upstream acs {{ server {behind}; keepalive 1; }}\n\
                 server {{ {secure} location / {{ proxy_pass http://acs; proxy_http_version 1.1;\n\
                 proxy_set_header Host $http_host; proxy_set_header Connection \"\"; }} }}"
            )
        },
    );
    let folder = tempfile::tempdir().unwrap();
    let path = HttpPath::of(&acs.url());
    let mut sandbox = Sandbox::new(folder.path(), &nginx.https(&path.0)).with(
        "cwmpd",
        "tls_ca_file",
        &authorities.ca_file().to_string_lossy(),
    );
    if let Some(ClientCertificate { certificate, key }) = client {
        sandbox = sandbox.with("cwmpd", "tls_client_certificate", &certificate.to_string_lossy());
        sandbox = sandbox.with("cwmpd", "tls_client_key", &key.to_string_lossy());
    }
    let agent = Cwmpd::start(&sandbox).unwrap();
    Chain { acs, agent, nginx, _folder: folder }
}

/// What follows the host in a URL.
struct HttpPath(String);

impl HttpPath {
    fn of(url: &str) -> Self {
        Self(cwmp_core::url::HttpUrl::parse(url).unwrap().path_and_query)
    }
}

/// Conformance: 1.46, 1.52
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn the_agent_holds_its_sessions_over_https() {
    let authorities = Authorities::new();
    for client in [None, Some(authorities.of_box())] {
        let Chain { acs, agent, nginx, _folder } = chain(&authorities, Flaw::None, client).await;
        let boot = acs.wait_session(PATIENCE, |_| true).await;
        let boot = boot.unwrap_or_else(|error| panic!("{error}\n{}", agent.log()));
        assert!(boot.is_clean() && boot.has_event(&EventCode::Bootstrap), "{boot:#?}\n{}", agent.log());
        assert!(!nginx.requests().is_empty(), "it did not go through nginx");
    }
}

/// Conformance: 1.47, 1.48, 1.50
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn the_agent_speaks_to_no_acs_with_a_bad_certificate_and_tries_again() {
    let authorities = Authorities::new();
    for (flaw, words) in FLAWS {
        let Chain { acs, agent, mut nginx, _folder } = chain(&authorities, flaw, None).await;
        // Once its certificate is mended, the next try gets through.
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !agent.log().contains(words) {
            assert!(tokio::time::Instant::now() < deadline, "{flaw:?}: {}", agent.log());
            // The log gives no signal.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(nginx.requests().is_empty(), "{flaw:?}");
        authorities.write(nginx.folder(), Flaw::None);
        nginx.restart();
        let session = acs.wait_session(PATIENCE, |_| true).await;
        session.unwrap_or_else(|error| panic!("{flaw:?}: {error}\n{}", agent.log()));
    }
}

/// Conformance: 1.45
#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop nginx"]
async fn a_server_that_speaks_old_versions_of_tls_alone_is_refused_in_clear_words() {
    let authorities = Authorities::new();
    let old = "ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;";
    let nginx = files(&authorities, Flaw::None, old);
    let (client, into) = (authorities.client(None), authorities.folder.path().join("image"));
    let error = client.fetch(&remote(&nginx.https("/image"), None), 0, &into, &|_| {}).await.unwrap_err();
    assert!(error.code.0 == 9015 && error.text.contains("the server must speak TLS 1.2 or 1.3"), "{error}");
    assert!(nginx.requests().is_empty());
}
