//! Programs that the integrator names: no shell, no environment, bounded in time and output, killed as a group.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cwmp_platform::PlatformError;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

/// The only variable that a command sees.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Most bytes kept of what a command writes to stderr: the last ones.
const STDERR_BYTES: usize = 4096;
/// Most lines of it in an error.
const STDERR_LINES: usize = 5;
/// From SIGTERM to SIGKILL, for a command that takes too long.
const TERM_GRACE: Duration = Duration::from_secs(5);
/// From SIGKILL to giving up.
const KILL_GRACE: Duration = Duration::from_secs(5);
/// For the end of stderr after the command has ended; a child that it left behind may hold the pipe open for ever.
const DRAIN_GRACE: Duration = Duration::from_millis(500);
/// Exit status by which a command says that the file is not for this box and nothing was changed (EX_DATAERR).
pub const REFUSED: i32 = 65;
/// Exit status for too little room (EX_CANTCREAT).
pub const NO_ROOM: i32 = 73;
/// Exit status for a file that is not authentic (EX_NOPERM).
pub const UNAUTHENTIC: i32 = 77;

/// Runs a command to its end. Each placeholder (`{file}`) in an argument is replaced by its text.
///
/// # Errors
/// [`PlatformError::Refused`], [`PlatformError::NoRoom`] and [`PlatformError::Unauthentic`] for their exit statuses,
/// [`PlatformError::Failed`] for all else, with the command, the exit status and the last lines of stderr.
pub async fn run(
    command: &[String],
    placeholders: &[(&str, &OsStr)],
    limit: Duration,
) -> Result<(), PlatformError> {
    execute(command, placeholders, limit, None).await.map(drop)
}

/// Which part is kept of what a command writes.
#[derive(Clone, Copy)]
pub enum Keep {
    /// At most so many bytes; more is an error.
    All(usize),
    /// The last bytes.
    Last(usize),
}

/// Runs a command to its end and returns what it has written to stdout.
///
/// # Errors
/// Those of [`run`].
pub async fn output(
    command: &[String],
    placeholders: &[(&str, &OsStr)],
    limit: Duration,
    keep: Keep,
) -> Result<Vec<u8>, PlatformError> {
    execute(command, placeholders, limit, Some(keep)).await
}

async fn execute(
    command: &[String],
    placeholders: &[(&str, &OsStr)],
    limit: Duration,
    stdout: Option<Keep>,
) -> Result<Vec<u8>, PlatformError> {
    let (program, mut prepared) = prepare(command, placeholders)?;
    let mut child = prepared
        .stdout(if stdout.is_some() { Stdio::piped() } else { Stdio::null() })
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| cannot_run(program, &e))?;
    let mut group = Group::of(&child);
    let said = Drain::of(child.stdout.take(), stdout.unwrap_or(Keep::Last(0)));
    let complaints = Drain::of(child.stderr.take(), Keep::Last(STDERR_BYTES));

    let ended = match timeout(limit, child.wait()).await {
        Ok(ended) => Some(ended),
        Err(_) => {
            end(&mut child, &group).await;
            None
        }
    };
    group.ended();
    let said = said.finish().await;
    let stderr = last_lines(&complaints.finish().await);
    let failed = |what: String| PlatformError::Failed(format!("{program} {what}{stderr}"));
    let status = match ended {
        None => return Err(failed(format!("took longer than {} s and was killed", limit.as_secs_f32()))),
        Some(Err(e)) => return Err(failed(format!("could not be waited for: {e}"))),
        Some(Ok(status)) => status,
    };
    match (status.code(), stdout) {
        (Some(0), Some(Keep::All(most))) if said.len() > most => {
            Err(failed(format!("wrote more than {most} bytes")))
        }
        (Some(0), _) => Ok(said),
        (Some(REFUSED), _) => Err(PlatformError::Refused(format!("by {program}{stderr}"))),
        (Some(NO_ROOM), _) => Err(PlatformError::NoRoom(format!("says {program}{stderr}"))),
        (Some(UNAUTHENTIC), _) => Err(PlatformError::Unauthentic(format!("says {program}{stderr}"))),
        _ => Err(failed(describe(status))),
    }
}

/// A command with nothing of our environment, in a process group of its own.
fn prepare<'c>(
    command: &'c [String],
    placeholders: &[(&str, &OsStr)],
) -> Result<(&'c str, Command), PlatformError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(PlatformError::Failed("a configured command is empty: name a program".to_owned()));
    };
    let mut prepared = Command::new(program);
    prepared
        .args(arguments.iter().map(|argument| fill(argument, placeholders)))
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::null())
        .process_group(0);
    Ok((program, prepared))
}

