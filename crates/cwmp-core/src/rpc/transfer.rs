//! File transfers (TR-069a6 A.3.2.8, A.3.3.2, A.3.3.3, A.4.1.1, A.4.1.5, A.4.1.7 to A.4.1.9, A.4.2.2).

use serde::{Deserialize, Serialize};

use super::CommandKey;
use crate::{datetime::DateTime, fault::FaultCode};

/// Download (A.3.2.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// CommandKey.
    pub command_key: CommandKey,
    /// FileType, such as `1 Firmware Upgrade Image` (64 characters).
    pub file_type: String,
    /// URL (256 characters).
    pub url: String,
    /// Username for the file server (256 characters).
    pub username: String,
    /// Password for the file server (256 characters).
    pub password: String,
    /// FileSize in bytes; 0 when unknown, and not to be relied on.
    pub file_size: u32,
    /// TargetFileName (256 characters).
    pub target_file_name: String,
    /// DelaySeconds from receipt.
    pub delay_seconds: u32,
    /// SuccessURL (256 characters).
    pub success_url: String,
    /// FailureURL (256 characters).
    pub failure_url: String,
}

/// Upload (A.4.1.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// CommandKey.
    pub command_key: CommandKey,
    /// FileType, such as `3 Vendor Configuration File 1` (64 characters).
    pub file_type: String,
    /// URL (256 characters).
    pub url: String,
    /// Username for the file server (256 characters).
    pub username: String,
    /// Password for the file server (256 characters).
    pub password: String,
    /// DelaySeconds from receipt.
    pub delay_seconds: u32,
}

/// DownloadResponse and UploadResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferResponse {
    /// Status 0: done, with its times.
    Done {
        /// StartTime.
        start: DateTime,
        /// CompleteTime.
        complete: DateTime,
    },
    /// Status 1: accepted; TransferComplete tells the outcome. Both times are Unknown Time.
    Later,
}

/// ScheduleDownload (A.4.1.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleDownload {
    /// CommandKey.
    pub command_key: CommandKey,
    /// FileType (64 characters).
    pub file_type: String,
    /// URL (256 characters).
    pub url: String,
    /// Username (256 characters).
    pub username: String,
    /// Password (256 characters).
    pub password: String,
    /// FileSize in bytes; 0 when unknown.
    pub file_size: u32,
    /// TargetFileName (256 characters).
    pub target_file_name: String,
    /// TimeWindowList: one or two.
    pub time_windows: Vec<TimeWindowStruct>,
}

/// TimeWindowStruct (A.4.1.8): when a scheduled download may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeWindowStruct {
    /// WindowStart in seconds from receipt.
    pub window_start: u32,
    /// WindowEnd in seconds from receipt.
    pub window_end: u32,
    /// WindowMode, such as `1 At Any Time` (64 characters).
    pub window_mode: String,
    /// UserMessage (256 characters).
    pub user_message: String,
    /// MaxRetries: -1 leaves the number to the CPE.
    pub max_retries: i32,
}

/// CancelTransfer (A.4.1.9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelTransfer {
    /// CommandKey of what is to be cancelled.
    pub command_key: CommandKey,
}

/// State of a queued transfer (A.4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferState {
    /// 1: not yet started.
    NotYetStarted,
    /// 2: in progress.
    InProgress,
    /// 3: completed, finishing cleanup; the outcome is not yet reported.
    Completed,
}

/// QueuedTransferStruct (A.4.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedTransferStruct {
    /// CommandKey.
    pub command_key: CommandKey,
    /// State.
    pub state: TransferState,
}

/// AllQueuedTransferStruct (A.4.1.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllQueuedTransferStruct {
    /// CommandKey.
    pub command_key: CommandKey,
    /// State.
    pub state: TransferState,
    /// IsDownload.
    pub is_download: bool,
    /// FileType.
    pub file_type: String,
    /// FileSize in bytes; 0 when unknown.
    pub file_size: u32,
    /// TargetFileName.
    pub target_file_name: String,
}

/// FaultStruct: the outcome of a transfer or operation; code 0 and no text for success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultStruct {
    /// FaultCode; 0 for success.
    pub code: FaultCode,
    /// FaultString (256 characters).
    pub text: String,
}

impl FaultStruct {
    /// No fault.
    #[must_use]
    pub fn success() -> Self {
        Self { code: FaultCode(0), text: String::new() }
    }
}

/// TransferComplete (A.3.3.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferComplete {
    /// CommandKey of the transfer.
    pub command_key: CommandKey,
    /// FaultStruct.
    pub fault: FaultStruct,
    /// StartTime; Unknown Time when it never started.
    pub start_time: DateTime,
    /// CompleteTime; Unknown Time when it never completed.
    pub complete_time: DateTime,
}

/// AutonomousTransferComplete (A.3.3.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutonomousTransferComplete {
    /// AnnounceURL (1024 characters).
    pub announce_url: String,
    /// TransferURL (1024 characters).
    pub transfer_url: String,
    /// IsDownload.
    pub is_download: bool,
    /// FileType (64 characters).
    pub file_type: String,
    /// FileSize in bytes; 0 when unknown.
    pub file_size: u32,
    /// TargetFileName (256 characters).
    pub target_file_name: String,
    /// FaultStruct.
    pub fault: FaultStruct,
    /// StartTime.
    pub start_time: DateTime,
    /// CompleteTime.
    pub complete_time: DateTime,
}

/// RequestDownload (A.4.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestDownload {
    /// FileType (64 characters).
    pub file_type: String,
    /// FileTypeArg: name and value pairs.
    pub args: Vec<ArgStruct>,
}

/// ArgStruct (A.4.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgStruct {
    /// Name (64 characters).
    pub name: String,
    /// Value (256 characters).
    pub value: String,
}
