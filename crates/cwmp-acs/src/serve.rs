//! The program at work: it prints what happens and does what a person asks for.

use std::{
    io::{self, IsTerminal, Write as _},
    path::PathBuf,
    sync::Arc,
};

use cwmp_core::rpc::CpeResponse;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader},
    sync::mpsc::{self, UnboundedSender},
    task::JoinSet,
};

use crate::{
    acs::Acs,
    command::{self, Command, HELP},
    control, limits,
    options::AcsOptions,
    print,
    report::CallError,
};

/// What `cwmp-acs serve` was started with.
#[derive(Clone)]
pub struct ServeOptions {
    /// The ACS itself.
    pub acs: AcsOptions,
    /// Socket for one-shot commands.
    pub control: Option<PathBuf>,
    /// Read commands from standard input even if it is no terminal.
    pub prompt: bool,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Whether it succeeded: no fault, no error.
    pub ok: bool,
    /// What to show.
    pub text: String,
}

impl Done {
    fn ok(text: impl Into<String>) -> Self {
        Self { ok: true, text: text.into() }
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self { ok: false, text: text.into() }
    }
}

/// Serves until `quit`, or until the end of standard input where commands are read from it.
///
/// # Errors
/// Where the address or the control socket cannot be had.
pub async fn run(mut options: ServeOptions) -> io::Result<()> {
    if options.acs.on_message.is_none() {
        options.acs.on_message = Some(Arc::new(|message| say(&print::line(message))));
    }
    // Nobody asks for reports here: what was printed need not be kept.
    options.acs.keep_bodies = false;
    let acs = Acs::start(options.acs).await?;
    let _control = match &options.control {
        Some(path) => Some(control::listen(path, acs.clone())?),
        None => None,
    };
    // Told last: whoever reads this line may use everything.
    say(&format!("ACS at {}; set ManagementServer.URL of the CPE to this", acs.url()));
    let terminal = io::stdin().is_terminal();
    if !terminal && !options.prompt {
        return std::future::pending().await;
    }
    if terminal {
        say("`help` lists the commands");
    }
    prompt(&acs).await
}

async fn prompt(acs: &Acs) -> io::Result<()> {
    let mut input = BufReader::new(tokio::io::stdin());
    let mut running = JoinSet::new();
    let mut line = Vec::new();
    loop {
        let more = tokio::select! {
            more = read_line(&mut input, &mut line) => more?,
            Some(_) = running.join_next() => continue,
        };
        if !more {
            break;
        }
        let text = String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned();
        match command::split(&text).and_then(|words| command::parse(&words)) {
            Err(error) => say(&error.to_string()),
            Ok(None) => {}
            Ok(Some(Command::Quit)) => return Ok(()),
            Ok(Some(command)) => {
                let acs = acs.clone();
                running.spawn(async move {
                    let (notes, mut told) = mpsc::unbounded_channel::<String>();
                    let tell = async {
                        while let Some(note) = told.recv().await {
                            say(&note);
                        }
                    };
                    let (done, ()) = tokio::join!(execute(&acs, command, notes), tell);
                    say(&done.text);
                });
            }
        }
    }
    // The end of the input is not the end of what was asked for.
    while running.join_next().await.is_some() {}
    Ok(())
}

/// Reads up to the end of a line into `line`; `false` at the end of the input. What was read of a line before the future is
/// dropped stays in `line`, so the next call goes on from there.
async fn read_line(input: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> io::Result<bool> {
    let room = limits::CONTROL_LINE.saturating_sub(line.len()) as u64;
    input.take(room).read_until(b'\n', line).await?;
    Ok(!line.is_empty())
}

/// Does what a command says. `notes` gets what is worth knowing before the answer is there.
pub async fn execute(acs: &Acs, command: Command, notes: UnboundedSender<String>) -> Done {
    match command {
        Command::Help => Done::ok(HELP),
        Command::Quit => Done::failed("`quit` ends the program at its own prompt only"),
        Command::Cpes => Done::ok(cpes(acs)),
        Command::ConnectionRequest(cpe) => match acs.connection_request(cpe).await {
            Ok(status @ (200 | 204)) => Done::ok(format!("accepted (HTTP {status})")),
            Ok(503) => Done::failed("the CPE is busy (HTTP 503)"),
            Ok(status) => Done::failed(format!("refused (HTTP {status})")),
            Err(error) => Done::failed(error.to_string()),
        },
        Command::UdpConnectionRequest(cpe) => match acs.udp_connection_request(cpe).await {
            Ok(address) => Done::ok(format!("sent to {address}; nobody answers it")),
            Err(error) => Done::failed(error.to_string()),
        },
        Command::Call(cpe, mut request) => {
            let Some(key) = acs.with_cpe(cpe, |key, record| {
                command::fill_types(&mut request, Some(record));
                key.clone()
            }) else {
                return unknown_cpe();
            };
            let pending = acs.call(&key, request);
            wake(acs, &key, &notes).await;
            answered(pending.await)
        }
        Command::Raw(cpe, file) => {
            let Some(key) = acs.with_cpe(cpe, |key, _| key.clone()) else { return unknown_cpe() };
            let envelope = match read_file(&file).await {
                Ok(bytes) => bytes,
                Err(error) => return Done::failed(format!("{}: {error}", file.display())),
            };
            let pending = acs.call_raw(&key, envelope);
            wake(acs, &key, &notes).await;
            answered(pending.await)
        }
    }
}

fn unknown_cpe() -> Done {
    Done::failed("no such CPE has come yet; `cpes` lists those that have")
}

/// Has the CPE come at once, if it can be asked to, and says so.
async fn wake(acs: &Acs, key: &crate::CpeKey, notes: &UnboundedSender<String>) {
    let note = match acs.connection_request(key).await {
        Ok(200 | 204) => format!("{key} has accepted a connection request and will come"),
        Ok(503) => format!("{key} is busy; the command waits for its session"),
        Ok(status) => {
            format!(
                "{key} has refused the connection request (HTTP {status}); the command waits for its next session"
            )
        }
        Err(error) => format!("{error}; the command waits for the next session of {key}"),
    };
    // Nobody wants to know: fine.
    let _ = notes.send(note);
}

fn answered(answer: Result<CpeResponse, CallError>) -> Done {
    match answer {
        Ok(response) => Done::ok(print::answer(&response)),
        Err(error) => Done::failed(error.to_string()),
    }
}

async fn read_file(path: &PathBuf) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(path).await?;
    file.take(limits::RAW_BYTES).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn cpes(acs: &Acs) -> String {
    let line = |key: &crate::CpeKey| {
        acs.with_cpe(key, |key, record| {
            let url = record.connection_request_url.as_deref().unwrap_or("no ConnectionRequestURL");
            let events = print::inform(&record.last_inform);
            let seen = print::date(record.last_seen);
            format!("{key}  last seen {seen} {events}; {} sessions; {url}", record.session_count)
        })
    };
    let lines: Vec<String> = acs.cpes().iter().filter_map(line).collect();
    if lines.is_empty() { "no CPE has come yet".to_owned() } else { lines.join("\n") }
}

/// Prints a line. Output that nobody reads any more is no reason to end.
fn say(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}
