use cwmp_core::{fault::FaultCode, rpc::Status};
use cwmp_platform::source::ParameterSource;

use super::*;
use crate::testing::{Fake, assert_valid, change, lan_and_wan, values};

const FILE: &str = "
config dhcp 'lan'
\toption interface 'lan'

config host
\toption name 'nas'
\toption ip '192.168.1.50'
\tlist mac '02:00:5e:10:00:01'
\tlist mac '02:00:5e:10:00:99'

config host
\toption ip '192.168.1.51'
\toption mac '02:00:5e:10:00:02'

config host 'elsewhere'
\toption ip '10.9.9.9'
\toption mac '02:00:5e:10:00:03'

";
const STATICS: &str = "Device.DHCPv4.Server.Pool.1.StaticAddress.";

fn fake() -> Fake {
    let fake = lan_and_wan();
    fake.uci("dhcp", FILE);
    fake.root.file(
        "tmp/dhcp.leases",
        "1800003600 02:00:5e:10:00:01 192.168.1.50 nas 01:02:00:5e:10:00:01\n\
         0 02:00:5e:10:00:04 192.168.1.53 * *\n\
         1800003600 02:00:5e:10:00:05 192.168.3.20 visitor *\n",
    );
    fake.kernel.neighbours.borrow_mut().push(Neighbour {
        index: 2,
        address: "192.168.1.50".parse().unwrap(),
        mac: "02:00:5e:10:00:01".to_owned(),
        reachable: true,
        confirmed: 0,
    });
    fake
}

#[tokio::test]
async fn kept_addresses_and_leases_are_told_with_their_pool() {
    let fake = fake();
    let source = fake.source_of(Hosts);
    assert_eq!(
        values(&source, STATICS).await,
        "1.Chaddr=02:00:5e:10:00:01\n1.Enable=true\n1.Yiaddr=192.168.1.50\n\
         2.Chaddr=02:00:5e:10:00:02\n2.Enable=true\n2.Yiaddr=192.168.1.51\n"
    );
    let end = DateTime::At(Wall::from_seconds(1_800_003_600)).to_string();
    assert_eq!(end, "2027-01-15T09:00:00Z");
    assert_eq!(
        values(&source, "Device.DHCPv4.Server.Pool.1.Client.").await,
        format!(
            "1.Active=true\n1.Chaddr=02:00:5e:10:00:01\n1.IPv4Address.1.IPAddress=192.168.1.50\n\
             1.IPv4Address.1.LeaseTimeRemaining={end}\n1.Option.1.Tag=61\n1.Option.1.Value=0102005E100001\n\
             2.Active=false\n2.Chaddr=02:00:5e:10:00:04\n2.IPv4Address.1.IPAddress=192.168.1.53\n\
             2.IPv4Address.1.LeaseTimeRemaining=9999-12-31T23:59:59Z\n"
        )
    );
    assert_valid(&source).await;
}

