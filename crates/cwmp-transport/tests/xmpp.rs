//! Connection requests over XMPP on real sockets, against a server that does as the test says (CONFORMANCE 6d).

#![cfg(all(feature = "tls", feature = "xmpp"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::string_slice)]

mod peer;
mod secure;

use std::{
    future::Future,
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use cwmp_core::{
    io::Via,
    settings::{
        Secret, XmppListening, XmppRetry, XmppServer, XmppServers, XmppSettings, XmppState, XmppStatus,
    },
};
use cwmp_transport::{ManagementPath, XmppConfig, xmpp};
use data_encoding::BASE64;
use ring::{digest, hmac, pbkdf2};
use rustls::ServerConfig;
use secure::{BOTH, Shows, World, certificates::ALWAYS};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How long something may take that should take no time.
const PATIENCE: Duration = Duration::from_secs(20);
const DOMAIN: &str = "xmpp.example";
const STREAM: &str = "<?xml version='1.0'?><stream:stream from='xmpp.example' id='1' version='1.0' xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams'>";
const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const BIND: &str = "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>";

fn mechanisms(names: &[&str]) -> String {
    let names: String = names.iter().map(|name| format!("<mechanism>{name}</mechanism>")).collect();
    format!("<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{names}</mechanisms>")
}

fn features(inside: &str) -> String {
    format!("{STREAM}<stream:features>{inside}</stream:features>")
}

fn request(id: &str, from: &str, password: &str) -> String {
    format!(
        "<iq from='{from}' to='cpe@xmpp.example/a' id='{id}' type='get'><connectionRequest \
         xmlns='urn:broadband-forum-org:cwmp:xmppConnReq-1-0'><username>acs</username>\
         <password>{password}</password></connectionRequest></iq>"
    )
}

/// The server's end of a connection.
struct Talk<S> {
    stream: S,
    heard: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    fn new(stream: S) -> Self {
        Self { stream, heard: String::new() }
    }

    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// What comes up to this, that included.
    async fn hear(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.heard.find(end) {
                let rest = self.heard.split_off(at + end.len());
                return std::mem::replace(&mut self.heard, rest);
            }
            let mut piece = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut piece)).await;
            let read = read.unwrap_or_else(|_| panic!("{end} does not come: {}", self.heard)).unwrap_or(0);
            assert!(read > 0, "closed before {end}: {}", self.heard);
            self.heard.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
    }

    /// All that comes until the box hangs up.
    async fn hear_out(mut self) -> String {
        let mut rest = Vec::new();
        // TLS that ends without a word is an end as well.
        timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.unwrap().ok();
        self.heard + std::str::from_utf8(&rest).unwrap()
    }

    /// The stream is opened, with these features.
    async fn opened(&mut self, inside: &str) -> String {
        let header = self.hear("http://etherx.jabber.org/streams'>").await;
        self.say(&features(inside)).await;
        header
    }

    /// From PLAIN to a JID with this resource.
    async fn logs_in(&mut self, resource: &str) {
        self.opened(&mechanisms(&["PLAIN"])).await;
        let auth = self.hear("</auth>").await;
        let told = auth.split(['>', '<']).nth(2).unwrap();
        assert_eq!(BASE64.decode(told.as_bytes()).unwrap(), b"\0cpe\0secret");
        self.say("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>").await;
        self.binds(resource).await;
    }

    async fn binds(&mut self, resource: &str) {
        self.hear("http://etherx.jabber.org/streams'>").await;
        self.say(&format!("{STREAM}{BIND}")).await;
        let bind = self.hear("</iq>").await;
        assert!(bind.contains("<resource>a</resource>"), "{bind}");
        self.say(&format!(
            "<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <jid>cpe@xmpp.example/{resource}</jid></bind></iq>"
        ))
        .await;
    }
}

/// A server on loopback with a certificate for [`DOMAIN`].
struct Server {
    world: World,
    socket: TcpListener,
    tls: Arc<ServerConfig>,
}

impl Server {
    async fn start() -> Self {
        Self::named(DOMAIN).await
    }

    async fn named(name: &str) -> Self {
        let world = World::new();
        let own = world.server(&[name], ALWAYS);
        let tls = Shows { own: &own, others: &[&world.between], versions: BOTH, asks: None }.config();
        Self { socket: TcpListener::bind("127.0.0.1:0").await.unwrap(), world, tls }
    }

    async fn accept(&self) -> Talk<TcpStream> {
        Talk::new(timeout(PATIENCE, self.socket.accept()).await.unwrap().unwrap().0)
    }

