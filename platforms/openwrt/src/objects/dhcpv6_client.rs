//! Device.DHCPv6.Client: logical interfaces whose protocol is `dhcpv6`, those that netifd makes by itself (`wan_6` of a PPPoE
//! line) included.
//!
//! The client is the interface, as with DHCPv4. Of the options that odhcp6c has received netifd tells those that it passes
//! on; who sent them it does not tell, so the table of servers is empty.

use std::rc::Rc;

use async_trait::async_trait;
use cwmp_core::fault::SetParameterValuesFault;
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_ubus::Table;
use cwmp_uci::Section;

use crate::{
    edits::{Edits, PackageEdits},
    limits,
    network::Network,
    part::{Part, by_row, invalid, not_writable},
    survey::Survey,
};

const DHCPV6: &str = "Device.DHCPv6.";
const CLIENT: &str = "Device.DHCPv6.Client.{i}.";
const CLIENTS: &str = "Device.DHCPv6.Client.";
const NETWORK: &str = "network";
const TABLE: ObjectKind = ObjectKind::Table { addable: false };
const ROW: ObjectKind = ObjectKind::Instance { deletable: false };
/// Most options of each direction.
const OPTIONS: usize = 64;
/// Bytes of the code and of the length of an option (RFC 8415, 21.1), in hexadecimal digits.
const CODE_DIGITS: usize = 4;

pub(crate) struct Client;

/// A client: its section, or what netifd says of one that has none.
struct Row<'n> {
    name: &'n str,
    section: Option<&'n Section>,
    state: Option<&'n Table>,
}

fn rows(network: &Network) -> Vec<Row<'_>> {
    let states = || network.interfaces().iter().flat_map(|interface| network.states(interface));
    let is_client = |section: &&Section| section.get("proto") == Some("dhcpv6");
    let sections = network.package.of_type("interface").filter(is_client);
    let mut rows: Vec<Row<'_>> = sections
        .map(|section| {
            let state = states().find(|state| state.str("interface") == Some(section.name()));
            Row { name: section.name(), section: Some(section), state }
        })
        .collect();
    for state in states().filter(|state| state.str("proto") == Some("dhcpv6")) {
        let Some(name) = state.str("interface") else { continue };
        if network.package.section(name).is_none() {
            rows.push(Row { name, section: None, state: Some(state) });
        }
    }
    rows.truncate(limits::ROWS);
    rows
}

#[async_trait(?Send)]
impl Part for Client {
    fn objects(&self) -> &'static [&'static str] {
        &[
            DHCPV6,
            CLIENT,
            "Device.DHCPv6.Client.{i}.Server.{i}.",
            "Device.DHCPv6.Client.{i}.SentOption.{i}.",
            "Device.DHCPv6.Client.{i}.ReceivedOption.{i}.",
        ]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let network = survey.network().await?;
        let rows = rows(&network);
        out.object(DHCPV6, ObjectKind::Single);
        out.object(CLIENTS, TABLE);
        let numbers = survey.numbers(CLIENTS, rows.iter().map(|row| row.name));
        for (row, number) in rows.iter().zip(numbers) {
            let Some(number) = number else { continue };
            let path = format!("{CLIENTS}{number}.");
            out.object(&path, ROW);
            client(&network, row, out);
            out.object(&format!("{path}Server."), TABLE);
            let sent = row.section.map(sent_options).unwrap_or_default();
            options(survey, &format!("{path}SentOption."), &sent, true, out);
            let passed = row.state.and_then(|state| state.table("data")?.str("passthru"));
            let received = passed.map(received_options).unwrap_or_default();
            options(survey, &format!("{path}ReceivedOption."), &received, false, out);
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
        let rows = rows(&network);
        for (numbers, mut changes) in by_row(CLIENT, changes) {
            let key = numbers.first().and_then(|number| survey.key(CLIENTS, *number));
            let row = rows.iter().find(|row| Some(row.name) == key.as_deref());
            let section = row.and_then(|row| row.section);
            // The switch first: a client that is off renews nothing.
            changes.sort_by_key(|(name, _)| *name != "Enable");
            for (name, change) in changes {
                match (name, row, section) {
                    ("Renew", Some(row), _) => {
                        let disabled = match section {
                            Some(_) => edits.package(NETWORK).await?.get(row.name, "disabled"),
                            None => None,
                        };
                        if change.value != "true" {
                        } else if disabled.as_deref() == Some("1") {
                            faults.push(invalid(change, "the client is not enabled"));
                        } else {
                            edits.call(format!("network.interface.{}", row.name), "renew", Table::new());
                        }
                    }
                    (_, _, Some(section)) => {
                        faults.extend(edit(section.name(), name, change, edits.package(NETWORK).await?));
                    }
                    _ => faults.push(not_writable(change)),
                }
            }
        }
        let below = ["Server.{i}.", "SentOption.{i}.", "ReceivedOption.{i}."];
        let below = below.iter().flat_map(|table| by_row(&format!("{CLIENT}{table}"), changes).into_values());
        faults.extend(below.flatten().map(|(_, change)| not_writable(change)));
        Ok(faults)
    }
}

