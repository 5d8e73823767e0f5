//! Device.DHCPv6.Server: the `dhcp` sections of package `dhcp`, as odhcpd serves them, and the leases that odhcpd tells.
//!
//! A pool is the other side of a pool of DHCPv4: it comes and goes with it there. It is for all clients; what the model could
//! select them by is empty.

use std::{net::IpAddr, rc::Rc};

use async_trait::async_trait;
use cwmp_core::fault::SetParameterValuesFault;
use cwmp_linux::{kernel::Neighbour, leases::mac_of_duid};
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_ubus::Table;
use cwmp_uci::Section;

use super::{
    dhcpv4_pool::{DHCP, served},
    hosts::PRESENT,
    ip::{end, offered_prefixes},
};
use crate::{
    edits::{Edits, PackageEdits},
    limits,
    network::{Network, tables},
    part::{InRow, Part, by_row, not_writable},
    survey::Survey,
};

const SERVER: &str = "Device.DHCPv6.Server.";
const POOL: &str = "Device.DHCPv6.Server.Pool.{i}.";
const POOLS: &str = "Device.DHCPv6.Server.Pool.";
const TABLE: ObjectKind = ObjectKind::Table { addable: false };
const ROW: ObjectKind = ObjectKind::Instance { deletable: false };
/// What the model selects clients by, with the values of what selects none.
const SELECTION: [(&str, &str); 9] = [
    ("DUID", ""),
    ("DUIDExclude", "false"),
    ("VendorClassID", ""),
    ("VendorClassIDExclude", "false"),
    ("UserClassID", ""),
    ("UserClassIDExclude", "false"),
    ("SourceAddress", ""),
    ("SourceAddressMask", ""),
    ("SourceAddressExclude", "false"),
];
/// The option that holds the DUID of a client (RFC 8415, 21.2).
const CLIENT_ID: u16 = 1;
/// Longest DUID, in hexadecimal digits.
const DUID_DIGITS: usize = 260;

pub(crate) struct Server;

/// Whether odhcpd serves it. Without the option it does not.
fn is_enabled(section: &Section) -> bool {
    section.get("ignore") != Some("1") && matches!(section.get("dhcpv6"), Some("server" | "hybrid"))
}

#[async_trait(?Send)]
impl Part for Server {
    fn objects(&self) -> &'static [&'static str] {
        &[
            SERVER,
            POOL,
            "Device.DHCPv6.Server.Pool.{i}.Client.{i}.",
            "Device.DHCPv6.Server.Pool.{i}.Client.{i}.IPv6Address.{i}.",
            "Device.DHCPv6.Server.Pool.{i}.Client.{i}.IPv6Prefix.{i}.",
            "Device.DHCPv6.Server.Pool.{i}.Client.{i}.Option.{i}.",
        ]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let (network, package) = (survey.network().await?, survey.uci(DHCP).await?);
        let pools = served(survey, &package, POOLS);
        let serves = pools.iter().any(|(_, section)| is_enabled(section));
        let leases = if serves { survey.ubus("dhcp", "ipv6leases").await? } else { None };
        let neighbours = survey.neighbours()?;
        out.object(SERVER, ObjectKind::Single);
        out.parameter("Enable", &serves, ReadOnly);
        out.object(POOLS, TABLE);
        for (order, (path, section)) in (1_u32..).zip(&pools) {
            out.object(&format!("{path}."), ROW);
            out.parameter("Order", &order, ReadOnly);
            pool(survey, section, &network, out);
            let interface = section.get("interface").and_then(|name| network.interface(name));
            let device = interface.and_then(|interface| interface.device.as_deref());
            let of_device = device.and_then(|device| leases.as_ref()?.table("device")?.table(device));
            let clients = of_device.map(clients).unwrap_or_default();
            let table = format!("{path}.Client.");
            out.object(&table, TABLE);
            let numbers = survey.numbers(&table, clients.iter().map(|(duid, _)| *duid));
            for ((duid, leases), number) in clients.iter().zip(numbers) {
                let Some(number) = number else { continue };
                client(survey, &format!("{table}{number}."), (duid, leases), &neighbours, out);
            }
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let survey = Rc::clone(edits.survey());
        let package = survey.uci(DHCP).await?;
        let pools = served(&survey, &package, POOLS);
        let others = [SERVER, "Device.DHCPv6.Server.Pool.{i}.Client.{i}."];
        let others = others.into_iter().flat_map(|object| by_row(object, changes).into_values());
        let mut faults: Vec<_> = others.flatten().map(|(_, change)| not_writable(change)).collect();
        let dhcp = edits.package(DHCP).await?;
        for (numbers, changes) in by_row(POOL, changes) {
            let row = numbers.first().map(|number| format!("{POOLS}{number}"));
            let section =
                pools.iter().find(|(path, _)| Some(path) == row.as_ref()).map(|(_, section)| *section);
            let change = |change: InRow<'_>| match section {
                Some(section) => edit_pool(section, change, dhcp),
                None => Some(not_writable(change.1)),
            };
            faults.extend(changes.into_iter().filter_map(change));
        }
        Ok(faults)
    }
}

