//! What the way to the ACS depends on: a change there may cut the box off, and is undone unless the ACS is reached after it.
//!
//! The way is computed from the tree before the change is made: the IP interface over the device that the box sends through,
//! what lies below it (LowerLayers), and what is configured for one of those (Interface). Routes, name servers, packet filters
//! and address translation serve all ways at once; any change of theirs counts. Where the device is not known, or not in the
//! tree, every change of the network counts.

use std::collections::HashSet;

use crate::{
    model::{DataModel, Reading},
    snapshot::Snapshot,
    transaction::Transaction,
};

/// Settings of the agent that decide whether it reaches the ACS.
const OWN: [&str; 3] =
    ["Device.ManagementServer.URL", "Device.ManagementServer.Username", "Device.ManagementServer.Password"];
/// Objects that all ways share.
const SHARED: [&str; 4] = ["Device.Routing.", "Device.DNS.Client.", "Device.Firewall.", "Device.NAT."];
/// Objects of which some rows may lie on the way.
const LAYERS: [&str; 10] = [
    "Device.IP.Interface.",
    "Device.PPP.Interface.",
    "Device.Ethernet.",
    "Device.Bridging.",
    "Device.WiFi.",
    "Device.DSL.",
    "Device.PTM.",
    "Device.ATM.",
    "Device.DHCPv4.Client.",
    "Device.DHCPv6.Client.",
];
const IP_INTERFACES: &str = "Device.IP.Interface.";

impl DataModel {
    /// Whether a change touches what the way to the ACS depends on.
    pub(crate) async fn leads_to_acs(&self, transaction: &Transaction) -> bool {
        let changed: Vec<&str> = transaction.changed().collect();
        let is_under = |name: &&str, objects: &[&str]| objects.iter().any(|object| name.starts_with(object));
        if changed.iter().any(|name| OWN.contains(name) || is_under(name, &SHARED)) {
            return true;
        }
        let layers: Vec<&str> = changed.into_iter().filter(|name| is_under(name, &LAYERS)).collect();
        if layers.is_empty() {
            return false;
        }
        let Some(device) = self.log.uplink() else { return true };
        let Ok(tree) = self.read(&LAYERS, Reading::Lenient).await else { return true };
        let way = Way::of(&tree, &device);
        way.rows.is_empty() || layers.iter().any(|name| way.has(&tree, name))
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
                let below = below.entry.text.split(',').map(str::trim).filter(|row| !row.is_empty());
                next.extend(below.filter(|row| !rows.contains(*row)).map(str::to_owned));
            }
            rows.insert(row);
        }
        Self { rows }
    }

    /// Whether a parameter belongs to one of the rows, or to an object that is configured for one.
    fn has(&self, tree: &Snapshot, name: &str) -> bool {
        let mut object = name;
        while let Some((above, _)) = object.rsplit_once('.') {
            let interface = tree.parameter(&format!("{above}.Interface"));
            if self.rows.contains(above) || interface.is_some_and(|row| self.rows.contains(row.entry.text)) {
                return true;
            }
            object = above;
        }
        false
    }
}
