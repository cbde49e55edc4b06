//! What outlives nodes: the journal, the store, what is between them, and the history.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use tokio::runtime::Runtime;

use super::{
    backend::{Backend, BackendPorts, Driver},
    clock::{NodeClock, WorldTime},
    fired::{Fired, Kind},
    history::{Connection, History, What},
    inbox::{NodePost, Post},
    journal::Broker,
    journal_port::{NodeJournal, Producer},
    link::{Link, Trouble, lost},
    rng::Rng,
    store::{Modelled, NodeStore, Servers, passing},
    tables::Far,
};
use crate::{
    clock::Clock,
    error::Result,
    ids::NodeId,
    memory::{MemoryArchive, MemoryDeadLetters, MemoryIndex, MemoryShared, MemorySnapshots},
    ports::Ports,
    push::{Push, PushNotifier},
};

/// Partitions of the journal.
pub const PARTITIONS: u32 = 4;

/// What outlives nodes.
#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) time: Arc<WorldTime>,
    pub(super) fired: Arc<Fired>,
    pub(super) broker: Arc<Broker>,
    pub(super) servers: Arc<Servers>,
    pub(super) post: Arc<Post>,
    pub(super) behind: BackendPorts,
    history: Mutex<History>,
    lives: AtomicU64,
    /// Where the calls to a backend run. It ends with the world.
    _outside: Option<Runtime>,
}

/// The links of one node.
#[derive(Debug, Clone)]
pub(super) struct Links {
    pub(super) journal: Arc<Link>,
    pub(super) store: Arc<Link>,
    pub(super) nodes: Arc<Link>,
}

impl Links {
    pub(super) fn heal(&self) {
        for link in [&self.journal, &self.store, &self.nodes] {
            link.set(Trouble::None);
        }
    }
}

impl World {
    /// The world of a run, on the run's own ports or a backend's.
    pub(super) fn new(seed: u64, backend: Option<Arc<dyn Backend>>) -> Result<Self> {
        let time = Arc::new(WorldTime::default());
        let fired = Arc::new(Fired::default());
        let archive = Arc::new(MemoryArchive::default());
        let broker = Broker::new(PARTITIONS, Arc::clone(&time), Arc::clone(&fired));
        let rng = Rng::named(seed, "post");
        let post = Post::new(rng, Arc::clone(&time), Arc::clone(&fired));
        let store = Modelled::new(PARTITIONS, &time, archive.clone());
        let server = store.server();
        let mut behind = BackendPorts {
            partitions: server.partitions,
            streams: server.streams,
            leases: server.leases,
            index: Arc::new(MemoryIndex::default()),
            archive,
            snapshots: Arc::new(MemorySnapshots::default()),
            shared: Arc::new(MemoryShared::default()),
            dead_letters: Arc::new(MemoryDeadLetters::default()),
        };
        let mut outside = None;
        let servers = match backend {
            None => Servers::modelled(store, Arc::clone(&fired)),
            Some(backend) => {
                let (runtime, driver) = Driver::outside()?;
                behind = runtime.block_on(backend.open(passing(&time), behind))?;
                outside = Some(runtime);
                Servers::own(backend, &behind, driver, Arc::clone(&fired))
            }
        };
        Ok(Self {
            seed,
            broker: Arc::new(broker),
            servers: Arc::new(servers),
            post: Arc::new(post),
            behind,
            history: Mutex::default(),
            lives: AtomicU64::new(0),
            _outside: outside,
            time,
            fired,
        })
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what was seen.
    pub(super) fn saw(&self, on: Option<&Connection>, what: What) {
        self.history().push(self.time.now(), on, what);
    }

    pub(super) fn next_life(&self) -> u64 {
        self.lives.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn links(&self, node: &NodeId) -> Links {
        let link = |to: &str| {
            let rng = Rng::named(self.seed, &format!("{node} to {to}"));
            Arc::new(Link::new(rng, Arc::clone(&self.fired)))
        };
        let links = Links {
            journal: link("journal"),
            store: link("store"),
            nodes: link("nodes"),
        };
        self.post.connect(node.clone(), Arc::clone(&links.nodes));
        links
    }

    /// The ports of one life of a node.
    pub(super) fn ports(
        &self,
        node: &NodeId,
        life: u64,
        links: &Links,
        clock: Arc<NodeClock>,
    ) -> (Ports, Arc<Producer>) {
        let link = Arc::clone(&links.journal);
        let (journal, producer) = NodeJournal::new(Arc::clone(&self.broker), link, life);
        let store = Arc::new(NodeStore {
            servers: Arc::clone(&self.servers),
            link: Arc::clone(&links.store),
            node: node.clone(),
        });
        let (to_journal, to_store) = (&links.journal, &links.store);
        let behind = &self.behind;
        let ports = Ports {
            journal: Arc::new(journal),
            snapshots: Arc::new(self.far(to_journal, &behind.snapshots)),
            shared: Arc::new(self.far(to_journal, &behind.shared)),
            dead_letters: Arc::new(self.far(to_journal, &behind.dead_letters)),
            partitions: store.clone(),
            streams: store.clone(),
            leases: store,
            index: Arc::new(self.far(to_store, &behind.index)),
            archive: Arc::new(self.far(to_store, &behind.archive)),
            inbox: Arc::new(NodePost {
                post: Arc::clone(&self.post),
                link: Arc::clone(&links.nodes),
            }),
            clock,
        };
        (ports, producer)
    }

    fn far<P: ?Sized>(&self, link: &Arc<Link>, port: &Arc<P>) -> Far<P> {
        Far {
            link: Arc::clone(link),
            driver: self.servers.driver.clone(),
            port: Arc::clone(port),
        }
    }
}

/// A push service that fails at times.
#[derive(Debug)]
pub(super) struct SimPush {
    fired: Arc<Fired>,
    state: Mutex<(Rng, u64)>,
}

impl SimPush {
    pub(super) fn new(rng: Rng, fired: Arc<Fired>) -> Self {
        Self {
            fired,
            state: Mutex::new((rng, 0)),
        }
    }

    /// So many of a thousand pushes fail from now on.
    pub(super) fn set(&self, failing: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = failing;
    }
}

#[async_trait]
impl PushNotifier for SimPush {
    async fn notify(&self, _: &Push) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (rng, failing) = &mut *state;
        if rng.permille(*failing) {
            self.fired.count(Kind::PushFailed);
            return Err(lost("push", "the push service is away"));
        }
        Ok(())
    }
}
