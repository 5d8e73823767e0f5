//! Power cuts, exhaustively: the whole program on a disk that loses power, cut after every single operation of that disk.
//!
//! A seed is a scenario: the calls of an ACS (bootstrap, SetParameterValues, SetParameterAttributes, AddObject,
//! ScheduleInform, Reboot, downloads of firmware and configurations, Upload, ScheduleDownload, CancelTransfer,
//! ChangeDUState, another ACS, FactoryReset) in some order, and the kind of box and store. It runs in virtual time with the real agent, data model,
//! layers and state files ([`cwmpd::workbench`]) on [`cwmp_store::sim::Sim`]; the platform's own files are there too. The
//! run is repeated for each operation of the disk: the power goes before it, and the box starts again on each of the disks
//! that may be left, and on the disk as it is where the program alone has died. Some of these runs are cut a second time.
//! Each such run goes on to the end of the scenario. In further runs each operation fails once because the disk is full.
//!
//! `book` holds the box to this, in every run:
//! * what was answered holds: values with their ParameterKey, attributes, rows with their numbers, `M Reboot`,
//!   `M ScheduleInform`, one TransferComplete for each transfer and one DUStateChangeComplete for each ChangeDUState, the
//!   factory reset and its `0 BOOTSTRAP`;
//! * what was called and not answered has happened as a whole or not at all;
//! * nothing is invented or told again once the box has gone on after the answer of the ACS; a TransferComplete that is
//!   repeated is the same;
//! * a TransferComplete says what is true of the box: which image runs, which configuration is in force; a
//!   DUStateChangeComplete, whether the unit is there; and no unit that the ACS has ordered is told as one that it has not;
//! * every start succeeds, no file counts as damaged, and a session that changes nothing writes nothing.
//!
//! Left out on purpose: modes of files, which the simulated disk does not have; operations of the store's thread and of the
//! data model that are interleaved with each other (they are in different folders, whose names are lost independently in any
//! case); changes that wait to be confirmed and changes over several places, whose journal has such tests of its own.

mod acs;
mod book;
mod calls;
mod device;
mod expected;
mod jobs;
pub mod killed;
mod observer;
mod plan;
mod promise;
mod world;

use std::{
    fmt,
    io::ErrorKind,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use cwmp_store::sim::Sim;

use self::{
    device::Memory,
    world::{Begin, End, Outside, Story, World, new_disk},
};
use crate::simulate::dice::Dice;

/// Most disks that a cut leaves of which each is tried; of more, as many are drawn.
const DISKS: usize = 9;
/// One of so many runs is cut a second time.
const SECOND_CUTS: u64 = 3;
/// Within so many operations after the first cut.
const SECOND_CUT_WITHIN: u64 = 60;

/// What is done to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The power goes: the disk with this number of those that may be left.
    Cut(usize),
    /// The program dies, the box stays up.
    Crash,
    /// The operation fails for lack of room.
    Full,
    /// Nothing.
    Calm,
}

/// Names one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The scenario.
    pub seed: u64,
    /// Which operation of the disk.
    pub operation: usize,
    /// What becomes of it.
    pub fate: Fate,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.seed, self.operation)?;
        match self.fate {
            Fate::Cut(disk) => write!(f, "{disk}"),
            Fate::Crash => f.write_str("crash"),
            Fate::Full => f.write_str("full"),
            Fate::Calm => f.write_str("calm"),
        }
    }
}

impl std::str::FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not SEED:OPERATION:DISK");
        let mut words = text.split(':');
        let mut word = || words.next().ok_or_else(wrong);
        let (seed, operation, fate) = (word()?, word()?, word()?);
        let fate = match fate {
            "crash" => Fate::Crash,
            "full" => Fate::Full,
            "calm" => Fate::Calm,
            number => Fate::Cut(number.parse().map_err(|_| wrong())?),
        };
        let seed = seed.parse().map_err(|_| wrong())?;
        Ok(Self { seed, operation: operation.parse().map_err(|_| wrong())?, fate })
    }
}

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Where.
    pub point: Point,
    /// Which.
    pub finding: String,
    /// What happened, oldest first; empty unless it was asked for.
    pub story: Vec<String>,
}

