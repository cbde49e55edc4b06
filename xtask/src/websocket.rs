//! `cargo xtask websocket`: the Autobahn cases against the server's own accept loop.
//!
//! The subject is `chatcore-server/examples/ws_echo.rs`: it listens on a free loopback port through
//! the accept loop that the server uses, prints its address alone on its first line of output, and
//! sends back every message as it came.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::run;
use crate::project::Project;

/// Left out: 9 measures speed with megabytes, 12 and 13 are compression, which we do not offer.
const LEFT_OUT: [&str; 3] = ["9.*", "12.*", "13.*"];

/// How many cases there are without those: fewer means that something did not run.
const CASES: usize = 247;

/// Builds and starts the echo, and runs the cases against it.
pub(crate) fn run_cases(project: &Project) -> Result<()> {
    // As the tests are built, so that what they built is used again.
    let build = [
        "build",
        "--workspace",
        "--all-features",
        "--example",
        "ws_echo",
    ];
    run(&mut project.cargo(&build))?;
    let mut echo = Echo::start(&mut project.command(project.built("examples/ws_echo")))?;
    let address = echo.address()?;
    let report = project.tools().join("websocket-report");
    if report.exists() {
        fs::remove_dir_all(&report).with_context(|| format!("{}", report.display()))?;
    }
    let mut runner = project.command(project.tools().join("venv").join("bin").join("kosoku"));
    for cases in LEFT_OUT {
        runner.args(["--exclude", cases]);
    }
    let verdict = run(runner.arg("--outdir").arg(&report).arg(address.to_string()));
    verdict.with_context(|| format!("see {}", report.join("index.html").display()))?;
    let ran = count_cases(&report)?;
    if ran != CASES {
        bail!("{ran} cases ran, not {CASES}");
    }
    Ok(())
}

/// The running echo; it ends with this value.
struct Echo(Child);

impl Echo {
    fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        child.map(Self).context("can't start the echo")
    }

    fn address(&mut self) -> Result<SocketAddr> {
        let output = self.0.stdout.as_mut().context("the echo has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        line.trim()
            .parse()
            .with_context(|| format!("the echo's first line is `{}`", line.trim()))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One report a case, beside the index.
fn count_cases(report: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(report).with_context(|| format!("{}", report.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        count += usize::from(name.contains("_case_") && name.ends_with(".json"));
    }
    Ok(count)
}
