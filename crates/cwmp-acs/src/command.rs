//! Commands of a person: text becomes calls. Shared by the prompt and the one-shot program.

use std::path::PathBuf;

use cwmp_core::{
    rpc::{
        AddObject, ChangeDUState, CommandKey, CpeRequest, DeleteObject, Download, GetParameterAttributes,
        GetParameterNames, GetParameterValues, OperationStruct, ParameterKey, ParameterValueStruct, Reboot,
        ScheduleInform, SetParameterAttributes, SetParameterAttributesStruct, SetParameterValues, Upload,
    },
    value::ValueType,
};

use crate::cpe::{CpeRecord, CpeSelector};

/// What the commands are, for `help`.
pub const HELP: &str = "\
cpes                          list the CPEs that have come
get PATH...                   read values; a PATH that ends with a dot means everything below it
set PATH=VALUE[:TYPE]...      set values, all or none; TYPE is string, boolean, unsignedInt, ...; without it the type
                              that the CPE told for this parameter, else string
names PATH [next]             list names below PATH; `next` for the direct children only
attributes PATH...            read notification and access list
notify PATH 0|1|2             notification: 0 off, 1 passive (told in the next Inform), 2 active (opens a session)
add OBJECT.                   add an instance to a table
del OBJECT.N.                 delete an instance
reboot [KEY]                  restart the CPE
factory-reset                 reset the CPE to factory state
inform-in SECONDS [KEY]       ask for a session later
download TYPE URL [KEY]       let the CPE fetch a file; TYPE is 1 (firmware), 2 (web content), 3 (configuration), ... or
                              the full name in quotes
upload TYPE URL [KEY]         let the CPE send a file; TYPE is 1 (configuration), 2 (log), 3, 4 or the full name
change-du-state KEY OP...     change deployment units; an OP is install=URL or install=URL,UUID, update=UUID, update=URL,
                              update=UUID,URL or update=* for all, uninstall=UUID or uninstall=UUID,VERSION
transfers                     list transfers that are not finished
methods                       list the methods that the CPE has
cr [udp]                      send a connection request; udp: to the UDPConnectionRequestAddress that the CPE has told last
raw FILE                      send the envelope in FILE as it is
help                          this text
quit                          end the program

Every command but help and quit may name a CPE first: get 00D09E-Box-0001 Device.DeviceInfo.
Without one it is for the CPE that was seen last.";

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// List the CPEs.
    Cpes,
    /// Show [`HELP`].
    Help,
    /// End the program.
    Quit,
    /// Send a connection request.
    ConnectionRequest(CpeSelector),
    /// Send a connection request over UDP.
    UdpConnectionRequest(CpeSelector),
    /// Call a method. Values to set may be without a type: see [`fill_types`].
    Call(CpeSelector, CpeRequest),
    /// Send a file as an envelope.
    Raw(CpeSelector, PathBuf),
}

/// Why a text is no command; the text tells what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CommandError(String);

fn wrong<T>(text: impl Into<String>) -> Result<T, CommandError> {
    Err(CommandError(text.into()))
}

