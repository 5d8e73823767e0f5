//! What the agent asks of the ACS on somebody's behalf, and what it knows of the ACS's methods.

use super::Agent;
use crate::{
    event::EventCode,
    io::Level,
    limits,
    rpc::{AcsRequest, AcsResponse, Fault, RequestDownload},
};

impl Agent {
    /// Sends a request in the present session, where that may still be, else in one that is due now.
    pub(super) fn ask_acs(&mut self, request: AcsRequest) {
        if self.requests.contains(&request) {
            return;
        }
        let asked = self.open().is_some_and(|open| open.session.ask(request.clone()));
        self.requests.push(request);
        if !asked {
            self.hold = None;
            self.event(EventCode::Periodic);
        }
    }

    /// The ACS has answered a request of ours, or refused it: it is not repeated.
    pub(super) fn acs_answered(&mut self, request: &AcsRequest, answer: Result<AcsResponse, Fault>) {
        self.requests.retain(|asked| asked != request);
        match answer {
            Ok(AcsResponse::GetRPCMethods(methods)) => {
                self.trace(Level::Info, format!("the ACS offers {}", methods.join(", ")));
                self.acs_methods_known(methods);
            }
            Ok(_) => {}
            Err(fault) => {
                let text = fault.cwmp.map_or(fault.faultstring, |cwmp| cwmp.to_string());
                self.trace(Level::Warning, format!("the ACS refused {}: {text}", request.method()));
                if *request == AcsRequest::GetRPCMethods && self.acs_methods.is_none() {
                    self.acs_methods_known(Vec::new());
                    // It may be asked again.
                    self.acs_methods = None;
                }
            }
        }
        self.transfer_reported(request);
        self.du_change_reported(request);
    }

    fn acs_methods_known(&mut self, methods: Vec<String>) {
        let before = self.acs_methods.replace(methods);
        self.report_autonomous(before.is_none());
        self.report_unordered(before.is_none());
        for wanted in std::mem::take(&mut self.wanted_downloads) {
            self.request_download(wanted);
        }
    }

    /// Whether the ACS offers a method; `None` until it was asked.
    pub(super) fn acs_offers(&self, method: &str) -> Option<bool> {
        self.acs_methods.as_ref().map(|methods| methods.iter().any(|name| name == method))
    }

    /// Somebody on the box wants a download of the ACS (TR-069a6 A.4.2.2). Only an ACS that lists the method is asked: one
    /// that does not know it may do worse than refuse.
    pub(super) fn request_download(&mut self, wanted: RequestDownload) {
        let request = AcsRequest::RequestDownload(wanted.clone());
        if self.requests.contains(&request) || self.wanted_downloads.contains(&wanted) {
            return;
        }
        let waiting = self.requests.iter().filter(|request| is_request_download(request)).count();
        if waiting + self.wanted_downloads.len() >= limits::WANTED_DOWNLOADS {
            return self.trace(Level::Warning, "too many downloads wait for the ACS".to_owned());
        }
        match self.acs_offers("RequestDownload") {
            Some(true) => {
                self.hold = None;
                self.event(EventCode::RequestDownload);
                self.requests.push(request);
            }
            Some(false) => {
                self.trace(Level::Warning, "the ACS does not take RequestDownload".to_owned());
            }
            None => {
                self.wanted_downloads.push(wanted);
                self.ask_acs(AcsRequest::GetRPCMethods);
            }
        }
    }

    /// The ACS is another one: what was to be asked of the old one is asked of it once it says that it takes that. A session
    /// is owed to it in any case.
    pub(super) fn ask_another_acs(&mut self) {
        self.acs_methods = None;
        for request in std::mem::take(&mut self.requests) {
            match request {
                AcsRequest::RequestDownload(wanted) => self.wanted_downloads.push(wanted),
                other => self.requests.push(other),
            }
        }
        let asked = self.requests.contains(&AcsRequest::GetRPCMethods);
        if !self.wanted_downloads.is_empty() && !asked {
            self.requests.push(AcsRequest::GetRPCMethods);
        }
    }
}

fn is_request_download(request: &AcsRequest) -> bool {
    matches!(request, AcsRequest::RequestDownload(_))
}
