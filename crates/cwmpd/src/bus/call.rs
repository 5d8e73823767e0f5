//! Calls as requests of the control socket, and its answers as tables.

use std::time::Duration;

use cwmp_core::{
    agent::{AgentStatus, SessionPhase, TransferStatus},
    event::EventCode,
};
use cwmp_ubus::{
    ArgumentType, Call, MethodInfo, Table, Value,
    json::from_json,
    status::{INVALID_ARGUMENT, OK, PERMISSION_DENIED, TIMEOUT, UNKNOWN_ERROR},
};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::control::{Answer, Asked, Request};

/// Longest wait for the driver's answer: below the 30 s of the ubus command line, which would not hear the reason.
const PATIENCE: Duration = Duration::from_secs(28);
/// Most paths or values in one call.
const PATHS: usize = 256;
/// Who may change things and read values. Everybody else may do what the access lists of the bus let them.
const SUPERUSER: &str = "root";

/// Which object is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// The agent's own.
    Own,
    /// The one with the methods of easycwmp and icwmp.
    Alias,
}

/// How much of an answer a method shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    All,
    Sessions,
    Transfers,
}

/// Methods that everybody may call whom the access lists of the bus let.
const OPEN: [&str; 5] = ["status", "inform", "sessions", "transfers", "notify"];

impl Object {
    pub(super) fn methods(self) -> Vec<MethodInfo> {
        let method = MethodInfo::new;
        let path = |name| MethodInfo::new(name).with("path", ArgumentType::String);
        let inform = method("inform").with("event", ArgumentType::String);
        match self {
            Object::Own => vec![
                method("status"),
                inform.with("acs_methods", ArgumentType::Bool),
                path("get").with("paths", ArgumentType::Array),
                path("set").with("value", ArgumentType::String).with("values", ArgumentType::Table),
                path("add"),
                path("del"),
                method("sessions"),
                method("transfers"),
                method("reload"),
            ],
            Object::Alias => vec![
                method("status"),
                inform.with("GetRPCMethods", ArgumentType::Bool),
                method("notify"),
                method("command").with("command", ArgumentType::String),
            ],
        }
    }

    /// Answers one call.
    pub(super) async fn answer(self, call: Call, asked: &mpsc::Sender<Asked>) {
        if !may(call.user.as_deref(), &call.method) {
            return finish(call, PERMISSION_DENIED, &[format!("only {SUPERUSER} may do that")]);
        }
        let (request, shown) = match self.request(&call.method, &call.arguments) {
            Ok(request) => request,
            Err(error) => return finish(call, INVALID_ARGUMENT, &[error]),
        };
        let (answer, answered) = oneshot::channel();
        let asking = async {
            let _ = asked.send(Asked { request, answer }).await;
            answered.await.unwrap_or_else(|_| Answer::error("the agent is stopping"))
        };
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(Answer::Error { errors }) => finish(call, UNKNOWN_ERROR, &errors),
            Ok(answer) => reply(call, &table(&answer, shown)),
            Err(_) => finish(call, TIMEOUT, &["the agent does not answer in time".to_owned()]),
        }
    }

    /// What a call asks of the agent.
    fn request(self, method: &str, arguments: &Table) -> Result<(Request, Shown), String> {
        let request = match (self, method) {
            (_, "status") => Request::Status,
            (Object::Own, "sessions") => return Ok((Request::Status, Shown::Sessions)),
            (Object::Own, "transfers") => return Ok((Request::Status, Shown::Transfers)),
            (_, "inform") => inform(arguments),
            (Object::Own, "get") => Request::Get { paths: paths(arguments)? },
            (Object::Own, "set") => Request::Set { values: values(arguments)? },
            (Object::Own, "add") => Request::Add { path: path(arguments)? },
            (Object::Own, "del") => Request::Delete { path: path(arguments)? },
            (Object::Own, "reload") => Request::Reload,
            (Object::Alias, "notify") => Request::Look,
            (Object::Alias, "command") => match arguments.str("command") {
                Some("reload" | "reload_end_session") => Request::Reload,
                Some("reboot" | "reboot_end_session") => Request::Reboot,
                Some("factory_reset" | "factory_reset_end_session") => Request::FactoryReset,
                Some(other) => return Err(format!("`{other}` is none of: reload, reboot, factory_reset")),
                None => return Err("command is missing".to_owned()),
            },
            (_, other) => return Err(format!("no method {other}")),
        };
        Ok((request, Shown::All))
    }
}

