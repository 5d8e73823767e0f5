//! The network as the files of a root tell it (`/sys/class/net`, `/proc/net`): for a box that is a folder, such as a container's
//! root or one that a test has made. The machine's own kernel tells more ([`super::Netlink`]), and of another root nothing.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{
    Address, AddressOrigin, BridgeFacts, Hop, Kernel, Link, LinkKind, Neighbour, OperState, PortFacts, Route,
    RouteKind, Station, Stats, Wifi,
};
use crate::files::Root;

/// Most network devices.
const DEVICES: usize = 4096;
/// ARPHRD_ETHER and ARPHRD_LOOPBACK.
const ETHERNET: u32 = 1;
const LOOPBACK: u32 = 772;
const IFF_UP: u32 = 0x1;
const IFF_RUNNING: u32 = 0x40;
/// Bytes of an entry of `brforward`: address, port, whether it is the box's own, age, the port's other byte, and a gap.
const FORWARD_BYTES: usize = 16;
/// ARP entry that is complete.
const ATF_COM: u32 = 0x2;
/// RTF_UP, and RTF_REJECT of the kernel's own entries.
const RTF_UP: u32 = 0x1;
const RTF_REJECT: u32 = 0x200;
/// RTPROT_STATIC: these files do not tell who has made a route.
const STATIC: u8 = 4;
/// IFA_F_... as in `if_inet6`.
const TENTATIVE: u32 = 0x40;
const DEPRECATED: u32 = 0x20;
const DAD_FAILED: u32 = 0x08;
const OPTIMISTIC: u32 = 0x04;
/// The scope of a link in `if_inet6`, and in netlink.
const OLD_LINK_SCOPE: u32 = 0x20;
const LINK_SCOPE: u8 = 253;

/// What the files below a root tell.
pub struct KernelFiles {
    /// The folder that stands for `/`.
    pub root: Root,
}

impl KernelFiles {
    fn net(&self, device: &str, file: &str) -> Option<String> {
        let text = self.root.text(&format!("sys/class/net/{device}/{file}"))?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn number<T: std::str::FromStr>(&self, device: &str, file: &str) -> Option<T> {
        self.net(device, file)?.parse().ok()
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.root.names("sys/class/net");
        names.truncate(DEVICES);
        names.sort_by_cached_key(|name| self.number::<u32>(name, "ifindex"));
        names
    }

    fn indices(&self) -> BTreeMap<String, u32> {
        let index = |name: String| Some((name.clone(), self.number(&name, "ifindex")?));
        self.names().into_iter().filter_map(index).collect()
    }

    /// The device that a link in the folder of another one leads to.
    fn linked(&self, device: &str, link: &str) -> Option<String> {
        let path = self.root.path(format!("sys/class/net/{device}/{link}"));
        Some(std::fs::read_link(path).ok()?.file_name()?.to_str()?.to_owned())
    }

    fn link(
        &self,
        name: &str,
        indices: &BTreeMap<String, u32>,
        vlans: &BTreeMap<String, (u16, String)>,
    ) -> Option<Link> {
        let kind: u32 = self.number(name, "type").unwrap_or(ETHERNET);
        let state = match self.net(name, "operstate").as_deref() {
            Some("up") => OperState::Up,
            Some("down") => OperState::Down,
            Some("lowerlayerdown") => OperState::LowerLayerDown,
            Some("dormant") => OperState::Dormant,
            Some("notpresent") => OperState::NotPresent,
            _ => OperState::Unknown,
        };
        let flags = self
            .net(name, "flags")
            .and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok());
        let running = self.net(name, "carrier").as_deref() == Some("1");
        let up = flags.map_or(running || state == OperState::Up, |flags| flags & IFF_UP != 0);
        let master = self.linked(name, "master").and_then(|master| indices.get(&master).copied());
        let stat = |file: &str| self.number(name, &format!("statistics/{file}")).unwrap_or(0);
        let bridge = |file: &str| self.number::<u32>(name, &format!("bridge/{file}"));
        let is_bridge = ["bridge", "brif"]
            .iter()
            .any(|folder| self.root.path(format!("sys/class/net/{name}/{folder}")).is_dir());
        let kind_of = match vlans.get(name) {
            Some((id, on)) => LinkKind::Vlan { on: indices.get(on).copied(), id: Some(*id), tpid: None },
            None if is_bridge => LinkKind::Bridge(BridgeFacts {
                forward_delay: bridge("forward_delay"),
                hello_time: bridge("hello_time"),
                max_age: bridge("max_age"),
                ageing_time: bridge("ageing_time"),
                stp: bridge("stp_state"),
                priority: bridge("priority").and_then(|priority| u16::try_from(priority).ok()),
                vlan_filtering: bridge("vlan_filtering").map(|on| on != 0),
            }),
            None if kind == ETHERNET => LinkKind::Port,
            None => LinkKind::Other,
        };
        let is_port = self.root.path(format!("sys/class/net/{name}/brport")).exists();
        Some(Link {
            index: indices.get(name).copied()?,
            name: name.to_owned(),
            is_ethernet: kind == ETHERNET,
            is_loopback: kind == LOOPBACK,
            up,
            running: flags.map_or(running, |flags| flags & IFF_RUNNING != 0),
            state,
            mac: self.net(name, "address").filter(|text| text.len() == 17),
            mtu: self.number(name, "mtu").unwrap_or(1500),
            kind: kind_of,
            master,
            enslaved: master.is_some(),
            port: is_port.then(|| PortFacts {
                state: self.number(name, "brport/state"),
                priority: self.number(name, "brport/priority"),
                cost: self.number(name, "brport/path_cost"),
            }),
            stats: self.root.path(format!("sys/class/net/{name}/statistics")).is_dir().then(|| Stats {
                rx_packets: stat("rx_packets"),
                tx_packets: stat("tx_packets"),
                rx_bytes: stat("rx_bytes"),
                tx_bytes: stat("tx_bytes"),
                rx_errors: stat("rx_errors"),
                tx_errors: stat("tx_errors"),
                rx_dropped: stat("rx_dropped"),
                tx_dropped: stat("tx_dropped"),
                multicast: stat("multicast"),
            }),
        })
    }

