//! `powercut`: the program on a disk that loses power after every single operation, on all cores. The last line says how many
//! cut points there were and how many broke a promise.
//!
//! `powercut --seeds N [--from S]` runs the scenarios of N seeds; `powercut --only SEED:OPERATION:DISK` one cut point, with
//! its story.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use cwmpd_tests::powercut::{self, Broken, Point};

/// Scenarios where nothing is said.
const SEEDS: u64 = 5;
/// Stories that are printed; of further broken points only the finding.
const STORIES: usize = 2;
/// Last lines of a story that are printed with it.
const STORY_LINES: usize = 60;

enum Order {
    Seeds { from: u64, seeds: u64 },
    Only(Point),
}

fn main() -> ExitCode {
    match arguments() {
        Ok(Order::Only(point)) => only(point),
        Ok(Order::Seeds { from, seeds }) => all(from, seeds),
        Err(error) => {
            eprintln!("powercut: {error}; usage: powercut --seeds N [--from S] | --only SEED:OPERATION:DISK");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<Order, String> {
    let (mut from, mut seeds) = (0, SEEDS);
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(format!("{flag} lacks its value"))?;
        let number = || value.parse().map_err(|_| format!("`{value}` is no number"));
        match flag.as_str() {
            "--seeds" => seeds = number()?,
            "--from" => from = number()?,
            "--only" => return Ok(Order::Only(value.parse()?)),
            other => return Err(format!("there is no flag {other}")),
        }
    }
    Ok(Order::Seeds { from, seeds })
}

fn only(point: Point) -> ExitCode {
    let (story, finding) = match powercut::replay(point) {
        Ok(story) => (story, None),
        Err(broken) => (broken.story, Some(broken.finding)),
    };
    story.iter().for_each(|line| println!("{line}"));
    if let Some(finding) = &finding {
        println!("{point}: {finding}");
    }
    println!("powercut: 1 cut points, {} broken", usize::from(finding.is_some()));
    if finding.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn all(from: u64, seeds: u64) -> ExitCode {
    let (mut work, mut broken) = (Vec::new(), Vec::new());
    for seed in from..from.saturating_add(seeds) {
        match powercut::operations(seed) {
            Ok(operations) => work.extend((0..operations).map(|operation| (seed, operation))),
            Err(calm) => broken.push(calm),
        }
    }
    let (points, found) = run_all(&work);
    broken.extend(found);
    for (n, (finding, points)) in alike(&broken).into_iter().enumerate() {
        let (Some(first), more) = (points.first(), points.len() - 1) else { continue };
        println!(
            "{first}: {finding}{}",
            if more > 0 { format!(" (and at {more} more)") } else { String::new() }
        );
        if n < STORIES
            && let Err(told) = powercut::replay(**first)
        {
            let skipped = told.story.len().saturating_sub(STORY_LINES);
            told.story.iter().skip(skipped).for_each(|line| println!("    {line}"));
        }
    }
    if let Some(first) = broken.first() {
        println!("replay: cargo xtask powercut --only {}", first.point);
    }
    println!("powercut: {points} cut points, {} broken", broken.len());
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The points by what was found there.
fn alike(broken: &[Broken]) -> BTreeMap<&str, Vec<&Point>> {
    let mut findings = BTreeMap::new();
    for Broken { point, finding, .. } in broken {
        findings.entry(finding.as_str()).or_insert_with(Vec::new).push(point);
    }
    findings
}

/// All operations on all cores: the number of runs, and what broke, in the order of the work.
fn run_all(work: &[(u64, usize)]) -> (usize, Vec<Broken>) {
    let (next, points) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let broken = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((seed, operation)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (tried, found) = powercut::at_operation(*seed, *operation);
                    points.fetch_add(tried, Ordering::Relaxed);
                    if let Ok(mut broken) = broken.lock() {
                        broken.extend(found);
                    }
                }
            });
        }
    });
    let mut broken = broken.into_inner().unwrap_or_default();
    broken.sort_by_key(|broken: &Broken| (broken.point.seed, broken.point.operation));
    (points.into_inner(), broken)
}
