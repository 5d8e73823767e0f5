use cwmp_core::{fault::FaultCode, rpc::Status};
use cwmp_platform::source::ParameterSource;
use serde_json::json;

use super::*;
use crate::testing::{Fake, assert_valid, change, values};

const NETWORK: &str = "
config interface 'lan'
\toption device 'br-lan'
\toption proto 'static'
\tlist dns '192.0.2.1'

config interface 'wan'
\toption device 'eth0'
\toption proto 'pppoe'

config interface 'wan6'
\toption device '@wan'
\toption proto 'dhcpv6'

";

const FILE: &str = "
config dnsmasq
\toption domain 'lan'
\tlist server '/corp.example/10.0.0.53'
\tlist server '192.0.2.7@eth9'

";

fn fake() -> Fake {
    let fake = Fake::new();
    fake.uci("network", NETWORK);
    fake.uci("dhcp", FILE);
    fake.bus.answer(
        "network.interface",
        "dump",
        json!({"interface": [
            {"interface": "lan", "up": true, "proto": "static", "l3_device": "br-lan", "dns-server": ["192.0.2.1"]},
            {"interface": "wan", "up": true, "proto": "pppoe", "l3_device": "pppoe-wan",
             "route": [{"target": "0.0.0.0", "mask": 0, "nexthop": "203.0.113.1"}],
             "dns-server": ["203.0.113.53"]},
            {"interface": "wan6", "up": true, "proto": "dhcpv6", "l3_device": "pppoe-wan", "dns-server": ["2001:db8::53"]},
        ]}),
    );
    fake
}

async fn add(source: &dyn ParameterSource, table: &str) -> String {
    let (number, _) = source.add(table, &[]).await.unwrap();
    format!("{table}{number}.")
}

#[tokio::test]
async fn servers_are_those_that_are_set_and_those_that_were_told() {
    let fake = fake();
    let source = fake.source_of(Dns);
    assert_eq!(
        values(&source, CLIENT).await,
        "Enable=true\n\
         Server.1.DNSServer=192.0.2.1\nServer.1.Enable=true\nServer.1.Interface=Device.IP.Interface.1\n\
         Server.1.Status=Enabled\nServer.1.Type=Static\n\
         Server.2.DNSServer=203.0.113.53\nServer.2.Enable=true\nServer.2.Interface=Device.IP.Interface.2\n\
         Server.2.Status=Enabled\nServer.2.Type=IPCP\n\
         Server.3.DNSServer=2001:db8::53\nServer.3.Enable=true\nServer.3.Interface=Device.IP.Interface.2\n\
         Server.3.Status=Enabled\nServer.3.Type=DHCPv6\n\
         Status=Enabled\n"
    );
    let relay = values(&source, RELAY).await;
    assert!(relay.starts_with("Enable=true\nForwarding.1.DNSServer=192.0.2.7\n"), "{relay}");
    assert_eq!(relay.matches("DNSServer=").count(), 4, "its own, and the three of the box: {relay}");
    assert_valid(&source).await;
    // The servers of the box are not asked where dnsmasq is told so.
    fake.uci("dhcp", &FILE.replace("'lan'\n", "'lan'\n\toption noresolv '1'\n"));
    assert_eq!(values(&source, RELAY).await.matches("DNSServer=").count(), 1);
}

