//! `cargo xtask services up|down|status|with`: an Apache Kafka and a Redis with Sentinel on loopback, for
//! the tests that need the real things.
//!
//! `CHATCORE_KAFKA` and `CHATCORE_KEYDB` name others instead: those are used as they are, and nothing
//! is started in their place.

mod certificates;
mod daemon;
mod kafka;
mod redis;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::project::Project;
use daemon::Daemon;

/// Names a Kafka that is there already: `host:port`, more after commas.
const KAFKA: &str = "CHATCORE_KAFKA";
/// Names a store that is there already: `redis+sentinel://host:port,host:port/name`.
const KEYDB: &str = "CHATCORE_KEYDB";
/// Names the same brokers where they speak TLS only, and ask for a client's certificate.
const KAFKA_TLS: &str = "CHATCORE_TEST_KAFKA_TLS";
/// Names the same brokers where they speak TLS, and ask for a password.
const KAFKA_SASL: &str = "CHATCORE_TEST_KAFKA_SASL";
/// Names the folder of certificates for servers that speak TLS.
const CERTIFICATES: &str = "CHATCORE_TEST_CERTIFICATES";

/// What is told to commands, and what it is called in `state.json`.
const NAMES: [(&str, &str); 5] = [
    (KAFKA, "kafka"),
    (KEYDB, "keydb"),
    (KAFKA_TLS, "kafka_tls"),
    (KAFKA_SASL, "kafka_sasl"),
    (CERTIFICATES, "certificates"),
];

/// Ports are looked for from here on: below those that outgoing connections take.
const PORTS_FROM: u16 = 21_000;

/// Starts services that are nobody else's, whatever is given; runs a command that reads where they
/// are written down; and stops what is left of them.
pub(crate) fn of_its_own(
    project: &Project,
    folder: PathBuf,
    brokers: u16,
    run: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let services = Services { folder };
    services.down()?;
    services.start(project, brokers, false)?;
    let ended = run(&services.state());
    if ended.is_err() {
        stop_all(&daemons(&services.read()?.unwrap_or_default()))?;
        eprintln!("the services' logs stay in {}", services.folder.display());
        return ended;
    }
    services.down()
}

/// Carries out `up`, `down` or `status`.
pub(crate) fn run(project: &Project, words: &[&str]) -> Result<()> {
    let services = Services {
        folder: project.path("target/services"),
    };
    match words {
        ["up"] => services.up(project, 1),
        ["up", "--brokers", count] => match count.parse() {
            Ok(count @ (1 | 3)) => services.up(project, count),
            _ => bail!("--brokers is 1 or 3, not `{count}`"),
        },
        ["down"] => services.down(),
        ["status"] => services.status(),
        ["with", program, words @ ..] => {
            services.with(project, project.command(program).args(words))
        }
        other => bail!(
            "services up [--brokers 1|3], down, status or with COMMAND; not `{}`",
            other.join(" ")
        ),
    }
}

/// What was started, and where it is written down.
struct Services {
    folder: PathBuf,
}

impl Services {
    fn state(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    fn up(&self, project: &Project, brokers: u16) -> Result<()> {
        if let Some(state) = self.read()? {
            let started = daemons(&state);
            if state.get("brokers") == Some(&json!(brokers)) && started.iter().all(Daemon::is_alive)
            {
                return self.status();
            }
            self.down()?;
        }
        self.start(project, brokers, true)
    }

    /// Starts all, or what is not given.
    fn start(&self, project: &Project, brokers: u16, may_be_given: bool) -> Result<()> {
        fs::create_dir_all(&self.folder).context("the folder of the services")?;
        let mut ports = Ports(PORTS_FROM);
        let mut started = Started {
            services: self,
            brokers,
            daemons: Vec::new(),
            found: BTreeMap::new(),
        };
        let up = start_all(project, &mut started, &mut ports, may_be_given);
        if let Err(error) = up {
            eprintln!(
                "stopping what was started; the logs stay in {}",
                self.folder.display()
            );
            stop_all(&started.daemons)?;
            fs::remove_file(self.state()).or_else(missing_is_fine)?;
            return Err(error);
        }
        self.status()
    }

    /// Stops what was started here, and nothing else, and removes its data.
    fn down(&self) -> Result<()> {
        if let Some(state) = self.read()? {
            stop_all(&daemons(&state))?;
            fs::remove_dir_all(&self.folder).context("removing the data of the services")?;
        }
        println!("no services are up");
        Ok(())
    }

    fn status(&self) -> Result<()> {
        let state = self.read()?.unwrap_or_default();
        for (name, key) in NAMES {
            match (env::var(name), state.get(key).and_then(Value::as_str)) {
                (Ok(given), _) => println!("{name}={given} (given)"),
                (Err(_), Some(here)) => println!("{name}={here}"),
                (Err(_), None) => println!("{name} is not up"),
            }
        }
        for daemon in daemons(&state) {
            let is = if daemon.is_alive() {
                "runs"
            } else {
                "has ended"
            };
            println!("  {} {is}, process {}", daemon.name, daemon.pid);
        }
        Ok(())
    }

    /// Runs a command that is told where the services are; stops them if it had to start them.
    fn with(&self, project: &Project, command: &mut Command) -> Result<()> {
        let were_up = self.read()?.is_some();
        self.up(project, 1)?;
        let state = self.read()?.unwrap_or_default();
        for (name, key) in NAMES {
            if env::var(name).is_err() {
                // Empty: there is none, as other services were given.
                command.env(name, state.get(key).and_then(Value::as_str).unwrap_or(""));
            }
        }
        let ended = command.status();
        if !were_up {
            self.down()?;
        }
        let ended = ended.with_context(|| format!("starting {command:?}"))?;
        if !ended.success() {
            bail!("it ended with {ended}");
        }
        Ok(())
    }

    fn read(&self) -> Result<Option<Value>> {
        match fs::read(self.state()) {
            Ok(bytes) => Ok(Some(
                serde_json::from_slice(&bytes).context("the services' state.json")?,
            )),
            Err(error) => missing_is_fine(error).map(|()| None).map_err(Into::into),
        }
    }
}

/// What has been started so far: written down at once, so that nothing is lost sight of.
struct Started<'a> {
    services: &'a Services,
    brokers: u16,
    daemons: Vec<Daemon>,
    /// Where they are found, by the names in `state.json`.
    found: BTreeMap<&'static str, String>,
}

