use std::fs;

use cwmp_core::{discovery::DhcpOption, settings::Secret};
use cwmp_platform::settings::Settings;
use cwmp_store::durable::RealFiles;
use cwmp_transport::ProxyConfig;
use tempfile::TempDir;

use super::*;

/// Layers with these files.
fn layers(factory: &str, user: &str) -> (TempDir, Layers) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("factory.ini"), factory).unwrap();
    fs::write(dir.path().join("user.ini"), user).unwrap();
    let (layers, problems) = Layers::load(RealFiles::shared(), dir.path()).unwrap();
    assert_eq!(problems, []);
    (dir, layers)
}

fn load(settings: &str) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let (_dir, layers) = layers("", &format!("[cwmpd]\n{settings}"));
    Config::load(&layers)
}

#[test]
fn an_empty_section_gives_the_defaults() {
    let (dir, layers) = layers("", "");
    let (config, warnings) = Config::load(&layers).unwrap();
    assert_eq!(warnings, []);
    let expected = Config {
        log_level: Level::INFO,
        state_dir: dir.path().join("state"),
        download_dir: "/var/run/cwmpd".into(),
        control_socket: "/var/run/cwmpd.sock".into(),
        platform: "generic-linux",
        sandbox: false,
        connection_request: Listen {
            addresses: vec!["0.0.0.0".parse().unwrap(), "::".parse().unwrap()],
            interface: Interface::OfPath,
            port: 7547,
            path: None,
            host: None,
        },
        udp_connection_request_port: None,
        acs_reply_timeout: Duration::from_secs(60),
        confirm_ms: 600_000,
        basic_without_tls: true,
        path: PathConfig::default(),
        tls: TlsFiles::default(),
        dhcp: DhcpPolicy { discovery: true, requires_https: false, interface: None, requested: None },
        trace_file: None,
        trace_bytes: 1 << 20,
        prozone: ProzoneConfig::None,
        single_process: None,
        protocol_user: "cwmpd".to_owned(),
    };
    assert_eq!(config, expected);
}

#[test]
fn every_setting_is_read() {
    let text = "log_level=debug\nstate_dir=/tmp/s\ndownload_dir=/tmp/d\ncontrol_socket=/tmp/c\nplatform=generic-linux\nsandbox=true\n\
        connection_request_address=127.0.0.1, ::1\nconnection_request_port=0\nconnection_request_path=/\n\
        connection_request_host=CPE.example\nudp_connection_request_port=7548\nacs_reply_timeout=30\nconfirm_time=0\nbasic_without_tls=0\nboot_wait=3600\nclock_wait=600\n\
        dhcp_discovery=false\ndhcp_requires_https=1\ndhcp_interface=eth0.7\ndhcp_requested_option=125\n";
    let (config, warnings) = load(text).unwrap();
    assert_eq!(warnings, []);
    let expected = Config {
        log_level: Level::DEBUG,
        state_dir: "/tmp/s".into(),
        download_dir: "/tmp/d".into(),
        control_socket: "/tmp/c".into(),
        platform: "generic-linux",
        sandbox: true,
        connection_request: Listen {
            addresses: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
            interface: Interface::OfPath,
            port: 0,
            path: Some("/".into()),
            host: Some("cpe.example".into()),
        },
        udp_connection_request_port: Some(7548),
        acs_reply_timeout: Duration::from_secs(30),
        confirm_ms: 0,
        basic_without_tls: false,
        path: PathConfig::default(),
        tls: TlsFiles::default(),
        dhcp: DhcpPolicy {
            discovery: false,
            requires_https: true,
            interface: Some("eth0.7".into()),
            requested: Some(DhcpOption::VendorIdentifying),
        },
        trace_file: None,
        trace_bytes: 1 << 20,
        prozone: ProzoneConfig::None,
        single_process: None,
        protocol_user: "cwmpd".to_owned(),
    };
    assert_eq!(config, expected);
}

