//! The process that is loaded: started here, and ended here.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use chatcore::clock::{Clock as _, SystemClock};
use chatcore_server::identity::{Claims, JwtAuthenticator, Role, TokenRules};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::options::{Kind, Options};

const CONFIG: &str = include_str!("server.toml");
/// As in the configuration.
const SECRET: &str = "the key of the benches, for nothing else";
/// Longer than any bench.
const LIFE: Duration = Duration::from_secs(24 * 3_600);

/// The loaded processes.
pub(crate) struct Target {
    pub(crate) kind: Kind,
    /// Where customers connect.
    pub(crate) address: SocketAddr,
    /// Where operators do: another node, if there are several.
    pub(crate) far: SocketAddr,
    children: Vec<Child>,
    options: Options,
    operators: usize,
    folder: TempDir,
    tokens: JwtAuthenticator,
}

impl Target {
    /// Starts it, with so many operators.
    pub(crate) fn start(options: &Options, operators: usize) -> Result<Self> {
        let rules = TokenRules {
            secret: SECRET.into(),
            issuer: None,
            audience: None,
        };
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("server.toml"), config(operators)?)?;
        let mut children = Vec::new();
        let mut addresses = Vec::new();
        for node in nodes(options) {
            let (child, address) = spawn(options, &folder, &node)?;
            children.push(child);
            addresses.push(address);
        }
        let (Some(address), Some(far)) = (
            addresses.first(),
            addresses.iter().take(options.gateways).next_back(),
        ) else {
            bail!("nothing was started");
        };
        Ok(Self {
            kind: options.kind,
            address: *address,
            far: *far,
            children,
            options: options.clone(),
            operators,
            folder,
            tokens: JwtAuthenticator::try_new(rules, Arc::new(SystemClock))?,
        })
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    /// Operators of its desk.
    pub(crate) fn operators(&self) -> usize {
        self.operators
    }

    /// A token of a customer.
    pub(crate) fn customer(&self, id: &str) -> Result<String> {
        self.token(id, Role::Customer)
    }

    /// A token of staff.
    pub(crate) fn token(&self, id: &str, role: Role) -> Result<String> {
        let mut claims = Claims::new(id, role, SystemClock.now().plus(LIFE));
        claims.desk = (role != Role::Customer).then(|| "main".to_owned());
        Ok(self.tokens.sign(claims)?)
    }

    /// Kills it, starts it again over the same data, and waits until it says that it is ready.
    pub(crate) async fn restart(&mut self) -> Result<Duration> {
        self.end();
        let began = Instant::now();
        for node in nodes(&self.options) {
            let (child, address) = spawn(&self.options, &self.folder, &node)?;
            self.children.push(child);
            (self.address, self.far) = (address, address);
        }
        while !self.is_ready().await? {
            if began.elapsed() > Duration::from_secs(120) {
                bail!("not ready 120 s after a restart");
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(began.elapsed())
    }

    async fn is_ready(&self) -> Result<bool> {
        let mut socket = TcpStream::connect(self.address).await?;
        socket
            .write_all(b"GET /readyz HTTP/1.1\r\nhost: load\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    }
}

impl Target {
    fn end(&mut self) {
        for mut child in self.children.drain(..) {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.end();
    }
}

/// A process that is started.
struct Node {
    name: String,
    /// None: it does everything.
    role: Option<&'static str>,
}

/// All that are started, those that take sessions first.
fn nodes(options: &Options) -> Vec<Node> {
    let some = |count: usize, role: &'static str| {
        (1..=count).map(move |number| Node {
            name: format!("{role}-{number}"),
            role: Some(role),
        })
    };
    if options.shared.is_none() {
        return vec![Node {
            name: "node-1".to_owned(),
            role: None,
        }];
    }
    let gateways = some(options.gateways, "gateway");
    gateways.chain(some(options.workers, "worker")).collect()
}

fn config(operators: usize) -> Result<String> {
    let mut config = CONFIG.to_owned();
    for i in 0..operators {
        write!(
            config,
            "[desks.main.operators.o{i}]\nname = \"Operator {i}\"\ncapacity = 1\nqueues = [\"general\"]\n"
        )?;
    }
    Ok(config)
}

fn spawn(options: &Options, folder: &TempDir, node: &Node) -> Result<(Child, SocketAddr)> {
    let mut command = Command::new(&options.program);
    if options.kind == Kind::Chatcore {
        command
            .arg("--config")
            .arg(folder.path().join("server.toml"));
        command.args(["--node", &node.name]);
        if let Some(role) = node.role {
            command.args(["--role", role]);
        }
        match (&options.shared, &options.data) {
            // They share the processors, and each would take all of them for its own.
            (Some(shared), _) => command
                .env("TOKIO_WORKER_THREADS", "1")
                .args(["--kafka-brokers", &shared.kafka])
                .args(["--kafka-replication", &shared.replication.to_string()])
                .args(["--keydb-url", &shared.keydb, "--prefix", &shared.prefix])
                .arg("--data")
                .arg(folder.path().join("archive")),
            (None, None) => command.arg("--ephemeral"),
            (None, Some(data)) => command.arg("--data").arg(data),
        };
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start {}", options.program.display()))?;
    let output = child.stdout.take().context("no standard output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let address = line.trim().strip_prefix("listening on http://");
    match address.and_then(|text| text.parse().ok()) {
        Some(address) => Ok((child, address)),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            let _ = writeln!(std::io::stderr(), "it said: {line}");
            bail!(
                "{} does not say where it listens",
                options.program.display()
            )
        }
    }
}
