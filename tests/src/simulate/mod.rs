//! The agent as a whole against a world made of chance: a random ACS, a random network, a random box.
//!
//! One seed is one world. [`run`] lets it run its course in virtual time: first a time of trouble (lost connections,
//! nonsense from the ACS, power cuts, slow and failing writes and jobs, clocks that jump), then one in which everything works. A
//! checker watches every input and every effect and keeps its own book of what the box owes its ACS; see `check`. The
//! same seed always tells the same story.
//!
//! What the checker holds the agent to:
//! * no event that must be kept is lost, none is invented, and none is told again once its InformResponse is stored;
//! * `0 BOOTSTRAP` comes on first contact, after a factory reset and when the URL has changed, and never else;
//! * RebootResponse and FactoryResetResponse leave the box only when the promise is on stable storage, a promised restart
//!   happens after the session, and `M Reboot` is then reported with its key;
//! * ScheduleInformResponse leaves the box only when the call is stored, which is then reported exactly once with its key,
//!   together with `3 SCHEDULED`, not before its delay has passed, and not later where the box can know the time;
//! * RetryCount counts the failed attempts since the last success, over reboots too, and waits keep to their table;
//! * one session at a time, Inform first, nothing after its end, IDs and HoldRequests kept, fault 8005 repeated;
//! * whatever must survive is handed to the store before the agent rests, and nothing is written without need;
//! * an order is answered only when it is stored, and ends in one outcome that is true (firmware by the image that then runs),
//!   is stored before it is told, never told in two ways, and told with its events: `7 TRANSFER COMPLETE` and `M ...` with its
//!   key, `10 AUTONOMOUS TRANSFER COMPLETE` where the policy and the ACS want it; unless it was cancelled, the box was reset or
//!   the ACS is another one;
//! * one transfer at a time, none started during a session, before its delay is over or outside its windows; that a file is
//!   applied is stored before, and meanwhile no session begins and the box does not restart;
//! * `8 DIAGNOSTICS COMPLETE` for those of the ACS that have ended, never for one that was withdrawn;
//! * AutonomousTransferComplete and RequestDownload only to an ACS that lists them;
//! * once everything works the agent tells what it owes and comes to rest, and snapshots are all released.
//!
//! Left out on purpose: the wall-clock timeouts of transport and data model, which belong to their crates, and a store that
//! fails after it has written.

mod acs;
mod check;
mod data;
pub(crate) mod dice;
mod network;
mod owed;
mod periods;
mod story;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is wrong with a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// The promise that was broken.
    pub finding: String,
    /// The last happenings before that, oldest first; empty where the agent panicked.
    pub story: Vec<String>,
}

/// Runs the world of this seed, twice where it breaks something: the second time for the story.
///
/// # Errors
/// [`Broken`] with the first finding.
pub fn run(seed: u64) -> Result<(), Broken> {
    let once = |tell: bool| catch_unwind(AssertUnwindSafe(|| world::World::new(seed, tell).run()));
    match once(false) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => match once(true) {
            Ok(Err((finding, story))) => Err(Broken { seed, finding, story }),
            _ => {
                let finding = "the same seed has told two different stories".to_owned();
                Err(Broken { seed, finding, story: Vec::new() })
            }
        },
        Err(_) => Err(Broken { seed, finding: "a panic, see above".to_owned(), story: Vec::new() }),
    }
}

#[cfg(test)]
mod tests {
    use super::run;

    #[test]
    fn a_few_worlds_hold() {
        for seed in 0..100 {
            assert_eq!(run(seed), Ok(()));
        }
    }
}
