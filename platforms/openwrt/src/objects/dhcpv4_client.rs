//! Device.DHCPv4.Client: logical interfaces whose protocol is `dhcp`.
//!
//! The client is the interface: both have one switch, and one comes and goes with the other. How long a lease still lasts netifd
//! does not say, only how long it was given for.

use std::{net::Ipv4Addr, rc::Rc};

use async_trait::async_trait;
use cwmp_core::fault::SetParameterValuesFault;
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_ubus::{Table, Value};
use cwmp_uci::Section;

use crate::{
    edits::Edits,
    limits,
    network::{Network, Subnet, tables},
    part::{Part, by_row, invalid, not_writable},
    survey::Survey,
};

const CLIENT: &str = "Device.DHCPv4.Client.{i}.";
const CLIENTS: &str = "Device.DHCPv4.Client.";
const NETWORK: &str = "network";

pub(crate) struct Client;

fn sections(network: &Network) -> impl Iterator<Item = &Section> {
    let interfaces = network.package.of_type("interface");
    interfaces.filter(|section| section.get("proto") == Some("dhcp")).take(limits::ROWS)
}

#[async_trait(?Send)]
impl Part for Client {
    fn objects(&self) -> &'static [&'static str] {
        &[CLIENT]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let network = survey.network().await?;
        out.object(CLIENTS, ObjectKind::Table { addable: false });
        let numbers = survey.numbers(CLIENTS, sections(&network).map(Section::name));
        for (section, number) in sections(&network).zip(numbers) {
            let Some(number) = number else { continue };
            out.object(&format!("{CLIENTS}{number}."), ObjectKind::Instance { deletable: false });
            row(&network, section, out);
        }
        Ok(())
    }

    async fn edit(
        &self,
        changes: &[&Change],
        edits: &mut Edits,
    ) -> Result<Vec<SetParameterValuesFault>, SourceError> {
        let survey = Rc::clone(edits.survey());
        let network = survey.network().await?;
        let mut faults = Vec::new();
        for (numbers, mut changes) in by_row(CLIENT, changes) {
            let key = numbers.first().and_then(|number| survey.key(CLIENTS, *number));
            let section = sections(&network).find(|section| Some(section.name()) == key.as_deref());
            // The switch first: a client that is off renews nothing.
            changes.sort_by_key(|(name, _)| *name != "Enable");
            for (name, change) in changes {
                let value = change.value == "true";
                match (name, section) {
                    ("Enable", Some(section)) => {
                        edits.package(NETWORK).await?.set_bool(section.name(), "disabled", !value, false);
                    }
                    ("Renew", Some(_)) if !value => {}
                    ("Renew", Some(section)) => {
                        let name = section.name();
                        let disabled = edits.package(NETWORK).await?.get(name, "disabled");
                        if disabled.as_deref() == Some("1") {
                            faults.push(invalid(change, "the client is not enabled"));
                        } else {
                            edits.call(format!("network.interface.{name}"), "renew", Table::new());
                        }
                    }
                    _ => faults.push(not_writable(change)),
                }
            }
        }
        Ok(faults)
    }
}

fn row(network: &Network, section: &Section, out: &mut dyn ParameterSink) {
    let interface = network.interface(section.name());
    let state = interface.and_then(|interface| {
        network.states(interface).find(|state| state.str("interface") == Some(section.name()))
    });
    let enabled = section.get("disabled") != Some("1");
    out.parameter("Enable", &enabled, ReadWrite);
    out.parameter("Interface", &interface.map_or("", |interface| interface.path.as_str()), ReadOnly);
    out.parameter("Status", &if enabled { "Enabled" } else { "Disabled" }, ReadOnly);
    let has = state.into_iter().flat_map(|state| tables(state, "ipv4-address"));
    let subnet = has.filter_map(|entry| Subnet::of(entry.str("address")?.parse().ok()?, entry.i64("mask")?));
    let subnet = subnet.take(1).next();
    let pending = state.and_then(|state| state.bool("pending")).unwrap_or(false);
    let status = match subnet {
        Some(_) => "Bound",
        None if enabled && pending => "Selecting",
        None => "Init",
    };
    out.parameter("DHCPStatus", &status, ReadOnly);
    out.parameter("Renew", &false, ReadWrite);
    let text = |address: Option<Ipv4Addr>| address.map(|address| address.to_string()).unwrap_or_default();
    out.parameter("IPAddress", &text(subnet.map(|subnet| subnet.address)), ReadOnly);
    out.parameter("SubnetMask", &text(subnet.map(Subnet::mask)), ReadOnly);
    let routes = state.into_iter().flat_map(|state| tables(state, "route"));
    let defaults = routes.filter(|route| route.i64("mask") == Some(0));
    out.parameter("IPRouters", &list(defaults.filter_map(|route| route.str("nexthop"))), ReadOnly);
    let servers = state.into_iter().flat_map(|state| state.array("dns-server"));
    out.parameter("DNSServers", &list(servers.filter_map(Value::as_str)), ReadOnly);
    let server = state.and_then(|state| state.table("data")?.str("dhcpserver")?.parse().ok());
    out.parameter("DHCPServer", &text(server), ReadOnly);
}

