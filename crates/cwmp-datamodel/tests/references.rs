//! Values that refer to rows and parameters (TR-106 "Reference Data Types").

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{Bench, KEY, Memory, entries};
use cwmp_datamodel::Addressing;
use cwmp_platform::source::{Access, ObjectKind};

const ROUTE: &str = "Device.Routing.Router.1.IPv4Forwarding.1.Interface";
const UPPER: &str = "Device.IP.Interface.2.LowerLayers";

/// A box with a route over an interface, and interfaces that are stacked.
fn bench() -> Bench {
    let own = Memory::new("own", &["Device.ManagementServer."])
        .object("Device.ManagementServer.", ObjectKind::Single)
        .ro(KEY, "first");
    let objects = [
        "Device.IP.Interface.{i}.",
        "Device.Ethernet.Link.{i}.",
        "Device.Routing.Router.{i}.IPv4Forwarding.{i}.",
        "Device.WiFi.Radio.{i}.",
        "Device.WiFi.EndPoint.{i}.Security.",
        "Device.WiFi.EndPoint.{i}.Profile.{i}.Security.",
        "Device.BulkData.Profile.{i}.",
        "Device.BulkData.",
    ];
    let row = ObjectKind::Instance { deletable: true };
    let system = Memory::new("system", &objects)
        .object("Device.IP.Interface.", ObjectKind::Table { addable: true })
        .object("Device.IP.Interface.1.", row)
        .rw("Device.IP.Interface.1.LowerLayers", "Device.Ethernet.Link.1")
        .object("Device.IP.Interface.2.", row)
        .rw(UPPER, "")
        .object("Device.IP.Interface.12.", row)
        .object("Device.IP.Interface.2.IPv4Address.1.", row)
        .object("Device.Ethernet.Link.", ObjectKind::Table { addable: true })
        .object("Device.Ethernet.Link.1.", row)
        .object("Device.Routing.Router.1.", ObjectKind::Instance { deletable: false })
        .object("Device.Routing.Router.1.IPv4Forwarding.1.", row)
        .rw(ROUTE, "")
        .object("Device.WiFi.Radio.1.", ObjectKind::Instance { deletable: false })
        .ro("Device.WiFi.Radio.1.SupportedStandards", "b,g,n")
        .rw("Device.WiFi.Radio.1.OperatingStandards", "b")
        .object("Device.WiFi.EndPoint.1.", row)
        .ro("Device.WiFi.EndPoint.1.Security.ModesSupported", "None,WPA2-Personal")
        .object("Device.WiFi.EndPoint.1.Profile.3.", row)
        .rw("Device.WiFi.EndPoint.1.Profile.3.Security.ModeEnabled", "None")
        .object("Device.BulkData.Profile.1.", row)
        .rw("Device.BulkData.Profile.1.Protocol", "");
    Bench::of(own, system)
}

/// Conformance: 9.12
#[tokio::test]
async fn a_reference_names_a_row_that_is_there() {
    let mut bench = bench();
    for good in ["Device.IP.Interface.1", "Device.IP.Interface.12", ""] {
        bench.set(&[(ROUTE, good)], "").await.unwrap();
        assert_eq!(bench.value(ROUTE).await, good);
    }
    for bad in [
        "Device.IP.Interface.3",
        "Device.IP.Interface.1.",
        "Device.IP.Interface",
        "Device.IP.Interface.*",
        "Device.IP.Interface.[gone]",
        "Device.Ethernet.Link.1",
        "Device.IP.Interface.2.IPv4Address.1",
        "Device.X_ACME_Thing.1",
        "Device.Nothing.1",
        "1",
    ] {
        let fault = bench.set(&[(ROUTE, bad)], "new").await.unwrap_err();
        assert_eq!(entries(&fault), [(ROUTE, 9007)], "{bad}");
    }
}

/// Conformance: 9.12
#[tokio::test]
async fn every_item_of_a_list_of_references_is_there() {
    let mut bench = bench();
    bench.set(&[(UPPER, "Device.Ethernet.Link.1, Device.IP.Interface.1")], "").await.unwrap();
    assert_eq!(bench.value(UPPER).await, "Device.Ethernet.Link.1,Device.IP.Interface.1");
    let fault = bench.set(&[(UPPER, "Device.Ethernet.Link.1,Device.Ethernet.Link.2")], "").await.unwrap_err();
    assert_eq!(entries(&fault), [(UPPER, 9007)]);
    bench.set(&[(UPPER, "")], "").await.unwrap();
}

