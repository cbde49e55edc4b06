//! The load generator: `load --help`.
#![allow(
    clippy::print_stdout,
    reason = "a run ends with its line on standard output"
)]
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a tool for measuring: a wrong index may end it"
)]

mod board;
mod connect;
mod deaf;
mod figures;
mod frames;
mod history;
mod latency;
mod options;
mod socket;
mod store;
mod storm;
mod talk;
mod target;
mod throughput;

use std::{env, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use options::{HELP, Mode, Options, SECONDS_MAX};
use serde_json::{Value, json};

fn main() -> ExitCode {
    match Options::read(env::args().skip(1))
        .and_then(|options| options.as_ref().map(run).transpose())
    {
        Ok(Some(line)) => println!("{line}"),
        Ok(None) => print!("{HELP}"),
        Err(error) => {
            eprintln!("load: {error:#}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run(options: &Options) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let run = async {
        match options.mode {
            Mode::Latency => latency::run(options).await,
            Mode::Throughput => throughput::run(options).await,
            Mode::Connect => connect::run(options).await,
            Mode::Board => board::run(options).await,
            Mode::Storm => storm::run(options).await,
            Mode::History => history::run(options).await,
            Mode::Deaf => deaf::run(options).await,
        }
    };
    let limit = Duration::from_secs(SECONDS_MAX);
    let mut line = runtime
        .block_on(async { tokio::time::timeout(limit, run).await })
        .context("it takes too long")??;
    line["mode"] = json!(format!("{:?}", options.mode).to_lowercase());
    line["target"] = json!(options.kind.name());
    line["storage"] = json!(options.storage());
    line["dialogs"] = json!(options.dialogs);
    Ok(line)
}