/// The operations of the disk in the undisturbed run of this scenario.
///
/// # Errors
/// [`Broken`] where that run itself breaks something.
pub fn operations(seed: u64) -> Result<usize, Broken> {
    let point = Point { seed, operation: 0, fate: Fate::Calm };
    let disk = new_disk();
    let run = World::run(Outside::new(seed, None).into(), Arc::clone(&disk), Begin::Boot, Memory::default());
    match guarded(run) {
        Ok(_) => Ok(disk.operations()),
        Err(finding) => Err(Broken { point, finding, story: Vec::new() }),
    }
}

/// All runs in which something becomes of this operation. Gives their number and what was broken.
#[must_use]
pub fn at_operation(seed: u64, operation: usize) -> (usize, Vec<Broken>) {
    let mut broken = Vec::new();
    let mut note = |fate: Fate, result: Result<(), String>| {
        let point = Point { seed, operation, fate };
        broken.extend(result.err().map(|finding| Broken { point, finding, story: Vec::new() }));
    };
    note(Fate::Full, fails_once(seed, operation, None));
    let Left { out, memory, disk } = match cut(seed, operation, None) {
        Ok(Some(left)) => left,
        Ok(None) => return (1, broken),
        Err(finding) => {
            note(Fate::Calm, Err(finding));
            return (1, broken);
        }
    };
    let disks = disk.after_cut();
    let chosen = choose(disks.len(), seed, operation);
    for number in &chosen {
        if let Some(left) = disks.get(*number) {
            let point = Point { seed, operation, fate: Fate::Cut(*number) };
            let left = Left { out: out.clone(), memory: Memory::default(), disk: Arc::clone(left) };
            note(point.fate, go_on(left, point));
        }
    }
    let point = Point { seed, operation, fate: Fate::Crash };
    note(point.fate, go_on(Left { out, memory, disk: disk.after_crash() }, point));
    (chosen.len() + 2, broken)
}

/// One run with its story.
///
/// # Errors
/// [`Broken`] where it breaks something.
pub fn replay(point: Point) -> Result<Vec<String>, Broken> {
    let story = Story::default();
    let Point { seed, operation, fate } = point;
    let result = match fate {
        Fate::Full => fails_once(seed, operation, Some(&story)),
        Fate::Calm => {
            let out = Outside::new(seed, Some(&story));
            to_the_end(World::run(out.into(), new_disk(), Begin::Boot, Memory::default()))
        }
        Fate::Cut(number) => cut(seed, operation, Some(&story)).and_then(|left| {
            let left = left.ok_or("the scenario has no such operation")?;
            let disk = left.disk.after_cut().get(number).cloned().ok_or("a cut there leaves no such disk")?;
            go_on(Left { disk, memory: Memory::default(), ..left }, point)
        }),
        Fate::Crash => cut(seed, operation, Some(&story)).and_then(|left| {
            let left = left.ok_or("the scenario has no such operation")?;
            go_on(Left { disk: left.disk.after_crash(), ..left }, point)
        }),
    };
    let story = story.take();
    match result {
        Ok(()) => Ok(story),
        Err(finding) => Err(Broken { point, finding, story }),
    }
}

/// What a cut leaves.
struct Left {
    out: Box<Outside>,
    /// The memory of the box, for a program that has died alone.
    memory: Memory,
    disk: Arc<Sim>,
}

/// Runs the scenario until the power goes before this operation; `None` where it ends before.
fn cut(seed: u64, operation: usize, story: Option<&Story>) -> Result<Option<Left>, String> {
    let disk = new_disk();
    disk.cut_at(operation);
    let run = World::run(Outside::new(seed, story).into(), Arc::clone(&disk), Begin::Boot, Memory::default());
    Ok(match guarded(run)? {
        End::Done => None,
        End::Cut(mut out, memory) => {
            out.book.disturbed = true;
            out.tell(|| "THE END".to_owned());
            Some(Left { out, memory, disk })
        }
    })
}

