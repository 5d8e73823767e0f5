//! The ACS: in each session it compares what the box has with its book, then goes on with the calls of the scenario.

use std::collections::{BTreeMap, VecDeque};

use cwmp_core::{
    io::Reply,
    rpc::{
        AcsRequest, AcsResponse, AddObject, CancelTransfer, CommandKey, CpeRequest, CpeResponse, CwmpVersion,
        DeleteObject, Download, Envelope, GetParameterAttributes, GetParameterValues, Header, Inform,
        InformResponse, ParameterKey, ParameterValueStruct, Reboot, ScheduleDownload, ScheduleInform,
        SetParameterAttributes, SetParameterAttributesStruct, SetParameterValues, Status, TimeWindowStruct,
        ToAcs, ToCpe, Upload,
    },
    soap,
};

use super::{
    book::{Book, Renewal},
    device::{Device, HOST},
    expected::{Expected, READ, ROWS, URL, WATCHED},
    plan::{File, Plan, Step},
    promise::{Kind, Owed},
};

/// Seconds until a cancelled download would have begun.
const FAR_AHEAD: u32 = 86_400;
/// Where all files are; the key is the last part.
const FILES: &str = "http://files.example/";

/// What the ACS waits for.
enum Asked {
    Values,
    Attributes,
    Hosts,
    /// A call that changes the tree.
    Change,
    /// AddObject, which must give this number.
    Add(u32),
    /// A call that promises something.
    Promise,
    /// CancelTransfer of the download with this key.
    Cancel(String),
}

/// What the ACS has answered last: once the next message comes, it knows that the box has heard it.
enum Unheard {
    Inform(Box<Inform>),
    Report(String),
}

/// One session as the ACS sees it. It is gone with the connection; the book stays.
pub(super) struct Session {
    url: String,
    /// Nothing is called and nothing is read.
    silent: bool,
    inform: Option<Box<Inform>>,
    unheard: Option<Unheard>,
    to_read: VecDeque<Asked>,
    asked: Option<Asked>,
    calls: u64,
    /// It is to end now.
    over: bool,
}

impl Session {
    pub(super) fn new(url: String, silent: bool) -> Self {
        let to_read =
            if silent { VecDeque::new() } else { [Asked::Values, Asked::Attributes, Asked::Hosts].into() };
        Self { url, silent, inform: None, unheard: None, to_read, asked: None, calls: 0, over: false }
    }

    /// Takes a message of the box, and answers it.
    pub(super) fn answer(
        &mut self,
        body: &[u8],
        book: &mut Book,
        next_step: &mut usize,
        plan: &Plan,
        device: &Device,
    ) -> (String, Reply) {
        match self.unheard.take() {
            Some(Unheard::Inform(inform)) => book.inform_answered(&inform, true),
            Some(Unheard::Report(key)) => book.report_answered(&key, true),
            None => {}
        }
        let message = match (body.is_empty(), soap::decode_to_acs(body)) {
            (true, _) => None,
            (false, Ok(envelope)) => Some(envelope),
            (false, Err(error)) => {
                book.found(format!("the box sends nonsense: {error}"));
                None
            }
        };
        let (line, answer) = match message {
            None => ("nothing".to_owned(), self.call(book, next_step, plan)),
            Some(Envelope { header, message: ToAcs::Request(request), .. }) => {
                let line = shown(&request);
                (
                    line,
                    self.request(request, book, device)
                        .map(|response| (header.id, ToCpe::Response(response))),
                )
            }
            Some(Envelope { message: ToAcs::Response(response), .. }) => {
                let line = format!("{}Response", response.method());
                self.response(response, book);
                (line, self.call(book, next_step, plan))
            }
            Some(Envelope { message: ToAcs::Fault(fault), .. }) => {
                let text =
                    fault.cwmp.map_or(fault.faultstring, |cwmp| format!("{cwmp} {:?}", cwmp.parameters));
                self.refused(&text, book);
                (format!("fault {text}"), self.call(book, next_step, plan))
            }
            Some(Envelope { message: ToAcs::Unusable { method, fault }, .. }) => {
                book.found(format!("{method} cannot be understood: {fault}"));
                (method, None)
            }
        };
        let said = match &answer {
            None => "nothing".to_owned(),
            Some((_, ToCpe::Request(call))) => format!("{call:?}"),
            Some((_, ToCpe::Response(response))) => format!("{}Response", response.method()),
            Some(_) => "a fault".to_owned(),
        };
        let body = answer.map(|(id, message)| {
            let header = Header { id, ..Header::default() };
            soap::encode_to_cpe(&Envelope { version: CwmpVersion::V1_2, header, message })
        });
        let reply = Reply { status: 200, retry_after: None, body: body.unwrap_or_default() };
        (format!("{line}  ->  {said}"), reply)
    }

