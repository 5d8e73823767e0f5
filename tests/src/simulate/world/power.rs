//! The power of the box: how it goes, and what the program finds when it comes back.

use cwmp_core::{
    agent::Agent,
    io::{Abilities, BootCause, Input, Start},
    job::{DownloadType, UploadType},
    rpc::DeviceId,
};

use super::{BOOT_MS, Happening, World, storage::Store};

impl World {
    /// The power goes, or the program crashes. A write that is under way may have been finished, and nobody has been told.
    pub(super) fn cut(&mut self) {
        if self.dice.below(2) == 0 {
            self.finish_writes();
        }
        let crash = self.dice.below(3) == 0;
        // The state names the boot that it was written in: before the first write of a boot, a crash looks like another boot.
        let cause = if crash && self.written_since_boot { BootCause::AgentRestart } else { BootCause::Boot };
        let what = if crash { "the program crashes" } else { "POWER CUT" };
        self.power_off(what, cause);
    }

    pub(super) fn power_off(&mut self, what: &str, next: BootCause) {
        self.tell(|| what.to_owned());
        self.powered = false;
        self.agent = Agent::new();
        self.queue.clear();
        self.break_jobs_off(next);
        self.connection = None;
        self.store = Store::default();
        self.data.forget_work();
        self.snapshots.clear();
        let after = self.dice.between(10, 60_000);
        self.at(after, Happening::PowerUp(next));
        self.at(after + 1_000, Happening::Stir);
    }

    pub(super) fn power_up(&mut self, cause: BootCause) {
        if cause == BootCause::Boot && self.dice.below(3) == 0 {
            self.now.wall = None;
        }
        if cause == BootCause::Boot {
            self.written_since_boot = false;
            self.boot_image();
            let before = std::mem::replace(&mut self.uptime_from, self.now.mono.0.saturating_sub(BOOT_MS));
            self.check.clock_begins_anew(self.uptime_from - before, self.box_time());
        }
        self.powered = true;
        self.tell(|| format!("start after {cause:?}"));
        let mut state = self.stored.clone();
        if cause == BootCause::Boot {
            // What the program does: the state is then that of this boot, as soon as it is written.
            self.boots += 1;
            state.boot_id = self.boots.to_string();
        }
        let start = Start {
            device: DeviceId {
                manufacturer: "Example".to_owned(),
                oui: "00D09E".to_owned(),
                product_class: "Box".to_owned(),
                serial_number: "1".to_owned(),
            },
            settings: self.settings.clone(),
            state,
            cause,
            seed: self.dice.next(),
            abilities: Abilities {
                reboot: true,
                factory_reset: true,
                downloads: vec![DownloadType::Firmware, DownloadType::Configuration],
                uploads: vec![UploadType::Log(None)],
                ..Abilities::default()
            },
            image: self.jobs.image.clone(),
        };
        self.feed(Input::Started(Box::new(start)), None);
    }
}
