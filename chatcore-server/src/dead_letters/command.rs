//! The program's side: asks the running server, or opens the folder that no server has. On Kafka it
//! is one more node that only reads and appends.

use std::{fmt::Write as _, path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail};
use chatcore::clock::SystemClock;
use chatcore_embedded::{Embedded, Options};

use super::{Answer, Request, handle};
use crate::config::{Shared, Storage};

/// `dead-letters …` of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Where they are.
    pub storage: Storage,
    /// The partitions that it was created with.
    pub partitions: u32,
    /// What to do.
    pub action: Action,
    /// One line of JSON instead of text for people.
    pub json: bool,
}

/// What to do with dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Lists those with a number above this one.
    List {
        /// Numbers begin after it.
        after: Option<u64>,
        /// At most so many.
        limit: usize,
    },
    /// Shows one.
    Show(u64),
    /// Appends one of the engine as a new command, and forgets the letter.
    Replay(u64),
    /// Forgets one.
    Drop(u64),
}

impl Command {
    /// Does it; what to say then.
    ///
    /// # Errors
    /// No such letter, one that can't be replayed, a folder that is not there or can't be opened.
    pub async fn run(self) -> Result<String> {
        let request = match self.action {
            Action::List { after, limit } => Request::List { after, limit },
            Action::Show(number) => Request::Show { number },
            Action::Replay(number) => Request::Replay { number },
            Action::Drop(number) => Request::Drop { number },
        };
        let (answer, is_running) = match &self.storage {
            Storage::Folder(data) => {
                let running = ask(data, request).await;
                let answered = running.context("the server that has the folder does not answer")?;
                match answered {
                    Some(answer) => (answer, true),
                    None => (self.open_and_do(data, request).await?, false),
                }
            }
            Storage::Shared(shared) => (self.do_on_kafka(shared, request).await?, true),
            Storage::Ephemeral => bail!("what is kept in memory has no dead letters"),
        };
        if let Answer::Failed(text) = &answer {
            bail!("{text}");
        }
        if self.json {
            return Ok(format!("{}\n", serde_json::to_string(&answer)?));
        }
        Ok(said(&answer, is_running))
    }

    /// No server has the folder.
    async fn open_and_do(&self, data: &Path, request: Request) -> Result<Answer> {
        let shown = data.display();
        if !data.join("format.json").is_file() {
            bail!("there is no data folder at `{shown}`; expected --data FOLDER of a server");
        }
        let options = Options::new(data).with_partitions(self.partitions);
        let opened = Embedded::open(options, Arc::new(SystemClock)).await;
        let opened = opened.with_context(|| format!("can't open `{shown}`"))?;
        let answer = handle(&opened.ports(), request).await;
        opened.close().await?;
        Ok(answer)
    }
}

/// A letter that is replayed has to be durable by then.
#[cfg(all(feature = "kafka", feature = "keydb"))]
const CLOSE_MAX: std::time::Duration = std::time::Duration::from_secs(10);

impl Command {
    /// Beside the nodes that run, if any do.
    #[cfg(all(feature = "kafka", feature = "keydb"))]
    async fn do_on_kafka(&self, shared: &Shared, request: Request) -> Result<Answer> {
        let mut config = crate::app::shared::kafka(shared, self.partitions);
        // A wrong prefix must not make a journal.
        config.create_topics = false;
        let kafka = chatcore_kafka::Kafka::open(config).await?;
        let ports = chatcore::ports::Ports {
            journal: kafka.journal(),
            dead_letters: kafka.dead_letters(),
            ..chatcore::memory::ports(self.partitions, Arc::new(SystemClock))
        };
        let answer = handle(&ports, request).await;
        kafka.close(CLOSE_MAX).await;
        Ok(answer)
    }

    /// The configuration refuses it before.
    #[cfg(not(all(feature = "kafka", feature = "keydb")))]
    #[allow(clippy::unused_async, reason = "as the one that has a Kafka")]
    async fn do_on_kafka(&self, _: &Shared, _: Request) -> Result<Answer> {
        bail!("this build has no Kafka")
    }
}

#[cfg(unix)]
async fn ask(data: &Path, request: Request) -> std::io::Result<Option<Answer>> {
    super::desk::ask(data, request).await
}

/// There is no socket to ask over: only a folder that no server has can be used.
#[cfg(not(unix))]
async fn ask(_: &Path, _: Request) -> std::io::Result<Option<Answer>> {
    Ok(None)
}

fn said(answer: &Answer, is_running: bool) -> String {
    let mut text = String::new();
    // Writing to a text can't fail.
    let _ = match answer {
        Answer::Letters { letters, .. } if letters.is_empty() => {
            writeln!(text, "no dead letters")
        }
        Answer::Letters { letters, more } => {
            for letter in letters {
                let _ = writeln!(text, "{letter}");
            }
            if *more {
                writeln!(text, "… and more: --after the last number")
            } else {
                Ok(())
            }
        }
        Answer::Letter(letter) => {
            writeln!(
                text,
                "{}",
                serde_json::to_string_pretty(letter).unwrap_or_default()
            )
        }
        Answer::Replayed { partition, offset } => {
            let then = if is_running {
                "it is decided now"
            } else {
                "it is decided when the server starts"
            };
            writeln!(
                text,
                "appended to partition {partition} at {offset}: {then}"
            )
        }
        Answer::Dropped(letter) => writeln!(text, "dropped: {letter}"),
        Answer::Failed(why) => writeln!(text, "{why}"),
    };
    text
}
