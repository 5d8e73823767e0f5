//! `simulate`: many random worlds for the agent, on all cores. The last line says how many broke a promise.
//!
//! `simulate --seeds N [--from S]` runs N worlds; `simulate --seed X` one, with its story.

use std::{
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use cwmpd_tests::simulate::{self, Broken};

/// Stories that are printed; of further broken seeds only the finding.
const STORIES: usize = 3;

fn main() -> ExitCode {
    let (from, seeds) = match arguments() {
        Ok(range) => range,
        Err(error) => {
            eprintln!("simulate: {error}; usage: simulate --seeds N [--from S] | --seed X");
            return ExitCode::from(2);
        }
    };
    let broken = run_all(from, seeds);
    for (n, broken) in broken.iter().enumerate() {
        println!("seed {}: {}", broken.seed, broken.finding);
        if n < STORIES {
            for line in &broken.story {
                println!("    {line}");
            }
        }
    }
    if let Some(first) = broken.first() {
        println!("replay: cargo xtask simulate --seed {}", first.seed);
    }
    println!("simulate: {seeds} seeds, {} broken", broken.len());
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The first seed and how many.
fn arguments() -> Result<(u64, usize), String> {
    let (mut from, mut seeds) = (0, 10_000);
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(format!("{flag} lacks its number"))?;
        let number: u64 = value.parse().map_err(|_| format!("`{value}` is no number"))?;
        match flag.as_str() {
            "--seeds" => seeds = usize::try_from(number).map_err(|_| format!("{number} is too many"))?,
            "--from" => from = number,
            "--seed" => (from, seeds) = (number, 1),
            other => return Err(format!("there is no flag {other}")),
        }
    }
    Ok((from, seeds))
}

/// All seeds on all cores; what broke, in the order of the seeds.
fn run_all(from: u64, seeds: usize) -> Vec<Broken> {
    let next = AtomicUsize::new(0);
    let broken = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= seeds {
                        return;
                    }
                    if let Err(found) = simulate::run(from.wrapping_add(n as u64))
                        && let Ok(mut broken) = broken.lock()
                    {
                        broken.push(found);
                    }
                }
            });
        }
    });
    let mut broken = broken.into_inner().unwrap_or_default();
    broken.sort_by_key(|broken: &Broken| broken.seed);
    broken
}
