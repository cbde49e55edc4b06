//! Configuration: a TOML file, then `CHATCORE_*` from the environment, then flags; the later wins.
//! Everything that is wrong is told at once, by its key.

mod desk;
mod keys;
mod limits;
mod redaction;
mod sources;
mod storage;
mod tls;
mod tokens;

pub use keys::{KEYS, Key};
pub use limits::Limits;
pub use storage::{Certificates, Hidden, Shared, Storage};
pub use tokens::Tokens;

use std::{
    collections::BTreeMap, fmt, net::SocketAddr, num::NonZeroU32, path::PathBuf, sync::Arc,
    time::Duration,
};

use chatcore::{
    chat::NodeRole,
    ids::{DeskId, NodeId, QueueId, QueueRef},
    queue::DeskConfig,
};
use chatcore_redact::Patterns;
use clap::ArgMatches;

use crate::dead_letters::{self, Action};
use crate::http::address::{TrustedProxies, network};
use crate::http::tls::TlsFiles;
use crate::identity::{DEMO_DESK, demo_desk};
use crate::rebuild::{self, Which};
use crate::redact;
use sources::Sources;

/// What the server runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What TLS is spoken with; plain without.
    pub tls: Option<TlsFiles>,
    /// Whose word on a client's address is believed.
    pub trusted_proxies: TrustedProxies,
    /// Where everything is kept.
    pub storage: Storage,
    /// This process's name; different for each node of a deployment.
    pub node: NodeId,
    /// What this process does of all that there is to do.
    pub role: NodeRole,
    /// Which tokens are taken.
    pub tokens: Tokens,
    /// Where a dialog waits whose channel has no queue of its own.
    pub queue: QueueRef,
    /// The desks, by name.
    pub desks: BTreeMap<DeskId, DeskConfig>,
    /// Origins of pages that may connect; empty: only the page's own host.
    pub origins: Vec<String>,
    /// What one address, one person and one session may take.
    pub limits: Limits,
    /// Partitions of a new journal; fixed when it is created.
    pub partitions: NonZeroU32,
    /// A file with the rule bot's rules; the built-in ones without.
    pub bot_rules: Option<PathBuf>,
    /// What is taken out of what people write.
    pub redactor: Arc<Patterns>,
    /// How long a drain may take.
    pub drain_timeout: Duration,
    /// How logs are written.
    pub logs: Logs,
}