#[tokio::test]
async fn a_kept_address_is_changed() {
    let fake = fake();
    let source = fake.source_of(Hosts);
    values(&source, STATICS).await;
    let set = |name: &str, value: &str| change(&format!("{STATICS}{name}"), value);
    let changes = [
        set("1.Chaddr", "02:00:5e:10:00:77"),
        set("1.Yiaddr", "192.168.1.60"),
        set("1.Enable", "false"),
        set("2.Yiaddr", "192.168.1.61"),
    ];
    assert_eq!(source.check(&changes).await, []);
    fake.bus.asked();
    assert_eq!(source.apply(&changes).await, Ok(Status::Applied));
    let expected = FILE
        .replace("192.168.1.50", "192.168.1.60")
        .replace("192.168.1.51", "192.168.1.61")
        .replace("10:00:01'", "10:00:77'")
        .replace("\tlist mac '02:00:5e:10:00:99'\n", "\tlist mac '02:00:5e:10:00:99'\n\toption enable '0'\n");
    assert_eq!(fake.file("dhcp"), expected);
    let told = fake.bus.asked();
    let event = r#"service event {"data":{"package":"dhcp"},"type":"config.change"}"#;
    assert_eq!(told.last().map(String::as_str), Some(event));
    // The rows keep their numbers.
    assert!(values(&source, STATICS).await.starts_with("1.Chaddr=02:00:5e:10:00:77\n1.Enable=false\n"));
    let before = fake.file("dhcp");
    for (name, value, code) in [
        // The other host has it: dnsmasq would not start.
        ("1.Yiaddr", "192.168.1.61", FaultCode::INVALID_PARAMETER_VALUE),
        ("1.Yiaddr", "10.0.0.1", FaultCode::INVALID_PARAMETER_VALUE),
        ("1.Yiaddr", "", FaultCode::INVALID_PARAMETER_VALUE),
        // The row is known by it.
        ("2.Chaddr", "02:00:5e:10:00:78", FaultCode::NOT_WRITABLE),
        ("9.Enable", "true", FaultCode::NOT_WRITABLE),
    ] {
        let faults = source.check(&[set(name, value)]).await;
        assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{name} {value}");
    }
    // Two of one call that would have the same.
    let same = [set("1.Yiaddr", "192.168.1.70"), set("2.Yiaddr", "192.168.1.70")];
    let faults = source.check(&same).await;
    assert_eq!(
        faults.iter().map(|fault| fault.name.clone()).collect::<Vec<_>>(),
        [format!("{STATICS}2.Yiaddr")]
    );
    assert_eq!(fake.file("dhcp"), before);
}

#[tokio::test]
async fn a_kept_address_is_added_and_deleted() {
    let fake = fake();
    let source = fake.source_of(Hosts);
    values(&source, STATICS).await;
    let (number, status) = source.add(STATICS, &[]).await.unwrap();
    assert_eq!((number, status), (3, Status::Applied));
    let added = format!("{FILE}config host 'cwmp_host1_3'\n\toption enable '0'\n\n");
    assert_eq!(fake.file("dhcp"), added);
    assert_eq!(values(&source, &format!("{STATICS}3.")).await, "Chaddr=\nEnable=false\nYiaddr=\n");
    assert_valid(&source).await;
    let set = |name: &str, value: &str| change(&format!("{STATICS}3.{name}"), value);
    let changes = [set("Chaddr", "02:00:5e:10:00:07"), set("Yiaddr", "192.168.1.57"), set("Enable", "true")];
    assert_eq!(source.check(&changes).await, []);
    source.apply(&changes).await.unwrap();
    let section =
        "config host 'cwmp_host1_3'\n\tlist mac '02:00:5e:10:00:07'\n\toption ip '192.168.1.57'\n\n";
    assert_eq!(fake.file("dhcp"), format!("{FILE}{section}"));
    source.apply(&[set("Chaddr", ""), set("Yiaddr", "")]).await.unwrap();
    assert_eq!(values(&source, &format!("{STATICS}3.")).await, "Chaddr=\nEnable=true\nYiaddr=\n");
    source.delete(&format!("{STATICS}3."), &[]).await.unwrap();
    assert_eq!(fake.file("dhcp"), FILE);
    let fault = source.delete(&format!("{STATICS}3."), &[]).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::INVALID_PARAMETER_NAME);
    assert!(source.add("Device.DHCPv4.Server.Pool.7.StaticAddress.", &[]).await.is_err());
    assert!(source.add("Device.DHCPv4.Server.Pool.1.Client.", &[]).await.is_err());
    // One of somebody else is deleted as well, and the other one keeps its number.
    source.delete(&format!("{STATICS}1."), &[]).await.unwrap();
    assert!(!fake.file("dhcp").contains("nas"));
    assert_eq!(
        values(&source, STATICS).await,
        "2.Chaddr=02:00:5e:10:00:02\n2.Enable=true\n2.Yiaddr=192.168.1.51\n"
    );
}