    /// Lines of a table of `/proc/net`, in words.
    fn table(&self, name: &str) -> Vec<Vec<String>> {
        let text = self.root.text(&format!("proc/net/{name}")).unwrap_or_default();
        text.lines().map(|line| line.split_ascii_whitespace().map(str::to_owned).collect()).collect()
    }

    /// VLAN ID and lower device by name (`/proc/net/vlan/config`).
    fn vlans(&self) -> BTreeMap<String, (u16, String)> {
        let row = |line: Vec<String>| {
            let line = line.join(" ");
            let mut columns = line.split('|').map(str::trim);
            let (name, id, on) = (columns.next()?, columns.next()?, columns.next()?);
            Some((name.to_owned(), (id.parse().ok()?, on.to_owned())))
        };
        self.table("vlan/config").into_iter().filter_map(row).collect()
    }
}

impl Kernel for KernelFiles {
    fn links(&self) -> Result<Vec<Link>, String> {
        let (indices, vlans) = (self.indices(), self.vlans());
        Ok(self.names().iter().filter_map(|name| self.link(name, &indices, &vlans)).collect())
    }

    /// IPv6 alone: there is no file with the IPv4 addresses of devices.
    fn addresses(&self) -> Result<Vec<Address>, String> {
        let indices = self.indices();
        let address = |row: Vec<String>| {
            let [address, _, length, scope, flags, device] = row.as_slice() else { return None };
            let flags = hex32(flags)?;
            let has = |flag: u32| flags & flag != 0;
            Some(Address {
                index: indices.get(device).copied()?,
                address: IpAddr::V6(hex128(address)?),
                prefix_length: u8::try_from(hex32(length)?).ok()?,
                scope: if hex32(scope)? == OLD_LINK_SCOPE { LINK_SCOPE } else { 0 },
                tentative: has(TENTATIVE),
                duplicate: has(DAD_FAILED),
                optimistic: has(OPTIMISTIC),
                deprecated: has(DEPRECATED),
                permanent: true,
                origin: AddressOrigin::Set,
                preferred: u32::MAX,
                valid: u32::MAX,
                set_at: 0,
            })
        };
        Ok(self.table("if_inet6").into_iter().filter_map(address).collect())
    }