/// Conformance: 4.57
#[tokio::test]
async fn a_reference_by_alias_is_kept_by_number() {
    let mut bench = bench();
    bench.set(&[("Device.IP.Interface.12.Alias", "wan")], "").await.unwrap();
    bench.set(&[(ROUTE, "Device.IP.Interface.[wan]")], "").await.unwrap();
    assert_eq!(bench.value(ROUTE).await, "Device.IP.Interface.12");
    bench.set(&[(UPPER, "Device.Ethernet.Link.[cpe-1], Device.IP.Interface.[wan]")], "").await.unwrap();
    assert_eq!(bench.value(UPPER).await, "Device.Ethernet.Link.1,Device.IP.Interface.12");
    // Also to a row that the same call makes.
    bench.addressing.set(Addressing { instance_alias: false, auto_create: true });
    bench.system.next_instance.set(20);
    let values = [("Device.IP.Interface.[new].Enable", "1"), (ROUTE, "Device.IP.Interface.[new]")];
    bench.set(&values, "").await.unwrap();
    assert_eq!(bench.value(ROUTE).await, "Device.IP.Interface.20");
    let values = [("Device.IP.Interface.[newer].Enable", "1"), (ROUTE, "Device.IP.Interface.[newest]")];
    assert_eq!(entries(&bench.set(&values, "").await.unwrap_err()), [(ROUTE, 9007)]);
    assert_eq!(bench.values(&["Device.IP.Interface.[newer]."]).await, Err(9005));
}

/// Conformance: 4.55
#[tokio::test]
async fn references_to_a_deleted_row_become_empty() {
    let mut bench = bench();
    bench.set(&[(ROUTE, "Device.IP.Interface.1")], "").await.unwrap();
    bench.set(&[(UPPER, "Device.Ethernet.Link.1,Device.IP.Interface.1")], "").await.unwrap();
    bench.system.put("Device.IP.Interface.12.LowerLayers", "Device.IP.Interface.2", Access::ReadWrite);
    bench.delete("Device.IP.Interface.1.", "k").await.unwrap();
    assert_eq!(bench.value(ROUTE).await, "");
    assert_eq!(bench.value(UPPER).await, "Device.Ethernet.Link.1");
    assert_eq!(bench.value("Device.IP.Interface.12.LowerLayers").await, "Device.IP.Interface.2");
    assert_eq!(bench.value(KEY).await, "k");
}

/// Conformance: 4.55
#[tokio::test]
async fn references_stay_with_the_row_when_it_cannot_be_deleted() {
    let mut bench = bench();
    bench.set(&[(ROUTE, "Device.IP.Interface.1")], "").await.unwrap();
    bench.own.fails_to_apply.set(true);
    assert_eq!(bench.delete("Device.IP.Interface.1.", "k").await, Err(9002));
    bench.own.fails_to_apply.set(false);
    bench.system.fails_to_delete.set(true);
    assert_eq!(bench.delete("Device.IP.Interface.1.", "k").await, Err(9002));
    assert_eq!(bench.value(ROUTE).await, "Device.IP.Interface.1");
    assert_eq!(bench.value(KEY).await, "");
    // A source that keeps a reference does not keep the row.
    bench.system.fails_to_delete.set(false);
    bench.system.refused.borrow_mut().insert(String::new());
    bench.delete("Device.IP.Interface.1.", "k").await.unwrap();
    assert_eq!(bench.value(ROUTE).await, "Device.IP.Interface.1");
}

/// Conformance: 9.09
#[tokio::test]
async fn a_value_is_among_those_that_another_parameter_lists() {
    let mut bench = bench();
    let (standards, mode) =
        ("Device.WiFi.Radio.1.OperatingStandards", "Device.WiFi.EndPoint.1.Profile.3.Security.ModeEnabled");
    for (name, good, bad) in [
        (standards, &["g,n", "b", ""][..], &["a", "g,a", "G"][..]),
        (mode, &["WPA2-Personal"], &["WEP-64", ""]),
    ] {
        for value in good {
            bench.set(&[(name, value)], "").await.unwrap();
        }
        for value in bad {
            assert_eq!(
                entries(&bench.set(&[(name, value)], "").await.unwrap_err()),
                [(name, 9007)],
                "{value}"
            );
        }
    }
    // This box lists no protocols: its source judges.
    bench.set(&[("Device.BulkData.Profile.1.Protocol", "HTTP")], "").await.unwrap();
}
