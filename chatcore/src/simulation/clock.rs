//! Time of a run: what has passed, and what the nodes' wall clocks say of it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use crate::clock::{Clock, Timestamp};

/// What wall clocks said when the run began.
const BEGAN_AT: i64 = 1_800_000_000_000;

/// Time as it passes for all. Only the scheduler moves it.
#[derive(Debug, Default)]
pub(super) struct WorldTime {
    passed_ms: AtomicI64,
    skipped_ms: AtomicI64,
}

impl WorldTime {
    /// Milliseconds since the run began, as timers measure them.
    #[must_use]
    pub(super) fn passed_ms(&self) -> i64 {
        self.passed_ms.load(Ordering::Relaxed)
    }

    /// So much more has passed.
    pub(super) fn pass(&self, ms: u64) {
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        self.passed_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Wall clocks go on by so much at once: days in which nobody did anything.
    pub(super) fn skip(&self, ms: u64) {
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        self.skipped_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for WorldTime {
    fn now(&self) -> Timestamp {
        Timestamp(BEGAN_AT + self.passed_ms() + self.skipped_ms.load(Ordering::Relaxed))
    }
}

/// The wall clock of a node, which may be wrong.
#[derive(Debug)]
pub(super) struct NodeClock {
    world: Arc<WorldTime>,
    wrong_by_ms: AtomicI64,
}

impl NodeClock {
    pub(super) fn new(world: Arc<WorldTime>) -> Self {
        Self {
            world,
            wrong_by_ms: AtomicI64::new(0),
        }
    }

    /// The clock jumps by so much, either way.
    pub(super) fn jump(&self, by_ms: i64) {
        self.wrong_by_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// It is right again.
    pub(super) fn set_right(&self) {
        self.wrong_by_ms.store(0, Ordering::Relaxed);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let wrong_by = self.wrong_by_ms.load(Ordering::Relaxed);
        Timestamp(self.world.now().0 + wrong_by)
    }
}
