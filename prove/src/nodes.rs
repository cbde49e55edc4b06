//! The servers: processes that are started, killed, paused and asked to leave.

use std::{
    fmt::Write as _,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{http, services::signal};

/// How long a node may take until it is ready.
const READY: Duration = Duration::from_secs(60);
/// How long a node may take to leave.
const LEAVE: Duration = Duration::from_secs(40);

/// The secret of the tokens. In the open: it is of use for nothing else.
pub(crate) const SECRET: &str = "the key of the proof, and of nothing else";
/// Partitions of the journal.
pub(crate) const PARTITIONS: u32 = 4;

/// What all nodes of a run have in common.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) program: PathBuf,
    /// Has their configuration, their logs and the archive.
    pub(crate) folder: PathBuf,
    pub(crate) kafka: String,
    pub(crate) keydb: String,
    pub(crate) prefix: String,
    pub(crate) replication: u16,
    /// Planted bugs, by the names of their switches.
    pub(crate) sabotage: Option<String>,
}

impl Deployment {
    /// Writes the configuration that all nodes have.
    pub(crate) fn write_config(&self, operators: usize, capacity: usize) -> Result<()> {
        let mut config = format!(
            "token_secret = \"{SECRET}\"\ncommand_burst = 100000\ncommands_per_second = 100000\n\
             frame_burst = 100000\nframes_per_second = 100000\nsessions_per_person = 1000\n\
             request_burst = 100000\nrequests_per_second = 100000\n\
             log_level = \"info\"\nqueue = \"main/general\"\n\
             [desks.main.queues.general]\ntitle = \"General\"\nassignment = \"longest_free\"\n"
        );
        for number in 0..operators {
            write!(
                config,
                "[desks.main.operators.operator-{number}]\nname = \"Operator {number}\"\n\
                 capacity = {capacity}\nqueues = [\"general\"]\n"
            )?;
        }
        fs::write(self.config(), config).context("writing the configuration")
    }

    fn config(&self) -> PathBuf {
        self.folder.join("server.toml")
    }

    /// How to start a node.
    pub(crate) fn command(&self, name: &str, role: &str, address: SocketAddr) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["--node", name, "--listen", &address.to_string()])
            .arg("--config")
            .arg(self.config())
            .arg("--data")
            .arg(self.folder.join("archive"))
            .args(["--kafka-brokers", &self.kafka, "--keydb-url", &self.keydb])
            .args(["--prefix", &self.prefix])
            .args(["--kafka-replication", &self.replication.to_string()])
            .args(["--partitions", &PARTITIONS.to_string()]);
        if role != "all" {
            command.args(["--role", role]);
        }
        // Not those that tell where the tests find their services.
        for name in ["CHATCORE_KAFKA", "CHATCORE_KEYDB", "CHATCORE_SABOTAGE"] {
            command.env_remove(name);
        }
        if let Some(switches) = &self.sabotage {
            command.env("CHATCORE_SABOTAGE", switches);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// A node: the same name and address, whichever process it is.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) address: SocketAddr,
    deployment: Deployment,
    child: Option<Child>,
}

/// A port that is free now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

impl Server {
    pub(crate) fn new(deployment: &Deployment, name: &str, role: &'static str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            role,
            address: free_address()?,
            deployment: deployment.clone(),
            child: None,
        })
    }

    fn log(&self) -> PathBuf {
        self.deployment.folder.join(format!("{}.log", self.name))
    }

    /// Starts it; it is not ready yet.
    pub(crate) fn start(&mut self) -> Result<()> {
        let log = append_to(&self.log())?;
        let mut command = self.deployment.command(&self.name, self.role, self.address);
        let child = command
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("can't start {}", self.deployment.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        let end = Instant::now() + READY;
        loop {
            if let Some(child) = &mut self.child
                && let Some(ended) = child.try_wait()?
            {
                bail!(
                    "{} has ended: {ended}; see {}",
                    self.name,
                    self.log().display()
                );
            }
            if http::is_ready(self.address).await {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("{} is not ready; see {}", self.name, self.log().display());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn pid(&self) -> Result<u32> {
        let pid = self.child.as_ref().and_then(Child::id);
        pid.with_context(|| format!("{} does not run", self.name))
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    pub(crate) async fn pause(&self) -> Result<()> {
        signal(self.pid()?, "STOP").await
    }

    pub(crate) async fn wake(&self) -> Result<()> {
        signal(self.pid()?, "CONT").await
    }

    /// Asks it to leave and waits until it has.
    pub(crate) async fn leave(&mut self) -> Result<()> {
        let pid = self.pid()?;
        signal(pid, "TERM").await?;
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let ended = timeout(LEAVE, child.wait()).await;
        let ended = ended.with_context(|| format!("{} does not leave", self.name))??;
        if !ended.success() {
            bail!(
                "{} left badly: {ended}; see {}",
                self.name,
                self.log().display()
            );
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> Result<File> {
    let file = File::options().create(true).append(true).open(path);
    file.with_context(|| format!("{}", path.display()))
}
