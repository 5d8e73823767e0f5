//! Events and what becomes of them until the ACS has answered for them (TR-069a6 3.7.1.5).

use serde::{Deserialize, Serialize};

use crate::{limits, rpc::CommandKey};

/// An event code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventCode {
    /// `0 BOOTSTRAP`
    Bootstrap,
    /// `1 BOOT`
    Boot,
    /// `2 PERIODIC`
    Periodic,
    /// `3 SCHEDULED`
    Scheduled,
    /// `4 VALUE CHANGE`
    ValueChange,
    /// `5 KICKED`
    Kicked,
    /// `6 CONNECTION REQUEST`
    ConnectionRequest,
    /// `7 TRANSFER COMPLETE`
    TransferComplete,
    /// `8 DIAGNOSTICS COMPLETE`
    DiagnosticsComplete,
    /// `9 REQUEST DOWNLOAD`
    RequestDownload,
    /// `10 AUTONOMOUS TRANSFER COMPLETE`
    AutonomousTransferComplete,
    /// `11 DU STATE CHANGE COMPLETE`
    DuStateChangeComplete,
    /// `12 AUTONOMOUS DU STATE CHANGE COMPLETE`
    AutonomousDuStateChangeComplete,
    /// `13 WAKEUP`
    Wakeup,
    /// `14 HEARTBEAT`
    Heartbeat,
    /// `M Reboot`
    MReboot,
    /// `M ScheduleInform`
    MScheduleInform,
    /// `M Download`
    MDownload,
    /// `M ScheduleDownload`
    MScheduleDownload,
    /// `M Upload`
    MUpload,
    /// `M ChangeDUState`
    MChangeDuState,
    /// Any other code: a vendor's `X ...` or `M X_...`, or what a peer sent.
    Other(String),
}

/// What an undelivered event survives (the delivery column of TR-069a6 3.7.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// Kept until delivered, across reboots and power cuts.
    Keep,
    /// Kept until delivered or the next boot.
    UntilBoot,
    /// Dropped when its session fails.
    Once,
}

const CODES: [(EventCode, &str); 21] = [
    (EventCode::Bootstrap, "0 BOOTSTRAP"),
    (EventCode::Boot, "1 BOOT"),
    (EventCode::Periodic, "2 PERIODIC"),
    (EventCode::Scheduled, "3 SCHEDULED"),
    (EventCode::ValueChange, "4 VALUE CHANGE"),
    (EventCode::Kicked, "5 KICKED"),
    (EventCode::ConnectionRequest, "6 CONNECTION REQUEST"),
    (EventCode::TransferComplete, "7 TRANSFER COMPLETE"),
    (EventCode::DiagnosticsComplete, "8 DIAGNOSTICS COMPLETE"),
    (EventCode::RequestDownload, "9 REQUEST DOWNLOAD"),
    (EventCode::AutonomousTransferComplete, "10 AUTONOMOUS TRANSFER COMPLETE"),
    (EventCode::DuStateChangeComplete, "11 DU STATE CHANGE COMPLETE"),
    (EventCode::AutonomousDuStateChangeComplete, "12 AUTONOMOUS DU STATE CHANGE COMPLETE"),
    (EventCode::Wakeup, "13 WAKEUP"),
    (EventCode::Heartbeat, "14 HEARTBEAT"),
    (EventCode::MReboot, "M Reboot"),
    (EventCode::MScheduleInform, "M ScheduleInform"),
    (EventCode::MDownload, "M Download"),
    (EventCode::MScheduleDownload, "M ScheduleDownload"),
    (EventCode::MUpload, "M Upload"),
    (EventCode::MChangeDuState, "M ChangeDUState"),
];

