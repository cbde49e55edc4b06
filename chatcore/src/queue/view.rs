//! What is shown of a desk.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    command::{Assignment, DeskConfig, NodeName, OperatorStatus, Wait},
    event::Presence,
    index::Place,
    limits::WAITING_MAX,
    pace::Pace,
    state::{DeskState, GrantRecord, GrantState, Operator, Waiting},
};
use crate::{
    clock::Timestamp,
    ids::{CustomerId, DeskId, DialogId, GrantId, OwnerEpoch, Participant, QueueId, StaffId},
    record::Position,
};

/// What a session shows first of a board; it follows the board from [`Self::head`] on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BoardSnapshot {
    /// Which desk.
    pub desk: DeskId,
    /// The last event that is in it.
    pub head: Position,
    /// The queues, by id; those that the rules do not name only while somebody waits there.
    pub queues: Vec<QueueView>,
    /// Who waits, by queue, then in the order in which they are served.
    pub waiting: Vec<WaitingView>,
    /// The operators, by id.
    pub operators: Vec<OperatorView>,
    /// The grants out and held, oldest first.
    pub grants: Vec<GrantView>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueView {
    /// Which.
    pub queue: QueueId,
    /// The name to show; the id when the rules have none.
    pub title: String,
    /// How dialogs find operators. By hand when the rules do not name the queue.
    pub assignment: Assignment,
    /// How many wait.
    pub waiting: u32,
}

/// A dialog that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaitingView {
    /// Its place in its queue, from 1.
    pub position: u32,
    /// What is known of it.
    pub wait: Wait,
    /// Added to its priority: its operator vanished.
    pub boost: u8,
    /// Taken by hand only, whatever the queue's rule: it came back from a refused grant.
    pub by_hand: bool,
}

/// An operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OperatorView {
    /// Who.
    pub operator: StaffId,
    /// The name to show; the id when the rules have none.
    pub name: String,
    /// Whether they can be reached.
    pub presence: Presence,
    /// What they are ready for.
    pub status: OperatorStatus,
    /// Since when presence and status are these.
    pub since: Timestamp,
    /// Slots taken: grants out or held. Above the capacity only by a supervisor's doing, or when
    /// the capacity was lowered.
    pub used: u32,
    /// Most dialogs at a time; 0 for one whom the rules do not name (any more).
    pub capacity: u16,
    /// The queues that they serve.
    pub queues: BTreeSet<QueueId>,
}

/// A grant that takes a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GrantView {
    /// Which.
    pub grant: GrantId,
    /// The dialog; none for one that was begun and is not there yet.
    pub dialog: Option<DialogId>,
    /// Whose dialog.
    pub customer: CustomerId,
    /// Whose slot.
    pub operator: StaffId,
    /// Who granted it.
    pub by: Participant,
    /// When.
    pub granted_at: Timestamp,
    /// The epoch of the ownership; none while the dialog has not answered.
    pub epoch: Option<OwnerEpoch>,
}

impl DeskState {
    /// Which desk.
    #[must_use]
    pub fn desk(&self) -> &DeskId {
        &self.core.desk
    }

    /// The last event taken in.
    #[must_use]
    pub fn head(&self) -> Position {
        self.core.head
    }

    /// The rules.
    #[must_use]
    pub fn config(&self) -> &DeskConfig {
        &self.core.config
    }

