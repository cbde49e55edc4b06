//! Switches that break an invariant on purpose, so that a test can prove that it is noticed.
//!
//! They exist only with the feature `sabotage`: without it [`on`] is the constant `false` and the
//! compiler removes what hangs on it. They are set at run time, so that nothing is built again for
//! each. They are global to the process: tests that set one run one at a time (see [`Held`]).

/// What can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Switch {
    /// Whoever takes a partition over does not emit what was applied and not yet emitted.
    NoOutbox,
    /// The offset is committed before the decisions were published and delivered.
    CommitBeforeDeliver,
    /// What was answered to earlier commands is not kept with the state.
    OutcomesForgotten,
    /// What arrives while a session reads is dropped instead of buffered.
    ArrivalsDropped,
    /// An event that this audience may not see is taken for a hole in the range.
    NoteCountedAsHole,
    /// `durable` is told before the record was synced to the disk.
    DurableBeforeFsync,
    /// Renewing a lease that is not there creates it.
    RenewalCreatesLease,
}

impl Switch {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NoOutbox,
        Self::CommitBeforeDeliver,
        Self::OutcomesForgotten,
        Self::ArrivalsDropped,
        Self::NoteCountedAsHole,
        Self::DurableBeforeFsync,
        Self::RenewalCreatesLease,
    ];

    /// Its name, as given on a command line or in a variable.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoOutbox => "no_outbox",
            Self::CommitBeforeDeliver => "commit_before_deliver",
            Self::OutcomesForgotten => "outcomes_forgotten",
            Self::ArrivalsDropped => "arrivals_dropped",
            Self::NoteCountedAsHole => "note_counted_as_hole",
            Self::DurableBeforeFsync => "durable_before_fsync",
            Self::RenewalCreatesLease => "renewal_creates_lease",
        }
    }

    /// The switch of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// Whether this is broken now. Constant `false` without the feature `sabotage`.
#[cfg(not(feature = "sabotage"))]
#[must_use]
#[inline(always)]
pub const fn on(_switch: Switch) -> bool {
    false
}

#[cfg(feature = "sabotage")]
pub use switched::{Held, hold, none, on, set};

#[cfg(feature = "sabotage")]
mod switched {
    use std::sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    };

    use super::Switch;

    static ON: AtomicU32 = AtomicU32::new(0);
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    fn bit(switch: Switch) -> u32 {
        1 << (switch as u32)
    }

    /// Whether this is broken now.
    #[must_use]
    pub fn on(switch: Switch) -> bool {
        ON.load(Ordering::Relaxed) & bit(switch) != 0
    }

    /// Breaks this, or mends it. For a process of its own; tests use [`hold`].
    pub fn set(switch: Switch, broken: bool) {
        if broken {
            ON.fetch_or(bit(switch), Ordering::Relaxed);
        } else {
            ON.fetch_and(!bit(switch), Ordering::Relaxed);
        }
    }

    /// Breaks this until the answer is dropped; waits until no other test holds anything.
    #[must_use = "mended when dropped"]
    pub fn hold(switch: Switch) -> Held {
        let held = none();
        set(switch, true);
        held
    }

    /// Keeps everything whole until the answer is dropped: for the tests that must not meet a
    /// switch held by another test of the same process.
    #[must_use = "others may break things once dropped"]
    pub fn none() -> Held {
        // Poisoned by a test that failed while it held a switch; its drop has mended it.
        Held(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Holds the switches of the process; all are mended when it is dropped.
    #[derive(Debug)]
    pub struct Held(#[allow(dead_code, reason = "held for its drop")] MutexGuard<'static, ()>);

    impl Drop for Held {
        fn drop(&mut self) {
            ON.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_found_by_its_name() {
        for switch in Switch::ALL {
            assert_eq!(Switch::by_name(switch.name()), Some(switch));
        }
        assert_eq!(Switch::by_name("nothing"), None);
    }

    #[cfg(not(feature = "sabotage"))]
    #[test]
    fn nothing_is_broken_without_the_feature() {
        assert!(Switch::ALL.into_iter().all(|s| !on(s)));
    }

    #[cfg(feature = "sabotage")]
    #[test]
    fn a_switch_is_mended_when_it_is_let_go() {
        let held = hold(Switch::NoOutbox);
        assert!(on(Switch::NoOutbox));
        assert!(!on(Switch::CommitBeforeDeliver));
        drop(held);
        let _whole = none();
        assert!(!on(Switch::NoOutbox));
    }
}
