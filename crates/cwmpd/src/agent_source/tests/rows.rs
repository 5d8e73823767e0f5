//! The rows of InformParameter.

use super::*;

#[test]
fn rows_are_added_with_the_defaults_and_deleted() {
    let there = fresh();
    let key = changes(&[("ParameterKey", "k1")]);
    assert_eq!(now(there.source.add(TABLE, &key)), Ok((1, Status::Applied)));
    assert_eq!(there.show("ParameterKey"), "ro k1");
    let expected = "\
Device.ManagementServer.InformParameter. Table { addable: true }
Device.ManagementServer.InformParameter.1. Instance { deletable: true }
Device.ManagementServer.InformParameter.1.Enable rw false
Device.ManagementServer.InformParameter.1.ParameterName rw 
Device.ManagementServer.InformParameter.1.EventList rw ";
    assert!(there.read(TABLE).join("\n").ends_with(expected));
    assert_eq!(there.show("InformParameterNumberOfEntries"), "ro 1");
    let key = changes(&[("ParameterKey", "")]);
    assert_eq!(now(there.source.delete(&format!("{TABLE}1."), &key)), Ok(Status::Applied));
    assert_eq!(
        (there.show("ParameterKey").as_str(), there.show("InformParameterNumberOfEntries").as_str()),
        ("ro ", "ro 0")
    );
    for path in
        [format!("{TABLE}1."), format!("{TABLE}1"), TABLE.to_owned(), format!("{TABLE}x."), OBJECT.to_owned()]
    {
        assert_eq!(
            now(there.source.delete(&path, &[])).unwrap_err().code,
            FaultCode::INVALID_PARAMETER_NAME,
            "{path}"
        );
    }
    assert_eq!(now(there.source.add(OBJECT, &[])).unwrap_err().code, FaultCode::INVALID_PARAMETER_NAME);
}

#[test]
fn instance_numbers_are_never_used_again() {
    let there = fresh();
    assert_eq!((there.add(), there.add()), (1, 2));
    there.delete(2);
    let there = there.restarted();
    assert_eq!(there.add(), 3);
    assert!(there.user_ini().unwrap().contains("[ManagementServer.InformParameter]\nNextInstance=4\n"));
}

#[test]
fn rows_of_the_provider_can_be_deleted_and_their_numbers_stay_used() {
    let isp = "[ManagementServer.InformParameter.7]\nEnable=true\nParameterName=Device.DeviceInfo.UpTime\nEventList=\n";
    let there = with("", isp);
    assert_eq!(there.source.layers.borrow().rows("ManagementServer.InformParameter"), [7]);
    there.delete(7);
    let there = there.restarted();
    assert!(there.source.layers.borrow().rows("ManagementServer.InformParameter").is_empty());
    assert_eq!(there.add(), 8);
    // A row written by hand, which the counter has not seen.
    there
        .source
        .layers
        .change(|layers| layers.set("ManagementServer.InformParameter.20", "Enable", "true"))
        .unwrap();
    there.delete(20);
    assert_eq!(there.add(), 21);
}

#[test]
fn a_full_table_and_used_up_numbers_are_9004() {
    let there = fresh();
    for _ in 0..inform_parameter::ROWS {
        there.add();
    }
    assert_eq!(now(there.source.add(TABLE, &[])).unwrap_err().code, FaultCode::RESOURCES_EXCEEDED);
    there.delete(1);
    there.add();
    let there = with("", "[ManagementServer.InformParameter.4294967294]\nEnable=false\n");
    assert_eq!(now(there.source.add(TABLE, &[])).unwrap_err().code, FaultCode::RESOURCES_EXCEEDED);
    there.delete(4_294_967_294);
}

#[test]
fn rows_refuse_what_the_standard_does_not_allow() {
    let there = fresh();
    there.add();
    let wrong = [
        ("Enable", "maybe"),
        ("ParameterName", "Device.DeviceInfo.SoftwareVersion"),
        ("ParameterName", "Device.DeviceInfo."),
        ("ParameterName", "DeviceInfo.UpTime"),
        ("ParameterName", "Device..UpTime"),
        ("ParameterName", "Device.IP.Interface.[].Status"),
        ("EventList", "4 VALUE CHANGE"),
        ("EventList", "2 PERIODIC,4 VALUE CHANGE"),
        ("EventList", "2 PERIODIC,"),
        ("EventList", "PERIODIC"),
        ("EventList", "X "),
    ];
    for (key, value) in wrong {
        let name = format!("InformParameter.1.{key}");
        assert_eq!(there.set(&[(&name, value)]), [(name.clone(), 9007)], "{value}");
    }
    assert_eq!(
        there.set(&[("InformParameter.1.Alias", "a")]),
        [("InformParameter.1.Alias".to_owned(), 9005)]
    );
}

#[test]
fn no_two_enabled_rows_have_the_same_name() {
    let there = fresh();
    there.add();
    there.add();
    let name = "Device.DeviceInfo.UpTime";
    assert_eq!(
        there.set(&[("InformParameter.1.ParameterName", name), ("InformParameter.1.Enable", "true")]),
        []
    );
    assert_eq!(there.set(&[("InformParameter.2.ParameterName", name)]), [], "a disabled row may");
    let enable = "InformParameter.2.Enable";
    assert_eq!(there.set(&[(enable, "true")]), [(enable.to_owned(), 9007)]);
    assert_eq!(
        there.set(&[("InformParameter.1.Enable", "false"), (enable, "true")]),
        [],
        "it counts what is after the call"
    );
}

#[test]
fn a_bad_row_in_a_file_is_reported() {
    let row = "Enable=true\nParameterName=Device.DeviceInfo.UpTime\n";
    let isp = format!(
        "[ManagementServer.InformParameter.1]\n{row}EventList=\"4 VALUE CHANGE\"\n\
         [ManagementServer.InformParameter.2]\n{row}\n\
         [ManagementServer.InformParameter.3]\nEnable=true\nParameterName=Device.DeviceInfo.SoftwareVersion\n"
    );
    let there = with("", &isp);
    let reports: Vec<String> = there.problems.iter().map(ToString::to_string).collect();
    assert_eq!(reports.len(), 2);
    assert!(
        reports[0].contains("ISP.def: [ManagementServer.InformParameter.1] EventList: must be "),
        "{reports:?}"
    );
    assert!(
        reports[1].contains("[ManagementServer.InformParameter.3] ParameterName: must be "),
        "{reports:?}"
    );
}
