//! The layers as they are now, and who reads them at which moment.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    layer::{Layer, Stamp},
    layers::{Base, Layers},
};

/// What readers, the writer and the checkpoints share.
#[derive(Debug)]
pub(crate) struct Live {
    state: Mutex<State>,
    /// A checkpoint has ended, or failed.
    checkpointed: Condvar,
}

#[derive(Debug)]
struct State {
    layers: Layers,
    /// The last group that can be read.
    published: u64,
    /// How many read at which moment.
    readers: BTreeMap<u64, usize>,
}

impl Live {
    /// Over a database that has this group and nothing newer.
    pub(crate) fn new(base: Base, group: u64) -> Self {
        Self {
            state: Mutex::new(State {
                layers: Layers::over(base),
                published: group,
                readers: BTreeMap::new(),
            }),
            checkpointed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to read at this moment.
    pub(crate) fn read(self: &Arc<Self>) -> Reading {
        let mut state = self.lock();
        let moment = state.published;
        *state.readers.entry(moment).or_default() += 1;
        Reading {
            layers: state.layers.clone(),
            moment,
            live: Arc::clone(self),
        }
    }

    /// The layers for the writer of the next group, and how it writes.
    pub(crate) fn next_group(&self) -> (Layers, Stamp) {
        let state = self.lock();
        let oldest = state.readers.keys().next().copied();
        let stamp = Stamp {
            group: state.published + 1,
            floor: oldest.map_or(state.published, |o| o.min(state.published)),
        };
        (state.layers.clone(), stamp)
    }

    /// From now on this group can be read.
    pub(crate) fn publish(&self, group: u64) {
        self.lock().published = group;
    }

    /// Puts an empty layer on top, and returns the one that was, with the last group in it. `None`
    /// while a checkpoint is under way. Only between groups.
    pub(crate) fn freeze(&self) -> Option<(Arc<Layer>, u64)> {
        let mut state = self.lock();
        if state.layers.frozen.is_some() {
            return None;
        }
        let layer = std::mem::take(&mut state.layers.active);
        state.layers.frozen = Some(Arc::clone(&layer));
        Some((layer, state.published))
    }

    /// The database has what was frozen.
    pub(crate) fn checkpointed(&self, base: Base) {
        let before = {
            let mut state = self.lock();
            let base = std::mem::replace(&mut state.layers.base, Arc::new(base));
            (base, state.layers.frozen.take())
        };
        self.checkpointed.notify_all();
        // Freed without the lock: it is a lot.
        drop(before);
    }

    /// Whether a checkpoint is under way; waits for its end, but not longer than this.
    pub(crate) fn checkpoint_under_way(&self, wait: Duration) -> bool {
        let busy = |state: &mut State| state.layers.frozen.is_some();
        let waited = self
            .checkpointed
            .wait_timeout_while(self.lock(), wait, busy);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.layers.frozen.is_some()
    }
}

/// Everything as it was at one moment.
#[derive(Debug)]
pub(crate) struct Reading {
    layers: Layers,
    moment: u64,
    live: Arc<Live>,
}

impl Reading {
    pub(crate) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The last group that can be read here.
    pub(crate) fn moment(&self) -> u64 {
        self.moment
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.live.lock();
        if let Some(count) = state.readers.get_mut(&self.moment) {
            *count -= 1;
            if *count == 0 {
                state.readers.remove(&self.moment);
            }
        }
    }
}
