//! The store of a run: a primary that may lose its last writes or all of them, and a former
//! primary that wakes and serves the past to some nodes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    clock::WorldTime,
    fired::{Fired, Kind},
    link::Link,
};
use crate::{
    clock::Timestamp,
    error::Result,
    ids::{Fence, Node, NodeId, Offset, Partition, StreamId, Target},
    memory::{Checkpoint, MemoryArchive, MemoryLeases, MemoryStore},
    record::{Decision, Position},
    store::{
        DueLine, Follow, Followed, LeaseStore, Mark, Page, PartitionBatch, PartitionStore,
        ReadRange, Rebuild, Saved, StoreIdentity, StoredState, StreamStore,
    },
};

/// One server of the store.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) store: Arc<MemoryStore>,
    pub(super) leases: Arc<MemoryLeases>,
}

/// The servers of the store.
#[derive(Debug)]
pub(super) struct Servers {
    partitions: u32,
    archive: Arc<MemoryArchive>,
    primary: Server,
    fired: Arc<Fired>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What replicas have, by the name that the plan gave to the moment.
    replicas: BTreeMap<usize, Checkpoint>,
    former: Option<(Server, BTreeSet<NodeId>)>,
}

impl Servers {
    pub(super) fn new(
        partitions: u32,
        time: &Arc<WorldTime>,
        archive: Arc<MemoryArchive>,
        fired: Arc<Fired>,
    ) -> Self {
        let leases = Arc::new(MemoryLeases::with_clock(Arc::new(Passing(Arc::clone(
            time,
        )))));
        let store = MemoryStore::new(partitions, Arc::clone(&leases), archive.clone());
        Self {
            partitions,
            archive,
            primary: Server {
                store: Arc::new(store),
                leases,
            },
            fired,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn primary(&self) -> &Server {
        &self.primary
    }

    /// A replica has what the primary has now, and gets nothing more.
    pub(super) fn replicate(&self, name: usize) {
        let checkpoint = self.primary.store.checkpoint();
        self.state().replicas.insert(name, checkpoint);
    }

    /// The replica becomes the primary: what was written since is lost.
    pub(super) fn fail_over(&self, name: usize) {
        let replica = self.state().replicas.remove(&name);
        if let Some(replica) = replica {
            self.primary.store.restore(replica);
            self.fired.count(Kind::StoreSuffixLost);
        }
    }

    /// The replica becomes the primary, and these nodes go on with the former one for a while:
    /// what they read is the past, what they write is lost.
    pub(super) fn fail_over_with_past(&self, name: usize, nodes: BTreeSet<NodeId>) {
        let Some(leases) = self.primary.leases.copied().map(Arc::new) else {
            return;
        };
        let kept = self.primary.store.checkpoint();
        let archive = self.archive.clone();
        let store =
            MemoryStore::from_checkpoint(kept, self.partitions, Arc::clone(&leases), archive);
        let store = Arc::new(store);
        self.fail_over(name);
        self.state().former = Some((Server { store, leases }, nodes));
    }

    /// The former primary is gone for good.
    pub(super) fn forget_former(&self) {
        self.state().former = None;
    }

    pub(super) fn empty(&self) {
        self.primary.store.clear();
        self.fired.count(Kind::StoreEmptied);
    }

    fn of(&self, node: &NodeId) -> Server {
        match &self.state().former {
            Some((former, nodes)) if nodes.contains(node) => {
                self.fired.count(Kind::StorePast);
                former.clone()
            }
            _ => self.primary.clone(),
        }
    }
}

/// Time as it passes, without what wall clocks skip: leases run by it.
#[derive(Debug)]
struct Passing(Arc<WorldTime>);

impl crate::clock::Clock for Passing {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.passed_ms())
    }
}

/// The store as one node has it.
#[derive(Debug)]
pub(super) struct NodeStore {
    pub(super) servers: Arc<Servers>,
    pub(super) link: Arc<Link>,
    pub(super) node: NodeId,
}