/// Whether a user may call a method, as far as it is ours to say.
fn may(user: Option<&str>, method: &str) -> bool {
    OPEN.contains(&method) || user == Some(SUPERUSER)
}

/// A vendor's event is reported with its code. Any other wants nothing but a session: the agent knows its events itself.
fn inform(arguments: &Table) -> Request {
    let methods = arguments.bool("acs_methods").or(arguments.bool("GetRPCMethods"));
    match arguments.str("event") {
        Some(code) if EventCode::parse(code).is_vendor() => Request::Event { code: code.to_owned() },
        _ if methods == Some(true) => Request::AcsMethods,
        _ => Request::Inform,
    }
}

fn path(arguments: &Table) -> Result<String, String> {
    arguments.str("path").map(str::to_owned).ok_or_else(|| "path is missing".to_owned())
}

fn paths(arguments: &Table) -> Result<Vec<String>, String> {
    let Some(paths) = arguments.get("paths") else { return path(arguments).map(|path| vec![path]) };
    let paths = paths.as_array().ok_or("paths is no array")?;
    let text = |path: &Value| path.as_str().map(str::to_owned).ok_or("a path is no text".to_owned());
    let paths: Vec<String> = paths.iter().map(text).collect::<Result<_, _>>()?;
    few(paths.len(), "paths").map(|()| paths)
}

fn values(arguments: &Table) -> Result<Vec<(String, String)>, String> {
    let given = match arguments.get("values") {
        Some(values) => {
            values.as_table().ok_or("values is no table")?.iter().map(|(p, v)| (p.to_owned(), v)).collect()
        }
        None => vec![(path(arguments)?, arguments.get("value").ok_or("value is missing")?)],
    };
    few(given.len(), "values")?;
    let pair = |(path, value): (String, &Value)| match text(value) {
        Some(text) => Ok((path, text)),
        None => Err(format!("{path}: a value is a text, a number or a boolean")),
    };
    given.into_iter().map(pair).collect()
}

fn few(count: usize, what: &str) -> Result<(), String> {
    if (1..=PATHS).contains(&count) { Ok(()) } else { Err(format!("1 to {PATHS} {what}, not {count}")) }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Double(number) => Some(number.to_string()),
        other => other.as_i64().map(|number| number.to_string()),
    }
}

/// Shows what the agent has answered.
fn table(answer: &Answer, shown: Shown) -> Table {
    match answer {
        Answer::Values { values } => {
            let values: Table = values.iter().map(|(name, value)| (name.as_str(), sendable(value))).collect();
            Table::new().with("values", values)
        }
        Answer::Added { instance } => Table::new().with("instance", *instance),
        Answer::Status { status } => of_status(status, shown),
        Answer::Done | Answer::Error { .. } => Table::new(),
    }
}

fn of_status(status: &AgentStatus, shown: Shown) -> Table {
    match shown {
        Shown::All => fields(status),
        Shown::Sessions => {
            const OF_SESSIONS: [&str; 5] =
                ["session", "retry_count", "retry_in_ms", "periodic_in_ms", "events"];
            fields(status).into_iter().filter(|(name, _)| OF_SESSIONS.contains(&name.as_str())).collect()
        }
        Shown::Transfers => {
            let transfers: Vec<Table> = status.transfers.iter().map(fields::<TransferStatus>).collect();
            Table::new().with("transfers", transfers)
        }
    }
}

/// A structure with the names that the control socket gives its fields.
fn fields<T: Serialize>(structure: &T) -> Table {
    let json = serde_json::to_value(structure).unwrap_or_default();
    from_json(&json).unwrap_or_default()
}

