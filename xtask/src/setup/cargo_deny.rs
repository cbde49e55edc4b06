//! cargo-deny, which checks licences, bans and sources of the dependencies.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{output, run};
use crate::project::Project;

const VERSION: &str = "0.20.2";

/// Builds the pinned version when another one, or none, is there.
pub(crate) fn ensure(project: &Project) -> Result<()> {
    let program = project.tools().join("bin").join("cargo-deny");
    let installed = output(Command::new(&program).arg("--version"));
    if installed.is_some_and(|installed| installed == format!("cargo-deny {VERSION}")) {
        return Ok(());
    }
    let build = project.tools().join("build");
    // Unoptimised it is built in half the time, and still checks in a few seconds.
    let mut install = project.cargo(&["install", "cargo-deny", "--locked", "--debug", "--force"]);
    install
        .args(["--version", VERSION, "--root"])
        .arg(project.tools());
    install.arg("--target-dir").arg(&build);
    run(install.env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    fs::remove_dir_all(&build).with_context(|| format!("{}", build.display()))
}