impl NodeStore {
    /// Makes a call to the server that the node believes to be the primary when it arrives.
    async fn call<T, F>(&self, operation: &'static str, call: impl FnOnce(Server) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let arrives = async { call(self.servers.of(&self.node)).await };
        self.link.pass(operation, arrives).await
    }
}

#[async_trait]
impl PartitionStore for NodeStore {
    async fn take(&self, partition: Partition, above: Fence) -> Result<Mark> {
        let call = |s: Server| async move { s.store.take(partition, above).await };
        self.call("take a partition", call).await
    }

    async fn save(&self, batches: Vec<PartitionBatch>) -> Result<Vec<Result<Saved>>> {
        let call = |s: Server| async move { s.store.save(batches).await };
        self.call("save batches", call).await
    }

    async fn outbox(&self, partition: Partition) -> Result<Vec<Decision>> {
        let call = |s: Server| async move { s.store.outbox(partition).await };
        self.call("read the outbox", call).await
    }

    async fn trim(&self, partition: Partition, fence: Fence, before: Offset) -> Result<()> {
        let call = |s: Server| async move {
            PartitionStore::trim(&*s.store, partition, fence, before).await
        };
        self.call("trim the outbox", call).await
    }

    async fn marks(&self, partitions: &[Partition]) -> Result<Vec<Mark>> {
        let call = |s: Server| async move { s.store.marks(partitions).await };
        self.call("read marks", call).await
    }

    async fn rebuild(&self, partition: Partition, fence: Fence, step: Rebuild) -> Result<()> {
        let call = |s: Server| async move { s.store.rebuild(partition, fence, step).await };
        self.call("build a partition again", call).await
    }

    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueLine>> {
        let call = |s: Server| async move { s.store.due(partition, until, limit).await };
        self.call("read due-lines", call).await
    }
}

#[async_trait]
impl StreamStore for NodeStore {
    async fn follow(&self, follow: Follow) -> Result<Followed> {
        let call = |s: Server| async move { s.store.follow(follow).await };
        self.call("follow a stream", call).await
    }

    async fn unfollow(&self, stream: &StreamId, node: &Node) -> Result<()> {
        let call = |s: Server| async move { s.store.unfollow(stream, node).await };
        self.call("unfollow a stream", call).await
    }

    async fn read(&self, range: ReadRange) -> Result<Page> {
        let call = |s: Server| async move { StreamStore::read(&*s.store, range).await };
        self.call("read a stream", call).await
    }

    async fn heads(&self, streams: &[StreamId]) -> Result<Vec<Position>> {
        let call = |s: Server| async move { s.store.heads(streams).await };
        self.call("read heads", call).await
    }

    async fn routes(&self, stream: &StreamId) -> Result<Vec<Node>> {
        let call = |s: Server| async move { s.store.routes(stream).await };
        self.call("read routes", call).await
    }

    async fn load(&self, targets: &[Target]) -> Result<Vec<StoredState>> {
        let call = |s: Server| async move { s.store.load(targets).await };
        self.call("load states", call).await
    }
}

#[async_trait]
impl LeaseStore for NodeStore {
    async fn open(&self, node: &Node, ttl: Duration) -> Result<()> {
        let call = |s: Server| async move { s.leases.open(node, ttl).await };
        self.call("open a lease", call).await
    }

    async fn renew(&self, node: &Node, ttl: Duration) -> Result<()> {
        let call = |s: Server| async move { s.leases.renew(node, ttl).await };
        self.call("renew a lease", call).await
    }

    async fn close(&self, node: &Node) -> Result<()> {
        let call = |s: Server| async move { s.leases.close(node).await };
        self.call("close a lease", call).await
    }

    async fn alive(&self) -> Result<Vec<Node>> {
        let call = |s: Server| async move { s.leases.alive().await };
        self.call("read leases", call).await
    }

    async fn identity(&self) -> Result<StoreIdentity> {
        let call = |s: Server| async move { s.leases.identity().await };
        self.call("ask the store's identity", call).await
    }
}
