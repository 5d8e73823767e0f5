use cwmp_core::{fault::FaultCode, rpc::Status};
use cwmp_linux::testing::Collected;
use cwmp_platform::source::ParameterSource;

use super::*;
use crate::testing::{Fake, assert_valid, change, lan_and_wan, values};

const DHCP_FILE: &str = "
config dnsmasq
\toption domain 'lan'

config dhcp 'lan'
\toption interface 'lan'
\toption start '100'
\toption limit '150'
\toption leasetime '12h'
\toption dhcpv4 'server'
\tlist dhcp_option '6,192.168.1.2,9.9.9.9'
\tlist dhcp_option '42,192.168.1.1'

config dhcp 'wan'
\toption interface 'wan'
\toption ignore '1'

";

fn fake() -> Fake {
    let fake = lan_and_wan();
    fake.uci("dhcp", DHCP_FILE);
    fake
}

const LAN: &str = "Device.DHCPv4.Server.Pool.1.";

#[tokio::test]
async fn pools_are_the_sections_of_dnsmasq() {
    let fake = fake();
    let source = fake.source_of(Pool);
    assert_eq!(
        values(&source, LAN).await,
        "DNSServers=192.168.1.2,9.9.9.9\nDomainName=lan\nEnable=true\nIPRouters=192.168.1.1\n\
         Interface=Device.IP.Interface.2\nLeaseTime=43200\nMaxAddress=192.168.1.249\nMinAddress=192.168.1.100\n\
         Order=1\nStatus=Enabled\nSubnetMask=255.255.255.0\n"
    );
    let wan = Collected::from(&source, &["Device.DHCPv4.Server.Pool.2."]).await;
    assert_eq!(wan.value("Device.DHCPv4.Server.Pool.2.Enable"), Some("false"));
    assert_eq!(wan.value("Device.DHCPv4.Server.Pool.2.Status"), Some("Disabled"));
    assert_valid(&source).await;
}

