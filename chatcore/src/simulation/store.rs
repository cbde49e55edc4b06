//! The store of a run: a primary that may lose its last writes or all of them, and a former
//! primary that wakes and serves the past to some nodes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::FutureExt;

use super::{
    backend::{Backend, BackendPorts, Driver},
    clock::WorldTime,
    fired::{Fired, Kind},
    link::Link,
};
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, ErrorKind, Result},
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
    pub(super) partitions: Arc<dyn PartitionStore>,
    pub(super) streams: Arc<dyn StreamStore>,
    pub(super) leases: Arc<dyn LeaseStore>,
}

impl Server {
    fn of(ports: &BackendPorts) -> Self {
        Self {
            partitions: Arc::clone(&ports.partitions),
            streams: Arc::clone(&ports.streams),
            leases: Arc::clone(&ports.leases),
        }
    }
}

/// The servers of the store.
#[derive(Debug)]
pub(super) struct Servers {
    primary: Server,
    kind: StoreKind,
    fired: Arc<Fired>,
    pub(super) driver: Driver,
    former: Mutex<Option<(Server, BTreeSet<NodeId>)>>,
}

/// Whose store it is.
#[derive(Debug)]
enum StoreKind {
    /// The run's.
    Modelled(Modelled),
    /// A backend's.
    Own(Arc<dyn Backend>),
}

/// The store in process, whose replicas are checkpoints.
#[derive(Debug)]
pub(super) struct Modelled {
    partitions: u32,
    archive: Arc<MemoryArchive>,
    store: Arc<MemoryStore>,
    leases: Arc<MemoryLeases>,
    /// What replicas have, by the name that the plan gave to the moment.
    replicas: Mutex<BTreeMap<usize, Checkpoint>>,
}

impl Modelled {
    pub(super) fn new(partitions: u32, time: &Arc<WorldTime>, archive: Arc<MemoryArchive>) -> Self {
        let leases = Arc::new(MemoryLeases::with_clock(passing(time)));
        let store = MemoryStore::new(partitions, Arc::clone(&leases), archive.clone());
        Self {
            partitions,
            archive,
            store: Arc::new(store),
            leases,
            replicas: Mutex::default(),
        }
    }

    pub(super) fn server(&self) -> Server {
        Server {
            partitions: self.store.clone(),
            streams: self.store.clone(),
            leases: self.leases.clone(),
        }
    }

    fn replicas(&self) -> MutexGuard<'_, BTreeMap<usize, Checkpoint>> {
        self.replicas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail_over(&self, name: usize) -> bool {
        let replica = self.replicas().remove(&name);
        let is_there = replica.is_some();
        if let Some(replica) = replica {
            self.store.restore(replica);
        }
        is_there
    }

    /// The primary as it is now, for those who go on with it after a failover.
    fn former(&self) -> Option<Server> {
        let leases = self.leases.copied().map(Arc::new)?;
        let kept = self.store.checkpoint();
        let archive = self.archive.clone();
        let store =
            MemoryStore::from_checkpoint(kept, self.partitions, Arc::clone(&leases), archive);
        let store = Arc::new(store);
        Some(Server {
            partitions: store.clone(),
            streams: store,
            leases,
        })
    }
}

impl Servers {
    /// The run's store.
    pub(super) fn modelled(store: Modelled, fired: Arc<Fired>) -> Self {
        Self {
            primary: store.server(),
            kind: StoreKind::Modelled(store),
            fired,
            driver: Driver::Here,
            former: Mutex::default(),
        }
    }

    /// A backend's store.
    pub(super) fn own(
        backend: Arc<dyn Backend>,
        ports: &BackendPorts,
        driver: Driver,
        fired: Arc<Fired>,
    ) -> Self {
        Self {
            primary: Server::of(ports),
            kind: StoreKind::Own(backend),
            fired,
            driver,
            former: Mutex::default(),
        }
    }

    fn former(&self) -> MutexGuard<'_, Option<(Server, BTreeSet<NodeId>)>> {
        self.former.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn primary(&self) -> &Server {
        &self.primary
    }

    /// Whether it can suffer all that is planned.
    pub(super) fn is_modelled(&self) -> bool {
        matches!(self.kind, StoreKind::Modelled(_))
    }