fn cannot_run(program: &str, error: &std::io::Error) -> PlatformError {
    PlatformError::Failed(format!("cannot run {program}: {error}"))
}

/// Runs a command that may end this program, and goes on where it does: it has a process group of its own, writes to no pipe
/// of ours, and is not killed when nobody waits for it any more.
///
/// # Errors
/// [`PlatformError::Failed`] where it does not start, fails, or has not ended after `limit`.
pub async fn outlive(
    command: &[String],
    placeholders: &[(&str, &OsStr)],
    limit: Duration,
) -> Result<(), PlatformError> {
    let (program, mut prepared) = prepare(command, placeholders)?;
    let spawned = prepared.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = spawned.map_err(|e| cannot_run(program, &e))?;
    let failed = |what: String| PlatformError::Failed(format!("{program} {what}"));
    match timeout(limit, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(failed(describe(status))),
        Ok(Err(e)) => Err(failed(format!("could not be waited for: {e}"))),
        Err(_) => Err(failed(format!("has not ended after {} s", limit.as_secs()))),
    }
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with exit status {code}"),
        None => format!("was ended: {status}"),
    }
}

/// Replaces placeholders in one pass, so that a path that looks like a placeholder stays as it is.
fn fill(argument: &str, placeholders: &[(&str, &OsStr)]) -> OsString {
    let mut filled = Vec::new();
    let mut rest = argument;
    'next: while !rest.is_empty() {
        for (name, text) in placeholders {
            if let Some(after) = rest.strip_prefix(name) {
                filled.extend_from_slice(text.as_bytes());
                rest = after;
                continue 'next;
            }
        }
        let mut chars = rest.chars();
        filled.extend(chars.next().map(|c| c.to_string()).unwrap_or_default().into_bytes());
        rest = chars.as_str();
    }
    OsString::from_vec(filled)
}

/// Asks the group to end, then ends it.
async fn end(child: &mut Child, group: &Group) {
    group.signal(Signal::SIGTERM);
    let _ = timeout(TERM_GRACE, child.wait()).await;
    group.signal(Signal::SIGKILL);
    // Not for ever: a process that waits for a broken disk does not end.
    let _ = timeout(KILL_GRACE, child.wait()).await;
}

/// The process group of a running command; killed when the wait for the command is given up.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            let _ = killpg(pid, signal);
        }
    }

    fn ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// Reads what a command writes, so that it never waits for a reader, and keeps a part of it.
struct Drain {
    kept: Arc<Mutex<Vec<u8>>>,
    task: Option<JoinHandle<()>>,
}

impl Drain {
    fn of(from: Option<impl AsyncRead + Unpin + Send + 'static>, keep: Keep) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let task = from.map(|from| tokio::spawn(drain(from, keep, Arc::clone(&kept))));
        Self { kept, task }
    }

