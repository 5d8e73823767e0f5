//! The real program, killed at random moments while the ACS sets, adds, schedules, restarts, resets and transfers: nothing that
//! was promised is lost, and nothing is invented.
//!
//! A start in the sandbox is a boot, so each kill is a power cut of the box as the program sees it; the files are real.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{SystemTime, UNIX_EPOCH};

use cwmpd_tests::powercut::killed;

const KILLS: usize = 200;
/// Those of the program as two processes.
const KILLS_OF_TWO: usize = 60;

/// `CWMPD_KILL_SEED` chooses what is called and when the program is killed; else every run is another one.
fn seed() -> u64 {
    let given = std::env::var("CWMPD_KILL_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

/// Conformance: 3.05, 4.13, 7.18, 7.27, 7.28, 8.14
#[tokio::test]
async fn killed_two_hundred_times_it_keeps_what_it_has_promised_and_invents_nothing() {
    let seed = seed();
    println!("CWMPD_KILL_SEED={seed}");
    let lives =
        killed::run(seed, KILLS, false).await.unwrap_or_else(|finding| panic!("seed {seed}: {finding}"));
    println!("{KILLS} kills: {lives:?}");
    // It has been alive long enough to promise something, and was killed in the midst of it often enough.
    assert!(
        lives.sessions > KILLS / 2 && lives.broken > KILLS / 20 && lives.promises > KILLS / 5,
        "{lives:?}"
    );
}

/// Conformance: 3.05, 4.13, 7.18, 7.27, 7.28, 8.14
#[tokio::test]
async fn whichever_of_two_processes_is_killed_nothing_is_lost_and_nothing_invented() {
    let seed = seed();
    println!("CWMPD_KILL_SEED={seed}");
    let lives = killed::run(seed, KILLS_OF_TWO, true).await;
    let lives = lives.unwrap_or_else(|finding| panic!("seed {seed}: {finding}"));
    println!("{KILLS_OF_TWO} kills: {lives:?}");
    assert!(
        lives.sessions > KILLS_OF_TWO / 2
            && lives.promises > KILLS_OF_TWO / 10
            && lives.protocol_ends > KILLS_OF_TWO / 10,
        "{lives:?}"
    );
}
