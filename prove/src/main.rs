//! The proof: real servers on a real Kafka and a real Redis with Sentinel, people at real sockets,
//! faults that are really done; and the checkers of the simulation, which judge what people saw by
//! what the journal has.
//!
//! `cargo xtask prove` starts the services and this.
#![allow(
    clippy::print_stdout,
    reason = "it talks to the terminal it was started from"
)]

mod device;
mod faults;
mod http;
mod judge;
mod lines;
mod nodes;
mod options;
mod outgoing;
mod people;
mod quiet;
mod recreated;
mod revoking;
mod run;
mod services;
mod socket;
mod topics;
mod view;
mod wallet;
mod world;

use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};

use faults::Fault;
use judge::Verdict;
use options::Options;
use services::Services;

#[tokio::main]
async fn main() -> ExitCode {
    let proven = tokio::select! {
        proven = prove() => proven,
        // What was started ends with whoever waited for it.
        ended = asked_to_end() => ended.and(Err(anyhow!("it was asked to end"))),
    };
    match proven {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for a signal that asks to end.
async fn asked_to_end() -> Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = term.recv() => Ok(()),
        _ = int.recv() => Ok(()),
    }
}

/// Whether it is proven: nothing was found, or what was planted.
async fn prove() -> Result<bool> {
    let options = Options::read()?;
    let services = Services::read(&options.services)?;
    let mut found = 0;
    let mut table = Verdict::head();
    print!("{table}");
    for seed in &options.seeds {
        for faults in &options.runs {
            let too_few = services.brokers.len() < 3;
            if too_few && faults.iter().any(|fault| fault.needs_brokers()) {
                continue;
            }
            let name = name(faults);
            let folder = options.out.join(format!("{seed}-{name}"));
            let verdict = run::run(&options, &services, faults, *seed, &folder).await;
            let verdict = verdict.with_context(|| format!("{name}, see {}", folder.display()))?;
            let line = verdict.line(&name, *seed);
            println!("{line}");
            table.push_str(&line);
            table.push('\n');
            if !verdict.is_clean() {
                found += 1;
                print!("{verdict}");
                println!("  all of it is in {}", folder.display());
            }
        }
    }
    std::fs::write(options.out.join("table.md"), &table)?;
    match (&options.sabotage, found) {
        (None, 0) => {
            recreated::is_refused(&options, &services).await?;
            println!("a topic that was made anew is refused");
            Ok(true)
        }
        (None, _) => {
            println!("{found} runs did not keep what is promised");
            Ok(false)
        }
        (Some(planted), 0) => {
            println!("{planted} was planted, and not noticed");
            Ok(false)
        }
        (Some(planted), _) => {
            println!("{planted} was planted, and noticed in {found} runs");
            Ok(true)
        }
    }
}

fn name(faults: &[Fault]) -> String {
    let names: Vec<&str> = faults.iter().map(|fault| fault.name()).collect();
    names.join("+")
}
