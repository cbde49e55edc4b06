//! How long the whole journal was silent: so long nobody could come back, and nothing is held
//! against them for it.
//!
//! The journal is known to work as long as looks at it succeed. What is between two of them, if it
//! is longer than a lease, was silence: an outage of the journal, or of this process. Before the
//! first look it is the time since the last command that was there before this process began.

use std::{sync::Arc, time::Duration};

use super::context::Context;
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    ids::{Offset, Partition},
    journal::Log,
};

/// Commands read at a time, and at most so often, to find the last one of before the start.
const CHUNK: u64 = 256;
const CHUNKS_MAX: usize = 16;

/// A time in which the whole journal was silent for longer than a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// The journal works.
#[derive(Debug)]
pub(super) struct Answered {
    /// When it was known to work before, if ever.
    from: Option<Timestamp>,
    to: Timestamp,
}

/// Watches whether the journal works.
#[derive(Debug)]
pub(super) struct Watch {
    began: Timestamp,
    /// When it was known to work last; none before the first look.
    worked: Option<Timestamp>,
    last: Option<Silence>,
}

impl Watch {
    pub(super) fn new(began: Timestamp) -> Self {
        Self {
            began,
            worked: None,
            last: None,
        }
    }

    /// Asks whether the journal works.
    pub(super) fn ask(
        &self,
        cx: &Arc<Context>,
    ) -> impl Future<Output = Result<Answered>> + Send + use<> {
        let (cx, worked, began) = (Arc::clone(cx), self.worked, self.began);
        async move {
            let from = match worked {
                Some(worked) => Some(worked),
                None => last_before(&cx, began).await?,
            };
            answers(&cx).await?;
            let to = cx.ports.clock.now();
            Ok(Answered { from, to })
        }
    }

    /// Takes note of the answer; tells the last silence that there was, if there was one, and
    /// whether it has just ended.
    pub(super) fn note(
        &mut self,
        Answered { from, to }: Answered,
        lease: Duration,
    ) -> (Option<Silence>, bool) {
        let silence = from
            .filter(|from| to.since(*from) > lease)
            .map(|from| Silence { from, to });
        self.worked = Some(to);
        self.last = silence.or(self.last);
        (self.last, silence.is_some())
    }

    /// What needed the journal or the store failed: it counts as silent since the look before.
    pub(super) fn doubt(&mut self, before: Option<Timestamp>) {
        self.worked = before.or(self.worked);
    }

    /// When it was known to work last.
    pub(super) fn worked(&self) -> Option<Timestamp> {
        self.worked
    }
}

/// Whether any partition takes commands.
async fn answers(cx: &Context) -> Result<()> {
    let mut failed = Error::new(ErrorKind::Internal, "look at the journal");
    for partition in (0..cx.partitions()).map(Partition) {
        match cx.ports.journal.bounds(Log::Commands, partition).await {
            Ok(_) => return Ok(()),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// When the last command was appended before `began`, to any partition.
async fn last_before(cx: &Context, began: Timestamp) -> Result<Option<Timestamp>> {
    let journal = &cx.ports.journal;
    let mut last = None;
    for partition in (0..cx.partitions()).map(Partition) {
        let (first, mut end) = journal.bounds(Log::Commands, partition).await?;
        for _ in 0..CHUNKS_MAX {
            let from = Offset(end.0.saturating_sub(CHUNK)).max(first);
            let limit = usize::try_from(end.0.saturating_sub(from.0)).unwrap_or(0);
            if limit == 0 {
                break;
            }
            let read = journal.read(Log::Commands, partition, from, limit).await?;
            let before = read.iter().map(|r| r.at).rfind(|at| *at < began);
            if before.is_some() {
                last = last.max(before);
                break;
            }
            end = from;
        }
    }
    Ok(last)
}
