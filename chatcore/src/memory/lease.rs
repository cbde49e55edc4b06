//! Leases in process.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use super::lock;
use crate::{
    error::{Error, ErrorKind, Result},
    ids::Node,
    sabotage::{self, Switch},
    store::{LeaseStore, StoreIdentity},
};

/// A [`LeaseStore`] in process. Time is tokio's, so that tests may pause it.
#[derive(Debug, Default)]
pub struct MemoryLeases {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    life: u64,
    until: BTreeMap<Node, Instant>,
}

impl MemoryLeases {
    /// Forgets all leases and begins another life, as an emptied store does.
    pub fn clear(&self) {
        let mut state = lock(&self.state);
        state.life += 1;
        state.until.clear();
    }

    /// The nodes whose lease runs.
    pub(super) fn live(&self) -> Vec<Node> {
        let now = Instant::now();
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
        lock(&self.state)
            .until
            .insert(node.clone(), Instant::now() + ttl);
        Ok(())
    }

    async fn renew(&self, node: &Node, ttl: Duration) -> Result<()> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let held = state.until.get(node).is_some_and(|until| *until > now);
        if !held && !sabotage::on(Switch::RenewalCreatesLease) {
            state.until.remove(node);
            return Err(
                Error::new(ErrorKind::NotFound, "renew a lease").with_context("node", &node.id)
            );
        }
        state.until.insert(node.clone(), now + ttl);
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
