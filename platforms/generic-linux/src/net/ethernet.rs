//! Device.Ethernet: ports, links and VLANs.

use cwmp_platform::source::{Access::ReadOnly, ParameterSink, Wanted};

use super::{
    View,
    kernel::LinkKind,
    layout::{ETHERNET_INTERFACE, ETHERNET_LINK, VLAN_TERMINATION},
    rows::{TABLE, begin, stats},
};

pub(super) fn read(view: &View<'_>, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) {
    if wanted.touches(ETHERNET_INTERFACE) {
        interfaces(view, out);
    }
    if wanted.touches(ETHERNET_LINK) {
        out.object(ETHERNET_LINK, TABLE);
        for row in &view.layout.links {
            begin(row, out);
            if let Some(mac) = &row.link.mac {
                out.parameter("MACAddress", mac, ReadOnly);
            }
            stats(row, out);
        }
    }
    if wanted.touches(VLAN_TERMINATION) {
        out.object(VLAN_TERMINATION, TABLE);
        for row in &view.layout.vlans {
            begin(row, out);
            if let LinkKind::Vlan { id, tpid, .. } = row.link.kind {
                if let Some(id) = id.filter(|id| (1..=4094).contains(id)) {
                    out.parameter("VLANID", &id, ReadOnly);
                }
                if let Some(tpid) = tpid {
                    out.parameter("TPID", &tpid, ReadOnly);
                }
            }
            stats(row, out);
        }
    }
}

fn interfaces(view: &View<'_>, out: &mut dyn ParameterSink) {
    // Which ports lead to the Internet is known as soon as there is a way there.
    let uplink = view.uplink().map(|uplink| view.layout.below(uplink.index));
    out.object(ETHERNET_INTERFACE, TABLE);
    for row in &view.layout.ethernet {
        begin(row, out);
        if let Some(uplink) = &uplink {
            out.parameter("Upstream", &uplink.contains(&row.path.as_str()), ReadOnly);
        }
        if let Some(mac) = &row.link.mac {
            out.parameter("MACAddress", mac, ReadOnly);
        }
        // -1 and errors stand for a port without a carrier.
        let speed = view.root.text(&format!("sys/class/net/{}/speed", row.link.name));
        if let Some(megabits) = speed.and_then(|text| text.trim().parse::<u32>().ok()) {
            // A device that has no rate of its own says so with the largest number.
            if megabits != u32::MAX {
                out.parameter("CurrentBitRate", &megabits, ReadOnly);
            }
        }
        stats(row, out);
    }
}
