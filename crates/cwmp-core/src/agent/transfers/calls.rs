//! The calls of the ACS that order, cancel and list transfers.

use crate::{
    agent::{Agent, calls::Promise, session::Answer},
    fault::{CwmpFault, FaultCode},
    io::Effect,
    job::{DownloadType, TransferId, UploadType},
    limits,
    rpc::{
        CancelTransfer, CommandKey, CpeResponse, Download, QueuedTransferStruct, ScheduleDownload,
        TransferResponse, Upload,
    },
    settings::Secret,
    time::Now,
    transfer::{Origin, Stage, Transfer, What, When, Windows},
    url::{HttpUrl, Scheme, UrlError},
    wait::Wait,
};

use super::{Running, Step};

/// Modes of a call that orders a transfer, as far as they are alike.
pub(super) struct Order {
    pub(super) origin: Origin,
    pub(super) command_key: CommandKey,
    pub(super) what: What,
    pub(super) url: String,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) when: When,
}

impl Agent {
    /// Methods that work on this box: those for which there is a file type.
    pub(in crate::agent) fn transfer_methods(&self) -> impl Iterator<Item = &'static str> {
        let (download, upload) = (!self.abilities.downloads.is_empty(), !self.abilities.uploads.is_empty());
        let downloads = ["Download", "ScheduleDownload"].into_iter().filter(move |_| download);
        let uploads = ["Upload"].into_iter().filter(move |_| upload);
        let queue = ["CancelTransfer", "GetQueuedTransfers", "GetAllQueuedTransfers"].into_iter();
        downloads.chain(uploads).chain(queue.filter(move |_| download || upload))
    }

    /// Whether there is anything that this box can transfer.
    pub(in crate::agent) fn can_transfer(&self) -> bool {
        !self.abilities.downloads.is_empty() || !self.abilities.uploads.is_empty()
    }

    pub(in crate::agent) fn promise_download(&mut self, call: Download, now: Now) {
        let what = match self.download_of(&call.file_type, call.file_size, call.target_file_name) {
            Ok(what) => what,
            Err(fault) => return self.refuse(fault.code, fault.text),
        };
        self.promise_transfer(Order {
            origin: Origin::Download,
            command_key: call.command_key,
            what,
            url: call.url,
            username: call.username,
            password: call.password,
            when: When::After(Wait::new(u64::from(call.delay_seconds) * 1000, now)),
        });
    }

    pub(in crate::agent) fn promise_scheduled_download(&mut self, call: ScheduleDownload, now: Now) {
        let what = self.download_of(&call.file_type, call.file_size, call.target_file_name);
        let windows = Windows::new(&call.time_windows, now)
            .map_err(|text| CwmpFault::new(FaultCode::INVALID_ARGUMENTS, text));
        let (what, windows) = match (what, windows) {
            (Ok(what), Ok(windows)) => (what, windows),
            (Err(fault), _) | (_, Err(fault)) => return self.refuse(fault.code, fault.text),
        };
        self.promise_transfer(Order {
            origin: Origin::ScheduleDownload,
            command_key: call.command_key,
            what,
            url: call.url,
            username: call.username,
            password: call.password,
            when: When::Within(windows),
        });
    }

    pub(in crate::agent) fn promise_upload(&mut self, call: Upload, now: Now) {
        let what = match self.upload_of(call.file_type) {
            Ok(what) => what,
            Err(fault) => return self.refuse(fault.code, fault.text),
        };
        self.promise_transfer(Order {
            origin: Origin::Upload,
            command_key: call.command_key,
            what,
            url: call.url,
            username: call.username,
            password: call.password,
            when: When::After(Wait::new(u64::from(call.delay_seconds) * 1000, now)),
        });
    }

    /// Queues it durably; the response follows then.
    fn promise_transfer(&mut self, order: Order) {
        match self.queue(order) {
            Ok(id) => self.store_then_answer(Promise::Transfer(id)),
            Err(fault) => self.refuse(fault.code, fault.text),
        }
    }

    /// Puts a transfer into the queue; it is not stored yet.
    pub(super) fn queue(&mut self, order: Order) -> Result<TransferId, CwmpFault> {
        let url = self.file_url(&order.url)?;
        if self.state.transfers.len() >= limits::TRANSFERS {
            let text = format!("{} transfers are queued or not yet reported", limits::TRANSFERS);
            return Err(CwmpFault::new(FaultCode::RESOURCES_EXCEEDED, text));
        }
        let id = TransferId(self.state.next_transfer);
        self.state.next_transfer = id.0.wrapping_add(1);
        self.state.transfers.push(Transfer {
            id,
            origin: order.origin,
            command_key: order.command_key,
            what: order.what,
            url,
            username: order.username,
            password: Secret(order.password),
            when: order.when,
            stage: Stage::Waiting,
        });
        Ok(id)
    }

    /// The URL of a file server, as far as this agent can use it.
    pub(in crate::agent) fn file_url(&self, text: &str) -> Result<HttpUrl, CwmpFault> {
        let url = HttpUrl::parse(text).map_err(|error| {
            let code = match error {
                UrlError::Scheme if text.contains(':') => FaultCode::UNSUPPORTED_TRANSFER_PROTOCOL,
                _ => FaultCode::INVALID_ARGUMENTS,
            };
            CwmpFault::new(code, format!("URL: {error}"))
        })?;
        if url.scheme == Scheme::Https && !self.abilities.https {
            let text = "URL: this agent was built without TLS";
            return Err(CwmpFault::new(FaultCode::UNSUPPORTED_TRANSFER_PROTOCOL, text));
        }
        Ok(url)
    }

    pub(super) fn download_of(
        &self,
        file_type: &str,
        file_size: u32,
        name: String,
    ) -> Result<What, CwmpFault> {
        let wrong = |text: String| CwmpFault::new(FaultCode::INVALID_ARGUMENTS, text);
        let file_type = DownloadType::parse(file_type)
            .filter(|known| self.abilities.downloads.contains(known))
            .ok_or_else(|| {
                wrong(format!("FileType: this box does not download `{}`", printable(file_type)))
            })?;
        // Firmware has its own place whatever it is called.
        let target_file_name = if file_type == DownloadType::Firmware { String::new() } else { name };
        if target_file_name.contains(['/', '\\'])
            || [".", ".."].contains(&&*target_file_name)
            || target_file_name.contains(char::is_control)
        {
            return Err(wrong("TargetFileName is no plain file name".to_owned()));
        }
        Ok(What::Download { file_type, file_size, target_file_name })
    }

    pub(super) fn upload_of(&self, name: String) -> Result<What, CwmpFault> {
        let known = UploadType::parse(&name).filter(|known| self.abilities.uploads.contains(&known.kind()));
        known.map(|file_type| What::Upload { file_type, name: name.clone() }).ok_or_else(|| {
            let text = format!("FileType: this box does not upload `{}`", printable(&name));
            CwmpFault::new(FaultCode::INVALID_ARGUMENTS, text)
        })
    }

    /// Drops all transfers with this key that have not begun to change the box (TR-069a6 A.4.1.9). What is under way stops at
    /// once, so that it cannot end while the store writes that it is dropped; if that fails, it begins again.
    pub(in crate::agent) fn promise_cancel(&mut self, call: CancelTransfer) {
        let named = |transfer: &&Transfer| {
            transfer.origin != Origin::Local && transfer.command_key == call.command_key
        };
        if self.state.transfers.iter().filter(named).any(|transfer| transfer.stage != Stage::Waiting) {
            let text = "the transfer is being applied, or is over".to_owned();
            return self.refuse(FaultCode::CANCELLATION_NOT_PERMITTED, text);
        }
        let dropped: Vec<Transfer> = self.state.transfers.iter().filter(named).cloned().collect();
        self.state.transfers.retain(|transfer| !dropped.iter().any(|gone| gone.id == transfer.id));
        let dropping = |running: &mut Running| dropped.iter().any(|gone| gone.id == running.transfer);
        if let Some(Running { step: Step::Moving(job), .. }) = self.transfers.running.take_if(dropping) {
            self.effects.push_back(Effect::CancelJob(job));
        }
        self.store_then_answer(Promise::Cancel(dropped));
    }

    /// That they are dropped is stored.
    pub(in crate::agent) fn keep_cancelled(&mut self, dropped: &[Transfer]) {
        for Transfer { id, .. } in dropped {
            self.transfers.later.retain(|(later, _)| later != id);
            self.effects.push_back(Effect::DiscardFile(*id));
        }
    }

    /// That they are dropped could not be stored: they are as before.
    pub(in crate::agent) fn withdraw_cancel(&mut self, dropped: Vec<Transfer>) {
        self.state.transfers.extend(dropped);
        self.state.transfers.sort_by_key(|transfer| transfer.id);
    }

    pub(in crate::agent) fn withdraw_transfer(&mut self, id: TransferId) {
        self.state.transfers.retain(|transfer| transfer.id != id);
    }

    /// The response to the call that ordered it.
    pub(in crate::agent) fn transfer_response(&self, id: TransferId) -> CpeResponse {
        match self.transfer(id).map(|transfer| transfer.origin) {
            Some(Origin::ScheduleDownload) => CpeResponse::ScheduleDownload,
            Some(Origin::Upload) => CpeResponse::Upload(TransferResponse::Later),
            Some(Origin::Download | Origin::Local) | None => CpeResponse::Download(TransferResponse::Later),
        }
    }

    /// Whether the ACS has not yet been promised it: the store is writing.
    pub(super) fn is_being_promised(&self, id: TransferId) -> bool {
        self.promises.iter().any(|(_, promise)| *promise == Promise::Transfer(id))
    }

    /// GetQueuedTransfers (TR-069a6 A.4.1.1): what the ACS has ordered.
    pub(in crate::agent) fn queued_transfers(&self) -> Answer {
        let ordered = self.state.transfers.iter().filter(|transfer| transfer.origin != Origin::Local);
        let entry = |transfer: &Transfer| QueuedTransferStruct {
            command_key: transfer.command_key.clone(),
            state: self.state_of(transfer),
        };
        Answer::Response(CpeResponse::GetQueuedTransfers(ordered.map(entry).collect()))
    }

    /// GetAllQueuedTransfers (TR-069a6 A.4.1.7): what was ordered by whomever.
    pub(in crate::agent) fn all_queued_transfers(&self) -> Answer {
        let entries = self.state.transfers.iter().map(|transfer| transfer.entry(self.state_of(transfer)));
        Answer::Response(CpeResponse::GetAllQueuedTransfers(entries.collect()))
    }
}

/// A text of the ACS as it may stand in a fault.
fn printable(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(64).collect()
}
