//! The rows of `Device.XMPP.Connection.{i}.` and of its servers, as the layers keep them.

use cwmp_core::settings::{Secret, XmppRetry, XmppServer, XmppServers, XmppSettings};
use cwmp_store::{Layers, Problem};

use super::super::parameters::{Kind, delay};
use crate::config::{reader::boolean, rows::section};

/// The table of connections.
pub(super) const CONNECTIONS: &str = "XMPP.Connection";
/// Most connections; one at a time is used.
pub(super) const MOST_CONNECTIONS: usize = 8;
/// Most servers of a connection.
pub(super) const MOST_SERVERS: usize = 16;

/// A parameter of a row: what it takes, and what it has at first.
pub(crate) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) default: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key { name, kind, default }
}

/// What is stored of a connection.
pub(super) static CONNECTION: [Key; 12] = [
    key("Enable", Kind::Boolean, "false"),
    key("Username", Kind::Text(256), ""),
    key("Password", Kind::Password, ""),
    key("Domain", Kind::Host, ""),
    key("Resource", Kind::Text(64), ""),
    key("ServerConnectAlgorithm", Kind::OneOf(&["DNS-SRV", "DNS", "ServerTable"]), "DNS-SRV"),
    key("KeepAliveInterval", Kind::Delay, "-1"),
    key("ServerConnectAttempts", Kind::Unsigned(0, u32::MAX), "16"),
    key("ServerRetryInitialInterval", Kind::Unsigned(1, 65_535), "60"),
    key("ServerRetryIntervalMultiplier", Kind::Unsigned(1000, 65_535), "2000"),
    key("ServerRetryMaxInterval", Kind::Unsigned(1, u32::MAX), "30720"),
    key("UseTLS", Kind::Boolean, "false"),
];

/// What is stored of a server.
pub(super) static SERVER: [Key; 5] = [
    key("Enable", Kind::Boolean, "false"),
    key("Priority", Kind::Unsigned(0, 65_535), "0"),
    key("Weight", Kind::Delay, "-1"),
    key("ServerAddress", Kind::Host, ""),
    key("Port", Kind::Unsigned(0, 65_535), "5222"),
];

/// The table of the servers of a connection.
pub(super) fn servers_of(connection: u32) -> String {
    format!("{CONNECTIONS}.{connection}.Server")
}

/// The parameters of the row that a section is, if it is one.
pub(super) fn keys_of(layers: &Layers, name: &str) -> Option<&'static [Key]> {
    let mut parts = name.strip_prefix(CONNECTIONS)?.strip_prefix('.')?.split('.');
    let connection: u32 = parts.next()?.parse().ok()?;
    if !layers.rows(CONNECTIONS).contains(&connection) {
        return None;
    }
    match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => Some(&CONNECTION),
        (Some("Server"), Some(server), None) => {
            let server: u32 = server.parse().ok()?;
            layers.rows(&servers_of(connection)).contains(&server).then_some(&SERVER)
        }
        _ => None,
    }
}

/// The values of a row: of each parameter that of the topmost layer that has a right one, or the default.
pub(super) struct Row<'a> {
    layers: &'a Layers,
    section: String,
    keys: &'static [Key],
}

impl<'a> Row<'a> {
    pub(super) fn new(layers: &'a Layers, table: &str, number: u32, keys: &'static [Key]) -> Self {
        Self { layers, section: section(table, number), keys }
    }

    pub(super) fn text(&self, name: &str) -> &'a str {
        let Some(key) = self.keys.iter().find(|key| key.name == name) else { return "" };
        let right = self.layers.find(&self.section, name).find(|found| key.kind.takes(found.value));
        right.map_or(key.default, |found| found.value)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        boolean(self.text(name)).unwrap_or(false)
    }

    fn number<T: std::str::FromStr + Default>(&self, name: &str) -> T {
        self.text(name).parse().unwrap_or_default()
    }

    fn owned(&self, name: &str) -> String {
        self.text(name).to_owned()
    }

    /// What is wrong with the row in the files.
    fn problems(&self, problems: &mut Vec<Problem>) {
        for key in self.keys {
            let Some(found) = self.layers.find(&self.section, key.name).next() else { continue };
            if !key.kind.takes(found.value) {
                let reason = format!("must be {}; a lower layer or the default serves", key.kind.right());
                problems.push(Problem::key(&self.layers.file(found.layer), &self.section, key.name, reason));
            }
        }
    }
}

/// What is wrong with all rows in the files.
pub(crate) fn problems(layers: &Layers) -> Vec<Problem> {
    let mut problems = Vec::new();
    for number in layers.rows(CONNECTIONS) {
        Row::new(layers, CONNECTIONS, number, &CONNECTION).problems(&mut problems);
        let servers = servers_of(number);
        for server in layers.rows(&servers) {
            Row::new(layers, &servers, server, &SERVER).problems(&mut problems);
        }
    }
    problems
}

/// The connection that ConnReqXMPPConnection names, as far as it is there and enabled.
pub(crate) fn settings(layers: &Layers, path: &str, allowed: Vec<String>) -> Option<XmppSettings> {
    let number = path.strip_prefix("Device.")?.strip_prefix(CONNECTIONS)?.strip_prefix('.')?;
    let instance: u32 = number.trim_end_matches('.').parse().ok()?;
    layers.rows(CONNECTIONS).contains(&instance).then_some(())?;
    let row = Row::new(layers, CONNECTIONS, instance, &CONNECTION);
    row.flag("Enable").then(|| XmppSettings {
        instance,
        username: row.owned("Username"),
        password: Secret(row.owned("Password")),
        domain: row.owned("Domain"),
        resource: row.owned("Resource"),
        servers: match row.text("ServerConnectAlgorithm") {
            "DNS" => XmppServers::Dns,
            "ServerTable" => XmppServers::Table(servers(layers, instance)),
            _ => XmppServers::Srv,
        },
        keep_alive: delay(row.text("KeepAliveInterval")).flatten(),
        retry: XmppRetry {
            attempts: row.number("ServerConnectAttempts"),
            initial: row.number("ServerRetryInitialInterval"),
            multiplier: row.number("ServerRetryIntervalMultiplier"),
            maximum: row.number("ServerRetryMaxInterval"),
        },
        use_tls: row.flag("UseTLS"),
        allowed,
    })
}

/// The servers that are enabled and have an address and a port.
fn servers(layers: &Layers, connection: u32) -> Vec<XmppServer> {
    let table = servers_of(connection);
    let server = |number| {
        let row = Row::new(layers, &table, number, &SERVER);
        let server = XmppServer {
            priority: row.number("Priority"),
            weight: row.text("Weight").parse().ok(),
            address: row.owned("ServerAddress"),
            port: row.number("Port"),
        };
        (row.flag("Enable") && !server.address.is_empty() && server.port != 0).then_some(server)
    };
    layers.rows(&table).into_iter().filter_map(server).collect()
}
