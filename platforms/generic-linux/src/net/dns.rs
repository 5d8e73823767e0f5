//! Device.DNS.Client: the servers that the box asks.

use std::net::IpAddr;

use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink, Wanted};

use super::{
    View,
    rows::{INSTANCE, TABLE},
};
use crate::files::Root;

pub(super) const CLIENT: &str = "Device.DNS.Client.";
const SERVER: &str = "Device.DNS.Client.Server.";
/// Most servers; the resolver itself asks three.
const SERVERS: usize = 16;
/// Where the stub of systemd-resolved listens, and where it writes which servers it asks.
const RESOLVED: (&str, &str) = ("127.0.0.53", "run/systemd/resolve/resolv.conf");

/// Who has entered a server (Type) is not said by the file, and is left out.
pub(super) fn read(view: &View<'_>, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) {
    if !wanted.touches(CLIENT) {
        return;
    }
    let servers = servers(view.root);
    out.object(CLIENT, ObjectKind::Single);
    // The resolver of the C library has no switch.
    out.parameter("Enable", &true, ReadOnly);
    out.parameter("Status", &"Enabled", ReadOnly);
    out.object(SERVER, TABLE);
    let keys: Vec<String> = servers.iter().map(|server| server.text.clone()).collect();
    let numbers = view.numbers.assign(SERVER, keys.iter().map(String::as_str), 4 * SERVERS);
    for (server, number) in servers.iter().zip(numbers) {
        let Some(number) = number else { continue };
        out.object(&format!("{SERVER}{number}."), INSTANCE);
        out.parameter("Enable", &true, ReadOnly);
        out.parameter("Status", &"Enabled", ReadOnly);
        out.parameter("DNSServer", &server.address, ReadOnly);
        let device = server.text.split_once('%').map(|(_, zone)| zone);
        let link = device.and_then(|name| view.links.iter().find(|link| link.name == name));
        let interface = link.and_then(|link| view.layout.ip_interface(link.index));
        out.parameter("Interface", &interface.unwrap_or_default(), ReadOnly);
    }
}

struct Server {
    /// With the zone, as it stands in the file.
    text: String,
    address: IpAddr,
}

/// Those of resolv.conf (resolv.conf(5)), each once.
fn servers(root: &Root) -> Vec<Server> {
    let servers = in_file(&root.text("etc/resolv.conf").unwrap_or_default());
    match servers.as_slice() {
        [stub] if stub.text == RESOLVED.0 => match root.text(RESOLVED.1) {
            Some(text) => in_file(&text),
            None => servers,
        },
        _ => servers,
    }
}

fn in_file(text: &str) -> Vec<Server> {
    let mut servers: Vec<Server> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some("nameserver"), Some(word)) = (words.next(), words.next()) else { continue };
        let address = word.split('%').next().and_then(|address| address.parse().ok());
        let Some(address) = address.filter(|_| servers.iter().all(|server| server.text != word)) else {
            continue;
        };
        servers.push(Server { text: word.to_owned(), address });
        if servers.len() == SERVERS {
            break;
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeRoot;

    fn read(root: &FakeRoot) -> String {
        servers(&root.root()).iter().map(|server| server.text.clone()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn servers_are_those_of_resolv_conf() {
        let root = FakeRoot::new();
        assert_eq!(read(&root), "");
        root.file(
            "etc/resolv.conf",
            "# made by hand\nsearch example\nnameserver 192.0.2.1\n nameserver\tfe80::1%eth0 \nnameserver x\n\
             nameserver 192.0.2.1\noptions edns0\nnameservers 192.0.2.9\n",
        );
        assert_eq!(read(&root), "192.0.2.1 fe80::1%eth0");
        root.file("etc/resolv.conf", "nameserver 10.0.0.1\n".repeat(3) + &"nameserver ::1\n".repeat(100));
        assert_eq!(read(&root), "10.0.0.1 ::1");
        let many: String = (0..100).map(|n| format!("nameserver 10.0.0.{n}\n")).collect();
        root.file("etc/resolv.conf", many);
        assert_eq!(read(&root).split(' ').count(), SERVERS);
    }

    #[test]
    fn behind_the_stub_of_resolved_are_the_real_ones() {
        let root = FakeRoot::new();
        root.file("etc/resolv.conf", "nameserver 127.0.0.53\noptions trust-ad\n");
        assert_eq!(read(&root), "127.0.0.53");
        root.file("run/systemd/resolve/resolv.conf", "nameserver 192.0.2.5\nnameserver 2001:db8::5\n");
        assert_eq!(read(&root), "192.0.2.5 2001:db8::5");
    }
}
