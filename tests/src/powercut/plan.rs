//! What happens to the box of one seed: the calls of its ACS in their order, and what kind of box and store it has.

use crate::simulate::dice::Dice;

use super::expected::{CODE, INTERVAL, URL, USER};

/// The ACS that the factory settings name, and the one that it moves the box to.
pub(super) const FIRST_ACS: &str = "http://a.example:7547/";
/// PeriodicInformInterval of the factory settings, in seconds.
pub(super) const FACTORY_INTERVAL: &str = "600";
pub(super) const SECOND_ACS: &str = "http://b.example:7547/";

/// In which order things go on that could go on at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// The store and the data model are faster than the network.
    Eager,
    /// The network is faster: whatever is not waited for is late.
    Lazy,
    /// By chance.
    Mixed,
}

/// What is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum File {
    Configuration,
    /// Whether the image boots; from one that does not, the boot loader goes back.
    Firmware {
        boots: bool,
    },
    /// The server has no such file.
    Missing,
}

impl File {
    const ALL: [(Self, &str); 4] = [
        (Self::Configuration, "conf"),
        (Self::Firmware { boots: true }, "img"),
        (Self::Firmware { boots: false }, "bad"),
        (Self::Missing, "none"),
    ];

    /// How its name ends.
    pub(super) fn extension(self) -> &'static str {
        Self::ALL.iter().find(|(file, _)| *file == self).map_or("", |(_, extension)| extension)
    }

    /// What is at this URL.
    pub(super) fn of(url: &str) -> Self {
        let known = Self::ALL.iter().find(|(_, extension)| url.ends_with(&format!(".{extension}")));
        known.map_or(Self::Missing, |(file, _)| *file)
    }
}

/// A call of the ACS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Set(Vec<(&'static str, String)>),
    Notify(&'static str, i32),
    AddRow,
    /// Sets two parameters of the newest row.
    SetRow,
    DeleteRow,
    ScheduleInform(u32),
    Reboot,
    Download(File),
    /// After so many seconds.
    ScheduleDownload(u32),
    /// Orders a download for much later, and cancels it.
    Cancelled,
    Cancel,
    Upload,
    /// Installs a deployment unit.
    Install,
    FactoryReset,
}

/// The scenario of one seed.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) pace: Pace,
    /// The updater restarts the box by itself.
    pub(super) updater_restarts: bool,
    /// The platform can tell what the box says of itself once an image runs.
    pub(super) image_is_known: bool,
    /// A loaded configuration takes effect with a restart.
    pub(super) load_needs_restart: bool,
    /// A factory reset restarts the box by itself.
    pub(super) reset_restarts: bool,
    /// Most calls of the ACS in one session.
    pub(super) calls: u64,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x5eed_0f00);
        let set = |minutes: u64, user: &str, code: &str| {
            let interval = (minutes * 60).to_string();
            Step::Set(vec![(INTERVAL, interval), (USER, user.to_owned()), (CODE, code.to_owned())])
        };
        let mut steps = vec![
            set(7, "first", "one"),
            Step::Notify(USER, 2),
            Step::AddRow,
            Step::SetRow,
            Step::ScheduleInform(40),
            Step::Reboot,
            Step::Download(File::Configuration),
            Step::Download(File::Firmware { boots: dice.below(4) != 0 }),
            Step::Upload,
            Step::Install,
            Step::ScheduleDownload(20),
            Step::AddRow,
            Step::DeleteRow,
            set(9, "second", "two"),
            Step::Notify(INTERVAL, 1),
            Step::Download(File::Missing),
            Step::Install,
        ];
        if seed > 0 {
            for at in (1..steps.len()).rev() {
                let other = usize::try_from(dice.below(at as u64 + 1)).unwrap_or(at);
                steps.swap(at, other);
            }
        }
        let cancelled = usize::try_from(dice.below(steps.len() as u64)).unwrap_or(0);
        steps.splice(cancelled..cancelled, [Step::Cancelled, Step::Cancel]);
        let moved = usize::try_from(dice.below(steps.len() as u64)).unwrap_or(0);
        steps.insert(moved, Step::Set(vec![(URL, SECOND_ACS.to_owned()), (CODE, "moved".to_owned())]));
        let reset = steps.len() - usize::try_from(dice.below(steps.len() as u64 / 2)).unwrap_or(0);
        steps.insert(reset, Step::FactoryReset);
        steps.push(Step::AddRow);
        steps.push(Step::Reboot);
        Self {
            steps,
            pace: match seed % 3 {
                0 => Pace::Lazy,
                1 => Pace::Mixed,
                _ => Pace::Eager,
            },
            updater_restarts: dice.below(2) == 0,
            image_is_known: dice.below(2) == 0,
            load_needs_restart: dice.below(2) == 0,
            reset_restarts: dice.below(2) == 0,
            calls: dice.between(1, 5),
        }
    }
}
