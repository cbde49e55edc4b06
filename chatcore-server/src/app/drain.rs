//! Leaving: first the sessions, then the connections, then the parts, all under one deadline.

use std::{io, time::Duration};

use anyhow::{Result, bail};
use tokio::time::{Instant, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::parts::Parts;
use crate::server::Server;

/// The signals that ask to leave.
pub(super) struct Signals {
    #[cfg(unix)]
    term: tokio::signal::unix::Signal,
    #[cfg(unix)]
    int: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                term: signal(SignalKind::terminate())?,
                int: signal(SignalKind::interrupt())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// When leaving must have ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Waits for it no longer than the deadline; whether it ended in time.
    async fn wait(self, what: impl Future<Output = ()>) -> bool {
        timeout_at(self.0, what).await.is_ok()
    }
}

/// Leaves in order: no new sessions and hints to reconnect, connections, then what they need.
pub(super) async fn drain(
    server: &Server,
    connections: &TaskTracker,
    accept_until: &CancellationToken,
    parts: &mut Parts,
    deadline: Deadline,
) -> Result<()> {
    tracing::info!(sessions = server.tasks().len(), "draining");
    let mut late = Vec::new();
    server.drain();
    server.tasks().close();
    // Probes are still answered while sessions leave.
    if !deadline.wait(server.tasks().wait()).await {
        late.push(format!("{} tasks of sessions", server.tasks().len()));
    }
    accept_until.cancel();
    connections.close();
    if !deadline.wait(connections.wait()).await {
        late.push(format!("{} connections", connections.len()));
    }
    parts.stop();
    // What is saved must be emitted: this much is given even when sessions took all the time.
    let rest = Deadline(deadline.0.max(Instant::now() + Duration::from_secs(2)));
    if !rest.wait(parts.ended()).await {
        late.extend(parts.stragglers());
    }
    if late.is_empty() {
        tracing::info!("drained");
        return Ok(());
    }
    bail!(
        "the drain took longer than it may; still running: {}",
        late.join(", ")
    )
}