#[test]
fn a_wrong_value_is_named_with_file_section_key_and_what_would_be_right() {
    let wrong = [
        ("log_level", "verbose", "error, warning, info or debug"),
        ("state_dir", "state", "an absolute path"),
        ("state_dir", "\"/a\\0\"", "an absolute path"),
        ("control_socket", &format!("/{}", "x".repeat(107)), "at most 107 bytes"),
        ("platform", "toaster", "one of: generic-linux"),
        ("sandbox", "yes", "true or false"),
        ("boot_wait", "3601", "a number from 0 to 3600"),
        ("dhcp_discovery", "maybe", "true or false"),
        ("dhcp_interface", "../eth0", "the name of a network device"),
        ("dhcp_requested_option", "60", "43, 125 or both"),
        ("clock_wait", "601", "a number from 0 to 600"),
        ("connection_request_address", "", "IP addresses"),
        ("connection_request_address", "127.0.0.1,", "IP addresses"),
        ("connection_request_address", "localhost", "IP addresses"),
        ("connection_request_address", &["::1"; 17].join(","), "1 to 16"),
        ("connection_request_port", "65536", "a number from 0 to 65535"),
        ("connection_request_port", "+1", "a number from 0 to 65535"),
        ("connection_request_path", "x", "begins with /"),
        ("connection_request_path", "\"/a b\"", "begins with /"),
        ("connection_request_path", "/a?b", "without ? and #"),
        ("connection_request_host", "host:80", "without a port"),
        ("connection_request_host", "host:", "without a port"),
        ("connection_request_host", "host/path", "without a port"),
        ("connection_request_host", "[::1]:80", "without a port"),
        ("connection_request_host", "[::1]:", "without a port"),
        ("connection_request_host", "user@host", "a host name"),
        ("acs_reply_timeout", "29", "a number from 30 to 3600"),
        ("basic_without_tls", "", "true or false"),
        ("management_interface", "eth0/1", "the name of a network device"),
        ("management_interface", "a-name-too-long0", "the name of a network device"),
        ("management_namespace", "a b", "the name of a network namespace"),
        ("management_namespace", "run/netns/a", "absolute path"),
        ("management_namespace", "..", "the name of a network namespace"),
        ("resolvers", "dns.example", "1 to 4 IP addresses"),
        ("resolvers", "192.0.2.1:0", "1 to 4 IP addresses"),
        ("resolvers", &["::1"; 5].join(","), "1 to 4 IP addresses"),
        ("proxy", "https://proxy:3128", "http://HOST:PORT"),
        ("proxy", "proxy:3128", "http://HOST:PORT"),
        ("proxy", "http://proxy/path", "http://HOST:PORT"),
        ("proxy", "http://user:secret@proxy/", "http://HOST:PORT"),
        ("proxy_password", "\"a\nb\"", "without control characters"),
        ("connection_request_interface", "eth 0", "the name of a network device"),
        ("prozone", "memory", "none, file or pstore"),
        ("prozone", "file", "file only with prozone_path"),
        ("prozone_path", "dev/mem", "an absolute path"),
        ("prozone_offset", "-1", "a number from 0 to 4294967295"),
        ("prozone_size", "511", "a number from 512 to 1048576"),
    ];
    for (key, value, right) in wrong {
        let problems = load(&format!("{key}={value}\n")).unwrap_err();
        let text = problems[0].to_string();
        assert_eq!(problems.len(), 1);
        assert!(
            text.contains(&format!("user.ini: [cwmpd] {key}: must be ")) && text.contains(right),
            "{value}: {text}"
        );
    }
}

#[test]
fn memory_for_command_keys_is_a_file_or_pstore() {
    let prozone = |text: &str| load(text).unwrap().0.prozone;
    let file = |offset, size| ProzoneConfig::File { path: "/dev/mtd5".into(), offset, size };
    assert_eq!(prozone("prozone=pstore\n"), ProzoneConfig::Pstore);
    assert_eq!(prozone("prozone=file\nprozone_path=/dev/mtd5\n"), file(0, 8192));
    let all = "prozone=file\nprozone_path=/dev/mtd5\nprozone_offset=4096\nprozone_size=1024\n";
    assert_eq!(prozone(all), file(4096, 1024));
    assert!(prozone(all).open().is_some() && prozone("prozone=none\n").open().is_none());
}