    fn routes(&self) -> Result<Vec<Route>, String> {
        let indices = self.indices();
        let route =
            |destination: IpAddr, length: u8, gateway: IpAddr, metric: u32, flags: u32, device: &str| {
                let usable = flags & RTF_UP != 0 && flags & RTF_REJECT == 0;
                let gateway = Some(gateway).filter(|gateway| !gateway.is_unspecified());
                let hop = Hop { gateway, index: Some(indices.get(device).copied()?), dead: false };
                let (kind, protocol) = (RouteKind::Normal, STATIC);
                let (metric, hops) = (Some(metric), vec![hop]);
                usable.then_some(Route {
                    destination,
                    prefix_length: length,
                    kind,
                    protocol,
                    metric,
                    source: None,
                    expires: None,
                    hops,
                })
            };
        let v4 = self.table("route").into_iter().filter_map(|row| {
            let [device, destination, gateway, flags, _, _, metric, mask, ..] = row.as_slice() else {
                return None;
            };
            let length = u8::try_from(hex32(mask)?.count_ones()).ok()?;
            let (destination, gateway) = (IpAddr::V4(v4(destination)?), IpAddr::V4(v4(gateway)?));
            route(destination, length, gateway, metric.parse().ok()?, hex32(flags)?, device)
        });
        let v6 = self.table("ipv6_route").into_iter().filter_map(|row| {
            let [destination, length, _, _, gateway, metric, _, _, flags, device] = row.as_slice() else {
                return None;
            };
            let length = u8::try_from(hex32(length)?).ok()?;
            let (destination, gateway) = (IpAddr::V6(hex128(destination)?), IpAddr::V6(hex128(gateway)?));
            route(destination, length, gateway, hex32(metric)?, hex32(flags)?, device)
        });
        Ok(v4.chain(v6).collect())
    }

    fn neighbours(&self) -> Result<Vec<Neighbour>, String> {
        let indices = self.indices();
        let neighbour = |row: Vec<String>| {
            let [address, _, flags, mac, _, device] = row.as_slice() else { return None };
            Some(Neighbour {
                index: indices.get(device).copied()?,
                address: IpAddr::V4(address.parse().ok()?),
                mac: Some(mac.to_ascii_lowercase()).filter(|mac| mac.len() == 17)?,
                reachable: hex32(flags.trim_start_matches("0x"))? & ATF_COM != 0,
                confirmed: 0,
            })
        };
        Ok(self.table("arp").into_iter().filter_map(neighbour).collect())
    }

    /// No file of text has them.
    fn wifi(&self, _: bool) -> Result<Wifi, String> {
        Ok(Wifi::default())
    }

    fn stations(&self) -> Result<Vec<Station>, String> {
        let indices = self.indices();
        let mut stations = Vec::new();
        for bridge in indices.keys() {
            let Ok(entries) = self.root.bytes(&format!("sys/class/net/{bridge}/brforward")) else { continue };
            let port_of = |name: &String| {
                let number = self.net(name, "brport/port_no")?;
                let of_bridge = self.linked(name, "master").as_ref() == Some(bridge);
                of_bridge.then(|| hex32(number.trim_start_matches("0x"))).flatten()
            };
            let ports = indices.iter().filter_map(|(name, index)| Some((port_of(name)?, *index)));
            let ports: BTreeMap<u32, u32> = ports.collect();
            let station = |entry: &[u8]| {
                let [a, b, c, d, e, f, low, own, _, _, _, _, high, ..] = *entry else { return None };
                let index = *ports.get(&u32::from(u16::from_le_bytes([low, high])))?;
                let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
                (own == 0).then_some(Station { index, mac })
            };
            stations.extend(entries.chunks_exact(FORWARD_BYTES).filter_map(station));
        }
        Ok(stations)
    }
}

fn hex32(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

fn hex128(text: &str) -> Option<Ipv6Addr> {
    u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32).map(Ipv6Addr::from)
}

