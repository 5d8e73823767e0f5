//! The parameters of connection requests through a NAT.

use super::*;

/// Conformance: 6.09, 6.33
#[test]
fn settings_of_stun_are_kept_and_in_force_at_once() {
    let there = fresh();
    let set = [
        ("STUNEnable", "1"),
        ("STUNServerAddress", "stun.example"),
        ("STUNServerPort", "3479"),
        ("STUNUsername", "box"),
        ("STUNPassword", "hidden"),
        ("STUNMaximumKeepAlivePeriod", "120"),
        ("STUNMinimumKeepAlivePeriod", "30"),
    ];
    assert_eq!(there.set(&set), []);
    let there = there.restarted();
    let stun = there.source.settings().stun;
    assert_eq!((stun.enable, stun.server_address.as_str(), stun.server_port), (true, "stun.example", 3479));
    assert_eq!((stun.username.as_str(), stun.password), ("box", Secret("hidden".into())));
    assert_eq!((stun.maximum_keep_alive, stun.minimum_keep_alive), (Some(120), 30));
    assert_eq!(there.set(&[("STUNMaximumKeepAlivePeriod", "-1")]), []);
    assert_eq!(there.source.settings().stun.maximum_keep_alive, None);
    for (name, value) in [
        ("STUNEnable", "maybe"),
        ("STUNServerAddress", "stun.example:3478"),
        ("STUNServerPort", "65536"),
        ("STUNMaximumKeepAlivePeriod", "-2"),
        ("STUNMinimumKeepAlivePeriod", "-1"),
    ] {
        assert_eq!(there.set(&[(name, value)]), [(name.to_owned(), 9007)], "{value}");
    }
    for name in ["UDPConnectionRequestAddress", "NATDetected", "SupportedConnReqMethods"] {
        assert_eq!(there.set(&[(name, "1")]), [(name.to_owned(), 9008)]);
    }
}

#[test]
fn where_udp_requests_are_taken_is_the_programs() {
    let there = fresh();
    let address = || "192.0.2.1:7547".to_owned();
    assert!(there.source.set_udp_connection_requests(address(), true));
    assert!(!there.source.set_udp_connection_requests(address(), true));
    assert_eq!(there.show("UDPConnectionRequestAddress"), "ro 192.0.2.1:7547");
    assert_eq!(there.show("NATDetected"), "ro true");
    assert_eq!(there.user_ini(), None);
}
