//! Runs of the simulation on a real server: nodes that die, links that lose replies, a store that
//! is emptied, or goes on with what a replica had.
//!
//! Starts a server of its own on loopback; without a program to start, it says that it was skipped.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    dead_code,
    reason = "a test fails by panicking, and shares its helpers"
)]

mod common;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chatcore::{
    clock::Clock,
    error::Result,
    ids::Node,
    memory::MemoryLeases,
    simulation::{Backend, BackendPorts, Kind, PARTITIONS, Plan, run_on, shrink::tell},
    store::{LeaseStore, StoreIdentity},
};
use chatcore_keydb::{Config, KeyDb};
use common::server::{Server, free_port, program};

/// Longer than a run.
const LONG: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
struct OnServer {
    program: PathBuf,
    server: Server,
    replicas: Mutex<BTreeMap<usize, Server>>,
    opened: Mutex<Option<Arc<Leases>>>,
}

/// Leases lapse by the run's time, in process. The server has them, too, so that it loses them
/// with all else.
#[derive(Debug)]
struct Leases {
    lapse: MemoryLeases,
    store: Arc<KeyDb>,
}

#[async_trait]
impl LeaseStore for Leases {
    async fn open(&self, node: &Node, ttl: Duration) -> Result<()> {
        self.lapse.open(node, ttl).await?;
        self.store.open(node, LONG).await
    }

    async fn renew(&self, node: &Node, ttl: Duration) -> Result<()> {
        self.store.renew(node, LONG).await?;
        self.lapse.renew(node, ttl).await
    }

    async fn close(&self, node: &Node) -> Result<()> {
        self.lapse.close(node).await?;
        self.store.close(node).await
    }

    async fn alive(&self) -> Result<Vec<Node>> {
        let mut alive = self.lapse.alive().await?;
        let kept = self.store.alive().await?;
        alive.retain(|node| kept.contains(node));
        Ok(alive)
    }

    async fn identity(&self) -> Result<StoreIdentity> {
        self.store.identity().await
    }
}

#[async_trait]
impl Backend for OnServer {
    async fn open(&self, clock: Arc<dyn Clock>, ports: BackendPorts) -> Result<BackendPorts> {
        let config = Config::new(self.server.address().parse()?, PARTITIONS);
        let config = common::patient(config.with_prefix(common::prefix()));
        let store = KeyDb::connect(config, ports.archive.clone()).await?;
        let leases = Arc::new(Leases {
            lapse: MemoryLeases::with_clock(clock),
            store: store.clone(),
        });
        *self.opened.lock().unwrap() = Some(leases.clone());
        Ok(BackendPorts {
            partitions: store.clone(),
            streams: store.clone(),
            index: store,
            leases,
            ..ports
        })
    }

    async fn empty(&self) -> Result<bool> {
        self.server.ask("FLUSHALL").unwrap();
        if let Some(leases) = self.opened.lock().unwrap().as_ref() {
            leases.lapse.clear();
        }
        Ok(true)
    }

    async fn replicate(&self, replica: usize) -> Result<()> {
        let kept = Server::start(&self.program, free_port(), &[]);
        kept.copy(&self.server);
        self.replicas.lock().unwrap().insert(replica, kept);
        Ok(())
    }

    /// The primary takes over what the replica had, and its replication id changes: to its clients
    /// it is another one.
    async fn fail_over(&self, replica: usize) -> Result<bool> {
        let Some(kept) = self.replicas.lock().unwrap().remove(&replica) else {
            return Ok(false);
        };
        self.server.copy(&kept);
        if let Some(leases) = self.opened.lock().unwrap().as_ref() {
            leases.lapse.clear();
        }
        Ok(true)
    }
}

#[test]
fn the_chat_runs_well_on_it_under_faults() {
    let Some(program) = program() else { return };
    let mut fired = BTreeMap::new();
    for seed in seeds() {
        let backend = OnServer {
            program: program.clone(),
            server: Server::start(&program, free_port(), &[]),
            replicas: Mutex::default(),
            opened: Mutex::default(),
        };
        let plan = Plan::draw(seed);
        let report = run_on(&plan, Arc::new(backend)).unwrap();
        assert!(report.is_well(), "{}", tell(&plan, &report));
        for (kind, times) in report.fired {
            *fired.entry(kind).or_insert(0) += times;
        }
    }
    for kind in [Kind::StoreEmptied, Kind::StoreSuffixLost, Kind::ReplyLost] {
        assert!(fired.contains_key(&kind), "{kind} never happened");
    }
}

/// A few; or those in `CHATCORE_SIMULATION_SEEDS`, as `1-50`.
fn seeds() -> std::ops::RangeInclusive<u64> {
    let asked = std::env::var("CHATCORE_SIMULATION_SEEDS").ok();
    let asked = asked.as_deref().and_then(|text| text.split_once('-'));
    asked.map_or(1..=2, |(from, to)| {
        from.parse().unwrap()..=to.parse().unwrap()
    })
}