    /// What was kept, once the command has ended.
    async fn finish(mut self) -> Vec<u8> {
        if let Some(task) = &mut self.task {
            if timeout(DRAIN_GRACE, &mut *task).await.is_err() {
                task.abort();
            }
        }
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn drain(mut from: impl AsyncRead + Unpin, keep: Keep, kept: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(buffer.get(..length).unwrap_or_default());
        match keep {
            // One byte more than allowed shows that there was more.
            Keep::All(most) => kept.truncate(most.saturating_add(1)),
            Keep::Last(most) => {
                let surplus = kept.len().saturating_sub(most);
                kept.drain(..surplus);
            }
        }
    }
}

/// `: last; lines`, or nothing.
fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<String> = text
        .lines()
        .rev()
        .map(|line| crate::files::clean(line, 200))
        .filter(|line| !line.is_empty())
        .take(STDERR_LINES)
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    lines.reverse();
    format!(": {}", lines.join("; "))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn sh(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script, "sh", "{file}"].map(str::to_owned).to_vec()
    }

    async fn run_on(script: &str, file: &Path) -> Result<(), PlatformError> {
        run(&sh(script), &[("{file}", file.as_os_str())], Duration::from_secs(20)).await
    }

    #[tokio::test]
    async fn a_path_with_spaces_and_shell_characters_is_one_argument() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a b;$(touch x) {file}");
        run_on("test $# = 1 && echo done >\"$1\"", &file).await.unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"done\n");
        assert_eq!(fill("--image={file}!", &[("{file}", OsStr::new("/x y"))]), OsStr::new("--image=/x y!"));
    }

    #[tokio::test]
    async fn nothing_of_our_environment_reaches_a_command() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        run(
            &["/usr/bin/env".into(), "sh".into(), "-c".into(), "env >\"$0\"".into(), "{file}".into()],
            &[("{file}", file.as_os_str())],
            Duration::from_secs(20),
        )
        .await
        .unwrap();
        let env = fs::read_to_string(&file).unwrap();
        assert!(env.contains(&format!("PATH={PATH}\n")), "{env}");
        for inherited in ["HOME=", "USER=", "CARGO"] {
            assert!(!env.contains(inherited), "{env}");
        }
    }

    #[tokio::test]
    async fn a_failure_tells_status_and_the_end_of_stderr() {
        let script = "i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done; exit 3";
        let error = run_on(script, Path::new("/x")).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "/bin/sh ended with exit status 3: line 1995; line 1996; line 1997; line 1998; line 1999"
        );
    }

    #[tokio::test]
    async fn exit_status_65_is_a_refusal() {
        let error = run_on("echo wrong board >&2; exit 65", Path::new("/x")).await.unwrap_err();
        assert!(matches!(error, PlatformError::Refused(_)));
        assert_eq!(error.to_string(), "refused: by /bin/sh: wrong board");
    }

    #[tokio::test]
    async fn other_statuses_say_no_room_and_not_authentic() {
        assert!(matches!(run_on("exit 73", Path::new("/x")).await, Err(PlatformError::NoRoom(_))));
        assert!(matches!(run_on("exit 77", Path::new("/x")).await, Err(PlatformError::Unauthentic(_))));
    }

    #[tokio::test]
    async fn what_a_command_writes_is_bounded() {
        let kept = async |script: &str, keep| output(&sh(script), &[], Duration::from_secs(20), keep).await;
        assert_eq!(kept("printf 12345", Keep::All(5)).await.unwrap(), b"12345");
        assert_eq!(kept("printf 12345", Keep::Last(3)).await.unwrap(), b"345");
        let error = kept("printf 12345", Keep::All(4)).await.unwrap_err().to_string();
        assert_eq!(error, "/bin/sh wrote more than 4 bytes");
        let long =
            kept("i=0; while [ $i -lt 5000 ]; do echo 0123456789; i=$((i+1)); done", Keep::Last(11)).await;
        assert_eq!(long.unwrap(), b"0123456789\n");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        // The child of the command holds stderr open, as a real updater's helper would.
        let command = sh("sleep 1000 & echo $! >\"$1\"; echo waiting >&2; wait");
        let error =
            run(&command, &[("{file}", file.as_os_str())], Duration::from_millis(500)).await.unwrap_err();
        assert_eq!(error.to_string(), "/bin/sh took longer than 0.5 s and was killed: waiting");
        let pid = fs::read_to_string(&file).unwrap();
        let gone = async {
            while fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
                .is_ok_and(|stat| !stat.contains(") Z"))
            {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), gone).await.expect("the child was killed too");
    }

    #[tokio::test]
    async fn a_command_that_nobody_waits_for_any_more_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let command = sh("sleep 1000 & echo $! >\"$1.new\"; mv \"$1.new\" \"$1\"; wait");
        let placeholders = [("{file}", file.as_os_str())];
        let running = run(&command, &placeholders, Duration::from_secs(100));
        let started = async {
            while !file.exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            ended = running => panic!("{ended:?}"),
            () = started => {}
        }
        gone(&file).await;
    }

    /// Waits until the process whose number is in the file has ended.
    async fn gone(file: &Path) {
        let pid = fs::read_to_string(file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let gone = async {
            while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z")) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), gone).await.expect("the child was killed too");
    }

    #[tokio::test]
    async fn what_is_to_outlive_us_goes_on_when_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("done");
        let gate = folder.path().join("gate");
        let script = "while [ ! -e \"$1.gate\" ]; do :; done; echo done >\"$1\"";
        let command = sh(&script.replace("$1.gate", &gate.display().to_string()));
        let placeholders = [("{file}", file.as_os_str())];
        let waiting =
            timeout(Duration::from_millis(50), outlive(&command, &placeholders, Duration::from_secs(60)));
        assert!(waiting.await.is_err(), "it waits for the gate");
        fs::write(&gate, "").unwrap();
        let done = async {
            while !file.exists() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), done).await.expect("it was not killed");
        let failed = outlive(&sh("exit 3"), &[], Duration::from_secs(20)).await.unwrap_err();
        assert_eq!(failed.to_string(), "/bin/sh ended with exit status 3");
    }

    #[tokio::test]
    async fn what_does_not_start_is_named() {
        let error = run(&["/no/such/program".to_owned()], &[], Duration::from_secs(1)).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot run /no/such/program: No such file"), "{error}");
        assert!(run(&[], &[], Duration::from_secs(1)).await.unwrap_err().to_string().contains("empty"));
    }
}
