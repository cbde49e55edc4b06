//! What a stream amounts to at some position, for those who start there: folded from its events,
//! as clients do it themselves from there on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    dialog::{DialogEvent, Granted, Phase},
    identity::Assurance,
    ids::{
        ChannelId, CustomerId, DeskId, DialogId, GrantId, Label, OwnerEpoch, Participant, QueueId,
        QueueRef, StaffId,
    },
    queue::{
        Assignment, Behind, BoardEvent, DeskConfig, DeskState, Line, NodeName, OperatorStatus,
        Pace, Place, PlaceInLine, Presence, Wait,
    },
    record::Access,
};

/// A dialog, as of some position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DialogView {
    /// Whose it is.
    pub customer: CustomerId,
    /// Where it is held.
    pub channel: Option<ChannelId>,
    /// What it is about.
    pub topic: Option<Label>,
    /// Where it is in its life.
    pub phase: Phase,
    /// Who of staff owns it.
    pub owner: Option<StaffId>,
    /// Who of staff owns it or owned it last.
    pub last_owner: Option<StaffId>,
    /// The epoch of the ownership.
    pub epoch: OwnerEpoch,
    /// Where it waits, waited last, or would wait.
    pub queue: Option<QueueRef>,
    /// The desk of that queue, or of the grant that it is or was last owned by.
    pub desk: Option<DeskId>,
    /// Since when it waits, as the line counts it; none unless it waits.
    pub since: Option<Timestamp>,
    /// The tags; empty for a customer.
    pub tags: BTreeSet<Label>,
    /// How it ended; none while it goes on.
    pub outcome: Option<Label>,
    /// The customer's judgement.
    pub rating: Option<u8>,
    /// How surely the customer is who they say, by what they wrote last; none before that.
    pub assurance: Option<Assurance>,
}

impl DialogView {
    /// A dialog of this customer before its first event.
    #[must_use]
    pub fn new(customer: CustomerId) -> Self {
        Self {
            customer,
            channel: None,
            topic: None,
            phase: Phase::Bot,
            owner: None,
            last_owner: None,
            epoch: OwnerEpoch::default(),
            queue: None,
            desk: None,
            since: None,
            tags: BTreeSet::new(),
            outcome: None,
            rating: None,
            assurance: None,
        }
    }

    /// Takes the next event in.
    #[allow(clippy::too_many_lines, reason = "one arm an event")]
    pub fn apply<B>(&mut self, event: &DialogEvent<B>) {
        match event {
            DialogEvent::Opened {
                customer,
                channel,
                topic,
                assurance,
                ..
            } => {
                self.assurance = *assurance;
                self.customer = customer.clone();
                self.channel = Some(channel.clone());
                self.topic.clone_from(topic);
                self.epoch = OwnerEpoch(1);
            }
            DialogEvent::Ruled { settings } => {
                self.desk = Some(settings.queue.desk.clone());
                self.queue = Some(settings.queue.clone());
            }
            DialogEvent::Waiting {
                queue,
                since,
                epoch,
                ..
            } => {
                self.desk = Some(queue.desk.clone());
                self.queue = Some(queue.clone());
                self.since = Some(*since);
                self.enter(Phase::Waiting, None, Some(*epoch));
            }
            DialogEvent::Assigned {
                operator,
                queue,
                epoch,
                desk,
                ..
            } => {
                self.queue = Some(queue.clone());
                self.desk = Some(desk.clone());
                self.enter(Phase::Assigned, Some(operator.clone()), Some(*epoch));
            }
            DialogEvent::Held => self.phase = Phase::OnHold,
            DialogEvent::Resumed => self.phase = Phase::Assigned,
            DialogEvent::WrapUp => self.phase = Phase::WrapUp,
            DialogEvent::Closed { epoch, outcome, .. } => {
                self.outcome = Some(outcome.clone());
                self.enter(Phase::Closed, None, Some(*epoch));
            }
            DialogEvent::Reopened { epoch, .. } => {
                self.outcome = None;
                self.enter(Phase::Bot, None, Some(*epoch));
            }
            DialogEvent::Tagged { tags, .. } => self.tags.clone_from(tags),
            DialogEvent::TopicSet { topic, .. } => self.topic.clone_from(topic),
            DialogEvent::Rated { score, .. } => self.rating = Some(*score),
            DialogEvent::Message { assurance, .. } | DialogEvent::Edited { assurance, .. } => {
                self.assurance = assurance.or(self.assurance);
            }
            DialogEvent::Deleted { .. }
            | DialogEvent::Note { .. }
            | DialogEvent::CustomerNoted { .. }
            | DialogEvent::CustomerNoteRemoved { .. }
            | DialogEvent::System { .. }
            | DialogEvent::Emergency { .. }
            | DialogEvent::Undelivered { .. } => {}
        }
    }

