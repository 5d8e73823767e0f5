//! What happens on the box by itself, or because somebody does something to it.

use cwmp_core::{
    io::{Input, LocalCommand, Via},
    rpc::ParameterValueStruct,
    time::Wall,
};

use super::{Happening, World, url};

impl World {
    /// Something happens on the box, or somebody does something to it.
    pub(super) fn stir(&mut self) {
        if self.calm {
            // What nobody has promised may still come, or not: only time tells.
            self.at(300_000, Happening::Stir);
            return if self.powered {
                self.wake()
            };
        }
        let after = self.dice.between(self.mood.stir_ms / 4, self.mood.stir_ms);
        self.at(after, Happening::Stir);
        match self.dice.below(20) {
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
            // A wake-up that nobody has asked for does no harm.
            _ if self.powered => self.wake(),
            _ => {}
        }
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
