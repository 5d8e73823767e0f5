//! Running other programs: each is echoed and timed, its arguments are never joined to a shell line, and `ci` can
//! put a deadline on all of them.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Why a job stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// To be printed by `main`.
    Message(String),
    /// Already printed by the job, which wants the last line for itself.
    Told,
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Message(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self::Message(text.to_owned())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Message(text) => text,
            Self::Told => "failed, see above",
        })
    }
}

/// What every job returns.
pub(crate) type Res<T = ()> = Result<T, Failure>;

/// Tests counted over all `cargo test` runs of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Adds what one line of test output reports: `test result: ok. 3 passed; 0 failed; ...`.
    pub(crate) fn count(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let (_, counts) = counts.split_once(". ").unwrap_or(("", counts));
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// What all jobs share: where the repository is, whether missing tools may be installed, the running deadline.
pub(crate) struct Sh {
    root: PathBuf,
    ci: bool,
    deadline: Cell<Option<Instant>>,
    tally: Cell<Tally>,
}

impl Sh {
    /// `CI=true` in the environment means: install what is missing, and a skipped test is a failure.
    pub(crate) fn new() -> Self {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        let ci = std::env::var("CI").is_ok_and(|value| value == "true" || value == "1");
        Self { root, ci, deadline: Cell::new(None), tally: Cell::new(Tally::default()) }
    }

    /// The repository's root.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the build folder, which git ignores.
    pub(crate) fn target(&self, below: &str) -> PathBuf {
        self.root.join("target").join(below)
    }

    pub(crate) fn ci(&self) -> bool {
        self.ci
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally.get()
    }

    /// Runs `work` with a deadline on all the programs that it starts; what still runs then is killed.
    pub(crate) fn within<T>(&self, limit: Duration, work: impl FnOnce() -> T) -> T {
        self.deadline.set(Some(Instant::now() + limit));
        let done = work();
        self.deadline.set(None);
        done
    }

    pub(crate) fn cmd(&self, program: impl AsRef<OsStr>) -> Cmd<'_> {
        let mut inner = Command::new(program.as_ref());
        inner.current_dir(&self.root);
        Cmd { sh: self, inner, env: Vec::new() }
    }

    /// `cargo` with the toolchain that built this program.
    pub(crate) fn cargo(&self) -> Cmd<'_> {
        self.cmd("cargo")
    }
}

/// One command to run. Built like [`Command`], with the ways of running that the jobs need.
pub(crate) struct Cmd<'sh> {
    sh: &'sh Sh,
    inner: Command,
    env: Vec<(OsString, OsString)>,
}

