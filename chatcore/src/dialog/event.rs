//! What happened in a dialog, and to a customer.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::command::DialogSettings;
use crate::{
    clock::Timestamp,
    identity::Assurance,
    ids::{
        ChannelId, CustomerId, DeskId, DialogId, GrantId, Label, NoteId, OwnerEpoch, Participant,
        QueueRef, Seq, StaffId,
    },
};

/// What happened in a dialog. `B` as in [`CustomerCommand`](super::CustomerCommand).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DialogEvent<B> {
    /// The dialog began.
    Opened {
        /// Whose it is.
        customer: CustomerId,
        /// Where it is held.
        channel: ChannelId,
        /// Who began it.
        by: Participant,
        /// What it is about.
        topic: Option<Label>,
        /// How surely the customer is who they say, if they began it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assurance: Option<Assurance>,
    },
    /// The rules for the dialog, right after `Opened`. Apart from it because only staff may see
    /// them: a customer must not learn their priority.
    Ruled {
        /// The rules.
        settings: DialogSettings,
    },
    /// Somebody said something. The message is known by this event's `seq`.
    Message {
        /// Who.
        author: Participant,
        /// What.
        body: B,
        /// The message that it answers.
        reply_to: Option<Seq>,
        /// How surely the customer is who they say, if it is theirs: by the session that wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assurance: Option<Assurance>,
    },
    /// A message says something else now.
    Edited {
        /// Which.
        message: Seq,
        /// What it says now.
        body: B,
        /// How surely the customer is who they say, if it is theirs: by the session that changed
        /// it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assurance: Option<Assurance>,
    },
    /// A message was withdrawn.
    Deleted {
        /// Which.
        message: Seq,
        /// By whom.
        by: Participant,
    },
    /// A person was asked for: the dialog waits.
    Waiting {
        /// Where.
        queue: QueueRef,
        /// Why: `asked`, `failed`, `returned`, `transferred`, `lost`, `reopened`.
        reason: Label,
        /// By whom.
        by: Participant,
        /// Its place in the line: since when it waits. A return keeps it.
        since: Timestamp,
        /// The epoch from now on: nobody owns it.
        epoch: OwnerEpoch,
    },
    /// An operator owns the dialog.
    Assigned {
        /// Who.
        operator: StaffId,
        /// From which queue.
        queue: QueueRef,
        /// The epoch of this ownership.
        epoch: OwnerEpoch,
        /// The desk that granted it.
        desk: DeskId,
        /// The grant.
        grant: GrantId,
        /// The owner whom a supervisor took it from.
        from: Option<StaffId>,
    },
    /// On hold.
    Held,
    /// Off hold, or out of the wrap-up because the customer wrote again.
    Resumed,
    /// A note by staff.
    Note {
        /// Who.
        author: Participant,
        /// What.
        body: B,
    },
    /// A note about the customer, told in each dialog that goes on and in the one beside which it
    /// was written. Only staff see this.
    CustomerNoted {
        /// Which.
        note: NoteId,
        /// Who.
        author: Participant,
        /// What.
        body: B,
    },
    /// A note about the customer was taken away. Only staff see this.
    CustomerNoteRemoved {
        /// Which.
        note: NoteId,
        /// By whom.
        by: Participant,
    },
    /// The tags are these now.
    Tagged {
        /// All of them.
        tags: BTreeSet<Label>,
        /// By whom.
        by: Participant,
    },
    /// The topic is this now.
    TopicSet {
        /// The topic.
        topic: Option<Label>,
        /// By whom.
        by: Participant,
    },
    /// The owner writes it up.
    WrapUp,
    /// The dialog ended.
    Closed {
        /// By whom.
        by: Participant,
        /// How.
        outcome: Label,
        /// The epoch from now on: nobody owns it.
        epoch: OwnerEpoch,
    },
    /// It goes on: the bot has it, or a `Waiting` follows.
    Reopened {
        /// By whom.
        by: Participant,
        /// The epoch from now on.
        epoch: OwnerEpoch,
    },
    /// The customer's judgement.
    Rated {
        /// 1 to 5.
        score: u8,
        /// In words.
        comment: Option<B>,
    },
    /// A message by the bank's systems.
    System {
        /// What it says.
        body: B,
    },
    /// An emergency message.
    Emergency {
        /// The incident.
        incident: Label,
        /// What it says.
        body: B,
    },
    /// The channel gave a message up: the customer does not have it. Only staff see this.
    Undelivered {
        /// The message.
        message: Seq,
        /// Why: `unavailable`, `invalid` and the like.
        reason: Label,
    },
}

impl<B> DialogEvent<B> {
    /// Whether it is about the customer, and no activity of the dialog that tells it.
    pub(crate) fn is_about_customer(&self) -> bool {
        matches!(
            self,
            Self::CustomerNoted { .. } | Self::CustomerNoteRemoved { .. }
        )
    }

    /// Whether who may see the dialog is after it as it was before.
    pub(crate) fn keeps_access(&self) -> bool {
        match self {
            Self::Message { .. }
            | Self::Edited { .. }
            | Self::Deleted { .. }
            | Self::Note { .. }
            | Self::CustomerNoted { .. }
            | Self::CustomerNoteRemoved { .. }
            | Self::Tagged { .. }
            | Self::TopicSet { .. }
            | Self::System { .. }
            | Self::Emergency { .. }
            | Self::Rated { .. }
            | Self::Undelivered { .. } => true,
            Self::Opened { .. }
            | Self::Ruled { .. }
            | Self::Waiting { .. }
            | Self::Assigned { .. }
            | Self::Held
            | Self::Resumed
            | Self::WrapUp
            | Self::Closed { .. }
            | Self::Reopened { .. } => false,
        }
    }
}

/// What happened to a customer as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CustomerEvent {
    /// A dialog began.
    DialogOpened {
        /// Which.
        dialog: DialogId,
    },
    /// A dialog ended.
    DialogClosed {
        /// Which.
        dialog: DialogId,
    },
    /// A dialog goes on.
    DialogReopened {
        /// Which.
        dialog: DialogId,
    },
    /// A closed dialog can't be reopened any more and has left the state; it is history now.
    DialogSettled {
        /// Which.
        dialog: DialogId,
    },
    /// Linked with another identity of the same person.
    Linked {
        /// The other.
        other: CustomerId,
    },
}

/// Where a dialog is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The bot has it.
    Bot,
    /// It waits for a person.
    Waiting,
    /// An operator has it.
    Assigned,
    /// An operator has it, on hold.
    OnHold,
    /// An operator writes it up.
    WrapUp,
    /// It ended.
    Closed,
}
