//! Long work: what the agent has done outside of sessions, one kind of thing whatever the work is.
//!
//! The agent queues a job, keeps what it promises, starts it with [`crate::io::Effect::StartJob`] once no session is on, and
//! hears of its end through [`crate::io::Input::JobDone`]. A transfer is two jobs, so that the agent can store what it is
//! about to do to the box between them: fetch, then apply.

use serde::{Deserialize, Serialize};

use crate::{
    fault::FaultCode,
    settings::Secret,
    software::{DuOrder, DuTarget, DuUnit},
    url::HttpUrl,
};

/// Names one run of a job. No two runs of a program's life have the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u32);

/// Names a transfer, over reboots: what is fetched for it lies in a file of this number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TransferId(pub u32);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    /// Do what the file type needs before the transfer, get the file, and check it. Ends with [`JobDone::Fetched`].
    Fetch(Fetch),
    /// Do with the fetched file what its type asks for. Ends with [`JobDone::Applied`] or [`JobDone::Written`].
    Apply(Apply),
    /// Make the file and send it. Ends with [`JobDone::Sent`].
    Send(Send),
    /// Run a diagnostic with the inputs that are set now. Ends with [`JobDone::Diagnosed`].
    Diagnose(Diagnostic),
    /// A step of an operation on deployment units. Ends with [`JobDone::Software`].
    Software(Box<DuJob>),
}

impl Job {
    /// What it is, in a word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Job::Fetch(_) => "Fetch",
            Job::Apply(_) => "Apply",
            Job::Send(_) => "Send",
            Job::Diagnose(_) => "Diagnose",
            Job::Software(_) => "Software",
        }
    }
}

/// Arguments of [`Job::Fetch`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// For which transfer.
    pub transfer: TransferId,
    /// FileType.
    pub file_type: DownloadType,
    /// Where the file is.
    pub url: HttpUrl,
    /// Username for the file server; empty for none.
    pub username: String,
    /// Password for the file server.
    pub password: Secret,
    /// FileSize in bytes as the ACS believes; 0 when unknown. Says how much room to look for, and nothing else.
    pub file_size: u32,
}

/// Arguments of [`Job::Apply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apply {
    /// For which transfer.
    pub transfer: TransferId,
    /// FileType.
    pub file_type: DownloadType,
    /// TargetFileName, for types that leave a file on the box; without any `/`.
    pub target_file_name: String,
    /// The URL that it came from, for the record of vendor configuration files.
    pub url: HttpUrl,
}

/// Arguments of [`Job::Send`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// For which transfer.
    pub transfer: TransferId,
    /// FileType.
    pub file_type: UploadType,
    /// Where it goes, with PUT.
    pub url: HttpUrl,
    /// Username for the file server; empty for none.
    pub username: String,
    /// Password for the file server.
    pub password: Secret,
}

/// A step of an operation on deployment units (TR-069a6 A.4.1.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DuJob {
    /// Say which units the operation concerns, and what it means for each. Ends with [`DuDone::Planned`].
    Plan(DuOrder),
    /// Get the file of a unit and check it. Ends with [`DuDone::Fetched`].
    Fetch(DuFetch),
    /// Do it. Ends with [`DuDone::Changed`] or [`DuDone::Failed`].
    Apply {
        /// Names the fetched file; there is none for an uninstall.
        file: TransferId,
        /// What is to be done, as it was fetched.
        target: DuTarget,
    },
    /// Say what the box has of it after a restart has interrupted it. Ends with [`DuDone::Found`].
    Look(DuTarget),
    /// Say which units the box has. Ends with [`DuDone::Surveyed`]; fails while somebody else changes them.
    Survey,
}

/// Arguments of [`DuJob::Fetch`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuFetch {
    /// Names the file.
    pub file: TransferId,
    /// What it is for.
    pub target: DuTarget,
    /// Where it is.
    pub url: HttpUrl,
    /// Username for the file server; empty for none.
    pub username: String,
    /// Password for the file server.
    pub password: Secret,
}

/// How a step of an operation on deployment units ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DuDone {
    /// What the operation means, unit for unit.
    Planned(Vec<DuTarget>),
    /// The file is here and checked: the target with the UUID and the version that the unit will have.
    Fetched(DuTarget),
    /// It is done. The unit as the box has it now; one that was removed as it was.
    Changed(DuUnit),
    /// It has failed for this reason, after the box may have been changed. What it has of the unit now.
    Failed(JobError, Option<DuUnit>),
    /// What the box has with this UUID in this execution environment.
    Found(Option<DuUnit>),
    /// All units of the box.
    Surveyed(Vec<DuUnit>),
}

/// A diagnostic whose DiagnosticsState can be set to Requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Diagnostic {
    /// `Device.IP.Diagnostics.IPPing.`
    IpPing,
}

/// How a job ended well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobDone {
    /// The file is here, whole and checked.
    Fetched {
        /// Its size in bytes.
        bytes: u64,
        /// For firmware: the mark that the box will have once this image runs, where the platform can tell
        /// ([`crate::io::Start::image`]).
        expects: Option<String>,
    },
    /// In force now.
    Applied,
    /// Written. It takes effect with a restart, which the agent is to order (`false`) or which is under way (`true`).
    Written {
        /// The box restarts by itself.
        restarting: bool,
    },
    /// Sent whole, and taken by the server.
    Sent,
    /// The diagnostic has ended, well or not; its results can be read.
    Diagnosed,
    /// The step of an operation on deployment units is done.
    Software(DuDone),
}