fn pool(survey: &Survey, section: &Section, network: &Network, out: &mut dyn ParameterSink) {
    let interface = section.get("interface").and_then(|name| network.interface(name));
    let enabled = is_enabled(section);
    out.parameter("Enable", &enabled, ReadWrite);
    let prefixes =
        interface.map(|interface| offered_prefixes(survey, network, interface)).unwrap_or_default();
    let status = match (enabled, interface) {
        (false, _) => "Disabled",
        (true, Some(_)) => "Enabled",
        (true, None) => "Error_Misconfigured",
    };
    out.parameter("Status", &status, ReadOnly);
    out.parameter("Interface", &interface.map_or("", |interface| interface.path.as_str()), ReadOnly);
    for (name, value) in SELECTION {
        out.parameter(name, &value, ReadOnly);
    }
    for (kind, option) in [("IANA", "dhcpv6_na"), ("IAPD", "dhcpv6_pd")] {
        let gives = section.get(option) != Some("0");
        out.parameter(&format!("{kind}Enable"), &gives, ReadWrite);
        out.parameter(&format!("{kind}ManualPrefixes"), &"", ReadOnly);
        let prefixes = if enabled && gives { prefixes.join(",") } else { String::new() };
        out.parameter(&format!("{kind}Prefixes"), &prefixes, ReadOnly);
    }
}

fn edit_pool(
    section: &Section,
    (name, change): InRow<'_>,
    dhcp: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let (of, is_on) = (section.name(), change.value == "true");
    match name {
        "Enable" if is_on == is_enabled(section) => {}
        "Enable" if is_on => {
            // Ignored is all of the section; the side of DHCPv4 stays off.
            if section.get("ignore") == Some("1") {
                dhcp.unset(of, "ignore");
                dhcp.set(of, "dhcpv4", "disabled");
            }
            dhcp.set(of, "dhcpv6", "server");
        }
        "Enable" => dhcp.set(of, "dhcpv6", "disabled"),
        "IANAEnable" => dhcp.set_bool(of, "dhcpv6_na", is_on, true),
        "IAPDEnable" => dhcp.set_bool(of, "dhcpv6_pd", is_on, true),
        _ => return Some(not_writable(change)),
    }
    None
}