/// The IPv4 addresses among these.
fn list<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let addresses = texts.filter_map(|text| text.parse::<Ipv4Addr>().ok()).take(limits::ADDRESSES);
    addresses.map(|address| address.to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use cwmp_core::{fault::FaultCode, rpc::Status};
    use cwmp_platform::source::ParameterSource;
    use serde_json::json;

    use super::*;
    use crate::testing::{Fake, assert_valid, change, values};

    const FILE: &str = "
config interface 'lan'
\toption device 'br-lan'
\toption proto 'static'

config interface 'wan'
\toption device 'eth0'
\toption proto 'dhcp'

config interface 'spare'
\toption device 'eth1'
\toption proto 'dhcp'
\toption disabled '1'

";

    fn fake() -> Fake {
        let fake = Fake::new();
        fake.uci("network", FILE);
        fake.bus.answer(
            "network.interface",
            "dump",
            json!({"interface": [{"interface": "wan", "up": true, "proto": "dhcp", "l3_device": "eth0",
                "ipv4-address": [{"address": "198.51.100.7", "mask": 24}],
                "route": [{"target": "0.0.0.0", "mask": 0, "nexthop": "198.51.100.1"},
                          {"target": "10.0.0.0", "mask": 8, "nexthop": "198.51.100.9"}],
                "dns-server": ["203.0.113.53", "2001:db8::53"],
                "data": {"leasetime": 3600, "dhcpserver": "198.51.100.2"}}]}),
        );
        fake.bus.answer("network.interface.wan", "renew", json!({}));
        fake
    }

    #[tokio::test]
    async fn clients_are_the_interfaces_that_ask_for_an_address() {
        let fake = fake();
        let source = fake.source_of(Client);
        assert_eq!(
            values(&source, CLIENTS).await,
            "1.DHCPServer=198.51.100.2\n1.DHCPStatus=Bound\n1.DNSServers=203.0.113.53\n1.Enable=true\n\
             1.IPAddress=198.51.100.7\n1.IPRouters=198.51.100.1\n1.Interface=Device.IP.Interface.2\n1.Renew=false\n\
             1.Status=Enabled\n1.SubnetMask=255.255.255.0\n\
             2.DHCPServer=\n2.DHCPStatus=Init\n2.DNSServers=\n2.Enable=false\n2.IPAddress=\n2.IPRouters=\n\
             2.Interface=Device.IP.Interface.3\n2.Renew=false\n2.Status=Disabled\n2.SubnetMask=\n"
        );
        assert_valid(&source).await;
    }

    #[tokio::test]
    async fn a_client_renews_its_lease_and_is_switched() {
        let fake = fake();
        let source = fake.source_of(Client);
        values(&source, CLIENTS).await;
        fake.bus.asked();
        let renew = [change("Device.DHCPv4.Client.1.Renew", "true")];
        assert_eq!(source.check(&renew).await, []);
        // Judging it does nothing.
        assert_eq!(fake.bus.asked(), [""; 0]);
        assert_eq!(source.apply(&renew).await, Ok(Status::Committed));
        assert_eq!(fake.bus.asked().last().map(String::as_str), Some("network.interface.wan renew"));
        assert_eq!(fake.file("network"), FILE);
        let nothing = [change("Device.DHCPv4.Client.1.Renew", "false")];
        assert_eq!(source.apply(&nothing).await, Ok(Status::Applied));
        let switch = [
            change("Device.DHCPv4.Client.1.Enable", "false"),
            change("Device.DHCPv4.Client.2.Enable", "true"),
        ];
        assert_eq!(source.apply(&switch).await, Ok(Status::Committed));
        let expected = FILE.replace("\toption disabled '1'\n", "").replace(
            "'eth0'\n\toption proto 'dhcp'\n",
            "'eth0'\n\toption proto 'dhcp'\n\toption disabled '1'\n",
        );
        assert_eq!(fake.file("network"), expected);
        for (name, code) in [
            ("1.Renew", FaultCode::INVALID_PARAMETER_VALUE),
            ("1.Interface", FaultCode::NOT_WRITABLE),
            ("7.Enable", FaultCode::NOT_WRITABLE),
        ] {
            let faults = source.check(&[change(&format!("{CLIENTS}{name}"), "true")]).await;
            assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{name}");
        }
        assert!(source.add(CLIENTS, &[]).await.is_err());
        assert!(source.delete("Device.DHCPv4.Client.1.", &[]).await.is_err());
    }
}
