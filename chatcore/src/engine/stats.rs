//! What the engine counts, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What the engine has done since it was made. Read by whoever exports metrics; each only
        /// grows.
        #[derive(Debug, Default)]
        pub struct EngineStats {
            $($(#[$doc])* pub $name: AtomicU64,)+
        }

        impl EngineStats {
            /// All of them, by name, in a fixed order.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed)),)+]
            }
        }
    };
}

counters! {
    /// Commands read and settled by a save, whatever they led to.
    commands,
    /// Commands accepted.
    accepted,
    /// Commands rejected.
    rejected,
    /// Commands that came again.
    repeated,
    /// Commands parked.
    parked,
    /// Commands and records that became dead letters.
    dead_letters,
    /// Follow-ups that came again and were dropped.
    follow_ups_repeated,
    /// Follow-ups appended.
    follow_ups,
    /// Events appended to streams.
    events,
    /// Saves, each for one or more partitions.
    saves,
    /// Saves of a partition that were refused or whose fate was unknown.
    saves_failed,
    /// Decisions published.
    published,
    /// Frames handed to nodes.
    frames,
    /// Frames that could not be handed over; sessions read what they miss.
    frames_dropped,
    /// Times that a partition was taken over.
    recoveries,
    /// Times that a partition was built again from the journal.
    rebuilds,
    /// Decisions that a take-over emitted because a former owner had not.
    emitted_for_others,
    /// Timers fired.
    timers,
    /// Commands that were done with and left the journal.
    commands_trimmed,
    /// Snapshots written.
    snapshots,
    /// Failures of a port after which the engine waited and tried again.
    retries,
}

/// Adds to a counter.
pub(super) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Relaxed);
}
