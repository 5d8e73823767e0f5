//! The URL of the ACS and what goes with it, where DHCP has told it.

use super::*;

const FACTORY: &str = "[ManagementServer]\nURL=http://factory.example/\n";

fn learn(cpe: &Cpe, values: &[(&str, &str)]) {
    let values: Vec<_> = values.iter().map(|(key, value)| (SECTION, *key, *value)).collect();
    cpe.source.layers.learn(&values).unwrap();
    cpe.source.refresh();
}

fn url(cpe: &Cpe) -> (Option<String>, bool) {
    let settings = cpe.source.settings();
    (settings.url.map(|url| url.to_string()), settings.url_from_dhcp)
}

fn set(cpe: &Cpe, key: &str, value: &str) {
    assert_eq!(cpe.set(&[(key, value)]), []);
}

fn some(url: &str, from_dhcp: bool) -> (Option<String>, bool) {
    (Some(url.to_owned()), from_dhcp)
}

/// Conformance: 12.01, 12.02
#[test]
fn what_was_set_here_goes_before_dhcp_and_dhcp_before_the_factory() {
    let cpe = with(FACTORY, "");
    assert_eq!(url(&cpe), some("http://factory.example/", false), "nobody says more");
    learn(&cpe, &[("URL", "http://dhcp.example/")]);
    assert_eq!(url(&cpe), some("http://dhcp.example/", true));
    set(&cpe, "URL", "http://set.example/");
    assert_eq!(url(&cpe), some("http://set.example/", false));
    learn(&cpe, &[("URL", "http://renewed.example/")]);
    assert_eq!(url(&cpe), some("http://set.example/", false), "a renewed lease overwrites nothing");
    let cpe = started(cpe.dir);
    assert_eq!(url(&cpe), some("http://set.example/", false));
    set(&cpe, "URL", "");
    assert_eq!(url(&cpe), some("http://renewed.example/", true), "without a value it is DHCP's to tell");
}

/// Conformance: 12.02
#[test]
fn an_empty_url_is_no_value_and_only_dhcp_may_give_it_one() {
    let cpe = with(FACTORY, "");
    set(&cpe, "URL", "");
    assert_eq!(url(&cpe), (None, true), "the factory's URL was taken away");
    learn(&cpe, &[("URL", "http://dhcp.example/")]);
    assert_eq!(url(&cpe), some("http://dhcp.example/", true));
    let without = with("[cwmpd]\ndhcp_discovery=false\n", "");
    assert_eq!(url(&without), (None, false));
}

/// Conformance: 12.13
#[test]
fn what_the_acs_sets_of_the_retry_waits_is_kept_whatever_dhcp_tells() {
    let cpe = fresh();
    let waits = |cpe: &Cpe| {
        let settings = cpe.source.settings();
        (settings.retry_minimum_wait_interval, settings.retry_interval_multiplier)
    };
    learn(&cpe, &[("CWMPRetryMinimumWaitInterval", "7"), ("CWMPRetryIntervalMultiplier", "3000")]);
    assert_eq!(waits(&cpe), (7, 3000));
    set(&cpe, "CWMPRetryMinimumWaitInterval", "11");
    learn(&cpe, &[("CWMPRetryMinimumWaitInterval", "8"), ("CWMPRetryIntervalMultiplier", "4000")]);
    assert_eq!(waits(&cpe), (11, 4000));
    assert_eq!(waits(&started(cpe.dir)), (11, 4000));
}
