//! The stages of `cargo xtask test`: one line each in the table, in the order they run in.
//!
//! A new part of the project adds its line together with the part. A stage never asks whether
//! its subject exists: when that is gone, the stage fails.

use std::process::Command;

use anyhow::{Result, bail};

use crate::project::Project;

/// One step of the test run.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// What it should take on two quiet cores, with room. Past this is told, and nothing more.
    pub(crate) budget_minutes: u64,
    /// Past this the stage is ended, with every process it started.
    pub(crate) cap_minutes: u64,
    /// What it runs, one after another, up to the first that fails.
    pub(crate) commands: fn(&Project) -> Result<Vec<Command>>,
}

/// What the budgets of all stages may come to. A run that takes longer is run less often.
#[cfg(test)]
const BUDGET_MINUTES: u64 = 50;

/// Every stage. The caps are several times what a cold run takes on two cores.
#[rustfmt::skip]
pub(crate) const STAGES: &[Stage] = &[
    Stage { name: "setup", budget_minutes: 2, cap_minutes: 15, commands: |p| Ok(vec![p.chore(&["setup"])]) },
    Stage { name: "fmt", budget_minutes: 1, cap_minutes: 1, commands: |p| Ok(vec![p.cargo(&["fmt", "--all", "--check"])]) },
    Stage { name: "clippy", budget_minutes: 5, cap_minutes: 12, commands: |p| Ok(vec![clippy(p)]) },
    Stage { name: "doc", budget_minutes: 2, cap_minutes: 10, commands: |p| Ok(vec![doc(p)]) },
    Stage { name: "deny", budget_minutes: 1, cap_minutes: 2, commands: |p| Ok(vec![deny(p)]) },
    Stage { name: "rules", budget_minutes: 1, cap_minutes: 2, commands: |p| Ok(vec![p.chore(&["rules"])]) },
    Stage { name: "test", budget_minutes: 11, cap_minutes: 25, commands: |p| Ok(vec![cargo_test(p)]) },
    Stage { name: "prove", budget_minutes: 6, cap_minutes: 15, commands: |p| Ok(proofs(p)) },
    Stage { name: "simulate", budget_minutes: 8, cap_minutes: 20, commands: |p| Ok(vec![p.chore(&["simulate", "--from", SEEDS_FROM, "--seeds", SEEDS])]) },
    Stage { name: "sabotage", budget_minutes: 2, cap_minutes: 15, commands: |p| Ok(vec![p.chore(&["simulate", "--sabotage", "all", "--from", SEEDS_FROM, "--seeds", SEEDS])]) },
    Stage { name: "examples", budget_minutes: 2, cap_minutes: 8, commands: |p| Ok(examples(p)) },
    Stage { name: "types", budget_minutes: 1, cap_minutes: 2, commands: |p| Ok(all_types(p)) },
    Stage { name: "pages", budget_minutes: 1, cap_minutes: 3, commands: |p| Ok(vec![node_tests(p, "chatcore-server/web", ".test.js")?]) },
    Stage { name: "websocket", budget_minutes: 1, cap_minutes: 10, commands: |p| Ok(vec![p.chore(&["websocket"])]) },
    Stage { name: "browser", budget_minutes: 6, cap_minutes: 10, commands: browser },
];

/// Real processes under four pairs of faults; and a planted bug, which must be noticed.
fn proofs(project: &Project) -> Vec<Command> {
    let load = [
        "prove",
        "--dialogs",
        "30",
        "--operators",
        "4",
        "--rate",
        "60",
    ];
    // One that the load alone meets each time: a fault may miss the moment of another.
    let planted = ["--faults", "calm", "--sabotage", "note_counted_as_hole"];
    vec![
        project.chore(&load),
        project.chore(&[load.as_slice(), planted.as_slice()].concat()),
    ]
}

/// The first of the simulated runs.
const SEEDS_FROM: &str = "1";
/// Simulated runs.
const SEEDS: &str = "2000";

/// The configurations of scripts whose types are checked.
const TYPED: [&str; 2] = [
    "browser-tests/tsconfig.json",
    "chatcore-server/web/jsconfig.json",
];

fn clippy(project: &Project) -> Command {
    let mut command = project.cargo(&["clippy", "--workspace", "--all-targets", "--all-features"]);
    command.args(["--", "-D", "warnings"]);
    command
}

fn doc(project: &Project) -> Command {
    let mut command = project.cargo(&["doc", "--workspace", "--no-deps", "--all-features"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

fn deny(project: &Project) -> Command {
    // Advisories need a database from elsewhere, which not every machine may fetch.
    let mut command = project.command(project.tools().join("bin").join("cargo-deny"));
    command.args(["--workspace", "check", "--hide-inclusion-graph"]);
    command.args(["licenses", "bans", "sources"]);
    command
}

/// Beside a Kafka and a Redis, for those that need them.
fn cargo_test(project: &Project) -> Command {
    let mut command = project.chore(&["services", "with", "cargo"]);
    command.args(["test", "--workspace", "--all-features"]);
    // The `fuzz_` tests, here and not in a stage of their own: fewer targets would be other
    // features of the dependencies, and all of them built again.
    command.env("CHATCORE_FUZZ_SECONDS", "60");
    command
}

/// Every example plays its own scenario. One that is not named here is not run.
const EXAMPLES: [&str; 4] = [
    "assignment_policy",
    "channel_adapter",
    "console_client",
    "embed_axum",
];

fn examples(project: &Project) -> Vec<Command> {
    let build = project.cargo(&["build", "--package", "chatcore-examples"]);
    let check = |name: &&str| {
        let mut command = project.command(project.built(name));
        command.arg("--check");
        command
    };
    std::iter::once(build)
        .chain(EXAMPLES.iter().map(check))
        .collect()
}

/// First that the types of the frames are what the schema gives, then that the scripts keep to them.
fn all_types(project: &Project) -> Vec<Command> {
    let made = project.chore(&["types", "--check"]);
    let typed = TYPED.iter().map(|config| types(project, config));
    std::iter::once(made).chain(typed).collect()
}

/// Checks the JSDoc types of the scripts that a configuration names.
fn types(project: &Project, config: &str) -> Command {
    let mut command = project.command("node");
    command.arg(project.path("browser-tests/node_modules/typescript/bin/tsc"));
    command.args(["--project", config]);
    command
}

fn browser(project: &Project) -> Result<Vec<Command>> {
    // The server as people run it: with none of the features that only tests switch on.
    let build = project.cargo(&["build", "--package", "chatcore-server"]);
    let mut tests = node_tests(project, "browser-tests", ".test.mjs")?;
    tests.env("CHATCORE_SERVER_BIN", project.built("chatcore-server"));
    Ok(vec![build, tests])
}

/// Runs the node tests below a folder, which must have some, one file at a time: a browser and a
/// server fill two cores.
fn node_tests(project: &Project, folder: &str, ending: &str) -> Result<Command> {
    let files = project.sources(folder, &[ending])?;
    if files.is_empty() {
        bail!("no {ending} files below {folder}");
    }
    let mut command = project.command("node");
    command
        .args(["--test", "--test-reporter=spec", "--test-concurrency=1"])
        .args(files);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::{BUDGET_MINUTES, STAGES};

    #[test]
    fn the_budgets_come_to_no_more_than_the_whole_may_take() {
        let planned: u64 = STAGES.iter().map(|stage| stage.budget_minutes).sum();
        assert!(planned <= BUDGET_MINUTES, "{planned} min");
        for stage in STAGES {
            assert!(stage.budget_minutes <= stage.cap_minutes, "{}", stage.name);
        }
    }
}
