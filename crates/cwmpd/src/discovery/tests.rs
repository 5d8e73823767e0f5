use cwmp_store::{Layer, Layers, durable::RealFiles};
use tempfile::TempDir;

use super::*;
use crate::config::Config;

struct Box {
    folder: TempDir,
    layers: Rc<SharedLayers>,
    ear: Ear,
}

/// A box with these files.
fn a_box(factory: &str, user: &str) -> Box {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("factory.ini"), factory).unwrap();
    fs::write(folder.path().join("user.ini"), user).unwrap();
    start(folder)
}

fn start(folder: TempDir) -> Box {
    let (layers, problems) = Layers::load(RealFiles::shared(), folder.path()).unwrap();
    assert_eq!(problems, []);
    let (config, unknown) = Config::load(&layers).unwrap();
    assert_eq!(unknown, []);
    let layers = Rc::new(SharedLayers::new(layers));
    let (ear, forgotten) = Ear::new(config.dhcp, Rc::clone(&layers));
    forgotten.unwrap();
    Box { folder, layers, ear }
}

impl Box {
    fn again(self, factory: &str) -> Self {
        fs::write(self.folder.path().join("factory.ini"), factory).unwrap();
        start(self.folder)
    }

    fn learnt(&self, section: &str, key: &str) -> Option<String> {
        self.layers.borrow().of_layer(Layer::Learnt, section, key).map(str::to_owned)
    }

