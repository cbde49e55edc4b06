//! Runs of the simulation on a backend's own ports.
#![cfg(feature = "simulation")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chatcore::{
    clock::{Clock, Timestamp},
    error::{Error, ErrorKind, Result},
    ids::{Fence, Offset, Partition},
    memory::{Checkpoint, MemoryLeases, MemoryStore},
    record::Decision,
    simulation::{Backend, BackendPorts, Kind, PARTITIONS, Plan, run_on, shrink::tell},
    store::{DueLine, Mark, PartitionBatch, PartitionStore, Rebuild, Saved},
};

/// The store in process as somebody else's, which waits for each call.
#[derive(Debug, Default)]
struct Own {
    /// Its outbox is always empty.
    forgets: bool,
    store: Mutex<Option<Arc<MemoryStore>>>,
    replicas: Mutex<BTreeMap<usize, Checkpoint>>,
}

impl Own {
    fn store(&self) -> Result<Arc<MemoryStore>> {
        let store = self.store.lock().unwrap().clone();
        store.ok_or_else(|| Error::new(ErrorKind::Internal, "use a backend that is not open"))
    }
}

#[async_trait]
impl Backend for Own {
    async fn open(&self, clock: Arc<dyn Clock>, ports: BackendPorts) -> Result<BackendPorts> {
        let leases = Arc::new(MemoryLeases::with_clock(clock));
        let archive = ports.archive.clone();
        let store = Arc::new(MemoryStore::new(PARTITIONS, leases.clone(), archive));
        *self.store.lock().unwrap() = Some(store.clone());
        let slow = Arc::new(Slow {
            store: store.clone(),
            forgets: self.forgets,
        });
        Ok(BackendPorts {
            partitions: slow,
            streams: store,
            leases,
            ..ports
        })
    }

    async fn empty(&self) -> Result<bool> {
        self.store()?.clear();
        Ok(true)
    }

    async fn replicate(&self, replica: usize) -> Result<()> {
        let kept = self.store()?.checkpoint();
        self.replicas.lock().unwrap().insert(replica, kept);
        Ok(())
    }

    async fn fail_over(&self, replica: usize) -> Result<bool> {
        let kept = self.replicas.lock().unwrap().remove(&replica);
        let is_there = kept.is_some();
        if let Some(kept) = kept {
            self.store()?.restore(kept);
        }
        Ok(is_there)
    }
}

/// A store that waits, as one over a network does.
#[derive(Debug)]
struct Slow {
    store: Arc<MemoryStore>,
    forgets: bool,
}

#[async_trait]
impl PartitionStore for Slow {
    async fn take(&self, partition: Partition, above: Fence) -> Result<Mark> {
        self.store.take(partition, above).await
    }

    async fn save(&self, batches: Vec<PartitionBatch>) -> Result<Vec<Result<Saved>>> {
        tokio::time::sleep(Duration::from_micros(100)).await;
        self.store.save(batches).await
    }

    async fn outbox(&self, partition: Partition) -> Result<Vec<Decision>> {
        match self.forgets {
            true => Ok(Vec::new()),
            false => self.store.outbox(partition).await,
        }
    }

    async fn trim(&self, partition: Partition, fence: Fence, before: Offset) -> Result<()> {
        PartitionStore::trim(&*self.store, partition, fence, before).await
    }

    async fn marks(&self, partitions: &[Partition]) -> Result<Vec<Mark>> {
        self.store.marks(partitions).await
    }

    async fn rebuild(&self, partition: Partition, fence: Fence, step: Rebuild) -> Result<()> {
        self.store.rebuild(partition, fence, step).await
    }

    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueLine>> {
        self.store.due(partition, until, limit).await
    }
}

#[test]
fn a_backend_that_keeps_its_promises_runs_well_and_suffers_what_it_can() {
    let mut fired = BTreeMap::new();
    for seed in [1, 2] {
        let plan = Plan::draw(seed);
        let report = run_on(&plan, Arc::new(Own::default())).unwrap();
        assert!(report.is_well(), "{}", tell(&plan, &report));
        for (kind, times) in report.fired {
            *fired.entry(kind).or_insert(0) += times;
        }
    }
    for kind in [Kind::StoreEmptied, Kind::StoreSuffixLost, Kind::ReplyLost] {
        assert!(fired.contains_key(&kind), "{kind} never happened");
    }
}

#[test]
fn a_backend_that_breaks_a_promise_is_noticed() {
    let backend = Own {
        forgets: true,
        ..Own::default()
    };
    // The first plan in which a node dies between saving and emitting.
    let report = run_on(&Plan::draw(5), Arc::new(backend)).unwrap();
    assert!(!report.is_well(), "what a dead node had saved was emitted");
}
