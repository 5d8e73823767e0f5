//! What files of the system say of names: /etc/hosts and resolv.conf.

use std::{
    fs::File,
    io::Read,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use crate::limits;

const PORT: u16 = 53;

/// Where the files are.
#[derive(Clone, Debug)]
pub(super) struct SystemFiles {
    pub(super) hosts: PathBuf,
    /// The first one that is there counts.
    pub(super) resolv_conf: Vec<PathBuf>,
}

impl SystemFiles {
    /// Those of the system, and of the namespace where it has a resolv.conf of its own, as `ip netns exec` uses it.
    pub(super) fn of(namespace: Option<&Path>) -> Self {
        let own = namespace.and_then(Path::file_name).map(|name| Path::new("/etc/netns").join(name));
        let system = PathBuf::from("/etc/resolv.conf");
        let resolv_conf = own.map(|folder| folder.join("resolv.conf")).into_iter().chain([system]).collect();
        Self { hosts: PathBuf::from("/etc/hosts"), resolv_conf }
    }

    /// Addresses that /etc/hosts has for the name, in the order of the file.
    pub(super) fn hosts(&self, host: &str) -> Vec<IpAddr> {
        let text = read(&self.hosts).unwrap_or_default();
        let found = lines(&text).filter_map(|mut words| {
            let address = words.next()?.parse().ok()?;
            words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
        });
        found.take(limits::NAME_ADDRESSES).collect()
    }

    /// The name servers of the system.
    pub(super) fn servers(&self) -> Vec<SocketAddr> {
        let text = self.resolv_conf.iter().find_map(|file| read(file)).unwrap_or_default();
        let servers = lines(&text).filter_map(|mut words| {
            let address = words.next().filter(|key| *key == "nameserver").and_then(|_| words.next())?;
            // The device of a link-local one is that of the management path.
            let address = address.split_once('%').map_or(address, |(address, _)| address);
            Some(SocketAddr::new(address.parse().ok()?, PORT))
        });
        servers.take(limits::DNS_SERVERS).collect()
    }
}

/// The words of each line, without comments.
fn lines(text: &str) -> impl Iterator<Item = std::str::SplitWhitespace<'_>> {
    text.lines().map(|line| line.split(['#', ';']).next().unwrap_or_default().split_whitespace())
}

fn read(file: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(limits::HOSTS_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn hosts_and_servers_are_read_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let (hosts, resolv_conf) = (folder.path().join("hosts"), folder.path().join("resolv.conf"));
        let files = SystemFiles {
            hosts: hosts.clone(),
            resolv_conf: vec![folder.path().join("none"), resolv_conf.clone()],
        };
        assert!(files.hosts("acs").is_empty() && files.servers().is_empty(), "there are no files");
        fs::write(&hosts, "# 192.0.2.9 acs\n192.0.2.1\tother ACS # acs2\n\nx acs\n2001:db8::1 acs\n")
            .unwrap();
        assert_eq!(files.hosts("acs"), ["192.0.2.1", "2001:db8::1"].map(|a| a.parse::<IpAddr>().unwrap()));
        assert!(files.hosts("acs2").is_empty());
        let text = "nameserver 192.0.2.53 ; one\n#nameserver 192.0.2.54\nsearch x\nnameserver fe80::1%eth0\nnameserver x\n";
        fs::write(&resolv_conf, text).unwrap();
        let servers = ["192.0.2.53:53", "[fe80::1]:53"].map(|a| a.parse::<SocketAddr>().unwrap());
        assert_eq!(files.servers(), servers);
        fs::write(&resolv_conf, "nameserver 192.0.2.1\n".repeat(99)).unwrap();
        assert_eq!(files.servers().len(), limits::DNS_SERVERS);
        fs::write(&hosts, vec![b'x'; 1 << 20]).unwrap();
        assert!(files.hosts("acs").is_empty());
    }

    #[test]
    fn a_namespace_may_have_name_servers_of_its_own() {
        let files = SystemFiles::of(Some(Path::new("/run/netns/mgmt")));
        assert_eq!(files.resolv_conf, ["/etc/netns/mgmt/resolv.conf", "/etc/resolv.conf"].map(PathBuf::from));
        assert_eq!(SystemFiles::of(None).resolv_conf, ["/etc/resolv.conf"].map(PathBuf::from));
    }
}
