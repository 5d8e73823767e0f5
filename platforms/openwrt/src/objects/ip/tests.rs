use cwmp_linux::{kernel::AddressOrigin, testing::Collected};
use cwmp_platform::source::ParameterSource;
use serde_json::json;

use super::*;
use crate::testing::{Fake, assert_valid, lan_and_wan, values};

/// What the kernel says of an IPv6 address.
fn kernel_address(index: u32, address: &str, scope: u8, valid: u32) -> Address {
    Address {
        index,
        address: address.parse().unwrap(),
        prefix_length: 64,
        scope,
        tentative: false,
        duplicate: false,
        optimistic: false,
        deprecated: false,
        permanent: valid == u32::MAX,
        origin: AddressOrigin::Set,
        preferred: valid,
        valid,
        set_at: 0,
    }
}

/// Everything that a source has below an object, as far as the names hold this.
async fn some(source: &dyn ParameterSource, object: &str, part: &str) -> String {
    let all = values(source, object).await;
    all.lines().filter(|line| line.starts_with(part)).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn interfaces_are_the_sections_of_the_network() {
    let fake = lan_and_wan();
    let source = fake.source_of(Ip);
    let names = |collected: &Collected| -> Vec<String> {
        let rows = (1..=4)
            .filter_map(|n| collected.value(&format!("Device.IP.Interface.{n}.Name")).map(str::to_owned));
        rows.collect()
    };
    let collected = Collected::from(&source, &["Device.IP."]).await;
    // wan6 is an alias of wan, wan_6 is made by netifd: both are addresses of wan.
    assert_eq!(names(&collected), ["lo", "br-lan", "pppoe-wan"]);
    for (name, value) in [
        ("1.Type", "Loopback"),
        ("1.Loopback", "true"),
        ("2.Status", "Up"),
        ("2.LastChange", "9000"),
        ("2.MaxMTUSize", "1500"),
        ("2.Stats.BytesReceived", "1000"),
        ("2.IPv4Address.1.IPAddress", "192.168.1.1"),
        ("2.IPv4Address.1.SubnetMask", "255.255.255.0"),
        ("2.IPv4Address.1.AddressingType", "Static"),
        ("3.IPv4Address.1.AddressingType", "IPCP"),
        ("3.IPv4Address.1.SubnetMask", "255.255.255.255"),
    ] {
        assert_eq!(collected.value(&format!("Device.IP.Interface.{name}")), Some(value), "{name}");
    }
    assert_valid(&source).await;
}

#[tokio::test]
async fn delegated_prefixes_are_parents_of_those_of_the_lan() {
    let fake = lan_and_wan();
    fake.kernel.addresses.borrow_mut().extend([
        kernel_address(3, "2001:db8:0:1::5", 0, 3600),
        kernel_address(3, "fe80::1", LINK_SCOPE, u32::MAX),
        kernel_address(2, "2001:db8:aa00::1", 0, 7200),
    ]);
    let source = fake.source_of(Ip);
    let wan = some(&source, "Device.IP.Interface.3.", "IPv6Prefix.").await;
    assert!(wan.contains("IPv6Prefix.1.Origin=PrefixDelegation\n"), "{wan}");
    assert!(wan.contains("IPv6Prefix.1.Prefix=2001:db8:aa00::/56\n"), "{wan}");
    assert!(wan.contains("IPv6Prefix.2.Origin=RouterAdvertisement\nIPv6Prefix.2.ParentPrefix=\n"), "{wan}");
    let lan = some(&source, "Device.IP.Interface.2.", "IPv6Prefix.").await;
    assert!(lan.contains("IPv6Prefix.1.Origin=Child\n"), "{lan}");
    assert!(lan.contains("IPv6Prefix.1.ParentPrefix=Device.IP.Interface.3.IPv6Prefix.1\n"), "{lan}");
    assert!(lan.contains("IPv6Prefix.2.Origin=AutoConfigured\n"), "{lan}");
    let held = some(&source, "Device.IP.Interface.3.", "IPv6Address.").await;
    assert!(held.contains("IPv6Address.1.IPAddress=2001:db8:0:1::5\n"), "{held}");
    assert!(held.contains("IPv6Address.1.Prefix=Device.IP.Interface.3.IPv6Prefix.2\n"), "{held}");
    assert!(held.contains("IPv6Address.2.IPAddress=fe80::1\n"), "{held}");
    assert_valid(&source).await;
    // The end of a lifetime that is counted down stays where it is.
    let ends = |dump: &str| {
        dump.lines().filter(|line| line.contains("IPv6Prefix.1.ValidLifetime")).collect::<String>()
    };
    assert_eq!(ends(&wan), "IPv6Prefix.1.ValidLifetime=2027-01-15T10:00:00Z");
}

#[tokio::test]
async fn an_interface_that_is_down_keeps_its_number() {
    let fake = lan_and_wan();
    let source = fake.source_of(Ip);
    values(&source, "Device.IP.").await;
    let network = fake.file("network").replace("'wan'\n", "'wan'\n\toption disabled '1'\n");
    fake.uci(
        "network",
        &network.replace("config interface 'lan'", "config interface 'guest'\n\nconfig interface 'lan'"),
    );
    fake.bus.answer("network.interface", "dump", json!({"interface": [
        {"interface": "wan", "up": false, "pending": false, "available": true, "autostart": false, "device": "eth0.7"},
        {"interface": "lan", "up": false, "pending": true, "available": true, "device": "br-lan"},
        {"interface": "guest", "up": false, "pending": false, "available": false, "device": "br-guest"},
    ]}));
    fake.ground.forget();
    let collected = Collected::from(&source, &["Device.IP."]).await;
    let row =
        |name: &str| collected.value(&format!("Device.IP.Interface.{name}")).unwrap_or("none").to_owned();
    assert_eq!((row("3.Enable"), row("3.Status")), ("false".into(), "Down".into()));
    assert_eq!((row("2.Status"), row("2.Name")), ("Dormant".into(), "br-lan".into()));
    assert_eq!((row("4.Status"), row("4.Name")), ("LowerLayerDown".into(), "br-guest".into()));
    assert_eq!(row("3.LastChange"), "none");
}

#[tokio::test]
async fn a_bus_that_does_not_answer_fails_the_call_and_no_netifd_shows_the_configuration() {
    let fake = lan_and_wan();
    let source = fake.source_of(Ip);
    let timeout = cwmp_ubus::BusError::Timeout("network.interface dump".into());
    fake.bus.fail("network.interface", "dump", timeout);
    let failed = source.read(&Wanted::new(&["Device.IP."]), &mut Collected::default()).await;
    assert_eq!(failed.unwrap_err().to_string(), "ubus: network.interface dump: no answer in time");
    fake.ground.forget();
    fake.bus.fail("network.interface", "dump", cwmp_ubus::BusError::Status(4, "network.interface".into()));
    let lan = some(&source, "Device.IP.Interface.2.", "Name").await;
    assert_eq!(lan, "Name=br-lan\n");
    let _: &Fake = &fake;
}