    fn request(&mut self, request: AcsRequest, book: &mut Book, device: &Device) -> Option<AcsResponse> {
        match request {
            AcsRequest::Inform(inform) => {
                book.informed(&inform, &self.url);
                book.inform_answered(&inform, false);
                self.inform = Some(Box::new(inform.clone()));
                self.unheard = Some(Unheard::Inform(Box::new(inform)));
                Some(AcsResponse::Inform(InformResponse { max_envelopes: 1 }))
            }
            AcsRequest::TransferComplete(report) => {
                let events = self.inform.as_ref().map(|inform| inform.events.as_slice()).unwrap_or_default();
                book.reported(&report, events, device);
                let key = report.command_key.as_str().to_owned();
                book.report_answered(&key, false);
                self.unheard = Some(Unheard::Report(key));
                Some(AcsResponse::TransferComplete)
            }
            other => {
                book.found(format!("the box calls {}", other.method()));
                None
            }
        }
    }

    /// The next thing that the ACS says by itself.
    fn call(
        &mut self,
        book: &mut Book,
        next_step: &mut usize,
        plan: &Plan,
    ) -> Option<(Option<String>, ToCpe)> {
        let request = match self.to_read.pop_front() {
            Some(asked) => {
                let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
                let request = match asked {
                    Asked::Attributes => {
                        CpeRequest::GetParameterAttributes(GetParameterAttributes { names: names(&WATCHED) })
                    }
                    Asked::Hosts => {
                        CpeRequest::GetParameterValues(GetParameterValues { names: names(&[HOST]) })
                    }
                    _ => CpeRequest::GetParameterValues(GetParameterValues { names: names(&READ) }),
                };
                self.asked = Some(asked);
                request
            }
            None if self.silent || self.over || self.calls >= plan.calls => return None,
            None => {
                let step = plan.steps.get(*next_step)?;
                *next_step += 1;
                self.calls += 1;
                let (request, asked) = self.begin(step, *next_step, book)?;
                self.asked = Some(asked);
                request
            }
        };
        Some((Some(format!("acs-{}", self.calls)), ToCpe::Request(request)))
    }

    /// The call of a step, as the book takes it down.
    fn begin(&mut self, step: &Step, number: usize, book: &mut Book) -> Option<(CpeRequest, Asked)> {
        let label = format!("k{number}");
        let command_key = CommandKey::new(label.as_str()).ok()?;
        let parameter_key = ParameterKey::new(label.as_str()).ok()?;
        let (url, empty) = (format!("{FILES}{label}"), String::new);
        let promise = |book: &mut Book, kind, request| {
            book.promise(kind, label.clone());
            Some((request, Asked::Promise))
        };
        match step {
            Step::Set(values) => {
                let values: Vec<_> =
                    values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
                // What is called before the box has come to its new ACS would have two explanations.
                self.over = values.iter().any(|(name, _)| name == URL);
                Some((set(values, parameter_key, book), Asked::Change))
            }
            Step::SetRow => {
                let row = book.tree().newest_row()?;
                let name = "Device.ManagementServer.PeriodicInformInterval";
                let values = [("Enable", "true"), ("ParameterName", name)];
                let values = values.map(|(key, value)| (format!("{ROWS}{row}.{key}"), value.to_owned()));
                Some((set(values.into(), parameter_key, book), Asked::Change))
            }
            Step::Notify(name, notification) => {
                book.calls(book.tree().notify(name, *notification), None);
                let entry = SetParameterAttributesStruct {
                    name: (*name).to_owned(),
                    notification_change: true,
                    notification: *notification,
                    access_list_change: false,
                    access_list: Vec::new(),
                };
                let call = SetParameterAttributes { entries: vec![entry] };
                Some((CpeRequest::SetParameterAttributes(call), Asked::Change))
            }
            Step::AddRow => {
                let (next, number) = book.tree().add_row(&label);
                book.calls(next, None);
                let call = AddObject { object_name: ROWS.to_owned(), parameter_key };
                Some((CpeRequest::AddObject(call), Asked::Add(number)))
            }
            Step::DeleteRow => {
                let row = book.tree().newest_row()?;
                book.calls(book.tree().delete_row(row, &label), None);
                let call = DeleteObject { object_name: format!("{ROWS}{row}."), parameter_key };
                Some((CpeRequest::DeleteObject(call), Asked::Change))
            }
            Step::ScheduleInform(delay_seconds) => {
                let call = ScheduleInform { delay_seconds: *delay_seconds, command_key };
                promise(book, Kind::ScheduleInform, CpeRequest::ScheduleInform(call))
            }
            Step::Reboot => promise(book, Kind::Reboot, CpeRequest::Reboot(Reboot { command_key })),
            Step::Download(file) => {
                let file_type = match file {
                    File::Firmware { .. } => "1 Firmware Upgrade Image",
                    File::Configuration | File::Missing => "3 Vendor Configuration File",
                };
                let call = Download {
                    command_key,
                    file_type: file_type.to_owned(),
                    url,
                    username: empty(),
                    password: empty(),
                    file_size: 0,
                    target_file_name: empty(),
                    delay_seconds: 0,
                    success_url: empty(),
                    failure_url: empty(),
                };
                promise(book, Kind::Download(*file), CpeRequest::Download(call))
            }
            Step::ScheduleDownload | Step::Cancelled => {
                let start = if *step == Step::Cancelled { FAR_AHEAD } else { 20 };
                let window = TimeWindowStruct {
                    window_start: start,
                    window_end: start + FAR_AHEAD,
                    window_mode: "1 At Any Time".to_owned(),
                    user_message: empty(),
                    max_retries: -1,
                };
                let call = ScheduleDownload {
                    command_key,
                    file_type: "3 Vendor Configuration File".to_owned(),
                    url,
                    username: empty(),
                    password: empty(),
                    file_size: 0,
                    target_file_name: empty(),
                    time_windows: vec![window],
                };
                promise(book, Kind::ScheduleDownload, CpeRequest::ScheduleDownload(call))
            }
            Step::Cancel => {
                let key = format!("k{}", number - 1);
                book.cancels(&key, Owed::Perhaps);
                let call = CancelTransfer { command_key: CommandKey::new(key.as_str()).ok()? };
                Some((CpeRequest::CancelTransfer(call), Asked::Cancel(key)))
            }
            Step::Upload => {
                let file_type = "1 Vendor Configuration File".to_owned();
                let (username, password) = (empty(), empty());
                let call = Upload { command_key, file_type, url, username, password, delay_seconds: 0 };
                promise(book, Kind::Upload, CpeRequest::Upload(call))
            }
            Step::FactoryReset => {
                book.calls(Expected::factory(), Some(Renewal::Reset));
                // Whatever is called after this is forgotten with it.
                self.over = true;
                Some((CpeRequest::FactoryReset, Asked::Change))
            }
        }
    }