/// Why a job failed: what TransferComplete reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {text}")]
pub struct JobError {
    /// One of the codes that TransferComplete may carry (TR-069a6 A.3.3.2).
    pub code: FaultCode,
    /// What, where and why; without secrets.
    pub text: String,
}

impl JobError {
    /// With this code and text.
    pub fn new(code: FaultCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// What is downloaded (TR-069a6 A.3.2.8, FileType).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DownloadType {
    /// `1 Firmware Upgrade Image`
    Firmware,
    /// `2 Web Content`
    WebContent,
    /// `3 Vendor Configuration File`
    Configuration,
    /// `4 Tone File`
    Tone,
    /// `5 Ringer File`
    Ringer,
    /// `6 Stored Firmware Image`
    StoredFirmware,
    /// `X <OUI> <text>`, written out.
    Vendor(String),
}

/// What is uploaded (TR-069a6 A.4.1.5, FileType).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UploadType {
    /// `1 Vendor Configuration File`, or `3 Vendor Configuration File <i>` with a row of VendorConfigFile.
    Configuration(Option<u32>),
    /// `2 Vendor Log File`, or `4 Vendor Log File <i>` with a row of VendorLogFile.
    Log(Option<u32>),
    /// `X <OUI> <text>`, written out.
    Vendor(String),
}

impl DownloadType {
    const NAMES: [(Self, &'static str); 6] = [
        (Self::Firmware, "1 Firmware Upgrade Image"),
        (Self::WebContent, "2 Web Content"),
        (Self::Configuration, "3 Vendor Configuration File"),
        (Self::Tone, "4 Tone File"),
        (Self::Ringer, "5 Ringer File"),
        (Self::StoredFirmware, "6 Stored Firmware Image"),
    ];

    /// Reads a FileType; `None` for one that is neither the standard's nor a vendor's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let known = Self::NAMES.iter().find(|(_, name)| *name == text);
        known.map(|(known, _)| known.clone()).or_else(|| vendor(text).map(Self::Vendor))
    }

    /// As on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Vendor(text) => text,
            known => Self::NAMES.iter().find(|(name, _)| name == known).map_or("", |(_, text)| text),
        }
    }
}

impl UploadType {
    /// Reads a FileType; `None` for one that is neither the standard's nor a vendor's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let row = |text: &str| text.parse().ok().filter(|row| *row > 0 && !text.starts_with(['+', '0']));
        match text {
            "1 Vendor Configuration File" => Some(Self::Configuration(None)),
            "2 Vendor Log File" => Some(Self::Log(None)),
            _ => {
                let of = |prefix: &str| text.strip_prefix(prefix).and_then(row);
                let configuration =
                    of("3 Vendor Configuration File ").map(|row| Self::Configuration(Some(row)));
                let log = || of("4 Vendor Log File ").map(|row| Self::Log(Some(row)));
                configuration.or_else(log).or_else(|| vendor(text).map(Self::Vendor))
            }
        }
    }

    /// The type without the row that it may name: what a platform says it can upload.
    #[must_use]
    pub fn kind(&self) -> Self {
        match self {
            Self::Configuration(_) => Self::Configuration(None),
            Self::Log(_) => Self::Log(None),
            Self::Vendor(text) => Self::Vendor(text.clone()),
        }
    }
}

/// `X <OUI> <text>`.
fn vendor(text: &str) -> Option<String> {
    let (oui, rest) = text.strip_prefix("X ")?.split_once(' ')?;
    (!oui.is_empty() && !rest.trim().is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_types_read_as_written() {
        for (known, name) in DownloadType::NAMES {
            assert_eq!(DownloadType::parse(name), Some(known.clone()));
            assert_eq!(known.as_str(), name);
        }
        assert_eq!(DownloadType::parse("X 00D09E Voice").unwrap().as_str(), "X 00D09E Voice");
        for wrong in [
            "",
            "1 firmware upgrade image",
            "1 Firmware Upgrade Image ",
            "7 Anything",
            "X ",
            "X 00D09E ",
            "X a\nb c",
        ] {
            assert_eq!(DownloadType::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_upload_may_name_its_row() {
        assert_eq!(UploadType::parse("1 Vendor Configuration File"), Some(UploadType::Configuration(None)));
        assert_eq!(
            UploadType::parse("3 Vendor Configuration File 2"),
            Some(UploadType::Configuration(Some(2)))
        );
        assert_eq!(UploadType::parse("4 Vendor Log File 12"), Some(UploadType::Log(Some(12))));
        assert_eq!(UploadType::parse("4 Vendor Log File 12").unwrap().kind(), UploadType::Log(None));
        for wrong in [
            "3 Vendor Configuration File",
            "4 Vendor Log File 0",
            "4 Vendor Log File +1",
            "1 Vendor Configuration File 1",
        ] {
            assert_eq!(UploadType::parse(wrong), None, "{wrong}");
        }
    }
}
