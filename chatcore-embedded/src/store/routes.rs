//! Which nodes follow which streams. In memory: a route voids with its process.
//!
//! A route knows the last group that its follower has read. A save reads the routes after its
//! group was committed, and takes those that were written before: so each of the two sees the
//! other or is seen by it, never both, never neither.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chatcore::ids::{Node, StreamId};

use crate::tables::Snapshot;

/// Each node with the last group that it has read.
type Followers = BTreeMap<Node, u64>;

#[derive(Debug, Default)]
pub(super) struct Routes(Mutex<BTreeMap<StreamId, Followers>>);

impl Routes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamId, Followers>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to read and adds a route, as one step. Blocks.
    pub(super) fn add(
        &self,
        stream: &StreamId,
        node: &Node,
        begin: &dyn Fn() -> Snapshot,
    ) -> Snapshot {
        let mut routes = self.lock();
        let view = begin();
        let group = view.moment();
        // Who follows again was seen by the saves since the first time.
        let followers = routes.entry(stream.clone()).or_default();
        followers.entry(node.clone()).or_insert(group);
        view
    }

    pub(super) fn remove(&self, stream: &StreamId, node: &Node) {
        let mut routes = self.lock();
        if let Some(followers) = routes.get_mut(stream) {
            followers.remove(node);
            if followers.is_empty() {
                routes.remove(stream);
            }
        }
    }

    pub(super) fn forget(&self, stream: &StreamId) {
        self.lock().remove(stream);
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// The nodes that follow a stream and live, and have not read this group.
    pub(super) fn before(&self, group: u64, stream: &StreamId, live: &BTreeSet<Node>) -> Vec<Node> {
        let routes = self.lock();
        let followers = routes.get(stream).into_iter().flatten();
        let unread = followers.filter(|(node, read)| **read < group && live.contains(*node));
        unread.map(|(node, _)| node.clone()).collect()
    }
}
