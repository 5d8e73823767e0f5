//! Files in the style of real boxes, read from a root of their own.

use std::fs;

use cwmp_store::{Layer, Layers};
use tempfile::TempDir;

use super::{
    plan::{Fate, Line},
    *,
};

/// As easycwmp 1.8 ships it, filled in.
const EASYCWMP: &str = "# easycwmp uci configuration

config local
\toption enable '1'
\toption interface eth0
\toption port 7550
\toption ubus_socket /var/run/ubus.sock
\toption date_format %FT%T%z
\toption username cr
\toption password 'cr secret'
\toption provisioning_code 'P1'
\toption authentication 'Digest'
\toption logging_level '4'

config acs
\toption url http://acs.example:8080/openacs/acs
\toption username easy
\toption password 'acs secret'
\toption parameter_key 'K'
\toption periodic_enable '1'
\toption periodic_interval '100'
\toption periodic_time '0001-01-01T00:00:00Z'
\toption ssl_verify 'disabled'
\toption ssl_cert '/etc/easycwmp/client.pem'

config device
\toption manufacturer ACME
\toption oui 00a0c9
\toption product_class HGW
\toption serial_number S1
\toption software_version 1.0
";

struct Router {
    root: TempDir,
}

impl Router {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["etc/config", "etc/cwmpd"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for (name, content) in files {
            fs::write(root.path().join("etc/config").join(name), content).unwrap();
        }
        let socket = root.path().join("none.sock");
        let factory = format!("[cwmpd]\ncontrol_socket = {}\n", socket.display());
        fs::write(root.path().join("etc/cwmpd/factory.ini"), factory).unwrap();
        Self { root }
    }

    fn layers(&self) -> Layers {
        Layers::load(RealFiles::shared(), &self.root.path().join("etc/cwmpd")).unwrap().0
    }

    /// Makes a plan, with what was set on the box before.
    fn plan(&self, set: &[(&str, &str, &str)], force: bool) -> (Plan, Layers) {
        let mut layers = self.layers();
        for (section, key, value) in set {
            layers.set(section, key, value).unwrap();
        }
        let (peer, source) = choose(self.root.path(), None).unwrap();
        (Plan::make(peer, &source, &mut layers, force), layers)
    }
}

fn line<'a>(plan: &'a Plan, option: &str) -> &'a Line {
    let found = plan.lines.iter().find(|line| line.option == option);
    found.unwrap_or_else(|| panic!("no {option} in {:?}", plan.lines))
}

#[test]
fn easycwmp_in_our_words() {
    let (plan, layers) = Router::new(&[("easycwmp", EASYCWMP)]).plan(&[], false);
    assert_eq!(plan.wrong(), Vec::<String>::new());
    for (section, key, value) in [
        ("cwmpd", "connection_request_interface", "eth0"),
        ("cwmpd", "connection_request_port", "7550"),
        ("cwmpd", "log_level", "debug"),
        ("cwmpd", "tls_client_certificate", "/etc/easycwmp/client.pem"),
        ("cwmpd", "tls_client_key", "/etc/easycwmp/client.pem"),
        ("ManagementServer", "URL", "http://acs.example:8080/openacs/acs"),
        ("ManagementServer", "Username", "easy"),
        ("ManagementServer", "Password", "acs secret"),
        ("ManagementServer", "PeriodicInformEnable", "true"),
        ("ManagementServer", "PeriodicInformInterval", "100"),
        ("ManagementServer", "PeriodicInformTime", "0001-01-01T00:00:00Z"),
        ("ManagementServer", "ConnectionRequestUsername", "cr"),
        ("ManagementServer", "ConnectionRequestPassword", "cr secret"),
        ("DeviceInfo", "ProvisioningCode", "P1"),
        ("DeviceInfo", "Manufacturer", "ACME"),
        ("DeviceInfo", "ManufacturerOUI", "00A0C9"),
        ("DeviceInfo", "ProductClass", "HGW"),
        ("DeviceInfo", "SerialNumber", "S1"),
    ] {
        assert_eq!(layers.of_layer(Layer::User, section, key), Some(value), "{section} {key}");
    }
    assert!(matches!(line(&plan, "easycwmp.@acs[0].ssl_verify").fate, Fate::Left(_)));
    let text = table::of(&plan, true);
    assert!(!text.contains("secret"), "{text}");
    assert!(
        text.contains("18 set in ") && text.contains("firewall_port of /etc/config/cwmpd: here 7550"),
        "{text}"
    );
}

