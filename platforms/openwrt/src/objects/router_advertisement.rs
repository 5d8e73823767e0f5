//! Device.RouterAdvertisement: the `ra` options of the `dhcp` sections, as odhcpd announces them. A row comes and goes with
//! the pool of DHCPv4 that the section is as well.

use std::{net::Ipv6Addr, rc::Rc};

use async_trait::async_trait;
use cwmp_core::fault::SetParameterValuesFault;
use cwmp_platform::source::{
    Access::{ReadOnly, ReadWrite},
    Change, ObjectKind, ParameterSink, SourceError, Wanted,
};
use cwmp_uci::Section;

use super::{
    dhcpv4_pool::{DHCP, served},
    ip::offered_prefixes,
};
use crate::{
    edits::{Edits, PackageEdits},
    limits,
    network::Network,
    part::{InRow, Part, by_row, invalid, not_writable},
    survey::Survey,
};

const ROOT: &str = "Device.RouterAdvertisement.";
const SETTING: &str = "Device.RouterAdvertisement.InterfaceSetting.{i}.";
const SETTINGS: &str = "Device.RouterAdvertisement.InterfaceSetting.";
/// Numbers: parameter, option, and what odhcpd takes without it.
const NUMBERS: [(&str, &str, u32); 7] = [
    ("MaxRtrAdvInterval", "ra_maxinterval", 600),
    ("MinRtrAdvInterval", "ra_mininterval", 200),
    ("AdvDefaultLifetime", "ra_lifetime", 1800),
    ("AdvLinkMTU", "ra_mtu", 0),
    ("AdvReachableTime", "ra_reachabletime", 0),
    ("AdvRetransTimer", "ra_retranstime", 0),
    ("AdvCurHopLimit", "ra_hoplimit", 0),
];
/// Flags: parameter, and the word in `ra_flags`.
const FLAGS: [(&str, &str); 3] = [
    ("AdvManagedFlag", "managed-config"),
    ("AdvOtherConfigFlag", "other-config"),
    ("AdvMobileAgentFlag", "home-agent"),
];
/// The flags without the option.
const USUAL_FLAGS: [&str; 1] = ["other-config"];
/// The option that says there are no flags.
const NO_FLAGS: &str = "none";
/// What odhcpd takes for a link's MTU besides none.
const MTU: std::ops::RangeInclusive<u32> = 1280..=65_535;
const PREFERENCES: [(&str, &str); 3] = [("High", "high"), ("Medium", "medium"), ("Low", "low")];

pub(crate) struct RouterAdvertisement;

fn is_enabled(section: &Section) -> bool {
    section.get("ignore") != Some("1") && matches!(section.get("ra"), Some("server" | "hybrid"))
}

#[async_trait(?Send)]
impl Part for RouterAdvertisement {
    fn objects(&self) -> &'static [&'static str] {
        &[ROOT, SETTING]
    }

    async fn read(
        &self,
        survey: &Survey,
        _: &Wanted<'_>,
        out: &mut dyn ParameterSink,
    ) -> Result<(), SourceError> {
        let (network, package) = (survey.network().await?, survey.uci(DHCP).await?);
        let rows = served(survey, &package, SETTINGS);
        out.object(ROOT, ObjectKind::Single);
        out.parameter("Enable", &rows.iter().any(|(_, section)| is_enabled(section)), ReadOnly);
        out.object(SETTINGS, ObjectKind::Table { addable: false });
        for (path, section) in rows {
            out.object(&format!("{path}."), ObjectKind::Instance { deletable: false });
            setting(survey, section, &network, out);
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
        let rows = served(&survey, &package, SETTINGS);
        let of_root = by_row(ROOT, changes).into_values().flatten();
        let mut faults: Vec<_> = of_root.map(|(_, change)| not_writable(change)).collect();
        let dhcp = edits.package(DHCP).await?;
        for (numbers, changes) in by_row(SETTING, changes) {
            let row = numbers.first().map(|number| format!("{SETTINGS}{number}"));
            let section =
                rows.iter().find(|(path, _)| Some(path) == row.as_ref()).map(|(_, section)| *section);
            for change in changes {
                faults.extend(match section {
                    Some(section) => edit_setting(section, change, dhcp),
                    None => Some(not_writable(change.1)),
                });
            }
        }
        Ok(faults)
    }
}

