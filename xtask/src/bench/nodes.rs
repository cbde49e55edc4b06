//! `cargo xtask bench nodes`: two gateways and two workers on a Kafka and a Redis of their own.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{ROUNDS, SHORT, table::Rows};
use crate::process;
use crate::project::Project;
use crate::services;

/// What the column is called.
const SIDE: &str = "two gateways, two workers";

/// A run of the load generator, and what of its line is told.
struct Measure {
    name: &'static str,
    words: &'static [&'static str],
    told: &'static [(&'static str, &'static str)],
}

#[rustfmt::skip]
const MEASURES: &[Measure] = &[
    Measure { name: "500/s", words: &["latency", "--rate", "500"], told: LATENCY },
    Measure { name: "2,000/s", words: &["latency", "--rate", "2000"], told: LATENCY },
    Measure { name: "5,000/s", words: &["latency", "--rate", "5000"], told: LATENCY },
    Measure { name: "10,000/s", words: &["latency", "--rate", "10000"], told: LATENCY },
    Measure { name: "closed loop, 4 under way", words: &["throughput", "--outstanding", "4"], told: THROUGHPUT },
];

/// Not told: it lets the broker's JVM compile what it runs, which takes more than the load itself
/// for a while.
const WARM_UP: Measure = Measure {
    name: "warm-up",
    words: &["latency", "--rate", "2000"],
    told: &[],
};

const LATENCY: &[(&str, &str)] = &[
    ("delivery, p50 (ms)", "/delivery/p50_ms"),
    ("delivery, p99 (ms)", "/delivery/p99_ms"),
    ("durable, p50 (ms)", "/durable/p50_ms"),
    ("our CPU per message (µs)", "/server_us_per_message"),
    ("store calls per message", "/store_calls_per_message"),
];

const THROUGHPUT: &[(&str, &str)] = &[
    ("messages/s", "/per_second"),
    ("our CPU per message (µs)", "/server_us_per_message"),
    ("store calls per message", "/store_calls_per_message"),
];

/// Starts the services, loads the nodes, and prints the table.
pub(super) fn run(project: &Project, words: &[&str]) -> Result<()> {
    let (mut brokers, mut is_quick) = (1, false);
    for word in words {
        match *word {
            "--quick" => is_quick = true,
            "--three-brokers" => brokers = 3,
            other => bail!("bench nodes [--quick] [--three-brokers]; not `{other}`"),
        }
    }
    let mut build = project.cargo(&["build", "--release"]);
    build.args(["-p", "chatcore-benches", "-p", "chatcore-server"]);
    process::run(build.args(["--features", "chatcore-server/kafka,chatcore-server/keydb"]))?;
    let folder = project.path("target/bench-services");
    services::of_its_own(project, folder, brokers, |state| {
        let mut rows = Rows::default();
        once(project, &WARM_UP, state, brokers, false)?;
        for measure in MEASURES {
            for _ in 0..if is_quick { 1 } else { ROUNDS } {
                let Some(line) = once(project, measure, state, brokers, is_quick)? else {
                    continue;
                };
                println!("{line}");
                for (told, place) in measure.told {
                    let label = format!("{}: {told}", measure.name);
                    rows.note(&label, SIDE, line.pointer(place).and_then(Value::as_f64));
                }
                rows.machine(&line);
            }
        }
        print!("{}", rows.column(SIDE));
        Ok(())
    })
}

/// None when the nodes could not keep up: a rate is too high, which is a result as well.
fn once(
    project: &Project,
    measure: &Measure,
    state: &Path,
    brokers: u16,
    is_quick: bool,
) -> Result<Option<Value>> {
    let state: Value = serde_json::from_slice(&fs::read(state)?)?;
    let kafka = state.get("kafka").and_then(Value::as_str);
    let mut daemons = state.get("daemons").and_then(Value::as_array).into_iter();
    // The one that was started as the primary; nothing has failed here.
    let primary = daemons.by_ref().flatten().find_map(|daemon| {
        let is_first = daemon.get("name").and_then(Value::as_str) == Some("redis-1");
        daemon
            .get("port")
            .and_then(Value::as_u64)
            .filter(|_| is_first)
    });
    let (Some(kafka), Some(primary)) = (kafka, primary) else {
        bail!("the services' state.json names no Kafka or no Redis");
    };
    let mut load = Command::new(project.released("load"));
    load.args(measure.words);
    load.args(["--seconds", "15", "--warmup", "30"]);
    if is_quick {
        load.args(SHORT);
    }
    load.args(["--kafka", kafka, "--replication", &brokers.to_string()]);
    load.args(["--keydb", &format!("redis://127.0.0.1:{primary}")]);
    let output = load.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.context("can't start the load generator")?;
    if !output.status.success() {
        println!("{} failed", measure.name);
        return Ok(None);
    }
    let line = serde_json::from_slice(&output.stdout);
    line.map(Some).context("reading the load generator's line")
}
