use cwmp_platform::source::{Access, ParameterSink};

use super::*;
use crate::limits;

fn builder() -> Builder<'static> {
    Builder::new(Facts::tr181())
}

fn listed(snapshot: &mut Snapshot) -> Vec<String> {
    snapshot.mark_names("", false).unwrap();
    snapshot.entries().map(|entry| [entry.object, entry.name].concat()).collect()
}

#[test]
fn nothing_delivered_is_still_a_root() {
    let mut snapshot = builder().finish().unwrap();
    assert_eq!(listed(&mut snapshot), ["Device."]);
}

#[test]
fn whatever_the_order_of_delivery_the_order_of_the_listing_is_that_of_the_model() {
    let mut out = builder();
    out.begin_source(0);
    out.object("Device.X_ACME_Box.", ObjectKind::Single);
    out.vendor_parameter("Zeta", ValueType::String, &"z", Access::ReadOnly);
    out.vendor_parameter("Alpha", ValueType::Boolean, &true, Access::ReadOnly);
    out.object("Device.IP.Interface.10.", ObjectKind::Instance { deletable: true });
    out.object("Device.IP.Interface.9.X_ACME_Sub.", ObjectKind::Single);
    out.vendor_parameter("P", ValueType::Int, &5, Access::ReadWrite);
    out.object("Device.IP.Interface.9.", ObjectKind::Instance { deletable: true });
    out.vendor_parameter("X_ACME_Q", ValueType::Int, &-5, Access::ReadWrite);
    out.parameter("Name", &"lan", Access::ReadOnly);
    out.parameter("Enable", &true, Access::ReadWrite);
    out.object("Device.IP.Interface.9.Stats.", ObjectKind::Single);
    out.object("Device.Time.", ObjectKind::Single);
    let mut snapshot = out.finish().unwrap();
    let wanted = [
        "Device.",
        "Device.Time.",
        "Device.IP.",
        "Device.IP.InterfaceNumberOfEntries",
        "Device.IP.Interface.",
        "Device.IP.Interface.9.",
        "Device.IP.Interface.9.Enable",
        "Device.IP.Interface.9.Alias",
        "Device.IP.Interface.9.Name",
        "Device.IP.Interface.9.X_ACME_Q",
        "Device.IP.Interface.9.Stats.",
        "Device.IP.Interface.9.X_ACME_Sub.",
        "Device.IP.Interface.9.X_ACME_Sub.P",
        "Device.IP.Interface.10.",
        "Device.IP.Interface.10.Alias",
        "Device.X_ACME_Box.",
        "Device.X_ACME_Box.Zeta",
        "Device.X_ACME_Box.Alpha",
    ];
    assert_eq!(listed(&mut snapshot), wanted);
    assert_eq!(snapshot.parameter("Device.IP.InterfaceNumberOfEntries").unwrap().entry.text, "2");
    let vendor = snapshot.parameter("Device.IP.Interface.9.X_ACME_Q").unwrap();
    assert_eq!(
        (vendor.entry.value_type, vendor.entry.text, vendor.entry.writable),
        (ValueType::Int, "-5", true)
    );
}

#[test]
fn parts_of_one_object_become_one_and_the_first_delivery_counts() {
    let mut out = builder();
    out.begin_source(0);
    out.object("Device.Time.", ObjectKind::Single);
    out.parameter("NTPServer1", &"first", Access::ReadWrite);
    out.begin_source(1);
    out.object("Device.Time.", ObjectKind::Single);
    out.parameter("NTPServer1", &"second", Access::ReadWrite);
    out.parameter("Enable", &true, Access::ReadWrite);
    let mut snapshot = out.finish().unwrap();
    assert_eq!(
        listed(&mut snapshot),
        ["Device.", "Device.Time.", "Device.Time.Enable", "Device.Time.NTPServer1"]
    );
    assert_eq!(snapshot.parameter("Device.Time.NTPServer1").unwrap().entry.text, "first");
}

#[test]
fn what_the_model_does_not_know_is_left_out() {
    let mut out = builder();
    out.parameter("Enable", &true, Access::ReadWrite);
    out.object("Device.Nothing.", ObjectKind::Single);
    out.parameter("Enable", &true, Access::ReadWrite);
    out.object("InternetGatewayDevice.X_A.", ObjectKind::Single);
    out.vendor_parameter("P", ValueType::Int, &1, Access::ReadOnly);
    out.object("Device.Time", ObjectKind::Single);
    out.object("Device.Time.", ObjectKind::Single);
    out.parameter("enable", &true, Access::ReadWrite);
    out.vendor_parameter("", ValueType::Int, &1, Access::ReadOnly);
    out.vendor_parameter("X.Y", ValueType::Int, &1, Access::ReadOnly);
    let mut snapshot = out.finish().unwrap();
    assert_eq!(listed(&mut snapshot), ["Device.", "Device.Time."]);
}

