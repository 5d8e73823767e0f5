//! A random ACS. It knows the standard and not the agent: from what the box posted it decides what to answer, and it says
//! what its answer means for the session, so that the checker can tell what must follow.

use cwmp_core::{
    fault::{CwmpFault, FaultCode},
    io::Reply,
    rpc::{
        AcsRequest, AcsResponse, AddObject, ChangeDUState, CommandKey, CpeRequest, CwmpVersion, DeleteObject,
        Envelope, GetParameterAttributes, GetParameterNames, GetParameterValues, Header, InformResponse,
        ParameterKey, ParameterValueStruct, Reboot, ScheduleInform, SetParameterValues, ToAcs, ToCpe,
    },
    soap,
    value::ValueType,
};

pub(super) mod transfers;

use self::transfers::Order;
use super::dice::{Dice, Mood};

/// Methods that some of the ACSes of a world have and others do not.
pub(super) const OPTIONAL: [&str; 2] = ["AutonomousTransferComplete", "RequestDownload"];

/// Asks for a diagnostic.
pub(super) const DIAGNOSTICS_STATE: &str = "Device.IP.Diagnostics.IPPing.DiagnosticsState";

/// What the box has posted, as the ACS sees it.
#[derive(Clone, Debug)]
pub(super) enum Posted {
    Empty,
    Message(Box<Envelope<ToAcs>>),
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// InformResponse.
    Accepted,
    /// Fault 8005: the same again.
    Again,
    /// Inform is refused: no session.
    Refused,
    /// Any other request of the box is answered, well or not.
    Answered,
    /// GetRPCMethodsResponse: whether each of [`OPTIONAL`] is listed.
    Methods([bool; 2]),
    /// A call; the box must answer it.
    Call(Asked),
    /// No envelope.
    Nothing,
    /// Nothing that a session can go on with.
    Bad,
}

/// What a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Reboot(String),
    FactoryReset,
    /// With its DelaySeconds and key.
    ScheduleInform(u32, String),
    Transfer(Order),
    /// CancelTransfer with this key.
    Cancel(String),
    /// GetQueuedTransfers or GetAllQueuedTransfers.
    Queue,
    /// Anything else, by its method.
    Other(&'static str),
    /// What must be refused: with this code, or as not understood.
    Faulty(Option<FaultCode>),
}

/// An answer on its way to the box.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) meaning: Meaning,
    /// The ID of the call.
    pub(super) id: Option<String>,
    pub(super) held: bool,
}

impl Answer {
    /// The reply as the network delivers it when it cuts it short.
    pub(super) fn cut(mut self, dice: &mut Dice) -> Self {
        let whole = self.reply.body.len() as u64;
        // What is to be refused for its header may be refused before its end is missed.
        if whole > 40 && self.meaning != Meaning::Call(Asked::Faulty(None)) {
            self.reply.body.truncate(usize::try_from(dice.between(1, whole - 20)).unwrap_or(1));
            self.meaning = Meaning::Bad;
        }
        self
    }
}

/// The ACS within one session.
#[derive(Debug)]
pub(super) struct Acs {
    /// Calls that it still wants to make.
    wishes: u64,
    next_id: u64,
    /// It only ever says 8005 to requests.
    stubborn: bool,
    version: CwmpVersion,
    /// It wants nothing but this.
    storm: Option<Storm>,
    /// Which of [`OPTIONAL`] it has.
    offers: [bool; 2],
    /// It only reads.
    harmless: bool,
}

#[derive(Clone, Copy, Debug)]
enum Storm {
    Reboots,
    Transfers,
}

impl Acs {
    pub(super) fn new(offers: [bool; 2], dice: &mut Dice, mood: &Mood) -> Self {
        let storm = match dice.below(3) {
            0 if mood.reboot_storm => Some(Storm::Reboots),
            0 if mood.transfer_storm => Some(Storm::Transfers),
            _ => None,
        };
        let wishes = match storm {
            Some(Storm::Reboots) => dice.between(55, 75),
            Some(Storm::Transfers) => dice.between(1, 20),
            None => dice.below(5) * dice.below(3),
        };
        let version = match dice.below(6) {
            0 => CwmpVersion::V1_0,
            1 => CwmpVersion::V1_1,
            2 => CwmpVersion::V1_4,
            _ => CwmpVersion::V1_2,
        };
        Self {
            wishes,
            next_id: dice.below(1000),
            stubborn: dice.permille(mood.acs / 8),
            version,
            storm,
            offers,
            harmless: false,
        }
    }

