//! What a cut may leave of a disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::State;

/// Most pending changes of names of which every combination is looked at.
pub(super) const ALL_SUBSETS: usize = 6;
/// Combinations that are drawn where there are more, beside the changes in their order up to each.
const SAMPLES: usize = 48;
/// Mixtures of outcomes that are drawn where more than one file was not fsynced.
const MIXTURES: usize = 4;

/// A disk: content by name.
type Disk = BTreeMap<PathBuf, Vec<u8>>;

/// What becomes of content that was not fsynced.
#[derive(Clone, Copy)]
enum Torn {
    Nothing,
    Half,
    All,
    Garbage,
}

const OUTCOMES: [Torn; 4] = [Torn::Nothing, Torn::Half, Torn::All, Torn::Garbage];

/// Every disk that a cut in this state may leave behind, as far as they are counted, each once.
pub(super) fn left_behind(state: &State) -> BTreeSet<Disk> {
    // Other cuts draw other samples.
    let mut dice = Dice(u32::try_from(state.operations).unwrap_or(0) ^ 0x9e37_79b9);
    let mut disks = BTreeSet::new();
    let trees: BTreeSet<BTreeMap<PathBuf, usize>> =
        subsets(state.pending.len(), &mut dice).into_iter().map(|subset| names(state, &subset)).collect();
    for tree in trees {
        let torn: BTreeSet<usize> = tree.values().copied().filter(|inode| is_torn(state, *inode)).collect();
        if torn.is_empty() {
            disks.insert(disk(state, &tree, &|_| Torn::All));
            continue;
        }
        for outcome in OUTCOMES {
            disks.insert(disk(state, &tree, &|_| outcome));
        }
        if torn.len() > 1 {
            for _ in 0..MIXTURES {
                let drawn: BTreeMap<usize, Torn> =
                    torn.iter().map(|inode| (*inode, dice.outcome())).collect();
                disks.insert(disk(state, &tree, &|inode| drawn.get(&inode).copied().unwrap_or(Torn::All)));
            }
        }
    }
    disks
}

/// Which of the pending changes reach the disk.
fn subsets(pending: usize, dice: &mut Dice) -> Vec<Vec<bool>> {
    if pending <= ALL_SUBSETS {
        return (0..1_u32 << pending)
            .map(|subset| (0..pending).map(|bit| subset >> bit & 1 == 1).collect())
            .collect();
    }
    let in_order = (0..=pending).map(|reached| (0..pending).map(|at| at < reached).collect());
    let mut all: Vec<Vec<bool>> = in_order.collect();
    all.extend((0..SAMPLES).map(|_| (0..pending).map(|_| dice.next() & 1 == 1).collect()));
    all
}

fn names(state: &State, reached: &[bool]) -> BTreeMap<PathBuf, usize> {
    let mut names = state.on_disk.clone();
    for (change, _) in state.pending.iter().zip(reached).filter(|(_, reached)| **reached) {
        change.apply(&mut names);
    }
    names
}

fn is_torn(state: &State, inode: usize) -> bool {
    state.inodes.get(inode).is_some_and(|inode| inode.durable < inode.content.len())
}

fn disk(state: &State, names: &BTreeMap<PathBuf, usize>, outcome: &dyn Fn(usize) -> Torn) -> Disk {
    let kept = |inode: usize| {
        let Some(content) = state.inodes.get(inode) else { return Vec::new() };
        let (durable, rest) =
            content.content.split_at_checked(content.durable).unwrap_or((&content.content, &[]));
        let mut kept = durable.to_vec();
        match outcome(inode) {
            Torn::Nothing => {}
            Torn::Half => kept.extend(rest.iter().take(rest.len() / 2)),
            Torn::All => kept.extend(rest),
            // As long as the content, and nothing of it.
            Torn::Garbage => kept.extend(rest.iter().map(|byte| byte ^ 0xa5)),
        }
        kept
    };
    names.iter().map(|(name, inode)| (name.clone(), kept(*inode))).collect()
}

/// xorshift32: chance that is the same each time.
struct Dice(u32);

impl Dice {
    fn next(&mut self) -> u32 {
        for shift in [13, -17, 5_i32] {
            self.0 ^= if shift < 0 { self.0 >> shift.unsigned_abs() } else { self.0 << shift.unsigned_abs() };
        }
        // The lowest bits of such a generator are its weakest.
        self.0 >> 8
    }

    fn outcome(&mut self) -> Torn {
        let at = usize::try_from(self.next()).unwrap_or(0) % OUTCOMES.len();
        OUTCOMES.get(at).copied().unwrap_or(Torn::All)
    }
}
