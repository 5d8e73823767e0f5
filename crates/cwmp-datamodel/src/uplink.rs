//! What the way to the ACS depends on: a change there may cut the box off, and is undone unless the ACS is reached after it.
//!
//! The way is computed from the tree before the change is made: the IP interface over the device that the box sends through,
//! what lies below it (LowerLayers), the bridge or tunnel that one of those belongs to, and what is configured for one of
//! those (Interface, SSIDReference). What is only now put in relation to one of them counts as well: a DHCP client for the
//! interface, or a bridge that takes its port. Routes, name servers (the box itself may ask the relay), packet filters and address translation serve all ways at
//! once; any change of theirs counts. Where the device is not known, or not in the tree, every change of the network counts.
//!
//! Left out: the interface that the packets of a tunnel leave through, which the routes choose and no reference names.

use std::collections::HashSet;

use crate::{
    model::{DataModel, Reading},
    snapshot::Snapshot,
    transaction::Transaction,
};

/// Settings of the agent that decide whether it reaches the ACS, and whether the ACS understands it.
const OWN: [&str; 4] = [
    "Device.ManagementServer.URL",
    "Device.ManagementServer.Username",
    "Device.ManagementServer.Password",
    "Device.ManagementServer.HTTPCompression",
];
/// Objects that all ways share.
const SHARED: [&str; 5] =
    ["Device.Routing.", "Device.DNS.Client.", "Device.DNS.Relay.", "Device.Firewall.", "Device.NAT."];
/// Objects of which some rows may lie on the way: all that have LowerLayers, and what is configured for them.
const LAYERS: [&str; 27] = [
    "Device.ATM.",
    "Device.Bridging.",
    "Device.Cellular.",
    "Device.DHCPv4.Client.",
    "Device.DHCPv6.Client.",
    "Device.DOCSIS.",
    "Device.DSL.",
    "Device.Ethernet.",
    "Device.FAST.",
    "Device.FWE.",
    "Device.GRE.",
    "Device.Ghn.",
    "Device.HPNA.",
    "Device.HomePlug.",
    "Device.IP.",
    "Device.L2TPv3.",
    "Device.Logical.",
    "Device.MAP.",
    "Device.MoCA.",
    "Device.NeighborDiscovery.",
    "Device.Optical.",
    "Device.PPP.",
    "Device.PTM.",
    "Device.UPA.",
    "Device.USB.Interface.",
    "Device.VXLAN.",
    "Device.WiFi.",
];
/// What lies below one of [`LAYERS`] and only looks at the network.
const TESTS: &str = "Device.IP.Diagnostics.";
const IP_INTERFACES: &str = "Device.IP.Interface.";
/// Parameters that name the row that their object is configured for.
const CONFIGURED_FOR: [&str; 2] = ["Interface", "SSIDReference"];

impl DataModel {
    /// Whether a change touches what the way to the ACS depends on.
    pub(crate) async fn leads_to_acs(&self, transaction: &Transaction) -> bool {
        let changes: Vec<(&str, &str)> = transaction.changes().collect();
        let is_under = |name: &str, objects: &[&str]| objects.iter().any(|object| name.starts_with(object));
        if changes.iter().any(|(name, _)| OWN.contains(name) || is_under(name, &SHARED)) {
            return true;
        }
        let of_layers = |(name, _): &(&str, &str)| is_under(name, &LAYERS) && !name.starts_with(TESTS);
        let layers: Vec<(&str, &str)> = changes.into_iter().filter(of_layers).collect();
        if layers.is_empty() {
            return false;
        }
        let Some(device) = self.log.uplink() else { return true };
        let Ok(tree) = self.read(&LAYERS, Reading::Lenient).await else { return true };
        let way = Way::of(&tree, &device);
        way.rows.is_empty()
            || layers.iter().any(|(name, value)| way.has(&tree, name) || way.is_named_in(value))
    }
}

/// Rows, by paths without the last dot, as references name them.
struct Way {
    rows: HashSet<String>,
}

impl Way {
    /// From the IP interfaces over this device downwards.
    fn of(tree: &Snapshot, device: &str) -> Self {
        let over =
            |row: &&str| tree.parameter(&format!("{row}Name")).is_some_and(|name| name.entry.text == device);
        let first =
            tree.row_paths(IP_INTERFACES).filter(over).map(|row| row.trim_end_matches('.').to_owned());
        let (mut rows, mut next): (HashSet<String>, Vec<String>) = (HashSet::new(), first.collect());
        while let Some(row) = next.pop() {
            if let Some(below) = tree.parameter(&format!("{row}.LowerLayers")) {
                next.extend(items(below.entry.text).filter(|row| !rows.contains(*row)).map(str::to_owned));
            }
            rows.extend(rows_around(&row).map(str::to_owned));
            rows.insert(row);
        }
        Self { rows }
    }

    /// Whether a parameter belongs to one of the rows, to an object that is configured for one, or to an object above one.
    fn has(&self, tree: &Snapshot, name: &str) -> bool {
        let own = name.rsplit_once('.').map_or("", |(own, _)| own);
        if self.rows.iter().any(|row| row.strip_prefix(own).is_some_and(|rest| rest.starts_with('.'))) {
            return true;
        }
        let mut object = name;
        while let Some((above, _)) = object.rsplit_once('.') {
            let is_for = |reference: &&str| {
                let row = tree.parameter(&format!("{above}.{reference}"));
                row.is_some_and(|row| self.rows.contains(row.entry.text))
            };
            if self.rows.contains(above) || CONFIGURED_FOR.iter().any(is_for) {
                return true;
            }
            object = above;
        }
        false
    }

    /// Whether a value refers to one of the rows.
    fn is_named_in(&self, value: &str) -> bool {
        items(value).any(|item| self.rows.contains(item))
    }
}

/// The items of a list.
fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The rows that a row lies in: the bridge of a port.
fn rows_around(row: &str) -> impl Iterator<Item = &str> {
    let above = std::iter::successors(row.rsplit_once('.'), |(above, _)| above.rsplit_once('.'));
    let paths = above.map(|(above, _)| above);
    paths.filter(|path| path.rsplit('.').next().is_some_and(crate::facts::is_instance_number))
}
