//! The chat of three nodes on this store, under faults: its promises beyond what one process asks.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chatcore::{
    clock::{Clock, SystemClock},
    error::{Error, ErrorKind, Result},
    memory::MemoryLeases,
    simulation::{Backend, BackendPorts, PARTITIONS, Plan, run_on, shrink::tell},
};
use tempfile::TempDir;

use super::whole;
use crate::{
    archive::FileArchive,
    database::Database,
    disk::RealDisk,
    journal::{EmbeddedDeadLetters, EmbeddedSnapshots},
    options::Options,
    store::{EmbeddedIndex, EmbeddedStore},
};

#[derive(Debug)]
struct OnDisk {
    folder: TempDir,
    store: Mutex<Option<Arc<EmbeddedStore>>>,
}

#[async_trait]
impl Backend for OnDisk {
    async fn open(&self, clock: Arc<dyn Clock>, ports: BackendPorts) -> Result<BackendPorts> {
        // So small a log that there are checkpoints within the run.
        let options = Options::new(self.folder.path())
            .with_partitions(PARTITIONS)
            .with_log_bytes_max(1 << 20);
        let database = Database::open(&options, &RealDisk, &SystemClock)?;
        let archive = Arc::new(FileArchive::new(self.folder.path().join("archive")));
        let leases = Arc::new(MemoryLeases::with_clock(clock));
        let store = EmbeddedStore::new(database.clone(), Arc::clone(&leases), archive.clone());
        let store = Arc::new(store);
        *self.store.lock().unwrap() = Some(Arc::clone(&store));
        Ok(BackendPorts {
            partitions: store.clone(),
            streams: store,
            leases,
            index: Arc::new(EmbeddedIndex(database.clone())),
            archive,
            snapshots: Arc::new(EmbeddedSnapshots(database.clone())),
            dead_letters: Arc::new(EmbeddedDeadLetters(database)),
            ..ports
        })
    }

    async fn empty(&self) -> Result<bool> {
        let store = self.store.lock().unwrap().clone();
        let store = store.ok_or_else(|| Error::new(ErrorKind::Closed, "empty the store"))?;
        store.wipe().await.map(|()| true)
    }
}

#[test]
fn runs_on_this_store_are_well() {
    let _whole = whole();
    for seed in [1, 2] {
        let plan = Plan::draw(seed);
        let backend = OnDisk {
            folder: tempfile::tempdir().unwrap(),
            store: Mutex::default(),
        };
        let report = run_on(&plan, Arc::new(backend)).unwrap();
        assert!(report.is_well(), "{}", tell(&plan, &report));
    }
}
