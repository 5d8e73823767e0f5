//! Device.Bridging: bridges and their ports.

use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink, Wanted};

use super::{
    View,
    kernel::{BridgeFacts, LinkKind, PortFacts},
    layout::{BRIDGE, BridgeRow},
    rows::{INSTANCE, TABLE, begin, stats},
};
use crate::files::clean;

pub(super) fn read(view: &View<'_>, wanted: &Wanted<'_>, out: &mut dyn ParameterSink) {
    if !wanted.touches(BRIDGE) {
        return;
    }
    out.object(BRIDGE, TABLE);
    for bridge in &view.layout.bridges {
        let LinkKind::Bridge(facts) = &bridge.link.kind else { continue };
        row(bridge, facts, out);
        stp(bridge, facts, out);
        out.object(&format!("{}.Port.", bridge.path), TABLE);
        for (n, port) in bridge.ports.iter().enumerate() {
            begin(port, out);
            out.parameter("ManagementPort", &(n == 0), ReadOnly);
            if let Some(facts) = &port.link.port.as_ref().filter(|_| n > 0) {
                of_port(facts, out);
            }
            stats(port, out);
        }
    }
}

fn row(bridge: &BridgeRow<'_>, facts: &BridgeFacts, out: &mut dyn ParameterSink) {
    out.object(&format!("{}.", bridge.path), INSTANCE);
    out.parameter("Enable", &bridge.link.up, ReadOnly);
    out.parameter("Status", &if bridge.link.up { "Enabled" } else { "Disabled" }, ReadOnly);
    out.parameter("Name", &clean(&bridge.link.name, 64), ReadOnly);
    let standard = if facts.vlan_filtering == Some(true) { "802.1Q-2011" } else { "802.1D-2004" };
    out.parameter("Standard", &standard, ReadOnly);
    let ageing = facts.ageing_time.map(|time| time / 100);
    if let Some(seconds) = ageing.filter(|seconds| (10..=1_000_000).contains(seconds)) {
        out.parameter("AgingTime", &seconds, ReadOnly);
    }
}

/// The kernel takes values that the model does not; they are left out.
fn stp(bridge: &BridgeRow<'_>, facts: &BridgeFacts, out: &mut dyn ParameterSink) {
    let Some(stp) = facts.stp else { return };
    out.object(&format!("{}.STP.", bridge.path), ObjectKind::Single);
    out.parameter("Enable", &(stp != 0), ReadOnly);
    out.parameter("Status", &if stp == 0 { "Disabled" } else { "Enabled" }, ReadOnly);
    // 2 is a program of the user's own, which may speak either protocol.
    if stp == 1 {
        out.parameter("Protocol", &"STP", ReadOnly);
    }
    if let Some(priority) = facts.priority.filter(|priority| *priority <= 61_440) {
        out.parameter("BridgePriority", &priority, ReadOnly);
    }
    for (name, value, least, most) in [
        ("HelloTime", facts.hello_time, 100, 1000),
        ("MaxAge", facts.max_age, 600, 4000),
        ("ForwardingDelay", facts.forward_delay.map(|time| time / 100), 4, 30),
    ] {
        if let Some(value) = value.filter(|value| (least..=most).contains(value)) {
            out.parameter(name, &value, ReadOnly);
        }
    }
}

fn of_port(facts: &PortFacts, out: &mut dyn ParameterSink) {
    let state = match facts.state {
        Some(0) => Some("Disabled"),
        Some(1) => Some("Listening"),
        Some(2) => Some("Learning"),
        Some(3) => Some("Forwarding"),
        Some(4) => Some("Blocking"),
        _ => None,
    };
    if let Some(state) = state {
        out.parameter("PortState", &state, ReadOnly);
    }
    if let Some(cost) = facts.cost.filter(|cost| *cost <= 65_535) {
        out.parameter("PathCost", &cost, ReadOnly);
    }
    // The kernel keeps the upper six bits of eight.
    if let Some(priority) = facts.priority.map(|priority| u32::from(priority) * 4).filter(|p| *p <= 240) {
        out.parameter("Priority", &priority, ReadOnly);
    }
}
