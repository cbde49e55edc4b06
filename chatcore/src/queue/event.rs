//! What happened on a desk: its board.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::command::{DeskConfig, NodeName, OperatorStatus, Wait};
use crate::{
    clock::Timestamp,
    dialog::Granted,
    ids::{CustomerId, DialogId, GrantId, Label, OwnerEpoch, Participant, StaffId},
};

/// What happened on a desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BoardEvent {
    /// The rules are these now.
    Configured(DeskConfig),
    /// A dialog waits.
    Waiting {
        /// What is known of it.
        wait: Wait,
        /// Added to its priority while it waits: its operator vanished.
        boost: u8,
        /// It came back from a grant that was refused for no reason of its own: taken by hand
        /// only, so that it can't go round in circles.
        #[serde(default)]
        by_hand: bool,
    },
    /// A dialog waits no longer.
    Left {
        /// Which.
        dialog: DialogId,
    },
    /// An operator's state is this now.
    Operator {
        /// Whose.
        operator: StaffId,
        /// Whether they can be reached.
        presence: Presence,
        /// What they are ready for.
        status: OperatorStatus,
        /// Since when presence and status are these.
        since: Timestamp,
        /// Where they have sessions.
        nodes: BTreeSet<NodeName>,
    },
    /// A dialog was granted; the slot counts from here.
    Granted {
        /// The grant.
        grant: GrantId,
        /// Which dialog; none yet for one that is begun.
        dialog: Option<DialogId>,
        /// What the dialog is sent, now and whenever it is sent again.
        what: Granted,
        /// Whose dialog.
        customer: CustomerId,
        /// To whom.
        operator: StaffId,
        /// By whom: the operator, a supervisor, or the system.
        by: Participant,
        /// Why this one.
        reason: AssignmentReason,
    },
    /// The dialog confirmed a grant: owned.
    Held {
        /// The grant.
        grant: GrantId,
        /// Which dialog.
        dialog: DialogId,
        /// Of this ownership.
        epoch: OwnerEpoch,
    },
    /// The dialog refused a grant; the slot is free.
    Refused {
        /// The grant.
        grant: GrantId,
        /// The stable code of why.
        code: Label,
    },
    /// An ownership ended; the slot is free.
    Freed {
        /// The grant.
        grant: GrantId,
        /// Which dialog.
        dialog: DialogId,
    },
    /// Grants that nobody answered were sent again.
    Resent {
        /// Which.
        grants: Vec<GrantId>,
    },
    /// The dialogs are asked whether their grants stand.
    Confirming {
        /// Which.
        grants: Vec<GrantId>,
        /// Where to go on at once, when there were too many for one step.
        more_after: Option<GrantId>,
    },
    /// The journal was silent; the graces that ran go on with what was left of them.
    Silence {
        /// From then on.
        from: Timestamp,
        /// Until then.
        to: Timestamp,
    },
    /// Whether matching stopped before its end, having granted as much as one step may; it goes
    /// on at once then.
    Matching {
        /// It did.
        more: bool,
    },
    /// A reconcile found a grant that did not stand. Must never happen: counted and alarmed.
    Repaired {
        /// The grant.
        grant: GrantId,
    },
}

/// Whether an operator can be reached.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Has a session somewhere.
    Online,
    /// Had one until just now; the grace runs.
    Lost,
    /// Not here.
    #[default]
    Gone,
}

/// Why an operator was chosen. Kept with each grant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AssignmentReason {
    /// `taken`, `assigned`, `begun`, `passed`, or the policy's name.
    pub how: String,
    /// The next four, best first, had the chosen one not been there.
    pub next: Vec<StaffId>,
    /// How many were refused, by reason: `away`, `busy`, `full`, `gone`, `lost`, `other_queue`.
    pub refused: BTreeMap<String, u32>,
    /// A supervisor went past the operator's capacity.
    #[serde(default)]
    pub over_capacity: bool,
    /// The policy that the queue asks for and that could not choose: nobody registered it, or it
    /// named no candidate. `how` says which one did.
    #[serde(default)]
    pub instead_of: Option<String>,
}