/// Splits a line into words: blanks separate, single and double quotes keep together, a backslash within double quotes
/// takes the next character as it is.
///
/// # Errors
/// Where a quote is not closed.
pub fn split(line: &str) -> Result<Vec<String>, CommandError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let current = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return wrong(format!("the quote {c} is not closed")),
                        Some(end) if end == c => break,
                        Some('\\') if c == '"' => current.extend(chars.next()),
                        Some(other) => current.push(other),
                    }
                }
            }
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Reads a command; `None` for no words at all.
///
/// # Errors
/// [`CommandError`] says how the command is used.
pub fn parse(words: &[String]) -> Result<Option<Command>, CommandError> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((verb, rest)) = words.split_first() else { return Ok(None) };
    let (cpe, rest) = match rest.split_first() {
        Some((first, rest)) if is_cpe_key(first) => (CpeSelector::from(*first), rest),
        _ => (CpeSelector::Any, rest),
    };
    let request = match (*verb, rest) {
        ("cpes", []) => return Ok(Some(Command::Cpes)),
        ("help" | "?", _) => return Ok(Some(Command::Help)),
        ("quit" | "exit", _) => return Ok(Some(Command::Quit)),
        ("cr", []) => return Ok(Some(Command::ConnectionRequest(cpe))),
        ("cr", ["udp"]) => return Ok(Some(Command::UdpConnectionRequest(cpe))),
        ("raw", [file]) => return Ok(Some(Command::Raw(cpe, PathBuf::from(file)))),
        ("get", [_, ..]) => CpeRequest::GetParameterValues(GetParameterValues { names: owned(rest) }),
        ("set", [_, ..]) => set(rest)?,
        ("names", []) => names("", false),
        ("names", [path]) => names(path, false),
        ("names", [path, "next"]) => names(path, true),
        ("attributes", [_, ..]) => {
            CpeRequest::GetParameterAttributes(GetParameterAttributes { names: owned(rest) })
        }
        ("notify", [path, level]) => notify(path, level)?,
        ("add", [table]) => CpeRequest::AddObject(AddObject {
            object_name: (*table).to_owned(),
            parameter_key: ParameterKey::default(),
        }),
        ("del", [object]) => CpeRequest::DeleteObject(DeleteObject {
            object_name: (*object).to_owned(),
            parameter_key: ParameterKey::default(),
        }),
        ("reboot", []) => CpeRequest::Reboot(Reboot { command_key: CommandKey::default() }),
        ("reboot", [key]) => CpeRequest::Reboot(Reboot { command_key: command_key(key)? }),
        ("factory-reset", []) => CpeRequest::FactoryReset,
        ("inform-in", [seconds]) => inform_in(seconds, "")?,
        ("inform-in", [seconds, key]) => inform_in(seconds, key)?,
        ("download", [kind, url]) => download(kind, url, "")?,
        ("download", [kind, url, key]) => download(kind, url, key)?,
        ("upload", [kind, url]) => upload(kind, url, "")?,
        ("upload", [kind, url, key]) => upload(kind, url, key)?,
        ("change-du-state", [key, operations @ ..]) if !operations.is_empty() => {
            change_du_state(key, operations)?
        }
        ("transfers", []) => CpeRequest::GetAllQueuedTransfers,
        ("methods", []) => CpeRequest::GetRPCMethods,
        (verb, _) => return wrong(usage(verb)),
    };
    Ok(Some(Command::Call(cpe, request)))
}

/// Gives values without a type the one that the CPE told for this parameter, else string.
pub fn fill_types(request: &mut CpeRequest, known: Option<&CpeRecord>) {
    if let CpeRequest::SetParameterValues(set) = request {
        for parameter in set.parameters.iter_mut().filter(|parameter| parameter.value_type.is_none()) {
            let told = known.and_then(|record| record.type_of(&parameter.name));
            parameter.value_type = Some(told.unwrap_or(ValueType::String));
        }
    }
}

/// `OUI-...`: six hexadecimal digits and a dash, which no parameter path begins with.
fn is_cpe_key(word: &str) -> bool {
    word.split_once('-').is_some_and(|(oui, rest)| {
        oui.len() == 6 && oui.bytes().all(|b| b.is_ascii_hexdigit()) && !rest.is_empty()
    })
}