    fn ask(&self, call: impl Future<Output = Result<bool>> + Send) -> Result<bool> {
        let asked = self.driver.call(call).now_or_never();
        asked.unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "break a backend's store")))
    }

    /// A replica has what the primary has now, and gets nothing more.
    pub(super) fn replicate(&self, name: usize) -> Result<()> {
        match &self.kind {
            StoreKind::Modelled(store) => {
                let checkpoint = store.store.checkpoint();
                store.replicas().insert(name, checkpoint);
            }
            StoreKind::Own(backend) => {
                self.ask(async { backend.replicate(name).await.map(|()| true) })?;
            }
        }
        Ok(())
    }

    /// The replica becomes the primary: what was written since is lost.
    pub(super) fn fail_over(&self, name: usize) -> Result<()> {
        let is_done = match &self.kind {
            StoreKind::Modelled(store) => store.fail_over(name),
            StoreKind::Own(backend) => self.ask(backend.fail_over(name))?,
        };
        if is_done {
            self.fired.count(Kind::StoreSuffixLost);
        }
        Ok(())
    }

    /// The replica becomes the primary, and these nodes go on with the former one for a while:
    /// what they read is the past, what they write is lost. A backend's store only fails over.
    pub(super) fn fail_over_with_past(&self, name: usize, nodes: BTreeSet<NodeId>) -> Result<()> {
        let former = match &self.kind {
            StoreKind::Modelled(store) => store.former(),
            StoreKind::Own(_) => None,
        };
        self.fail_over(name)?;
        *self.former() = former.map(|former| (former, nodes));
        Ok(())
    }

    /// The former primary is gone for good.
    pub(super) fn forget_former(&self) {
        *self.former() = None;
    }

    pub(super) fn empty(&self) -> Result<()> {
        let is_done = match &self.kind {
            StoreKind::Modelled(store) => {
                store.store.clear();
                true
            }
            StoreKind::Own(backend) => self.ask(backend.empty())?,
        };
        if is_done {
            self.fired.count(Kind::StoreEmptied);
        }
        Ok(())
    }

    fn of(&self, node: &NodeId) -> Server {
        match &*self.former() {
            Some((former, nodes)) if nodes.contains(node) => {
                self.fired.count(Kind::StorePast);
                former.clone()
            }
            _ => self.primary.clone(),
        }
    }
}

/// Time as it passes for all, by which leases run.
pub(super) fn passing(time: &Arc<WorldTime>) -> Arc<dyn Clock> {
    Arc::new(Passing(Arc::clone(time)))
}

/// Time as it passes, without what wall clocks skip: leases run by it.
#[derive(Debug)]
struct Passing(Arc<WorldTime>);

impl Clock for Passing {
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
    async fn call<T, F>(
        &self,
        operation: &'static str,
        call: impl FnOnce(Server) -> F + Send,
    ) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        let arrives = async {
            let call = call(self.servers.of(&self.node));
            self.servers.driver.call(call).await
        };
        self.link.pass(operation, arrives).await
    }
}

#[async_trait]
impl PartitionStore for NodeStore {
    async fn take(&self, partition: Partition, above: Fence) -> Result<Mark> {
        let call = |s: Server| async move { s.partitions.take(partition, above).await };
        self.call("take a partition", call).await
    }

    async fn save(&self, batches: Vec<PartitionBatch>) -> Result<Vec<Result<Saved>>> {
        let call = |s: Server| async move { s.partitions.save(batches).await };
        self.call("save batches", call).await
    }

    async fn outbox(&self, partition: Partition) -> Result<Vec<Decision>> {
        let call = |s: Server| async move { s.partitions.outbox(partition).await };
        self.call("read the outbox", call).await
    }

    async fn trim(&self, partition: Partition, fence: Fence, before: Offset) -> Result<()> {
        let call = |s: Server| async move { s.partitions.trim(partition, fence, before).await };
        self.call("trim the outbox", call).await
    }

    async fn marks(&self, partitions: &[Partition]) -> Result<Vec<Mark>> {
        let call = |s: Server| async move { s.partitions.marks(partitions).await };
        self.call("read marks", call).await
    }

    async fn rebuild(&self, partition: Partition, fence: Fence, step: Rebuild) -> Result<()> {
        let call = |s: Server| async move { s.partitions.rebuild(partition, fence, step).await };
        self.call("build a partition again", call).await
    }

    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueLine>> {
        let call = |s: Server| async move { s.partitions.due(partition, until, limit).await };
        self.call("read due-lines", call).await
    }
}

#[async_trait]
impl StreamStore for NodeStore {
    async fn follow(&self, follow: Follow) -> Result<Followed> {
        let call = |s: Server| async move { s.streams.follow(follow).await };
        self.call("follow a stream", call).await
    }

    async fn unfollow(&self, stream: &StreamId, node: &Node) -> Result<()> {
        let call = |s: Server| async move { s.streams.unfollow(stream, node).await };
        self.call("unfollow a stream", call).await
    }

    async fn read(&self, range: ReadRange) -> Result<Page> {
        let call = |s: Server| async move { s.streams.read(range).await };
        self.call("read a stream", call).await
    }

    async fn heads(&self, streams: &[StreamId]) -> Result<Vec<Position>> {
        let call = |s: Server| async move { s.streams.heads(streams).await };
        self.call("read heads", call).await
    }

    async fn routes(&self, stream: &StreamId) -> Result<Vec<Node>> {
        let call = |s: Server| async move { s.streams.routes(stream).await };
        self.call("read routes", call).await
    }

    async fn load(&self, targets: &[Target]) -> Result<Vec<StoredState>> {
        let call = |s: Server| async move { s.streams.load(targets).await };
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
