//! The time windows of ScheduleDownload (TR-069a6 A.4.1.8).

use serde::{Deserialize, Serialize};

use crate::{
    limits,
    rpc::TimeWindowStruct,
    time::{Mono, Now as Clocks},
    wait::Wait,
};

/// One or two windows, the earlier one first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    windows: Vec<Window>,
    /// Somebody on the box has agreed to it (`4 Confirmation Needed`).
    pub confirmed: bool,
}

/// When a scheduled download may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// WindowStart.
    pub start: Wait,
    /// WindowEnd.
    pub end: Wait,
    /// WindowMode.
    pub mode: Mode,
    /// UserMessage: what whoever is to confirm is told.
    pub user_message: String,
    /// Further tries after a failure in this window.
    pub retries: u32,
}

/// WindowMode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// `1 At Any Time`
    AnyTime,
    /// `2 Immediately`
    Immediately,
    /// `3 When Idle`
    WhenIdle,
    /// `4 Confirmation Needed`
    Confirmation,
}

impl Mode {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "1 At Any Time" => Some(Self::AnyTime),
            "2 Immediately" => Some(Self::Immediately),
            "3 When Idle" => Some(Self::WhenIdle),
            "4 Confirmation Needed" => Some(Self::Confirmation),
            _ => None,
        }
    }
}

/// What the windows say of the present moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// The next window is still ahead.
    Ahead,
    /// A window is open, under this mode.
    Open(Mode),
    /// All of them are over.
    Over,
}

impl Windows {
    /// From the call, counted from now.
    ///
    /// # Errors
    /// What is wrong with them, for fault 9003.
    pub fn new(asked: &[TimeWindowStruct], now: Clocks) -> Result<Self, String> {
        let mut windows = Vec::new();
        let mut earliest = 0;
        for (number, asked) in (1..).zip(asked) {
            let wrong = |what: &str| Err(format!("TimeWindowList {number}: {what}"));
            if asked.window_start >= asked.window_end {
                return wrong("WindowEnd is not later than WindowStart");
            }
            if asked.window_start < earliest {
                return wrong("it overlaps the one before, or lies before it");
            }
            earliest = asked.window_end;
            let Some(mode) = Mode::parse(&asked.window_mode) else {
                return wrong(
                    "WindowMode is none of `1 At Any Time`, `2 Immediately`, `3 When Idle`, `4 Confirmation Needed`",
                );
            };
            let retries = match asked.max_retries {
                -1 => limits::TRANSFER_RETRIES,
                retries => match u32::try_from(retries) {
                    Ok(retries) => retries,
                    Err(_) => return wrong("MaxRetries is neither -1 nor a number of retries"),
                },
            };
            let wait = |seconds: u32| Wait::new(u64::from(seconds) * 1000, now);
            windows.push(Window {
                start: wait(asked.window_start),
                end: wait(asked.window_end),
                mode,
                user_message: asked.user_message.clone(),
                retries,
            });
        }
        if windows.is_empty() {
            Err("TimeWindowList is empty".to_owned())
        } else {
            Ok(Self { windows, confirmed: false })
        }
    }

    /// What they say of this moment.
    #[must_use]
    pub fn at(&self, now: Clocks) -> Now {
        match self.present(now) {
            None => Now::Over,
            Some(window) if window.start.is_over(now) => Now::Open(window.mode),
            Some(_) => Now::Ahead,
        }
    }

    /// The window that is open, or the next one.
    fn present(&self, now: Clocks) -> Option<&Window> {
        self.windows.iter().find(|window| !window.end.is_over(now))
    }

    /// What whoever is to confirm the download is told, while a window is open that needs it.
    #[must_use]
    pub fn asks(&self, now: Clocks) -> Option<&str> {
        let open = self.present(now).filter(|window| window.start.is_over(now))?;
        (open.mode == Mode::Confirmation && !self.confirmed).then_some(&open.user_message)
    }

    /// A try has failed. Returns whether another one is left in the open window; where not, the rest of that window is given
    /// up, and a later one has tries of its own.
    pub fn failed(&mut self, now: Clocks) -> bool {
        let Some(open) = self.windows.iter_mut().find(|window| !window.end.is_over(now)) else {
            return false;
        };
        if open.retries > 0 {
            open.retries -= 1;
            return true;
        }
        open.end = Wait::new(0, now);
        false
    }

    /// The moments at which something changes by itself.
    pub fn moments(&self) -> impl Iterator<Item = Mono> {
        self.windows.iter().flat_map(|window| [window.start.due, window.end.due])
    }

    /// Start of the first window.
    #[must_use]
    pub fn due(&self) -> Mono {
        self.windows.first().map_or(Mono(0), |window| window.start.due)
    }

    pub(super) fn waits(&mut self) -> impl Iterator<Item = &mut Wait> {
        self.windows.iter_mut().flat_map(|window| [&mut window.start, &mut window.end])
    }
}
