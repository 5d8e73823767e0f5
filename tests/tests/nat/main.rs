//! A box behind a NAT of the kernel, and a STUN server that somebody else wrote: coturn. `cargo xtask interop coturn` runs
//! this test.
//!
//! Three network namespaces: the box, the home gateway that masquerades with nftables, and the world with ACS and coturn.
//! The world has no way to the box but the binding that the gateway keeps.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../network/namespace.rs"]
#[allow(dead_code, reason = "the tests of the network use the rest of it")]
mod namespace;

use std::{
    fs::{self, File},
    io::Write,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use cwmp_acs::{AcsOptions, SessionReport};
use cwmp_core::{
    event::EventCode,
    rpc::{CpeRequest, SetParameterAttributes, SetParameterAttributesStruct},
};
use cwmpd_tests::{
    Sandbox, Scene, program,
    sandbox::known,
    scene::{PATIENCE, acs_options},
};
use namespace::Namespace;
use tempfile::TempDir;

const ADDRESS: &str = "Device.ManagementServer.UDPConnectionRequestAddress";
const NAT: &str = "Device.ManagementServer.NATDetected";

const STUN: &str = "198.51.100.1:3478";

/// The gateway lets nothing in that does not belong to what has gone out.
const MASQUERADE: &str = "table ip gateway {
  chain out {
    type nat hook postrouting priority 100;
    oifname \"wan\" masquerade;
  }
}
";

struct Place {
    home: Namespace,
    gateway: Namespace,
    world: Namespace,
}