    /// An ACS that does everything right and wants little.
    pub(super) fn calm(offers: [bool; 2]) -> Self {
        Self {
            wishes: 1,
            next_id: 1,
            stubborn: false,
            version: CwmpVersion::V1_2,
            storm: None,
            offers,
            harmless: true,
        }
    }

    pub(super) fn answer(&mut self, posted: &Posted, dice: &mut Dice, mood: &Mood) -> Answer {
        if dice.permille(mood.acs / 2) {
            return self.nonsense(posted, dice);
        }
        match posted {
            Posted::Message(envelope) => match &envelope.message {
                ToAcs::Request(request) => self.to_request(request, envelope, dice, mood),
                _ => self.next_call(dice, mood),
            },
            Posted::Empty => self.next_call(dice, mood),
        }
    }

    fn to_request(
        &self,
        request: &AcsRequest,
        theirs: &Envelope<ToAcs>,
        dice: &mut Dice,
        mood: &Mood,
    ) -> Answer {
        let held = dice.permille(mood.acs / 2);
        let with_id = if dice.permille(100) { None } else { theirs.header.id.clone() };
        let mut header = Header { id: with_id, hold_requests: held, ..Header::default() };
        let inform = matches!(request, AcsRequest::Inform(_));
        if self.stubborn || dice.permille(mood.acs / 4) {
            return self.envelope(header, refusal(8005), Meaning::Again);
        }
        if dice.permille(mood.acs / 4) {
            let code = match dice.below(3) {
                0 => 8000,
                1 => 8002,
                _ => 8006,
            };
            let meaning = if inform { Meaning::Refused } else { Meaning::Answered };
            return self.envelope(header, refusal(code), meaning);
        }
        let (response, meaning) = match request {
            AcsRequest::Inform(_) => {
                (AcsResponse::Inform(InformResponse { max_envelopes: 1 }), Meaning::Accepted)
            }
            AcsRequest::TransferComplete(_) => (AcsResponse::TransferComplete, Meaning::Answered),
            AcsRequest::AutonomousTransferComplete(_) => {
                (AcsResponse::AutonomousTransferComplete, Meaning::Answered)
            }
            AcsRequest::RequestDownload(_) => (AcsResponse::RequestDownload, Meaning::Answered),
            _ => {
                let optional = OPTIONAL.iter().zip(self.offers).filter(|(_, has)| *has);
                let always = ["Inform", "GetRPCMethods", "TransferComplete"];
                let methods = always.into_iter().chain(optional.map(|(name, _)| *name));
                let methods = methods.map(str::to_owned).collect();
                (AcsResponse::GetRPCMethods(methods), Meaning::Methods(self.offers))
            }
        };
        if inform && self.version >= CwmpVersion::V1_2 && dice.permille(200) {
            header.use_cwmp_version = Some(CwmpVersion::V1_4);
        }
        let mut answer = self.envelope(header, ToCpe::Response(response), meaning);
        if dice.permille(mood.acs / 16) {
            demand(&mut answer, dice);
        }
        answer
    }

    fn next_call(&mut self, dice: &mut Dice, mood: &Mood) -> Answer {
        if self.wishes == 0 {
            return nothing(dice);
        }
        self.wishes -= 1;
        self.next_id += 1;
        let id = (!dice.permille(50)).then(|| format!("acs {} &<>", self.next_id));
        let header = Header { id, hold_requests: dice.permille(mood.acs), ..Header::default() };
        let (request, asked) = match self.storm {
            Some(Storm::Reboots) => self.reboot(dice),
            Some(Storm::Transfers) => transfers::order(dice),
            None => self.call(dice),
        };
        let id = header.id.clone();
        let mut answer = self.envelope(header, ToCpe::Request(request), Meaning::Call(asked));
        answer.id = id;
        match dice.below(40) {
            0 if !self.harmless => rename(&mut answer, dice),
            1 if !self.harmless => demand(&mut answer, dice),
            _ => {}
        }
        answer
    }

    fn reboot(&self, dice: &mut Dice) -> (CpeRequest, Asked) {
        let key = match dice.below(8) {
            0 => String::new(),
            1 => "12345678901234567890123456789012".to_owned(),
            2 => "<k&\"y> \u{e9}".to_owned(),
            _ => format!("k{}", dice.below(1_000_000)),
        };
        let command_key = CommandKey::new(key.clone()).unwrap_or_default();
        (CpeRequest::Reboot(Reboot { command_key }), Asked::Reboot(key))
    }

