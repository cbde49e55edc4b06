//! What a run is asked for.

use std::{env, path::PathBuf};

use anyhow::{Context as _, Result, bail};

pub(crate) const HELP: &str = "\
Loads a server over real sockets, and prints one JSON line.

usage: load MODE [--target relay|chatcore] [options]

  latency      messages at a steady rate; times from when each was due
  throughput   a number of messages under way in each dialog, always
  connect      sockets connected and following; what one costs in memory
  board        one board event to many staff sessions
  storm        sockets cut, each with a command under way, and resumed
  history      cost of a message after many were stored; ready after kill -9
  deaf         readers that don't read, and what they cost the others

options:
  --target NAME       relay or chatcore [chatcore]
  --program FILE      the target's program [beside this one]
  --data FOLDER       chatcore keeps its data there [in memory]
  --kafka LIST --keydb redis://HOST:PORT
                      chatcore keeps its data there, in nodes of their own: customers are at the
                      first gateway, operators at the last
  --gateways N [2]    --workers N [2]        --replication N [1]
  --dialogs N         [200]      --rate N         messages a second [2000]
  --seconds N         [10]       --warmup N       seconds [2]
  --outstanding N     [4]        --sockets N      [10000; board 5000, deaf 1000]
  --messages N        to store before the cost is measured again [1000000]
  --rounds N          of board events [20]
";

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Latency,
    Throughput,
    Connect,
    Board,
    Storm,
    History,
    Deaf,
}

/// What is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Relay,
    Chatcore,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Chatcore => "chatcore",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Chatcore => "chatcore-server",
        }
    }
}

/// What several nodes share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared {
    pub(crate) kafka: String,
    pub(crate) keydb: String,
    pub(crate) replication: u64,
    pub(crate) prefix: String,
}

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) kind: Kind,
    pub(crate) program: PathBuf,
    pub(crate) data: Option<PathBuf>,
    pub(crate) shared: Option<Shared>,
    pub(crate) gateways: usize,
    pub(crate) workers: usize,
    pub(crate) dialogs: usize,
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    pub(crate) warmup: u64,
    pub(crate) outstanding: u64,
    pub(crate) sockets: usize,
    pub(crate) messages: u64,
    pub(crate) rounds: u64,
}

/// The longest that a run may be asked to take, in seconds: it stops by itself.
pub(crate) const SECONDS_MAX: u64 = 600;

impl Options {
    /// From the words of a command line; none when help is asked for.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mode = match words.next().as_deref() {
            Some("latency") => Mode::Latency,
            Some("throughput") => Mode::Throughput,
            Some("connect") => Mode::Connect,
            Some("board") => Mode::Board,
            Some("storm") => Mode::Storm,
            Some("history") => Mode::History,
            Some("deaf") => Mode::Deaf,
            None | Some("--help" | "help") => return Ok(None),
            Some(other) => bail!("no mode `{other}`; see --help"),
        };
        let mut options = Self {
            mode,
            kind: Kind::Chatcore,
            program: PathBuf::new(),
            data: None,
            shared: None,
            gateways: 2,
            workers: 2,
            dialogs: 200,
            rate: 2_000,
            seconds: 10,
            warmup: 2,
            outstanding: 4,
            sockets: match mode {
                Mode::Board => 5_000,
                Mode::Deaf => 1_000,
                _ => 10_000,
            },
            messages: 1_000_000,
            rounds: 20,
        };
        while let Some(name) = words.next() {
            let value = words
                .next()
                .with_context(|| format!("{name} needs a value"))?;
            options.set(&name, &value)?;
        }
        if options.program.as_os_str().is_empty() {
            options.program = env::current_exe()?.with_file_name(options.kind.program());
        }
        if let Some(shared) = &options.shared
            && (shared.kafka.is_empty() || shared.keydb.is_empty())
        {
            bail!("--kafka and --keydb go together");
        }
        if options.seconds + options.warmup > SECONDS_MAX {
            bail!("a run takes at most {SECONDS_MAX} s");
        }
        Ok(Some(options))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let number = || -> Result<u64> {
            let number = value.parse();
            let number: u64 = number.with_context(|| format!("{name} {value}: not a number"))?;
            if number == 0 || number > 10_000_000 {
                bail!("{name} {value}: expected 1 to 10000000");
            }
            Ok(number)
        };
        match name {
            "--target" => {
                self.kind = match value {
                    "relay" => Kind::Relay,
                    "chatcore" => Kind::Chatcore,
                    _ => bail!("no target `{value}`"),
                }
            }
            "--program" => self.program = value.into(),
            "--data" => self.data = Some(value.into()),
            "--kafka" => self.shared().kafka = value.to_owned(),
            "--keydb" => self.shared().keydb = value.to_owned(),
            "--replication" => self.shared().replication = number()?,
            "--gateways" => self.gateways = usize::try_from(number()?)?,
            "--workers" => self.workers = usize::try_from(number()?)?,
            "--dialogs" => self.dialogs = usize::try_from(number()?)?,
            "--rate" => self.rate = number()?,
            "--seconds" => self.seconds = number()?,
            "--warmup" => self.warmup = number()?,
            "--outstanding" => self.outstanding = number()?,
            "--sockets" => self.sockets = usize::try_from(number()?)?,
            "--messages" => self.messages = number()?,
            "--rounds" => self.rounds = number()?,
            _ => bail!("no option {name}; see --help"),
        }
        Ok(())
    }

    fn shared(&mut self) -> &mut Shared {
        self.shared.get_or_insert_with(|| Shared {
            replication: 1,
            // Topics and keys of a run are nobody else's.
            prefix: format!("load-{}", std::process::id()),
            ..Shared::default()
        })
    }

    /// Where the target keeps what it is told.
    pub(crate) fn storage(&self) -> &'static str {
        match (self.kind, &self.shared, &self.data) {
            (Kind::Relay, _, _) => "none",
            (Kind::Chatcore, Some(_), _) => "shared",
            (Kind::Chatcore, None, None) => "memory",
            (Kind::Chatcore, None, Some(_)) => "durable",
        }
    }
}
