//! The server's process.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Longer than anything here takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A running server; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    _output: BufReader<ChildStdout>,
}

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatcore-server"));
    command
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Process {
    /// Starts a demo on a free port and waits until it listens.
    pub(crate) async fn demo(flags: &[&str]) -> Self {
        let flags = [&["--log-level", "warn"], flags].concat();
        Self::start(&flags, Stdio::inherit()).await
    }

    /// Starts a demo that writes all that it can into this file.
    pub(crate) async fn logging(file: &Path, flags: &[&str]) -> Self {
        let flags = [&["--log-level", "trace"], flags].concat();
        let file = std::fs::File::create(file).unwrap();
        Self::start(&flags, file.into()).await
    }

    async fn start(flags: &[&str], errors: Stdio) -> Self {
        let flags = [&["--demo", "--listen", "127.0.0.1:0"], flags].concat();
        let mut child = command(&flags).stderr(errors).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        timeout(LONG, output.read_line(&mut line))
            .await
            .expect("it listens")
            .unwrap();
        let address = line.trim().strip_prefix("listening on ");
        let address = address
            .and_then(|url| url.split_once("://"))
            .map(|(_, address)| address)
            .unwrap_or_else(|| panic!("it said `{line}`"))
            .to_owned();
        Self {
            child,
            address,
            _output: output,
        }
    }

    /// In memory.
    pub(crate) async fn ephemeral() -> Self {
        Self::demo(&["--ephemeral"]).await
    }

    /// On a folder.
    pub(crate) async fn on(folder: &Path) -> Self {
        Self::demo(&["--data", folder.to_str().unwrap()]).await
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to leave.
    pub(crate) async fn terminate(&self) {
        let id = self.child.id().unwrap().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(status.unwrap().success());
    }

    /// Waits for its end; whether it was a good one.
    pub(crate) async fn ended(&mut self) -> bool {
        timeout(LONG, self.child.wait())
            .await
            .expect("it ends")
            .unwrap()
            .success()
    }
}

/// Starts a demo that never listens, asks it to leave as soon as it has said this, and waits for its
/// end; whether it was a good one.
#[cfg(all(feature = "kafka", feature = "keydb"))]
pub(crate) async fn terminated_after(said: &str, flags: &[&str]) -> bool {
    let mut child = command(&[&["--demo"], flags].concat()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(said) {
        line.clear();
        let read = timeout(LONG, errors.read_line(&mut line)).await;
        assert_ne!(read.expect("it says something").unwrap(), 0, "it ended");
    }
    let id = child.id().unwrap().to_string();
    let status = Command::new("kill").args(["-TERM", &id]).status().await;
    assert!(status.unwrap().success());
    let ended = timeout(LONG, child.wait()).await.expect("it ends");
    ended.unwrap().success()
}

/// Runs it to an end that comes at once; its exit code and what it said.
pub(crate) async fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let mut child = command(flags).spawn().unwrap();
    let mut said = String::new();
    let mut errors = child.stderr.take().unwrap();
    timeout(LONG, errors.read_to_string(&mut said))
        .await
        .expect("it ends")
        .unwrap();
    let status = timeout(LONG, child.wait()).await.expect("it ends").unwrap();
    (status.code(), said)
}

/// Runs it to its end: its exit code, what it said, and what it complained of.
pub(crate) async fn said(flags: &[&str]) -> (Option<i32>, String, String) {
    let ended = timeout(LONG, command(flags).output());
    let ended = ended.await.expect("it ends").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}
