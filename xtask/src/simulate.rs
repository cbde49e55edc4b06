//! `cargo xtask simulate`: builds the simulation as fast code with all checks, and runs seeds.

use anyhow::Result;

use crate::process::{output, run};
use crate::project::Project;

/// Seeds are run side by side on so many threads, unless it is said otherwise.
const JOBS: &str = "2";

/// Runs it with these words: `--seeds N --from S`, and what else the program takes.
pub(crate) fn simulate(project: &Project, words: &[&str]) -> Result<()> {
    let mut build = project.cargo(&["build", "--package", "chatcore", "--profile", "sim"]);
    build.args(["--features", "simulation,sabotage", "--example", "simulate"]);
    run(&mut build)?;
    let mut revision = project.command("git");
    revision.args(["rev-parse", "--short", "HEAD"]);
    let revision = output(&mut revision).unwrap_or_else(|| "unknown".to_owned());
    let program = project.built("simulate");
    let below = program.parent().and_then(|debug| debug.parent());
    let below = below.unwrap_or(project.root());
    let mut simulate = project.command(below.join("sim/examples/simulate"));
    simulate.args(["--jobs", JOBS, "--commit", revision.trim()]);
    run(simulate.args(words))
}