    fn response(&mut self, response: CpeResponse, book: &mut Book) {
        match (self.asked.take(), response) {
            (Some(Asked::Values), CpeResponse::GetParameterValues(list)) => book.values_read(&values(list)),
            (Some(Asked::Attributes), CpeResponse::GetParameterAttributes(list)) => {
                book.attributes_read(&list.into_iter().map(|one| (one.name, one.notification)).collect());
            }
            (Some(Asked::Hosts), CpeResponse::GetParameterValues(list)) => {
                let number = |name: &str| name.strip_prefix(HOST)?.strip_suffix(".PhysAddress")?.parse().ok();
                let rows = values(list).into_iter().filter_map(|(name, host)| Some((number(&name)?, host)));
                book.hosts_read(&rows.collect());
            }
            (Some(Asked::Add(number)), CpeResponse::AddObject(added)) => {
                if added.instance_number != number {
                    book.found(format!(
                        "the new row has number {} instead of {number}",
                        added.instance_number
                    ));
                }
                book.took_effect();
            }
            (
                Some(Asked::Change),
                CpeResponse::SetParameterValues(Status::Applied) | CpeResponse::DeleteObject(Status::Applied),
            ) => {
                book.took_effect();
                book.knows(&book.tree().values.clone());
            }
            (Some(Asked::Change), CpeResponse::SetParameterAttributes | CpeResponse::FactoryReset) => {
                book.took_effect();
            }
            (Some(Asked::Promise), _) => book.promised(Owed::Surely),
            (Some(Asked::Cancel(key)), CpeResponse::CancelTransfer) => book.cancels(&key, Owed::Never),
            (_, other) => book.found(format!("{}Response was not asked for: {other:?}", other.method())),
        }
    }

    fn refused(&mut self, why: &str, book: &mut Book) {
        match self.asked.take() {
            Some(Asked::Promise) => book.promised(Owed::Never),
            Some(Asked::Change | Asked::Add(_)) => {
                book.had_no_effect();
                self.over = false;
            }
            Some(Asked::Cancel(_)) => {}
            Some(Asked::Values | Asked::Attributes | Asked::Hosts) | None => {}
        }
        if !book.disturbed {
            book.found(format!("a good call is refused: {why}"));
        }
    }
}

fn set(values: Vec<(String, String)>, parameter_key: ParameterKey, book: &mut Book) -> CpeRequest {
    let moves = values.iter().any(|(name, value)| name == URL && value != book.tree().url());
    book.calls(book.tree().set(&values, parameter_key.as_str()), moves.then_some(Renewal::NewAcs));
    let one = |(name, value)| ParameterValueStruct { name, value_type: None, value };
    let parameters = values.into_iter().map(one).collect();
    CpeRequest::SetParameterValues(SetParameterValues { parameters, parameter_key })
}

fn values(list: Vec<ParameterValueStruct>) -> BTreeMap<String, String> {
    list.into_iter().map(|one| (one.name, one.value)).collect()
}

fn shown(request: &AcsRequest) -> String {
    match request {
        AcsRequest::Inform(inform) => {
            let events: Vec<_> = inform
                .events
                .iter()
                .map(|event| [event.code.as_str(), event.command_key.as_str()].join(" "))
                .collect();
            format!("Inform ({})", events.join(", ").replace(" ,", ","))
        }
        AcsRequest::TransferComplete(report) => {
            format!("TransferComplete {}: {}", report.command_key.as_str(), report.fault.code)
        }
        other => other.method().to_owned(),
    }
}
