//! The real program as a child process.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::{Sandbox, usage::Usage};

/// Where the program is: `$CWMPD_BIN`, else freshly built beside the tests.
///
/// # Errors
/// What keeps it from being built.
pub fn binary() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(find_or_build).clone()
}

/// A command that starts the program, through `$CWMPD_RUNNER` (an emulator) where that is set.
fn command() -> Result<Command, String> {
    let binary = binary()?;
    Ok(match std::env::var_os("CWMPD_RUNNER") {
        None => Command::new(binary),
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(binary);
            command
        }
    })
}

fn find_or_build() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("CWMPD_BIN") {
        return Ok(path.into());
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--package", "cwmpd", "--features", "openwrt", "--message-format=json"])
        .arg("--manifest-path")
        .arg(manifest)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !built.status.success() {
        return Err("cargo build -p cwmpd failed".to_owned());
    }
    let lines = String::from_utf8_lossy(&built.stdout).into_owned();
    lines
        .lines()
        .find_map(executable)
        .map(PathBuf::from)
        .ok_or_else(|| "cargo names no executable".to_owned())
}

/// The path in one line of cargo's messages.
fn executable(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("\"executable\":\"")?;
    rest.split_once('"').map(|(path, _)| path)
}

/// A running agent; killed when dropped.
#[derive(Debug)]
pub struct Cwmpd {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
}

impl Cwmpd {
    /// Starts the program on the box in this sandbox; its log goes to [`Sandbox::log`], appended.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn start(sandbox: &Sandbox) -> Result<Self, String> {
        let log = || {
            std::fs::create_dir_all(sandbox.folder())?;
            File::options().create(true).append(true).open(sandbox.log())
        };
        let log = log().map_err(|error| format!("{}: {error}", sandbox.log().display()))?;
        Self::start_with(command()?, sandbox, log)
    }

    /// The same with this program, its log going elsewhere.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn start_program(program: &Path, sandbox: &Sandbox, log: impl Into<Stdio>) -> Result<Self, String> {
        Self::start_with(Command::new(program), sandbox, log)
    }

    /// As [`Cwmpd::start`], with these variables in its environment.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn start_in(sandbox: &Sandbox, environment: &[(&str, &str)]) -> Result<Self, String> {
        let mut command = command()?;
        command.envs(environment.iter().copied());
        let log = File::options().create(true).append(true).open(sandbox.log());
        Self::start_with(command, sandbox, log.map_err(|error| error.to_string())?)
    }

    fn start_with(mut command: Command, sandbox: &Sandbox, log: impl Into<Stdio>) -> Result<Self, String> {
        let text = |error: io::Error| format!("{}: {error}", sandbox.folder().display());
        sandbox.write().map_err(text)?;
        let child = command
            .arg("run")
            .arg("--config")
            .arg(sandbox.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(text)?;
        Ok(Self { child, socket: sandbox.socket(), log: sandbox.log() })
    }

    /// Runs a command of the command line against this agent, such as `["get", "Device."]`.
    ///
    /// # Errors
    /// When the program cannot be run at all.
    pub fn ask<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<Output, String> {
        let mut command = command()?;
        command.arg("--control").arg(&self.socket).args(words).stdin(Stdio::null());
        command.output().map_err(|error| error.to_string())
    }

    /// Process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process of its protocol side, where that is a process of its own and runs.
    #[must_use]
    pub fn protocol_pid(&self) -> Option<u32> {
        let pid = self.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// Stops the process of the box (SIGSTOP), and waits until it stands still, or has ended.
    ///
    /// # Errors
    /// When there is none, or it goes on for longer than `patience`.
    pub fn freeze(&self, patience: Duration) -> Result<(), String> {
        let (pid, deadline) = (self.pid(), Instant::now() + patience);
        Self::signal(pid, "STOP")?;
        let state = || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            stat.rsplit_once(") ")?.1.chars().next()
        };
        while !matches!(state(), Some('T' | 'Z')) {
            if Instant::now() > deadline {
                return Err(format!("process {pid} does not stand still"));
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Sends a signal to one of its processes.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(pid: u32, signal: &str) -> Result<(), String> {
        let done = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status();
        match done {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("kill -{signal} {pid}: {status}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn usage(&self) -> io::Result<Usage> {
        Usage::of(self.pid())
    }

    /// All that it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Cuts its power: SIGKILL.
    ///
    /// # Errors
    /// The I/O error.
    pub fn kill(mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Asks it to stop (SIGTERM) and waits for at most `patience`.
    ///
    /// # Errors
    /// When it does not stop in time, or cannot be signalled.
    pub fn stop(mut self, patience: Duration) -> Result<ExitStatus, String> {
        Self::signal(self.pid(), "TERM")?;
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if Instant::now() > deadline => return Err("cwmpd does not stop".to_owned()),
                // The only way to wait for a child with a deadline without another dependency.
                Ok(None) => std::thread::park_timeout(Duration::from_millis(5)),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

impl Drop for Cwmpd {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