/// The name of a phase.
pub(super) fn phase(phase: SessionPhase) -> String {
    let json = serde_json::to_value(phase).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

/// Text of the tree without NUL, which the bus cannot carry.
fn sendable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn reply(call: Call, data: &Table) {
    match call.reply(data) {
        Ok(()) => call.finish(OK),
        // A whole tree may be larger than a message of the bus.
        Err(error) => finish(call, UNKNOWN_ERROR, &[error.to_string()]),
    }
}

/// Ends a call that has failed: the reasons in words, then the code.
fn finish(call: Call, code: u32, errors: &[String]) {
    let errors: Vec<String> = errors.iter().map(|error| sendable(error)).collect();
    if let Err(error) = call.reply(&Table::new().with("errors", errors)) {
        tracing::debug!("{error}");
    }
    call.finish(code);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(object: Object, method: &str, arguments: &Table) -> Result<Request, String> {
        object.request(method, arguments).map(|(request, _)| request)
    }

    #[test]
    fn only_root_reads_values_and_changes_things() {
        let all = [Object::Own, Object::Alias].map(Object::methods).concat();
        let open: Vec<_> = all.iter().filter(|method| may(Some("nobody"), &method.name)).collect();
        let names: Vec<_> = open.iter().map(|method| method.name.as_str()).collect();
        assert_eq!(names, ["status", "inform", "sessions", "transfers", "status", "inform", "notify"]);
        assert!(all.iter().all(|method| may(Some("root"), &method.name)));
        assert!(!may(None, "set"), "a bus that does not say who calls");
    }

    #[test]
    fn every_method_that_is_offered_is_understood() {
        let arguments = Table::new().with("path", "Device.A.").with("value", "v").with("command", "reload");
        for object in [Object::Own, Object::Alias] {
            for method in object.methods() {
                assert!(asked(object, &method.name, &arguments).is_ok(), "{object:?} {}", method.name);
            }
        }
    }

    #[test]
    fn values_may_be_texts_numbers_and_booleans() {
        let values = Table::new().with("Device.A", "x").with("Device.B", 7).with("Device.C", true);
        let set = asked(Object::Own, "set", &Table::new().with("values", values));
        let pair = |path: &str, value: &str| (path.to_owned(), value.to_owned());
        let values = vec![pair("Device.A", "x"), pair("Device.B", "7"), pair("Device.C", "true")];
        assert_eq!(set, Ok(Request::Set { values }));
        let nested = Table::new().with("path", "Device.A").with("value", Table::new());
        assert!(asked(Object::Own, "set", &nested).unwrap_err().starts_with("Device.A: a value is"));
    }

    #[test]
    fn wrong_arguments_are_named() {
        let own = |method, arguments: Table| asked(Object::Own, method, &arguments).unwrap_err();
        assert_eq!(own("get", Table::new()), "path is missing");
        assert_eq!(own("get", Table::new().with("paths", "Device.")), "paths is no array");
        assert_eq!(own("get", Table::new().with("paths", vec![""; 0])), "1 to 256 paths, not 0");
        assert_eq!(own("get", Table::new().with("paths", vec![1])), "a path is no text");
        assert_eq!(own("set", Table::new().with("path", "Device.A")), "value is missing");
        let many: Table = (0..257).map(|n| (format!("Device.{n}"), "x")).collect();
        assert_eq!(own("set", Table::new().with("values", many)), "1 to 256 values, not 257");
        let command = asked(Object::Alias, "command", &Table::new().with("command", "exit"));
        assert_eq!(command.unwrap_err(), "`exit` is none of: reload, reboot, factory_reset");
    }

    #[test]
    fn scripts_of_other_agents_ask_for_a_session_in_their_own_ways() {
        let inform =
            |name: &str, value: Value| asked(Object::Alias, "inform", &Table::new().with(name, value));
        assert_eq!(inform("event", "6 connection request".into()), Ok(Request::Inform));
        assert_eq!(inform("GetRPCMethods", true.into()), Ok(Request::AcsMethods));
        let code = "X 00D09E Backup done".to_owned();
        assert_eq!(inform("event", code.clone().into()), Ok(Request::Event { code }));
    }

    #[test]
    fn the_access_list_that_comes_with_it_names_methods_that_there_are_and_lets_nobody_change_anything() {
        let list: serde_json::Value =
            serde_json::from_str(include_str!("../../ubus/cwmpd_acl.json")).unwrap();
        let methods = list["access"]["cwmpd"]["methods"].as_array().unwrap();
        assert!(!methods.is_empty());
        for method in methods {
            let method = method.as_str().unwrap();
            assert!(Object::Own.methods().iter().any(|known| known.name == method), "{method}");
            assert!(may(None, method), "{method}");
        }
        assert!(list.get("send").is_none() && list.get("publish").is_none());
    }
}