impl Started<'_> {
    fn add(&mut self, daemon: Daemon) -> Result<()> {
        self.daemons.push(daemon);
        self.write()
    }

    fn write(&self) -> Result<()> {
        let found = self.found.iter();
        let mut state: Map<_, _> = found
            .map(|(name, at)| ((*name).to_owned(), json!(at)))
            .collect();
        let daemons = self.daemons.iter().map(Daemon::to_json);
        state.insert("brokers".to_owned(), json!(self.brokers));
        state.insert("daemons".to_owned(), daemons.collect());
        let text = serde_json::to_vec_pretty(&state)?;
        fs::write(self.services.state(), text).context("writing the services' state.json")
    }

    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.services.folder.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        Ok(folder)
    }
}

fn start_all(
    project: &Project,
    started: &mut Started<'_>,
    ports: &mut Ports,
    may_be_given: bool,
) -> Result<()> {
    let is_given = |name| may_be_given && env::var(name).is_ok();
    let certificates = started.folder("certificates")?;
    certificates::make(&certificates)?;
    let path = certificates.display().to_string();
    started.found.insert("certificates", path);
    if !is_given(KAFKA) {
        kafka::start(project, started, ports, &certificates)?;
    }
    if !is_given(KEYDB) {
        let keydb = redis::start(started, ports)?;
        started.found.insert("keydb", keydb);
    }
    started.write()
}

fn stop_all(daemons: &[Daemon]) -> Result<()> {
    // The last that were started lean on the first.
    daemons.iter().rev().try_for_each(Daemon::stop)
}

fn daemons(state: &Value) -> Vec<Daemon> {
    let listed = state
        .get("daemons")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    listed.filter_map(Daemon::from_json).collect()
}

fn missing_is_fine(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

/// Free ports of the loopback interface, each once.
struct Ports(u16);

impl Ports {
    fn next(&mut self) -> Result<u16> {
        while self.0 < u16::MAX {
            self.0 += 1;
            if TcpListener::bind((Ipv4Addr::LOCALHOST, self.0)).is_ok() {
                return Ok(self.0);
            }
        }
        bail!("no port of 127.0.0.1 is free")
    }

    fn many(&mut self, count: u16) -> Result<Vec<u16>> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// `127.0.0.1` with each of the ports.
fn addresses(ports: &[u16]) -> String {
    let addresses: Vec<String> = ports.iter().map(|p| format!("127.0.0.1:{p}")).collect();
    addresses.join(",")
}

/// The end of a log, for an error.
fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(15);
    lines.get(first..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_come_once() {
        let mut ports = Ports(PORTS_FROM);
        let taken = ports.next().unwrap();
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
        let mut again = Ports(PORTS_FROM);
        let others = again.many(3).unwrap();
        assert!(!others.contains(&taken), "{taken} is held");
        drop(held);
    }

    #[test]
    fn what_was_never_started_is_down() {
        let folder = env::temp_dir().join(format!("chatcore-services-{}", std::process::id()));
        let services = Services { folder };
        services.down().unwrap();
        services.status().unwrap();
    }
}