#[test]
fn an_address_in_parts_becomes_a_url() {
    let old = "config local\n\toption port 7547\nconfig acs\n\toption scheme http\n\toption hostname  192.0.2.1 \n\
               \toption port  8080 \n\toption path  /openacs/acs \n";
    let (plan, layers) = Router::new(&[("easycwmp", old)]).plan(&[], false);
    assert_eq!(plan.wrong(), Vec::<String>::new());
    let url = layers.of_layer(Layer::User, "ManagementServer", "URL");
    assert_eq!(url, Some("http://192.0.2.1:8080/openacs/acs"));
}

#[test]
fn icwmp_with_its_stun_client_in_our_words() {
    let cwmp = "config acs 'acs'\n\toption userid 'u'\n\toption passwd 'p'\n\toption url 'https://acs.example/'\n\
        \toption periodic_inform_enable 'true'\n\toption dhcp_discovery 'enable'\n\toption compression 'Disabled'\n\
        \toption retry_min_wait_interval '7'\n\toption retry_interval_multiplier '3000'\n\
        \toption ssl_capath '/etc/ssl/certs'\n\toption heartbeat_enable '1'\n\toption heartbeat_interval '60'\n\
        \nconfig cpe 'cpe'\n\toption enable '0'\n\toption userid 'cr'\n\toption passwd 'crp'\n\toption port '0'\n\
        \toption path 'cr'\n\toption log_severity 'NOTICE'\n\toption instance_mode 'InstanceAlias'\n\
        \toption default_wan_interface 'wan'\n\toption vendor_thing '1'\n\
        \nconfig lwn 'lwn'\n\toption enable '1'\n\toption hostname ''\n\nconfig du_state_change\n\toption x 1\n";
    let stunc = "config stunc 'stunc'\n\toption enabled '1'\n\toption server_address 'stun.example'\n\
        \toption server_port '3478'\n\toption min_keepalive '30'\n\toption max_keepalive '120'\n\
        \toption client_port '7547'\n";
    let (plan, layers) = Router::new(&[("cwmp", cwmp), ("stunc", stunc)]).plan(&[], false);
    assert_eq!(plan.wrong(), Vec::<String>::new());
    for (section, key, value) in [
        ("ManagementServer", "URL", "https://acs.example/"),
        ("ManagementServer", "CWMPRetryMinimumWaitInterval", "7"),
        ("ManagementServer", "CWMPRetryIntervalMultiplier", "3000"),
        ("ManagementServer", "InstanceMode", "InstanceAlias"),
        ("ManagementServer", "LightweightNotificationProtocolsUsed", "UDP"),
        ("ManagementServer.HeartbeatPolicy", "Enable", "true"),
        ("ManagementServer.HeartbeatPolicy", "ReportingInterval", "60"),
        ("cwmpd", "dhcp_discovery", "true"),
        ("cwmpd", "connection_request_port", "7547"),
        ("cwmpd", "connection_request_path", "/cr"),
        ("cwmpd", "log_level", "info"),
        ("cwmpd", "udp_connection_request_port", "7547"),
    ] {
        assert_eq!(layers.of_layer(Layer::User, section, key), Some(value), "{section} {key}");
    }
    // That the other agent was switched off says nothing of this one.
    assert_eq!(layers.of_layer(Layer::User, "ManagementServer", "EnableCWMP"), None);
    #[cfg(feature = "stun")]
    assert_eq!(layers.of_layer(Layer::User, "ManagementServer", "STUNServerAddress"), Some("stun.example"));
    for unknown in ["cwmp.cpe.vendor_thing", "cwmp.@du_state_change[0]"] {
        let fate = &line(&plan, unknown).fate;
        assert!(matches!(fate, Fate::Left(why) if why.contains("not known here")), "{unknown}: {fate:?}");
    }
}

