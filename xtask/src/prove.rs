//! `cargo xtask prove`: real servers on services of their own, faults that are really done, and the
//! verdict of the simulation's checkers.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::process::run;
use crate::project::Project;
use crate::services;

/// Runs it. Words that are not for here are the program's: see `prove/src/options.rs`.
pub(crate) fn prove(project: &Project, words: &[&str]) -> Result<()> {
    let (mut brokers, mut is_released, mut rest) = (1, false, Vec::new());
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "--brokers" => match words.next() {
                Some("1") => brokers = 1,
                Some("3") => brokers = 3,
                other => bail!("--brokers is 1 or 3, not `{}`", other.unwrap_or_default()),
            },
            "--release" => is_released = true,
            other => rest.push(other),
        }
    }
    // With all features, as the tests are: so CI builds nothing twice. The switches that plant
    // bugs are there, and off.
    let mut build = project.cargo(&["build", "--workspace", "--all-features"]);
    build.args(["--bin", "chatcore-server", "--bin", "chatcore-prove"]);
    if is_released {
        build.arg("--release");
    }
    run(&mut build)?;
    let built = |name: &str| match is_released {
        true => project.released(name),
        false => project.built(name),
    };
    let out = project.path("target/prove");
    if out.join("runs").exists() {
        fs::remove_dir_all(out.join("runs")).context("removing what the last proof left")?;
    }
    fs::create_dir_all(out.join("runs")).context("the folder of the proof")?;
    services::of_its_own(project, out.join("services"), brokers, |state| {
        let mut prove = project.command(built("chatcore-prove"));
        prove.arg("--server").arg(built("chatcore-server"));
        prove.arg("--services").arg(state);
        prove.arg("--out").arg(out.join("runs"));
        run(prove.args(&rest))
    })
}
