//! Writes a trace of the agent to a bounded file. It is replayed at the desk (`cargo run -p cwmpd-tests --bin replay`): what
//! reads traces does not ship.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use cwmp_core::{
    io::Input,
    time::Now,
    trace::{Blanker, Entry},
};

/// Where the trace goes. Writing stops for good at its bound, or when the file cannot be written: a trace with a gap could
/// not be replayed.
pub(crate) struct Trace {
    path: PathBuf,
    file: Option<File>,
    left: u64,
    blanker: Blanker,
}

impl Trace {
    /// Begins a trace in this file; the one of the last start stays beside it as `<file>.1`.
    ///
    /// # Errors
    /// The I/O error.
    pub(crate) fn begin(path: &Path, most_bytes: u64) -> io::Result<Self> {
        let mut last = path.as_os_str().to_owned();
        last.push(".1");
        match fs::rename(path, last) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self { path: path.to_owned(), file: Some(file), left: most_bytes, blanker: Blanker::default() })
    }

    /// Adds what happened and what the agent did.
    pub(crate) fn add(&mut self, now: Now, input: Option<&Input>, effects: Vec<String>) {
        let Some(file) = &mut self.file else { return };
        let entry = Entry { now, input: input.map(|input| Box::new(self.blanker.blanked(input))), effects };
        let written = serde_json::to_vec(&entry).map_err(io::Error::other).and_then(|mut line| {
            line.push(b'\n');
            self.left =
                self.left.checked_sub(line.len() as u64).ok_or_else(|| io::Error::other("it is full"))?;
            file.write_all(&line)
        });
        if let Err(error) = written {
            tracing::warn!("the trace {} ends here: {error}", self.path.display());
            self.file = None;
        }
    }
}
