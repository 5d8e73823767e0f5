//! The program: see `cwmp-acs --help`.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use cwmp_acs::{
    arguments::{self, Task, USAGE},
    control, serve,
};

fn main() -> ExitCode {
    let task = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(task) => task,
        Err(error) => {
            complain(&format!("{error}; see cwmp-acs --help"));
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(run(task));
    // A read of standard input cannot be called off: it is left behind.
    runtime.shutdown_background();
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// `false` for a command that has failed.
async fn run(task: Task) -> io::Result<bool> {
    match task {
        Task::Help => writeln!(io::stdout(), "{USAGE}").map(|()| true),
        Task::Serve(options) => serve::run(*options).await.map(|()| true),
        Task::OneShot { control, words } => {
            let done = control::ask(&control, words, complain).await?;
            writeln!(io::stdout(), "{}", done.text)?;
            Ok(done.ok)
        }
    }
}

/// Says something on standard error; if nobody listens there, nothing can be done.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "cwmp-acs: {text}");
}
