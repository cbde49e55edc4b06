//! What outlives an engine: the journal, the store, the clock; and how the store loses its memory.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use chatcore::{
    clock::{Clock, Timestamp},
    engine::{Aggregate, Machine},
    ids::{Offset, Partition},
    journal::Log,
    memory::{
        Checkpoint, MemoryArchive, MemoryDeadLetters, MemoryInboxes, MemoryIndex, MemoryJournal,
        MemoryLeases, MemoryShared, MemorySnapshots, MemoryStore,
    },
    ports::Ports,
};
use tokio::sync::Notify;

use crate::script;

/// The desk is in one partition and the customer in the other, so that the order of commands in
/// each depends on nothing but the order of the other's follow-ups.
pub(crate) const PARTITIONS: u32 = 2;

/// What the store loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    None,
    /// The last saves.
    LastSaves,
    /// All.
    Everything,
}

/// The saves that [`Loss::LastSaves`] takes.
const SAVES_LOST: usize = 3;

/// A clock that only the script moves.
#[derive(Debug)]
pub(crate) struct ScriptClock(AtomicI64);

impl ScriptClock {
    pub(crate) fn advance_ms(&self, by: i64) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ScriptClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) ports: Ports,
    pub(crate) clock: Arc<ScriptClock>,
    store: Arc<MemoryStore>,
    checkpoints: Mutex<VecDeque<Checkpoint>>,
    committed: Mutex<BTreeMap<Partition, Offset>>,
    /// Told whenever there may be something to read.
    pub(crate) appended: Notify,
    /// Whether saves are kept to be gone back to.
    keeps: AtomicBool,
}

impl World {
    /// An empty world; `keeps` when saves may be lost.
    pub(crate) fn new(keeps: bool) -> Arc<Self> {
        let clock = Arc::new(ScriptClock(AtomicI64::new(1_800_000_000_000)));
        let archive = Arc::new(MemoryArchive::default());
        let leases = Arc::new(MemoryLeases::default());
        let store = Arc::new(MemoryStore::new(
            PARTITIONS,
            leases.clone(),
            archive.clone(),
        ));
        let ports = Ports {
            journal: Arc::new(MemoryJournal::new(PARTITIONS, clock.clone())),
            snapshots: Arc::new(MemorySnapshots::default()),
            shared: Arc::new(MemoryShared::default()),
            dead_letters: Arc::new(MemoryDeadLetters::default()),
            partitions: store.clone(),
            streams: store.clone(),
            leases,
            index: Arc::new(MemoryIndex::default()),
            archive,
            inbox: Arc::new(MemoryInboxes::default()),
            clock: clock.clone(),
        };
        Arc::new(Self {
            ports,
            clock,
            store,
            checkpoints: Mutex::default(),
            committed: Mutex::default(),
            appended: Notify::new(),
            keeps: AtomicBool::new(keeps),
        })
    }

    /// A save comes: what is there now can be gone back to.
    pub(crate) fn about_to_save(&self) {
        if !self.keeps.load(Ordering::Relaxed) {
            return;
        }
        let mut checkpoints = self.checkpoints.lock().unwrap();
        checkpoints.push_back(self.store.checkpoint());
        if checkpoints.len() > SAVES_LOST {
            checkpoints.pop_front();
        }
    }

    pub(crate) fn lose(&self, loss: Loss) {
        self.keeps.store(false, Ordering::Relaxed);
        let mut checkpoints = self.checkpoints.lock().unwrap();
        match loss {
            Loss::None => {}
            Loss::LastSaves => {
                if let Some(checkpoint) = checkpoints.pop_front() {
                    self.store.restore(checkpoint);
                }
                checkpoints.clear();
            }
            Loss::Everything => {
                self.store.clear();
                checkpoints.clear();
            }
        }
    }

    pub(crate) fn committed(&self, partition: Partition, next: Offset) {
        self.committed.lock().unwrap().insert(partition, next);
    }

    /// Whether all commands are decided and emitted, and no timer is due.
    pub(crate) async fn is_quiet(&self) -> bool {
        for partition in (0..PARTITIONS).map(Partition) {
            let (_, end) = self
                .ports
                .journal
                .bounds(Log::Commands, partition)
                .await
                .unwrap();
            let committed = self.committed.lock().unwrap().get(&partition).copied();
            if committed.unwrap_or_default() < end {
                return false;
            }
            let now = self.clock.now();
            let due = self
                .ports
                .partitions
                .due(partition, now, 100)
                .await
                .unwrap();
            if due.iter().any(|line| line.at > Timestamp(0)) {
                return false;
            }
            let marks = self.ports.partitions.marks(&[partition]).await.unwrap();
            if !marks[0].built || marks[0].applied < end {
                return false;
            }
        }
        self.all_have_left().await
    }

    /// Whether no dialog that has settled is in the live view still.
    async fn all_have_left(&self) -> bool {
        let anna = [script::anna()];
        let stored = self.ports.streams.load(&anna).await.unwrap();
        let state = Aggregate::load(&anna[0], &stored[0]).unwrap();
        match state.machine() {
            Machine::Customer(state) => state.leaving().len() == 0,
            Machine::Desk(_) => unreachable!(),
        }
    }
}
