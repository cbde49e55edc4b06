//! Dead letters, for whoever keeps the server running: `chatcore-server dead-letters …`.
//!
//! While a server runs it has the folder, so the program asks it over a socket in that folder
//! (`desk`); else it opens the folder itself. Whoever may use the folder may use both, and nobody
//! else: these are no people of the chat, and tokens say nothing about them.
//!
//! What people wrote stays sealed: a letter is shown by its place, its reason, and the kinds and sizes
//! of what is in it.

mod command;
#[cfg(unix)]
pub(crate) mod desk;
mod view;

use chatcore::{
    engine,
    error::{Error, ErrorKind, Result},
    journal::DeadLetter,
    ports::Ports,
};
use serde::{Deserialize, Serialize};

pub use command::{Action, Command};
use view::Letter;

/// Most letters of one answer.
pub const LIMIT_MAX: usize = 1_000;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    /// Those with a number above `after`.
    List {
        after: Option<u64>,
        limit: usize,
    },
    Show {
        number: u64,
    },
    Replay {
        number: u64,
    },
    Drop {
        number: u64,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// In order; `more` when there are others after them.
    Letters {
        letters: Vec<Letter>,
        more: bool,
    },
    Letter(Box<Letter>),
    /// It was appended as a new command, at this place, and is no letter any more.
    Replayed {
        partition: u32,
        offset: u64,
    },
    Dropped(Box<Letter>),
    Failed(String),
}

/// Does what is asked.
async fn handle(ports: &Ports, request: Request) -> Answer {
    match done(ports, request).await {
        Ok(answer) => answer,
        Err(error) => Answer::Failed(error.to_string()),
    }
}

async fn done(ports: &Ports, request: Request) -> Result<Answer> {
    let letters = &ports.dead_letters;
    match request {
        Request::List { after, limit } => {
            let limit = limit.clamp(1, LIMIT_MAX);
            let mut found = letters.list(after, limit + 1).await?;
            let more = found.len() > limit;
            found.truncate(limit);
            let letters = found
                .iter()
                .map(|(number, letter)| Letter::of(*number, letter));
            Ok(Answer::Letters {
                letters: letters.collect(),
                more,
            })
        }
        Request::Show { number } => {
            let letter = find(ports, number).await?;
            Ok(Answer::Letter(Box::new(Letter::of(number, &letter))))
        }
        Request::Replay { number } => {
            let letter = find(ports, number).await?;
            // Appended first: a letter that was replayed twice is decided twice, one that was lost
            // never.
            let receipt = engine::replay(ports.journal.as_ref(), &letter).await?;
            letters.remove(number).await?;
            tracing::info!(number, reason = %letter.reason, partition = letter.partition.0,
                offset = letter.offset.0, "a dead letter was replayed");
            Ok(Answer::Replayed {
                partition: letter.partition.0,
                offset: receipt.offset.0,
            })
        }
        Request::Drop { number } => {
            let letter = find(ports, number).await?;
            letters.remove(number).await?;
            tracing::info!(number, origin = %letter.origin, reason = %letter.reason,
                partition = letter.partition.0, offset = letter.offset.0, "a dead letter was dropped");
            Ok(Answer::Dropped(Box::new(Letter::of(number, &letter))))
        }
    }
}

async fn find(ports: &Ports, number: u64) -> Result<DeadLetter> {
    let after = number.checked_sub(1);
    let found = ports.dead_letters.list(after, 1).await?;
    let found = found.into_iter().find(|(other, _)| *other == number);
    found.map(|(_, letter)| letter).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "find a dead letter").with_context("number", number)
    })
}
