//! Who listens to a session and takes down in the book what both sides say.

use std::collections::BTreeMap;

use cwmp_core::rpc::{
    AcsRequest, AcsResponse, CpeRequest, CpeResponse, Inform, ParameterValueStruct, Status, ToAcs, ToCpe,
    TransferComplete,
};

use super::{
    book::{Book, Renewal, Truth},
    expected::{HOST, READ, ROWS, URL, WATCHED},
    plan::File,
    promise::{Kind, Owed},
};

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
    /// Anything else.
    Other,
}

/// What the box has said last, and then what the ACS has answered: once the next message comes, it knows that the box has
/// heard it.
enum Report {
    Inform(Box<Inform>),
    Transfer(String),
}

/// One session as somebody hears it.
pub(super) struct Observer {
    url: String,
    inform: Option<Box<Inform>>,
    said: Option<Report>,
    unheard: Option<Report>,
    asked: Option<Asked>,
}

impl Observer {
    /// Of a session with the ACS at this URL.
    pub(super) fn new(url: String) -> Self {
        Self { url, inform: None, said: None, unheard: None, asked: None }
    }

    /// The Inform of the session.
    pub(super) fn inform(&self) -> Option<&Inform> {
        self.inform.as_deref()
    }

    /// The box says this, or nothing; `truth` is what is true of it now.
    pub(super) fn box_says(&mut self, message: Option<&ToAcs>, book: &mut Book, truth: &Truth) {
        match self.unheard.take() {
            Some(Report::Inform(inform)) => book.inform_answered(&inform, true),
            Some(Report::Transfer(key)) => book.report_answered(&key, true),
            None => {}
        }
        self.said = None;
        match message {
            None => {}
            Some(ToAcs::Request(AcsRequest::Inform(inform))) => {
                book.informed(inform, &self.url);
                self.inform = Some(Box::new(inform.clone()));
                self.said = Some(Report::Inform(Box::new(inform.clone())));
            }
            Some(ToAcs::Request(AcsRequest::TransferComplete(report))) => {
                let events = self.inform.as_ref().map(|inform| inform.events.as_slice()).unwrap_or_default();
                book.reported(report, events, truth);
                self.said = Some(Report::Transfer(report.command_key.as_str().to_owned()));
            }
            Some(ToAcs::Request(AcsRequest::DUStateChangeComplete(report))) => {
                let events = self.inform.as_ref().map(|inform| inform.events.as_slice()).unwrap_or_default();
                match report.results.as_slice() {
                    // One unit each: its outcome is told as that of a transfer is.
                    [result] => {
                        let outcome = TransferComplete {
                            command_key: report.command_key.clone(),
                            fault: result.fault.clone(),
                            start_time: result.start_time,
                            complete_time: result.complete_time,
                        };
                        book.reported(&outcome, events, truth);
                    }
                    results => book.found(format!("{} results for one operation", results.len())),
                }
                self.said = Some(Report::Transfer(report.command_key.as_str().to_owned()));
            }
            Some(ToAcs::Request(other)) => book.found(format!("the box calls {}", other.method())),
            Some(ToAcs::Response(response)) => self.response(response.clone(), book),
            Some(ToAcs::Fault(fault)) => {
                let text = |cwmp: &cwmp_core::fault::CwmpFault| format!("{cwmp} {:?}", cwmp.parameters);
                let text = fault.cwmp.as_ref().map_or_else(|| fault.faultstring.clone(), text);
                self.refused(&text, book);
            }
            Some(ToAcs::Unusable { method, fault }) => {
                book.found(format!("{method} cannot be understood: {fault}"));
            }
        }
    }

    /// The ACS says this.
    pub(super) fn acs_says(&mut self, message: &ToCpe, book: &mut Book) {
        match message {
            ToCpe::Response(
                AcsResponse::Inform(_) | AcsResponse::TransferComplete | AcsResponse::DUStateChangeComplete,
            ) => {
                self.unheard = self.said.take();
                match &self.unheard {
                    Some(Report::Inform(inform)) => book.inform_answered(inform, false),
                    Some(Report::Transfer(key)) => book.report_answered(key, false),
                    None => {}
                }
            }
            ToCpe::Request(call) => self.asked = Some(note(call, book)),
            ToCpe::Response(_) | ToCpe::Fault(_) | ToCpe::Unusable { .. } => {}
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
            (Some(Asked::Other), _) => {}
            (_, other) => book.found(format!("{}Response was not asked for: {other:?}", other.method())),
        }
    }

    fn refused(&mut self, why: &str, book: &mut Book) {
        match self.asked.take() {
            Some(Asked::Promise) => book.promised(Owed::Never),
            Some(Asked::Change | Asked::Add(_)) => book.had_no_effect(),
            Some(Asked::Cancel(_) | Asked::Values | Asked::Attributes | Asked::Hosts | Asked::Other)
            | None => {}
        }
        if !book.disturbed {
            book.found(format!("a good call is refused: {why}"));
        }
    }
}

/// Takes a call down.
fn note(call: &CpeRequest, book: &mut Book) -> Asked {
    let mut promise = |kind, key: &str| {
        book.promise(kind, key.to_owned());
        Asked::Promise
    };
    match call {
        CpeRequest::GetParameterValues(call) if call.names == READ => Asked::Values,
        CpeRequest::GetParameterValues(call) if call.names == [HOST] => Asked::Hosts,
        CpeRequest::GetParameterAttributes(call) if call.names == WATCHED => Asked::Attributes,
        CpeRequest::SetParameterValues(call) => {
            let values = values(call.parameters.clone());
            let moves = values.get(URL).is_some_and(|url| url != book.tree().url());
            let next = book.tree().set(values, call.parameter_key.as_str());
            book.calls(next, moves.then_some(Renewal::NewAcs));
            Asked::Change
        }
        CpeRequest::SetParameterAttributes(call) => {
            let mut next = book.tree().clone();
            for entry in &call.entries {
                next = next.notify(&entry.name, entry.notification);
            }
            book.calls(next, None);
            Asked::Change
        }
        CpeRequest::AddObject(call) => {
            let (next, number) = book.tree().add_row(call.parameter_key.as_str());
            book.calls(next, None);
            Asked::Add(number)
        }
        CpeRequest::DeleteObject(call) => {
            let row = call.object_name.strip_prefix(ROWS).unwrap_or_default();
            let next = book.tree().delete_row(row, call.parameter_key.as_str());
            book.calls(next, None);
            Asked::Change
        }
        CpeRequest::FactoryReset => {
            book.calls(book.factory().clone(), Some(Renewal::Reset));
            Asked::Change
        }
        CpeRequest::Reboot(call) => promise(Kind::Reboot, call.command_key.as_str()),
        CpeRequest::ScheduleInform(call) => promise(Kind::ScheduleInform, call.command_key.as_str()),
        CpeRequest::Download(call) => promise(Kind::Download(File::of(&call.url)), call.command_key.as_str()),
        CpeRequest::ScheduleDownload(call) => promise(Kind::ScheduleDownload, call.command_key.as_str()),
        CpeRequest::Upload(call) => promise(Kind::Upload, call.command_key.as_str()),
        CpeRequest::ChangeDUState(call) => promise(Kind::Install, call.command_key.as_str()),
        CpeRequest::CancelTransfer(call) => {
            let key = call.command_key.as_str();
            book.cancels(key, Owed::Perhaps);
            Asked::Cancel(key.to_owned())
        }
        _ => Asked::Other,
    }
}

fn values(list: Vec<ParameterValueStruct>) -> BTreeMap<String, String> {
    list.into_iter().map(|one| (one.name, one.value)).collect()
}