fn usage(verb: &str) -> String {
    let line = HELP.lines().find(|line| line.split(' ').next() == Some(verb));
    match line {
        Some(line) => format!("usage: {line}"),
        None => format!("`{}` is no command; `help` lists them", crate::check::brief(verb)),
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn names(path: &str, next_level: bool) -> CpeRequest {
    CpeRequest::GetParameterNames(GetParameterNames { path: path.to_owned(), next_level })
}

fn set(words: &[&str]) -> Result<CpeRequest, CommandError> {
    let mut parameters = Vec::new();
    for word in words {
        let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return wrong(format!("`{}` is not PATH=VALUE", crate::check::brief(word)));
        };
        // Only the name of a type counts as one: a value may well hold colons.
        let typed =
            value.rsplit_once(':').and_then(|(value, name)| Some((value, ValueType::from_xsd_name(name)?)));
        let (value, value_type) = match typed {
            Some((value, value_type)) => (value.strip_suffix(":xsd").unwrap_or(value), Some(value_type)),
            None => (value, None),
        };
        parameters.push(ParameterValueStruct { name: name.to_owned(), value_type, value: value.to_owned() });
    }
    let parameter_key = ParameterKey::default();
    Ok(CpeRequest::SetParameterValues(SetParameterValues { parameters, parameter_key }))
}

fn notify(path: &str, level: &str) -> Result<CpeRequest, CommandError> {
    let Some(notification) = level.parse().ok().filter(|level| (0..=6).contains(level)) else {
        return wrong(format!(
            "`{}` is no notification: 0 off, 1 passive, 2 active",
            crate::check::brief(level)
        ));
    };
    let entry = SetParameterAttributesStruct {
        name: path.to_owned(),
        notification_change: true,
        notification,
        access_list_change: false,
        access_list: Vec::new(),
    };
    Ok(CpeRequest::SetParameterAttributes(SetParameterAttributes { entries: vec![entry] }))
}

fn inform_in(seconds: &str, key: &str) -> Result<CpeRequest, CommandError> {
    let Ok(delay_seconds) = seconds.parse() else {
        return wrong(format!("`{}` is no number of seconds", crate::check::brief(seconds)));
    };
    Ok(CpeRequest::ScheduleInform(ScheduleInform { delay_seconds, command_key: command_key(key)? }))
}

fn command_key(key: &str) -> Result<CommandKey, CommandError> {
    CommandKey::new(key).map_err(|error| CommandError(error.to_string()))
}

/// File types of Download (TR-069a6 A.3.2.8).
const DOWNLOAD_TYPES: [&str; 6] = [
    "1 Firmware Upgrade Image",
    "2 Web Content",
    "3 Vendor Configuration File",
    "4 Tone File",
    "5 Ringer File",
    "6 Stored Firmware Image",
];

/// File types of Upload (A.4.1.5).
const UPLOAD_TYPES: [&str; 4] = [
    "1 Vendor Configuration File",
    "2 Vendor Log File",
    "3 Vendor Configuration File 1",
    "4 Vendor Log File 1",
];

/// A number alone stands for the type that begins with it; anything else is taken as it is.
fn file_type(kind: &str, known: &[&str]) -> String {
    let full = known.iter().find(|full| full.split(' ').next() == Some(kind));
    full.copied().unwrap_or(kind).to_owned()
}

fn download(kind: &str, url: &str, key: &str) -> Result<CpeRequest, CommandError> {
    Ok(CpeRequest::Download(Download {
        command_key: command_key(key)?,
        file_type: file_type(kind, &DOWNLOAD_TYPES),
        url: url.to_owned(),
        username: String::new(),
        password: String::new(),
        file_size: 0,
        target_file_name: String::new(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    }))
}

fn upload(kind: &str, url: &str, key: &str) -> Result<CpeRequest, CommandError> {
    Ok(CpeRequest::Upload(Upload {
        command_key: command_key(key)?,
        file_type: file_type(kind, &UPLOAD_TYPES),
        url: url.to_owned(),
        username: String::new(),
        password: String::new(),
        delay_seconds: 0,
    }))
}

fn change_du_state(key: &str, operations: &[&str]) -> Result<CpeRequest, CommandError> {
    let operations: Result<_, _> = operations.iter().map(|operation| du_operation(operation)).collect();
    Ok(CpeRequest::ChangeDUState(ChangeDUState { operations: operations?, command_key: command_key(key)? }))
}

/// `install=URL,UUID` and the like.
fn du_operation(text: &str) -> Result<OperationStruct, CommandError> {
    let (kind, rest) = text.split_once('=').unwrap_or((text, ""));
    let (first, second) = rest.split_once(',').unwrap_or((rest, ""));
    let (first, second) = (first.to_owned(), second.to_owned());
    let none = String::new;
    Ok(match kind {
        _ if first.is_empty() => return wrong(usage("change-du-state")),
        "install" => OperationStruct::Install {
            url: first,
            uuid: second,
            username: none(),
            password: none(),
            execution_env_ref: none(),
        },
        "update" => {
            let (uuid, url) = match first.as_str() {
                "*" => (none(), second),
                url if url.contains("://") => (none(), first),
                _ => (first, second),
            };
            OperationStruct::Update { uuid, version: none(), url, username: none(), password: none() }
        }
        "uninstall" => OperationStruct::Uninstall { uuid: first, version: second, execution_env_ref: none() },
        _ => return wrong(usage("change-du-state")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Command>, CommandError> {
        parse(&split(line)?)
    }

    fn request(line: &str) -> CpeRequest {
        match read(line) {
            Ok(Some(Command::Call(_, request))) => request,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn words_are_kept_together_by_quotes() {
        assert_eq!(
            split(r#"a "b c" 'd "e' f\g "h\"i" ''"#).unwrap(),
            ["a", "b c", "d \"e", "f\\g", "h\"i", ""]
        );
        assert_eq!(split("  ").unwrap(), Vec::<String>::new());
        assert!(split("a 'b").is_err());
    }

    #[test]
    fn a_cpe_may_be_named_first() {
        let expected = CpeRequest::GetParameterValues(GetParameterValues {
            names: vec!["Device.A".into(), "Device.B.".into()],
        });
        let cpe = CpeSelector::from("00D09E-Box-1");
        assert_eq!(
            read("get 00D09E-Box-1 Device.A Device.B."),
            Ok(Some(Command::Call(cpe.clone(), expected.clone())))
        );
        assert_eq!(read("get Device.A Device.B."), Ok(Some(Command::Call(CpeSelector::Any, expected))));
        assert_eq!(read("cr 00D09E-Box-1"), Ok(Some(Command::ConnectionRequest(cpe))));
    }

    #[test]
    fn values_may_have_a_type_and_colons() {
        let CpeRequest::SetParameterValues(set) =
            request("set A=1:unsignedInt B=http://h:7547/ C= D=x=y:xsd:string")
        else {
            panic!("another method");
        };
        let all: Vec<_> =
            set.parameters.iter().map(|p| (p.name.as_str(), p.value.as_str(), p.value_type)).collect();
        assert_eq!(
            all,
            [
                ("A", "1", Some(ValueType::UnsignedInt)),
                ("B", "http://h:7547/", None),
                ("C", "", None),
                ("D", "x=y", Some(ValueType::String)),
            ]
        );
        let mut request = CpeRequest::SetParameterValues(set);
        fill_types(&mut request, None);
        let CpeRequest::SetParameterValues(set) = request else { panic!("another method") };
        assert!(set.parameters.iter().all(|parameter| parameter.value_type.is_some()));
    }

    #[test]
    fn every_command_of_the_help_is_understood() {
        let lines = [
            "cpes",
            "get A.",
            "set A=1",
            "names A. next",
            "names",
            "attributes A.",
            "notify A 2",
            "add A.",
            "del A.1.",
            "reboot k",
            "factory-reset",
            "inform-in 5 k",
            "download 1 http://h/f k",
            "upload '2 Vendor Log File' http://h/f",
            "change-du-state k install=http://h/f uninstall=U",
            "transfers",
            "methods",
            "cr",
            "raw x.xml",
            "help",
            "quit",
        ];
        for line in lines {
            assert!(matches!(read(line), Ok(Some(_))), "{line}");
        }
        for line in HELP.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with(' ')) {
            let verb = line.split(' ').next().unwrap();
            assert!(lines.iter().any(|known| known.split(' ').next() == Some(verb)), "{verb}");
        }
        let CpeRequest::Download(download) = request("download 1 http://h/f") else {
            panic!("another method")
        };
        assert_eq!(download.file_type, "1 Firmware Upgrade Image");
        let line = "change-du-state k install=http://h/f,U update=* update=http://h/f update=U,http://h/f uninstall=U,1";
        let CpeRequest::ChangeDUState(change) = request(line) else { panic!("another method") };
        let meant = |operation: &OperationStruct| match operation {
            OperationStruct::Install { url, uuid, .. } => format!("install {url} {uuid}"),
            OperationStruct::Update { uuid, url, .. } => format!("update {uuid} {url}"),
            OperationStruct::Uninstall { uuid, version, .. } => format!("uninstall {uuid} {version}"),
        };
        let meant: Vec<String> = change.operations.iter().map(meant).collect();
        let wanted = [
            "install http://h/f U",
            "update  ",
            "update  http://h/f",
            "update U http://h/f",
            "uninstall U 1",
        ];
        assert_eq!(meant, wanted);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (line, hint) in [
            ("get", "usage: get PATH"),
            ("frobnicate", "no command"),
            ("set A", "PATH=VALUE"),
            ("set =1", "PATH=VALUE"),
            ("notify A 9", "0 off"),
            ("inform-in soon", "seconds"),
            ("change-du-state k", "usage: change-du-state"),
            ("change-du-state k install", "usage: change-du-state"),
            ("change-du-state k grow=U", "usage: change-du-state"),
            ("reboot 123456789012345678901234567890123", "longer"),
        ] {
            let error = read(line).unwrap_err().to_string();
            assert!(error.contains(hint), "{line}: {error}");
        }
        assert_eq!(read(""), Ok(None));
    }
}