/// How logs are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// As lines of JSON, or as text.
    pub json: bool,
    /// Least level, and levels by part: `info,chatcore=debug`.
    pub level: String,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} problem(s):", self.0.len())?;
        for problem in &self.0 {
            write!(f, "\n  - {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// What the command line asks for.
#[derive(Debug)]
pub enum Asked {
    /// To run.
    Run(Box<Config>),
    /// To look after dead letters.
    DeadLetters(dead_letters::Command),
    /// To have views built again.
    Rebuild(rebuild::Command),
    /// To test what is taken out of what people write.
    Redact(redact::Command),
    /// To say something and end: help or version.
    Say(String),
}

impl Config {
    /// From the command line (its first word is the program's name) and the environment, and the
    /// file that one of them names.
    ///
    /// # Errors
    /// [`Problems`], all of them.
    pub fn load(
        arguments: impl IntoIterator<Item = String>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Asked, Problems> {
        let flags = match keys::command().try_get_matches_from(arguments) {
            Ok(flags) => flags,
            Err(error) if error.use_stderr() => {
                return Err(Problems(vec![keys::without_prefix(&error.to_string())]));
            }
            Err(error) => return Ok(Asked::Say(error.to_string())),
        };
        let mut sources = Sources::gather(&flags, environment);
        if let Some(("dead-letters", asked)) = flags.subcommand() {
            return letters(&mut sources, asked)
                .map(Asked::DeadLetters)
                .ok_or_else(|| Problems(sources.into_problems()));
        }
        if let Some(("rebuild", asked)) = flags.subcommand() {
            return views(&mut sources, asked)
                .map(Asked::Rebuild)
                .ok_or_else(|| Problems(sources.into_problems()));
        }
        if let Some(("redact", asked)) = flags.subcommand() {
            return redaction::command(&mut sources, asked)
                .map(Asked::Redact)
                .ok_or_else(|| Problems(sources.into_problems()));
        }
        let config = Self::read(&mut sources);
        let problems = sources.into_problems();
        match config {
            Some(config) if problems.is_empty() => Ok(Asked::Run(Box::new(config))),
            _ => Err(Problems(problems)),
        }
    }

    /// Reads every key, so that every problem is found; none if one of them can't be used.
    fn read(sources: &mut Sources) -> Option<Self> {
        let demo = sources.switch("demo");
        let listen = sources.parse("listen", "an address and port such as 127.0.0.1:8080");
        let tls = tls::read(sources);
        let expected = "addresses or networks such as 10.0.0.0/8";
        let proxies = sources.list("trusted_proxies", |one| network(one).is_some(), expected);
        let storage = storage::read(sources);
        let node = sources.parse("node", "1 to 64 letters, digits and ._-:@");
        let role = role(sources, storage.as_ref());
        let tokens = if demo {
            Some(Tokens::Demo)
        } else {
            tokens::read(sources)
        };
        let desks = desks(sources, demo);
        let queue = queue(sources, &desks);
        let origins = sources.list("origins", is_origin, "origins such as https://bank.example");
        let limits = limits::read(sources);
        let partitions = sources.number("partitions", 1..=4_096);
        let drain_ms = sources.number("drain_ms", 100..=600_000);
        let bot_rules = sources.take("bot_rules").map(PathBuf::from);
        let redactor = redaction::read(sources);
        let logs = logs(sources);
        let on_all = sources.switch("demo_on_all_interfaces");
        if demo && !on_all && listen.is_some_and(|l: SocketAddr| !l.ip().is_loopback()) {
            sources.problem(
                "listen",
                "the demo hands its tokens to anybody, so it listens on the loopback interface \
                 only; expected 127.0.0.1:PORT or [::1]:PORT, or --demo-on-all-interfaces if \
                 everybody who can reach this machine may use it",
            );
        }
        Some(Self {
            listen: listen?,
            tls: tls?,
            trusted_proxies: proxies.iter().filter_map(|one| network(one)).collect(),
            storage: storage?,
            node: node?,
            role: role?,
            tokens: tokens?,
            queue: queue?,
            desks,
            origins,
            limits: limits?,
            partitions: NonZeroU32::new(u32::try_from(partitions?).ok()?)?,
            bot_rules,
            redactor: redactor?,
            drain_timeout: Duration::from_millis(drain_ms?),
            logs: logs?,
        })
    }
}

/// What the node does; none if it can't be so on this storage.
fn role(sources: &mut Sources, storage: Option<&Storage>) -> Option<NodeRole> {
    let text = sources.take("role")?;
    let roles = [NodeRole::All, NodeRole::Gateway, NodeRole::Worker];
    let Some(role) = roles.into_iter().find(|role| role.name() == text) else {
        let text = format!("`{text}` can't be used; expected all, gateway or worker");
        sources.problem("role", &text);
        return None;
    };
    let is_alone = matches!(storage, Some(Storage::Folder(_) | Storage::Ephemeral));
    if role != NodeRole::All && is_alone {
        let text = format!(
            "`{text}` leaves work to other nodes, and no other node can use this storage; expected \
             kafka_brokers and keydb_url beside it, or all"
        );
        sources.problem("role", &text);
        return None;
    }
    Some(role)
}

/// What is asked about dead letters; none when it is not known where they are.
fn letters(sources: &mut Sources, asked: &ArgMatches) -> Option<dead_letters::Command> {
    let partitions = sources.number("partitions", 1..=4_096);
    let storage = storage::read(sources)?;
    if storage == Storage::Ephemeral {
        let text =
            "keeps no dead letters; expected --data FOLDER, or --kafka-brokers with --keydb-url";
        sources.problem("ephemeral", text);
        return None;
    }
    let number = |asked: &ArgMatches| asked.get_one::<u64>("number").copied();
    let action = match asked.subcommand()? {
        ("show", asked) => Action::Show(number(asked)?),
        ("replay", asked) => Action::Replay(number(asked)?),
        ("drop", asked) => Action::Drop(number(asked)?),
        (_, asked) => Action::List {
            after: asked.get_one::<u64>("after").copied(),
            limit: usize::try_from(*asked.get_one::<u64>("limit")?).ok()?,
        },
    };
    Some(dead_letters::Command {
        storage,
        partitions: u32::try_from(partitions?).ok()?,
        action,
        json: asked.get_flag("json"),
    })
}

/// Which views are to be built again; none when it is not known where they are.
fn views(sources: &mut Sources, asked: &ArgMatches) -> Option<rebuild::Command> {
    let partitions = sources.number("partitions", 1..=4_096);
    let storage = storage::read(sources)?;
    if storage == Storage::Ephemeral {
        let text = "has no view that outlives the server; expected --data FOLDER, or \
                    --kafka-brokers with --keydb-url";
        sources.problem("ephemeral", text);
        return None;
    }
    let number = |name: &str| asked.get_one::<u32>(name).copied();
    let which = match (number("partition"), asked.get_flag("all")) {
        (Some(one), _) => Which::One(one),
        (None, true) => Which::From(number("from").unwrap_or(0)),
        (None, false) => Which::Watch,
    };
    Some(rebuild::Command {
        storage,
        partitions: u32::try_from(partitions?).ok()?,
        which,
    })
}

fn desks(sources: &mut Sources, demo: bool) -> BTreeMap<DeskId, DeskConfig> {
    let desks = desk::read(sources);
    if !desks.is_empty() || !demo {
        return desks;
    }
    DeskId::try_new(DEMO_DESK)
        .ok()
        .zip(demo_desk().ok())
        .into_iter()
        .collect()
}

fn queue(sources: &mut Sources, desks: &BTreeMap<DeskId, DeskConfig>) -> Option<QueueRef> {
    let text = sources.take("queue")?;
    let queue = text.split_once('/').and_then(|(desk, queue)| {
        Some(QueueRef {
            desk: DeskId::try_new(desk).ok()?,
            queue: QueueId::try_new(queue).ok()?,
        })
    });
    let Some(queue) = queue else {
        sources.problem(
            "queue",
            &format!("`{text}` can't be used; expected DESK/QUEUE"),
        );
        return None;
    };
    let known = desks
        .get(&queue.desk)
        .is_some_and(|desk| desk.queues.contains_key(&queue.queue));
    if !desks.is_empty() && !known {
        let all = desks
            .iter()
            .flat_map(|(desk, config)| config.queues.keys().map(move |q| format!("{desk}/{q}")))
            .collect::<Vec<_>>()
            .join(", ");
        let text = format!("`{text}` is no queue of the desks; expected one of {all}");
        sources.problem("queue", &text);
    }
    Some(queue)
}

fn logs(sources: &mut Sources) -> Option<Logs> {
    let format = sources
        .take("log_format")
        .unwrap_or_else(|| "text".to_owned());
    let level = sources
        .take("log_level")
        .unwrap_or_else(|| "info".to_owned());
    if level
        .parse::<tracing_subscriber::filter::Targets>()
        .is_err()
    {
        let expected = "is not a level; expected off, error, warn, info, debug or trace, or \
                        levels by part such as info,chatcore=debug";
        sources.problem("log_level", expected);
    }
    match format.as_str() {
        "json" | "text" => Some(Logs {
            json: format == "json",
            level,
        }),
        _ => {
            let text = format!("`{format}` is no format; expected json or text");
            sources.problem("log_format", &text);
            None
        }
    }
}

fn is_origin(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ']))
}

#[cfg(test)]
mod tests;
