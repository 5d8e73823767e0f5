//! The calls that order, cancel and list transfers.

use cwmp_core::{
    fault::FaultCode,
    rpc::{CancelTransfer, CommandKey, CpeRequest, Download, ScheduleDownload, TimeWindowStruct, Upload},
    transfer::Mode,
};

use super::Asked;
use crate::simulate::dice::Dice;

/// A transfer as it was ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::simulate) struct Order {
    pub(in crate::simulate) key: String,
    /// No two orders of a world have the same.
    pub(in crate::simulate) url: String,
    pub(in crate::simulate) goods: Goods,
    pub(in crate::simulate) when: When,
}

/// What is transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulate) enum Goods {
    Firmware,
    Configuration,
    Upload,
}

impl Goods {
    pub(in crate::simulate) fn file_type(self) -> &'static str {
        match self {
            Goods::Firmware => "1 Firmware Upgrade Image",
            Goods::Configuration => "3 Vendor Configuration File",
            Goods::Upload => "2 Vendor Log File",
        }
    }

    pub(in crate::simulate) fn roll(dice: &mut Dice) -> Self {
        match dice.below(3) {
            0 => Goods::Firmware,
            1 => Goods::Configuration,
            _ => Goods::Upload,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::simulate) enum When {
    /// So many milliseconds after the call.
    After(u64),
    Within(Vec<Window>),
}

/// A time window, in milliseconds after the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::simulate) struct Window {
    pub(in crate::simulate) from_ms: u64,
    pub(in crate::simulate) to_ms: u64,
    pub(in crate::simulate) mode: Mode,
    pub(in crate::simulate) retries: i32,
}

/// A URL that is used once.
pub(in crate::simulate) fn url(dice: &mut Dice) -> String {
    format!("http://files.example/{:016x}", dice.next())
}

/// Download, Upload or ScheduleDownload.
pub(super) fn order(dice: &mut Dice) -> (CpeRequest, Asked) {
    let order = Order { key: key(dice), url: url(dice), goods: Goods::roll(dice), when: When::After(0) };
    if order.goods != Goods::Upload && dice.below(3) == 0 {
        return scheduled(order, dice);
    }
    let delay_seconds = match dice.below(4) {
        0 | 1 => 0,
        2 => dice.between(1, 100),
        _ => dice.between(1, 3600),
    };
    let order = Order { when: When::After(delay_seconds * 1000), ..order };
    let delay_seconds = u32::try_from(delay_seconds).unwrap_or(0);
    let (command_key, file_type) = (command_key(&order.key), order.goods.file_type().to_owned());
    let request = match order.goods {
        Goods::Upload => CpeRequest::Upload(Upload {
            command_key,
            file_type,
            url: order.url.clone(),
            username: String::new(),
            password: String::new(),
            delay_seconds,
        }),
        Goods::Firmware | Goods::Configuration => {
            CpeRequest::Download(Download { delay_seconds, ..download(&order, file_type) })
        }
    };
    (request, Asked::Transfer(order))
}

/// ScheduleDownload with one window or two, of all modes.
fn scheduled(order: Order, dice: &mut Dice) -> (CpeRequest, Asked) {
    let (mut windows, mut asked, mut earliest) = (Vec::new(), Vec::new(), 0);
    for _ in 0..=dice.below(2) {
        let from = earliest + if dice.below(2) == 0 { 0 } else { dice.between(0, 3600) };
        let to = from + if dice.below(4) == 0 { dice.between(1, 30) } else { dice.between(60, 7200) };
        earliest = to;
        let (mode, name) = match dice.below(4) {
            0 => (Mode::AnyTime, "1 At Any Time"),
            1 => (Mode::Immediately, "2 Immediately"),
            2 => (Mode::WhenIdle, "3 When Idle"),
            _ => (Mode::Confirmation, "4 Confirmation Needed"),
        };
        let retries = i32::try_from(dice.below(4)).unwrap_or(0) - 1;
        windows.push(Window { from_ms: from * 1000, to_ms: to * 1000, mode, retries });
        let seconds = |of: u64| u32::try_from(of).unwrap_or(u32::MAX);
        asked.push(TimeWindowStruct {
            window_start: seconds(from),
            window_end: seconds(to),
            window_mode: name.to_owned(),
            user_message: "may I?".to_owned(),
            max_retries: retries,
        });
    }
    let request = ScheduleDownload {
        command_key: command_key(&order.key),
        file_type: order.goods.file_type().to_owned(),
        url: order.url.clone(),
        username: String::new(),
        password: String::new(),
        file_size: 0,
        target_file_name: String::new(),
        time_windows: asked,
    };
    let order = Order { when: When::Within(windows), ..order };
    (CpeRequest::ScheduleDownload(request), Asked::Transfer(order))
}

/// An order that must be refused.
pub(super) fn wrong_order(dice: &mut Dice) -> (CpeRequest, Asked) {
    let order = Order { key: key(dice), url: url(dice), goods: Goods::Configuration, when: When::After(0) };
    let right = download(&order, order.goods.file_type().to_owned());
    let (call, code) = match dice.below(4) {
        0 => (Download { file_type: "4 Tone File".to_owned(), ..right }, FaultCode::INVALID_ARGUMENTS),
        1 => (
            Download { url: "ftp://files.example/".to_owned(), ..right },
            FaultCode::UNSUPPORTED_TRANSFER_PROTOCOL,
        ),
        2 => (Download { url: "files".to_owned(), ..right }, FaultCode::INVALID_ARGUMENTS),
        _ => (Download { target_file_name: "../x".to_owned(), ..right }, FaultCode::INVALID_ARGUMENTS),
    };
    (CpeRequest::Download(call), Asked::Faulty(Some(code)))
}

pub(super) fn cancel(dice: &mut Dice) -> (CpeRequest, Asked) {
    let key = key(dice);
    (CpeRequest::CancelTransfer(CancelTransfer { command_key: command_key(&key) }), Asked::Cancel(key))
}

/// Few keys, so that a call to cancel meets one, and two transfers share one at times.
fn key(dice: &mut Dice) -> String {
    match dice.below(20) {
        0 => String::new(),
        n => format!("t{n}"),
    }
}

fn command_key(key: &str) -> CommandKey {
    CommandKey::new(key).unwrap_or_default()
}

fn download(order: &Order, file_type: String) -> Download {
    Download {
        command_key: command_key(&order.key),
        file_type,
        url: order.url.clone(),
        username: String::new(),
        password: String::new(),
        file_size: 0,
        target_file_name: String::new(),
        delay_seconds: 0,
        success_url: String::new(),
        failure_url: String::new(),
    }
}
