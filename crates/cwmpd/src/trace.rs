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

use crate::config::Config;

/// Makes the lines of a trace, without secrets.
#[derive(Default)]
pub(crate) struct Recorder {
    blanker: Blanker,
}

impl Recorder {
    /// What happened and what the agent did, as a line.
    pub(crate) fn line(&mut self, now: Now, input: Option<&Input>, effects: Vec<String>) -> Vec<u8> {
        let entry = Entry { now, input: input.map(|input| Box::new(self.blanker.blanked(input))), effects };
        // Inputs are plain data, which JSON can always hold.
        let mut line = serde_json::to_vec(&entry).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// Where the trace goes. Writing stops for good at its bound, or when the file cannot be written: a trace with a gap could
/// not be replayed.
pub(crate) struct TraceFile {
    path: PathBuf,
    file: Option<File>,
    left: u64,
    /// Bytes up to the end of the last whole line.
    whole: u64,
    written: u64,
}

impl TraceFile {
    /// The trace that is configured, if any; where it cannot be begun, that is logged.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        let file = config.trace_file.as_deref()?;
        let trace = Self::begin(file, config.trace_bytes);
        trace.map_err(|error| tracing::error!("no trace in {}: {error}", file.display())).ok()
    }

    /// Begins a trace in this file; the one of the last start stays beside it as `<file>.1`.
    ///
    /// # Errors
    /// The I/O error.
    fn begin(path: &Path, most_bytes: u64) -> io::Result<Self> {
        let mut last = path.as_os_str().to_owned();
        last.push(".1");
        match fs::rename(path, last) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self { path: path.to_owned(), file: Some(file), left: most_bytes, whole: 0, written: 0 })
    }

    /// Adds the next bytes of a line.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let left = self.left.checked_sub(bytes.len() as u64);
        let written = left.ok_or_else(|| io::Error::other("it is full")).and_then(|left| {
            self.left = left;
            file.write_all(bytes)
        });
        if let Err(error) = written {
            tracing::warn!("the trace {} ends here: {error}", self.path.display());
            // Half a line could not be replayed.
            let _ = file.set_len(self.whole);
            self.file = None;
            return;
        }
        self.written += bytes.len() as u64;
        if bytes.last() == Some(&b'\n') {
            self.whole = self.written;
        }
    }
}