    fn call(&self, dice: &mut Dice) -> (CpeRequest, Asked) {
        let path = || "Device.DeviceInfo.".to_owned();
        let request = match dice.below(if self.harmless { 9 } else { 40 }) {
            0..3 => CpeRequest::GetRPCMethods,
            3..6 => CpeRequest::GetParameterValues(GetParameterValues { names: vec![path()] }),
            6..8 => CpeRequest::GetParameterNames(GetParameterNames { path: path(), next_level: true }),
            8 => CpeRequest::GetParameterAttributes(GetParameterAttributes { names: vec![path()] }),
            9..14 => return (set(dice), Asked::Other("SetParameterValues")),
            14 => {
                let object_name = "Device.NAT.PortMapping.".to_owned();
                CpeRequest::AddObject(AddObject { object_name, parameter_key: ParameterKey::default() })
            }
            15 => {
                let object_name = "Device.NAT.PortMapping.1.".to_owned();
                CpeRequest::DeleteObject(DeleteObject { object_name, parameter_key: ParameterKey::default() })
            }
            16 => {
                let call = ChangeDUState { operations: Vec::new(), command_key: CommandKey::default() };
                let refused = Asked::Faulty(Some(FaultCode::METHOD_NOT_SUPPORTED));
                return (CpeRequest::ChangeDUState(call), refused);
            }
            17 => return (CpeRequest::FactoryReset, Asked::FactoryReset),
            18..21 => return schedule(dice),
            21..28 => return transfers::order(dice),
            28 | 29 => return transfers::cancel(dice),
            30 => return (CpeRequest::GetQueuedTransfers, Asked::Queue),
            31 => return (CpeRequest::GetAllQueuedTransfers, Asked::Queue),
            32 => return transfers::wrong_order(dice),
            _ => return self.reboot(dice),
        };
        let method = request.method();
        (request, Asked::Other(method))
    }

    /// Answers that no session survives.
    fn nonsense(&self, posted: &Posted, dice: &mut Dice) -> Answer {
        let request = matches!(
            posted,
            Posted::Message(envelope) if matches!(envelope.message, ToAcs::Request(_))
        );
        match dice.below(8) {
            0 => raw(200, b"<html>Please log in</html>".to_vec(), Meaning::Bad),
            1 => raw(200, b"\xff\xfe\0garbage".to_vec(), Meaning::Bad),
            2 => {
                let retry_after = Some(match dice.below(3) {
                    0 => 7,
                    1 => 600,
                    _ => 10_000_000,
                });
                let mut answer = raw(503, Vec::new(), Meaning::Bad);
                answer.reply.retry_after = retry_after;
                answer
            }
            3 => raw(500, b"oops".to_vec(), Meaning::Bad),
            4 if request => raw(200, Vec::new(), Meaning::Nothing),
            5 if request => {
                let header = Header { id: Some("not yours".to_owned()), ..Header::default() };
                let response = AcsResponse::Inform(InformResponse { max_envelopes: 1 });
                self.envelope(header, ToCpe::Response(response), Meaning::Bad)
            }
            6 if request => {
                self.envelope(Header::default(), ToCpe::Request(CpeRequest::GetRPCMethods), Meaning::Bad)
            }
            6 => {
                let response = AcsResponse::Inform(InformResponse { max_envelopes: 1 });
                self.envelope(Header::default(), ToCpe::Response(response), Meaning::Bad)
            }
            _ => raw(404, Vec::new(), Meaning::Bad),
        }
    }

    fn envelope(&self, header: Header, message: ToCpe, meaning: Meaning) -> Answer {
        let held = header.hold_requests;
        let body = soap::encode_to_cpe(&Envelope { version: self.version, header, message });
        Answer { held, ..raw(200, body, meaning) }
    }
}

fn raw(status: u16, body: Vec<u8>, meaning: Meaning) -> Answer {
    Answer { reply: Reply { status, retry_after: None, body }, meaning, id: None, held: false }
}

fn nothing(dice: &mut Dice) -> Answer {
    raw(if dice.below(2) == 0 { 200 } else { 204 }, Vec::new(), Meaning::Nothing)
}

fn refusal(code: u32) -> ToCpe {
    ToCpe::Fault(CwmpFault::new(FaultCode(code), "not now").into())
}

/// Makes a call one of a method that nobody knows.
fn rename(answer: &mut Answer, dice: &mut Dice) {
    let text = String::from_utf8_lossy(&answer.reply.body).into_owned();
    let Some((_, body)) = text.split_once("<soap-env:Body>") else { return };
    let Some(name) = body.strip_prefix("<cwmp:").and_then(|rest| rest.split(['>', '/', ' ']).next()) else {
        return;
    };
    let strange = if dice.below(2) == 0 { "X_00D09E_Dance" } else { "FactoryReboot" };
    let text = text.replace(&format!("cwmp:{name}"), &format!("cwmp:{strange}"));
    answer.reply.body = text.into_bytes();
    answer.meaning = Meaning::Call(Asked::Faulty(Some(FaultCode::METHOD_NOT_SUPPORTED)));
}

