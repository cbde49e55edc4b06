//! Why a command was rejected: typed, with stable codes.

use serde::{Deserialize, Serialize};

use super::event::Phase;
use crate::ids::{OwnerEpoch, Seq, StaffId};

/// Why a command was rejected. On the wire: `{"code": …, …}`; a retired code is never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Rejection {
    /// No such dialog (or it left the state: closed long ago).
    NotFound,
    /// The author has no right to this.
    Forbidden,
    /// Somebody else owns it.
    AlreadyOwned {
        /// Who.
        by: StaffId,
    },
    /// The author does not own it; nobody or somebody else does.
    NotOwner {
        /// Who does.
        by: Option<StaffId>,
    },
    /// The ownership that the author speaks from has ended.
    StaleEpoch {
        /// The epoch now.
        current: OwnerEpoch,
    },
    /// Something happened after what the author saw.
    Stale {
        /// The last event now.
        head: Seq,
    },
    /// The dialog has ended.
    Closed,
    /// Not possible in this phase.
    WrongPhase {
        /// The phase now.
        phase: Phase,
    },
    /// Too late to reopen or to rate.
    TooLate,
    /// No such message, or too old to be changed.
    UnknownMessage,
    /// The message is somebody else's.
    NotYours,
    /// The message was withdrawn.
    Deleted,
    /// Was rated already.
    AlreadyRated,
    /// Was done already, as told by its own key (an incident, a link).
    AlreadyDone,
    /// More than a limit allows.
    TooMany {
        /// The limit.
        limit: u32,
    },
    /// Longer than a limit allows.
    TooLong {
        /// The limit.
        limit: u32,
    },
    /// A value outside its range.
    OutOfRange {
        /// Least.
        min: i64,
        /// Most.
        max: i64,
    },
    /// The desk has no such queue.
    UnknownQueue,
    /// The desk has no such operator.
    UnknownOperator,
    /// The operator does not serve this queue.
    OtherQueue,
    /// The operator is not here, or takes nothing.
    Away,
    /// The operator has as many dialogs as they may.
    Full {
        /// The capacity.
        capacity: u16,
    },
    /// The dialog does not wait.
    NotWaiting,
    /// The timer, grant or answer is not the one in force. Never an author's mistake.
    Void,
    /// The same number with another content.
    IdConflict,
    /// The command could not be read, or deciding it failed; it is among the dead letters.
    Unreadable,
}

impl Rejection {
    /// The stable code, as in the `code` field on the wire.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::AlreadyOwned { .. } => "already_owned",
            Self::NotOwner { .. } => "not_owner",
            Self::StaleEpoch { .. } => "stale_epoch",
            Self::Stale { .. } => "stale",
            Self::Closed => "closed",
            Self::WrongPhase { .. } => "wrong_phase",
            Self::TooLate => "too_late",
            Self::UnknownMessage => "unknown_message",
            Self::NotYours => "not_yours",
            Self::Deleted => "deleted",
            Self::AlreadyRated => "already_rated",
            Self::AlreadyDone => "already_done",
            Self::TooMany { .. } => "too_many",
            Self::TooLong { .. } => "too_long",
            Self::OutOfRange { .. } => "out_of_range",
            Self::UnknownQueue => "unknown_queue",
            Self::UnknownOperator => "unknown_operator",
            Self::OtherQueue => "other_queue",
            Self::Away => "away",
            Self::Full { .. } => "full",
            Self::NotWaiting => "not_waiting",
            Self::Void => "void",
            Self::IdConflict => "id_conflict",
            Self::Unreadable => "unreadable",
        }
    }
}
