//! `cargo xtask demo`: the agent's main job, shown message by message.
//!
//! A development ACS and the real program run on loopback, in a sandbox folder. Each step says what is about to happen and
//! why, shows the messages, and checks the outcome; the first one that is not as it must be ends the demo with status 1.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use cwmp_acs::{Acs, AcsOptions, Authentication, Login, SessionReport, control, print};
use cwmp_core::{
    event::EventCode,
    rpc::{
        AddObject, CommandKey, CpeRequest, CpeResponse, DeleteObject, GetParameterNames, GetParameterValues,
        ParameterKey, ParameterValueStruct, Reboot, SetParameterValues,
    },
    value::ValueType,
};
use cwmpd_tests::{Cwmpd, Sandbox, sandbox::known};

const PATIENCE: Duration = Duration::from_secs(30);
const TABLE: &str = "Device.ManagementServer.InformParameter.";

fn main() -> ExitCode {
    let mut keep = false;
    let mut folder = PathBuf::from("target/demo");
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--keep" => keep = true,
            other => folder = PathBuf::from(other),
        }
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    match runtime.block_on(demo(&folder, keep)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &str) -> ExitCode {
    eprintln!("\ndemo: NOT as it must be: {error}");
    ExitCode::FAILURE
}

fn say(text: &str) {
    println!("\n\x1b[1m{text}\x1b[0m");
}

struct Demo {
    acs: Acs,
}

impl Demo {
    /// The next whole session that reports this event; it must have ended as the standard wants.
    async fn session(&self, event: EventCode) -> Result<SessionReport, String> {
        let has = |report: &SessionReport| report.has_event(&event);
        let report = self
            .acs
            .wait_session(PATIENCE, has)
            .await
            .map_err(|error| format!("no session with `{}`: {error}", event.as_str()))?;
        if !report.is_clean() {
            return Err(format!("the session did not end cleanly: {:?}", report.ending));
        }
        Ok(report)
    }

    /// Rings, and makes these calls in the session that follows.
    async fn calls(&self, requests: Vec<CpeRequest>) -> Result<Vec<Result<CpeResponse, String>>, String> {
        let pending: Vec<_> =
            requests.into_iter().map(|request| self.acs.call(known::CPE, request)).collect();
        let rung = self.acs.connection_request(known::CPE).await.map_err(|error| error.to_string())?;
        expect("the answer to the connection request", rung, 200)?;
        let mut answers = Vec::new();
        for answer in pending {
            let answer =
                tokio::time::timeout(PATIENCE, answer).await.map_err(|_| "no answer to a call".to_owned())?;
            answers.push(answer.map_err(|error| error.to_string()));
        }
        self.session(EventCode::ConnectionRequest).await?;
        Ok(answers)
    }

    /// The same for a single call that must succeed.
    async fn call(&self, request: CpeRequest) -> Result<CpeResponse, String> {
        let method = request.method();
        let answer = self.calls(vec![request]).await?.pop().ok_or("no answer")?;
        answer.map_err(|error| format!("{method}: {error}"))
    }
}

fn get(name: &str) -> CpeRequest {
    CpeRequest::GetParameterValues(GetParameterValues { names: vec![name.to_owned()] })
}

fn set(values: &[(&str, ValueType, &str)], key: &str) -> Result<CpeRequest, String> {
    let parameter = |(name, value_type, value): &(&str, ValueType, &str)| ParameterValueStruct {
        name: (*name).to_owned(),
        value_type: Some(*value_type),
        value: (*value).to_owned(),
    };
    let parameters = values.iter().map(parameter).collect();
    let parameter_key = ParameterKey::new(key).map_err(|error| error.to_string())?;
    Ok(CpeRequest::SetParameterValues(SetParameterValues { parameters, parameter_key }))
}

/// The only value of an answer to GetParameterValues.
fn value(answer: Option<&Result<CpeResponse, String>>) -> Result<&str, String> {
    match answer {
        Some(Ok(CpeResponse::GetParameterValues(values))) => {
            values.first().map(|value| value.value.as_str()).ok_or_else(|| "no value".to_owned())
        }
        other => Err(format!("no value but {other:?}")),
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, is: T, must: T) -> Result<(), String> {
    if is == must { Ok(()) } else { Err(format!("{what} is {is:?} and must be {must:?}")) }
}

async fn demo(folder: &Path, keep: bool) -> Result<(), String> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let folder = folder.canonicalize().map_err(|error| error.to_string())?;
    let options = AcsOptions {
        authentication: Authentication::digest(known::USERNAME, known::PASSWORD),
        connection_request: Some(Login::new(known::CR_USERNAME, known::CR_PASSWORD)),
        on_message: Some(Arc::new(|message| println!("  {}", print::line(message)))),
        ..AcsOptions::default()
    };
    let acs = Acs::start(options).await.map_err(|error| format!("the ACS: {error}"))?;
    let sandbox = Sandbox::new(&folder, &acs.url());
    println!(
        "A router (cwmpd, in {}) and its provider's server (the ACS, at {}).",
        folder.display(),
        acs.url()
    );
    println!("Below, --> is what the router sends and <-- is what the ACS answers or asks.");

    say("1. The router starts for the first time: it knows nobody, so it reports `0 BOOTSTRAP`.");
    let agent = Cwmpd::start(&sandbox)?;
    let demo = Demo { acs };
    let outcome = steps(&demo).await;
    if let Err(error) = outcome {
        eprintln!("\nThe agent's log ends with:");
        let log = agent.log();
        for line in log.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev() {
            eprintln!("  {line}");
        }
        return Err(error);
    }
    if keep {
        return keep_running(&folder, demo, agent).await;
    }
    agent.stop(PATIENCE)?;
    say("All of it was as it must be. (`cargo xtask demo --keep` leaves both running to play with.)");
    Ok(())
}

