//! One set of connections to one primary. They live and go together.

use std::sync::atomic::{AtomicUsize, Ordering};

use chatcore::error::Result;
use redis::{Pipeline, aio::MultiplexedConnection};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    dial::{ask, dial},
    resolve::check_role,
};
use crate::{
    address::{Found, HostPort},
    config::Config,
    error::from_server,
    info::Info,
    script,
};

/// The connections of one resolution.
pub(crate) struct Generation {
    /// The primary.
    pub(crate) server: HostPort,
    connections: Vec<MultiplexedConnection>,
    next: AtomicUsize,
    /// Set once; the drivers end with it, and close their sockets.
    given_up: CancellationToken,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation")
            .field("server", &self.server)
            .field("connections", &self.connections.len())
            .field("given_up", &self.given_up.is_cancelled())
            .finish_non_exhaustive()
    }
}

impl Generation {
    /// Connects, makes sure that this is a primary, and loads the scripts.
    pub(super) async fn open(
        config: &Config,
        server: HostPort,
        tasks: &TaskTracker,
    ) -> Result<Self> {
        // Given up when this is dropped half-made.
        let given_up = CancellationToken::new();
        let guard = given_up.clone().drop_guard();
        let mut connections = Vec::with_capacity(config.connections);
        for _ in 0..config.connections {
            let dialled = dial(config, &server, config.address.login.as_ref()).await?;
            connections.push(dialled.connection);
            let ended = given_up.clone();
            tasks.spawn(async move {
                tokio::select! {
                    biased;
                    () = ended.cancelled() => {}
                    // The peer closed it: all go.
                    () = dialled.driver => ended.cancel(),
                }
            });
        }
        for connection in &mut connections {
            let checked = check_role(config, connection).await;
            checked.map_err(|error| error.with_context("address", &server))?;
        }
        if let Some(connection) = connections.first_mut() {
            check_settings(config, &server, connection).await?;
            load_scripts(config, connection).await?;
        }
        guard.disarm();
        Ok(Self {
            server,
            connections,
            next: AtomicUsize::new(0),
            given_up,
        })
    }

    /// How many there are.
    pub(super) fn connections(&self) -> usize {
        self.connections.len()
    }

    /// One of the connections, in turn.
    pub(super) fn connection(&self) -> Option<MultiplexedConnection> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        self.connections
            .get(at % self.connections.len().max(1))
            .cloned()
    }

    /// Closes all of the connections; what is under way on them fails.
    pub(super) fn give_up(&self, why: &dyn std::fmt::Display) {
        if !self.given_up.is_cancelled() {
            tracing::warn!(server = %self.server, %why, "the connections to the store are given up");
        }
        self.given_up.cancel();
    }

    /// Closes them at the end.
    pub(super) fn close(&self) {
        self.given_up.cancel();
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.is_cancelled()
    }

    pub(crate) async fn until_given_up(&self) {
        self.given_up.cancelled().await;
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.given_up.cancel();
    }
}

async fn check_settings(
    config: &Config,
    server: &HostPort,
    connection: &mut MultiplexedConnection,
) -> Result<()> {
    let questions = Info::questions(&["server", "replication", "memory"]);
    let info = Info::read(ask(config, connection, &questions).await?)?;
    let has_sentinels = matches!(config.address.found, Found::BySentinels { .. });
    for finding in info.findings(has_sentinels)? {
        tracing::warn!(%server, finding);
    }
    Ok(())
}

async fn load_scripts(config: &Config, connection: &mut MultiplexedConnection) -> Result<()> {
    let mut loads = Pipeline::new();
    for script in script::all() {
        loads.add_command(script.load());
    }
    for loaded in ask(config, connection, &loads).await? {
        if let redis::Value::ServerError(error) = loaded {
            return Err(from_server("load the store's scripts", &error));
        }
    }
    Ok(())
}