    /// How many wait.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.core.waiting.size()
    }

    /// More wait than [`WAITING_MAX`]. They are kept all the same: a dialog that was told to wait
    /// is never lost. Whoever lets people in must stop then.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.waiting_count() > WAITING_MAX
    }

    /// Who waits, by queue, then in the order in which they are served. Takes a sort of all.
    #[must_use]
    pub fn waiting(&self) -> Vec<WaitingView> {
        let mut all: Vec<&Waiting> = self.core.waiting.values().collect();
        all.sort_by(|a, b| (&a.wait.queue, Place::of(a)).cmp(&(&b.wait.queue, Place::of(b))));
        let mut last = None;
        let mut position = 0;
        all.into_iter()
            .map(|one| {
                position = if last == Some(&one.wait.queue) {
                    position + 1
                } else {
                    1
                };
                last = Some(&one.wait.queue);
                WaitingView {
                    position,
                    wait: one.wait.clone(),
                    boost: one.boost,
                    by_hand: one.by_hand,
                }
            })
            .collect()
    }

    /// The operators: those whom the rules name, and others who are here or hold grants.
    #[must_use]
    pub fn operators(&self) -> Vec<OperatorView> {
        let known = self.core.config.operators.keys();
        let all: BTreeSet<&StaffId> = known.chain(self.core.operators.keys()).collect();
        all.into_iter()
            .map(|operator| self.operator_view(operator))
            .collect()
    }

    /// One operator, as in [`Self::operators`].
    #[must_use]
    pub fn operator(&self, operator: &StaffId) -> Option<OperatorView> {
        let is_known = self.core.config.operators.contains_key(operator)
            || self.core.operators.contains_key(operator);
        is_known.then(|| self.operator_view(operator))
    }

    /// Where operators have sessions, and who.
    #[must_use]
    pub fn nodes(&self) -> BTreeMap<&NodeName, Vec<&StaffId>> {
        let mut nodes: BTreeMap<&NodeName, Vec<&StaffId>> = BTreeMap::new();
        for (id, operator) in self.core.operators.iter() {
            for node in &operator.nodes {
                nodes.entry(node).or_default().push(id);
            }
        }
        nodes
    }

    /// How the queues of the rules moved of late.
    pub(crate) fn paces(&self) -> BTreeMap<QueueId, Pace> {
        let all = self.core.paces.iter();
        all.map(|(queue, pace)| (queue.clone(), pace.clone()))
            .collect()
    }

    /// Whether any operator has a session anywhere.
    #[must_use]
    pub fn is_staffed(&self) -> bool {
        let mut operators = self.core.operators.values();
        operators.any(|operator| !operator.nodes.is_empty())
    }

    /// The grants out and held, oldest first.
    #[must_use]
    pub fn grants(&self) -> Vec<GrantView> {
        let all = self.core.grants.iter();
        all.map(|(grant, record)| grant_view(*grant, record))
            .collect()
    }

    /// The grants out and held of one operator, oldest first.
    #[must_use]
    pub fn grants_of(&self, operator: &StaffId) -> Vec<GrantView> {
        self.index
            .grants_of_operator(operator)
            .into_iter()
            .filter_map(|grant| Some(grant_view(grant, self.core.grants.get(&grant)?)))
            .collect()
    }

    /// What a session shows first.
    #[must_use]
    pub fn snapshot(&self) -> BoardSnapshot {
        let waiting = self.waiting();
        BoardSnapshot {
            desk: self.core.desk.clone(),
            head: self.core.head,
            queues: self.queue_views(&waiting),
            waiting,
            operators: self.operators(),
            grants: self.grants(),
        }
    }

    fn queue_views(&self, waiting: &[WaitingView]) -> Vec<QueueView> {
        let mut counts: BTreeMap<&QueueId, u32> = BTreeMap::new();
        for queue in self.core.config.queues.keys() {
            counts.insert(queue, 0);
        }
        for one in waiting {
            *counts.entry(&one.wait.queue).or_default() += 1;
        }
        counts
            .into_iter()
            .map(|(queue, waiting)| {
                let config = self.core.config.queues.get(queue);
                QueueView {
                    queue: queue.clone(),
                    title: config.map_or_else(|| queue.to_string(), |c| c.title.clone()),
                    assignment: config.map(|c| c.assignment.clone()).unwrap_or_default(),
                    waiting,
                }
            })
            .collect()
    }

    fn operator_view(&self, operator: &StaffId) -> OperatorView {
        let config = self.core.config.operators.get(operator);
        let nobody = Operator::default();
        let one = self.core.operators.get(operator).unwrap_or(&nobody);
        OperatorView {
            operator: operator.clone(),
            name: config.map_or_else(|| operator.to_string(), |c| c.name.clone()),
            presence: one.presence,
            status: one.status,
            since: one.since,
            used: u32::try_from(self.index.used(operator)).unwrap_or(u32::MAX),
            capacity: config.map_or(0, |c| c.capacity),
            queues: config.map(|c| c.queues.clone()).unwrap_or_default(),
        }
    }
}

fn grant_view(grant: GrantId, record: &GrantRecord) -> GrantView {
    GrantView {
        grant,
        dialog: record.dialog,
        customer: record.customer.clone(),
        operator: record.operator.clone(),
        by: record.by.clone(),
        granted_at: record.granted.at,
        epoch: match record.state {
            GrantState::Held { epoch, .. } => Some(epoch),
            GrantState::Sent { .. } => None,
        },
    }
}
