//! Commands of chatcore's own parts: effects, channels, timers, presence. They are written like
//! everybody else's.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    content::Sealed,
    error::Result,
    identity::Assurance,
    ids::{Participant, Target, TenantId},
    journal::{Journal, Log, Receipt, append_when_room},
    record::{Command, CommandId, CommandRecord, TraceContext, encode},
};

/// The longest wait for room: below the time limit of an effect's try, so that a full journal is
/// told as such and not as an effect that hangs.
pub(crate) const ROOM_WAIT_MAX: Duration = Duration::from_secs(5);

/// A command before it is written.
#[derive(Debug, Clone)]
pub struct NewCommand {
    /// To whom.
    pub target: Target,
    /// By whom.
    pub author: Participant,
    /// How surely the author is who they say; none for whoever is not a customer.
    pub assurance: Option<Assurance>,
    /// Its name.
    pub id: CommandId,
    /// What.
    pub command: Command<Sealed>,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
}

impl NewCommand {
    /// A command of chatcore itself; the state tells whether it still applies.
    pub(crate) fn internal(target: Target, command: Command<Sealed>) -> Self {
        Self {
            target,
            author: Participant::System,
            assurance: None,
            id: CommandId::Internal,
            command,
            trace: None,
        }
    }

    /// The record to append.
    pub(crate) fn record(self) -> Result<CommandRecord> {
        let body = encode(&self.command)?;
        Ok(CommandRecord {
            tenant: TenantId::single(),
            trace: self.trace,
            target: self.target,
            author: self.author,
            rights: None,
            assurance: self.assurance,
            id: self.id,
            redaction: None,
            reply_to: None,
            digest: digest(&body),
            settled: 0,
            body,
        })
    }
}

/// Writes commands of chatcore's own parts to the journal.
#[derive(Debug, Clone)]
pub struct CommandWriter {
    journal: Arc<dyn Journal>,
}

impl CommandWriter {
    /// Writes to this journal.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal }
    }

    /// Writes a command and waits until it is durable; for room in the journal at most 5 s.
    /// Dropped while it waits, the command may have been written: its id or the state tells a
    /// repeat.
    ///
    /// # Errors
    /// As of [`Journal::try_append`]; `Overloaded` only after that wait, with nothing written.
    pub async fn write(&self, new: NewCommand) -> Result<Receipt> {
        let record = new.record()?;
        let partition = record.target.partition(self.journal.partitions());
        let bytes = encode(&record)?;
        let place = (Log::Commands, partition);
        let end = Some(Instant::now() + ROOM_WAIT_MAX);
        let pending = append_when_room(self.journal.as_ref(), place, bytes, end, || Ok(()));
        pending.await?.await
    }
}

fn digest(body: &[u8]) -> u64 {
    let mut first = [0u8; 8];
    blake3::Hasher::new()
        .update(body)
        .finalize_xof()
        .fill(&mut first);
    u64::from_be_bytes(first)
}