/// The leases of a device by the DUID of their clients.
fn clients(device: &Table) -> Vec<(&str, Vec<&Table>)> {
    let mut clients = Vec::<(&str, Vec<&Table>)>::new();
    for lease in tables(device, "leases") {
        let is_duid = |duid: &&str| {
            !duid.is_empty()
                && duid.len() <= DUID_DIGITS
                && duid.len().is_multiple_of(2)
                && duid.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let Some(duid) = lease.str("duid").filter(is_duid) else { continue };
        let room = clients.len() < limits::ROWS;
        match clients.iter_mut().find(|(known, _)| *known == duid) {
            Some((_, leases)) => leases.push(lease),
            None if room => clients.push((duid, vec![lease])),
            None => {}
        }
    }
    clients
}

/// What a lease gives: an address, or a prefix.
struct Given {
    text: String,
    preferred: Option<i64>,
    valid: Option<i64>,
}

fn given(leases: &[&Table], list: &str, length: Option<&str>) -> Vec<Given> {
    let entries = leases.iter().flat_map(|lease| tables(lease, list));
    let given = entries.filter_map(|entry| {
        let address: std::net::Ipv6Addr = entry.str("address")?.parse().ok()?;
        let text = match length {
            None => address.to_string(),
            Some(name) => {
                let length = entry.i64(name).filter(|length| (0..=128).contains(length))?;
                format!("{address}/{length}")
            }
        };
        // All ones are for ever, whichever sign that has on the bus.
        let left = |name: &str| entry.i64(name).filter(|left| (0..i64::from(u32::MAX)).contains(left));
        Some(Given { text, preferred: left("preferred-lifetime"), valid: left("valid-lifetime") })
    });
    given.take(limits::ADDRESSES).collect()
}

fn client(
    survey: &Survey,
    path: &str,
    (duid, leases): (&str, &[&Table]),
    neighbours: &[Neighbour],
    out: &mut dyn ParameterSink,
) {
    let addresses = given(leases, "ipv6-addr", None);
    let prefixes = given(leases, "ipv6-prefix", Some("prefix-length"));
    let mac = mac_of_duid(duid);
    let own: Vec<IpAddr> = addresses.iter().filter_map(|given| given.text.parse().ok()).collect();
    let is_own = |one: &&Neighbour| Some(&one.mac) == mac.as_ref() || own.contains(&one.address);
    // It asks from the address of its link.
    let is_local = |address: &IpAddr| matches!(address, IpAddr::V6(one) if one.is_unicast_link_local());
    let source = neighbours.iter().filter(is_own).map(|one| one.address).find(is_local);
    out.object(path, ROW);
    out.parameter("SourceAddress", &source.map(|one| one.to_string()).unwrap_or_default(), ReadOnly);
    let is_there = |one: &Neighbour| one.reachable || one.confirmed < PRESENT;
    out.parameter("Active", &neighbours.iter().filter(is_own).any(is_there), ReadOnly);
    let moment = survey.moment();
    for (table, name, rows) in [("IPv6Address.", "IPAddress", addresses), ("IPv6Prefix.", "Prefix", prefixes)]
    {
        let table = format!("{path}{table}");
        out.object(&table, TABLE);
        let numbers = survey.numbers(&table, rows.iter().map(|row| row.text.as_str()));
        for (row, number) in rows.iter().zip(numbers) {
            let Some(number) = number else { continue };
            out.object(&format!("{table}{number}."), ROW);
            out.parameter(name, &row.text, ReadOnly);
            out.parameter("PreferredLifetime", &end(moment, row.preferred), ReadOnly);
            out.parameter("ValidLifetime", &end(moment, row.valid), ReadOnly);
        }
    }
    let table = format!("{path}Option.");
    out.object(&table, TABLE);
    if let Some(Some(number)) = survey.numbers(&table, ["1"]).first() {
        out.object(&format!("{table}{number}."), ROW);
        out.parameter("Tag", &CLIENT_ID, ReadOnly);
        out.parameter("Value", &duid.to_ascii_uppercase(), ReadOnly);
    }
}

#[cfg(test)]
mod tests {
    use cwmp_core::{fault::FaultCode, rpc::Status};
    use cwmp_platform::source::ParameterSource;
    use serde_json::json;

    use super::*;
    use crate::testing::{Fake, assert_valid, change, lan_and_wan, values};

    const FILE: &str = "
config dhcp 'lan'
\toption interface 'lan'
\toption dhcpv6 'server'
\toption ra 'server'

config dhcp 'wan'
\toption interface 'wan'
\toption ignore '1'

";

    fn fake() -> Fake {
        let fake = lan_and_wan();
        fake.uci("dhcp", FILE);
        let lease = |iaid: u32, list: &str, given: serde_json::Value| {
            json!({"duid": "0003000102005e100007", "iaid": iaid, "hostname": "laptop", "flags": ["bound"],
                   "valid": 3300, list: [given]})
        };
        let address =
            json!({"address": "2001:db8:aa00::107", "preferred-lifetime": 1500, "valid-lifetime": -1});
        let prefix = json!({"address": "2001:db8:aa00:4::", "prefix-length": 62, "preferred-lifetime": 1500,
                            "valid-lifetime": 3300});
        fake.bus.answer(
            "dhcp",
            "ipv6leases",
            json!({"device": {"br-lan": {"leases": [
                lease(1, "ipv6-addr", address), lease(2, "ipv6-prefix", prefix),
                {"duid": "not hexadecimal", "ipv6-addr": []},
            ]}}}),
        );
        fake.kernel.neighbours.borrow_mut().push(Neighbour {
            index: 2,
            address: "fe80::7".parse().unwrap(),
            mac: "02:00:5e:10:00:07".to_owned(),
            reachable: true,
            confirmed: 0,
        });
        fake
    }

    #[tokio::test]
    async fn pools_have_the_clients_that_odhcpd_tells() {
        let fake = fake();
        let source = fake.source_of(Server);
        let pool = values(&source, "Device.DHCPv6.Server.Pool.1.").await;
        assert_eq!(
            pool,
            "Client.1.Active=true\nClient.1.IPv6Address.1.IPAddress=2001:db8:aa00::107\n\
             Client.1.IPv6Address.1.PreferredLifetime=2027-01-15T08:25:00Z\n\
             Client.1.IPv6Address.1.ValidLifetime=9999-12-31T23:59:59Z\n\
             Client.1.IPv6Prefix.1.PreferredLifetime=2027-01-15T08:25:00Z\n\
             Client.1.IPv6Prefix.1.Prefix=2001:db8:aa00:4::/62\n\
             Client.1.IPv6Prefix.1.ValidLifetime=2027-01-15T08:55:00Z\n\
             Client.1.Option.1.Tag=1\nClient.1.Option.1.Value=0003000102005E100007\nClient.1.SourceAddress=fe80::7\n\
             DUID=\nDUIDExclude=false\nEnable=true\nIANAEnable=true\nIANAManualPrefixes=\n\
             IANAPrefixes=Device.IP.Interface.2.IPv6Prefix.1,Device.IP.Interface.2.IPv6Prefix.2\n\
             IAPDEnable=true\nIAPDManualPrefixes=\n\
             IAPDPrefixes=Device.IP.Interface.2.IPv6Prefix.1,Device.IP.Interface.2.IPv6Prefix.2\n\
             Interface=Device.IP.Interface.2\nOrder=1\nSourceAddress=\nSourceAddressExclude=false\n\
             SourceAddressMask=\nStatus=Enabled\nUserClassID=\nUserClassIDExclude=false\nVendorClassID=\n\
             VendorClassIDExclude=false\n"
        );
        let wan = values(&source, "Device.DHCPv6.Server.Pool.2.").await;
        assert!(wan.contains("IANAPrefixes=\n") && wan.contains("Status=Disabled\n"), "{wan}");
        assert_valid(&source).await;
        // What the pools refer to is there.
        let all = fake.source();
        assert!(!values(&all, "Device.IP.Interface.2.IPv6Prefix.2.").await.is_empty());
    }

    #[tokio::test]
    async fn pools_are_switched() {
        let fake = fake();
        let source = fake.source_of(Server);
        values(&source, SERVER).await;
        let name = |name: &str| format!("{POOLS}{name}");
        let changes = [
            change(&name("1.Enable"), "false"),
            change(&name("1.IAPDEnable"), "false"),
            change(&name("2.Enable"), "true"),
        ];
        assert_eq!(source.check(&changes).await, []);
        assert_eq!(source.apply(&changes).await, Ok(Status::Applied));
        let expected = FILE
            .replace(
                "dhcpv6 'server'\n\toption ra 'server'\n",
                "dhcpv6 'disabled'\n\toption ra 'server'\n\toption dhcpv6_pd '0'\n",
            )
            .replace("ignore '1'\n", "dhcpv4 'disabled'\n\toption dhcpv6 'server'\n");
        assert_eq!(fake.file("dhcp"), expected);
        for parameter in ["1.DUID", "1.Interface", "1.Client.1.Active", "9.Enable"] {
            let faults = source.check(&[change(&name(parameter), "true")]).await;
            assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [FaultCode::NOT_WRITABLE]);
        }
        assert!(source.add(POOLS, &[]).await.is_err());
    }
}