    fn enter(&mut self, phase: Phase, owner: Option<StaffId>, epoch: Option<OwnerEpoch>) {
        self.phase = phase;
        if owner.is_some() {
            self.last_owner.clone_from(&owner);
        }
        self.owner = owner;
        if phase != Phase::Waiting {
            self.since = None;
        }
        if let Some(epoch) = epoch {
            self.epoch = epoch;
        }
    }

    /// What sessions judge frames by.
    #[must_use]
    pub fn access(&self) -> Option<Access> {
        Some(Access::Dialog {
            customer: self.customer.clone(),
            owner: self.owner.clone(),
            epoch: self.epoch,
            desk: self.desk.clone()?,
            phase: self.phase,
            last_owner: self.last_owner.clone(),
        })
    }

    /// The view for a customer, who must not learn what staff only may see.
    #[must_use]
    pub fn for_customer(mut self) -> Self {
        self.tags.clear();
        self
    }
}

/// A desk's board, as of some position.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Board {
    /// The rules of the desk.
    pub config: DeskConfig,
    /// What waits.
    pub waiting: BTreeMap<DialogId, BoardWait>,
    /// Who is or was here.
    pub operators: BTreeMap<StaffId, BoardOperator>,
    /// What is granted.
    pub grants: BTreeMap<GrantId, BoardGrant>,
    /// How its queues moved of late.
    pub paces: BTreeMap<QueueId, Pace>,
}

/// A dialog that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BoardWait {
    /// What is known of it.
    pub wait: Wait,
    /// Added to its priority.
    pub boost: u8,
    /// Taken by hand only.
    pub by_hand: bool,
}

/// An operator on the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BoardOperator {
    /// Whether they can be reached.
    pub presence: Presence,
    /// What they are ready for.
    pub status: OperatorStatus,
    /// Since when presence and status are these.
    pub since: Timestamp,
    /// Where they have sessions.
    pub nodes: BTreeSet<NodeName>,
}

/// A grant on the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BoardGrant {
    /// Which dialog; none yet for one that is begun.
    pub dialog: Option<DialogId>,
    /// Whose dialog.
    pub customer: CustomerId,
    /// To whom.
    pub operator: StaffId,
    /// By whom.
    pub by: Participant,
    /// The epoch of the ownership, once the dialog has confirmed it.
    pub held: Option<OwnerEpoch>,
}

impl Board {
    /// As the desk's state has it.
    #[must_use]
    pub fn of(desk: &DeskState) -> Self {
        let mut nodes: BTreeMap<StaffId, BTreeSet<NodeName>> = BTreeMap::new();
        for (node, operators) in desk.nodes() {
            for operator in operators {
                let nodes = nodes.entry(operator.clone()).or_default();
                nodes.insert(node.clone());
            }
        }
        let waits = desk.waiting().into_iter().map(|waits| {
            let shown = BoardWait {
                boost: waits.boost,
                by_hand: waits.by_hand,
                wait: waits.wait,
            };
            (shown.wait.dialog, shown)
        });
        let operators = desk.operators().into_iter().map(|one| {
            let shown = BoardOperator {
                presence: one.presence,
                status: one.status,
                since: one.since,
                nodes: nodes.remove(&one.operator).unwrap_or_default(),
            };
            (one.operator, shown)
        });
        let grants = desk.grants().into_iter().map(|granted| {
            let shown = BoardGrant {
                dialog: granted.dialog,
                customer: granted.customer,
                operator: granted.operator,
                by: granted.by,
                held: granted.epoch,
            };
            (granted.grant, shown)
        });
        Self {
            config: desk.config().clone(),
            waiting: waits.collect(),
            operators: operators.collect(),
            grants: grants.collect(),
            paces: desk.paces(),
        }
    }

    /// Takes the next event in, and when it happened.
    #[allow(clippy::too_many_lines, reason = "one arm an event")]
    pub fn apply(&mut self, event: &BoardEvent, at: Timestamp) {
        match event {
            BoardEvent::Configured(config) => {
                self.config = config.clone();
                self.paces
                    .retain(|queue, _| config.queues.contains_key(queue));
                self.forget_strangers();
            }
            BoardEvent::Waiting {
                wait,
                boost,
                by_hand,
            } => {
                let waits = BoardWait {
                    wait: wait.clone(),
                    boost: *boost,
                    by_hand: *by_hand,
                };
                self.enters(waits);
            }
            BoardEvent::Left { dialog } => self.leaves(*dialog),
            BoardEvent::Operator {
                operator,
                presence,
                status,
                since,
                nodes,
            } => {
                let now = BoardOperator {
                    presence: *presence,
                    status: *status,
                    since: *since,
                    nodes: nodes.clone(),
                };
                self.operators.insert(operator.clone(), now);
                self.forget_strangers();
            }
            BoardEvent::Granted {
                grant,
                dialog,
                what,
                customer,
                operator,
                by,
                ..
            } => {
                if let (Some(dialog), Granted::Waiting { .. }) = (dialog, what) {
                    self.moves_on(*dialog, at);
                }
                let granted = BoardGrant {
                    dialog: *dialog,
                    customer: customer.clone(),
                    operator: operator.clone(),
                    by: by.clone(),
                    held: None,
                };
                self.grants.insert(*grant, granted);
            }
            BoardEvent::Held {
                grant,
                dialog,
                epoch,
            } => {
                if let Some(granted) = self.grants.get_mut(grant) {
                    granted.dialog = Some(*dialog);
                    granted.held = Some(*epoch);
                }
            }
            BoardEvent::Refused { grant, .. }
            | BoardEvent::Freed { grant, .. }
            | BoardEvent::Repaired { grant } => {
                self.grants.remove(grant);
                self.forget_strangers();
            }
            // How far the desk's own work has come is nothing to show.
            _ => {}
        }
    }

