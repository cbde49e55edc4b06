//! What all parts of the engine share: the ports, the bounds, the counters.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{config::EngineConfig, stats::EngineStats};
use crate::{
    commands::ROOM_WAIT_MAX,
    decoded::Decoded,
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Node, Partition},
    journal::{Log, Pending, append_when_room},
    ports::Ports,
    queue::Policies,
};

/// What all parts of the engine share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) ports: Ports,
    pub(super) node: Node,
    pub(super) policies: Policies,
    pub(super) config: EngineConfig,
    pub(super) stats: Arc<EngineStats>,
    /// What is published, for the effects of this process.
    pub(super) decoded: Decoded,
}

impl Context {
    pub(super) fn partitions(&self) -> u32 {
        self.ports.journal.partitions()
    }

    pub(super) fn incarnation(&self) -> Incarnation {
        self.ports.journal.incarnation()
    }

    /// Appends as soon as there is room: what the engine appends is never refused for load.
    pub(super) async fn append(
        &self,
        log: Log,
        partition: Partition,
        bytes: Bytes,
    ) -> Result<Pending> {
        let journal = self.ports.journal.as_ref();
        append_when_room(journal, (log, partition), bytes, None, || Ok(())).await
    }

    /// Appends a command that a later look would append as well, so that a full journal does not
    /// hold up the worker for long.
    ///
    /// # Errors
    /// `Overloaded` after 5 s without room; nothing was appended then.
    pub(super) async fn append_soon(&self, partition: Partition, bytes: Bytes) -> Result<Pending> {
        let place = (Log::Commands, partition);
        let end = Some(Instant::now() + ROOM_WAIT_MAX);
        append_when_room(self.ports.journal.as_ref(), place, bytes, end, || Ok(())).await
    }

    /// Does it again until it is done, `stop` is cancelled (none) or nothing can help.
    ///
    /// Only for what may be done twice.
    pub(super) async fn persist<T, F>(
        &self,
        stop: &CancellationToken,
        what: &'static str,
        mut act: impl FnMut() -> F,
    ) -> Result<Option<T>>
    where
        F: Future<Output = Result<T>>,
    {
        let mut backoff = Backoff::new(&self.config);
        loop {
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                done = act() => done,
            };
            match done {
                Ok(value) => return Ok(Some(value)),
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => {
                    super::stats::count(&self.stats.retries, 1);
                    tracing::warn!(%error, what, "will try again");
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                () = backoff.wait() => {}
            }
        }
    }
}

/// The panic of a task that nobody waits for becomes an error of the engine: a node that ends is
/// replaced, a partition that nobody works on is not.
pub(super) async fn or_panicked<T>(
    what: &'static str,
    task: impl Future<Output = Result<T>>,
) -> Result<T> {
    let ended = AssertUnwindSafe(task).catch_unwind().await;
    ended.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Internal, what).with_context("cause", "a panic"))
    })
}

/// Whether trying again can't help this process.
pub(crate) fn is_final(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Closed | ErrorKind::Storage | ErrorKind::NewerFormat
    )
}

/// Growing waits between tries.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub(super) fn new(config: &EngineConfig) -> Self {
        Self {
            next: config.retry_min,
            max: config.retry_max,
        }
    }

    /// The next wait, not yet waited.
    pub(super) fn step(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(self.max);
        now
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.step()).await;
    }
}
