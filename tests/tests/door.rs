//! The door for connection requests of the whole program, as the world finds it: curl, other addresses, floods.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use cwmp_core::{event::EventCode, url::HttpUrl};
use cwmp_transport::limits;
use cwmpd_tests::{Scene, sandbox::known, usage::Memory};

const ENABLE: &str = "Device.ManagementServer.HTTPConnectionRequestEnable";
const PASSWORD: &str = "Device.ManagementServer.ConnectionRequestPassword";
/// Attempts that know no password.
const ATTEMPTS: usize = 1000;
/// What they may cost altogether.
const COST_KIB: u64 = 256;

fn url(scene: &Scene) -> String {
    scene.acs.cpe(known::CPE).unwrap().connection_request_url.unwrap()
}

fn address(scene: &Scene) -> SocketAddr {
    let url = HttpUrl::parse(&url(scene)).unwrap();
    SocketAddr::new(url.host.parse().unwrap(), url.port)
}

/// Runs curl with these words and gives the statuses of all answers, or `None` where there is no curl.
fn curl(url: &str, words: &[&str]) -> Option<Vec<String>> {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--verbose", "--max-time", "20"])
        .args(words)
        .arg(url)
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            // Where everything could have been installed, a skip hides a defect.
            assert!(std::env::var("CI").as_deref() != Ok("true"), "curl: {error}");
            eprintln!("skipped: curl: {error}");
            return None;
        }
    };
    assert!(output.stdout.is_empty(), "a body: {output:?}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(
        !told.to_lowercase().contains("< server:") && !told.to_lowercase().contains("retry-after"),
        "{told}"
    );
    let statuses = told.lines().filter(|line| line.starts_with("< HTTP/1."));
    Some(statuses.filter_map(|line| line.split(' ').nth(2)).map(str::to_owned).collect())
}

/// Conformance: 6.06, 6.10, 6.13, 6.14, 6.19
#[tokio::test]
async fn curl_rings_with_digest_from_any_address_and_not_with_basic() {
    let scene = Scene::bootstrapped().await;
    let (url, who) = (url(&scene), format!("{}:{}", known::CR_USERNAME, known::CR_PASSWORD));
    // The ACS is at 127.0.0.1.
    for more in [&[][..], &["--interface", "127.0.0.77"], &["--http1.0"]] {
        let words = [&["--digest", "--user", &who][..], more].concat();
        let Some(statuses) = curl(&url, &words) else { return };
        assert_eq!(statuses, ["401", "200"], "{more:?}");
        scene.session(EventCode::ConnectionRequest).await;
    }
    // What the query says changes nothing.
    let odd = format!("{url}?url=http://192.0.2.66/");
    assert_eq!(curl(&odd, &["--digest", "--user", &who]).unwrap(), ["401", "200"]);
    scene.session(EventCode::ConnectionRequest).await;
    let sessions = || scene.acs.with_cpe(known::CPE, |_, cpe| cpe.session_count);
    let before = sessions();
    assert_eq!(curl(&url, &["--basic", "--user", &who]).unwrap(), ["401"]);
    assert_eq!(curl(&url, &["--digest", "--user", "acs:wrong"]).unwrap(), ["401", "401"]);
    assert_eq!(curl(&url, &[]).unwrap(), ["401"]);
    assert_eq!(curl(&format!("{url}/x"), &[]).unwrap(), ["404"]);
    assert_eq!(curl(&url, &["--data", "x=y"]).unwrap(), ["405"]);
    scene.ring().await;
    scene.session(EventCode::ConnectionRequest).await;
    assert_eq!(sessions(), before.map(|before| before + 1), "what was refused opened no session");
    scene.assert_clean();
}