#[tokio::test]
async fn a_server_is_added_switched_moved_and_deleted() {
    let fake = fake();
    let source = fake.source_of(Dns);
    values(&source, DNS).await;
    let row = add(&source, client::SERVERS).await;
    let name = |parameter: &str| format!("{row}{parameter}");
    assert_eq!(
        values(&source, &row).await,
        "DNSServer=\nEnable=false\nInterface=\nStatus=Disabled\nType=Static\n"
    );
    assert!(fake.file("network").contains("config cwmp_dns 'cwmp_dns_4'\n\toption enabled '0'\n"));

    let changes = [change(&name("DNSServer"), "192.0.2.99"), change(&name("Enable"), "true")];
    assert_eq!(source.check(&changes).await, []);
    assert_eq!(source.apply(&changes).await, Ok(Status::Committed));
    // An interface was not said: the one that leads to the Internet.
    assert!(fake.file("network").contains("\toption proto 'pppoe'\n\tlist dns '192.0.2.99'\n"));
    assert_eq!(
        values(&source, &row).await,
        "DNSServer=192.0.2.99\nEnable=true\nInterface=Device.IP.Interface.2\nStatus=Enabled\nType=Static\n"
    );
    assert_eq!(values(&source, CLIENT).await.matches("=192.0.2.99\n").count(), 1, "one row, not two");

    source.apply(&[change(&name("Interface"), "Device.IP.Interface.1")]).await.unwrap();
    let file = fake.file("network");
    assert!(file.contains("\tlist dns '192.0.2.1'\n\tlist dns '192.0.2.99'\n"), "{file}");
    assert_eq!(file.matches("list dns '192.0.2.99'").count(), 1);

    source.apply(&[change(&name("Enable"), "false")]).await.unwrap();
    assert!(!fake.file("network").contains("list dns '192.0.2.99'"));
    assert!(values(&source, &row).await.contains("Status=Disabled"));
    source.apply(&[change(&name("Enable"), "true")]).await.unwrap();
    source.delete(&row, &[]).await.unwrap();
    assert_eq!(fake.file("network"), NETWORK);

    // One that stands in the configuration alone can go, one that was told cannot.
    source.delete("Device.DNS.Client.Server.1.", &[]).await.unwrap();
    assert!(!fake.file("network").contains("dns"));
    assert!(source.delete("Device.DNS.Client.Server.2.", &[]).await.is_err());
}

#[tokio::test]
async fn dnsmasq_is_given_servers_and_switched_off() {
    let fake = fake();
    let source = fake.source_of(Dns);
    values(&source, DNS).await;
    let row = add(&source, relay::FORWARDINGS).await;
    let name = |parameter: &str| format!("{row}{parameter}");
    let changes = [
        change(&name("Interface"), "Device.IP.Interface.2"),
        change(&name("Enable"), "true"),
        change(&name("DNSServer"), "192.0.2.88"),
    ];
    assert_eq!(source.check(&changes).await, []);
    assert_eq!(source.apply(&changes).await, Ok(Status::Applied));
    assert!(
        fake.file("dhcp").contains("\tlist server '192.0.2.7@eth9'\n\tlist server '192.0.2.88@pppoe-wan'\n")
    );
    source.delete(&row, &[]).await.unwrap();
    assert_eq!(fake.file("dhcp"), FILE);
    source.delete("Device.DNS.Relay.Forwarding.1.", &[]).await.unwrap();
    // What is for one domain only is no row, and stays.
    assert_eq!(fake.file("dhcp"), FILE.replace("\tlist server '192.0.2.7@eth9'\n", ""));

    source.apply(&[change("Device.DNS.Relay.Enable", "false")]).await.unwrap();
    assert!(fake.file("dhcp").contains("option port '0'"));
    assert!(values(&source, RELAY).await.contains("Enable=false\nForwarding.2.DNSServer"));
    source.apply(&[change("Device.DNS.Relay.Enable", "true")]).await.unwrap();
    assert!(!fake.file("dhcp").contains("port"));
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let fake = fake();
    let source = fake.source_of(Dns);
    values(&source, DNS).await;
    let row = add(&source, client::SERVERS).await;
    for (name, value, code) in [
        (&*format!("{row}DNSServer"), "dns.example", FaultCode::INVALID_PARAMETER_VALUE),
        (&*format!("{row}Interface"), "Device.IP.Interface.9", FaultCode::INVALID_PARAMETER_VALUE),
        ("Device.DNS.Client.Server.1.DNSServer", "192.0.2.5", FaultCode::NOT_WRITABLE),
        ("Device.DNS.Client.Server.77.Enable", "true", FaultCode::NOT_WRITABLE),
        ("Device.DNS.Client.Enable", "false", FaultCode::NOT_WRITABLE),
        ("Device.DNS.SupportedRecordTypes", "A", FaultCode::NOT_WRITABLE),
    ] {
        let faults = source.check(&[change(name, value)]).await;
        assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{name}");
    }
    assert!(source.add(CLIENT, &[]).await.is_err());
}
