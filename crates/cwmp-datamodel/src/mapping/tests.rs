//! What the compiler takes and what it refuses.

use std::collections::HashSet;

use super::*;

fn errors(text: &str) -> Vec<String> {
    let (_, errors) = Compiled::of(&[("f.map", text)], &["netdev", "sysfs", "ubus", "uci"]);
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_mapping_of_every_kind_compiles() {
    let text = "
[Device.Ethernet.Interface.{i}.]  rows = netdev(kind=ethernet)  key = name
Name            = key
MACAddress      = sysfs(address) | mac
Status          = file(/sys/class/net/{key}/operstate) | enum(up=Up, down=Down, *=Unknown)
Stats.BytesSent = netdev(stats64.tx_bytes)
Enable          = sysfs(up) | bool  set = command(/sbin/ip, link, set, {key}, {value})
X_ACME-COM_Note: string = ini(/etc/notes, {key}, note)  set = ini(/etc/notes, {key}, note)

[Device.UserInterface.]
PasswordReset = text(false)  set = command(/sbin/reset-password)

[Device.X_00D09E_Fan.{i}.]  rows = entries(/sys/class/hwmon, hwmon)
Speed: unsignedInt = file(/sys/class/hwmon/{key}/fan1_input) | number
Limits.Highest: unsignedInt = text(5000)
";
    assert_eq!(errors(text), [""; 0]);
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let single = |line: &str| format!("[Device.DeviceInfo.]\n{line}");
    let row = |line: &str| format!("[Device.Ethernet.Interface.{{i}}.] rows = netdev(x)\n{line}");
    let time = |line: &str| format!("[Device.Time.]\n{line}");
    for (text, wanted) in [
        ("[Device.Nothing.]".to_owned(), "1: TR-181 2.17 has no Device.Nothing."),
        (
            "[Device.Ethernet.Interface.]".into(),
            "1: [Device.Ethernet.Interface.] is a table: its rows are [Device.Ethernet.Interface.{i}.]",
        ),
        (
            "[Device.Ethernet.Interface.{i}.]".into(),
            "1: `rows = ...` is missing behind [Device.Ethernet.Interface.{i}.]",
        ),
        (
            "[Device.Ethernet.Interface.1.]".into(),
            "1: [Device.Ethernet.Interface.1.]: rows are written `{i}`, not with numbers",
        ),
        ("[Device.Time.] rows = keys(a)".into(), "1: [Device.Time.] has no rows: a table ends with `{i}.`"),
        (
            "[Device.Ethernet.Interface.{i}.] rows = snmp(x)".into(),
            "1: there is no source `snmp` on this platform",
        ),
        ("[Device.Ethernet.Interface.{i}.] rows = keys()".into(), "1: `keys` takes the keys of the rows"),
        (
            "[Device.Ethernet.Interface.{i}.] rows = keys(a) key = name".into(),
            "1: `key` is for rows of a provider, not for `keys`",
        ),
        (
            "[Device.Ethernet.Interface.{i}.] rows = entries(sys)".into(),
            "1: `sys` is no absolute path without `..`",
        ),
        (single("Nothing = text(a)"), "2: TR-181 2.17 has no Device.DeviceInfo.Nothing"),
        (single("UpTime = file(/proc/uptime) | mac"), "2: `mac` does not give a unsignedInt"),
        (single("HostName = file(/x) | bool"), "2: `bool` does not give a string"),
        (single("UpTime = file(/x) | bool | number"), "2: `bool` comes last"),
        (single("UpTime = text(soon)"), "2: `soon`: the value must be an unsignedInt from 0 to 4294967295"),
        (single("UpTime = text(soon) | number"), "2: `soon` does not go through the conversions"),
        (
            single("UpTime = file(/x) set = file(/x)"),
            "2: Device.DeviceInfo.UpTime cannot be written, says TR-181 2.17: `set` has no place here",
        ),
        (single("UpTime = file(../x)"), "2: `../x` is no absolute path without `..`"),
        (single("UpTime = file(/x/../y)"), "2: `/x/../y` is no absolute path without `..`"),
        (single("UpTime = file(/x/{key})"), "2: `/x/{key}`: a single object has no {key}"),
        (single("HostName = key"), "2: `key` is the key of a row: a single object has none"),
        (
            single("HostName = file(/x) set = file(/{value})"),
            "2: `/{value}`: only an argument of a program that sets has a {value}",
        ),
        (
            single("HostName = command(/x, {value})"),
            "2: `{value}`: only an argument of a program that sets has a {value}",
        ),
        (single("HostName = command(x)"), "2: `x` is no absolute path without `..`"),
        (single("HostName = command()"), "2: `command` takes a program and its arguments"),
        (single("HostName = text(a) set = command(/x{value})"), "2: `/x{value}`: a program is fixed"),
        (single("HostName = text(a) set = text(b)"), "2: `text` cannot be set"),
        (single("HostName = text(a) reload = command(/x)"), "2: `reload` follows a `set`"),
        (
            single("HostName = text(a) set = file(/x) reload = file(/x)"),
            "2: `reload` takes a `command`, not `file`",
        ),
        (single("HostName = nowhere(a)"), "2: there is no source `nowhere` on this platform"),
        (
            single("HostName: string = text(a)"),
            "2: Device.DeviceInfo.HostName has its type from TR-181: leave `: type` out",
        ),
        (single("HostName = text(a)\nHostName = text(b)"), "3: Device.DeviceInfo.HostName is mapped already"),
        (
            single("ProcessorNumberOfEntries = text(1)"),
            "2: Device.DeviceInfo.ProcessorNumberOfEntries: rows are counted by the tree",
        ),
        (
            single("X_ACME_Colour = text(red)"),
            "2: Device.DeviceInfo.X_ACME_Colour needs a type: `Name: type = ...` with string, int, unsignedInt, long, unsignedLong, boolean, dateTime, base64Binary, hexBinary, decimal",
        ),
        (
            single("X_ACME_Colour: colour = text(red)"),
            "2: `colour` is no type: string, int, unsignedInt, long, unsignedLong, boolean, dateTime, base64Binary, hexBinary, decimal are",
        ),
        (
            single("X_acme_Colour: string = text(red)"),
            "2: `X_acme_Colour` is no vendor's name: X_, an OUI or a domain in capitals with hyphens, _, a name",
        ),
        (
            single("X_ACME: string = text(red)"),
            "2: `X_ACME` is no vendor's name: X_, an OUI or a domain in capitals with hyphens, _, a name",
        ),
        (
            single("Nothing.X_ACME_Colour: string = text(red)"),
            "2: TR-181 2.17 has no Device.DeviceInfo.Nothing.",
        ),
        (
            "[Device.Nothing.X_ACME_O.]".into(),
            "1: TR-181 2.17 has no Device.Nothing., where Device.Nothing.X_ACME_O. would be",
        ),
        (row("Alias = text(a)"), "2: Device.Ethernet.Interface.{i}.Alias: aliases are kept by the tree"),
        (
            row("Status = text(a)"),
            "2: `a`: the value must be one of Up, Down, Unknown, Dormant, NotPresent, LowerLayerDown, Error",
        ),
        (
            row("Status = sysfs(a) | enum(up=Upwards)"),
            "2: `Upwards`: the value must be one of Up, Down, Unknown, Dormant, NotPresent, LowerLayerDown, Error",
        ),
        (row("Status = sysfs()"), "2: `sysfs` takes the name of a field"),
        (row("Status = sysfs(a, \"b,c\")"), "2: `sysfs` takes no comma in one of several arguments"),
        (row("MaxBitRate = sysfs(speed) | kib set = file(/x)"), "2: what goes through `kib` cannot be set"),
        (time("NTPServer1 = file(/x) | list"), "2: `list` does not give a string"),
        (
            "[Device.UserInterface.]\nPasswordReset = text(false)".into(),
            "2: Device.UserInterface.PasswordReset acts when it is set: `set = ...` is missing",
        ),
        (
            "[Device.IP.Interface.{i}.IPv4Address.{i}.] rows = netdev(x)".into(),
            "1: [Device.IP.Interface.{i}.IPv4Address.{i}.] is below the rows of a table: write the rest of the path before the names of parameters, and map no table inside a table",
        ),
    ] {
        assert_eq!(errors(&text), [format!("f.map:{wanted}")], "{text}");
    }
}

/// Conformance: 9.15
#[test]
fn names_of_vendors_have_the_form_of_the_standard() {
    let of = |name: &str| errors(&format!("[Device.]\n{name}: string = text(a)"));
    for good in [
        "X_00D09E_Name",
        "X_ACME-COM_Name",
        "X_ACME_Name_2-b",
        "X_ACME_Object.Name",
        "X_ACME_Object.X_ACME_Name",
    ] {
        assert_eq!(of(good), [""; 0], "{good}");
    }
    for bad in ["X_Name", "X__Name", "X_ACME_", "X_Acme_Name", "X_ACME.COM_Name", "X_ACME_2"] {
        assert_eq!(of(bad).len(), 1, "{bad}");
    }
    let longest = format!("X_ACME_{}", "n".repeat(256 - "Device.X_ACME_".len()));
    assert_eq!(of(&longest), [""; 0]);
    assert!(of(&format!("{longest}n"))[0].ends_with("has more than 256 characters"));
}

#[test]
fn a_file_with_a_mistake_is_left_out_and_the_others_count() {
    let first = ("a.map", "[Device.DeviceInfo.]\nHostName = text(a)\nUpTime = text(x)");
    let second = ("b.map", "[Device.DeviceInfo.]\nHostName = text(b)");
    let third = ("c.map", "[Device.DeviceInfo.]\nHostName = text(c)\nX_ACME_A: string = text(c)");
    let (compiled, errors) = Compiled::of(&[first, second, third], &[]);
    let names: Vec<&str> = compiled.files.iter().map(|file| &*file.name).collect();
    assert_eq!(names, ["b.map"]);
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors[0], "a.map:3: `x`: the value must be an unsignedInt from 0 to 4294967295");
    assert_eq!(errors[1], "c.map:2: Device.DeviceInfo.HostName is mapped already");
    assert_eq!(errors.len(), 2);
}

