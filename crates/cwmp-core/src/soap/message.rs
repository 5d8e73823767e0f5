//! Which message has which arguments: one table for each of the four enums, read in both directions.

use crate::rpc::{AcsRequest, AcsResponse, CpeRequest, CpeResponse};

use super::{
    reader::{Reader, Trouble},
    wire::{Wire, read_only},
    writer::{Sink, close, open},
};

/// The messages of one kind: calls or answers, of one side.
pub(super) trait Messages: Sized {
    /// Reads the content of the current element, a message of the method `name`; `None` where there is no such method.
    fn read(name: &str, reader: &mut Reader<'_>) -> Result<Option<Self>, Trouble>;
    /// Writes the message.
    fn write(&self, out: &mut dyn Sink);
}

/// A table of messages: `Name` has no arguments, `Name(..)` is a structure, `Name("Argument")` has that one argument.
macro_rules! messages {
    ($kind:ident $suffix:literal { $($name:ident $(($($argument:tt)+))?),* $(,)? }) => {
        impl Messages for $kind {
            fn read(name: &str, reader: &mut Reader<'_>) -> Result<Option<Self>, Trouble> {
                Ok(Some(match name {
                    $(stringify!($name) => messages!(@read reader $kind $name $($($argument)+)?),)*
                    _ => return Ok(None),
                }))
            }

            fn write(&self, out: &mut dyn Sink) {
                match self {
                    $(messages!(@pattern message $kind $name $($($argument)+)?) => {
                        messages!(@write message (concat!("cwmp:", stringify!($name), $suffix)) out $($($argument)+)?)
                    })*
                }
            }
        }
    };
    (@read $reader:ident $kind:ident $name:ident) => {{ <()>::read($reader, 0)?; $kind::$name }};
    (@read $reader:ident $kind:ident $name:ident ..) => { $kind::$name(Wire::read($reader, usize::MAX)?) };
    (@read $reader:ident $kind:ident $name:ident $argument:literal) => {
        $kind::$name(read_only($reader, $argument, usize::MAX)?)
    };
    (@pattern $message:ident $kind:ident $name:ident) => { $kind::$name };
    (@pattern $message:ident $kind:ident $name:ident $($argument:tt)+) => { $kind::$name($message) };
    (@write $message:ident ($element:expr) $out:ident) => { ().write($element, $out) };
    (@write $message:ident ($element:expr) $out:ident ..) => { $message.write($element, $out) };
    (@write $message:ident ($element:expr) $out:ident $argument:literal) => {{
        open($element, $out);
        $message.write($argument, $out);
        close($element, $out);
    }};
}

messages! { CpeRequest "" {
    GetRPCMethods,
    SetParameterValues(..),
    GetParameterValues(..),
    GetParameterNames(..),
    SetParameterAttributes(..),
    GetParameterAttributes(..),
    AddObject(..),
    DeleteObject(..),
    Download(..),
    Reboot(..),
    GetQueuedTransfers,
    ScheduleInform(..),
    SetVouchers(..),
    GetOptions(..),
    Upload(..),
    FactoryReset,
    GetAllQueuedTransfers,
    ScheduleDownload(..),
    CancelTransfer(..),
    ChangeDUState(..),
} }

messages! { CpeResponse "Response" {
    GetRPCMethods("MethodList"),
    SetParameterValues("Status"),
    GetParameterValues("ParameterList"),
    GetParameterNames("ParameterList"),
    SetParameterAttributes,
    GetParameterAttributes("ParameterList"),
    AddObject(..),
    DeleteObject("Status"),
    Download(..),
    Reboot,
    GetQueuedTransfers("TransferList"),
    ScheduleInform,
    SetVouchers,
    GetOptions("OptionList"),
    Upload(..),
    FactoryReset,
    GetAllQueuedTransfers("TransferList"),
    ScheduleDownload,
    CancelTransfer,
    ChangeDUState,
} }

messages! { AcsRequest "" {
    GetRPCMethods,
    Inform(..),
    TransferComplete(..),
    AutonomousTransferComplete(..),
    DUStateChangeComplete(..),
    AutonomousDUStateChangeComplete(..),
    RequestDownload(..),
    Kicked(..),
} }

messages! { AcsResponse "Response" {
    GetRPCMethods("MethodList"),
    Inform(..),
    TransferComplete,
    AutonomousTransferComplete,
    DUStateChangeComplete,
    AutonomousDUStateChangeComplete,
    RequestDownload,
    Kicked(..),
} }
