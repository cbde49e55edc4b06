//! A process that outlives the chore that started it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::end_of;
use crate::process;

/// How long one may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(90);
/// How long one may take to end, before it is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(100);

/// How a daemon is started. It is written down with the process, so that who kills one to see
/// what happens can start it again as it was.
#[derive(Debug)]
pub(super) struct Launch {
    /// Where it answers, on loopback.
    port: u16,
    program: PathBuf,
    arg0: Option<&'static str>,
    args: Vec<String>,
}

impl Launch {
    pub(super) fn new(port: u16, program: impl Into<PathBuf>) -> Self {
        Self {
            port,
            program: program.into(),
            arg0: None,
            args: Vec::new(),
        }
    }

    /// The name that a program of several goes by.
    pub(super) fn arg0(mut self, name: &'static str) -> Self {
        self.arg0 = Some(name);
        self
    }

    pub(super) fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(name) = self.arg0 {
            command.arg0(name);
        }
        command.args(&self.args);
        command
    }
}

/// A process that was started here. It is known by its number and by when it began, so that
/// another one with the same number is left alone.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) name: String,
    pub(super) pid: u64,
    began: u64,
    log: PathBuf,
    /// All that is written down about it.
    entry: Value,
}

impl Daemon {
    /// Starts it in a process group of its own, with a log in the folder.
    pub(super) fn start(name: &str, launch: &Launch, folder: &Path) -> Result<Self> {
        let log = folder.join("log");
        let file = File::create(&log).with_context(|| format!("{}", log.display()))?;
        let child = launch
            .command()
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("the log")?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("can't start {name}"))?;
        let pid = u64::from(child.id());
        let began = began(pid).with_context(|| format!("{name} ended at once"))?;
        let entry = json!({
            "name": name,
            "pid": pid,
            "began": began,
            "log": log,
            "port": launch.port,
            "program": launch.program,
            "arg0": launch.arg0,
            "args": launch.args,
            "folder": folder,
        });
        Self::from_json(&entry).context("what was just written down")
    }

    pub(super) fn to_json(&self) -> Value {
        self.entry.clone()
    }

    pub(super) fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            name: value.get("name")?.as_str()?.to_owned(),
            pid: value.get("pid")?.as_u64()?,
            began: value.get("began")?.as_u64()?,
            log: value.get("log")?.as_str()?.into(),
            entry: value.clone(),
        })
    }

    pub(super) fn is_alive(&self) -> bool {
        began(self.pid) == Some(self.began)
    }

    /// What it has written so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it is ready.
    pub(super) fn wait(&self, is_ready: impl Fn() -> bool) -> Result<()> {
        let end = process::now() + ANSWERS_WITHIN;
        while !is_ready() {
            let (name, log) = (&self.name, &self.log);
            if !self.is_alive() {
                bail!("{name} has ended ({}):\n{}", log.display(), end_of(log));
            }
            if process::now() > end {
                bail!(
                    "{name} does not answer within {} s ({}):\n{}",
                    ANSWERS_WITHIN.as_secs(),
                    log.display(),
                    end_of(log)
                );
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Asks it to end, and kills it if it does not. One that has ended is fine.
    pub(super) fn stop(&self) -> Result<()> {
        let end = process::now() + ENDS_WITHIN;
        self.signal("TERM");
        while self.is_alive() {
            if process::now() > end {
                self.signal("KILL");
                thread::sleep(LOOK * 5);
                if self.is_alive() {
                    bail!("{} does not end, process {}", self.name, self.pid);
                }
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn signal(&self, signal: &str) {
        if self.is_alive() {
            // That it ends in between is no error.
            let _ = Command::new("kill")
                .args([format!("-{signal}"), self.pid.to_string()])
                .status();
        }
    }
}

/// When the process began, in the machine's ticks; none when there is no such process, or it is
/// only waited for.
fn began(pid: u64) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may have spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleep() -> Launch {
        Launch::new(21_001, "sleep").arg0("rest").args(["3600"])
    }

    #[test]
    fn what_is_written_down_is_enough_to_start_it_again() {
        let folder = std::env::temp_dir().join(format!("chatcore-again-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let started = Daemon::start("sleep", &sleep(), &folder).unwrap();
        let entry = started.to_json();
        started.stop().unwrap();
        assert_eq!(entry["port"], 21_001);
        assert_eq!(entry["folder"], json!(folder));
        let mut again = Command::new(entry["program"].as_str().unwrap());
        again.arg0(entry["arg0"].as_str().unwrap());
        again.args(
            entry["args"]
                .as_array()
                .unwrap()
                .iter()
                .map(|a| a.as_str().unwrap()),
        );
        let mut child = again
            .current_dir(entry["folder"].as_str().unwrap())
            .spawn()
            .unwrap();
        // Empty for a moment after the start.
        let words = loop {
            let line = fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap();
            if !line.is_empty() {
                break line;
            }
            thread::sleep(Duration::from_millis(1));
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(words.split('\0').collect::<Vec<_>>(), ["rest", "3600", ""]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_daemon_is_known_by_when_it_began_and_ends_when_asked() {
        let folder = std::env::temp_dir().join(format!("chatcore-daemon-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let started = Daemon::start("sleep", &sleep(), &folder).unwrap();
        assert!(started.is_alive());
        let read = Daemon::from_json(&started.to_json()).unwrap();
        assert!(read.is_alive());
        let other = Daemon {
            began: read.began + 1,
            ..Daemon::from_json(&started.to_json()).unwrap()
        };
        assert!(!other.is_alive());
        other.stop().unwrap();
        assert!(started.is_alive(), "another one's number is left alone");
        started.stop().unwrap();
        assert!(!started.is_alive());
        fs::remove_dir_all(&folder).unwrap();
    }
}