/// Adds a header that must be understood and is not.
fn demand(answer: &mut Answer, dice: &mut Dice) {
    let name = if dice.below(2) == 0 { "Loyalty" } else { "Encryption" };
    let block = format!("<x:{name} xmlns:x=\"urn:x\" soap-env:mustUnderstand=\"1\">1</x:{name}>");
    let text = String::from_utf8_lossy(&answer.reply.body).into_owned();
    let with = if text.contains("</soap-env:Header>") {
        text.replace("</soap-env:Header>", &format!("{block}</soap-env:Header>"))
    } else {
        text.replace("<soap-env:Body>", &format!("<soap-env:Header>{block}</soap-env:Header><soap-env:Body>"))
    };
    answer.reply.body = with.into_bytes();
    answer.held = false;
    answer.meaning = match answer.meaning {
        Meaning::Call(_) => Meaning::Call(Asked::Faulty(None)),
        _ => Meaning::Bad,
    };
}

/// ScheduleInform, at times with a delay that must be refused or that nobody lives to see.
fn schedule(dice: &mut Dice) -> (CpeRequest, Asked) {
    let delay_seconds = match dice.below(8) {
        0 => 0,
        1 => u32::MAX,
        2 | 3 => 1,
        4 | 5 => 60,
        _ => 3600,
    };
    let key = format!("s<{}>", dice.below(1_000_000_000));
    let command_key = CommandKey::new(key.clone()).unwrap_or_default();
    let asked = match delay_seconds {
        0 => Asked::Faulty(Some(FaultCode::INVALID_ARGUMENTS)),
        _ => Asked::ScheduleInform(delay_seconds, key),
    };
    (CpeRequest::ScheduleInform(ScheduleInform { delay_seconds, command_key }), asked)
}

/// SetParameterValues of the parameters that steer the agent, or of some other one.
fn set(dice: &mut Dice) -> CpeRequest {
    if dice.below(4) == 0 {
        return set_parameter(transfer_setting(dice));
    }
    let (name, value) = match dice.below(8) {
        0 | 1 => ("URL", super::world::url(dice.below(3)).to_owned()),
        2 => {
            let seconds = match dice.below(3) {
                0 => 60,
                1 => 3600,
                _ => 86_400,
            };
            ("PeriodicInformInterval", seconds.to_string())
        }
        3 => ("PeriodicInformEnable", if dice.below(3) == 0 { "0" } else { "1" }.to_owned()),
        4 => {
            let unknown = dice.below(2) == 0;
            let time = if unknown { "0001-01-01T00:00:00Z" } else { "2024-02-29T03:04:05Z" };
            ("PeriodicInformTime", time.to_owned())
        }
        5 => ("CWMPRetryMinimumWaitInterval", dice.between(1, 100).to_string()),
        6 => ("CWMPRetryIntervalMultiplier", dice.between(1000, 4000).to_string()),
        _ => ("X_CWMPD_Note", "x".to_owned()),
    };
    set_parameter((format!("Device.ManagementServer.{name}"), value))
}

/// A parameter that has to do with what the box does between sessions.
fn transfer_setting(dice: &mut Dice) -> (String, String) {
    let coin = dice.below(2) == 0;
    let (name, value) = match dice.below(6) {
        0 | 1 => return (DIAGNOSTICS_STATE.to_owned(), if coin { "Requested" } else { "None" }.to_owned()),
        2 => ("AutonomousTransferCompletePolicy.Enable", if coin { "1" } else { "0" }),
        3 => ("AutonomousTransferCompletePolicy.TransferTypeFilter", if coin { "Upload" } else { "Both" }),
        4 => ("AutonomousTransferCompletePolicy.ResultTypeFilter", if coin { "Success" } else { "Both" }),
        _ => ("LightweightNotificationProtocolsUsed", if coin { "UDP" } else { "" }),
    };
    (format!("Device.ManagementServer.{name}"), value.to_owned())
}

fn set_parameter((name, value): (String, String)) -> CpeRequest {
    CpeRequest::SetParameterValues(SetParameterValues {
        parameters: vec![ParameterValueStruct { name, value_type: Some(ValueType::String), value }],
        parameter_key: ParameterKey::default(),
    })
}
