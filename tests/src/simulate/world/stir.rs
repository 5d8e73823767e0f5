//! What happens on the box by itself, or because somebody does something to it.

use cwmp_core::{
    agent::LocalTransfer,
    event::{EventCode, EventStruct},
    io::{Input, LocalCommand, Via},
    job::Diagnostic,
    rpc::{CommandKey, ParameterValueStruct, RequestDownload},
    time::Wall,
};

use super::{Happening, World, url};
use crate::simulate::acs::transfers::{self, Goods};

impl World {
    /// Something happens on the box, or somebody does something to it.
    pub(super) fn stir(&mut self) {
        if self.calm {
            // What nobody has promised may still come, or not: only time tells.
            self.at(300_000, Happening::Stir);
            if self.powered {
                self.feed(Input::BoxIdle(true), None);
            }
            return;
        }
        let after = self.dice.between(self.mood.stir_ms / 4, self.mood.stir_ms);
        self.at(after, Happening::Stir);
        match self.dice.below(30) {
            0..5 => self.feed(Input::ConnectionRequest(Via::Http), None),
            5..9 => {
                self.data.change();
                self.feed(Input::WatchedChanged, None);
            }
            9 => self.data.change(),
            10 | 11 => self.feed(Input::Command(LocalCommand::Inform), None),
            12 | 13 => self.feed(Input::Command(LocalCommand::AcsMethods), None),
            14 | 15 => self.step_clock(),
            16 => {
                let value = url(self.dice.below(3)).to_owned();
                let name = "Device.ManagementServer.URL".to_owned();
                if let Some(settings) = self.set(&ParameterValueStruct { name, value_type: None, value }) {
                    self.feed(Input::SettingsChanged(settings), None);
                }
            }
            17 if self.dice.below(3) == 0 => self.feed(Input::Command(LocalCommand::Reboot), None),
            18 if self.dice.below(6) == 0 => self.feed(Input::Command(LocalCommand::FactoryReset), None),
            19..22 => {
                let idle = self.dice.below(2) == 0;
                self.feed(Input::BoxIdle(idle), None);
            }
            22 => self.confirm(),
            23 | 24 => self.local_transfer(),
            25 => {
                let file_type = "1 Firmware Upgrade Image".to_owned();
                let wanted = RequestDownload { file_type, args: Vec::new() };
                self.feed(Input::Command(LocalCommand::RequestDownload(Box::new(wanted))), None);
            }
            26 => {
                let diagnostic = Diagnostic::IpPing;
                let input = match self.dice.below(3) {
                    0 => Input::DiagnosticWithdrawn(diagnostic),
                    n => Input::DiagnosticRequested { diagnostic, by_acs: n == 1 },
                };
                self.feed(input, None);
            }
            27 => self.vendor_event(),
            28 => self.feed(Input::LightweightChanged, None),
            // A wake-up that nobody has asked for does no harm.
            _ if self.powered => self.wake(),
            _ => {}
        }
    }

    /// Somebody agrees to a download that waits for that, or to none.
    fn confirm(&mut self) {
        let transfers = self.agent.status(self.box_time()).transfers;
        let asks = transfers.into_iter().find(|transfer| transfer.asks.is_some());
        let key = CommandKey::new(asks.map_or_else(String::new, |transfer| transfer.command_key));
        self.feed(Input::Command(LocalCommand::ConfirmDownload(key.unwrap_or_default())), None);
    }

    fn local_transfer(&mut self) {
        let (goods, url) = (Goods::roll(&mut self.dice), transfers::url(&mut self.dice));
        let order = LocalTransfer {
            download: goods != Goods::Upload,
            file_type: goods.file_type().to_owned(),
            url,
            username: String::new(),
            password: String::new(),
            target_file_name: String::new(),
        };
        self.feed(Input::Command(LocalCommand::Transfer(Box::new(order))), None);
    }

    fn vendor_event(&mut self) {
        let n = self.dice.below(4);
        let (code, key) = match n {
            0 => ("X CWMPD something", String::new()),
            1 => ("X CWMPD other", String::new()),
            _ => ("M X_CWMPD_Go", format!("v{}", self.dice.below(1_000_000_000))),
        };
        let event = EventStruct::with_key(EventCode::parse(code), CommandKey::new(key).unwrap_or_default());
        self.feed(Input::VendorEvent(event), None);
    }

    fn step_clock(&mut self) {
        let years = i64::try_from(self.dice.below(41)).unwrap_or(0) - 20;
        let odd = i64::try_from(self.dice.below(86_400_000)).unwrap_or(0);
        let from = self.now.wall.map_or(1_700_000_000_000, |wall| wall.0);
        self.now.wall = Some(Wall(from + years * 31_556_952_000 + odd));
        self.tell(|| "the clock is set".to_owned());
        self.feed(Input::ClockStepped, None);
    }
}