    /// A connection up to and with TLS.
    async fn accept_tls(&self) -> Talk<TlsStream<TcpStream>> {
        let mut talk = self.accept().await;
        talk.opened(STARTTLS).await;
        talk.hear(STARTTLS).await;
        talk.say("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await;
        let stream = TlsAcceptor::from(Arc::clone(&self.tls)).accept(talk.stream).await;
        Talk::new(stream.unwrap())
    }

    fn settings(&self) -> XmppSettings {
        let port = self.socket.local_addr().unwrap().port();
        let server = XmppServer { priority: 0, weight: None, address: "127.0.0.1".into(), port };
        XmppSettings {
            instance: 1,
            username: "cpe".into(),
            password: Secret("secret".into()),
            domain: DOMAIN.into(),
            resource: "a".into(),
            servers: XmppServers::Table(vec![server]),
            keep_alive: None,
            retry: XmppRetry { initial: 1, maximum: 1, ..XmppRetry::default() },
            use_tls: true,
            allowed: Vec::new(),
        }
    }

    /// Runs the test beside a box with these settings.
    async fn with(&self, settings: XmppSettings, test: impl AsyncFnOnce(&mut Cpe)) {
        let (sink, bell) = mpsc::channel(2);
        let (report, reports) = mpsc::unbounded_channel();
        let config = XmppConfig {
            listening: XmppListening {
                username: "acs".into(),
                password: Secret("ring".into()),
                connection: settings,
            },
            path: ManagementPath::default(),
            tls: self.world.tls(),
            sink,
            network: Rc::new(Notify::new()),
            report: Box::new(move |state| drop(report.send(state))),
        };
        let mut cpe = Cpe { bell, reports };
        tokio::select! {
            () = xmpp::run(&config) => unreachable!("it never ends"),
            () = test(&mut cpe) => {}
        }
    }
}

struct Cpe {
    bell: mpsc::Receiver<Via>,
    reports: mpsc::UnboundedReceiver<XmppState>,
}

impl Cpe {
    async fn until(&mut self, status: XmppStatus) -> XmppState {
        loop {
            let state = timeout(PATIENCE, self.reports.recv()).await.unwrap().unwrap();
            if state.status == status {
                return state;
            }
        }
    }