fn setting(survey: &Survey, section: &Section, network: &Network, out: &mut dyn ParameterSink) {
    let interface = section.get("interface").and_then(|name| network.interface(name));
    let enabled = is_enabled(section);
    out.parameter("Enable", &enabled, ReadWrite);
    let status = match (enabled, interface) {
        (false, _) => "Disabled",
        (true, Some(_)) => "Enabled",
        (true, None) => "Error_Misconfigured",
    };
    out.parameter("Status", &status, ReadOnly);
    out.parameter("Interface", &interface.map_or("", |interface| interface.path.as_str()), ReadOnly);
    out.parameter("ManualPrefixes", &"", ReadOnly);
    let prefixes = interface.filter(|_| enabled);
    let prefixes = prefixes.map(|interface| offered_prefixes(survey, network, interface)).unwrap_or_default();
    out.parameter("Prefixes", &prefixes.join(","), ReadOnly);
    for (name, option, usual) in NUMBERS {
        let set = section.get(option).and_then(|text| text.parse().ok());
        out.parameter(name, &set.unwrap_or(usual), ReadWrite);
    }
    let flags = section.words("ra_flags");
    for (name, flag) in FLAGS {
        out.parameter(name, &has(&flags, flag), ReadWrite);
    }
    let preference = section.get("ra_preference").unwrap_or("medium");
    let preference = PREFERENCES.iter().find(|(_, word)| *word == preference);
    out.parameter("AdvPreferredRouterFlag", &preference.map_or("Medium", |(name, _)| name), ReadWrite);
    out.parameter("AdvNDProxyFlag", &false, ReadOnly);
    // Where none is set, odhcpd announces the box itself.
    let servers = section.words("dns").into_iter().filter_map(|text| text.parse::<Ipv6Addr>().ok());
    let servers: Vec<String> = servers.take(limits::ADDRESSES).map(|one| one.to_string()).collect();
    out.parameter("RDNSS", &servers.join(","), ReadOnly);
    let domains = section.words("domain").into_iter().filter(|domain| !domain.contains(','));
    out.parameter("DNSSL", &domains.collect::<Vec<_>>().join(","), ReadOnly);
}

fn has(flags: &[&str], flag: &str) -> bool {
    if flags.is_empty() { USUAL_FLAGS.contains(&flag) } else { flags.contains(&flag) }
}

fn edit_setting(
    section: &Section,
    (name, change): InRow<'_>,
    dhcp: &mut PackageEdits,
) -> Option<SetParameterValuesFault> {
    let (of, value, is_on) = (section.name(), change.value.as_str(), change.value == "true");
    if let Some((_, option, usual)) = NUMBERS.iter().find(|(parameter, ..)| *parameter == name) {
        let number: Option<u32> = value.parse().ok();
        let Some(number) = number.filter(|mtu| name != "AdvLinkMTU" || *mtu == 0 || MTU.contains(mtu)) else {
            return Some(invalid(change, format!("0, or {} to {}", MTU.start(), MTU.end())));
        };
        let text = if number == *usual { String::new() } else { number.to_string() };
        // What says the same already stays.
        if dhcp.get(of, option).and_then(|text| text.parse().ok()).unwrap_or(*usual) != number {
            dhcp.set(of, option, &text);
        }
        return None;
    }
    if let Some((_, flag)) = FLAGS.iter().find(|(parameter, _)| *parameter == name) {
        let set = dhcp.list(of, "ra_flags");
        let mut flags: Vec<&str> = set.iter().flat_map(|entry| entry.split_ascii_whitespace()).collect();
        if has(&flags, flag) == is_on {
            return None;
        }
        if flags.is_empty() {
            flags.extend(USUAL_FLAGS);
        }
        flags.retain(|known| known != flag && *known != NO_FLAGS);
        flags.extend(is_on.then_some(*flag));
        if flags.is_empty() {
            flags.push(NO_FLAGS);
        }
        let flags = flags.into_iter().map(str::to_owned).collect();
        dhcp.set_list(of, "ra_flags", flags);
        return None;
    }
    match name {
        "Enable" if is_on == is_enabled(section) => {}
        "Enable" if is_on && section.get("ignore") == Some("1") => {
            return Some(invalid(change, "the whole section is off: first enable its pool of addresses"));
        }
        "Enable" => dhcp.set(of, "ra", if is_on { "server" } else { "disabled" }),
        "AdvPreferredRouterFlag" => {
            let preference = PREFERENCES.iter().find(|(parameter, _)| *parameter == value);
            let Some((_, word)) = preference else {
                return Some(invalid(change, "High, Medium or Low"));
            };
            // It is what holds without it.
            dhcp.set(of, "ra_preference", if *word == "medium" { "" } else { word });
        }
        _ => return Some(not_writable(change)),
    }
    None
}

#[cfg(test)]
mod tests {
    use cwmp_core::{fault::FaultCode, rpc::Status};
    use cwmp_platform::source::ParameterSource;

