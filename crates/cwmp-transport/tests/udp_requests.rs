//! Connection requests over UDP and STUN on real sockets (CONFORMANCE 6c).

#![cfg(feature = "stun")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use cwmp_core::{
    io::Via,
    settings::{Secret, StunSettings, UdpListening},
    url::HttpUrl,
};
use cwmp_transport::{ManagementPath, Reachable, ReplayGuard, UdpConfig, UdpListener};
use tokio::{
    net::UdpSocket,
    sync::{Notify, mpsc},
    time::timeout,
};

/// How long something may take that should take no time.
const PATIENCE: Duration = Duration::from_secs(20);

/// The query and its signature with the password `ring`, made with `openssl dgst -sha1 -hmac`.
const RING: &str = "ts=1800000000&id=1&un=acs&cn=c0ffee&sig=f777a5ff2c17207a4ccaaf29285287a5bdfb38a2";
const RING_AGAIN: &str = "ts=1800000001&id=2&un=acs&cn=c0ffee&sig=1bbc752e87cee64b9e9e9d01e20b1084abc031da";

fn request(query: &str) -> Vec<u8> {
    format!("GET http://127.0.0.1:7547?{query} HTTP/1.1\r\nHost: 127.0.0.1:7547\r\n\r\n").into_bytes()
}

/// A box that listens on loopback.
struct Cpe {
    address: SocketAddr,
    bell: mpsc::Receiver<Via>,
    reports: mpsc::UnboundedReceiver<Reachable>,
    network: Rc<Notify>,
    notes: Rc<RefCell<Vec<u64>>>,
}

impl Cpe {
    async fn report(&mut self) -> Reachable {
        timeout(PATIENCE, self.reports.recv()).await.unwrap().unwrap()
    }

    async fn rung(&mut self) {
        assert_eq!(timeout(PATIENCE, self.bell.recv()).await.unwrap(), Some(Via::Udp));
    }
}

