//! The Kafka and the Redis with Sentinel that the run has for itself: killed, paused, and started
//! again as `cargo xtask services` had started them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    sync::Mutex,
    time::{Instant, sleep, timeout},
};

/// How long a daemon may take to be as it should.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// Sends a signal to a process.
pub(crate) async fn signal(pid: u32, signal: &str) -> Result<()> {
    let mut kill = Command::new("kill");
    kill.args([format!("-{signal}"), pid.to_string()]);
    if !kill.status().await?.success() {
        bail!("can't send {signal} to process {pid}");
    }
    Ok(())
}

/// What `cargo xtask services` started.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) kafka: String,
    pub(crate) keydb: String,
    pub(crate) brokers: Vec<Daemon>,
    /// The servers of the store, without the Sentinels.
    pub(crate) stores: Vec<Daemon>,
}

/// One process of them.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: String,
    pub(crate) port: u16,
    program: PathBuf,
    arg0: Option<String>,
    args: Vec<String>,
    folder: PathBuf,
    log: PathBuf,
    process: Mutex<Running>,
}

#[derive(Debug)]
struct Running {
    pid: u32,
    /// Only what was started here; it ends with us.
    child: Option<Child>,
}

impl Services {
    /// Reads what is written down of them.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("{}", path.display()))?;
        let state: Value = serde_json::from_slice(&text).context("the services' state.json")?;
        let address = |key: &str| {
            let text = state.get(key).and_then(Value::as_str).map(str::to_owned);
            text.with_context(|| format!("state.json has no `{key}`; the proof needs its own"))
        };
        let (mut brokers, mut stores) = (Vec::new(), Vec::new());
        let daemons = state.get("daemons").and_then(Value::as_array);
        for value in daemons.into_iter().flatten() {
            let daemon = Daemon::read(value).context("a daemon of state.json")?;
            if daemon.name.starts_with("kafka") {
                brokers.push(daemon);
            } else if daemon.name.starts_with("redis") {
                stores.push(daemon);
            }
        }
        Ok(Self {
            kafka: address("kafka")?,
            keydb: address("keydb")?,
            brokers,
            stores,
        })
    }

    /// The store's primary, by what it says itself.
    pub(crate) async fn primary(&self) -> Result<&Daemon> {
        let end = Instant::now() + PATIENCE;
        loop {
            for store in &self.stores {
                if store.says("role:master").await && store.has_replica().await {
                    return Ok(store);
                }
            }
            if Instant::now() > end {
                bail!("the store has no primary");
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until another server than this one is the primary.
    pub(crate) async fn primary_other_than(&self, port: u16) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            for store in self.stores.iter().filter(|store| store.port != port) {
                if store.says("role:master").await {
                    return Ok(());
                }
            }
            sleep(LOOK).await;
        }
        bail!("no other server became the primary")
    }

    /// Waits until the store is whole again: one primary, and the others follow it.
    pub(crate) async fn whole(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let (mut primaries, mut replicas) = (0, 0);
            for store in &self.stores {
                if store.says("role:master").await {
                    primaries += 1;
                } else if store.says("master_link_status:up").await {
                    replicas += 1;
                }
            }
            if primaries == 1 && primaries + replicas == self.stores.len() {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("the store has {primaries} primaries and {replicas} replicas that follow");
            }
            sleep(LOOK).await;
        }
    }
}

impl Daemon {
    fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let args = value.get("args")?.as_array()?.iter();
        Some(Self {
            name: text("name")?,
            port: value.get("port")?.as_u64()?.try_into().ok()?,
            program: text("program")?.into(),
            arg0: text("arg0"),
            args: args.filter_map(|a| a.as_str().map(str::to_owned)).collect(),
            folder: text("folder")?.into(),
            log: text("log")?.into(),
            process: Mutex::new(Running {
                pid: value.get("pid")?.as_u64()?.try_into().ok()?,
                child: None,
            }),
        })
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(&self) -> Result<()> {
        let mut process = self.process.lock().await;
        match process.child.take() {
            Some(mut child) => child.kill().await?,
            None => signal(process.pid, "KILL").await?,
        }
        Ok(())
    }

    pub(crate) async fn pause(&self) -> Result<()> {
        signal(self.process.lock().await.pid, "STOP").await
    }

    pub(crate) async fn wake(&self) -> Result<()> {
        signal(self.process.lock().await.pid, "CONT").await
    }

    /// Starts it again, as it was started first.
    pub(crate) async fn start(&self) -> Result<()> {
        let log = File::options().append(true).open(&self.log)?;
        let mut command = std::process::Command::new(&self.program);
        if let Some(name) = &self.arg0 {
            std::os::unix::process::CommandExt::arg0(&mut command, name);
        }
        command
            .args(&self.args)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut process = self.process.lock().await;
        let child = Command::from(command).kill_on_drop(true).spawn()?;
        process.pid = child.id().context("it ended at once")?;
        process.child = Some(child);
        Ok(())
    }

    /// Waits until it takes connections.
    pub(crate) async fn answers(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            if Instant::now() > end {
                let (name, log) = (&self.name, self.log.display());
                bail!(
                    "{name} does not answer after {} s: {log}",
                    PATIENCE.as_secs()
                );
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    async fn says(&self, what: &str) -> bool {
        let said = self.ask("INFO replication").await;
        said.is_ok_and(|said| said.contains(what))
    }

    async fn has_replica(&self) -> bool {
        self.says("state=online").await
    }

    /// Asks a store one question, as words on a line; answers what is said before it falls silent.
    pub(crate) async fn ask(&self, question: &str) -> Result<String> {
        let address = ("127.0.0.1", self.port);
        let mut stream = timeout(LOOK * 5, TcpStream::connect(address)).await??;
        stream
            .write_all(format!("{question}\r\n").as_bytes())
            .await?;
        let (mut said, mut part) = (Vec::new(), [0; 4096]);
        while let Ok(Ok(length @ 1..)) = timeout(LOOK, stream.read(&mut part)).await {
            said.extend_from_slice(part.get(..length).unwrap_or_default());
        }
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}
