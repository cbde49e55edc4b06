//! What follows from a desk's state and would be dear to search for: orders and sets.

use super::{
    command::{OperatorStatus, Wait},
    event::Presence,
    state::{Core, GrantRecord, GrantState, Map, Waiting},
};
use crate::{
    clock::Timestamp,
    ids::{DialogId, GrantId, QueueId, Seq, StaffId},
};

/// The place of a dialog in its queue; the least is served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Falls as priority and boost rise.
    rank: u16,
    since: Timestamp,
    pub(super) dialog: DialogId,
}

impl Place {
    pub(super) fn of(waiting: &Waiting) -> Self {
        Self::new(&waiting.wait, waiting.boost)
    }

    pub(crate) fn new(wait: &Wait, boost: u8) -> Self {
        Self {
            rank: u16::MAX - u16::from(wait.priority) - u16::from(boost),
            since: wait.since,
            dialog: wait.dialog,
        }
    }
}

/// Why an operator can't be given a dialog of a queue automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unready {
    OtherQueue,
    Gone,
    Lost,
    Away,
    Busy,
    Full,
}

impl Unready {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OtherQueue => "other_queue",
            Self::Gone => "gone",
            Self::Lost => "lost",
            Self::Away => "away",
            Self::Busy => "busy",
            Self::Full => "full",
        }
    }
}

type Set<V> = Map<V, ()>;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Index {
    /// Who waits, in order, those taken by hand only left out.
    order: Map<QueueId, Set<Place>>,
    of_dialog: Map<DialogId, Set<GrantId>>,
    of_operator: Map<StaffId, Set<GrantId>>,
    /// Grants not answered, by when they were last sent.
    sent: Set<(Timestamp, Seq, GrantId)>,
    /// Grants that stand, by since when.
    held: Set<(Timestamp, Seq, GrantId)>,
    /// Operators who can be given a dialog automatically, by queue.
    ready: Map<QueueId, Set<StaffId>>,
    is_ready: Set<StaffId>,
    /// Operators whose grace runs.
    lost: Set<StaffId>,
}

impl Index {
    /// Worked out anew.
    pub(super) fn of(core: &Core) -> Self {
        let mut index = Self::default();
        for waiting in core.waiting.values() {
            index.enter(waiting);
        }
        for (grant, record) in &core.grants {
            index.add_grant(*grant, record);
        }
        for operator in core.operators.keys() {
            index.refresh(core, operator);
        }
        index
    }

    pub(super) fn enter(&mut self, waiting: &Waiting) {
        if !waiting.by_hand {
            insert(&mut self.order, &waiting.wait.queue, Place::of(waiting));
        }
    }

    pub(super) fn leave(&mut self, waiting: &Waiting) {
        if !waiting.by_hand {
            remove(&mut self.order, &waiting.wait.queue, &Place::of(waiting));
        }
    }

    pub(super) fn add_grant(&mut self, grant: GrantId, record: &GrantRecord) {
        if let Some(dialog) = record.dialog {
            insert(&mut self.of_dialog, &dialog, grant);
        }
        insert(&mut self.of_operator, &record.operator, grant);
        match &record.state {
            GrantState::Sent { sent, .. } => {
                self.sent.insert_mut((sent.at, sent.seq, grant), ());
            }
            GrantState::Held { since, .. } => {
                self.held.insert_mut((since.at, since.seq, grant), ());
            }
        }
    }

    pub(super) fn remove_grant(&mut self, grant: GrantId, record: &GrantRecord) {
        if let Some(dialog) = record.dialog {
            remove(&mut self.of_dialog, &dialog, &grant);
        }
        remove(&mut self.of_operator, &record.operator, &grant);
        match &record.state {
            GrantState::Sent { sent, .. } => {
                self.sent.remove_mut(&(sent.at, sent.seq, grant));
            }
            GrantState::Held { since, .. } => {
                self.held.remove_mut(&(since.at, since.seq, grant));
            }
        }
    }

