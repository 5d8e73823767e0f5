//! File transfers as the agent keeps them: what was asked for, when it may run, and how far it is (TR-069a6 A.3.2.8, A.4.1.5,
//! A.4.1.8).

mod windows;

pub use windows::{Mode, Now as Opening, Window, Windows};

use serde::{Deserialize, Serialize};

use crate::{
    datetime::DateTime,
    event::EventCode,
    fault::FaultCode,
    job::{Apply, DownloadType, Fetch, Send, TransferId, UploadType},
    rpc::{
        AcsRequest, AllQueuedTransferStruct, AutonomousTransferComplete, CommandKey, FaultStruct,
        TransferComplete, TransferState,
    },
    settings::Secret,
    time::Mono,
    url::HttpUrl,
    wait::Wait,
};

/// A transfer from its promise to the answer of the ACS to its TransferComplete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Its number.
    pub id: TransferId,
    /// Who asked for it.
    pub origin: Origin,
    /// CommandKey; empty for one that somebody on the box asked for.
    pub command_key: CommandKey,
    /// What goes where.
    pub what: What,
    /// The file server's URL.
    pub url: HttpUrl,
    /// Username for the file server.
    pub username: String,
    /// Password for the file server.
    pub password: Secret,
    /// When it may run.
    pub when: When,
    /// How far it is.
    pub stage: Stage,
}

/// Who asked for a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// The ACS, with Download.
    Download,
    /// The ACS, with ScheduleDownload.
    ScheduleDownload,
    /// The ACS, with Upload.
    Upload,
    /// Somebody on the box: reported as AutonomousTransferComplete, where the policy asks for it.
    Local,
}

/// What is transferred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// From the file server to the box.
    Download {
        /// FileType.
        file_type: DownloadType,
        /// FileSize in bytes as the ACS believes; 0 when unknown.
        file_size: u32,
        /// TargetFileName.
        target_file_name: String,
    },
    /// From the box to the file server.
    Upload {
        /// FileType.
        file_type: UploadType,
        /// FileType as it was written.
        name: String,
    },
}

/// When a transfer may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// As soon as possible after this wait (DelaySeconds).
    After(Wait),
    /// In one of these windows (ScheduleDownload).
    Within(Windows),
}

/// How far a transfer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Not started, or interrupted: it begins anew, with what has been fetched of the file.
    Waiting,
    /// The file is here, and what it is for is being done or was done.
    Applying(Applying),
    /// It is over; the ACS is to be told.
    Over(Outcome),
}

/// The part of a download that changes the box. It is stored before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applying {
    /// StartTime.
    pub start: DateTime,
    /// The mark of the firmware that ran when it began ([`crate::io::Start::image`]).
    pub before: String,
    /// The mark that the box has once the new firmware runs, where it can be told.
    pub expects: Option<String>,
    /// It is written and takes effect with a restart.
    pub written: bool,
}

/// What is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// FaultStruct.
    pub fault: FaultStruct,
    /// StartTime.
    pub start: DateTime,
    /// CompleteTime.
    pub complete: DateTime,
}

impl Outcome {
    /// Success.
    #[must_use]
    pub fn success(start: DateTime, complete: DateTime) -> Self {
        Self { fault: FaultStruct::success(), start, complete }
    }

    /// A failure. Nothing was completed, and where the server was never reached nothing was started either.
    #[must_use]
    pub fn failure(code: FaultCode, text: impl Into<String>, start: DateTime) -> Self {
        let started = code != FaultCode::FILE_SERVER_UNREACHABLE && code != FaultCode::OUTSIDE_TIME_WINDOWS;
        let start = if started { start } else { DateTime::Unknown };
        Self { fault: FaultStruct { code, text: text.into() }, start, complete: DateTime::Unknown }
    }

    /// Whether the transfer succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.fault.code == FaultCode(0)
    }
}

