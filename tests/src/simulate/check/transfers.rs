//! Transfers: what was ordered, how far it is, how it must be reported, and whether the agent keeps it.

use cwmp_core::{
    datetime::DateTime,
    io::{BootCause, Start, Ticket},
    job::JobId,
    limits,
    rpc::AcsRequest,
    stored::Stored,
    time::Now,
    transfer::{Mode, Stage},
};

use super::{CallState, Check, Finding, due::Due};
use crate::simulate::acs::transfers::{Goods, Order, When};

/// Place of a transfer in the list of all that were ever ordered.
pub(super) type TransferNo = usize;

/// FaultCodes of TransferComplete.
pub(super) const SUCCESS: u32 = 0;
pub(super) const FAILURE: u32 = 9010;
pub(super) const OUTSIDE_WINDOWS: u32 = 9020;

/// A transfer, from the order to the answer of the ACS to its report.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) key: String,
    pub(super) url: String,
    pub(super) goods: Goods,
    /// Somebody on the box has ordered it.
    pub(super) local: bool,
    /// One that was ordered on the box is promised to nobody.
    pub(super) state: CallState,
    /// Not before.
    after: Option<Due>,
    windows: Vec<Window>,
    /// Somebody may have agreed to it.
    pub(super) confirmed: bool,
    pub(super) step: Step,
    /// StartTime of the present try.
    pub(super) start: DateTime,
    /// The firmware that ran when the file was there, and the one that is expected.
    pub(super) before: String,
    pub(super) expects: Option<String>,
    /// How it has ended: the FaultCode that its report must have.
    pub(super) verdict: Option<u32>,
    /// A try has failed of one that is scheduled: it is over with this code, or tried again.
    pub(super) failed: Option<u32>,
    /// Writes that had failed when it ended.
    pub(super) failures_before: u32,
    /// That it is about to be applied is being stored.
    pub(super) storing: Option<Ticket>,
    pub(super) just_here: bool,
    /// What was posted, once that it is over was durable.
    pub(super) reported: Option<AcsRequest>,
    /// A call to cancel it is being answered, or was interrupted.
    pub(super) being_cancelled: bool,
    /// How many tries are left is not known for certain.
    unsure: bool,
    /// It need no longer be there: the ACS that it is owed to is another one.
    pub(super) may_vanish: bool,
    /// The ACS knows how it ended, or it was cancelled, or it is gone as it may be.
    pub(super) ended: bool,
    /// CancelTransferResponse was sent.
    pub(super) cancelled: bool,
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Waiting,
    Moving(JobId),
    /// The file is here.
    Here,
    Applying(JobId),
    /// It takes effect with a restart.
    Written,
    Over,
}

#[derive(Debug)]
pub(super) struct Window {
    pub(super) start: Due,
    pub(super) end: Due,
    mode: Mode,
    /// Further tries; not known for certain after a start.
    pub(super) retries: i64,
    /// Its tries are used up.
    pub(super) closed: bool,
}

impl Transfer {
    pub(super) fn new(order: &Order, local: bool, now: Now) -> Self {
        let (after, windows) = match &order.when {
            When::After(ms) => (Some(Due::new(*ms, now)), Vec::new()),
            When::Within(windows) => (
                None,
                windows
                    .iter()
                    .map(|asked| Window {
                        start: Due::new(asked.from_ms, now),
                        end: Due::new(asked.to_ms, now),
                        mode: asked.mode,
                        retries: match asked.retries {
                            -1 => i64::from(limits::TRANSFER_RETRIES),
                            retries => i64::from(retries),
                        },
                        closed: false,
                    })
                    .collect(),
            ),
        };
        Self {
            key: order.key.clone(),
            url: order.url.clone(),
            goods: order.goods,
            local,
            state: CallState::Called,
            after,
            windows,
            confirmed: false,
            step: Step::Waiting,
            start: DateTime::Unknown,
            before: String::new(),
            expects: None,
            verdict: None,
            failed: None,
            failures_before: 0,
            storing: None,
            just_here: false,
            reported: None,
            being_cancelled: false,
            unsure: false,
            may_vanish: false,
            ended: false,
            cancelled: false,
        }
    }

    pub(super) fn is_scheduled(&self) -> bool {
        !self.windows.is_empty()
    }

    /// The waits in it.
    pub(super) fn dues(&mut self) -> impl Iterator<Item = &mut Due> {
        self.after
            .iter_mut()
            .chain(self.windows.iter_mut().flat_map(|window| [&mut window.start, &mut window.end]))
    }

    /// Whether it may be under way now as far as time says, perhaps under a mode that wants more.
    pub(super) fn may_run(&self, now: u64, idle: bool) -> bool {
        self.after.as_ref().is_none_or(|after| after.may_be_over(now))
            && (self.windows.is_empty()
                || self.windows.iter().any(|window| {
                    let open = window.start.may_be_over(now) && !window.end.is_over(now) && !window.closed;
                    open && match window.mode {
                        Mode::AnyTime | Mode::Immediately => true,
                        Mode::WhenIdle => idle,
                        Mode::Confirmation => self.confirmed,
                    }
                }))
    }