/// Conformance: 6.23, 6.25
#[tokio::test]
async fn nothing_listens_while_the_door_is_closed_or_has_no_password() {
    let scene = Scene::bootstrapped().await;
    for (name, closed, open) in [(ENABLE, "false", "true"), (PASSWORD, "", known::CR_PASSWORD)] {
        let address = address(&scene);
        scene.ask(&["set", &format!("{name}={closed}")]);
        scene.until("the port closed", || TcpStream::connect(address).is_err()).await;
        scene.session(EventCode::ValueChange).await;
        scene.ask(&["set", &format!("{name}={open}")]);
        scene.session(EventCode::ValueChange).await;
        scene.ring().await;
        scene.session(EventCode::ConnectionRequest).await;
    }
    scene.assert_clean();
}

/// An attempt to tie the door up: silent, or with half a request.
fn attempt(address: SocketAddr, number: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    if number % 2 == 1 {
        // It may have been cut off already.
        stream.write_all(b"GET / HTTP/1.1\r\nHost: ").ok();
    }
    stream
}

/// Rings three times; the quickest answer must have come within a second. The machine may be busy once.
async fn ring_quickly(scene: &Scene) {
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let begin = Instant::now();
        scene.ring().await;
        quickest = quickest.min(begin.elapsed());
    }
    eprintln!("a connection request was answered after {} ms", quickest.as_millis());
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
}

/// Conformance: 6.20, 13.05
#[tokio::test]
async fn a_thousand_attempts_cost_little_and_hold_nobody_up() {
    let scene = Scene::bootstrapped().await;
    // What is needed once is there before anything is measured.
    for _ in 0..3 {
        scene.ring().await;
        scene.session(EventCode::ConnectionRequest).await;
    }
    let (address, pid) = (address(&scene), scene.agent().pid());
    let before = Memory::of(pid).unwrap();
    let mut attempts: Vec<_> = (0..ATTEMPTS).map(|number| attempt(address, number)).collect();
    // All have been let in once the last one but so many was cut off for another.
    let last = &mut attempts[ATTEMPTS - limits::REQUEST_CONNECTIONS - 1];
    assert!(!matches!(last.read(&mut [0; 1]), Ok(1..)), "an answer to nothing");
    let during = Memory::of(pid).unwrap();
    let cost = during.anonymous_kib.saturating_sub(before.anonymous_kib);
    eprintln!(
        "{ATTEMPTS} attempts cost {cost} KiB (from {} to {})",
        before.anonymous_kib, during.anonymous_kib
    );
    assert!(cost <= COST_KIB, "{before:?} {during:?}");
    ring_quickly(&scene).await;
    scene.session(EventCode::ConnectionRequest).await;
    drop(attempts);
    scene.assert_clean();
}

/// Conformance: 13.05
#[tokio::test]
async fn a_flood_of_garbage_is_survived_while_it_lasts() {
    let scene = Scene::bootstrapped().await;
    let address = address(&scene);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let flood = std::thread::spawn(move || {
        // A foreign address: the ACS of the test is at another one.
        let mut seed = 1_u32;
        let mut count = 0_usize;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            let Some(mut stream) = connect_from("127.0.0.66", address) else { continue };
            count += 1;
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let garbage: Vec<u8> = (0..seed % 2000).map(|at| (seed >> (at % 24)) as u8 ^ at as u8).collect();
            let begin: &[u8] =
                [&b""[..], b"GET / HTTP/1.1\r\n", b"GET /\0 HTTP/1.1\r\nAuthorization: Digest "][count % 3];
            stream.write_all(begin).and_then(|()| stream.write_all(&garbage)).ok();
            if count.is_multiple_of(4) {
                // Whatever has come in a millisecond, or nothing.
                stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
                let _ = stream.read(&mut [0; 512]);
            }
        }
        count
    });
    for _ in 0..5 {
        ring_quickly(&scene).await;
        scene.session(EventCode::ConnectionRequest).await;
    }
    drop(stop);
    eprintln!("{} connections of a flood", flood.join().unwrap());
    scene.assert_clean();
}

fn connect_from(from: &str, to: SocketAddr) -> Option<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).ok()?;
    socket.bind(&SocketAddr::new(from.parse().ok()?, 0).into()).ok()?;
    socket.connect(&to.into()).ok()?;
    Some(socket.into())
}
