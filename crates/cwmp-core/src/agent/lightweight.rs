//! When lightweight notifications are sent (TR-069a6 Annex M, TR-181 ManagementServer.LightweightNotification...).
//!
//! They have nothing to do with sessions: they go out while one is on or waits for its retry, and nothing is repeated. A
//! notification bears the date, so that none is sent while it is unknown; what changes meanwhile stays news.

use crate::{
    fault::CwmpFault,
    io::{DataOp, DataReply, Datagram, Effect, Level, OpId},
    lightweight::Sender,
    limits,
    periodic::{Periodic, Rule},
    rpc::ParameterValueStruct,
    settings::AgentSettings,
    time::Now,
};

use super::{Agent, Stage};

/// Lightweight notifications in the making.
#[derive(Default)]
pub(super) struct Lightweight {
    /// When passive ones are due.
    pub(super) timer: Periodic,
    /// The question to the data model that waits for its answer.
    asked: Option<OpId>,
}

impl Lightweight {
    pub(super) fn configure(&mut self, settings: &AgentSettings, now: Now) {
        self.timer.configure(Rule::lightweight(settings), now);
    }

    pub(super) fn awaits(&self, op: OpId) -> bool {
        self.asked == Some(op)
    }
}

impl Agent {
    /// An active one is owed, or it is time for passive ones: both go together.
    pub(super) fn notify_lightly(&mut self, now: Now) {
        let idle =
            self.lightweight.asked.is_none() && !matches!(self.stage, Stage::Unborn | Stage::Restarting);
        if idle && self.settings.lightweight.udp && self.may_start() && now.wall.is_some() {
            self.lightweight.asked = Some(self.data(DataOp::Lightweight));
        }
    }

    /// Sends what the data model has found.
    pub(super) fn send_lightly(&mut self, result: Result<DataReply, CwmpFault>, now: Now) {
        self.lightweight.asked = None;
        let (Ok(DataReply::Lightweight { parameters }), Some(url), Some(wall)) =
            (result, &self.settings.url, now.wall)
        else {
            return;
        };
        if parameters.is_empty() {
            return;
        }
        let wanted = &self.settings.lightweight;
        let host = if wanted.host.is_empty() { &url.host } else { &wanted.host };
        let (host, port) = (host.clone(), wanted.port);
        let sender = Sender {
            device: &self.device,
            username: &self.settings.username,
            password: &self.settings.password,
            host: &host,
            port,
            seconds: wall.whole_seconds().0 / 1000,
        };
        let random = &mut self.random;
        let mut cnonce = || {
            let mut half = || random.between(0, u64::MAX - 1);
            format!("{:016x}{:016x}", half(), half())
        };
        let (messages, left_out) = sender.messages(&parameters, &mut cnonce);
        self.effects.extend(
            messages
                .into_iter()
                .map(|bytes| Effect::SendDatagram(Datagram { host: host.clone(), port, bytes })),
        );
        self.trace_lightly(&parameters, &left_out);
    }

    fn trace_lightly(&mut self, parameters: &[ParameterValueStruct], left_out: &[&str]) {
        let sent = parameters.len() - left_out.len();
        self.trace(Level::Info, format!("lightweight notification of {sent} parameters"));
        for name in left_out {
            let most = limits::LIGHTWEIGHT_PARAMETER;
            let text = format!("{name} is not notified: its value is longer than {most} bytes");
            self.trace(Level::Warning, text);
        }
    }
}
