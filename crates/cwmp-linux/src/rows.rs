//! What tables of network devices have in common.

use cwmp_platform::source::{Access::ReadOnly, ObjectKind, ParameterSink};

use crate::kernel::{Link, OperState, Stats};

/// Status of the row of a device. A driver that keeps no operational state is up when it runs
/// (Documentation/networking/operstates.rst of the kernel).
#[must_use]
pub fn status(link: &Link) -> &'static str {
    match link.state {
        OperState::Up => "Up",
        OperState::Down => "Down",
        OperState::Dormant => "Dormant",
        OperState::NotPresent => "NotPresent",
        OperState::LowerLayerDown => "LowerLayerDown",
        OperState::Unknown if !link.up => "Down",
        OperState::Unknown if link.running => "Up",
        OperState::Unknown | OperState::Testing => "Unknown",
    }
}

/// `Stats.` of the row with this path, which has no last dot. What the kernel does not count (broadcast and unicast for
/// themselves) is left out, and all of it where there are no counters.
pub fn stats(path: &str, stats: Option<&Stats>, out: &mut dyn ParameterSink) {
    let Some(stats) = stats else { return };
    out.object(&format!("{path}.Stats."), ObjectKind::Single);
    counters(stats, out);
    out.parameter("MulticastPacketsReceived", &stats.multicast, ReadOnly);
}

/// What every table of devices counts.
pub fn counters(stats: &Stats, out: &mut dyn ParameterSink) {
    out.parameter("BytesSent", &stats.tx_bytes, ReadOnly);
    out.parameter("BytesReceived", &stats.rx_bytes, ReadOnly);
    out.parameter("PacketsSent", &stats.tx_packets, ReadOnly);
    out.parameter("PacketsReceived", &stats.rx_packets, ReadOnly);
    out.parameter("ErrorsSent", &narrow(stats.tx_errors), ReadOnly);
    out.parameter("ErrorsReceived", &narrow(stats.rx_errors), ReadOnly);
    out.parameter("DiscardPacketsSent", &narrow(stats.tx_dropped), ReadOnly);
    out.parameter("DiscardPacketsReceived", &narrow(stats.rx_dropped), ReadOnly);
}

/// A counter of 32 bits starts again at 0 (TR-106 StatsCounter32).
fn narrow(counter: u64) -> u64 {
    counter & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_counters_wrap() {
        assert_eq!(narrow((1 << 32) + 7), 7);
        assert_eq!(narrow(u64::from(u32::MAX)), 4_294_967_295);
    }
}
