//! The real program on a real file system, killed again and again.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{SystemTime, UNIX_EPOCH};

use cwmpd_tests::powercut::killed;

const KILLS: usize = 200;

/// `CWMPD_KILLED_SEED` chooses what is called and when the program is killed; else every run is another one.
fn seed() -> u64 {
    let given = std::env::var("CWMPD_KILLED_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

#[tokio::test]
#[ignore = "takes a minute: cargo xtask powercut"]
async fn nothing_is_lost_and_nothing_invented_over_200_kills_at_random_moments() {
    let seed = seed();
    println!("CWMPD_KILLED_SEED={seed}");
    let lives = killed::run(seed, KILLS).await.unwrap_or_else(|finding| panic!("seed {seed}: {finding}"));
    println!("{KILLS} kills: {lives:?}");
    assert!(
        lives.sessions > KILLS / 2 && lives.broken > KILLS / 20 && lives.promises > KILLS / 10,
        "{lives:?}"
    );
}
