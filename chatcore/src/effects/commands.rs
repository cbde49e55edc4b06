//! How effects answer: by commands, like everybody else.

use std::sync::Arc;

use crate::{
    content::Sealed,
    error::Result,
    ids::{Participant, Target, TenantId},
    journal::{Journal, Log, Receipt},
    record::{Command, CommandId, CommandRecord, TraceContext, encode},
};

/// A command before it is written.
#[derive(Debug, Clone)]
pub struct Draft {
    /// To whom.
    pub target: Target,
    /// By whom.
    pub author: Participant,
    /// Its name.
    pub id: CommandId,
    /// What.
    pub command: Command<Sealed>,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
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

    /// Writes a command and waits until it is durable. Dropped while it waits, the command may
    /// have been written: its id or the state tells a repeat.
    ///
    /// # Errors
    /// As of [`Journal::try_append`].
    pub async fn write(&self, draft: Draft) -> Result<Receipt> {
        let Draft {
            target,
            author,
            id,
            command,
            trace,
        } = draft;
        let partition = target.partition(self.journal.partitions());
        let body = encode(&command)?;
        let digest = digest(&body);
        let record = CommandRecord {
            tenant: TenantId::single(),
            trace,
            target,
            author,
            supervisor: false,
            id,
            reply_to: None,
            digest,
            settled: 0,
            body,
        };
        let mut bytes = encode(&record)?;
        loop {
            self.journal.ready(Log::Commands, partition).await?;
            match self.journal.try_append(Log::Commands, partition, bytes) {
                Ok(pending) => return pending.await,
                Err(refused) if refused.error.kind() == crate::error::ErrorKind::Overloaded => {
                    bytes = refused.bytes;
                    tokio::task::yield_now().await;
                }
                Err(refused) => return Err(refused.error),
            }
        }
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