/// The kernel writes the bytes of the address as a number of the machine.
fn v4(text: &str) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(hex32(text)?.to_ne_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeRoot;

    #[test]
    fn the_files_of_a_root_tell_of_its_network() {
        let root = FakeRoot::new();
        for (name, index, kind) in
            [("lo", 1, 772), ("eth0", 2, 1), ("eth0.7", 3, 1), ("br-lan", 4, 1), ("ppp0", 5, 512)]
        {
            root.file(&format!("sys/class/net/{name}/ifindex"), format!("{index}\n"));
            root.file(&format!("sys/class/net/{name}/type"), format!("{kind}\n"));
            root.file(&format!("sys/class/net/{name}/operstate"), "up\n");
            root.file(&format!("sys/class/net/{name}/flags"), "0x1043\n");
            root.file(&format!("sys/class/net/{name}/statistics/rx_bytes"), "77\n");
        }
        root.file("sys/class/net/br-lan/bridge/stp_state", "1\n");
        root.file("sys/class/net/eth0/brport/state", "3\n");
        std::os::unix::fs::symlink("../br-lan", root.path().join("sys/class/net/eth0/master")).unwrap();
        root.file("proc/net/vlan/config", "VLAN Dev name | VLAN ID\nName-Type: X\neth0.7 | 7 | eth0\n");
        root.file("proc/net/if_inet6", "20010db8000000000000000000000001 04 40 00 80   br-lan\nodd line\n");
        root.file(
            "proc/net/route",
            "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
             ppp0 00000000 00000000 0003 0 0 10 00000000 0 0 0\n\
             br-lan 00000000 00000000 0200 0 0 1 00000000 0 0 0\n",
        );
        root.file(
            "proc/net/ipv6_route",
            format!(
                "{0} 00 {0} 00 {1} 00000200 1 0 00450003 ppp0\n",
                "0".repeat(32),
                "fe80".to_owned() + &"0".repeat(27) + "a"
            ),
        );
        root.file("proc/net/arp", "IP address HW type Flags HW address Mask Device\n192.168.1.9 0x1 0x2 02:00:00:00:00:09 * br-lan\n");
        let kernel = KernelFiles { root: root.root() };
        let links = kernel.links().unwrap();
        assert_eq!(
            links.iter().map(|link| link.name.as_str()).collect::<Vec<_>>(),
            ["lo", "eth0", "eth0.7", "br-lan", "ppp0"]
        );
        assert!(links[0].is_loopback && links[1].enslaved && links[1].port.is_some() && links[4].up);
        assert_eq!(links[1].master, Some(4));
        assert_eq!(links[2].kind, LinkKind::Vlan { on: Some(2), id: Some(7), tpid: None });
        assert!(matches!(&links[3].kind, LinkKind::Bridge(facts) if facts.stp == Some(1)));
        assert_eq!(links[3].stats.unwrap().rx_bytes, 77);
        let routes = kernel.routes().unwrap();
        assert_eq!(routes.len(), 2, "the one that refuses is no way");
        assert_eq!(super::super::default_way(&routes).unwrap().index, 5);
        assert_eq!(routes[1].hops[0].gateway, Some("fe80::a".parse().unwrap()));
        assert_eq!(kernel.addresses().unwrap()[0].index, 4);
        let neighbours = kernel.neighbours().unwrap();
        assert_eq!((neighbours.len(), neighbours[0].reachable), (1, true));
        root.file("sys/class/net/eth0/brport/port_no", "0x1\n");
        let entry = |last: u8, port: u8, own: u8| [2, 0, 0, 0, 0, last, port, own, 9, 0, 0, 0, 0, 0, 0, 0];
        let table = [entry(9, 1, 0), entry(1, 1, 1), entry(7, 5, 0)].concat();
        root.file("sys/class/net/br-lan/brforward", [table.as_slice(), &[2, 0, 0]].concat());
        let station = Station { index: 2, mac: "02:00:00:00:00:09".to_owned() };
        assert_eq!(kernel.stations(), Ok(vec![station]), "not the box's own, nor those of unknown ports");
        assert_eq!(KernelFiles { root: FakeRoot::new().root() }.links(), Ok(Vec::new()));
    }
}
