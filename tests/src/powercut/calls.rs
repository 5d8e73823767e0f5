//! The steps of a scenario as calls of the ACS.

use cwmp_core::rpc::{
    AddObject, CancelTransfer, ChangeDUState, CommandKey, CpeRequest, DeleteObject, Download,
    GetParameterAttributes, GetParameterValues, OperationStruct, ParameterKey, ParameterValueStruct, Reboot,
    ScheduleDownload, ScheduleInform, SetParameterAttributes, SetParameterAttributesStruct,
    SetParameterValues, TimeWindowStruct, Upload,
};

use super::{
    expected::{Expected, HOST, READ, ROWS, WATCHED},
    plan::{File, Step},
};

/// Seconds until a cancelled download would have begun, and until the window of one closes.
const FAR_AHEAD: u32 = 86_400;
const FIRMWARE: &str = "1 Firmware Upgrade Image";
const CONFIGURATION: &str = "3 Vendor Configuration File";

/// What the ACS reads at the beginning of a session, to compare.
pub(super) fn readings() -> [CpeRequest; 3] {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    [
        CpeRequest::GetParameterValues(GetParameterValues { names: names(&READ) }),
        CpeRequest::GetParameterAttributes(GetParameterAttributes { names: names(&WATCHED) }),
        CpeRequest::GetParameterValues(GetParameterValues { names: names(&[HOST]) }),
    ]
}

/// The key of the step with this number.
pub(super) fn key(number: usize) -> String {
    format!("k{number}")
}

/// UUID of the deployment unit that the call with this key installs.
pub(super) fn uuid(key: &str) -> String {
    format!("00000000-0000-4000-8000-{:0>12}", key.trim_start_matches('k'))
}

/// The call of a step on a box with this tree; `files` is the URL that its files lie below. `None` where there is nothing to
/// call: no row.
pub(super) fn call(step: &Step, number: usize, tree: &Expected, files: &str) -> Option<CpeRequest> {
    let label = key(number);
    let command_key = CommandKey::new(label.as_str()).ok()?;
    let parameter_key = ParameterKey::new(label.as_str()).ok()?;
    let url = |file: File| format!("{files}{label}.{}", file.extension());
    let set = |values: &mut dyn Iterator<Item = (String, String)>| {
        let one = |(name, value)| ParameterValueStruct { name, value_type: None, value };
        let parameters = values.map(one).collect();
        CpeRequest::SetParameterValues(SetParameterValues {
            parameters,
            parameter_key: parameter_key.clone(),
        })
    };
    Some(match step {
        Step::Set(values) => set(&mut values.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))),
        Step::SetRow => {
            let row = tree.newest_row()?;
            let values = [("Enable", "true"), ("ParameterName", super::expected::INTERVAL)];
            set(&mut values.iter().map(|(key, value)| (format!("{ROWS}{row}.{key}"), (*value).to_owned())))
        }
        Step::Notify(name, notification) => {
            let entry = SetParameterAttributesStruct {
                name: (*name).to_owned(),
                notification_change: true,
                notification: *notification,
                access_list_change: false,
                access_list: Vec::new(),
            };
            CpeRequest::SetParameterAttributes(SetParameterAttributes { entries: vec![entry] })
        }
        Step::AddRow => CpeRequest::AddObject(AddObject { object_name: ROWS.to_owned(), parameter_key }),
        Step::DeleteRow => {
            let object_name = format!("{ROWS}{}.", tree.newest_row()?);
            CpeRequest::DeleteObject(DeleteObject { object_name, parameter_key })
        }
        Step::ScheduleInform(delay_seconds) => {
            CpeRequest::ScheduleInform(ScheduleInform { delay_seconds: *delay_seconds, command_key })
        }
        Step::Reboot => CpeRequest::Reboot(Reboot { command_key }),
        Step::Download(file) => {
            let firmware = matches!(file, File::Firmware { .. });
            CpeRequest::Download(Download {
                command_key,
                file_type: if firmware { FIRMWARE } else { CONFIGURATION }.to_owned(),
                url: url(*file),
                username: String::new(),
                password: String::new(),
                file_size: 0,
                target_file_name: String::new(),
                delay_seconds: 0,
                success_url: String::new(),
                failure_url: String::new(),
            })
        }
        Step::ScheduleDownload(start) => scheduled(command_key, url(File::Configuration), *start),
        Step::Cancelled => scheduled(command_key, url(File::Configuration), FAR_AHEAD),
        Step::Cancel => {
            let command_key = CommandKey::new(key(number - 1)).ok()?;
            CpeRequest::CancelTransfer(CancelTransfer { command_key })
        }
        Step::Upload => CpeRequest::Upload(Upload {
            command_key,
            file_type: "1 Vendor Configuration File".to_owned(),
            url: url(File::Configuration),
            username: String::new(),
            password: String::new(),
            delay_seconds: 0,
        }),
        Step::Install => {
            let install = OperationStruct::Install {
                url: format!("{files}{label}.unit"),
                uuid: uuid(&label),
                username: String::new(),
                password: String::new(),
                execution_env_ref: String::new(),
            };
            CpeRequest::ChangeDUState(ChangeDUState { operations: vec![install], command_key })
        }
        Step::FactoryReset => CpeRequest::FactoryReset,
    })
}

fn scheduled(command_key: CommandKey, url: String, start: u32) -> CpeRequest {
    let window = TimeWindowStruct {
        window_start: start,
        window_end: start + FAR_AHEAD,
        window_mode: "1 At Any Time".to_owned(),
        user_message: String::new(),
        max_retries: -1,
    };
    CpeRequest::ScheduleDownload(ScheduleDownload {
        command_key,
        file_type: CONFIGURATION.to_owned(),
        url,
        username: String::new(),
        password: String::new(),
        file_size: 0,
        target_file_name: String::new(),
        time_windows: vec![window],
    })
}
