use cwmp_linux::kernel::{BridgeFacts, LinkKind};
use serde_json::json;

use super::*;
use crate::testing::{assert_valid, lan_and_wan, values};

fn neighbour(index: u32, address: &str, mac: &str, reachable: bool, confirmed: u32) -> Neighbour {
    Neighbour { index, address: address.parse().unwrap(), mac: mac.to_owned(), reachable, confirmed }
}

#[tokio::test]
async fn hosts_are_put_together_from_all_that_knows_them() {
    let fake = lan_and_wan();
    fake.uci(
        "dhcp",
        "config dhcp 'lan'\n\toption interface 'lan'\n\n\
         config host\n\toption name 'nas'\n\toption ip '192.168.1.50'\n\tlist mac '02:00:5E:10:00:01'\n\n\
         config host\n\toption name 'never-seen'\n\tlist mac '02:00:5e:10:00:63'\n",
    );
    fake.uci(
        "wireless",
        "config wifi-device 'radio0'\n\nconfig wifi-iface 'home'\n\toption device 'radio0'\n\toption ssid 'Home'\n",
    );
    fake.bus.answer(
        "network.wireless",
        "status",
        json!({"radio0": {"up": true, "interfaces": [{"section": "home", "ifname": "phy0-ap0"}]}}),
    );
    let clients = json!({"clients": {"02:00:5e:10:00:07": {"authorized": true}}});
    fake.bus.answer("hostapd.phy0-ap0", "get_clients", clients);
    fake.root.file(
        "tmp/dhcp.leases",
        "1800003600 02:00:5e:10:00:07 192.168.1.114 laptop *\n1800003600 02:00:5e:10:00:0c 192.168.1.119 reader *\n",
    );
    fake.kernel.neighbours.borrow_mut().extend([
        neighbour(2, "192.168.1.50", "02:00:5e:10:00:01", true, 0),
        neighbour(2, "2001:db8:aa00::50", "02:00:5e:10:00:01", true, 0),
        neighbour(2, "192.168.1.119", "02:00:5e:10:00:0c", false, PRESENT),
        neighbour(2, "192.168.1.114", "02:00:5e:10:00:07", false, 900),
        // The provider's.
        neighbour(3, "198.51.100.1", "02:00:5e:99:00:01", true, 0),
    ]);
    // The bridge has learned where the first one is plugged in.
    fake.kernel.device(4, "lan1");
    fake.kernel.links.borrow_mut()[1].kind = LinkKind::Bridge(BridgeFacts::default());
    fake.kernel.stations.borrow_mut().push(Station { index: 4, mac: "02:00:5e:10:00:01".to_owned() });
    let source = fake.source_of(Hosts);
    assert_eq!(
        values(&source, HOST).await,
        "1.Active=true\n1.AssociatedDevice=\n1.DHCPClient=\n1.HostName=nas\n1.IPAddress=192.168.1.50\n\
         1.IPv4Address.1.IPAddress=192.168.1.50\n1.IPv6Address.1.IPAddress=2001:db8:aa00::50\n\
         1.InterfaceType=Ethernet\n1.Layer1Interface=Device.Ethernet.Interface.3\n\
         1.Layer3Interface=Device.IP.Interface.2\n1.PhysAddress=02:00:5e:10:00:01\n\
         2.Active=true\n2.AssociatedDevice=Device.WiFi.AccessPoint.1.AssociatedDevice.1\n\
         2.DHCPClient=Device.DHCPv4.Server.Pool.1.Client.1\n2.HostName=laptop\n2.IPAddress=192.168.1.114\n\
         2.IPv4Address.1.IPAddress=192.168.1.114\n2.InterfaceType=Wi-Fi\n2.Layer1Interface=Device.WiFi.SSID.1\n\
         2.Layer3Interface=Device.IP.Interface.2\n2.PhysAddress=02:00:5e:10:00:07\n\
         3.Active=false\n3.AssociatedDevice=\n3.DHCPClient=Device.DHCPv4.Server.Pool.1.Client.2\n3.HostName=reader\n\
         3.IPAddress=192.168.1.119\n3.IPv4Address.1.IPAddress=192.168.1.119\n3.Layer1Interface=\n\
         3.Layer3Interface=Device.IP.Interface.2\n3.PhysAddress=02:00:5e:10:00:0c\n"
    );
    assert_valid(&source).await;
    // What the rows refer to is there.
    let all = fake.source();
    for path in ["Device.WiFi.AccessPoint.1.AssociatedDevice.1.", "Device.WiFi.SSID.1."] {
        assert!(!values(&all, path).await.is_empty(), "{path}");
    }
    assert!(
        values(&all, "Device.DHCPv4.Server.Pool.1.Client.2.").await.contains("Chaddr=02:00:5e:10:00:0c\n")
    );
}