#[test]
fn a_wrong_value_names_file_section_and_option_and_shows_nothing() {
    let wrong = "config local\n\toption port 'secret'\n\toption logging_level '9'\nconfig acs\n\
        \toption url 'ftp://user:secret@x/'\n\toption periodic_interval '0'\n\toption password 'x'\n\
        config device\n\toption oui 'secret'\n";
    let router = Router::new(&[("easycwmp", wrong)]);
    let (plan, _) = router.plan(&[], false);
    let file = router.root.path().join("etc/config/easycwmp");
    let wrong = plan.wrong();
    for (option, right) in [
        ("@local[0].port", "a number from 0 to 65535"),
        ("@local[0].logging_level", "a number from 0 to 4"),
        ("@acs[0].url", "an http or https URL"),
        ("@acs[0].periodic_interval", "a number from 1 to "),
        ("@device[0].oui", "six hexadecimal digits"),
    ] {
        let begins = format!("{}: easycwmp.{option}: must be {right}", file.display());
        assert!(wrong.iter().any(|text| text.starts_with(&begins)), "{begins}: {wrong:?}");
    }
    assert_eq!(wrong.len(), 5, "{wrong:?}");
    assert!(!wrong.concat().contains("secret") && !table::of(&plan, false).contains("secret"));
}

#[test]
fn what_was_set_on_the_box_stays_unless_it_is_forced() {
    let set = [("ManagementServer", "URL", "http://new.example/"), ("ManagementServer", "Username", "easy")];
    let router = Router::new(&[("easycwmp", EASYCWMP)]);
    let (plan, layers) = router.plan(&set, false);
    assert_eq!(line(&plan, "easycwmp.@acs[0].url").fate, Fate::Kept);
    assert_eq!(line(&plan, "easycwmp.@acs[0].username").fate, Fate::Same);
    assert_eq!(layers.of_layer(Layer::User, "ManagementServer", "URL"), Some("http://new.example/"));
    assert!(table::of(&plan, true).contains("1 kept as set on this box"));

    let (plan, layers) = router.plan(&set, true);
    assert_eq!(line(&plan, "easycwmp.@acs[0].url").fate, Fate::Taken);
    let url = layers.of_layer(Layer::User, "ManagementServer", "URL");
    assert_eq!(url, Some("http://acs.example:8080/openacs/acs"));
}

#[test]
fn it_must_be_clear_whose_settings_are_meant() {
    let none = Router::new(&[]);
    let error = choose(none.root.path(), None).err().unwrap().concat();
    assert!(error.contains("etc/config/easycwmp and no ") && error.ends_with("etc/config/cwmp"), "{error}");
    let both = Router::new(&[("easycwmp", EASYCWMP), ("cwmp", "config acs 'acs'\n")]);
    let error = choose(both.root.path(), None).err().unwrap().concat();
    assert!(error.contains("easycwmp or icwmp"), "{error}");
    assert_eq!(choose(both.root.path(), Some("icwmp")).unwrap().0.name, "icwmp");
    // A STUN client alone is no agent.
    let alone = Router::new(&[("stunc", "config stunc 'stunc'\n")]);
    assert!(choose(alone.root.path(), None).is_err());
    let broken = Router::new(&[("easycwmp", "config acs\n\toption url 'http://x\n")]);
    let error = choose(broken.root.path(), None).err().unwrap().concat();
    assert!(error.contains("etc/config/easycwmp:"), "{error}");
}

#[test]
fn every_key_is_one_that_this_program_has() {
    let keys = PEERS.iter().flat_map(|peer| peer.sections).flat_map(|known| known.options);
    let keys = keys.filter_map(|opt| if let peers::To::Keys(keys) = &opt.to { Some(*keys) } else { None });
    let mut layers = Router::new(&[]).layers();
    for key in keys.flatten() {
        match key.section {
            "ManagementServer" | "ManagementServer.HeartbeatPolicy" => {
                let there = crate::agent_source::takes(key.section, key.key, "").is_some();
                let optional = key.key.starts_with("STUN") || key.key == "HTTPCompression";
                assert!(there || optional, "{}", key.key);
            }
            "cwmpd" => layers.set("cwmpd", key.key, "\u{1}").unwrap(),
            other => assert_eq!(other, "DeviceInfo"),
        }
    }
    // Each is read, for each is complained of; an unknown one would be ignored.
    let problems = Config::load(&layers).err().unwrap();
    for (key, _) in layers.keys("cwmpd").into_iter().filter(|(_, layer)| *layer == Layer::User) {
        assert!(problems.iter().any(|problem| problem.key == key), "{key}: {problems:?}");
    }
}
