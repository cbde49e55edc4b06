//! What is counted, for whoever watches.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The journal's figures now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Records that were taken and are not durable yet.
    pub records: usize,
    /// How many there may be.
    pub records_max: usize,
    /// The bytes of those.
    pub bytes: usize,
    /// How many there may be.
    pub bytes_max: usize,
    /// How often the producer failed and was made anew.
    pub replaced: u64,
    /// Partitions that this process reads, by group.
    pub assigned: BTreeMap<String, usize>,
}

/// How many partitions are assigned, by group.
#[derive(Debug, Default)]
pub(crate) struct Assigned(Mutex<BTreeMap<String, Arc<AtomicUsize>>>);

impl Assigned {
    /// Counts those of a group.
    pub(crate) fn of(&self, group: &str) -> Arc<AtomicUsize> {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(groups.entry(group.to_owned()).or_default())
    }

    pub(crate) fn all(&self) -> BTreeMap<String, usize> {
        let groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |(group, count): (&String, &Arc<AtomicUsize>)| {
            (group.clone(), count.load(Ordering::Relaxed))
        };
        groups.iter().map(count).collect()
    }
}

/// One that is assigned, counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(crate) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_is_not_counted_any_more() {
        let assigned = Assigned::default();
        let (first, second) = (
            Counted::new(&assigned.of("engine")),
            Counted::new(&assigned.of("engine")),
        );
        let other = Counted::new(&assigned.of("lists"));
        drop(first);
        let all = assigned.all();
        assert_eq!((all["engine"], all["lists"]), (1, 1));
        drop((second, other));
        assert!(assigned.all().values().all(|count| *count == 0));
    }
}
