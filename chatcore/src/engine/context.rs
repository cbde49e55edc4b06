//! What all parts of the engine share: the ports, the bounds, the counters.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{config::EngineConfig, stats::EngineStats};
use crate::{
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Partition},
    journal::{Log, Pending},
    ports::Ports,
    queue::Policies,
};

/// What all parts of the engine share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) ports: Ports,
    pub(super) policies: Policies,
    pub(super) config: EngineConfig,
    pub(super) stats: Arc<EngineStats>,
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
        mut bytes: Bytes,
    ) -> Result<Pending> {
        let mut backoff = Backoff::new(&self.config);
        loop {
            self.ports.journal.ready(log, partition).await?;
            match self.ports.journal.try_append(log, partition, bytes) {
                Ok(pending) => return Ok(pending),
                Err(refused) if refused.error.kind() == ErrorKind::Overloaded => {
                    bytes = refused.bytes;
                    backoff.wait().await;
                }
                Err(refused) => return Err(refused.error),
            }
        }
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

/// Whether trying again can't help this process.
pub(super) fn is_final(error: &Error) -> bool {
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