    /// After anything changed about an operator.
    pub(super) fn refresh(&mut self, core: &Core, operator: &StaffId) {
        let one = core.operators.get(operator);
        if one.is_some_and(|one| one.lost.is_some()) {
            self.lost.insert_mut(operator.clone(), ());
        } else {
            self.lost.remove_mut(operator);
        }
        let Some(config) = core.config.operators.get(operator) else {
            return;
        };
        let ready = self.unready(core, operator).is_none();
        if ready == self.is_ready.contains_key(operator) {
            return;
        }
        if ready {
            self.is_ready.insert_mut(operator.clone(), ());
        } else {
            self.is_ready.remove_mut(operator);
        }
        for queue in &config.queues {
            if ready {
                insert(&mut self.ready, queue, operator.clone());
            } else {
                remove(&mut self.ready, queue, operator);
            }
        }
    }

    /// Why an operator of this desk can't be given anything automatically, whatever the queue.
    pub(super) fn unready(&self, core: &Core, operator: &StaffId) -> Option<Unready> {
        let capacity = core
            .config
            .operators
            .get(operator)
            .map_or(0, |config| usize::from(config.capacity));
        let Some(one) = core.operators.get(operator) else {
            return Some(Unready::Gone);
        };
        match (one.presence, one.status) {
            (Presence::Gone, _) => Some(Unready::Gone),
            (Presence::Lost, _) => Some(Unready::Lost),
            (Presence::Online, OperatorStatus::Away) => Some(Unready::Away),
            (Presence::Online, OperatorStatus::Busy) => Some(Unready::Busy),
            (Presence::Online, OperatorStatus::Available) => {
                (self.used(operator) >= capacity).then_some(Unready::Full)
            }
        }
    }

    /// Slots taken: grants out or held.
    pub(super) fn used(&self, operator: &StaffId) -> usize {
        self.of_operator.get(operator).map_or(0, Map::size)
    }

    /// Oldest first.
    pub(super) fn grants_of_operator(&self, operator: &StaffId) -> Vec<GrantId> {
        members(&self.of_operator, operator).copied().collect()
    }

    /// Oldest first.
    pub(super) fn grants_of_dialog(&self, dialog: DialogId) -> Vec<GrantId> {
        members(&self.of_dialog, &dialog).copied().collect()
    }

    /// Those that wait for an answer, the one sent first first.
    pub(super) fn sent(&self) -> impl Iterator<Item = (Timestamp, Seq, GrantId)> {
        self.sent.keys().copied()
    }

    /// The grant that stands the longest.
    pub(super) fn first_held(&self) -> Option<(Timestamp, Seq)> {
        self.held.first().map(|((at, seq, _), ())| (*at, *seq))
    }

    /// Operators whose grace runs.
    pub(super) fn lost(&self) -> impl Iterator<Item = &StaffId> {
        self.lost.keys()
    }

    /// Those who can be given a dialog of this queue now, in the order of their ids.
    pub(super) fn ready<'a>(
        &'a self,
        queue: &QueueId,
    ) -> impl Iterator<Item = &'a StaffId> + use<'a> {
        members(&self.ready, queue)
    }

    /// The first that waits in this queue, those taken by hand only left out.
    pub(super) fn head(&self, queue: &QueueId) -> Option<Place> {
        let (place, ()) = self.order.get(queue)?.first()?;
        Some(*place)
    }

    /// The last that waits in this queue, those taken by hand only left out.
    pub(super) fn last(&self, queue: &QueueId) -> Option<Place> {
        let (place, ()) = self.order.get(queue)?.last()?;
        Some(*place)
    }
}

fn insert<K: Ord + Clone, V: Ord + Clone>(sets: &mut Map<K, Set<V>>, key: &K, value: V) {
    match sets.get_mut(key) {
        Some(set) => set.insert_mut(value, ()),
        None => sets.insert_mut(key.clone(), Set::default().insert(value, ())),
    }
}

/// An empty set is not kept, so that what was worked out step by step equals what is worked out
/// anew.
fn remove<K: Ord + Clone, V: Ord + Clone>(sets: &mut Map<K, Set<V>>, key: &K, value: &V) {
    if let Some(set) = sets.get_mut(key) {
        set.remove_mut(value);
        if set.is_empty() {
            sets.remove_mut(key);
        }
    }
}

fn members<'a, K: Ord, V: Ord>(
    sets: &'a Map<K, Set<V>>,
    key: &K,
) -> impl Iterator<Item = &'a V> + use<'a, K, V> {
    sets.get(key).into_iter().flat_map(Set::keys)
}
