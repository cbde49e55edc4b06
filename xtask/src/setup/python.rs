//! The runner of the Autobahn cases, in a Python environment of its own.

use std::fs;

use anyhow::{Context, Result};

use super::apt;
use crate::process::run;
use crate::project::Project;

const RUNNER: &str = "kosoku==0.1.0";

/// Makes the environment with the pinned runner in it.
pub(crate) fn ensure(project: &Project) -> Result<()> {
    let venv = project.tools().join("venv");
    let installed = venv.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == RUNNER) {
        return Ok(());
    }
    let make = || {
        run(project
            .command("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&venv))
    };
    if make().is_err() {
        apt::install(&["python3", "python3-venv"], "no Python with venv")?;
        make()?;
    }
    let mut pip = project.command(venv.join("bin").join("pip"));
    run(pip.args(["install", "--quiet", "--disable-pip-version-check", RUNNER]))?;
    fs::write(&installed, RUNNER).with_context(|| format!("{}", installed.display()))
}