#[tokio::test]
async fn a_pool_is_changed_as_a_whole() {
    let fake = fake();
    let source = fake.source_of(Pool);
    values(&source, LAN).await;
    fake.bus.asked();
    let set = |name: &str, value: &str| change(&format!("{LAN}{name}"), value);
    let changes = [
        set("MinAddress", "192.168.1.20"),
        set("MaxAddress", "192.168.1.29"),
        set("LeaseTime", "3600"),
        set("DNSServers", "192.168.1.1"),
        set("DomainName", "home.example"),
        set("Enable", "false"),
    ];
    assert_eq!(source.check(&changes).await, []);
    assert_eq!(source.apply(&changes).await, Ok(Status::Applied));
    let file = fake.file("dhcp");
    assert_eq!(
        file,
        "
config dnsmasq
\toption domain 'lan'

config dhcp 'lan'
\toption interface 'lan'
\toption start '20'
\toption limit '10'
\toption leasetime '3600s'
\toption dhcpv4 'server'
\tlist dhcp_option '42,192.168.1.1'
\tlist dhcp_option '6,192.168.1.1'
\tlist dhcp_option '15,home.example'
\toption ignore '1'

config dhcp 'wan'
\toption interface 'wan'
\toption ignore '1'

"
    );
    assert_eq!(fake.bus.asked(), [r#"service event {"data":{"package":"dhcp"},"type":"config.change"}"#]);
    let after = values(&source, LAN).await;
    assert!(
        after.contains("MinAddress=192.168.1.20\n") && after.contains("MaxAddress=192.168.1.29\n"),
        "{after}"
    );
    assert!(after.contains("Enable=false\n") && after.contains("LeaseTime=3600\n"), "{after}");
}

#[tokio::test]
async fn one_end_of_the_range_keeps_the_other() {
    let fake = fake();
    let source = fake.source_of(Pool);
    values(&source, LAN).await;
    source.apply(&[change(&format!("{LAN}MaxAddress"), "192.168.1.101")]).await.unwrap();
    assert!(fake.file("dhcp").contains("\toption start '100'\n\toption limit '2'\n"));
}

#[tokio::test]
async fn addresses_outside_of_the_subnet_are_refused() {
    let fake = fake();
    let source = fake.source_of(Pool);
    values(&source, LAN).await;
    let faults = async |changes: &[(&str, &str)]| {
        let changes: Vec<Change> =
            changes.iter().map(|(name, value)| change(&format!("{LAN}{name}"), value)).collect();
        let faults = source.check(&changes).await;
        assert!(faults.iter().all(|fault| fault.code == FaultCode::INVALID_PARAMETER_VALUE));
        faults.into_iter().map(|fault| fault.name.rsplit('.').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(faults(&[("MinAddress", "10.0.0.1")]).await, ["MinAddress"]);
    assert_eq!(faults(&[("MinAddress", "192.168.1.0"), ("MaxAddress", "192.168.1.9")]).await, ["MinAddress"]);
    assert_eq!(faults(&[("MaxAddress", "192.168.1.255")]).await, ["MaxAddress"]);
    assert_eq!(
        faults(&[("MinAddress", "192.168.1.9"), ("MaxAddress", "192.168.1.8")]).await,
        ["MinAddress", "MaxAddress"]
    );
    assert_eq!(
        faults(&[("SubnetMask", "255.0.255.0"), ("LeaseTime", "60")]).await,
        ["SubnetMask", "LeaseTime"]
    );
    assert_eq!(faults(&[("DomainName", "a,b")]).await, ["DomainName"]);
    assert_eq!(faults(&[("Interface", "Device.IP.Interface.77")]).await, ["Interface"]);
    assert_eq!(fake.file("dhcp"), DHCP_FILE);
}

#[tokio::test]
async fn a_pool_is_added_configured_and_deleted() {
    let fake = fake();
    let source = fake.source_of(Pool);
    values(&source, LAN).await;
    let (number, _) = source.add(POOLS, &[]).await.unwrap();
    assert_eq!(number, 3);
    assert!(fake.file("dhcp").ends_with("config dhcp 'cwmp_pool_3'\n\toption ignore '1'\n\n"));
    let row = "Device.DHCPv4.Server.Pool.3.";
    let new = values(&source, row).await;
    assert!(new.contains("Enable=false\nIPRouters=\nInterface=\n"), "{new}");
    let set = |name: &str, value: &str| change(&format!("{row}{name}"), value);
    // The interface in the same call as what depends on it.
    let changes = [
        set("MinAddress", "192.168.1.3"),
        set("MaxAddress", "192.168.1.4"),
        set("Interface", "Device.IP.Interface.2"),
        set("Enable", "true"),
    ];
    assert_eq!(source.check(&changes).await, []);
    source.apply(&changes).await.unwrap();
    let file = fake.file("dhcp");
    assert!(
        file.ends_with("'cwmp_pool_3'\n\toption interface 'lan'\n\toption start '3'\n\toption limit '2'\n\n"),
        "{file}"
    );
    source.delete(row, &[]).await.unwrap();
    assert_eq!(fake.file("dhcp"), DHCP_FILE);
    assert_eq!(source.delete(row, &[]).await.unwrap_err().code, FaultCode::INVALID_PARAMETER_NAME);
    // The number is not given again.
    assert_eq!(source.add(POOLS, &[]).await.unwrap().0, 4);
}

#[test]
fn lease_times_as_dnsmasq_reads_them() {
    let read =
        ["12h", "45m", "3600", "90s", "2d", "1w", "infinite", "x", "", "5y", "99999999999h"].map(seconds);
    let hours = 3600;
    assert_eq!(
        read,
        [
            Some(12 * hours),
            Some(2700),
            Some(3600),
            Some(90),
            Some(48 * hours),
            Some(168 * hours),
            Some(-1),
            None,
            None,
            None,
            None
        ]
    );
}