#[test]
fn a_clash_with_another_source_takes_the_file_out() {
    let adds = ("a.map", "[Device.DeviceInfo.]\nX_ACME_A: string = text(a)");
    let repeats = ("b.map", "[Device.DeviceInfo.]\nHostName = text(a)");
    let table = ("c.map", "[Device.Hosts.Host.{i}.] rows = keys(a)\nHostName = key");
    let (mut compiled, errors) = Compiled::of(&[adds, repeats, table], &[]);
    assert_eq!(errors, []);
    let others = ["Device.DeviceInfo.", "Device.Hosts.Host.{i}."];
    let shared: HashSet<String> = compiled.shared(&others).collect();
    assert!(shared.contains("Device.DeviceInfo."));
    let delivered = HashSet::from(["Device.DeviceInfo.HostName".to_owned()]);
    let errors = compiled.leave_out_clashes(&others, &delivered);
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "b.map:2: Device.DeviceInfo.HostName comes from another source already",
            "c.map:1: the rows of Device.Hosts.Host.{i}. come from another source already"
        ]
    );
    assert_eq!(compiled.files.len(), 1);
}

#[test]
fn a_value_that_looks_like_a_place_stays_as_it_is() {
    assert_eq!(fill("a{key}b{value}c{other}{", "{value}", "{key}"), "a{value}b{key}c{other}{");
    assert_eq!(path("/sys/{key}/x", "../../etc"), None);
    assert_eq!(path("/sys/{key}/x", ".."), None);
    assert_eq!(path("/sys/{key}/x", "eth0.5").as_deref(), Some("/sys/eth0.5/x"));
    assert_eq!(path("/sys/x", "a/b").as_deref(), Some("/sys/x"));
}

#[test]
fn the_examples_of_the_manual_compile() {
    let manual = include_str!("../../../../docs/mapping.md");
    let blocks: Vec<&str> =
        manual.split("```").skip(1).step_by(2).filter(|block| block.contains("[Device.")).collect();
    assert!(blocks.len() >= 4, "{}", blocks.len());
    for block in blocks {
        assert_eq!(errors(block), [""; 0], "{block}");
    }
}
