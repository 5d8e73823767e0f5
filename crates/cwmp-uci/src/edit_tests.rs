use proptest::prelude::*;

use super::*;

const NETWORK: &str = "
config interface 'lan'
	option proto 'static'
	option mtu '1500'
	list dns '1.1.1.1'

config route

config route
	option target '10.0.0.0/8'

";

fn network() -> Package {
    Package::parse("network", NETWORK.as_bytes()).unwrap()
}

fn set(section: &str, option: &str, value: &str) -> Edit {
    Edit::Set { section: section.into(), option: option.into(), value: value.into() }
}

fn list(section: &str, option: &str, values: &[&str]) -> Edit {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Edit::SetList { section: section.into(), option: option.into(), values }
}

fn unset(section: &str, option: &str) -> Edit {
    Edit::Unset { section: section.into(), option: option.into() }
}

fn add(kind: &str, name: Option<&str>) -> Edit {
    Edit::AddSection { kind: kind.into(), name: name.map(str::to_owned) }
}

fn delete(section: &str) -> Edit {
    Edit::DeleteSection { section: section.into() }
}

fn rename(section: &str, name: &str) -> Edit {
    Edit::Rename { section: section.into(), name: name.into() }
}

fn reorder(section: &str, position: usize) -> Edit {
    Edit::Reorder { section: section.into(), position }
}

fn after(edits: &[Edit]) -> String {
    let mut package = network();
    package.apply(edits).unwrap();
    String::from_utf8(package.export()).unwrap()
}

#[test]
fn options_are_changed_in_their_place_and_new_ones_come_last() {
    let edits = [
        set("lan", "proto", "dhcp"),
        set("lan", "dns", "9.9.9.9"),
        list("lan", "mtu", &["1", "2"]),
        set("lan", "new", "it's"),
        set("@route[-1]", "target", ""),
        unset("lan", "never"),
    ];
    let expected = NETWORK
        .replace("'static'", "'dhcp'")
        .replace("option mtu '1500'", "list mtu '1'\n\tlist mtu '2'")
        .replace("list dns '1.1.1.1'", "option dns '9.9.9.9'\n\toption new 'it'\\''s'")
        .replace("\toption target '10.0.0.0/8'\n", "");
    assert_eq!(after(&edits), expected);
}

#[test]
fn sections_are_added_named_moved_and_deleted() {
    let edits = [
        add("route", None),
        set("@route[-1]", "target", "x"),
        rename("@route[0]", "first"),
        delete("@route[1]"),
    ];
    assert_eq!(
        after(&edits),
        NETWORK.replace("config route\n\n", "config route 'first'\n\n").replace("10.0.0.0/8", "x"),
        "`@route[1]` is counted when its turn comes"
    );
    let moved = after(&[reorder("lan", 9), reorder("@route[1]", 0)]);
    assert!(moved.starts_with(
        "\nconfig route\n\toption target '10.0.0.0/8'\n\nconfig route\n\nconfig interface 'lan'\n"
    ));
    assert!(after(&[reorder("lan", 9)]).ends_with("list dns '1.1.1.1'\n\n"));
}

#[test]
fn what_was_added_is_told_by_the_names_that_a_reader_of_the_file_sees() {
    let mut package = network();
    let edits = [
        add("rule", None),
        add("rule", Some("own")),
        add("rule", None),
        delete("@route[0]"),
        delete("@rule[-1]"),
    ];
    let added = package.apply(&edits).unwrap();
    let again = Package::parse("network", &package.export()).unwrap();
    assert_eq!(again, package);
    assert_eq!(added.len(), 2);
    assert!(added.iter().all(|name| again.section(name).unwrap().kind() == "rule"), "{added:?}");
    assert_eq!(added[1], "own");
}

#[test]
fn what_cannot_be_is_refused_with_the_place() {
    for (edit, place) in [
        (set("wan", "proto", "x"), "network.wan.proto: there is no such section"),
        (set("@route[2]", "proto", "x"), "network.@route[2].proto: there is no such section"),
        (set("lan", "pro-to", "x"), "network.lan.pro-to: an option's name"),
        (set("lan", "", "x"), "network.lan.: an option's name"),
        (set("lan", "proto", "a\0b"), "network.lan.proto: the value has control characters"),
        (list("lan", "dns", &["ok", "\u{1b}[0m"]), "network.lan.dns: the value has control characters"),
        (add("a b", None), "network.(new): a section's type"),
        (add("route", Some("a.b")), "network.a.b: a section's name"),
        (add("route", Some("lan")), "network.lan: a section with this name"),
        (rename("lan", "a\nb"), "network.a\\nb: a section's name"),
        (rename("@route[0]", "lan"), "network.lan: a section with this name"),
        (delete("wan"), "network.wan: there is no such section"),
        (reorder("wan", 0), "network.wan: there is no such section"),
        (set(&"x".repeat(300), "proto", "x"), "network.xxx"),
    ] {
        let error = network().apply(std::slice::from_ref(&edit)).unwrap_err().to_string();
        assert!(error.starts_with(place), "{edit:?}: {error}");
    }
    let many = vec![unset("lan", "x"); limits::EDITS + 1];
    assert!(network().apply(&many).unwrap_err().to_string().contains("more edits"));
}

#[test]
fn an_edit_shows_no_value() {
    let text = format!("{:?}", [set("lan", "key", "secret"), list("lan", "keys", &["secret"])]);
    assert!(text.contains("lan.key") && !text.contains("secret"), "{text}");
}

proptest! {
    /// What a value holds stays in the value, whatever it looks like.
    #[test]
    fn a_value_becomes_no_other_option_and_no_section(
        value in "[ -~\\t\\n\\r\u{e9}]{1,40}|(['\"\\\\#;\\n\\t ]|config|option|list x|x){1,12}",
        items in prop::collection::vec("(['\"\\\\#;\\n\\r ]|config|option){0,6}", 1..4),
    ) {
        let mut package = network();
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        package.apply(&[set("lan", "proto", &value), list("@route[0]", "v", &items)]).unwrap();
        let again = Package::parse("network", &package.export()).unwrap();
        prop_assert_eq!(&again, &package);
        prop_assert_eq!(again.section("lan").unwrap().get("proto"), Some(value.as_str()));
        prop_assert_eq!(again.nth(Some("route"), 0).unwrap().list("v"), items);
        prop_assert_eq!(again.sections().len(), 3);
        prop_assert_eq!(again.section("lan").unwrap().options().len(), 3);
    }

    /// No bytes make the reader panic, and what it reads it can write.
    #[test]
    fn any_bytes_are_read_or_refused(
        text in prop::collection::vec(prop::sample::select(b"config option list package xy'\"\\#; \t\n\r\xff\x01".to_vec()), 0..120),
        lines in prop::collection::vec("(config x|config 'x' 'y'|option a|list a)( ['\"\\\\#;a ]{0,8})?\\r?\\n?", 0..8),
    ) {
        for text in [text, lines.concat().into_bytes()] {
            if let Ok(package) = Package::parse("x", &text) {
                let again = Package::parse("x", &package.export()).unwrap();
                prop_assert_eq!(again.sections(), package.sections());
            }
        }
    }
}
