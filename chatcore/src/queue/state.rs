//! What a desk knows, and how events change it.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    command::{DeskConfig, NodeName, OperatorStatus, Wait},
    event::Presence,
    index::Index,
    pace::Pace,
};
use crate::{
    clock::Timestamp,
    content::Sealed,
    dialog::Granted,
    ids::{CustomerId, DeskId, DialogId, GrantId, OwnerEpoch, Participant, QueueId, Seq, StaffId},
    record::{Access, Event, Position, StreamEvent},
};

/// An ordered map whose clone is cheap: a decision is made on a copy of the whole desk, which
/// shares all that the decision does not change.
pub(super) type Map<K, V> = rpds::RedBlackTreeMapSync<K, V>;

/// The state of one desk.
///
/// A function of its events: a replay gives the same state and the same bytes. A clone costs the
/// same however much waits. What can be worked out from the rest (orders, sets of free operators)
/// is not written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskState {
    pub(super) core: Core,
    pub(super) index: Index,
}

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Core {
    pub(super) desk: DeskId,
    /// Of the last event.
    pub(super) head: Position,
    pub(super) config: Arc<DeskConfig>,
    pub(super) waiting: Map<DialogId, Waiting>,
    /// Those who are here, who are configured and were here, or who still hold grants.
    pub(super) operators: Map<StaffId, Operator>,
    pub(super) grants: Map<GrantId, GrantRecord>,
    /// The last one given.
    pub(super) last_grant: GrantId,
    pub(super) reconcile: Reconcile,
    /// Matching stopped before its end, here.
    pub(super) matching: Option<Moment>,
    /// How the queues of the rules moved of late.
    #[serde(default)]
    pub(super) paces: Map<QueueId, Pace>,
}

/// When, and by which event. The event's number is the generation of timers that start with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) seq: Seq,
}

/// A dialog that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) wait: Wait,
    pub(super) boost: u8,
    pub(super) by_hand: bool,
}

/// An operator's state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Operator {
    pub(super) presence: Presence,
    pub(super) status: OperatorStatus,
    pub(super) since: Timestamp,
    pub(super) free_since: Timestamp,
    pub(super) nodes: BTreeSet<NodeName>,
    /// When the grace began, while it runs.
    pub(super) lost: Option<Moment>,
}

/// A grant that takes a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GrantRecord {
    pub(super) dialog: Option<DialogId>,
    pub(super) customer: CustomerId,
    pub(super) operator: StaffId,
    pub(super) by: Participant,
    pub(super) granted: Moment,
    pub(super) state: GrantState,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum GrantState {
    Sent {
        what: Granted,
        /// The place in the queue that was left for it; none once the dialog waits no longer.
        from: Option<Waiting>,
        /// The last time.
        sent: Moment,
    },
    Held {
        epoch: OwnerEpoch,
        since: Moment,
        /// A reconcile has asked about it since then.
        asked: bool,
    },
}

/// How far the asking about grants has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Reconcile {
    /// The last step.
    pub(super) last: Moment,
    /// Where the next step goes on, at once; none when the round is over.
    pub(super) more_after: Option<GrantId>,
}

impl DeskState {
    /// A desk of which nothing is known yet: no queues, no operators.
    #[must_use]
    pub fn new(desk: DeskId) -> Self {
        let core = Core {
            desk,
            head: Position::default(),
            config: Arc::default(),
            waiting: Map::default(),
            operators: Map::default(),
            grants: Map::default(),
            last_grant: GrantId::default(),
            reconcile: Reconcile::default(),
            matching: None,
            paces: Map::default(),
        };
        Self {
            index: Index::of(&core),
            core,
        }
    }

    /// Takes an event in. Events of other streams change nothing.
    pub fn apply(&mut self, event: &StreamEvent<Sealed>) {
        if let Event::Board(board) = &event.event {
            let moment = Moment {
                at: event.at,
                seq: event.seq,
            };
            self.apply_board(board, moment);
            self.core.head = Position {
                seq: event.seq,
                hash: event.hash,
            };
        }
    }

    /// Who may see the board: staff of this desk.
    #[must_use]
    pub fn access(&self) -> Access {
        Access::Board(self.core.desk.clone())
    }
}

impl Serialize for DeskState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.core.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DeskState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let core = Core::deserialize(deserializer)?;
        Ok(Self {
            index: Index::of(&core),
            core,
        })
    }
}