/// What a captured command left behind.
pub(crate) struct Captured {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Cmd<'_> {
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.inner.arg(arg);
        self
    }

    /// Appends words that are fixed in the source: `words("test --workspace")`.
    pub(crate) fn words(mut self, words: &str) -> Self {
        self.inner.args(words.split_whitespace());
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(&name, &value);
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs it in another folder than the repository's root.
    pub(crate) fn dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.inner.current_dir(folder);
        self
    }

    /// The command as a person would type it at the repository's root.
    pub(crate) fn shown(&self) -> String {
        let variables = self
            .env
            .iter()
            .map(|(name, value)| format!("{}={}", name.to_string_lossy(), quoted(&value.to_string_lossy())));
        let words = std::iter::once(self.inner.get_program()).chain(self.inner.get_args());
        let words = words.map(|word| quoted(&word.to_string_lossy()));
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs it with its output going to the terminal.
    pub(crate) fn run(mut self) -> Res {
        if self.sh.ci {
            self.inner.stdin(Stdio::null());
        }
        self.watched(|_| {})
    }

    /// Runs a `cargo test`, passing its output through and counting its results.
    pub(crate) fn run_tests(mut self) -> Res {
        self.inner.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut tally = self.sh.tally.get();
        let sh = self.sh;
        let done = self.watched(|line| tally.count(line));
        sh.tally.set(tally);
        done
    }

    /// Runs it silently and gives back what it printed, whatever its exit status.
    pub(crate) fn capture(mut self) -> Res<Captured> {
        self.inner.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (child, watchdog) = self.spawn()?;
        let output = child.wait_with_output();
        let killed = watchdog.stop();
        let output = output.map_err(|error| format!("{}: {error}", self.shown()))?;
        if killed {
            return Err(format!("stopped at its deadline: {}", self.shown()).into());
        }
        Ok(Captured {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs it silently and gives back its standard output; a failing exit status is an error.
    pub(crate) fn read(self) -> Res<String> {
        let shown = self.shown();
        let captured = self.capture()?;
        if captured.success {
            return Ok(captured.stdout);
        }
        Err(format!("{shown}\nfailed: {}{}", captured.stdout, captured.stderr).into())
    }

    fn spawn(&mut self) -> Res<(Child, Watchdog)> {
        let deadline = self.sh.deadline.get();
        if deadline.is_some() {
            // A group of its own, so that the deadline ends grandchildren too. Not without one: at a terminal,
            // Ctrl-C must reach the child.
            self.inner.process_group(0);
        }
        let child = self.inner.spawn().map_err(|error| {
            format!("{}: cannot be started: {error}", self.inner.get_program().to_string_lossy())
        })?;
        let watchdog = Watchdog::start(deadline, child.id());
        Ok((child, watchdog))
    }

    fn watched(mut self, mut on_line: impl FnMut(&str)) -> Res {
        let shown = self.shown();
        eprintln!("$ {shown}");
        let started = Instant::now();
        let (mut child, watchdog) = self.spawn()?;
        let drained = match child.stdout.take() {
            Some(stdout) => pass_through(stdout, &mut std::io::stdout().lock(), &mut on_line),
            None => Ok(()),
        };
        let status = drained.and_then(|()| child.wait()).map_err(|error| format!("{shown}: {error}"));
        let killed = watchdog.stop();
        let took = started.elapsed();
        match status? {
            _ if killed => Err(format!("stopped at its deadline after {}: {shown}", seconds(took)).into()),
            status if status.success() => {
                if took >= Duration::from_secs(1) {
                    eprintln!("  took {}", seconds(took));
                }
                Ok(())
            }
            status => Err(format!("{status} after {}: {shown}", seconds(took)).into()),
        }
    }
}

/// Kills a command's process group at the deadline, if there is one and the command still runs then.
struct Watchdog {
    finished: mpsc::Sender<()>,
    thread: Option<JoinHandle<bool>>,
}

impl Watchdog {
    fn start(deadline: Option<Instant>, group: u32) -> Self {
        let (finished, wait) = mpsc::channel();
        let thread = deadline.map(|at| std::thread::spawn(move || kill_at(at, group, &wait)));
        Self { finished, thread }
    }

    /// To be called when the command has ended; returns whether it had to be killed.
    fn stop(self) -> bool {
        drop(self.finished);
        self.thread.is_some_and(|thread| thread.join().unwrap_or(false))
    }
}

/// Copies piped output line by line until its end, showing each line to `on_line`.
fn pass_through(from: impl Read, to: &mut impl Write, on_line: &mut impl FnMut(&str)) -> std::io::Result<()> {
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        on_line(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    to.flush()
}

/// Waits for the command's end (the channel closes) or the deadline; returns whether it had to kill.
fn kill_at(deadline: Instant, group: u32, finished: &mpsc::Receiver<()>) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    if finished.recv_timeout(left) != Err(RecvTimeoutError::Timeout) {
        return false;
    }
    for (signal, grace) in [("-TERM", 5), ("-KILL", 0)] {
        // A failure to signal means that the group has just ended, which is what was wanted.
        let _ = Command::new("kill").args([signal, "--", &format!("-{group}")]).status();
        if finished.recv_timeout(Duration::from_secs(grace)) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    true
}

/// A duration for people: `0.8 s`, `75 s`.
pub(crate) fn seconds(took: Duration) -> String {
    if took < Duration::from_secs(10) {
        format!("{:.1} s", took.as_secs_f32())
    } else {
        format!("{} s", took.as_secs())
    }
}

/// Where a program is, looked up in PATH.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(program)).find(|file| file.is_file())
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_test_programs_add_up() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 4 ignored; 0 measured; 0 filtered out",
            "said: test result: ok. 9 passed; 9 failed",
        ] {
            tally.count(line);
        }
        assert_eq!(tally.to_string(), "4 passed, 2 failed");
    }

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let sh = Sh::new();
        let shown = sh.cmd("cargo").env("F", "-D warnings").words("doc --no-deps").arg("it's").shown();
        assert_eq!(shown, r"F='-D warnings' cargo doc --no-deps 'it'\''s'");
    }

    #[test]
    fn output_passes_through_unchanged_and_is_counted() {
        let output = b"one\ntest result: ok. 5 passed; 0 failed; 0 ignored\nlast".as_slice();
        let (mut copy, mut tally) = (Vec::new(), Tally::default());
        pass_through(output, &mut copy, &mut |line| tally.count(line)).unwrap();
        assert_eq!(copy, output);
        assert_eq!(tally, Tally { passed: 5, failed: 0 });
    }

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let failure = Sh::new().cmd("false").run().unwrap_err();
        assert!(failure.to_string().ends_with(": false"), "{failure}");
        let failure = Sh::new().cmd("no-such-program").run().unwrap_err();
        assert!(failure.to_string().starts_with("no-such-program: cannot be started: "), "{failure}");
    }

    #[test]
    fn what_outlives_its_deadline_is_killed_with_its_children() {
        let sh = Sh::new();
        let started = Instant::now();
        let failure = sh.within(Duration::ZERO, || {
            // The pipe stays open as long as the grandchild lives: only killing the group lets this return.
            let command = || sh.cmd("sh").arg("-c").arg("sleep 600 & wait");
            assert!(command().read().is_err());
            command().run_tests().unwrap_err()
        });
        assert!(failure.to_string().starts_with("stopped at its deadline"), "{failure}");
        assert!(started.elapsed() < Duration::from_secs(300));
    }
}
