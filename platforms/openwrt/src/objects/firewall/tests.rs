use cwmp_core::{fault::FaultCode, rpc::Status};
use cwmp_platform::source::ParameterSource;

use super::*;
use crate::testing::{Fake, assert_valid, change, lan_and_wan, values};

const FILE: &str = "
config defaults
\toption input 'REJECT'
\toption forward 'REJECT'

config zone
\toption name 'lan'
\tlist network 'lan'
\toption input 'ACCEPT'
\toption forward 'ACCEPT'

config zone
\toption name 'wan'
\tlist network 'wan'
\tlist network 'wan6'
\toption input 'REJECT'
\toption forward 'REJECT'
\toption masq '1'

config forwarding
\toption src 'lan'
\toption dest 'wan'

config rule
\toption name 'Allow-DHCP-Renew'
\toption src 'wan'
\toption proto 'udp'
\toption dest_port '68'
\toption target 'ACCEPT'
\toption family 'ipv4'

config rule 'odd'
\toption name 'Much at once'
\toption src 'nowhere'
\toption dest '*'
\tlist src_ip '!fe80::/10'
\tlist proto 'tcp'
\tlist proto 'udp'
\tlist dest_port '80'
\tlist dest_port '443'
\toption target 'MARK'
\toption family 'ipv6'

";

fn fake() -> Fake {
    let fake = lan_and_wan();
    fake.uci("firewall", FILE);
    fake
}