impl Place {
    fn new() -> Option<Self> {
        let (home, gateway, world) = (Namespace::new()?, Namespace::new()?, Namespace::new()?);
        gateway.ip(&format!("link add lan type veth peer name box netns {}", home.name));
        gateway.ip(&format!("link add wan type veth peer name isp netns {}", world.name));
        for (namespace, device, address) in [
            (&home, "box", "192.168.77.2/24"),
            (&gateway, "lan", "192.168.77.1/24"),
            (&gateway, "wan", "198.51.100.2/24"),
            (&world, "isp", "198.51.100.1/24"),
            // Without a second address coturn does not redirect answers.
            (&world, "isp", "198.51.100.3/24"),
        ] {
            namespace.ip(&format!("addr add {address} dev {device}"));
            namespace.ip(&format!("link set {device} up"));
        }
        home.ip("route add default via 192.168.77.1");
        gateway.write("/proc/sys/net/ipv4/ip_forward", "1");
        let mut nft = gateway.exec("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(MASQUERADE.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "nft: cargo xtask interop coturn --setup");
        Some(Self { home, gateway, world })
    }
}

/// coturn as a child process; killed when dropped.
struct Coturn {
    child: Child,
    _folder: TempDir,
}

impl Drop for Coturn {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Coturn {
    /// It listens when this returns.
    fn start(world: &Namespace) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let place = |name: &str| folder.path().join(name).display().to_string();
        let mut command = world.exec("turnserver");
        command.args(["-n", "--stun-only", "--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout"]);
        command.args(["--listening-ip=198.51.100.1", "--listening-ip=198.51.100.3", "--listening-port=3478"]);
        command.arg(format!("--pidfile={}", place("pid"))).arg(format!("--userdb={}", place("users")));
        command.stdin(Stdio::null()).stdout(File::create(&log).unwrap()).stderr(Stdio::null());
        let mut coturn = Self { child: command.spawn().unwrap(), _folder: folder };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(&log).unwrap_or_default();
            // The last thing that it says of its sockets.
            if text.contains("Total General servers") {
                return coturn;
            }
            assert!(coturn.child.try_wait().unwrap().is_none(), "coturn ends: {text}");
            assert!(Instant::now() < deadline, "coturn listens nowhere: {text}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

fn sandbox(sandbox: Sandbox) -> Sandbox {
    let mut sandbox = sandbox
        .with("cwmpd", "connection_request_address", "0.0.0.0")
        .with("ManagementServer", "STUNEnable", "true")
        .with("ManagementServer", "STUNServerAddress", "198.51.100.1")
        .with("ManagementServer", "STUNMinimumKeepAlivePeriod", "2")
        .with("ManagementServer", "STUNMaximumKeepAlivePeriod", "6");
    for (row, name) in [("1", ADDRESS), ("2", NAT)] {
        let section = format!("ManagementServer.InformParameter.{row}");
        sandbox = sandbox.with(&section, "Enable", "true").with(&section, "ParameterName", name);
    }
    sandbox
}

/// What the last Inform says of this parameter.
fn told(scene: &Scene, name: &str) -> String {
    let find = |cpe: &cwmp_acs::CpeRecord| {
        let mut values = cpe.last_inform.parameters.iter();
        values.find(|value| value.name == name).map(|value| value.value.clone())
    };
    scene.acs.with_cpe(known::CPE, |_, cpe| find(cpe)).flatten().unwrap_or_default()
}

async fn ring(scene: &Scene) -> SessionReport {
    let address = scene.acs.udp_connection_request(known::CPE).await.unwrap();
    assert_eq!(address, told(scene, ADDRESS));
    scene.session(EventCode::ConnectionRequest).await
}

/// Conformance: 6.09, 6.26, 6.29, 6.32
#[test]
#[ignore = "needs coturn and nftables: cargo xtask interop coturn"]
fn a_connection_request_crosses_the_nat() {
    let Some(place) = Place::new() else { return };
    program::binary().unwrap();
    let coturn = Coturn::start(&place.world);
    place.world.run(play(&place));
    drop(coturn);
}

async fn play(place: &Place) {
    let options = AcsOptions {
        listen: "198.51.100.1:0".parse().unwrap(),
        udp_requests_from: STUN.parse().ok(),
        ..acs_options()
    };
    let mut scene = Scene::new(options, sandbox).await;
    scene.agent = Some(place.home.cwmpd(&scene.sandbox));
    scene.session(EventCode::Bootstrap).await;
    let first = told(&scene, ADDRESS);
    assert!(first.starts_with("198.51.100.2:"), "{first}");
    assert_eq!(told(&scene, NAT), "true");
    // There is no way in over TCP.
    assert!(scene.acs.connection_request(known::CPE).await.is_err());
    let report = ring(&scene).await;
    assert_eq!(report.events.len(), 1, "{:?}", report.events);

    // From now on the ACS wants to be told.
    let active = SetParameterAttributesStruct {
        name: ADDRESS.to_owned(),
        notification_change: true,
        notification: 2,
        access_list_change: false,
        access_list: Vec::new(),
    };
    let set = CpeRequest::SetParameterAttributes(SetParameterAttributes { entries: vec![active] });
    let set = scene.acs.call(known::CPE, set);
    ring(&scene).await;
    set.await.unwrap();

    // The lifetime of a binding is found out by way of coturn, while the door stays open.
    scene.logged("a binding of the NAT survives 6 s of silence", 1).await;
    ring(&scene).await;

    // The provider gives the gateway another address, and the binding is gone with the old one.
    place.gateway.ip("addr del 198.51.100.2/24 dev wan");
    place.gateway.ip("addr add 198.51.100.9/24 dev wan");
    scene.session(EventCode::ValueChange).await;
    let second = told(&scene, ADDRESS);
    assert!(second.starts_with("198.51.100.9:"), "{second}");
    ring(&scene).await;

    // The gateway gives the box another address.
    let moved = Instant::now();
    place.home.ip("addr del 192.168.77.2/24 dev box");
    place.home.ip("addr add 192.168.77.5/24 dev box");
    place.home.ip("route add default via 192.168.77.1");
    scene.session(EventCode::ValueChange).await;
    eprintln!("bound again {} ms after a new address of the box", moved.elapsed().as_millis());
    let third = told(&scene, ADDRESS);
    assert!(third.starts_with("198.51.100.9:") && third != second, "{second} {third}");
    ring(&scene).await;
    scene.assert_clean();
}
