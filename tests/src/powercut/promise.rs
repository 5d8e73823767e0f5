//! One call of the ACS whose outcome comes later, and what was told of it.

use cwmp_core::{event::EventCode, rpc::TransferComplete};

use super::plan::File;

/// How far something that is told to the ACS has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    No,
    /// The ACS has answered, and does not know whether the box has heard it.
    Answered,
    /// The box has gone on after the answer: it is never told again.
    Done,
}

/// Whether it must be told in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// The call was answered.
    Surely,
    /// The call was not answered, or a reset or a new ACS came in between.
    Perhaps,
    /// The call was refused, cancelled, or forgotten with a factory reset.
    Never,
}

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Reboot,
    ScheduleInform,
    Download(File),
    ScheduleDownload,
    Upload,
    /// ChangeDUState.
    Install,
}

/// A call and its outcome.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub(super) kind: Kind,
    /// CommandKey; also what the file holds.
    pub(super) key: String,
    pub(super) owed: Owed,
    /// The boot in which it was called.
    pub(super) boot: u32,
    /// Its event, or for a transfer its TransferComplete.
    pub(super) told: Told,
    /// The TransferComplete that was sent first.
    pub(super) report: Option<TransferComplete>,
}

impl Promise {
    pub(super) fn event(&self) -> EventCode {
        match self.kind {
            Kind::Reboot => EventCode::MReboot,
            Kind::ScheduleInform => EventCode::MScheduleInform,
            Kind::Download(_) => EventCode::MDownload,
            Kind::ScheduleDownload => EventCode::MScheduleDownload,
            Kind::Upload => EventCode::MUpload,
            Kind::Install => EventCode::MChangeDuState,
        }
    }

    /// Whether a report of its own tells its outcome.
    pub(super) fn is_reported(&self) -> bool {
        !matches!(self.kind, Kind::Reboot | Kind::ScheduleInform)
    }

    pub(super) fn is_transfer(&self) -> bool {
        self.is_reported() && self.kind != Kind::Install
    }

    /// The image that it brings, as the box names it.
    pub(super) fn image(&self) -> Option<String> {
        match self.kind {
            Kind::Download(File::Firmware { boots: true }) => Some(self.key.clone()),
            Kind::Download(File::Firmware { boots: false }) => Some(format!("bad-{}", self.key)),
            _ => None,
        }
    }

    /// The configuration that it brings.
    pub(super) fn configuration(&self) -> Option<&str> {
        let brings = matches!(self.kind, Kind::Download(File::Configuration) | Kind::ScheduleDownload);
        brings.then_some(self.key.as_str())
    }

    /// Whether it succeeds on a box that nothing disturbs.
    pub(super) fn succeeds(&self) -> bool {
        !matches!(self.kind, Kind::Download(File::Missing | File::Firmware { boots: false }))
    }
}
