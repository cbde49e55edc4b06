//! Runs seeds of the simulation and says what they came to; `cargo xtask simulate` builds and
//! calls it.
//!
//! `simulate --seeds N --from S [--jobs J] [--commit REV] [--sabotage NAME] [--runs-max N] [--out DIR]`
//!
//! `--runs-max` bounds the runs in which a failing plan is made smaller; `--out` names a folder for
//! the whole histories of failures.
//!
//! With `--sabotage` the named invariant is broken on purpose, and the first seed in which that is
//! noticed ends it well. `--sabotage all` does it with each in turn, but for those that a run has
//! nothing to notice by.
#![allow(clippy::print_stdout, reason = "it talks to the terminal")]

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use chatcore::{
    sabotage::{self, Switch},
    simulation::{
        Kind, Plan, run,
        shrink::{shrink, signature, tell},
    },
};

/// What a run can't notice, or only by rare luck, and why. Each has a test that does.
const BLIND: [(Switch, &str); 5] = [
    (
        Switch::DurableBeforeFsync,
        "the journal of a run has no disk",
    ),
    (Switch::ArrivalsDropped, REPAIRED),
    (Switch::RenewalCreatesLease, REPAIRED),
    (Switch::CachedRoutes, REPAIRED),
    (
        Switch::SnapshotAhead,
        "a node would have to die between two writes just before the store loses everything",
    ),
];
const REPAIRED: &str = "what is missed is read at the next check of heads, as is promised";

/// What is asked for.
struct Asked {
    from: u64,
    seeds: u64,
    jobs: u64,
    commit: String,
    sabotage: Option<String>,
    runs_max: usize,
    out: Option<PathBuf>,
    faults: bool,
}

/// What has come of it so far.
#[derive(Default)]
struct Sum {
    seeds: u64,
    commands: usize,
    lasted: Duration,
    fired: BTreeMap<Kind, u64>,
    failed: Vec<u64>,
    noticed: Option<(u64, String)>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match asked(&words).and_then(|asked| simulate(&asked)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn asked(words: &[String]) -> Result<Asked, String> {
    let mut asked = Asked {
        from: 1,
        seeds: 100,
        jobs: 1,
        commit: "unknown".to_owned(),
        sabotage: None,
        runs_max: 300,
        out: None,
        faults: true,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--without-faults" {
            asked.faults = false;
            continue;
        }
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|e| format!("{word}: {e}"));
        match word.as_str() {
            "--from" => asked.from = number()?,
            "--seeds" => asked.seeds = number()?,
            "--jobs" => asked.jobs = number()?.max(1),
            "--runs-max" => asked.runs_max = usize::try_from(number()?).unwrap_or(usize::MAX),
            "--commit" => asked.commit.clone_from(value),
            "--out" => asked.out = Some(value.into()),
            "--sabotage" => asked.sabotage = Some(value.clone()),
            other => return Err(format!("no option {other}")),
        }
    }
    Ok(asked)
}

fn simulate(asked: &Asked) -> Result<ExitCode, String> {
    let Some(name) = &asked.sabotage else {
        return Ok(say(asked, &run_seeds(asked)));
    };
    if name != "all" {
        let switch = Switch::by_name(name).ok_or_else(|| {
            let names: Vec<_> = Switch::ALL.iter().map(|s| s.name()).collect();
            format!("no invariant {name:?}; there are {}", names.join(", "))
        })?;
        return Ok(code(is_noticed(asked, switch)));
    }
    let mut all = true;
    for switch in Switch::ALL {
        match BLIND.iter().find(|(blind, _)| *blind == switch) {
            Some((_, why)) => println!("{}: not asked, {why}", switch.name()),
            None => all &= is_noticed(asked, switch),
        }
    }
    Ok(code(all))
}

fn code(is_well: bool) -> ExitCode {
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Breaks it, and runs seeds until that is noticed; answers whether it was.
fn is_noticed(asked: &Asked, switch: Switch) -> bool {
    let broken = sabotage::hold(switch);
    let sum = run_seeds(asked);
    drop(broken);
    let name = switch.name();
    if let Some((seed, by)) = sum.noticed {
        let nth = seed - asked.from + 1;
        println!("{name}: noticed by {by} in seed {seed}, number {nth}");
        return true;
    }
    println!("{name}: NOT noticed in {} seeds", sum.seeds);
    false
}

/// Runs the seeds that are asked for, or, when something is broken, until that is noticed.
fn run_seeds(asked: &Asked) -> Sum {
    let sum = Mutex::new(Sum::default());
    let next = AtomicU64::new(asked.from);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..asked.jobs {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= asked.from + asked.seeds {
                        return;
                    }
                    one(asked, seed, &sum, &stop);
                }
            });
        }
    });
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one seed.
fn one(asked: &Asked, seed: u64, sum: &Mutex<Sum>, stop: &AtomicBool) {
    let plan = match asked.faults {
        true => Plan::draw(seed),
        false => Plan::without_faults(seed),
    };
    let report = match run(&plan) {
        Ok(report) => report,
        Err(error) => {
            println!("seed {seed} could not be run: {error}");
            sum.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .failed
                .push(seed);
            return;
        }
    };
    let signature = signature(&report);
    {
        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
        sum.seeds += 1;
        if sum.seeds.is_multiple_of(1_000) {
            println!("{} seeds, {} failed", sum.seeds, sum.failed.len());
        }
        sum.commands += report.commands;
        let lasted = u64::try_from(report.lasted_ms).unwrap_or(0);
        sum.lasted += Duration::from_millis(lasted);
        for (kind, count) in &report.fired {
            *sum.fired.entry(*kind).or_default() += count;
        }
        match (&signature, &asked.sabotage) {
            (None, _) => return,
            (Some(by), Some(_)) => {
                if sum.noticed.is_none() {
                    sum.noticed = Some((seed, by.clone()));
                }
                stop.store(true, Ordering::Relaxed);
                return;
            }
            (Some(_), None) => sum.failed.push(seed),
        }
    }
    let by = signature.unwrap_or_default();
    println!("seed {seed} at commit {} failed: {by}", asked.commit);
    if let Some(out) = &asked.out {
        let lines = report.history.to_json_lines().unwrap_or_default();
        if let Err(error) = std::fs::write(out.join(format!("seed-{seed}.jsonl")), lines) {
            println!("the history could not be kept: {error}");
        }
    }
    let small = match asked.runs_max {
        0 => plan,
        runs_max => shrink(&plan, &by, runs_max),
    };
    match run(&small) {
        Ok(report) => println!("{}", tell(&small, &report)),
        Err(error) => println!("the smaller plan could not be run: {error}"),
    }
}

/// Sums up.
fn say(asked: &Asked, sum: &Sum) -> ExitCode {
    let fired: Vec<String> = sum.fired.iter().map(|(k, n)| format!("{k} {n}")).collect();
    println!(
        "{} seeds from {}: {} commands, {} s of their own time; faults: {}",
        sum.seeds,
        asked.from,
        sum.commands,
        sum.lasted.as_secs(),
        fired.join(", ")
    );
    if !sum.failed.is_empty() {
        println!("failed: {:?}", sum.failed);
    }
    code(sum.failed.is_empty())
}
