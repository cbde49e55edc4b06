//! Which faults have really happened, counted where they happen and not where they are planned.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A node died with what was under way.
    Crash,
    /// A node was drained.
    Drain,
    /// A node stood still for longer than its lease.
    Pause,
    /// A call found no way to a backend or node.
    Cut,
    /// A call was done and its answer lost.
    ReplyLost,
    /// A call was lost on its way.
    RequestLost,
    /// A call took long.
    Slow,
    /// The store went back to what a replica had.
    StoreSuffixLost,
    /// The store was emptied.
    StoreEmptied,
    /// A node worked on a store that is no primary any more.
    StorePast,
    /// A partition changed its owner while the former one lived.
    Rebalance,
    /// A member was thought dead and read on.
    Zombie,
    /// A frame between nodes was dropped.
    FrameDropped,
    /// A frame between nodes came twice.
    FrameRepeated,
    /// A frame between nodes came late, behind later ones.
    FrameDelayed,
    /// A node's wall clock jumped.
    ClockJump,
    /// Days passed.
    DaysPass,
    /// A record that can't be read was in the journal.
    Poison,
    /// A command that only a newer version could read was in the journal.
    NewerFormat,
    /// The push service failed.
    PushFailed,
    /// A person's connection broke while they used it.
    SocketCut,
    /// A person read nothing for a while.
    SlowReader,
    /// A session ended as it was revoked.
    Revoked,
    /// A session ended with its token.
    Expired,
    /// A session ended as its node could not tell who was revoked.
    Unsure,
}

/// How often each has happened.
#[derive(Debug, Default)]
pub struct Fired(Mutex<BTreeMap<Kind, u64>>);

impl Fired {
    /// It has happened once more.
    pub fn count(&self, kind: Kind) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(kind).or_default() += 1;
    }

    /// All counts so far.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Kind, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Kind {
    /// Whether it is done to the system, and not by people to their own connection.
    #[must_use]
    pub fn is_of_system(self) -> bool {
        !matches!(
            self,
            Self::SocketCut | Self::SlowReader | Self::Revoked | Self::Expired | Self::Unsure
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names of the serialised form, in lower case with underscores.
        let name = serde_json::to_value(self).unwrap_or_default();
        f.write_str(name.as_str().unwrap_or("unknown"))
    }
}
