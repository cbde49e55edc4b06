//! What is asked for on the command line.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Arg, Command, value_parser};

use crate::faults::Fault;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The server's program.
    pub(crate) server: PathBuf,
    /// Where the services are written down.
    pub(crate) services: PathBuf,
    /// Where each run has its folder.
    pub(crate) out: PathBuf,
    pub(crate) seeds: Vec<u64>,
    /// Each run's faults.
    pub(crate) runs: Vec<Vec<Fault>>,
    pub(crate) gateways: usize,
    /// None: all nodes do everything.
    pub(crate) workers: usize,
    pub(crate) dialogs: usize,
    pub(crate) operators: usize,
    /// What is said in a second, by all together.
    pub(crate) rate: usize,
    /// Planted bugs: then the proof fails unless it finds something.
    pub(crate) sabotage: Option<String>,
}

/// The runs of the short form, for CI.
const SHORT: [&[Fault]; 4] = [
    &[Fault::GatewayKilled, Fault::PrimaryKilled],
    &[Fault::WorkerKilled, Fault::StoreFlushed],
    &[Fault::BrokerKilled, Fault::LinesDead],
    &[Fault::RollingRestart],
];

/// The pairs of the long form.
const PAIRS: [&[Fault]; 10] = [
    &[Fault::GatewayKilled, Fault::WorkerKilled],
    &[Fault::GatewayKilled, Fault::PrimaryKilled],
    &[Fault::WorkerKilled, Fault::BrokerKilled],
    &[Fault::WorkerKilled, Fault::SuffixLost],
    &[Fault::WorkerPaused, Fault::PrimaryPaused],
    &[Fault::BrokerKilled, Fault::PrimaryKilled],
    &[Fault::StoreFlushed, Fault::GatewayKilled],
    &[Fault::StoreAway, Fault::Storm],
    &[Fault::RollingRestart, Fault::PrimaryKilled],
    &[Fault::LinesDead, Fault::WorkerKilled],
];

impl Options {
    pub(crate) fn read() -> Result<Self> {
        let number = |name: &'static str, help: &'static str, default: &'static str| {
            Arg::new(name)
                .long(name)
                .help(help)
                .default_value(default)
                .value_parser(value_parser!(u64))
        };
        let path = |name: &'static str, help: &'static str| {
            Arg::new(name)
                .long(name)
                .help(help)
                .required(true)
                .value_parser(value_parser!(PathBuf))
        };
        let asked =
            Command::new("chatcore-prove")
                .about("Real servers under faults, judged by the checkers of the simulation")
                .arg(path("server", "The server's program"))
                .arg(path("services", "The services' state.json"))
                .arg(path("out", "Where each run has its folder"))
                .arg(number("seed", "The first seed", "1"))
                .arg(number("seeds", "So many seeds", "1"))
                .arg(number("gateways", "Nodes that take sessions", "2"))
                .arg(number(
                    "workers",
                    "Nodes that decide; 0: the others do it",
                    "2",
                ))
                .arg(number("dialogs", "Customers, each with a dialog", "40"))
                .arg(number("operators", "Operators", "6"))
                .arg(number("rate", "What is said in a second by all", "100"))
                .arg(Arg::new("faults").long("faults").help(
                    "`short`, `long`, or faults after commas; `a+b` does two at once [short]",
                ))
                .arg(
                    Arg::new("sabotage")
                        .long("sabotage")
                        .help("Plants bugs, by their switches"),
                )
                .get_matches();
        let number = |name: &str| -> Result<u64> {
            let value = asked.get_one::<u64>(name).copied();
            value.with_context(|| format!("--{name} has no value"))
        };
        let size = |name: &str| -> Result<usize> { Ok(usize::try_from(number(name)?)?) };
        let path = |name: &str| -> Result<PathBuf> {
            let value = asked.get_one::<PathBuf>(name).cloned();
            value.with_context(|| format!("--{name} has no value"))
        };
        let text = |name: &str| asked.get_one::<String>(name).cloned();
        let first = number("seed")?;
        let options = Self {
            server: path("server")?,
            services: path("services")?,
            out: path("out")?,
            seeds: (first..first + number("seeds")?).collect(),
            runs: runs(text("faults").as_deref().unwrap_or("short"))?,
            gateways: size("gateways")?,
            workers: size("workers")?,
            dialogs: size("dialogs")?,
            operators: size("operators")?,
            rate: size("rate")?,
            sabotage: text("sabotage"),
        };
        if options.gateways == 0 || options.dialogs == 0 || options.operators == 0 {
            bail!("expected at least one gateway, one dialog and one operator");
        }
        Ok(options)
    }
}

fn runs(words: &str) -> Result<Vec<Vec<Fault>>> {
    let lists = |lists: &[&[Fault]]| lists.iter().map(|list| list.to_vec()).collect();
    match words {
        "short" => Ok(lists(&SHORT)),
        "long" => {
            let alone = Fault::ALL.into_iter().map(|fault| vec![fault]);
            Ok(alone.chain(lists(&PAIRS)).collect())
        }
        words => words.split(',').map(one_run).collect(),
    }
}

fn one_run(words: &str) -> Result<Vec<Fault>> {
    let fault = |name| {
        Fault::named(name).with_context(|| {
            let known: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
            format!("`{name}` is no fault; expected one of {}", known.join(", "))
        })
    };
    words.split('+').map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_by_their_names() {
        for fault in Fault::ALL {
            assert_eq!(runs(fault.name()).unwrap(), [[fault]]);
        }
        let two = runs("calm,storm+store-away").unwrap();
        assert_eq!(
            two,
            [vec![Fault::Calm], vec![Fault::Storm, Fault::StoreAway]]
        );
        assert!(
            runs("flood")
                .unwrap_err()
                .to_string()
                .contains("is no fault")
        );
    }

    #[test]
    fn the_long_form_has_each_fault_alone_and_ten_pairs() {
        let runs = runs("long").unwrap();
        assert_eq!(runs.len(), Fault::ALL.len() + 10);
    }
}