#[test]
fn a_source_cannot_make_writable_what_the_model_says_is_not() {
    let mut out = builder();
    out.object("Device.DeviceInfo.", ObjectKind::Single);
    out.parameter("UpTime", &1, Access::ReadWrite);
    out.parameter("ProvisioningCode", &"", Access::ReadWrite);
    let snapshot = out.finish().unwrap();
    assert!(!snapshot.parameter("Device.DeviceInfo.UpTime").unwrap().entry.writable);
    assert!(snapshot.parameter("Device.DeviceInfo.ProvisioningCode").unwrap().entry.writable);
}

#[test]
fn values_of_every_length_come_back() {
    for length in [0, 1, 127, 128, 129, 16_383, 16_384, limits::VALUE_BYTES] {
        let text = "x".repeat(length);
        let mut out = builder();
        out.object("Device.Time.", ObjectKind::Single);
        out.parameter("NTPServer1", &text, Access::ReadWrite);
        out.parameter("NTPServer2", &"behind", Access::ReadWrite);
        let snapshot = out.finish().unwrap();
        assert_eq!(snapshot.parameter("Device.Time.NTPServer1").unwrap().entry.text, text, "{length}");
        assert_eq!(snapshot.parameter("Device.Time.NTPServer2").unwrap().entry.text, "behind", "{length}");
    }
}

#[test]
fn more_than_fits_is_refused_with_9004() {
    let code = |out: Builder| out.finish().map(|_| ()).map_err(|fault| fault.code);
    let mut out = builder();
    out.object("Device.Time.", ObjectKind::Single);
    out.parameter("NTPServer1", &"x".repeat(limits::VALUE_BYTES + 1), Access::ReadWrite);
    assert_eq!(code(out), Err(cwmp_core::fault::FaultCode::RESOURCES_EXCEEDED));

    let mut out = builder();
    for i in 1..=limits::SNAPSHOT_BYTES / limits::VALUE_BYTES + 1 {
        out.object(&format!("Device.Hosts.Host.{i}."), ObjectKind::Instance { deletable: false });
        out.parameter("HostName", &"x".repeat(limits::VALUE_BYTES), Access::ReadOnly);
    }
    assert_eq!(code(out), Err(cwmp_core::fault::FaultCode::RESOURCES_EXCEEDED));

    let mut out = builder();
    for i in 1..=limits::SNAPSHOT_OBJECTS + 1 {
        out.object(&format!("Device.Hosts.Host.{i}."), ObjectKind::Instance { deletable: false });
    }
    assert_eq!(code(out), Err(cwmp_core::fault::FaultCode::RESOURCES_EXCEEDED));
}

#[test]
fn a_failed_source_leaves_nothing_behind() {
    let mut out = builder();
    out.begin_source(0);
    out.object("Device.Time.", ObjectKind::Single);
    out.parameter("Enable", &true, Access::ReadWrite);
    let savepoint = out.begin_source(1);
    out.object("Device.Hosts.", ObjectKind::Single);
    out.parameter("HostNumberOfEntries", &1, Access::ReadOnly);
    out.back_to(savepoint);
    out.parameter("Enable", &false, Access::ReadWrite);
    let mut snapshot = out.finish().unwrap();
    assert_eq!(listed(&mut snapshot), ["Device.", "Device.Time.", "Device.Time.Enable"]);
}

/// 2,000 interfaces with nine counters of 12 to 15 digits each.
#[test]
fn a_large_tree_takes_at_most_two_and_a_half_times_its_values() {
    let mut out = builder();
    let (mut values, mut parameters) = (0, 0);
    for i in 1..=2000_u32 {
        out.object(&format!("Device.IP.Interface.{i}."), ObjectKind::Instance { deletable: true });
        out.object(&format!("Device.IP.Interface.{i}.Stats."), ObjectKind::Single);
        for (n, name) in [
            "BytesSent",
            "BytesReceived",
            "PacketsSent",
            "PacketsReceived",
            "ErrorsSent",
            "ErrorsReceived",
            "UnicastPacketsSent",
            "UnicastPacketsReceived",
            "MulticastPacketsSent",
        ]
        .into_iter()
        .enumerate()
        {
            let value = (u64::from(i) * 7_919_131 + n as u64 * 104_729) * 1000;
            values += value.to_string().len();
            parameters += 1;
            out.parameter(name, &value, Access::ReadOnly);
        }
    }
    let snapshot = out.finish().unwrap();
    let names = parameters * "Device.IP.Interface.1000.Stats.PacketsReceived".len();
    let takes = snapshot.heap_bytes();
    assert!(takes * 2 <= values * 5, "{takes} bytes for {values} bytes of values");
    assert!(takes < names, "{takes} bytes where full names alone would take {names}");
}