impl Transfer {
    /// The waits in it, all of which outlive a boot.
    pub fn waits(&mut self) -> Box<dyn Iterator<Item = &mut Wait> + '_> {
        match &mut self.when {
            When::After(wait) => Box::new(std::iter::once(wait)),
            When::Within(windows) => Box::new(windows.waits()),
        }
    }

    /// When it was or is due: earlier ones go first.
    #[must_use]
    pub fn due(&self) -> Mono {
        match &self.when {
            When::After(wait) => wait.due,
            When::Within(windows) => windows.due(),
        }
    }

    /// Its outcome, once it is over.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.stage {
            Stage::Over(outcome) => Some(outcome),
            Stage::Waiting | Stage::Applying(_) => None,
        }
    }

    /// The event that reports it beside `7 TRANSFER COMPLETE`; `None` for one of the box itself.
    #[must_use]
    pub fn event(&self) -> Option<EventCode> {
        match self.origin {
            Origin::Download => Some(EventCode::MDownload),
            Origin::ScheduleDownload => Some(EventCode::MScheduleDownload),
            Origin::Upload => Some(EventCode::MUpload),
            Origin::Local => None,
        }
    }

    /// The request that reports it, once it is over.
    #[must_use]
    pub fn report(&self) -> Option<AcsRequest> {
        let Outcome { fault, start, complete } = self.outcome()?.clone();
        Some(match self.origin {
            Origin::Download | Origin::ScheduleDownload | Origin::Upload => {
                let command_key = self.command_key.clone();
                let report =
                    TransferComplete { command_key, fault, start_time: start, complete_time: complete };
                AcsRequest::TransferComplete(report)
            }
            Origin::Local => {
                let (file_size, target_file_name) = self.size_and_name();
                AcsRequest::AutonomousTransferComplete(AutonomousTransferComplete {
                    announce_url: String::new(),
                    transfer_url: self.url.to_string(),
                    is_download: self.is_download(),
                    file_type: self.file_type().to_owned(),
                    file_size,
                    target_file_name,
                    fault,
                    start_time: start,
                    complete_time: complete,
                })
            }
        })
    }

    /// Whether it goes to the box.
    #[must_use]
    pub fn is_download(&self) -> bool {
        matches!(self.what, What::Download { .. })
    }

    /// Whether it is new firmware.
    #[must_use]
    pub fn is_firmware(&self) -> bool {
        matches!(&self.what, What::Download { file_type: DownloadType::Firmware, .. })
    }

    /// FileType as on the wire.
    #[must_use]
    pub fn file_type(&self) -> &str {
        match &self.what {
            What::Download { file_type, .. } => file_type.as_str(),
            What::Upload { name, .. } => name,
        }
    }

    fn size_and_name(&self) -> (u32, String) {
        match &self.what {
            What::Download { file_size, target_file_name, .. } => (*file_size, target_file_name.clone()),
            What::Upload { .. } => (0, String::new()),
        }
    }

    /// Its entry in GetAllQueuedTransfers.
    #[must_use]
    pub fn entry(&self, state: TransferState) -> AllQueuedTransferStruct {
        let (file_size, target_file_name) = self.size_and_name();
        AllQueuedTransferStruct {
            command_key: self.command_key.clone(),
            state,
            is_download: self.is_download(),
            file_type: self.file_type().to_owned(),
            file_size,
            target_file_name,
        }
    }

    /// The job that it begins with.
    #[must_use]
    pub fn first_job(&self) -> crate::job::Job {
        let Self { id: transfer, url, username, password, .. } = self.clone();
        match self.what.clone() {
            What::Download { file_type, file_size, .. } => {
                crate::job::Job::Fetch(Fetch { transfer, file_type, url, username, password, file_size })
            }
            What::Upload { file_type, .. } => {
                crate::job::Job::Send(Send { transfer, file_type, url, username, password })
            }
        }
    }

    /// The job that a download ends with.
    #[must_use]
    pub fn last_job(&self) -> Option<crate::job::Job> {
        match self.what.clone() {
            What::Download { file_type, target_file_name, .. } => {
                let (transfer, url) = (self.id, self.url.clone());
                Some(crate::job::Job::Apply(Apply { transfer, file_type, target_file_name, url }))
            }
            What::Upload { .. } => None,
        }
    }
}

/// Whether new firmware runs: what the box says of itself after the boot decides, not what the updater has said.
///
/// # Errors
/// The outcome to report: the old image still runs, or another one than expected.
pub(crate) fn judge_upgrade(applying: &Applying, runs: &str) -> Result<(), Outcome> {
    let failed = |text: String| Err(Outcome::failure(FaultCode::DOWNLOAD_FAILURE, text, applying.start));
    match &applying.expects {
        Some(expected) if expected == runs => Ok(()),
        Some(expected) => failed(format!("after the upgrade the box runs {runs}, not {expected}")),
        None if applying.before != runs => Ok(()),
        None => failed(format!("after the upgrade the box still runs {runs}")),
    }
}
