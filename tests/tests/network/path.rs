//! The management path: a device or a namespace that alone leads to the ACS, with a name server on it.

use std::{
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use cwmp_acs::AcsOptions;
use cwmp_core::event::EventCode;
use cwmpd_tests::{
    Sandbox, Scene,
    dns::NameServer,
    program,
    sandbox::known,
    scene::{PATIENCE, acs_options},
};

use crate::namespace::Namespace;

const NAME: &str = "acs.cwmpd.test";
/// The ACS; on the internet somebody else has the same address.
const ACS: &str = "198.51.100.1";
const BOX: &str = "192.0.2.2";

/// The provider's management network: the ACS and a name server that knows it.
struct Management {
    network: Namespace,
}

impl Management {
    fn new() -> Option<Self> {
        let network = Namespace::new()?;
        network.ip(&format!("addr add {ACS}/32 dev lo"));
        Some(Self { network })
    }

    /// Makes this device of a namespace lead here, as `BOX`, with a way to everywhere.
    fn plug_in(&self, namespace: &Namespace, device: &str) {
        namespace.ip(&format!("link add {device} type veth peer name port netns {}", self.network.name));
        namespace.ip(&format!("link set {device} up"));
        self.network.ip("link set port up");
        self.network.ip("addr add 192.0.2.1/24 dev port");
        namespace.ip(&format!("addr add {BOX}/24 dev {device}"));
        namespace.ip(&format!("route add default via 192.0.2.1 dev {device} metric 500"));
    }

    /// The ACS behind its name, and a box that asks for it there.
    async fn scene(&self, change: impl FnOnce(Sandbox) -> Sandbox) -> (Scene, NameServer) {
        let server = NameServer::start("0.0.0.0:53").await.unwrap();
        server.says(NAME, &[ACS]);
        let options = AcsOptions { listen: format!("{ACS}:0").parse().unwrap(), ..acs_options() };
        let mut scene = Scene::new(options, change).await;
        let url = scene.acs.url().replacen(ACS, NAME, 1);
        scene.sandbox = scene
            .sandbox
            .with("ManagementServer", "URL", &url)
            .with("cwmpd", "connection_request_address", "0.0.0.0")
            .with("cwmpd", "resolvers", "192.0.2.1");
        (scene, server)
    }
}

fn door(scene: &Scene) -> SocketAddr {
    let url = scene.acs.cpe(known::CPE).unwrap().connection_request_url.unwrap();
    let url = cwmp_core::url::HttpUrl::parse(&url).unwrap();
    SocketAddr::new(url.host.parse().unwrap(), url.port)
}

/// Rings until the box takes it, which it must in time: its door may be about to open, at another port.
async fn ring(scene: &Scene) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let rung = scene.acs.connection_request(known::CPE).await;
        if matches!(rung, Ok(200)) {
            break;
        }
        assert!(Instant::now() < deadline, "{rung:?}\n{}", scene.log());
        // The door gives no signal.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    scene.good_session(EventCode::ConnectionRequest).await;
}

/// A box with an uplink to the internet, which is the better way to everywhere, and one for its management.
///
/// Conformance: 13.05
#[test]
fn everything_goes_by_the_device_that_is_named_and_by_no_other() {
    let Some(management) = Management::new() else { return };
    let (router, internet) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    program::binary().unwrap();
    router.ip(&format!("link add wan0 type veth peer name isp netns {}", internet.name));
    router.ip("link set wan0 up");
    internet.ip("link set isp up");
    internet.ip("addr add 203.0.113.1/24 dev isp");
    internet.ip(&format!("addr add {ACS}/32 dev lo"));
    router.ip("addr add 203.0.113.2/24 dev wan0");
    router.ip("route add default via 203.0.113.1 dev wan0 metric 10");
    let plug_in = || management.plug_in(&router, "mgmt0");
    let named = |sandbox: Sandbox| sandbox.with("cwmpd", "management_interface", "mgmt0");
    management.network.run(async {
        let (mut scene, server) = management.scene(named).await;
        scene.agent = Some(router.cwmpd(&scene.sandbox));
        // There is no such device yet.
        scene.logged("network device mgmt0: No such device", 2).await;
        assert!(server.asked().is_empty());
        plug_in();
        scene.session(EventCode::Bootstrap).await;
        assert!(server.asked().iter().all(|name| name == NAME) && !server.asked().is_empty());

        // Connection requests come by it alone; a new one under its name is noticed.
        for round in 1..=2 {
            ring(&scene).await;
            let door = door(&scene);
            assert_eq!(door.ip().to_string(), BOX);
            let elsewhere = SocketAddr::new("203.0.113.2".parse().unwrap(), door.port());
            internet.run(async move {
                let refused = TcpStream::connect(elsewhere).unwrap_err();
                assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
            });
            router.ip("link del mgmt0");
            plug_in();
            scene.logged("listening anew", round).await;
        }
        ring(&scene).await;
        scene.cut_power();

        // Without the setting the ACS is looked for by the other uplink, where nobody listens at its address.
        scene.sandbox = scene.sandbox.with("cwmpd", "management_interface", "");
        let failures = scene.log().matches("session failed").count();
        scene.agent = Some(router.cwmpd(&scene.sandbox));
        scene.logged("session failed", failures + 1).await;
        assert!(scene.log().contains(&format!("({ACS}: Connection refused")), "{}", scene.log());
    });
}

/// Conformance: 13.05
#[test]
fn a_namespace_of_its_own_carries_the_management() {
    let Some(management) = Management::new() else { return };
    let router = Namespace::new().unwrap();
    program::binary().unwrap();
    let name = Namespace::free_name();
    let named = |sandbox: Sandbox| sandbox.with("cwmpd", "management_namespace", &name);
    management.network.run(async {
        let (mut scene, _server) = management.scene(named).await;
        scene.agent = Some(router.cwmpd(&scene.sandbox));
        scene.logged(&format!("network namespace /run/netns/{name}: No such file"), 2).await;
        let inside = Namespace::named(name.clone()).unwrap();
        management.plug_in(&inside, "mgmt0");
        scene.session(EventCode::Bootstrap).await;
        // A start with the namespace in place listens at once.
        scene.cut_power();
        scene.agent = Some(router.cwmpd(&scene.sandbox));
        ring(&scene).await;
        let door = door(&scene);
        assert_eq!(door.ip().to_string(), BOX);
        // In the program's own namespace there is nothing but the loopback device, and nobody listens.
        let of_router = SocketAddr::new("127.0.0.1".parse().unwrap(), door.port());
        router.run(async move {
            assert!(TcpStream::connect(of_router).is_err());
        });
    });
}