    use super::*;
    use crate::testing::{Fake, assert_valid, change, lan_and_wan, values};

    const FILE: &str = "
config dhcp 'lan'
\toption interface 'lan'
\toption ra 'server'
\toption ra_lifetime '900'
\toption ra_preference 'high'
\tlist ra_flags 'managed-config'
\tlist ra_flags 'other-config'
\tlist dns '2001:db8::53'
\tlist dns '192.168.1.1'
\tlist domain 'lan'

config dhcp 'wan'
\toption interface 'wan'
\toption ignore '1'

";

    fn fake() -> Fake {
        let fake = lan_and_wan();
        fake.uci("dhcp", FILE);
        fake
    }

    #[tokio::test]
    async fn what_is_announced_is_what_odhcpd_is_told() {
        let fake = fake();
        let source = fake.source_of(RouterAdvertisement);
        assert_eq!(
            values(&source, "Device.RouterAdvertisement.InterfaceSetting.1.").await,
            "AdvCurHopLimit=0\nAdvDefaultLifetime=900\nAdvLinkMTU=0\nAdvManagedFlag=true\nAdvMobileAgentFlag=false\n\
             AdvNDProxyFlag=false\nAdvOtherConfigFlag=true\nAdvPreferredRouterFlag=High\nAdvReachableTime=0\n\
             AdvRetransTimer=0\nDNSSL=lan\nEnable=true\nInterface=Device.IP.Interface.2\nManualPrefixes=\n\
             MaxRtrAdvInterval=600\nMinRtrAdvInterval=200\n\
             Prefixes=Device.IP.Interface.2.IPv6Prefix.1,Device.IP.Interface.2.IPv6Prefix.2\n\
             RDNSS=2001:db8::53\nStatus=Enabled\n"
        );
        let wan = values(&source, "Device.RouterAdvertisement.InterfaceSetting.2.").await;
        assert!(wan.contains("Status=Disabled\n") && wan.contains("AdvOtherConfigFlag=true\n"), "{wan}");
        assert_valid(&source).await;
    }

    #[tokio::test]
    async fn settings_are_written_and_what_holds_anyway_is_not() {
        let fake = fake();
        let source = fake.source_of(RouterAdvertisement);
        values(&source, ROOT).await;
        let name = |name: &str| format!("{SETTINGS}{name}");
        let same = [
            change(&name("1.MaxRtrAdvInterval"), "600"),
            change(&name("1.AdvDefaultLifetime"), "900"),
            change(&name("1.AdvManagedFlag"), "true"),
            change(&name("2.AdvOtherConfigFlag"), "true"),
        ];
        assert_eq!(source.apply(&same).await, Ok(Status::Applied));
        assert_eq!(fake.file("dhcp"), FILE);
        let changes = [
            change(&name("1.AdvManagedFlag"), "false"),
            change(&name("1.AdvDefaultLifetime"), "1800"),
            change(&name("1.AdvLinkMTU"), "1480"),
            change(&name("1.AdvPreferredRouterFlag"), "Medium"),
            change(&name("2.AdvOtherConfigFlag"), "false"),
        ];
        assert_eq!(source.check(&changes).await, []);
        assert_eq!(source.apply(&changes).await, Ok(Status::Applied));
        let file = fake.file("dhcp");
        for gone in ["managed-config", "ra_lifetime", "ra_preference"] {
            assert!(!file.contains(gone), "{gone} in {file}");
        }
        assert!(file.contains("\tlist ra_flags 'other-config'\n"), "{file}");
        assert!(file.contains("\toption ra_mtu '1480'\n"), "{file}");
        assert!(file.contains("\toption ignore '1'\n\tlist ra_flags 'none'\n"), "{file}");
        source.apply(&[change(&name("1.Enable"), "false")]).await.unwrap();
        assert!(fake.file("dhcp").contains("\toption ra 'disabled'\n"));
        source.apply(&[change(&name("1.Enable"), "true")]).await.unwrap();
        assert!(fake.file("dhcp").contains("\toption ra 'server'\n"));
        for (parameter, value, code) in [
            ("1.AdvLinkMTU", "576", FaultCode::INVALID_PARAMETER_VALUE),
            ("2.Enable", "true", FaultCode::INVALID_PARAMETER_VALUE),
            ("1.RDNSS", "", FaultCode::NOT_WRITABLE),
            ("8.Enable", "true", FaultCode::NOT_WRITABLE),
        ] {
            let faults = source.check(&[change(&name(parameter), value)]).await;
            assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{parameter}");
        }
        assert_eq!(source.check(&[change("Device.RouterAdvertisement.Enable", "false")]).await.len(), 1);
    }
}