fn client(network: &Network, row: &Row<'_>, out: &mut dyn ParameterSink) {
    let interface = network.interface(row.name);
    let option = |name: &str| row.section.and_then(|section| section.get(name));
    let access = if row.section.is_some() { ReadWrite } else { ReadOnly };
    let enabled = option("disabled") != Some("1");
    out.parameter("Enable", &enabled, access);
    let status = match (enabled, interface) {
        (false, _) => "Disabled",
        (true, Some(_)) => "Enabled",
        (true, None) => "Error_Misconfigured",
    };
    out.parameter("Status", &status, ReadOnly);
    out.parameter("Interface", &interface.map_or("", |interface| interface.path.as_str()), ReadOnly);
    out.parameter("Renew", &false, ReadWrite);
    out.parameter("RequestAddresses", &(option("reqaddress") != Some("none")), access);
    out.parameter("RequestPrefixes", &(option("reqprefix") != Some("no")), access);
    let requested = row.section.map(|section| section.words("reqopts")).unwrap_or_default();
    let requested = requested.iter().filter(|option| option.parse::<u16>().is_ok()).take(OPTIONS);
    out.parameter("RequestedOptions", &requested.copied().collect::<Vec<_>>().join(","), access);
    // Without one of its own, the client has the one of the box.
    if let Some(duid) = option("clientid").filter(|digits| is_bytes(digits)) {
        out.parameter("DUID", &duid.to_ascii_uppercase(), ReadOnly);
    }
}

fn edit(
    section: &str,
    name: &str,
    change: &Change,
    edits: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let value = change.value.as_str();
    let is_on = value == "true";
    match name {
        "Enable" => edits.set_bool(section, "disabled", !is_on, false),
        // `force` and the lengths of prefixes stay where they say yes already.
        "RequestAddresses" if is_on && edits.get(section, "reqaddress").as_deref() != Some("none") => {}
        "RequestAddresses" => edits.set(section, "reqaddress", if is_on { "" } else { "none" }),
        "RequestPrefixes" if is_on && edits.get(section, "reqprefix").as_deref() != Some("no") => {}
        "RequestPrefixes" => edits.set(section, "reqprefix", if is_on { "" } else { "no" }),
        "RequestedOptions" => {
            let options: Vec<&str> = value.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
            let fits = |option: &&str| option.parse::<u16>().is_ok();
            if options.len() > OPTIONS || !options.iter().all(fits) {
                return Some(invalid(change, format!("at most {OPTIONS} options, 0 to 65535")));
            }
            edits.set(section, "reqopts", &options.join(" "));
        }
        _ => return Some(not_writable(change)),
    }
    None
}

/// An option: its code, and its value in hexadecimal digits.
type DhcpOption = (u16, String);

