//! What a stream starts from: a board or a dialog as of a position.

use std::collections::BTreeSet;

use chatcore::{
    clock::Timestamp,
    dialog::Phase,
    identity::Assurance,
    ids::{ChannelId, CustomerId, DeskId, DialogId, GrantId, Label, OwnerEpoch, QueueRef, StaffId},
    queue::{DeskConfig, OperatorStatus, Presence, Wait},
    routing::{Board, DialogView},
};
use serde::{Deserialize, Serialize};

/// A board as of a position.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
pub struct BoardState {
    /// The rules.
    pub config: DeskConfig,
    /// Who waits.
    pub waiting: Vec<BoardWaiting>,
    /// Everyone who belongs to the desk.
    pub operators: Vec<BoardOperator>,
    /// What is granted.
    pub grants: Vec<BoardGrant>,
}

/// A dialog that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
pub struct BoardWaiting {
    /// What is known of it.
    pub wait: Wait,
    /// Added to its priority while it waits.
    pub boost: u8,
    /// Taken by hand only.
    pub by_hand: bool,
}

/// An operator on a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
pub struct BoardOperator {
    /// Who.
    pub operator: StaffId,
    /// Whether they can be reached.
    pub presence: Presence,
    /// What they are ready for.
    pub status: OperatorStatus,
    /// Since when.
    pub since: Timestamp,
}

/// A grant that stands or is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
pub struct BoardGrant {
    /// The grant.
    pub grant: GrantId,
    /// Which dialog; none until held, for one that is begun.
    pub dialog: Option<DialogId>,
    /// Whose dialog.
    pub customer: CustomerId,
    /// To whom.
    pub operator: StaffId,
    /// Of this ownership; none until held.
    pub epoch: Option<OwnerEpoch>,
}

/// A dialog in short, as of a position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
pub struct DialogBrief {
    /// Whose.
    pub customer: CustomerId,
    /// Where it is held.
    pub channel: Option<ChannelId>,
    /// Where it is in its life.
    pub phase: Phase,
    /// Who owns it, of staff.
    pub owner: Option<StaffId>,
    /// The epoch of that.
    pub epoch: OwnerEpoch,
    /// Where it waits or waited.
    pub queue: Option<QueueRef>,
    /// Whose desk.
    pub desk: Option<DeskId>,
    /// Since when it waits; none unless it does.
    pub since: Option<Timestamp>,
    /// What it is about.
    pub topic: Option<Label>,
    /// Of staff only.
    pub tags: BTreeSet<Label>,
    /// The customer's judgement.
    pub rating: Option<u8>,
    /// How surely the customer is who they say, by what they wrote last.
    pub assurance: Option<Assurance>,
}

impl From<DialogView> for DialogBrief {
    fn from(view: DialogView) -> Self {
        Self {
            customer: view.customer,
            channel: view.channel,
            phase: view.phase,
            owner: view.owner,
            epoch: view.epoch,
            queue: view.queue,
            desk: view.desk,
            since: view.since,
            topic: view.topic,
            tags: view.tags,
            rating: view.rating,
            assurance: view.assurance,
        }
    }
}

impl From<&Board> for BoardState {
    fn from(board: &Board) -> Self {
        let waiting = board.waiting.values().map(|one| BoardWaiting {
            wait: one.wait.clone(),
            boost: one.boost,
            by_hand: one.by_hand,
        });
        let operators = board.operators.iter().map(|(id, one)| BoardOperator {
            operator: id.clone(),
            presence: one.presence,
            status: one.status,
            since: one.since,
        });
        let grants = board.grants.iter().map(|(id, one)| BoardGrant {
            grant: *id,
            dialog: one.dialog,
            customer: one.customer.clone(),
            operator: one.operator.clone(),
            epoch: one.held,
        });
        Self {
            config: board.config.clone(),
            waiting: waiting.collect(),
            operators: operators.collect(),
            grants: grants.collect(),
        }
    }
}
