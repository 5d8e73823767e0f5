//! The settings of the management path.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use cwmp_core::{
    settings::Secret,
    url::{HttpUrl, Scheme},
};
use cwmp_transport::{PathConfig, ProxyConfig, limits, path::Interface};

use super::reader::Reader;

/// Longest name of a network device, in bytes.
const DEVICE_BYTES: usize = 15;
/// Where namespaces with a name are.
const NAMESPACES: &str = "/run/netns";
/// Port of a name server.
const DNS_PORT: u16 = 53;
/// Longest proxy_username and proxy_password, in bytes.
const CREDENTIAL_BYTES: usize = 256;
const PROXY: &str = "proxy";

pub(super) fn read(read: &mut Reader<'_>) -> PathConfig {
    let interface =
        read.read("management_interface", "the name of a network device, or empty", device).flatten();
    let right = "the name of a network namespace, the absolute path of its file, or empty";
    let namespace = read.read("management_namespace", right, namespace).flatten();
    let right =
        "1 to 4 IP addresses, each with a port behind a colon if it is not 53, separated by commas, or empty";
    let resolvers = read.read("resolvers", right, resolvers).unwrap_or_default();
    let proxy = read.read(PROXY, "http://HOST:PORT without a path, or empty", proxy).flatten();
    let right = "a text of at most 256 bytes without control characters";
    let username = read.read("proxy_username", right, credential).unwrap_or_default();
    let password = read.read("proxy_password", right, credential).unwrap_or_default();
    let proxy = proxy.map(|(host, port)| ProxyConfig { host, port, username, password: Secret(password) });
    PathConfig { interface, namespace, resolvers, proxy }
}

/// By which device connection requests come: unless told otherwise that of the path.
pub(super) fn read_interface(read: &mut Reader<'_>) -> Interface {
    let named = read.read("connection_request_interface", "the name of a network device, or empty", device);
    match named {
        None => Interface::OfPath,
        Some(None) => Interface::Any,
        Some(Some(name)) => Interface::Named(name),
    }
}

/// `Some(None)` for the empty text, which takes back what a lower layer says.
fn device(text: &str) -> Option<Option<String>> {
    let fits =
        text.len() <= DEVICE_BYTES && text.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':');
    match text {
        "" => Some(None),
        "." | ".." => None,
        _ => fits.then(|| Some(text.to_owned())),
    }
}

fn namespace(text: &str) -> Option<Option<PathBuf>> {
    if text.is_empty() {
        return Some(None);
    }
    if text.contains('/') {
        return super::path(text).map(Some);
    }
    let fits = text != "." && text != ".." && text.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| Some(Path::new(NAMESPACES).join(text)))
}

fn resolvers(text: &str) -> Option<Vec<SocketAddr>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let one = |text: &str| match text.parse::<IpAddr>() {
        Ok(address) => Some(SocketAddr::new(address, DNS_PORT)),
        Err(_) => text.parse().ok().filter(|address: &SocketAddr| address.port() != 0),
    };
    let list: Option<Vec<SocketAddr>> = text.split(',').map(|server| one(server.trim())).collect();
    list.filter(|list| list.len() <= limits::DNS_SERVERS)
}

fn proxy(text: &str) -> Option<Option<(String, u16)>> {
    if text.is_empty() {
        return Some(None);
    }
    let url = HttpUrl::parse(text).ok()?;
    (url.scheme == Scheme::Http && url.path_and_query == "/").then_some(Some((url.host, url.port)))
}

fn credential(text: &str) -> Option<String> {
    (text.len() <= CREDENTIAL_BYTES && !text.chars().any(char::is_control)).then(|| text.to_owned())
}