#[test]
fn all_wrong_values_are_named_at_once() {
    let keys: Vec<String> =
        load("sandbox=x\nlog_level=x\n").unwrap_err().into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["sandbox", "log_level"]);
}

#[test]
fn an_unknown_key_is_a_warning() {
    let (_, warnings) = load("log_levle=debug\n").unwrap();
    let text = warnings[0].to_string();
    assert!(text.ends_with("user.ini: [cwmpd] log_levle: unknown key, ignored"), "{text}");
}

#[test]
fn hosts_for_the_connection_request_url() {
    let host =
        |text: &str| load(&format!("connection_request_host={text}\n")).unwrap().0.connection_request.host;
    assert_eq!(host("2001:DB8::1").as_deref(), Some("2001:db8::1"));
    assert_eq!(host("[2001:db8::1]").as_deref(), Some("2001:db8::1"));
    assert_eq!(host("192.0.2.1").as_deref(), Some("192.0.2.1"));
    let (_dir, layers) =
        layers("[cwmpd]\nconnection_request_host=factory\n", "[cwmpd]\nconnection_request_host=\n");
    assert_eq!(
        Config::load(&layers).unwrap().0.connection_request.host,
        None,
        "empty hides the lower layer's"
    );
}

#[test]
fn the_random_path_stays_the_same() {
    let (dir, layers) = layers("", "");
    let (mut config, _) = Config::load(&layers).unwrap();
    let shared = SharedLayers::new(layers);
    config.keep_path(&shared, [0xa5; 16]).unwrap();
    assert_eq!(config.connection_request.path.as_deref(), Some("/a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"));
    let (again, _) = Layers::load(RealFiles::shared(), dir.path()).unwrap();
    let (mut again_config, warnings) = Config::load(&again).unwrap();
    again_config.keep_path(&SharedLayers::new(again), [1; 16]).unwrap();
    assert_eq!((again_config, warnings), (config, vec![]));
}

#[test]
fn a_path_that_cannot_be_kept_serves_until_the_next_start() {
    let (dir, layers) = layers("", "");
    let (mut config, _) = Config::load(&layers).unwrap();
    drop(dir);
    assert!(config.keep_path(&SharedLayers::new(layers), [7; 16]).is_err());
    assert!(config.connection_request.path.is_some());
}

#[test]
fn backends_set_values_all_or_none() {
    let (dir, layers) = layers("[DeviceInfo]\nProvisioningCode=factory\n", "");
    let shared = SharedLayers::new(layers);
    let settings: &dyn Settings = &shared;
    assert_eq!(settings.get("DeviceInfo", "ProvisioningCode").as_deref(), Some("factory"));
    settings.set(&[("DeviceInfo", "ProvisioningCode", "code"), ("Time", "Enable", "true")]).unwrap();
    let (again, _) = Layers::load(RealFiles::shared(), dir.path()).unwrap();
    assert_eq!(
        (again.get("DeviceInfo", "ProvisioningCode"), again.get("Time", "Enable")),
        (Some("code"), Some("true"))
    );
    settings.set(&[("DeviceInfo", "ProvisioningCode", "other"), ("Time", "bad\nkey", "true")]).unwrap_err();
    assert_eq!(settings.get("DeviceInfo", "ProvisioningCode").as_deref(), Some("code"));
    drop(dir);
    let error = settings.set(&[("DeviceInfo", "ProvisioningCode", "other")]).unwrap_err();
    assert!(error.contains("user.ini"), "{error}");
    assert_eq!(settings.get("DeviceInfo", "ProvisioningCode").as_deref(), Some("code"));
}

