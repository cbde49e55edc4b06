//! Runs commands: plainly, or in a process group of their own that ends when its time is up.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The process group under way; 0 when there is none.
static GROUP: AtomicU32 = AtomicU32::new(0);

/// How a capped command ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Passed,
    Failed(ExitStatus),
    OverCap,
}

/// The time, to measure how long a stage takes.
#[expect(
    clippy::disallowed_methods,
    reason = "a stage is timed by the machine's own clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Runs a command to its end, with our own output.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` ended with {status}", shown(command));
    }
    Ok(())
}

/// What a command prints, trimmed; `None` if it can't be started or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a command without input in a process group of its own, and ends the whole group when the
/// command is over or its time is up, so that nothing it started outlives it.
pub(crate) fn run_capped(command: &mut Command, cap: Duration) -> Result<Ended> {
    println!("$ {}", shown(command));
    let mut child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| cannot_start(command))?;
    let group = child.id();
    GROUP.store(group, Ordering::SeqCst);
    let (done, wait) = mpsc::sync_channel(1);
    let waiter = thread::spawn(move || done.send(child.wait()));
    let ended = match wait.recv_timeout(cap) {
        Ok(status) => Ok(status.context("waiting for the command")?),
        Err(RecvTimeoutError::Timeout) => Err(Ended::OverCap),
        Err(RecvTimeoutError::Disconnected) => bail!("lost sight of `{}`", shown(command)),
    };
    end_group(group);
    GROUP.store(0, Ordering::SeqCst);
    if waiter.join().is_err() {
        bail!("lost sight of `{}`", shown(command));
    }
    Ok(match ended {
        Ok(status) if status.success() => Ended::Passed,
        Ok(status) => Ended::Failed(status),
        Err(over) => over,
    })
}

/// Makes an interrupt or a request to end take the group under way along.
pub(crate) fn end_group_when_interrupted() -> Result<()> {
    ctrlc::set_handler(|| {
        end_group(GROUP.load(Ordering::SeqCst));
        std::process::exit(130);
    })
    .context("setting the interrupt handler")
}

/// Kills a process group. That it has ended already is no error.
fn end_group(group: u32) {
    if group == 0 {
        return;
    }
    // The shell's own `kill`, as signals need either it or unsafe code.
    let killed = Command::new("sh")
        .args(["-c", "kill -KILL -\"$0\"", &group.to_string()])
        .stderr(Stdio::null())
        .status();
    if let Err(error) = killed {
        eprintln!("can't end process group {group}: {error}");
    }
}

fn cannot_start(command: &Command) -> String {
    format!("can't start `{}`", command.get_program().display())
}

/// A command as a person would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program
        .file_name()
        .unwrap_or(command.get_program())
        .display()
        .to_string();
    for word in command.get_args() {
        line.push(' ');
        line.push_str(&word.display().to_string());
    }
    line
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::*;

    #[test]
    fn a_command_over_its_cap_ends_with_all_it_started() {
        let (mut held_open, by_all_of_them) = io::pipe().unwrap();
        let mut endless = Command::new("sh");
        endless
            .args(["-c", "sleep 3600 & sleep 3600"])
            .stdout(by_all_of_them);
        let ended = run_capped(&mut endless, Duration::from_millis(200)).unwrap();
        drop(endless);
        assert_eq!(ended, Ended::OverCap);
        // The pipe ends when the last that holds it is gone.
        let (done, wait) = mpsc::sync_channel(1);
        thread::spawn(move || done.send(held_open.read_to_end(&mut Vec::new())));
        assert_eq!(
            wait.recv_timeout(Duration::from_secs(20)).unwrap().unwrap(),
            0
        );
    }

    #[test]
    fn a_command_that_ends_in_time_tells_how() {
        let cap = Duration::from_secs(60);
        assert_eq!(
            run_capped(&mut Command::new("true"), cap).unwrap(),
            Ended::Passed
        );
        assert!(matches!(
            run_capped(&mut Command::new("false"), cap).unwrap(),
            Ended::Failed(_)
        ));
    }
}
