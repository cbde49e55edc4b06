//! Switches that break an invariant on purpose, so that a test can prove that it is noticed.
//!
//! They exist only with the feature `sabotage`: without it [`on`] is the constant `false` and the
//! compiler removes what hangs on it. They are set at run time, so that nothing is built again for
//! each. They are global to the process: tests that set one run one at a time (see [`Held`]). The
//! variable `CHATCORE_SABOTAGE` sets those that it names, parted by commas, for a whole process:
//! so any test tells whether it would notice.

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
    /// The nodes that follow a stream are asked for once and remembered, instead of being told by
    /// each save.
    CachedRoutes,
    /// Only the last few commands of a device are known as done; what comes again later is done
    /// again.
    WindowedDedupe,
    /// After the store lost writes, what was published is decided again instead of being read.
    DecidedAgain,
    /// A head lower than what a session has means at once that histories differ.
    LowerHeadResets,
    /// An operator's slot is free when they begin to write a dialog up, not when it has ended.
    SlotFreedEarly,
    /// Of the follow-ups that were taken only a window is known, instead of the last per source.
    FollowUpsWindowed,
    /// A save is taken whoever sends it and whatever it follows: no fence, no compare-and-set.
    StaleOwnerSaves,
    /// A command is decided though one before it is parked.
    ParkedSkipped,
    /// Who may see a stream is judged when it is joined, not when it is let out.
    AudienceAtJoin,
    /// An effect's position is committed when its work was read, not when it is done.
    EffectCommittedFirst,
    /// A timer acts whenever it is fired, of whatever setting and however early.
    TimerUnchecked,
    /// A grant that nobody answered counts as refused, instead of being sent again.
    GrantTimedOut,
    /// Snapshots are written before what is in them is published, and believed all the same.
    SnapshotAhead,
    /// A frame that does not follow what a session has is let out all the same.
    GapIgnored,
    /// A dialog leaves the live view before the archive has it.
    ForgetBeforeArchive,
    /// Sessions that are open go on whoever is revoked.
    RevocationIgnored,
    /// Whoever was revoked is let in again with what they had.
    RevokedReadmitted,
    /// A node that can't tell who was revoked goes on as if it could.
    UnsureServes,
    /// A session goes on when its token has expired.
    ExpiryIgnored,
}

impl Switch {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::NoOutbox,
        Self::CommitBeforeDeliver,
        Self::OutcomesForgotten,
        Self::ArrivalsDropped,
        Self::NoteCountedAsHole,
        Self::DurableBeforeFsync,
        Self::RenewalCreatesLease,
        Self::CachedRoutes,
        Self::WindowedDedupe,
        Self::DecidedAgain,
        Self::LowerHeadResets,
        Self::SlotFreedEarly,
        Self::FollowUpsWindowed,
        Self::StaleOwnerSaves,
        Self::ParkedSkipped,
        Self::AudienceAtJoin,
        Self::EffectCommittedFirst,
        Self::TimerUnchecked,
        Self::GrantTimedOut,
        Self::SnapshotAhead,
        Self::GapIgnored,
        Self::ForgetBeforeArchive,
        Self::RevocationIgnored,
        Self::RevokedReadmitted,
        Self::UnsureServes,
        Self::ExpiryIgnored,
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
            Self::CachedRoutes => "cached_routes",
            Self::WindowedDedupe => "windowed_dedupe",
            Self::DecidedAgain => "decided_again",
            Self::LowerHeadResets => "lower_head_resets",
            Self::SlotFreedEarly => "slot_freed_early",
            Self::FollowUpsWindowed => "follow_ups_windowed",
            Self::StaleOwnerSaves => "stale_owner_saves",
            Self::ParkedSkipped => "parked_skipped",
            Self::AudienceAtJoin => "audience_at_join",
            Self::EffectCommittedFirst => "effect_committed_first",
            Self::TimerUnchecked => "timer_unchecked",
            Self::GrantTimedOut => "grant_timed_out",
            Self::SnapshotAhead => "snapshot_ahead",
            Self::GapIgnored => "gap_ignored",
            Self::ForgetBeforeArchive => "forget_before_archive",
            Self::RevocationIgnored => "revocation_ignored",
            Self::RevokedReadmitted => "revoked_readmitted",
            Self::UnsureServes => "unsure_serves",
            Self::ExpiryIgnored => "expiry_ignored",
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
        Mutex, MutexGuard, OnceLock, PoisonError,
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
        (ON.load(Ordering::Relaxed) | named()) & bit(switch) != 0
    }

    /// Those that the process was started with.
    fn named() -> u32 {
        static NAMED: OnceLock<u32> = OnceLock::new();
        *NAMED.get_or_init(|| {
            let names = std::env::var("CHATCORE_SABOTAGE").unwrap_or_default();
            let switches = names.split(',').filter_map(Switch::by_name);
            switches.fold(0, |all, switch| all | bit(switch))
        })
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