fn row(all: &str, number: u32) -> String {
    let prefix = format!("{number}.");
    let lines = all.lines().filter_map(|line| line.strip_prefix(&prefix));
    lines.map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn rules_come_first_then_forwardings_then_the_policies_of_zones() {
    let fake = fake();
    let source = fake.source_of(Firewall);
    assert_eq!(
        values(&source, LEVEL.replace("{i}", "1").as_str()).await,
        "Chain=Device.Firewall.Chain.1\nDefaultLogPolicy=false\nDefaultPolicy=Reject\nDescription=\nName=UCI\n\
         Order=1\nPortMappingEnabled=true\n"
    );
    let all = values(&source, RULES).await;
    assert_eq!(
        row(&all, 1),
        "DSCP=-1\nDSCPExclude=false\nDescription=Allow-DHCP-Renew\nDestAllInterfaces=false\nDestIP=\n\
         DestIPExclude=false\nDestInterface=\nDestMask=\nDestPort=68\nDestPortExclude=false\nDestPortRangeMax=-1\n\
         Enable=true\nExpiryDate=9999-12-31T23:59:59Z\nIPVersion=4\nOrder=1\nProtocol=17\nSourceAllInterfaces=false\n\
         SourceIP=\nSourceIPExclude=false\nSourceInterface=Device.IP.Interface.3\nSourceMAC=\n\
         SourceMACExclude=false\nSourceMask=\nSourcePort=-1\nSourcePortExclude=false\nSourcePortRangeMax=-1\n\
         Status=Enabled\nTarget=Accept\nTargetChain=\n"
    );
    // What the model has no words for is not shown.
    assert_eq!(
        row(&all, 2),
        "DSCP=-1\nDSCPExclude=false\nDescription=Much at once\nDestAllInterfaces=true\nDestIP=\nDestIPExclude=false\n\
         DestInterface=\nDestMask=\nEnable=true\nExpiryDate=9999-12-31T23:59:59Z\nIPVersion=6\nOrder=2\n\
         SourceAllInterfaces=false\nSourceIP=fe80::\nSourceIPExclude=true\nSourceInterface=\nSourceMAC=\n\
         SourceMACExclude=false\nSourceMask=/10\nSourcePort=-1\nSourcePortExclude=false\nSourcePortRangeMax=-1\n\
         Status=Error_Misconfigured\nTargetChain=\n"
    );
    assert_eq!(
        row(&all, 3),
        "Description=lan to wan\nDestAllInterfaces=false\nDestInterface=Device.IP.Interface.3\nEnable=true\n\
         ExpiryDate=9999-12-31T23:59:59Z\nIPVersion=-1\nOrder=3\nProtocol=-1\nSourceAllInterfaces=false\n\
         SourceInterface=Device.IP.Interface.2\nStatus=Enabled\nTarget=Accept\nTargetChain=\n"
    );
    let policy = row(&all, 5);
    assert!(policy.starts_with("Description=zone wan, input\nDestAllInterfaces=false\nDestInterface=\n"));
    assert!(policy.contains("Target=Reject\n"), "{policy}");
    assert_eq!(row(&all, 8), "");
    assert_valid(&source).await;
}

#[tokio::test]
async fn a_rule_is_added_written_and_deleted() {
    let fake = fake();
    let source = fake.source_of(Firewall);
    values(&source, RULES).await;
    let (number, _) = source.add(RULES, &[]).await.unwrap();
    let row = format!("{RULES}{number}.");
    let name = |parameter: &str| format!("{row}{parameter}");
    let fresh = values(&source, &row).await;
    for line in ["Enable=false\n", "Target=Drop\n", "Protocol=-1\n", "SourceInterface=\n", "DestPort=-1\n"] {
        assert!(fresh.contains(line), "{line} is not in {fresh}");
    }
    // In any order: what adds to a value finds it.
    let changes = [
        change(&name("DestPortExclude"), "true"),
        change(&name("DestPortRangeMax"), "90"),
        change(&name("DestPort"), "80"),
        change(&name("SourceMask"), "/24"),
        change(&name("SourceIP"), "198.51.100.0"),
        change(&name("SourceInterface"), "Device.IP.Interface.3"),
        change(&name("DestAllInterfaces"), "true"),
        change(&name("Protocol"), "6"),
        change(&name("Target"), "Reject"),
        change(&name("Description"), "no web"),
        change(&name("SourceMAC"), "02:00:5E:10:00:01"),
        change(&name("DSCP"), "46"),
        change(&name("IPVersion"), "4"),
        change(&name("Enable"), "true"),
    ];
    assert_eq!(source.check(&changes).await, []);
    assert_eq!(source.apply(&changes).await, Ok(Status::Committed));
    let file = fake.file("firewall");
    let section = file.split(&format!("config rule 'cwmp_rule_{number}'\n")).nth(1).unwrap();
    let mut options: Vec<&str> = section.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    options.sort_unstable();
    assert_eq!(
        options,
        [
            "option dest '*'",
            "option dest_port '!80-90'",
            "option dscp '46'",
            "option family 'ipv4'",
            "option name 'no web'",
            "option proto 'tcp'",
            "option src 'wan'",
            "option src_ip '198.51.100.0/24'",
            "option src_mac '02:00:5e:10:00:01'",
            "option target 'REJECT'",
        ]
    );
    let read = values(&source, &row).await;
    for (parameter, value) in [
        ("DestPort", "80"),
        ("DestPortRangeMax", "90"),
        ("DestPortExclude", "true"),
        ("SourceIP", "198.51.100.0"),
        ("SourceMask", "/24"),
        ("Protocol", "6"),
        ("DestAllInterfaces", "true"),
        ("DestInterface", ""),
    ] {
        assert!(read.contains(&format!("{parameter}={value}\n")), "{parameter} in {read}");
    }
    assert_valid(&source).await;
    let changes = [
        change(&name("DestPort"), "-1"),
        change(&name("SourceIP"), ""),
        change(&name("DestAllInterfaces"), "false"),
        change(&name("DestInterface"), "Device.IP.Interface.2"),
    ];
    source.apply(&changes).await.unwrap();
    let file = fake.file("firewall");
    assert!(!file.contains("!80-90") && !file.contains("198.51.100.0"), "{file}");
    assert!(file.contains("\toption dest 'lan'\n"), "{file}");
    source.delete(&row, &[]).await.unwrap();
    assert_eq!(fake.file("firewall"), FILE);
    // The rules of the box can go too, by whatever they are known.
    source.delete("Device.Firewall.Chain.1.Rule.1.", &[]).await.unwrap();
    source.delete("Device.Firewall.Chain.1.Rule.3.", &[]).await.unwrap();
    let file = fake.file("firewall");
    assert!(!file.contains("Allow-DHCP-Renew") && !file.contains("forwarding"), "{file}");
    assert!(source.delete("Device.Firewall.Chain.1.Rule.4.", &[]).await.is_err(), "the policy of a zone");
}

#[tokio::test]
async fn forwardings_are_switched_and_policies_set() {
    let fake = fake();
    let source = fake.source_of(Firewall);
    values(&source, RULES).await;
    let changes = [
        change("Device.Firewall.Chain.1.Rule.3.Enable", "false"),
        change("Device.Firewall.Chain.1.Rule.5.Target", "Drop"),
        change("Device.Firewall.Level.1.DefaultPolicy", "Drop"),
    ];
    assert_eq!(source.check(&changes).await, []);
    source.apply(&changes).await.unwrap();
    let expected = FILE
        .replace("\toption dest 'wan'\n", "\toption dest 'wan'\n\toption enabled '0'\n")
        .replace("'wan6'\n\toption input 'REJECT'", "'wan6'\n\toption input 'DROP'")
        .replacen("\toption forward 'REJECT'", "\toption forward 'DROP'", 1);
    assert_eq!(fake.file("firewall"), expected);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let fake = fake();
    let source = fake.source_of(Firewall);
    values(&source, RULES).await;
    let invalid = FaultCode::INVALID_PARAMETER_VALUE;
    for (name, value, code) in [
        ("Rule.1.SourceMask", "/24", invalid),
        ("Rule.1.SourceIPExclude", "true", invalid),
        ("Rule.1.DestPortRangeMax", "60", invalid),
        ("Rule.1.SourcePortRangeMax", "60", invalid),
        ("Rule.1.Target", "TargetChain", invalid),
        ("Rule.1.IPVersion", "7", invalid),
        ("Rule.1.SourceInterface", "Device.IP.Interface.1", invalid),
        ("Rule.1.Description", "renamed", FaultCode::NOT_WRITABLE),
        ("Rule.2.Description", "a\nb", invalid),
        ("Rule.2.DestPort", "8", FaultCode::NOT_WRITABLE),
        ("Rule.1.Order", "2", FaultCode::NOT_WRITABLE),
        ("Rule.1.DestMAC", "", FaultCode::NOT_WRITABLE),
        ("Rule.3.Target", "Drop", FaultCode::NOT_WRITABLE),
        ("Rule.5.Target", "Return", invalid),
        ("Rule.5.Enable", "false", FaultCode::NOT_WRITABLE),
        ("Rule.99.Enable", "false", FaultCode::NOT_WRITABLE),
        ("Name", "x", FaultCode::NOT_WRITABLE),
    ] {
        let faults = source.check(&[change(&format!("Device.Firewall.Chain.1.{name}"), value)]).await;
        assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{name}");
    }
    let whole =
        [change("Device.Firewall.Enable", "false"), change("Device.Firewall.Level.2.DefaultPolicy", "Drop")];
    assert_eq!(source.check(&whole).await.len(), 2);
    assert!(source.add("Device.Firewall.Chain.", &[]).await.is_err());
}