impl EventCode {
    /// The code on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            EventCode::Other(text) => text,
            known => CODES.iter().find(|(code, _)| code == known).map_or("", |(_, text)| text),
        }
    }

    /// Reads a code; one that the standard does not list becomes [`EventCode::Other`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let known = CODES.iter().find(|(_, known)| *known == text);
        known.map_or_else(|| EventCode::Other(text.to_owned()), |(code, _)| code.clone())
    }

    /// Whether it is listed once for each occurrence, with its CommandKey (`M ...`), rather than once in all.
    #[must_use]
    pub fn is_multiple(&self) -> bool {
        self.as_str().starts_with("M ")
    }

    /// Whether a vendor may raise it: `X <vendor> <text>` or `M X_<method>`, of at most 64 characters (cwmp-1-2.xsd).
    #[must_use]
    pub fn is_vendor(&self) -> bool {
        let EventCode::Other(text) = self else { return false };
        let method = |rest: &str| !rest.is_empty() && !rest.contains(char::is_whitespace);
        let form = match (text.strip_prefix("X "), text.strip_prefix("M X_")) {
            (Some(rest), _) => {
                rest.split_once(' ').is_some_and(|(vendor, text)| method(vendor) && !text.trim().is_empty())
            }
            (_, Some(rest)) => method(rest),
            _ => false,
        };
        form && text.chars().count() <= limits::EVENT_CODE && !text.contains(char::is_control)
    }

    /// Place in an Inform's list: standard codes in their order, others behind.
    pub(crate) fn rank(&self) -> usize {
        CODES.iter().position(|(code, _)| code == self).unwrap_or(CODES.len())
    }

    /// What it survives while undelivered.
    ///
    /// `14 HEARTBEAT` says that the box is alive now. Reported later it would say nothing that the retried Inform does not
    /// say itself, and the next one comes on its grid: it is not retried. `13 WAKEUP` and the codes of vendors are kept, for
    /// nobody has said that they may be lost.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match self {
            EventCode::Boot | EventCode::ValueChange | EventCode::DiagnosticsComplete => Delivery::UntilBoot,
            EventCode::ConnectionRequest
            | EventCode::Kicked
            | EventCode::RequestDownload
            | EventCode::Heartbeat => Delivery::Once,
            _ => Delivery::Keep,
        }
    }
}

/// One entry of an Inform's event list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventStruct {
    /// EventCode.
    pub code: EventCode,
    /// CommandKey of the call that caused it; empty for events that carry none.
    pub command_key: CommandKey,
}

impl EventStruct {
    /// An event without a CommandKey.
    #[must_use]
    pub fn new(code: EventCode) -> Self {
        Self { code, command_key: CommandKey::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_as_written() {
        for (code, text) in CODES {
            assert_eq!(EventCode::parse(text), code);
            assert_eq!(code.as_str(), text);
        }
        assert_eq!(EventCode::parse("X 00D09E x").as_str(), "X 00D09E x");
        assert!(EventCode::parse("M X_CWMPD_Go").is_multiple());
    }

    /// 3.30
    #[test]
    fn vendor_codes_have_one_of_two_forms() {
        for code in ["X 00D09E something", "X CWMPD a b c", "M X_CWMPD_Go"] {
            assert!(EventCode::parse(code).is_vendor(), "{code}");
        }
        let long = format!("X CWMPD {}", "x".repeat(57));
        let wrong = [
            "",
            "X ",
            "X CWMPD",
            "X CWMPD ",
            "X  text",
            "M X_",
            "M X_a b",
            "M Own",
            "X_CWMPD",
            "1 BOOT",
            "X CWMPD a\nb",
            &long,
        ];
        for code in wrong {
            assert!(!EventCode::parse(code).is_vendor(), "{code}");
        }
        let longest = format!("X CWMPD {}", "x".repeat(56));
        assert!(EventCode::parse(&longest).is_vendor(), "64 characters");
    }

    /// Appendix 2 of the conformance list: what each code survives.
    #[test]
    fn each_code_survives_what_the_standard_says() {
        let of = |delivery: Delivery| -> Vec<&str> {
            CODES.iter().filter(|(code, _)| code.delivery() == delivery).map(|(_, text)| *text).collect()
        };
        assert_eq!(of(Delivery::UntilBoot), ["1 BOOT", "4 VALUE CHANGE", "8 DIAGNOSTICS COMPLETE"]);
        assert_eq!(
            of(Delivery::Once),
            ["5 KICKED", "6 CONNECTION REQUEST", "9 REQUEST DOWNLOAD", "14 HEARTBEAT"]
        );
        assert_eq!(of(Delivery::Keep).len(), CODES.len() - 7);
        assert_eq!(EventCode::Other("X CWMPD x".into()).delivery(), Delivery::Keep);
    }
}