    /// Whether a window may be open.
    pub(super) fn may_be_open(&self, now: u64) -> bool {
        self.windows
            .iter()
            .any(|window| window.start.may_be_over(now) && !window.end.is_over(now) && !window.closed)
    }

    /// Whether a window is certainly open.
    pub(super) fn is_open(&self, now: u64) -> bool {
        self.windows
            .iter()
            .any(|window| window.start.is_over(now) && !window.end.may_be_over(now) && !window.closed)
    }

    /// The windows that may be open or ahead.
    pub(super) fn windows_left(&mut self, now: u64) -> impl Iterator<Item = &mut Window> {
        self.windows.iter_mut().filter(move |window| !window.end.is_over(now) && !window.closed)
    }

    /// Whether all windows may be over.
    pub(super) fn may_be_too_late(&self, now: u64) -> bool {
        self.is_scheduled() && self.windows.iter().all(|window| window.closed || window.end.may_be_over(now))
    }

    /// Whether it is owed: promised, and not done with.
    pub(super) fn is_owed(&self) -> bool {
        !self.local && self.state == CallState::Promised && !self.ended
    }

    /// Whether a session is to report it.
    pub(super) fn is_due(&self) -> bool {
        self.verdict.is_some() && !self.ended && self.state != CallState::Refused
    }

    /// Whether new firmware runs, by the mark of what runs.
    fn image_says(&self, runs: &str) -> bool {
        match &self.expects {
            Some(expected) => expected == runs,
            None => self.before != runs,
        }
    }

    /// What becomes of it with a start of the program, by what was stored of it.
    fn resume(&mut self, stage: Option<&Stage>, start: &Start, now: u64) -> Finding {
        let failed = self.failed.take();
        self.storing = None;
        self.just_here = false;
        self.unsure = true;
        self.windows.iter_mut().for_each(|window| window.closed = false);
        let name = format!("transfer `{}` {}", self.key, self.url);
        let Some(stage) = stage else {
            self.step = Step::Over;
            let lost = self.is_owed() && !self.may_vanish && !self.being_cancelled;
            self.ended = true;
            return if lost { Err(format!("{name} was promised and is gone after a start")) } else { Ok(()) };
        };
        if self.cancelled {
            return Err(format!("{name} was cancelled and is back"));
        }
        self.ended = false;
        self.being_cancelled = false;
        let firmware = self.goods == Goods::Firmware;
        match stage {
            Stage::Waiting => {
                self.verdict = None;
                self.step = Step::Waiting;
            }
            Stage::Over(outcome) if self.verdict.is_none() => {
                // It was stored just before the program ended.
                let code = outcome.fault.code.0;
                let late = code == OUTSIDE_WINDOWS && self.may_be_too_late(now);
                if failed != Some(code) && !late {
                    return Err(format!("{name} is stored as over, and is not"));
                }
                self.verdict = Some(code);
                self.step = Step::Over;
            }
            Stage::Over(_) => self.step = Step::Over,
            Stage::Applying(applying) => {
                self.verdict = None;
                match start.cause {
                    BootCause::Boot if firmware => {
                        let runs = self.image_says(&start.image);
                        self.verdict = Some(if runs { SUCCESS } else { FAILURE });
                    }
                    BootCause::Boot if applying.written => self.verdict = Some(SUCCESS),
                    BootCause::AgentRestart if applying.written => self.step = Step::Written,
                    BootCause::AgentRestart if firmware => self.verdict = Some(FAILURE),
                    BootCause::Boot | BootCause::AgentRestart => self.step = Step::Waiting,
                }
                if self.verdict.is_some() {
                    self.step = Step::Over;
                }
            }
        }
        Ok(())
    }
}

/// What is stored of a transfer.
pub(super) fn stage_in<'a>(state: &'a Stored, url: &str) -> Option<&'a Stage> {
    state.transfers.iter().find(|stored| stored.url.to_string() == url).map(|stored| &stored.stage)
}

impl Check {
    /// The program starts with what is durable.
    pub(super) fn resume_transfers(&mut self, start: &Start) {
        self.image.clone_from(&start.image);
        self.box_idle = false;
        self.going_down = None;
        self.transfer_restart = false;
        self.listed.clear();
        self.jobs_stopped = 0;
        for transfer in &mut self.transfers {
            let stage = stage_in(&start.state, &transfer.url);
            if let Err(finding) = transfer.resume(stage, start, self.now.mono.0) {
                self.broken.get_or_insert(finding);
            }
            self.transfer_restart |= transfer.step == Step::Written && !transfer.ended;
        }
        self.busy_until = self.now.mono.0;
    }

    /// Nothing of the ACS is owed to another one any more; what is over is not told.
    pub(super) fn forget_reports(&mut self) {
        for transfer in self.transfers.iter_mut().filter(|transfer| transfer.verdict.is_some()) {
            transfer.may_vanish = true;
        }
        self.methods = None;
    }

