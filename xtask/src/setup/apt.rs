//! Debian's package tool, where the machine has it.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{output, run};
use crate::project::on_path;

/// Installs packages; `purpose` says in an error what they are for.
pub(crate) fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let wanted = packages.join(" ");
    if on_path(&["apt-get"]).is_none() {
        bail!("{purpose}: install {wanted} by your system's own means, there is no apt-get here");
    }
    as_root(&["apt-get", "update", "-q"])
        .and_then(|()| {
            let mut words = vec!["apt-get", "install", "-qy", "--no-install-recommends"];
            words.extend(packages);
            as_root(&words)
        })
        .with_context(|| format!("{purpose}: run `apt-get install {wanted}` as root"))
}

fn as_root(words: &[&str]) -> Result<()> {
    let is_root = output(Command::new("id").arg("-u")).is_some_and(|id| id == "0");
    let mut command = if is_root {
        Command::new("env")
    } else {
        // Asks for no password: there may be nobody to answer.
        let mut command = Command::new("sudo");
        command.args(["-n", "env"]);
        command
    };
    run(command.arg("DEBIAN_FRONTEND=noninteractive").args(words))
}
