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

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) kind: Kind,
    pub(crate) program: PathBuf,
    pub(crate) data: Option<PathBuf>,
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

    /// Where the target keeps what it is told.
    pub(crate) fn storage(&self) -> &'static str {
        match (self.kind, &self.data) {
            (Kind::Relay, _) => "none",
            (Kind::Chatcore, None) => "memory",
            (Kind::Chatcore, Some(_)) => "durable",
        }
    }
}