/// Runs a test beside a box with these settings of STUN.
async fn with(stun: StunSettings, noted: Option<u64>, test: impl AsyncFnOnce(&mut Cpe)) {
    let path = ManagementPath::default();
    let listener = UdpListener::open(&path, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (sink, bell) = mpsc::channel(4);
    let (report, reports) = mpsc::unbounded_channel();
    let (network, notes) = (Rc::new(Notify::new()), Rc::new(RefCell::default()));
    let kept: Rc<RefCell<Vec<u64>>> = Rc::clone(&notes);
    let keep = move |moment| {
        kept.borrow_mut().push(moment);
        Box::pin(std::future::ready(())) as _
    };
    let mut guard = ReplayGuard::new(noted, Box::new(keep));
    let acs = HttpUrl::parse("http://127.0.0.1:7557/").ok();
    let config = UdpConfig {
        listening: UdpListening { username: "acs".into(), password: Secret("ring".into()), acs, stun },
        path,
        sink,
        date: Rc::new(|| None),
        network: Rc::clone(&network),
        report: Box::new(move |reachable| {
            report.send(reachable).unwrap();
        }),
    };
    let mut cpe = Cpe { address: listener.local_addr(), bell, reports, network, notes };
    tokio::select! {
        () = listener.run(&config, &mut guard) => panic!("it never ends"),
        () = test(&mut cpe) => {}
    }
}

async fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

fn assert_no_reply(socket: &UdpSocket) {
    assert!(socket.try_recv(&mut [0; 1]).is_err(), "nothing may come back");
}

/// Conformance: 6.26, 6.27, 6.28
#[tokio::test]
async fn a_signed_datagram_rings_once_and_is_never_answered() {
    with(StunSettings::default(), None, async |cpe| {
        let acs = socket().await;
        for wrong in [
            request(&RING.replace("cn=c0ffee", "cn=c0ffef")),
            request(&RING.replace("un=acs", "un=acx")),
            request(&RING.replace("&id=1", "")),
            [b"POST", &request(RING)[3..]].concat(),
            b"hello".to_vec(),
            Vec::new(),
            vec![0; 20],
            vec![0xff; 3000],
            request(&format!("pad={}&{RING}", "x".repeat(2100))),
        ] {
            acs.send_to(&wrong, cpe.address).await.unwrap();
        }
        for _ in 0..3 {
            acs.send_to(&request(RING), cpe.address).await.unwrap();
        }
        cpe.rung().await;
        // What comes first is seen first: all of the above has been read when this rings.
        acs.send_to(&request(RING_AGAIN), cpe.address).await.unwrap();
        cpe.rung().await;
        assert!(cpe.bell.try_recv().is_err(), "copies do not ring");
        assert_no_reply(&acs);
        assert_eq!(*cpe.notes.borrow(), [1_800_000_060], "one note for both");
    })
    .await;
}

/// Conformance: 6.28
#[tokio::test]
async fn what_an_earlier_run_has_accepted_is_not_accepted_again() {
    with(StunSettings::default(), Some(1_800_000_000), async |cpe| {
        let acs = socket().await;
        acs.send_to(&request(RING), cpe.address).await.unwrap();
        acs.send_to(&request(RING_AGAIN), cpe.address).await.unwrap();
        cpe.rung().await;
        assert!(cpe.bell.try_recv().is_err());
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_rubbish_does_not_keep_the_acs_out() {
    with(StunSettings::default(), None, async |cpe| {
        let (acs, enemy) = (socket().await, socket().await);
        for n in 0..20_000_u32 {
            let rubbish = match n % 4 {
                0 => n.to_be_bytes().repeat(5),
                1 => request(&RING.replace("cn=", &format!("cn={n}"))),
                2 => vec![b'G'; 1400],
                _ => [&[1, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42][..], &n.to_be_bytes().repeat(5)].concat(),
            };
            // Where the kernel has no room for more, it is enough.
            drop(enemy.try_send_to(&rubbish, cpe.address));
        }
        let address = cpe.address;
        let ring = async {
            loop {
                acs.send_to(&request(RING), address).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = cpe.rung() => {}
            () = ring => {}
        }
        assert_no_reply(&enemy);
    })
    .await;
}

/// Conformance: 6.32
#[tokio::test]
async fn without_stun_the_address_of_the_box_is_named() {
    with(StunSettings::default(), None, async |cpe| {
        let own = Reachable { address: Some(cpe.address), nat: false };
        assert_eq!(cpe.report().await, own);
        cpe.network.notify_one();
        assert_eq!(cpe.report().await, own);
    })
    .await;
}

/// A STUN server that is played by the test.
struct Server(UdpSocket);

impl Server {
    async fn start() -> (Self, StunSettings) {
        let socket = socket().await;
        let address = socket.local_addr().unwrap();
        let settings = StunSettings {
            enable: true,
            server_address: address.ip().to_string(),
            server_port: address.port(),
            // Nothing to find out, so that there is one request at a time.
            minimum_keep_alive: 60,
            maximum_keep_alive: Some(60),
            ..StunSettings::default()
        };
        (Self(socket), settings)
    }

    async fn request(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2048];
        let (length, from) = timeout(PATIENCE, self.0.recv_from(&mut buffer)).await.unwrap().unwrap();
        (buffer[..length].to_vec(), from)
    }

    /// Takes a request that is no copy of this one.
    async fn next_request(&self, before: &[u8]) -> Vec<u8> {
        loop {
            let (request, _) = self.request().await;
            if request != before {
                return request;
            }
        }
    }
}

/// The answer of a server that has seen the request come from there.
fn mapped(request: &[u8], port: u16) -> Vec<u8> {
    let mut answer = vec![1, 1, 0, 12];
    answer.extend(&request[4..20]);
    answer.extend([0, 1, 0, 8, 0, 1]);
    answer.extend(port.to_be_bytes());
    answer.extend([203, 0, 113, 7]);
    answer
}

/// Conformance: 6.29, 6.30, 6.32
#[tokio::test]
async fn the_mapping_is_learnt_from_the_server_and_from_nobody_else() {
    let (server, settings) = Server::start().await;
    with(settings, None, async |cpe| {
        let (first, from) = server.request().await;
        assert_eq!(from, cpe.address, "from the port that listens");
        let text = b"dslforum.org/TR-111 ";
        assert!(first.windows(24).any(|part| part == [&[0xc0, 1, 0, 20], &text[..]].concat()));
        // Who does not know the ID, and who is not the server, says nothing.
        let mut guessed = mapped(&first, 6666);
        guessed[12] ^= 1;
        server.0.send_to(&guessed, from).await.unwrap();
        socket().await.send_to(&mapped(&first, 6667), from).await.unwrap();
        server.0.send_to(&mapped(&first, 4660)[..25], from).await.unwrap();
        server.0.send_to(&mapped(&first, 4660), from).await.unwrap();
        let outside =
            |port| Reachable { address: SocketAddr::new([203, 0, 113, 7].into(), port).into(), nat: true };
        assert_eq!(cpe.report().await, outside(4660));
        let change = server.next_request(&first).await;
        assert!(change.ends_with(&[0xc0, 2, 0, 0]), "BINDING-CHANGE");
        server.0.send_to(&mapped(&change, 4660), from).await.unwrap();

        // The network changes; so does the mapping.
        cpe.network.notify_one();
        let again = server.next_request(&change).await;
        assert!(!again.ends_with(&[0xc0, 2, 0, 0]));
        server.0.send_to(&mapped(&again, 4661), from).await.unwrap();
        assert_eq!(cpe.report().await, outside(4661));
        let change = server.next_request(&again).await;
        assert!(change.ends_with(&[0xc0, 2, 0, 0]));

        // And the same socket is the door.
        socket().await.send_to(&request(RING), cpe.address).await.unwrap();
        cpe.rung().await;
    })
    .await;
}

/// Conformance: 6.32
#[tokio::test]
async fn a_server_that_sees_the_boxs_own_address_shows_that_there_is_no_nat() {
    let (server, settings) = Server::start().await;
    with(settings, None, async |cpe| {
        let (first, from) = server.request().await;
        let mut answer = mapped(&first, from.port());
        answer[28..].copy_from_slice(&[127, 0, 0, 1]);
        server.0.send_to(&answer, from).await.unwrap();
        assert_eq!(cpe.report().await, Reachable { address: Some(cpe.address), nat: false });
    })
    .await;
}
