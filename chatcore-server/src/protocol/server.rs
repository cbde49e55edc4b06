//! What the server sends.

use chatcore::{
    clock::Timestamp,
    content::Content,
    dialog::Phase,
    error::ErrorKind,
    ids::{
        CustomerId, DeskId, DialogId, GrantId, NodeId, OwnerEpoch, Participant, QueueRef,
        SessionId, StaffId, Target,
    },
    queue::{DeskConfig, OperatorStatus, Presence, Wait},
    record::{CursorMove, Position, Reply, StreamEvent},
};
use serde::{Deserialize, Serialize};

use super::StreamName;

/// A frame of the server: one JSON object with one key, its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ServerFrame {
    /// The answer to `hello` and to `refresh`.
    Welcome(Welcome),
    /// Forget what you have of this stream.
    Reset(Box<StreamReset>),
    /// All that you may see of the events in `(after, upto]`.
    Range {
        /// Of this stream.
        stream: StreamName,
        /// What you have.
        after: Position,
        /// What you have then.
        upto: Position,
        /// In order; those that you may not see are left out.
        events: Vec<StreamEvent<Content>>,
    },
    /// How far participants are; the highest wins.
    Cursors {
        /// In this dialog.
        dialog: DialogId,
        /// Those that moved.
        cursors: Vec<CursorMove>,
    },
    /// Somebody types, for the next 5 seconds.
    Typing {
        /// In this dialog.
        dialog: DialogId,
        /// Who.
        participant: Participant,
    },
    /// Nothing more of this stream.
    Left {
        /// Which.
        stream: StreamName,
        /// Why.
        reason: LeftReason,
    },
    /// Every command up to `n` is written down and will not be lost.
    Durable {
        /// Of the commands to this target.
        target: Target,
        /// The last of them.
        n: u64,
    },
    /// What became of a command.
    Reply {
        /// To this target.
        target: Target,
        /// Its number.
        n: u64,
        /// The outcome, or from where to send again, or that it is settled.
        reply: Reply,
    },
    /// Something was not taken.
    Error(Wrong),
    /// A sign of life that wants one back.
    Ping {},
    /// A sign of life.
    Pong {
        /// The server's time.
        now: Timestamp,
    },
    /// The token ends soon: `refresh`.
    Expiring {
        /// When.
        at: Timestamp,
    },
    /// This node is leaving: reconnect after this time.
    Reconnect {
        /// In milliseconds.
        after_ms: u64,
    },
    /// On the streaming fetch: what a close code is on a WebSocket. The last line.
    Closed {
        /// The close code.
        code: u16,
        /// What to do.
        text: String,
    },
}

/// Who you are here, and how this connection is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
pub struct Welcome {
    /// The session's number on its node.
    pub session: SessionId,
    /// The node.
    pub node: NodeId,
    /// You.
    pub who: Participant,
    /// The name that others see.
    pub name: String,
    /// Whether you supervise the desk.
    pub supervisor: bool,
    /// Where you work; none for a customer.
    pub desk: Option<DeskId>,
    /// The server's time.
    pub now: Timestamp,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// Both sides send something at least this often, in milliseconds.
    pub heartbeat_ms: u32,
    /// Most commands without `durable`.
    pub window: u32,
    /// Streaming fetch only: where to post to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_key: Option<String>,
}

/// A stream starts (again) after a position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
pub struct StreamReset {
    /// Which.
    pub stream: StreamName,
    /// It goes on after this.
    pub position: Position,
    /// `start`, `mismatch` or `behind`.
    pub reason: chatcore::ids::Label,
    /// Of a board: its state as of `position`.
    pub board: Option<BoardState>,
    /// Of a dialog: its state as of `position`.
    pub dialog: Option<DialogBrief>,
}

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
    /// Where it is in its life.
    pub phase: Phase,
    /// Who owns it, of staff.
    pub owner: Option<StaffId>,
    /// The epoch of that.
    pub epoch: OwnerEpoch,
    /// Where it waits or waited; staff only.
    pub queue: Option<QueueRef>,
    /// Whose desk.
    pub desk: DeskId,
}

/// Why a stream is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    /// You have no right to it (any more).
    NoRight,
    /// You asked for no more of it.
    Asked,
    /// It could not be read.
    Failed,
}

/// Something was not taken; nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
pub struct Wrong {
    /// The stable code.
    pub code: ErrorCode,
    /// What was expected, or what to do. For people who write clients, not for customers.
    pub text: String,
    /// Of a command: its target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Of a command: its number, which is free again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// Of a follow: the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamName>,
    /// Try again after this long, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Wrong {
    /// An error that belongs to no command.
    #[must_use]
    pub fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            target: None,
            n: None,
            stream: None,
            retry_after_ms: None,
        }
    }
}

/// Error codes of the wire: a stable list of its own. A retired code is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A frame that can't be read.
    BadFrame,
    /// The first frame must be `hello`, and only the first.
    HelloExpected,
    /// Over 64 KiB.
    TooLarge,
    /// Over 32 levels.
    TooDeep,
    /// A value that breaks a rule.
    Invalid,
    /// No right to this, or no valid token.
    Forbidden,
    /// The token has expired.
    Expired,
    /// No such thing.
    NotFound,
    /// A bound was reached; come back.
    Overloaded,
    /// Is being built again; come back.
    Rebuilding,
    /// Something behind can't be reached; come back.
    Unavailable,
    /// A bug on this side.
    Internal,
}

impl From<ErrorKind> for ErrorCode {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid => Self::Invalid,
            ErrorKind::Forbidden => Self::Forbidden,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Overloaded => Self::Overloaded,
            ErrorKind::Rebuilding => Self::Rebuilding,
            ErrorKind::Unavailable | ErrorKind::Storage | ErrorKind::Closed => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}
