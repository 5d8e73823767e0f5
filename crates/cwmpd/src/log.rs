//! The log: lines on standard error with syslog levels, as procd and systemd read them (`<6>text`), or readable for people
//! when standard error is a terminal.
//!
//! A small `tracing` subscriber of its own: tracing-subscriber's formatting layer would add some 150 KB to the program.

use std::{
    fmt::{self, Write as _},
    io::{IsTerminal, Write as _},
    sync::atomic::{AtomicU32, Ordering},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// How long a line may be, in bytes; the rest is cut.
const LINE_BYTES: usize = 2048;

struct Log {
    level: Level,
    for_people: bool,
    spans: AtomicU32,
}

/// Starts logging events up to this level. Later calls do nothing.
pub(crate) fn start(level: Level) {
    let log = Log { level, for_people: std::io::stderr().is_terminal(), spans: AtomicU32::new(1) };
    // A second subscriber can only come from a test in the same process.
    let _ = tracing::subscriber::set_global_default(log);
}

/// The syslog severity of a level.
fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level && metadata.target().starts_with("cwmp")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(u64::from(self.spans.fetch_add(1, Ordering::Relaxed).max(1)))
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::with_capacity(128));
        let level = *event.metadata().level();
        let _ = match self.for_people {
            true => write!(line.0, "{level:>5} "),
            false => write!(line.0, "<{}>", severity(level)),
        };
        event.record(&mut line);
        line.0.truncate(line.0.floor_boundary(LINE_BYTES));
        line.0.push('\n');
        // Where the log cannot be written there is nobody to tell.
        let _ = std::io::stderr().write_all(line.0.as_bytes());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

trait FloorBoundary {
    fn floor_boundary(&self, at: usize) -> usize;
}

impl FloorBoundary for String {
    fn floor_boundary(&self, at: usize) -> usize {
        (0..=at.min(self.len())).rev().find(|at| self.is_char_boundary(*at)).unwrap_or(0)
    }
}

/// Collects the message and the fields of an event; control characters never reach the terminal or the log.
struct Line(String);

impl Line {
    fn push(&mut self, text: &str) {
        self.0.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != "message" {
            let _ = write!(self.0, " {}=", field.name());
        }
        self.push(value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.record_str(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_their_syslog_severity() {
        assert_eq!([Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].map(severity), [3, 4, 6, 7]);
    }

    #[test]
    fn control_characters_do_not_pass_and_cuts_fall_between_characters() {
        let mut line = Line(String::new());
        line.push("a\u{1b}[31m\nb");
        assert_eq!(line.0, "a [31m b");
        assert_eq!("aé".to_owned().floor_boundary(2), 1);
    }
}
