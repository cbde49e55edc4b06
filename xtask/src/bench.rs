//! `cargo xtask bench`: the relay and chatcore in turn, three times, as a table.

mod nodes;
mod table;

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process;
use crate::project::Project;
use table::Rows;

/// What is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Against {
    Relay,
    Memory,
    Durable,
}

impl Against {
    fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Memory => "memory",
            Self::Durable => "durable",
        }
    }
}

/// A run of the load generator, and what of its line is told.
#[derive(Debug)]
struct Measure {
    name: &'static str,
    mode: &'static str,
    against: &'static [Against],
    words: &'static [&'static str],
    /// For `--quick`: less of everything, to see that it runs.
    quick: &'static [&'static str],
    /// What is told, and where it stands in the line.
    told: &'static [(&'static str, &'static str)],
}

use Against::{Durable, Memory, Relay};

const SHORT: &[&str] = &["--seconds", "3", "--warmup", "1", "--dialogs", "50"];

/// Every measure, in the order of the table.
const MEASURES: &[Measure] = &[
    Measure {
        name: "latency",
        mode: "latency",
        against: &[Relay, Memory, Durable],
        words: &["--rate", "2000", "--seconds", "15"],
        quick: SHORT,
        told: &[
            ("delivery at 2,000/s, p50 (ms)", "/delivery/p50_ms"),
            ("delivery at 2,000/s, p99 (ms)", "/delivery/p99_ms"),
            ("outcome at 2,000/s, p50 (ms)", "/outcome/p50_ms"),
            ("durable at 2,000/s, p50 (ms)", "/durable/p50_ms"),
            ("the generator itself late, p99 (ms)", "/late/p99_ms"),
        ],
    },
    Measure {
        name: "throughput",
        mode: "throughput",
        against: &[Relay, Memory, Durable],
        words: &["--outstanding", "4", "--seconds", "10"],
        quick: SHORT,
        told: &[
            (
                "closed loop, 4 under way per dialog (messages/s)",
                "/per_second",
            ),
            (
                "server CPU per message there (µs)",
                "/server_us_per_message",
            ),
            (
                "generator CPU per message there (µs)",
                "/generator_us_per_message",
            ),
            (
                "frames from the server per message",
                "/frames_from_server_per_message",
            ),
        ],
    },
    Measure {
        name: "connect",
        mode: "connect",
        against: &[Relay, Memory],
        words: &["--sockets", "10000"],
        quick: &["--sockets", "1000"],
        told: &[
            ("10,000 sockets connected and following (s)", "/seconds"),
            ("memory per idle socket (KiB)", "/pss_kib_per_socket"),
        ],
    },
    Measure {
        name: "board",
        mode: "board",
        against: &[Relay, Memory],
        words: &["--sockets", "5000"],
        quick: &["--sockets", "500", "--rounds", "3"],
        told: &[(
            "one board event to 5,000 staff sessions, until the last (ms)",
            "/last/p50_ms",
        )],
    },
    Measure {
        name: "storm",
        mode: "storm",
        against: &[Memory, Durable],
        words: &["--sockets", "10000"],
        quick: &["--sockets", "500"],
        told: &[("10,000 sockets cut and resumed (s)", "/seconds")],
    },
    Measure {
        name: "history",
        mode: "history",
        against: &[Memory, Durable],
        words: &["--messages", "1000000"],
        quick: &["--messages", "20000", "--seconds", "2", "--warmup", "1"],
        told: &[
            (
                "CPU per message after 1,000,000 stored, to that when empty",
                "/cost_ratio",
            ),
            ("ready after a restart then (s)", "/ready_seconds"),
        ],
    },
    Measure {
        name: "deaf",
        mode: "deaf",
        against: &[Memory],
        words: &["--sockets", "1000"],
        quick: &["--sockets", "50", "--seconds", "2", "--warmup", "1"],
        told: &[
            (
                "p99 of others beside 1,000 that don't read, to that without",
                "/p99_ratio",
            ),
            (
                "memory per reader that does not read (KiB)",
                "/pss_kib_per_reader_deaf",
            ),
        ],
    },
];

const ROUNDS: usize = 3;

/// Builds, runs what is named (all without names), and prints the table.
pub(crate) fn run(project: &Project, words: &[&str]) -> Result<()> {
    if let ["nodes", words @ ..] = words {
        return nodes::run(project, words);
    }
    let quick = words.contains(&"--quick");
    let names: Vec<&str> = words.iter().copied().filter(|w| *w != "--quick").collect();
    if let Some(unknown) = names
        .iter()
        .find(|name| MEASURES.iter().all(|m| m.name != **name))
    {
        let known: Vec<_> = MEASURES.iter().map(|m| m.name).collect();
        bail!(
            "no measure called `{unknown}`; there are {}",
            known.join(", ")
        );
    }
    build(project)?;
    let mut rows = Rows::default();
    let chosen = MEASURES
        .iter()
        .filter(|m| names.is_empty() || names.contains(&m.name));
    for measure in chosen {
        // In turn, so that what else the machine does falls on all alike.
        for _ in 0..if quick { 1 } else { ROUNDS } {
            for against in measure.against {
                let line = once(project, measure, *against, quick)?;
                println!("{line}");
                for (label, place) in measure.told {
                    let value = line.pointer(place).and_then(Value::as_f64);
                    rows.note(label, against.name(), value);
                }
                rows.machine(&line);
            }
        }
    }
    print!("{}", rows.table());
    Ok(())
}

fn build(project: &Project) -> Result<()> {
    let mut build = project.cargo(&["build", "--release"]);
    build.args([
        "--package",
        "chatcore-benches",
        "--package",
        "chatcore-server",
    ]);
    process::run(&mut build)
}

fn once(project: &Project, measure: &Measure, against: Against, quick: bool) -> Result<Value> {
    let mut load = Command::new(project.released("load"));
    load.arg(measure.mode).args(measure.words);
    if quick {
        load.args(measure.quick);
    }
    let target = if against == Relay {
        "relay"
    } else {
        "chatcore"
    };
    load.args(["--target", target]);
    let data = project.built("bench-data");
    if against == Durable {
        // Left over when an earlier run was ended by force.
        let _ = fs::remove_dir_all(&data);
        load.arg("--data").arg(&data);
    }
    let output = load.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.context("can't start the load generator")?;
    if against == Durable {
        fs::remove_dir_all(&data).context("removing what the run has stored")?;
    }
    if !output.status.success() {
        bail!("{} against {} failed", measure.name, against.name());
    }
    serde_json::from_slice(&output.stdout).context("reading the load generator's line")
}
