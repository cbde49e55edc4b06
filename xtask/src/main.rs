//! The project's chores. `cargo xtask --help` lists them; each chore is a file beside this one.
#![allow(
    clippy::print_stdout,
    reason = "a chore talks to the terminal it was started from"
)]

mod bench;
mod process;
mod project;
mod prove;
mod rules;
mod services;
mod setup;
mod simulate;
mod stages;
mod test;
mod types;
mod websocket;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};
use project::Project;

const HELP: &str = "\
The project's chores.

usage: cargo xtask <chore>

  setup                   bring what the tests need: browser, node packages, python runner, cargo-deny
  test                    set up, then run every stage, and sum up
  test --list             name the stages, what they should take, and their time caps
  test --only <stage>     run this stage alone, without setup; may be given more than once
  websocket               run the Autobahn cases against the server's accept loop
  bench [--quick] [names] load the relay and the server in turn, and print the table of docs/benchmarks.md
  bench nodes [--quick] [--three-brokers]
                          load two gateways and two workers on a Kafka and a Redis of their own
  simulate --seeds N --from S
                          run the core under faults drawn from seeds; more options are in
                          chatcore/examples/simulate.rs
  services up [--brokers 1|3] | down | status
                          an Apache Kafka and a Redis with Sentinel on loopback, for tests
  services with COMMAND   run a command that is told where they are, in CHATCORE_KAFKA and CHATCORE_KEYDB
  prove [--brokers 1|3] [--release] [words of prove/src/options.rs]
                          servers, people and faults on a Kafka and a Redis of their own, judged by
                          the simulation's checkers; --faults long for all of them
  types [--check]         write the types of the pages from the schema of the frames, or only compare
  rules                   check the source against the rules that no compiler knows
";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<ExitCode> {
    let project = Project::find()?;
    match words {
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        ["setup"] => setup::run(&project).map(|()| ExitCode::SUCCESS),
        ["websocket"] => websocket::run_cases(&project).map(|()| ExitCode::SUCCESS),
        ["bench", words @ ..] => bench::run(&project, words).map(|()| ExitCode::SUCCESS),
        ["simulate", words @ ..] => simulate::simulate(&project, words).map(|()| ExitCode::SUCCESS),
        ["prove", words @ ..] => prove::prove(&project, words).map(|()| ExitCode::SUCCESS),
        ["services", words @ ..] => services::run(&project, words).map(|()| ExitCode::SUCCESS),
        ["types"] => types::write(&project).map(|()| ExitCode::SUCCESS),
        ["types", "--check"] => types::check(&project).map(|()| ExitCode::SUCCESS),
        ["rules"] => rules::run(&project),
        ["test", options @ ..] => test::run(&project, &test::Choice::from_words(options)?),
        other => bail!("no chore called `{}`\n\n{HELP}", other.join(" ")),
    }
}