#[test]
fn gathered_changes_are_one_step_on_the_disk_or_none() {
    let (dir, layers) = layers("", "[A]\nx = 0\n");
    let shared = SharedLayers::new(layers);
    let on_disk = || fs::read_to_string(dir.path().join("user.ini")).unwrap();
    let before = on_disk();
    shared.gather();
    shared.set(&[("A", "x", "1")]).unwrap();
    shared.set(&[("B", "y", "2")]).unwrap();
    assert_eq!((shared.get("A", "x").as_deref(), on_disk()), (Some("1"), before.clone()));
    shared.settle(false).unwrap();
    assert_eq!((shared.get("A", "x").as_deref(), on_disk()), (Some("0"), before));
    shared.gather();
    shared.set(&[("A", "x", "1")]).unwrap();
    shared.set(&[("B", "y", "2")]).unwrap();
    shared.settle(true).unwrap();
    assert!(on_disk().contains('1') && on_disk().contains('2'), "{}", on_disk());
    // What follows is durable by itself again.
    shared.set(&[("B", "y", "3")]).unwrap();
    assert!(on_disk().contains('3'));
}

#[test]
fn the_files_of_https_are_read() {
    let pin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let text = format!(
        "tls_ca_file=/etc/ca.pem\ntls_client_certificate=/etc/box.pem\ntls_client_key=/etc/box.key\n\
         tls_pins={pin}, {pin}\n"
    );
    let (config, warnings) = load(&text).unwrap();
    assert_eq!(warnings, []);
    let client = config.tls.client.unwrap();
    assert_eq!((client.certificate, client.key), ("/etc/box.pem".into(), "/etc/box.key".into()));
    assert_eq!((config.tls.ca_file, config.tls.pins.len()), (Some("/etc/ca.pem".into()), 2));
    let (config, _) = load("tls_ca_file=\ntls_client_certificate=\ntls_client_key=\ntls_pins=\n").unwrap();
    assert_eq!(config.tls, TlsFiles::default());
}

#[test]
fn wrong_settings_of_https_are_refused() {
    for (text, key) in [
        ("tls_ca_file=ca.pem", "tls_ca_file"),
        ("tls_client_certificate=/a", "tls_client_certificate"),
        ("tls_client_key=/a", "tls_client_key"),
        ("tls_client_certificate=/a\ntls_client_key=", "tls_client_key"),
        ("tls_pins=AAAA", "tls_pins"),
        ("tls_pins=,", "tls_pins"),
    ] {
        let problems = load(&format!("{text}\n")).unwrap_err();
        assert!(
            problems.iter().any(|problem| problem.to_string().contains(&format!("{key}: must be"))),
            "{problems:?}"
        );
    }
}

#[test]
fn the_management_path_is_read() {
    let text = "management_interface=eth0.7\nmanagement_namespace=mgmt\nresolvers=192.0.2.53, [2001:db8::53]:5353, ::1\n\
        proxy=http://[2001:db8::1]:3128\nproxy_username=box\nproxy_password=secret\nconnection_request_interface=br-lan\n";
    let (config, _) = load(text).unwrap();
    let proxy = ProxyConfig {
        host: "2001:db8::1".into(),
        port: 3128,
        username: "box".into(),
        password: Secret("secret".into()),
    };
    let expected = PathConfig {
        interface: Some("eth0.7".into()),
        namespace: Some("/run/netns/mgmt".into()),
        resolvers: ["192.0.2.53:53", "[2001:db8::53]:5353", "[::1]:53"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
        proxy: Some(proxy),
    };
    assert_eq!(config.path, expected);
    assert!(!format!("{config:?}").contains("secret"));
    assert_eq!(config.connection_request.interface, Interface::Named("br-lan".into()));

    let (config, _) = load("management_namespace=/proc/1/ns/net\nproxy=http://proxy\n").unwrap();
    assert_eq!(config.path.namespace, Some("/proc/1/ns/net".into()));
    assert_eq!(config.path.proxy.unwrap().port, 80);

    // The empty text takes back what a lower file says.
    let factory =
        "[cwmpd]\nmanagement_interface=eth0\nmanagement_namespace=a\nresolvers=::1\nproxy=http://proxy\n";
    let user = "[cwmpd]\nmanagement_interface=\nmanagement_namespace=\nresolvers=\nproxy=\nconnection_request_interface=\n";
    let (_dir, layers) = layers(factory, user);
    let (config, _) = Config::load(&layers).unwrap();
    assert_eq!((config.path, config.connection_request.interface), (PathConfig::default(), Interface::Any));
}