async fn steps(demo: &Demo) -> Result<(), String> {
    let report = demo.session(EventCode::Bootstrap).await?;
    expect("RetryCount", report.retry_count, 0)?;

    say("2. The ACS rings (a connection request) and looks at a part of the router's parameter tree.");
    let path = "Device.DeviceInfo.".to_owned();
    let names = CpeRequest::GetParameterNames(GetParameterNames { path, next_level: true });
    let answers = demo.calls(vec![names, get("Device.DeviceInfo.SerialNumber"), get("Device.")]).await?;
    let [Ok(CpeResponse::GetParameterNames(names)), serial, Ok(CpeResponse::GetParameterValues(all))] =
        &answers[..]
    else {
        return Err(format!("other answers: {answers:?}"));
    };
    println!("  -> {} names below Device.DeviceInfo., {} values in the whole tree", names.len(), all.len());
    expect("the serial number", value(Some(serial))?, "0001")?;

    say("3. The ACS sets parameters, all of them or none, with a label (ParameterKey) for the new state.");
    let code = "Device.DeviceInfo.ProvisioningCode";
    let answers =
        demo.calls(vec![set(&[(code, ValueType::String, "demo.one")], "key-1")?, get(code)]).await?;
    expect("the new value", value(answers.get(1))?, "demo.one")?;

    say("   A set with one bad value changes nothing, and the fault names the parameter.");
    let interval = "Device.ManagementServer.PeriodicInformInterval";
    let bad = [(code, ValueType::String, "demo.two"), (interval, ValueType::UnsignedInt, "0")];
    let answers =
        demo.calls(vec![set(&bad, "key-2")?, get(code), get("Device.ManagementServer.ParameterKey")]).await?;
    let refused =
        answers.first().and_then(|answer| answer.as_ref().err()).ok_or("the bad value was taken")?;
    println!("  -> {refused}");
    expect("the value after the refused set", value(answers.get(1))?, "demo.one")?;
    expect("the ParameterKey after the refused set", value(answers.get(2))?, "key-1")?;

    say("4. The ACS adds a row to a table and fills it: the uptime is to be in every Inform.");
    let key = ParameterKey::default();
    let add = AddObject { object_name: TABLE.to_owned(), parameter_key: key.clone() };
    let CpeResponse::AddObject(added) = demo.call(CpeRequest::AddObject(add)).await? else {
        return Err("no instance".to_owned());
    };
    let row = format!("{TABLE}{}.", added.instance_number);
    let (name, enable) = (format!("{row}ParameterName"), format!("{row}Enable"));
    let uptime = "Device.DeviceInfo.UpTime";
    let fill = set(&[(&name, ValueType::String, uptime), (&enable, ValueType::Boolean, "true")], "key-3")?;
    let faster = set(&[(interval, ValueType::UnsignedInt, "2")], "key-4")?;
    for answer in demo.calls(vec![fill, faster]).await? {
        answer?;
    }

    say("5. Periodic sessions, every 2 seconds: the router comes by itself, and the Inform has the uptime.");
    demo.session(EventCode::Periodic).await?;
    let has_uptime = demo
        .acs
        .with_cpe(known::CPE, |_, cpe| cpe.last_inform.parameters.iter().any(|value| value.name == uptime));
    expect("the uptime in the Inform", has_uptime, Some(true))?;

    say("   The ACS deletes the row again and sets the interval to a day.");
    let delete = CpeRequest::DeleteObject(DeleteObject { object_name: row, parameter_key: key });
    let slower = set(&[(interval, ValueType::UnsignedInt, "86400")], "key-5")?;
    for answer in demo.calls(vec![delete, slower]).await? {
        answer?;
    }

    say("6. The ACS orders a reboot. The order is on the disk before it is acknowledged.");
    let command_key = CommandKey::new("demo-reboot").map_err(|error| error.to_string())?;
    demo.call(CpeRequest::Reboot(Reboot { command_key: command_key.clone() })).await?;
    let report = demo.session(EventCode::MReboot).await?;
    let reported = report.events.iter().find(|event| event.code == EventCode::MReboot);
    expect("the CommandKey of `M Reboot`", reported.map(|event| &event.command_key), Some(&command_key))?;
    expect("`1 BOOT` beside it", report.has_event(&EventCode::Boot), true)?;
    expect("`0 BOOTSTRAP` again", report.has_event(&EventCode::Bootstrap), false)?;

    let violations = demo.acs.violations();
    if violations.is_empty() { Ok(()) } else { Err(format!("the agent broke rules: {violations:?}")) }
}

async fn keep_running(folder: &Path, demo: Demo, agent: Cwmpd) -> Result<(), String> {
    let socket = folder.join("acs.sock");
    let _control = control::listen(&socket, demo.acs.clone()).map_err(|error| error.to_string())?;
    say("Both are left running until you press Ctrl-C. In another terminal:");
    let (socket, agent_socket) =
        (socket.display().to_string(), folder.join("cwmpd.sock").display().to_string());
    println!("  cargo run -q -p cwmp-acs -- --control {socket} get Device.DeviceInfo.");
    println!("  cargo run -q -p cwmp-acs -- --control {socket} help");
    println!("  cargo run -q -p cwmpd -- --control {agent_socket} status");
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())?;
    agent.stop(PATIENCE).map(|_| ())
}