    async fn rung(&mut self) {
        assert_eq!(timeout(PATIENCE, self.bell.recv()).await.unwrap(), Some(Via::Xmpp));
    }
}

/// Runs a test on one thread, as the agent does.
fn local(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

/// Conformance: 6.34
#[test]
fn a_request_is_answered_with_an_empty_result_and_then_rings() {
    local(async {
        let server = Server::start().await;
        server
            .with(server.settings(), async |cpe| {
                let mut talk = server.accept_tls().await;
                talk.logs_in("a").await;
                let state = cpe.until(XmppStatus::Enabled).await;
                assert_eq!((&*state.jabber_id, state.tls), ("cpe@xmpp.example/a", true));
                talk.say(&request("r&amp;1", "acs@xmpp.example/x", "ring")).await;
                let answer = talk.hear("/>").await;
                assert_eq!(answer, "<iq type='result' id='r&amp;1' to='acs@xmpp.example/x'/>");
                cpe.rung().await;
            })
            .await;
    });
}

/// Conformance: 6.35
#[test]
fn wrong_requests_get_their_error_and_no_session() {
    local(async {
        let server = Server::start().await;
        let allowed = vec!["acs@xmpp.example/x".to_owned(), "Other@xmpp.example".to_owned()];
        server
            .with(XmppSettings { allowed, ..server.settings() }, async |cpe| {
                let mut talk = server.accept_tls().await;
                talk.logs_in("a").await;
                let cases = [
                    ("acs@xmpp.example/x", "wrong", "<error type='auth'><not-authorized "),
                    ("acs@xmpp.example/y", "ring", "<error type='cancel'><service-unavailable "),
                    ("stranger@xmpp.example/x", "ring", "<error type='cancel'><service-unavailable "),
                    ("stranger@xmpp.example/x", "wrong", "<error type='cancel'><service-unavailable "),
                ];
                for (from, password, error) in cases {
                    talk.say(&request("1", from, password)).await;
                    let answer = talk.hear("</iq>").await;
                    assert!(answer.contains(error) && answer.contains("type='error'"), "{from}: {answer}");
                    assert!(cpe.bell.try_recv().is_err(), "{from}");
                }
                // A bare JID stands for all its resources. Then the agent is slow: there is no room for a third.
                for round in 0..3 {
                    talk.say(&request("2", "other@XMPP.example/any", "ring")).await;
                    if round < 2 {
                        talk.hear("<iq type='result'").await;
                        talk.hear("/>").await;
                    } else {
                        assert!(talk.hear("</iq>").await.contains("service-unavailable"));
                    }
                }
                cpe.rung().await;
            })
            .await;
    });
}

/// The server's half of SCRAM, by another implementation of its sums.
#[test]
fn the_password_is_proved_and_not_told() {
    local(async {
        let server = Server::start().await;
        server
            .with(server.settings(), async |cpe| {
                let mut talk = server.accept_tls().await;
                talk.opened(&mechanisms(&["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"])).await;
                let auth = talk.hear("</auth>").await;
                assert!(auth.contains("mechanism='SCRAM-SHA-256'"), "{auth}");
                let decoded = |text: &str| {
                    let told = text.split(['>', '<']).nth(2).unwrap();
                    String::from_utf8(BASE64.decode(told.as_bytes()).unwrap()).unwrap()
                };
                let first = decoded(&auth);
                let bare = first.strip_prefix("n,,").unwrap();
                let nonce = bare.split("r=").nth(1).unwrap();
                let challenge = format!("r={nonce}more,s=c2FsdA==,i=4096");
                talk.say(&format!(
                    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</challenge>",
                    BASE64.encode(challenge.as_bytes())
                ))
                .await;
                let last = decoded(&talk.hear("</response>").await);
                let (without, proof) = last.rsplit_once(",p=").unwrap();
                let signed = format!("{bare},{challenge},{without}");
                let mut salted = [0; 32];
                let rounds = NonZeroU32::new(4096).unwrap();
                pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, b"salt", b"secret", &mut salted);
                let sign = |key: &[u8], data: &[u8]| {
                    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
                };
                let client_key = sign(&salted, b"Client Key");
                let stored = digest::digest(&digest::SHA256, &client_key);
                let expected: Vec<u8> = sign(stored.as_ref(), signed.as_bytes())
                    .iter()
                    .zip(&client_key)
                    .map(|(a, b)| a ^ b)
                    .collect();
                assert_eq!(BASE64.decode(proof.as_bytes()).unwrap(), expected);
                let signature = sign(&sign(&salted, b"Server Key"), signed.as_bytes());
                let told = BASE64.encode(format!("v={}", BASE64.encode(&signature)).as_bytes());
                talk.say(&format!("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{told}</success>"))
                    .await;
                talk.binds("a").await;
                cpe.until(XmppStatus::Enabled).await;
            })
            .await;
    });
}

#[test]
fn a_server_that_does_not_know_the_password_is_not_believed() {
    local(async {
        let server = Server::start().await;
        server
            .with(server.settings(), async |cpe| {
                let mut talk = server.accept_tls().await;
                talk.opened(&mechanisms(&["SCRAM-SHA-256"])).await;
                talk.hear("</auth>").await;
                talk.say("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>").await;
                cpe.until(XmppStatus::Error).await;
                let rest = talk.hear_out().await;
                assert!(!rest.contains("<iq"), "{rest}");
                let mut talk = server.accept_tls().await;
                talk.opened(&mechanisms(&["PLAIN"])).await;
                talk.hear("</auth>").await;
                talk.say("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>")
                    .await;
                cpe.until(XmppStatus::AuthenticationFailure).await;
            })
            .await;
    });
}

/// Conformance: 6.37
#[test]
fn with_use_tls_nothing_but_the_wish_for_tls_is_in_clear_text() {
    local(async {
        let server = Server::start().await;
        server
            .with(server.settings(), async |cpe| {
                // No TLS, though ways to tell the password.
                let mut talk = server.accept().await;
                talk.opened(&mechanisms(&["PLAIN", "SCRAM-SHA-1"])).await;
                cpe.until(XmppStatus::Error).await;
                assert_eq!(talk.hear_out().await, "");
                // TLS that is refused.
                let mut talk = server.accept().await;
                talk.opened(STARTTLS).await;
                talk.hear(STARTTLS).await;
                talk.say("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await;
                cpe.until(XmppStatus::Error).await;
                assert_eq!(talk.hear_out().await, "");
                // Words of somebody between the two that would count as said under TLS.
                let mut talk = server.accept().await;
                talk.opened(STARTTLS).await;
                talk.hear(STARTTLS).await;
                let injected = features(&mechanisms(&["PLAIN"]));
                talk.say(&format!("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>{injected}")).await;
                cpe.until(XmppStatus::Error).await;
                assert_eq!(talk.hear_out().await, "");
            })
            .await;
    });
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    local(async {
        let server = Server::named("other.example").await;
        server
            .with(server.settings(), async |cpe| {
                let mut talk = server.accept().await;
                talk.opened(STARTTLS).await;
                talk.hear(STARTTLS).await;
                talk.say("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await;
                let handshake = TlsAcceptor::from(Arc::clone(&server.tls)).accept(talk.stream).await;
                let after = match handshake {
                    Ok(stream) => Talk::new(stream).hear_out().await,
                    Err(_) => String::new(),
                };
                assert_eq!(after, "");
                cpe.until(XmppStatus::Error).await;
            })
            .await;
    });
}

#[test]
fn without_tls_the_password_is_told_to_nobody() {
    local(async {
        let server = Server::start().await;
        server
            .with(XmppSettings { use_tls: false, ..server.settings() }, async |cpe| {
                let mut talk = server.accept().await;
                talk.opened(&mechanisms(&["PLAIN"])).await;
                cpe.until(XmppStatus::Error).await;
                assert_eq!(talk.hear_out().await, "");
                let mut talk = server.accept().await;
                talk.opened(&mechanisms(&["PLAIN", "SCRAM-SHA-1"])).await;
                let auth = talk.hear("</auth>").await;
                assert!(auth.contains("mechanism='SCRAM-SHA-1'"), "{auth}");
            })
            .await;
    });
}

/// Conformance: 6.36, 6.37
#[test]
fn a_lost_connection_is_made_again_and_its_jid_told() {
    local(async {
        let server = Server::start().await;
        server
            .with(server.settings(), async |cpe| {
                for (resource, end) in [("a", "</stream:stream>"), ("b", "<iq></qi>"), ("c", "")] {
                    let mut talk = server.accept_tls().await;
                    talk.logs_in(resource).await;
                    let state = cpe.until(XmppStatus::Enabled).await;
                    assert_eq!(state.jabber_id, format!("cpe@xmpp.example/{resource}"));
                    talk.say(end).await;
                    drop(talk);
                    assert_eq!(cpe.until(XmppStatus::Error).await.jabber_id, "");
                }
                let mut talk = server.accept_tls().await;
                talk.logs_in("d").await;
                cpe.until(XmppStatus::Enabled).await;
                talk.say(&request("1", "acs@xmpp.example/x", "ring")).await;
                cpe.rung().await;
            })
            .await;
    });
}

#[test]
fn a_quiet_connection_is_kept_alive_and_pings_are_answered() {
    local(async {
        let server = Server::start().await;
        server
            .with(XmppSettings { keep_alive: Some(1), ..server.settings() }, async |_| {
                let mut talk = server.accept_tls().await;
                talk.logs_in("a").await;
                for _ in 0..2 {
                    assert!(talk.hear("</iq>").await.contains("<ping xmlns='urn:xmpp:ping'/>"));
                    talk.say("<iq type='result' id='ping'/>").await;
                }
                talk.say("<iq type='get' id='s1' from='xmpp.example'><ping xmlns='urn:xmpp:ping'/></iq>")
                    .await;
                assert!(talk.hear("to='xmpp.example'/>").await.contains("<iq type='result' id='s1'"));
            })
            .await;
    });
}

#[test]
fn without_name_or_servers_nothing_is_tried() {
    local(async {
        let server = Server::start().await;
        for settings in [
            XmppSettings { username: String::new(), ..server.settings() },
            XmppSettings { domain: String::new(), ..server.settings() },
            XmppSettings { servers: XmppServers::Table(Vec::new()), ..server.settings() },
        ] {
            server
                .with(settings, async |cpe| {
                    cpe.until(XmppStatus::Misconfigured).await;
                })
                .await;
        }
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let nobody = XmppServer { priority: 0, weight: None, address: "127.0.0.1".into(), port: gone };
        let settings = XmppSettings { servers: XmppServers::Table(vec![nobody]), ..server.settings() };
        server
            .with(settings, async |cpe| {
                cpe.until(XmppStatus::ServerNotPresent).await;
            })
            .await;
    });
}

const VALIDATE: &str = "\
import sys
from lxml import etree
schema = etree.XMLSchema(etree.parse(sys.argv[1]))
iq = etree.fromstring(sys.argv[2])
schema.assertValid(iq[0])
";

/// What these tests ring with is a connection request by the schema, so what the box takes is.
#[test]
fn requests_are_valid_by_the_schema() {
    let folder = std::env::var_os("CWMP_SCHEMA_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let schema = folder.join("bbf/cwmp-xmppConnReq-1-0.xsd");
    let python = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
    let lxml = Command::new(python).args(["-c", "import lxml.etree"]).output();
    if !schema.is_file() || !lxml.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no {} or no python3-lxml", schema.display());
        eprintln!("skipped: no {} or no python3-lxml", schema.display());
        return;
    }
    let validate = |text: &str| {
        let done = Command::new(python).args(["-c", VALIDATE]).arg(&schema).arg(text).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let right = request("1", "acs@xmpp.example/x", "ring");
    let (valid, complaint) = validate(&right);
    assert!(valid, "{complaint}");
    assert!(!validate(&right.replace("password", "secret")).0, "the schema is not looked at");
}
