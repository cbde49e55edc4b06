//! Commands to a desk.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    dialog::{DialogSettings, Rejection},
    ids::{ChannelId, CustomerId, DialogId, GrantId, Node, OwnerEpoch, QueueId, StaffId},
};

/// A command to a desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeskCommand {
    /// A dialog waits (a follow-up of the dialog).
    Wait(Wait),
    /// A dialog waits no longer: closed, withdrawn, moved to another queue.
    Leave {
        /// Which.
        dialog: DialogId,
        /// The epoch in which it waited; an older one is void.
        epoch: OwnerEpoch,
    },
    /// The first session of an operator on a node was opened.
    Came {
        /// Who.
        operator: StaffId,
        /// Where. Stamped at admission.
        node: NodeName,
    },
    /// The operator's status.
    Status {
        /// Whose. A supervisor may set another's.
        operator: StaffId,
        /// From now on.
        status: OperatorStatus,
    },
    /// The last session of an operator on a node has ended, or the node's lease has lapsed.
    /// The grace begins when it was the operator's last node.
    Lost {
        /// Who.
        operator: StaffId,
        /// Where.
        node: NodeName,
    },
    /// An operator takes a waiting dialog.
    Take {
        /// Which.
        dialog: DialogId,
    },
    /// A supervisor gives a waiting or an owned dialog to an operator.
    Assign {
        /// Which.
        dialog: DialogId,
        /// To whom.
        operator: StaffId,
        /// Past the operator's capacity; audited.
        #[serde(default)]
        over_capacity: bool,
    },
    /// An operator begins a dialog with a customer.
    Begin {
        /// With whom.
        customer: CustomerId,
        /// Where the customer is reached.
        channel: ChannelId,
        /// From which queue's work.
        queue: QueueId,
        /// Stamped at admission.
        #[serde(default)]
        settings: DialogSettings,
    },
    /// The owner passes a dialog to a certain operator (a follow-up of the dialog, which waits
    /// meanwhile). Not possible: it waits in the queue.
    Pass {
        /// As for [`DeskCommand::Wait`].
        wait: Wait,
        /// To whom.
        operator: StaffId,
    },
    /// The dialog's answer to a grant: owned.
    Held {
        /// The grant.
        grant: GrantId,
        /// The dialog (told anew for one that was begun).
        dialog: DialogId,
        /// Whose dialog.
        customer: CustomerId,
        /// Of this ownership.
        epoch: OwnerEpoch,
    },
    /// The dialog's answer to a grant: no.
    Refused {
        /// The grant.
        grant: GrantId,
        /// Why.
        reason: Rejection,
    },
    /// An ownership has ended: the slot is free.
    Freed {
        /// Which dialog.
        dialog: DialogId,
        /// The grant that it came from.
        grant: GrantId,
    },
    /// The dialog's answer to a `Confirm`.
    Confirmed {
        /// The grant.
        grant: GrantId,
        /// Whether the ownership stands.
        stands: bool,
    },
    /// The rules of the desk, when they differ from what it has.
    Configure(DeskConfig),
    /// The whole journal was silent: nobody could come back meanwhile, and the graces that ran go
    /// on after it with what was left of them.
    Silence {
        /// The last time at which it was known to work.
        from: Timestamp,
        /// Since when it works again.
        to: Timestamp,
    },
    /// A timer of this desk fired.
    Timer {
        /// Which.
        key: DeskTimer,
        /// Must be the one in force, or the firing is void.
        generation: u64,
    },
}

/// A dialog that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Wait {
    /// Which.
    pub dialog: DialogId,
    /// Whose.
    pub customer: CustomerId,
    /// In which queue of this desk.
    pub queue: QueueId,
    /// Where it is held.
    pub channel: ChannelId,
    /// Its priority; higher is served first.
    pub priority: u8,
    /// Since when it waits; a return keeps it.
    pub since: Timestamp,
    /// The epoch in which it waits.
    pub epoch: OwnerEpoch,
    /// Whether it waits because its operator vanished (the dialog's answer to
    /// [`CustomerCommand::OwnerLost`](crate::dialog::CustomerCommand)): then
    /// [`LOST_BOOST`](super::limits::LOST_BOOST) is added to its priority for this wait.
    #[serde(default)]
    pub lost: bool,
}

/// One life of a node, as text, as [`Node`] in commands: `id@epoch`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct NodeName(pub String);

impl From<&Node> for NodeName {
    fn from(node: &Node) -> Self {
        Self(format!("{}@{}", node.id, node.epoch))
    }
}

/// What an operator is ready for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OperatorStatus {
    /// Takes dialogs, by hand and automatically.
    Available,
    /// Keeps what they have; takes by hand only.
    Busy,
    /// Takes nothing.
    #[default]
    Away,
}

/// The rules of a desk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeskConfig {
    /// The queues.
    pub queues: BTreeMap<QueueId, QueueConfig>,
    /// The operators who belong to this desk.
    pub operators: BTreeMap<StaffId, OperatorConfig>,
    /// How long an operator may be away from all nodes before their dialogs return, in
    /// milliseconds.
    pub grace_ms: u64,
    /// How long an unanswered grant waits before it is sent again, in milliseconds; 0 never.
    pub grant_resend_ms: u64,
    /// How often every standing grant is confirmed, in milliseconds; 0 never.
    pub reconcile_ms: u64,
}

/// The rules of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueConfig {
    /// The name to show.
    pub title: String,
    /// How dialogs find operators.
    pub assignment: Assignment,
}

/// How the dialogs of a queue find operators.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// Operators take from the shared list.
    #[default]
    Manual,
    /// The desk gives to whoever has been free the longest.
    LongestFree,
    /// The desk gives to whoever has the fewest dialogs.
    LeastLoaded,
    /// The embedder's policy of this name.
    Custom(String),
}

/// The rules for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OperatorConfig {
    /// The name to show.
    pub name: String,
    /// Most dialogs at a time.
    pub capacity: u16,
    /// The queues whose dialogs they serve.
    pub queues: BTreeSet<QueueId>,
}

/// The timers of a desk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeskTimer {
    /// The grace of an operator who vanished ends: gone.
    Grace(StaffId),
    /// Grants that nobody answered are sent again.
    Resend,
    /// Every standing grant is confirmed.
    Reconcile,
    /// Matching goes on where one step had to stop.
    Match,
}
