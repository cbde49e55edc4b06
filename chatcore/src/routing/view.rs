//! What a stream amounts to at some position, for those who start there: folded from its events,
//! as clients do it themselves from there on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    dialog::{DialogEvent, Phase},
    identity::Assurance,
    ids::{
        ChannelId, CustomerId, DeskId, DialogId, GrantId, Label, OwnerEpoch, Participant, QueueRef,
        StaffId,
    },
    queue::{BoardEvent, DeskConfig, DeskState, NodeName, OperatorStatus, Presence, Wait},
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
        }
    }

    /// Takes the next event in.
    #[allow(clippy::too_many_lines, reason = "one arm an event")]
    pub fn apply(&mut self, event: &BoardEvent) {
        match event {
            BoardEvent::Configured(config) => {
                self.config = config.clone();
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
                self.waiting.insert(wait.dialog, waits);
            }
            BoardEvent::Left { dialog } => {
                self.waiting.remove(dialog);
            }
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
                customer,
                operator,
                by,
                ..
            } => {
                if let Some(dialog) = dialog {
                    self.waiting.remove(dialog);
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