fn is_bytes(digits: &str) -> bool {
    !digits.is_empty()
        && digits.len().is_multiple_of(2)
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `16:0000...`; options by name, or with a value that is text, odhcp6c turns into bytes by itself and are left out.
fn sent_options(section: &Section) -> Vec<DhcpOption> {
    let words = section.words("sendopts").into_iter();
    let options = words.filter_map(|word| {
        let (code, digits) = word.split_once(':')?;
        Some((code.parse().ok()?, digits.to_ascii_uppercase())).filter(|_| is_bytes(digits))
    });
    options.take(OPTIONS).collect()
}

/// Options as they came: code, length and value of each. What is cut off at the end is left out.
fn received_options(digits: &str) -> Vec<DhcpOption> {
    let (mut rest, mut options) = (digits, Vec::new());
    while options.len() < OPTIONS {
        let number = |text: Option<&str>| u16::from_str_radix(text?, 16).ok();
        let code = number(rest.get(..CODE_DIGITS));
        let length = number(rest.get(CODE_DIGITS..2 * CODE_DIGITS));
        let Some((code, length)) = code.zip(length) else { break };
        let end = 2 * CODE_DIGITS + 2 * usize::from(length);
        let Some(value) = rest.get(2 * CODE_DIGITS..end) else { break };
        if !(value.is_empty() || is_bytes(value)) {
            break;
        }
        options.push((code, value.to_ascii_uppercase()));
        rest = rest.get(end..).unwrap_or_default();
    }
    options
}

fn options(survey: &Survey, table: &str, options: &[DhcpOption], sent: bool, out: &mut dyn ParameterSink) {
    out.object(table, TABLE);
    let mut keys = Vec::<String>::new();
    for (code, _) in options {
        let count = options.iter().take(keys.len()).filter(|(other, _)| other == code).count();
        keys.push(format!("{code}#{count}"));
    }
    let numbers = survey.numbers(table, keys.iter().map(String::as_str));
    for ((code, value), number) in options.iter().zip(numbers) {
        let Some(number) = number else { continue };
        out.object(&format!("{table}{number}."), ROW);
        if sent {
            out.parameter("Enable", &true, ReadOnly);
        }
        out.parameter("Tag", code, ReadOnly);
        out.parameter("Value", value, ReadOnly);
        if !sent {
            out.parameter("Server", &"", ReadOnly);
        }
    }
}

#[cfg(test)]
mod tests {
    use cwmp_core::{fault::FaultCode, rpc::Status};
    use cwmp_platform::source::ParameterSource;
    use serde_json::json;

    use super::*;
    use crate::testing::{Fake, assert_valid, change, values};

    const FILE: &str = "
config interface 'wan'
\toption device 'eth0'
\toption proto 'pppoe'

config interface 'wan6'
\toption device '@wan'
\toption proto 'dhcpv6'
\toption reqprefix '56'
\toption reqopts '23 24'
\toption clientid '0003000102005e100001'
\tlist sendopts '16:00000de9'
\tlist sendopts 'userclass:text'

config interface 'spare'
\toption device 'eth1'
\toption proto 'dhcpv6'
\toption disabled '1'
\toption reqprefix 'no'
\toption reqaddress 'none'

";

    fn fake() -> Fake {
        let fake = Fake::new();
        fake.uci("network", FILE);
        let passed = "0017001020010db800ff0000000000000000005300170000001fff";
        fake.bus.answer(
            "network.interface",
            "dump",
            json!({"interface": [
                {"interface": "wan", "up": true, "proto": "pppoe", "l3_device": "pppoe-wan"},
                {"interface": "wan6", "up": true, "proto": "dhcpv6", "l3_device": "pppoe-wan",
                 "data": {"passthru": passed}},
                {"interface": "wan_6", "up": true, "proto": "dhcpv6", "l3_device": "pppoe-wan"},
            ]}),
        );
        fake.bus.answer("network.interface.wan_6", "renew", json!({}));
        fake
    }

    #[tokio::test]
    async fn clients_are_the_interfaces_that_ask_for_ipv6() {
        let fake = fake();
        let source = fake.source_of(Client);
        assert_eq!(
            values(&source, CLIENTS).await,
            "1.DUID=0003000102005E100001\n1.Enable=true\n1.Interface=Device.IP.Interface.1\n\
             1.ReceivedOption.1.Server=\n1.ReceivedOption.1.Tag=23\n\
             1.ReceivedOption.1.Value=20010DB800FF00000000000000000053\n\
             1.ReceivedOption.2.Server=\n1.ReceivedOption.2.Tag=23\n1.ReceivedOption.2.Value=\n\
             1.Renew=false\n1.RequestAddresses=true\n1.RequestPrefixes=true\n1.RequestedOptions=23,24\n\
             1.SentOption.1.Enable=true\n1.SentOption.1.Tag=16\n1.SentOption.1.Value=00000DE9\n1.Status=Enabled\n\
             2.Enable=false\n2.Interface=Device.IP.Interface.2\n2.Renew=false\n2.RequestAddresses=false\n\
             2.RequestPrefixes=false\n2.RequestedOptions=\n2.Status=Disabled\n\
             3.Enable=true\n3.Interface=Device.IP.Interface.1\n3.Renew=false\n3.RequestAddresses=true\n\
             3.RequestPrefixes=true\n3.RequestedOptions=\n3.Status=Enabled\n"
        );
        assert_valid(&source).await;
    }

    #[tokio::test]
    async fn clients_are_switched_and_told_what_to_ask_for() {
        let fake = fake();
        let source = fake.source_of(Client);
        values(&source, CLIENTS).await;
        let name = |name: &str| format!("{CLIENTS}{name}");
        let changes = [
            change(&name("1.RequestPrefixes"), "true"),
            change(&name("1.RequestAddresses"), "false"),
            change(&name("1.RequestedOptions"), "23,31"),
            change(&name("2.Enable"), "true"),
            change(&name("2.RequestPrefixes"), "true"),
            change(&name("2.RequestAddresses"), "true"),
        ];
        assert_eq!(source.check(&changes).await, []);
        assert_eq!(source.apply(&changes).await, Ok(Status::Committed));
        let file = fake.file("network");
        // The length that was asked for stays.
        assert!(file.contains("\toption reqprefix '56'\n\toption reqopts '23 31'\n"), "{file}");
        assert!(file.contains("\toption reqaddress 'none'\n\nconfig interface 'spare'\n"), "{file}");
        assert!(file.ends_with("\toption device 'eth1'\n\toption proto 'dhcpv6'\n\n"), "{file}");
        fake.bus.asked();
        source.apply(&[change(&name("3.Renew"), "true")]).await.unwrap();
        assert_eq!(fake.bus.asked().last().map(String::as_str), Some("network.interface.wan_6 renew"));
        for (parameter, value, code) in [
            ("1.RequestedOptions", "23,65536", FaultCode::INVALID_PARAMETER_VALUE),
            ("1.Interface", "Device.IP.Interface.2", FaultCode::NOT_WRITABLE),
            ("1.SentOption.1.Value", "00", FaultCode::NOT_WRITABLE),
            ("3.Enable", "false", FaultCode::NOT_WRITABLE),
            ("9.Renew", "true", FaultCode::NOT_WRITABLE),
        ] {
            let faults = source.check(&[change(&name(parameter), value)]).await;
            assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{parameter}");
        }
        source.apply(&[change(&name("1.Enable"), "false")]).await.unwrap();
        let faults = source.check(&[change(&name("1.Renew"), "true")]).await;
        assert_eq!(faults[0].code, FaultCode::INVALID_PARAMETER_VALUE);
        assert!(source.add(CLIENTS, &[]).await.is_err());
    }

    #[test]
    fn options_that_are_cut_off_or_no_bytes_are_left_out() {
        assert_eq!(received_options("0017"), []);
        assert_eq!(received_options("00170002zz00"), []);
        assert_eq!(received_options("00170001ab0018ü"), [(0x17, "AB".to_owned())]);
        assert_eq!(received_options(&"00010000".repeat(1000)).len(), OPTIONS);
    }
}
