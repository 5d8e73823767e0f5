//! File transfers (TR-069a6 A.3.2.8, A.3.3.2, A.3.3.3, A.4.1.1, A.4.1.5, A.4.1.7 to A.4.1.9, A.4.2.2).

use crate::{
    datetime::DateTime,
    rpc::{
        AllQueuedTransferStruct, ArgStruct, AutonomousTransferComplete, CancelTransfer, Download,
        FaultStruct, QueuedTransferStruct, RequestDownload, ScheduleDownload, Status, TimeWindowStruct,
        TransferComplete, TransferResponse, TransferState, Upload,
    },
};

use super::{
    reader::{Reader, Trouble},
    wire::{Entry, Field, Wire, choice, filled, read_fields, record},
    writer::{Sink, close, leaf, open},
};

/// Most characters of a FaultString in a FaultStruct. A longer one is cut when it is written: the code matters more than
/// the end of the sentence.
const FAULT_STRING: usize = 256;

record!(Download {
    command_key: "CommandKey",
    file_type: "FileType"[64],
    url: "URL"[256],
    username: "Username"[256],
    password: "Password"[256],
    file_size: "FileSize",
    target_file_name: "TargetFileName"[256],
    delay_seconds: "DelaySeconds",
    success_url: "SuccessURL"[256],
    failure_url: "FailureURL"[256],
});
record!(Upload {
    command_key: "CommandKey",
    file_type: "FileType"[64],
    url: "URL"[256],
    username: "Username"[256],
    password: "Password"[256],
    delay_seconds: "DelaySeconds",
});
record!(ScheduleDownload {
    command_key: "CommandKey",
    file_type: "FileType"[64],
    url: "URL"[256],
    username: "Username"[256],
    password: "Password"[256],
    file_size: "FileSize",
    target_file_name: "TargetFileName"[256],
    time_windows: "TimeWindowList",
});
record!(TimeWindowStruct {
    window_start: "WindowStart",
    window_end: "WindowEnd",
    window_mode: "WindowMode"[64],
    user_message: "UserMessage"[256],
    max_retries: "MaxRetries",
});
record!(CancelTransfer { command_key: "CommandKey" });
record!(QueuedTransferStruct { command_key: "CommandKey", state: "State" });
record!(AllQueuedTransferStruct {
    command_key: "CommandKey",
    state: "State",
    is_download: "IsDownload",
    file_type: "FileType"[64],
    file_size: "FileSize",
    target_file_name: "TargetFileName"[256],
});
record!(TransferComplete {
    command_key: "CommandKey",
    fault: "FaultStruct",
    start_time: "StartTime",
    complete_time: "CompleteTime",
});
record!(AutonomousTransferComplete {
    announce_url: "AnnounceURL"[1024],
    transfer_url: "TransferURL"[1024],
    is_download: "IsDownload",
    file_type: "FileType"[64],
    file_size: "FileSize",
    target_file_name: "TargetFileName"[256],
    fault: "FaultStruct",
    start_time: "StartTime",
    complete_time: "CompleteTime",
});
record!(RequestDownload { file_type: "FileType"[64], args: "FileTypeArg" });
record!(ArgStruct { name: "Name"[64], value: "Value"[256] });
choice!(TransferState { NotYetStarted = "1", InProgress = "2", Completed = "3" });

impl Entry for TimeWindowStruct {
    const ELEMENT: &'static str = "TimeWindowStruct";
    const TYPE: &'static str = "cwmp:TimeWindowStruct";
    const LEAST: usize = 1;
    const MOST: usize = 2;
}

impl Entry for QueuedTransferStruct {
    const ELEMENT: &'static str = "QueuedTransferStruct";
    const TYPE: &'static str = "cwmp:QueuedTransferStruct";
}

impl Entry for AllQueuedTransferStruct {
    const ELEMENT: &'static str = "AllQueuedTransferStruct";
    const TYPE: &'static str = "cwmp:AllQueuedTransferStruct";
}

impl Entry for ArgStruct {
    const ELEMENT: &'static str = "ArgStruct";
    const TYPE: &'static str = "cwmp:ArgStruct";
    const MOST: usize = 16;
}

impl Wire for FaultStruct {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let (mut code, mut text) = (None, None);
        let fields =
            &mut [Field::required("FaultCode", &mut code), Field::optional("FaultString", &mut text)];
        read_fields(reader, fields)?;
        Ok(Self { code: filled(code)?, text: text.unwrap_or_default() })
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        open(name, out);
        self.code.write("FaultCode", out);
        let end = self.text.char_indices().nth(FAULT_STRING).map_or(self.text.len(), |(at, _)| at);
        leaf("FaultString", self.text.get(..end).unwrap_or_default(), out);
        close(name, out);
    }
}

impl Wire for TransferResponse {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        let (mut status, mut start, mut complete) = (None, None, None);
        let fields = &mut [
            Field::required("Status", &mut status),
            Field::required("StartTime", &mut start),
            Field::required("CompleteTime", &mut complete),
        ];
        read_fields(reader, fields)?;
        let (start, complete) = (filled(start)?, filled(complete)?);
        Ok(match filled(status)? {
            Status::Applied => Self::Done { start, complete },
            Status::Committed => Self::Later,
        })
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        let (status, start, complete) = match *self {
            Self::Done { start, complete } => (Status::Applied, start, complete),
            Self::Later => (Status::Committed, DateTime::Unknown, DateTime::Unknown),
        };
        open(name, out);
        status.write("Status", out);
        start.write("StartTime", out);
        complete.write("CompleteTime", out);
        close(name, out);
    }
}
