//! Node, and the packages that the browser tests and the type check of the pages use.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::apt;
use crate::process::{output, run};
use crate::project::Project;

/// The oldest major version that the browser driver runs on.
const NODE_MAJOR_MIN: u32 = 20;

/// Checks node and npm, and installs the locked packages when they differ from the lock.
pub(crate) fn ensure(project: &Project) -> Result<()> {
    if version().is_none() {
        apt::install(&["nodejs", "npm"], "no node")?;
    }
    let version = version().context("`node --version` fails")?;
    if major(&version).is_none_or(|major| major < NODE_MAJOR_MIN) {
        bail!(
            "node {version} is too old: install version {NODE_MAJOR_MIN} or newer with its npm \
             (Debian 13 and Ubuntu 25.04 package it) and put it first on the search path"
        );
    }
    if output(Command::new("npm").arg("--version")).is_none() {
        bail!("node {version} is here without npm: install the npm that belongs to it");
    }
    install_packages(project)
}

fn install_packages(project: &Project) -> Result<()> {
    let folder = project.path("browser-tests");
    let lock = fs::read(folder.join("package-lock.json")).context("browser-tests' lock")?;
    let installed = folder.join("node_modules").join(".installed-lock.json");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run(Command::new("npm")
        .args(["ci", "--no-progress"])
        .current_dir(&folder))?;
    fs::write(&installed, lock).with_context(|| format!("{}", installed.display()))
}

fn version() -> Option<String> {
    output(Command::new("node").arg("--version"))
}

/// The 20 of `v20.1.2`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_what_stands_before_the_first_dot() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("v9.0.0"), Some(9));
        assert_eq!(major("20"), None);
    }
}