    fn url(&self) -> Option<String> {
        self.learnt(SECTION, URL)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sub(number: u8, value: &str) -> Vec<u8> {
    [&[number, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

/// What a client on this device is told over IPv4.
fn told(interface: &str, subs: &[(u8, &str)]) -> Announcement {
    let content: Vec<u8> = subs.iter().flat_map(|(number, value)| sub(*number, value)).collect();
    Announcement { interface: interface.into(), option43: Some(hex(&content)), ..Announcement::default() }
}

/// What one is told over IPv6.
fn told_6(interface: &str, url: &str) -> Announcement {
    let length = u16::try_from(url.len()).unwrap().to_be_bytes();
    let content = [&ENTERPRISE.to_be_bytes()[..], &[0, 1], &length, url.as_bytes()].concat();
    Announcement { interface: interface.into(), option17: vec![hex(&content)], ..Announcement::default() }
}

fn with_gateway(interface: &str, serial_number: &str) -> Announcement {
    let data = [sub(4, "00D09E"), sub(5, serial_number), sub(6, "Gate")].concat();
    let content = [&ENTERPRISE.to_be_bytes()[..], &[u8::try_from(data.len()).unwrap()], &data].concat();
    Announcement { interface: interface.into(), option125: Some(hex(&content)), ..Announcement::default() }
}

const ONE: &str = "https://one.example/";
const TWO: &str = "https://two.example/";

#[test]
fn what_is_told_is_kept_and_told_again_changes_nothing() {
    let a_box = a_box("", "");
    let all = told("eth0", &[(1, ONE), (2, "CODE"), (3, "7"), (4, "3000")]);
    assert_eq!(a_box.ear.hear(&all), Ok(true));
    assert_eq!(a_box.ear.hear(&all), Ok(false));
    let a_box = a_box.again("");
    assert_eq!(a_box.url().as_deref(), Some(ONE));
    assert_eq!(a_box.learnt("DeviceInfo", "ProvisioningCode").as_deref(), Some("CODE"));
    assert_eq!(a_box.learnt(SECTION, "CWMPRetryMinimumWaitInterval").as_deref(), Some("7"));
    assert_eq!(a_box.learnt(SECTION, "CWMPRetryIntervalMultiplier").as_deref(), Some("3000"));
    assert_eq!(a_box.learnt(ORIGIN, "Option").as_deref(), Some("43"));
    assert_eq!(a_box.ear.hear(&told("eth0", &[(1, TWO)])), Ok(true));
    assert_eq!(a_box.url().as_deref(), Some(TWO));
    assert_eq!(a_box.learnt("DeviceInfo", "ProvisioningCode"), None, "the new ACS has not told one");
}

#[test]
fn a_lease_without_options_leaves_what_is_known() {
    let a_box = a_box("", "");
    a_box.ear.hear(&told("eth0", &[(1, ONE)])).unwrap();
    for announcement in [
        Announcement { interface: "eth0".into(), ..Announcement::default() },
        told("eth0", &[]),
        told("eth0", &[(1, "ftp://acs.example/")]),
    ] {
        assert_eq!(a_box.ear.hear(&announcement), Ok(false));
    }
    assert_eq!(a_box.url().as_deref(), Some(ONE));
}

/// Of two clients that disagree, the one that was first is heard until its ACS is not reached.
#[test]
fn another_client_is_heard_when_the_acs_is_not_reached() {
    let a_box = a_box("", "");
    a_box.ear.hear(&told("eth0", &[(1, ONE)])).unwrap();
    assert_eq!(a_box.ear.hear(&told("eth1", &[(1, TWO)])), Ok(false));
    assert_eq!(a_box.ear.hear(&told_6("eth0", TWO)), Ok(false));
    a_box.ear.hear_anybody();
    assert_eq!(a_box.ear.hear(&told("eth1", &[(2, "CODE")])), Ok(true), "it has told no URL yet");
    assert_eq!(a_box.ear.hear(&told_6("eth0", TWO)), Ok(true));
    assert_eq!(a_box.url().as_deref(), Some(TWO));
    assert_eq!(a_box.ear.hear(&told("eth0", &[(1, ONE)])), Ok(false), "now that one is");
}

/// 12.15
#[test]
fn a_policy_can_demand_https() {
    let policy = "[cwmpd]\ndhcp_requires_https=true\n";
    let a_box = a_box(policy, "");
    let plain = told("eth0", &[(1, "http://acs.example/"), (2, "CODE")]);
    let error = a_box.ear.hear(&plain).unwrap_err();
    assert_eq!(error, "dhcp_requires_https is true: an ACS without https is refused");
    assert_eq!((a_box.url(), a_box.learnt("DeviceInfo", "ProvisioningCode")), (None, None));
    assert_eq!(a_box.ear.hear(&told("eth0", &[(1, ONE)])), Ok(true));
    // What was learnt before the policy came does not outlive it.
    let a_box = a_box.again("");
    a_box.ear.hear(&plain).unwrap();
    assert_eq!(a_box.again(policy).url(), None);
}

#[test]
fn dhcp_can_be_left_out_or_be_heard_on_one_device_alone() {
    let a_box = a_box("", "");
    a_box.ear.hear(&told("eth0", &[(1, ONE)])).unwrap();
    let a_box = a_box.again("[cwmpd]\ndhcp_interface=eth1\n");
    assert_eq!(a_box.url(), None);
    assert!(a_box.ear.hear(&told("eth0", &[(1, ONE)])).unwrap_err().contains("dhcp_interface is eth1"));
    assert_eq!(a_box.ear.hear(&told("eth1", &[(1, ONE)])), Ok(true));
    let a_box = a_box.again("[cwmpd]\ndhcp_discovery=false\n");
    assert_eq!(a_box.url(), None);
    assert!(a_box.ear.hear(&told("eth1", &[(1, ONE)])).unwrap_err().contains("dhcp_discovery is false"));
}

/// 12.04
#[test]
fn the_configuration_says_which_option_was_asked_for() {
    let data = sub(11, TWO);
    let content = [&ENTERPRISE.to_be_bytes()[..], &[u8::try_from(data.len()).unwrap()], &data].concat();
    let both = Announcement { option125: Some(hex(&content)), ..told("eth0", &[(1, ONE)]) };
    for (setting, url) in [("both", ONE), ("43", ONE), ("125", TWO)] {
        let a_box = a_box(&format!("[cwmpd]\ndhcp_requested_option={setting}\n"), "");
        a_box.ear.hear(&both).unwrap();
        assert_eq!(a_box.url().as_deref(), Some(url), "{setting}");
    }
}

/// 12.14
#[test]
fn the_gateway_is_the_one_of_the_latest_lease() {
    let a_box = a_box("", "");
    let number = |a_box: &Box| a_box.learnt(GATEWAY, "SerialNumber");
    assert_eq!(a_box.ear.hear(&with_gateway("eth0", "S1")), Ok(true));
    assert_eq!(a_box.ear.hear(&with_gateway("eth0", "S1")), Ok(false));
    assert_eq!(a_box.ear.hear(&told("eth1", &[(1, ONE)])), Ok(true));
    assert_eq!(number(&a_box).as_deref(), Some("S1"), "another lease says nothing of it");
    assert_eq!(a_box.ear.hear(&told_6("eth0", TWO)), Ok(false));
    assert_eq!(a_box.ear.hear(&with_gateway("eth0", "S2")), Ok(true));
    assert_eq!(number(&a_box).as_deref(), Some("S2"));
    assert_eq!(a_box.ear.hear(&told("eth0", &[])), Ok(true));
    assert_eq!((number(&a_box), a_box.url().as_deref()), (None, Some(ONE)));
}

/// 12.07
#[test]
fn what_is_no_announcement_is_refused_with_the_reason() {
    let a_box = a_box("", "");
    for interface in ["", "a/b", "../eth0", "sixteen-bytes-xx", "eth 0", "eth0\n"] {
        assert!(a_box.ear.hear(&told(interface, &[(1, ONE)])).unwrap_err().contains("--interface"));
    }
    let odd = Announcement { option43: Some("$(reboot)".into()), ..told("eth0", &[]) };
    assert_eq!(
        a_box.ear.hear(&odd).unwrap_err(),
        "option 43 must be hexadecimal digits, two for each byte, or bytes between colons"
    );
}

#[test]
fn what_is_told_before_the_agent_runs_is_picked_up_once() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control");
    let (first, second, v6) = (told("eth0", &[(1, ONE)]), told("eth0", &[(1, TWO)]), told_6("eth0", ONE));
    for announcement in [&first, &second, &v6] {
        leave(&socket, announcement).unwrap();
    }
    assert_eq!(pick_up(&socket), [second, v6]);
    assert_eq!(pick_up(&socket), []);
    fs::write(folder.path().join("control.dhcp4"), "nonsense").unwrap();
    assert_eq!(pick_up(&socket), []);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(leave(Path::new("/no/such/folder/control"), &first).unwrap_err().starts_with("/no/such/folder/"));
}

/// 12.03, 12.14
#[test]
fn the_box_tells_what_its_dhcp_client_is_to_send() {
    let device = DeviceId {
        manufacturer: "M".into(),
        oui: "00D09E".into(),
        product_class: "Box".into(),
        serial_number: "S".into(),
    };
    let text = options_to_send(&device);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], format!("option60={}", hex(b"dslforum.org")));
    assert_eq!(lines[1], "option125=00000de9100106303044303945020153030342 6f78".replace(' ', ""));
    assert_eq!(lines[2], format!("option16=00000de9000c{}", hex(b"dslforum.org")));
    assert!(lines[3].starts_with("option17=00000de9000b0006303044303945"), "{}", lines[3]);
    assert!(lines[4].starts_with("server-option125=00000de91004063030"), "{}", lines[4]);
    assert!(lines[5].starts_with("server-option17=00000de9000e0006"), "{}", lines[5]);
    assert_eq!(lines.len(), 6);
}
