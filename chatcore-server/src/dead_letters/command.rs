//! The program's side: asks the running server, or opens the folder that no server has.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use chatcore::clock::SystemClock;
use chatcore_embedded::{Embedded, Options};

use super::{Answer, Request, handle};

/// `dead-letters …` of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The data folder.
    pub data: PathBuf,
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
        let running = ask(&self.data, request).await;
        let answered = running.context("the server that has the folder does not answer")?;
        let is_running = answered.is_some();
        let answer = match answered {
            Some(answer) => answer,
            None => self.open_and_do(request).await?,
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
    async fn open_and_do(&self, request: Request) -> Result<Answer> {
        let data = self.data.display();
        if !self.data.join("format.json").is_file() {
            bail!("there is no data folder at `{data}`; expected --data FOLDER of a server");
        }
        let options = Options::new(&self.data).with_partitions(self.partitions);
        let opened = Embedded::open(options, Arc::new(SystemClock)).await;
        let opened = opened.with_context(|| format!("can't open `{data}`"))?;
        let answer = handle(&opened.ports(), request).await;
        opened.close().await?;
        Ok(answer)
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
