//! Trying a dead letter again, as a new command.

use bytes::Bytes;

use super::context::Context;
use crate::{
    error::{Error, ErrorKind, Result},
    ids::Label,
    journal::{DeadLetter, Journal, Log, Receipt},
    record::{self, CommandId, CommandRecord},
};

/// Appends a dead letter of the engine as a new command; durable when it returns.
///
/// Its old number is consumed and stays rejected: the new command is chatcore's own, in the name of
/// the same author, and nobody waits for its outcome. A record without a readable envelope is
/// appended as it is. Removing the letter is the caller's.
///
/// # Errors
/// `Invalid` for a letter of somebody else or without a record, `Overloaded` when the journal is
/// full, `Unavailable`.
pub async fn replay(journal: &dyn Journal, letter: &DeadLetter) -> Result<Receipt> {
    if letter.origin != Label::literal("engine") || letter.record.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "replay a dead letter")
            .with_context("origin", &letter.origin)
            .with_context("bytes", letter.record.len()));
    }
    let bytes: Bytes = match record::decode::<CommandRecord>(&letter.record) {
        Ok(command) => record::encode(&CommandRecord {
            id: CommandId::Internal,
            reply_to: None,
            settled: 0,
            ..command
        })?,
        Err(_) => letter.record.clone(),
    };
    match journal.try_append(Log::Commands, letter.partition, bytes) {
        Ok(pending) => pending.await,
        Err(refused) => Err(refused.error),
    }
}

/// Adds letters of records without a readable envelope, each once.
pub(super) async fn add(cx: &Context, letters: Vec<DeadLetter>) -> Result<()> {
    for letter in letters {
        cx.ports.dead_letters.add(letter).await?;
        super::stats::count(&cx.stats.dead_letters, 1);
    }
    Ok(())
}