    /// The dialogs that are granted to an operator, with their grants.
    pub fn grants_of<'a>(
        &'a self,
        operator: &'a StaffId,
    ) -> impl Iterator<Item = (GrantId, Option<DialogId>)> + 'a {
        self.grants
            .iter()
            .filter(move |(_, grant)| grant.operator == *operator)
            .map(|(id, grant)| (*id, grant.dialog))
    }

    /// What may be promised to each dialog that waits, as of `now`.
    #[must_use]
    pub fn places(&self, now: Timestamp) -> BTreeMap<DialogId, PlaceInLine> {
        let mut lines: BTreeMap<&QueueId, Vec<&BoardWait>> = BTreeMap::new();
        for one in self.waiting.values() {
            lines.entry(&one.wait.queue).or_default().push(one);
        }
        let nothing = Pace::default();
        let mut places = BTreeMap::new();
        for (queue, mut line) in lines {
            line.sort_unstable_by_key(|one| Place::new(&one.wait, one.boost));
            let config = self.config.queues.get(queue);
            let by_hand = config.is_none_or(|q| q.assignment == Assignment::Manual);
            let pace = self.paces.get(queue).unwrap_or(&nothing);
            let waiting = u32::try_from(line.len()).unwrap_or(u32::MAX);
            for (place, one) in (1..).zip(&line) {
                let picked = by_hand || one.by_hand;
                let promise = pace.promise(place, Line { waiting, picked }, now);
                places.insert(one.wait.dialog, promise);
            }
        }
        places
    }

    /// Those who wait in a queue's order: the first and the last.
    fn ends(&self, queue: &QueueId) -> Option<(Place, Place)> {
        let line = self.waiting.values();
        let places = line
            .filter(|one| !one.by_hand && one.wait.queue == *queue)
            .map(|one| Place::new(&one.wait, one.boost));
        places.fold(None, |ends, place| match ends {
            None => Some((place, place)),
            Some((first, last)) => Some((place.min(first), place.max(last))),
        })
    }

    fn pace(&mut self, queue: &QueueId) -> Option<&mut Pace> {
        let known = self.config.queues.contains_key(queue);
        known.then(|| self.paces.entry(queue.clone()).or_default())
    }

    fn enters(&mut self, waits: BoardWait) {
        self.leaves(waits.wait.dialog);
        let ends = self.ends(&waits.wait.queue);
        let before_others =
            ends.is_some_and(|(_, last)| Place::new(&waits.wait, waits.boost) < last);
        if let Some(pace) = self.pace(&waits.wait.queue) {
            if waits.by_hand {
                pace.put_back();
            } else {
                pace.came(before_others);
            }
        }
        self.waiting.insert(waits.wait.dialog, waits);
    }

    /// Not for an operator.
    fn leaves(&mut self, dialog: DialogId) {
        if let Some(left) = self.waiting.remove(&dialog)
            && self.ends(&left.wait.queue).is_none()
            && let Some(pace) = self.pace(&left.wait.queue)
        {
            pace.emptied();
        }
    }

    fn moves_on(&mut self, dialog: DialogId, at: Timestamp) {
        let Some(granted) = self.waiting.remove(&dialog) else {
            return;
        };
        let place = Place::new(&granted.wait, granted.boost);
        let behind = self.ends(&granted.wait.queue).map(|(head, _)| {
            if !granted.by_hand && head < place {
                Behind::PassedOver
            } else {
                Behind::Later
            }
        });
        if let Some(pace) = self.pace(&granted.wait.queue) {
            pace.granted(at, behind);
        }
    }

    fn forget_strangers(&mut self) {
        let Self {
            config,
            operators,
            grants,
            ..
        } = self;
        operators.retain(|id, one| {
            one.presence != Presence::Gone
                || config.operators.contains_key(id)
                || grants.values().any(|grant| grant.operator == *id)
        });
    }
}