    /// Whether no session may begin and the box may not restart.
    pub(super) fn box_is_taken(&self) -> bool {
        let applying = |transfer: &Transfer| matches!(transfer.step, Step::Applying(_)) && !transfer.ended;
        self.going_down.is_some() || self.transfers.iter().any(applying)
    }

    /// How a transfer has ended.
    pub(super) fn is_over(&mut self, number: TransferNo, code: u32) {
        let failures = self.failed_writes;
        let (known, policy) = (self.methods, &self.settings.autonomous_transfers);
        let Some(transfer) = self.transfers.get_mut(number) else { return };
        transfer.step = Step::Over;
        transfer.verdict = Some(code);
        transfer.failures_before = failures;
        let wanted =
            policy.wants(transfer.goods != Goods::Upload, code == SUCCESS, transfer.goods.file_type());
        if transfer.local && (!wanted || known.is_some_and(|[takes, _]| !takes)) {
            transfer.ended = true;
        }
        self.busy_until = self.now.mono.0;
        self.impulse();
    }

    /// Whether all transfers have been told or are gone.
    pub(super) fn transfers_are_over(&self) -> bool {
        self.last_state.transfers.is_empty()
            && !self
                .transfers
                .iter()
                .any(|transfer| transfer.is_owed() && !transfer.may_vanish && !transfer.being_cancelled)
    }

    /// What was handed to the store must have all that is owed, each as far as it is. Called when the agent rests.
    pub(super) fn transfers_are_kept(&mut self) -> Finding {
        if self.unwritten {
            self.transfers.iter_mut().for_each(|transfer| transfer.unsure |= transfer.failed.is_some());
            return Ok(());
        }
        let now = self.now.mono.0;
        let may_act = self.resting() && !self.local_restart;
        let mut over = Vec::new();
        for (number, transfer) in self.transfers.iter_mut().enumerate() {
            let stage = stage_in(&self.last_state, &transfer.url);
            let name = format!("transfer `{}` {}", transfer.key, transfer.url);
            let Some(stage) = stage else {
                match () {
                    () if transfer.is_owed() && !transfer.may_vanish && !transfer.being_cancelled => {
                        return Err(format!("{name} is owed and not handed to the store"));
                    }
                    () if transfer.local
                        && transfer.is_due()
                        && self.methods.is_some_and(|[takes, _]| takes)
                        && !transfer.may_vanish =>
                    {
                        return Err(format!("{name} is to be reported and not handed to the store"));
                    }
                    // It has been withdrawn.
                    () if transfer.may_vanish || transfer.local => transfer.ended = true,
                    () => {}
                }
                continue;
            };
            match stage {
                _ if transfer.ended => return Err(format!("{name} is done with and stored again")),
                _ if transfer.state == CallState::Refused => {
                    return Err(format!("{name} was refused and is kept"));
                }
                Stage::Over(outcome) => match (transfer.verdict, transfer.failed.take()) {
                    (Some(code), _) if code == outcome.fault.code.0 => {}
                    (None, Some(code)) if code == outcome.fault.code.0 => {
                        let certain = !transfer.unsure;
                        if certain && transfer.windows_left(now).any(|window| window.retries > 0) {
                            return Err(format!("{name} is given up though tries are left"));
                        }
                        over.push((number, code));
                    }
                    (None, _) if outcome.fault.code.0 == OUTSIDE_WINDOWS && transfer.may_be_too_late(now) => {
                        over.push((number, OUTSIDE_WINDOWS));
                    }
                    (verdict, _) => {
                        let said = outcome.fault.code;
                        return Err(format!("{name} is over with {said}, which should be {verdict:?}"));
                    }
                },
                Stage::Waiting | Stage::Applying(_) if transfer.verdict.is_some() => {
                    return Err(format!("{name} is over and not stored as such"));
                }
                Stage::Waiting => {
                    if transfer.step == Step::Here {
                        return Err(format!("{name} is here and begins anew"));
                    }
                    if transfer.failed.take().is_some() {
                        let unsure = transfer.unsure;
                        let open = transfer.windows_left(now).next();
                        match open {
                            // Which of them is open is not known for certain either.
                            Some(_) if unsure => {}
                            Some(window) if window.retries > 0 => window.retries -= 1,
                            Some(window) => window.closed = true,
                            None if unsure => {}
                            None => return Err(format!("{name} is tried again though its windows are over")),
                        }
                    }
                    let late = transfer.is_scheduled() && transfer.windows_left(now).next().is_none();
                    if late && may_act && transfer.state == CallState::Promised {
                        return Err(format!("{name} waits though its windows are over"));
                    }
                    if matches!(transfer.step, Step::Moving(_))
                        && transfer.is_scheduled()
                        && !transfer.may_be_open(now)
                        && may_act
                    {
                        return Err(format!("{name} goes on outside its windows"));
                    }
                }
                Stage::Applying(applying) => {
                    if applying.written != (transfer.step == Step::Written) {
                        return Err(format!("{name} is stored as {applying:?} and is {:?}", transfer.step));
                    }
                }
            }
        }
        for (number, code) in over {
            self.is_over(number, code);
        }
        Ok(())
    }
}
