//! Leases in process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use super::lock;
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, ErrorKind, Result},
    ids::Node,
    sabotage::{self, Switch},
    store::{LeaseStore, StoreIdentity},
};

/// A [`LeaseStore`] in process.
#[derive(Debug, Default)]
pub struct MemoryLeases {
    time: Time,
    state: Mutex<State>,
}

/// By which leases run.
#[derive(Debug)]
enum Time {
    /// Tokio's, so that tests may pause it; since it was first asked.
    Tokio(OnceLock<Instant>),
    /// A clock's.
    Clock(Arc<dyn Clock>),
}

impl Default for Time {
    fn default() -> Self {
        Self::Tokio(OnceLock::new())
    }
}

#[derive(Debug, Clone, Default)]
struct State {
    life: u64,
    until: BTreeMap<Node, Timestamp>,
}

impl MemoryLeases {
    /// Leases that run by a clock instead of tokio's time: for nodes that each have their own.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            time: Time::Clock(clock),
            state: Mutex::default(),
        }
    }

    /// Forgets all leases and begins another life, as an emptied store does.
    pub fn clear(&self) {
        let mut state = lock(&self.state);
        state.life += 1;
        state.until.clear();
    }

    /// The same leases once more, in the same life, as a former primary has them. None with
    /// tokio's time.
    #[must_use]
    pub fn copied(&self) -> Option<Self> {
        match &self.time {
            Time::Tokio(_) => None,
            Time::Clock(clock) => Some(Self {
                time: Time::Clock(clock.clone()),
                state: Mutex::new(lock(&self.state).clone()),
            }),
        }
    }

    fn now(&self) -> Timestamp {
        match &self.time {
            Time::Tokio(first) => Timestamp(0).plus(first.get_or_init(Instant::now).elapsed()),
            Time::Clock(clock) => clock.now(),
        }
    }

    /// The nodes whose lease runs.
    pub(super) fn live(&self) -> Vec<Node> {
        let now = self.now();
        let state = lock(&self.state);
        state
            .until
            .iter()
            .filter(|(_, until)| **until > now)
            .map(|(n, _)| n.clone())
            .collect()
    }
}

#[async_trait]
impl LeaseStore for MemoryLeases {
    async fn open(&self, node: &Node, ttl: Duration) -> Result<()> {
        let until = self.now().plus(ttl);
        lock(&self.state).until.insert(node.clone(), until);
        Ok(())
    }

    async fn renew(&self, node: &Node, ttl: Duration) -> Result<()> {
        let now = self.now();
        let mut state = lock(&self.state);
        let held = state.until.get(node).is_some_and(|until| *until > now);
        if !held && !sabotage::on(Switch::RenewalCreatesLease) {
            state.until.remove(node);
            return Err(
                Error::new(ErrorKind::NotFound, "renew a lease").with_context("node", &node.id)
            );
        }
        state.until.insert(node.clone(), now.plus(ttl));
        Ok(())
    }

    async fn close(&self, node: &Node) -> Result<()> {
        lock(&self.state).until.remove(node);
        Ok(())
    }

    async fn alive(&self) -> Result<Vec<Node>> {
        Ok(self.live())
    }

    async fn identity(&self) -> Result<StoreIdentity> {
        Ok(StoreIdentity(format!("memory-{}", lock(&self.state).life)))
    }
}