/// Goes on after the cut of this point, perhaps over a second one.
fn go_on(left: Left, point: Point) -> Result<(), String> {
    let Left { mut out, memory, disk } = left;
    let (begin, fate) = match point.fate {
        Fate::Cut(number) => (Begin::Boot, number as u64),
        Fate::Crash | Fate::Full | Fate::Calm => (Begin::Again, 1 << 11),
    };
    out.book.crashed = point.fate == Fate::Crash;
    let mut dice = Dice::new((point.seed << 40) ^ ((point.operation as u64) << 12) ^ fate);
    out.dice = dice.clone();
    if dice.below(SECOND_CUTS) == 0 {
        disk.cut_at(usize::try_from(dice.below(SECOND_CUT_WITHIN)).unwrap_or(0));
    }
    // The runs of other fates are to find it as it was.
    let memory = Memory::new(memory.borrow().clone().into());
    match guarded(World::run(out, Arc::clone(&disk), begin, memory))? {
        End::Done => Ok(()),
        End::Cut(mut out, _) => {
            out.tell(|| "THE POWER IS GONE AGAIN".to_owned());
            let disks = disk.after_cut();
            let number = usize::try_from(dice.below(disks.len() as u64)).unwrap_or(0);
            let Some(disk) = disks.get(number) else { return Ok(()) };
            to_the_end(World::run(out, Arc::clone(disk), Begin::Boot, Memory::default()))
        }
    }
}

/// Runs the scenario with an operation that fails once.
fn fails_once(seed: u64, operation: usize, story: Option<&Story>) -> Result<(), String> {
    let disk = new_disk();
    disk.fail_at(operation, ErrorKind::StorageFull);
    let mut out = Outside::new(seed, story);
    (out.book.disturbed, out.book.full) = (true, true);
    to_the_end(World::run(out.into(), disk, Begin::Boot, Memory::default()))
}

fn to_the_end(run: impl Future<Output = Result<End, String>>) -> Result<(), String> {
    match guarded(run)? {
        End::Done => Ok(()),
        End::Cut(..) => Err("the power is gone, and nobody has cut it".to_owned()),
    }
}

/// Runs it on this thread; a panic is a finding.
fn guarded<T>(run: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let run = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run)));
    run.unwrap_or_else(|_| Err("a panic, see above".to_owned()))
}

/// Which disks are tried, of so many: all of few; of more the first, the last, and others by chance.
fn choose(disks: usize, seed: u64, operation: usize) -> Vec<usize> {
    if disks <= DISKS {
        return (0..disks).collect();
    }
    let mut dice = Dice::new(seed ^ ((operation as u64) << 20));
    let mut chosen = vec![0, disks - 1];
    while chosen.len() < DISKS {
        let number = usize::try_from(dice.below(disks as u64)).unwrap_or(0);
        if !chosen.contains(&number) {
            chosen.push(number);
        }
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_reads_as_written() {
        for fate in [Fate::Cut(12), Fate::Crash, Fate::Full, Fate::Calm] {
            let point = Point { seed: 3, operation: 40, fate };
            assert_eq!(point.to_string().parse(), Ok(point));
        }
        for wrong in ["", "1:2", "a:1:1", "1:2:never"] {
            assert!(wrong.parse::<Point>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_scenario_runs_to_its_end_and_a_few_cuts_break_nothing() {
        let operations = operations(0).unwrap();
        assert!(operations > 200, "{operations}");
        for operation in (0..operations).step_by(operations / 4) {
            let (points, broken) = at_operation(0, operation);
            assert!(points > 2 && broken.is_empty(), "{broken:?}");
        }
    }
}
