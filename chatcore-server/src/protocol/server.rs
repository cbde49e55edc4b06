//! What the server sends.

use std::sync::Arc;

use chatcore::{
    clock::Timestamp,
    content::Content,
    error::ErrorKind,
    identity::StaffRole,
    ids::{DeskId, DialogId, NodeId, Participant, SessionId, Target},
    queue::PlaceInLine,
    record::{CursorMove, Position, Reply, StreamEvent},
    routing::CustomerPresence,
};
use serde::{Deserialize, Serialize};

use super::{BoardState, DialogBrief, StreamName};

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
        events: Vec<Arc<StreamEvent<Content>>>,
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
    /// Whether the customer of a dialog is here: told to staff when they begin to look at it, and
    /// when it changes. A few seconds late.
    Presence {
        /// Of this dialog.
        dialog: DialogId,
        /// How it is.
        presence: CustomerPresence,
    },
    /// The place of a dialog that waits, for its customer: when it changed, every few seconds at
    /// most.
    Place {
        /// Of this dialog.
        dialog: DialogId,
        /// Where it is in the line.
        place: PlaceInLine,
    },
    /// Nothing more of this stream.
    Left {
        /// Which.
        stream: StreamName,
        /// Why.
        reason: Left,
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
    /// What you are at your desk; none for a customer.
    pub role: Option<StaffRole>,
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
    /// Why.
    pub reason: ResetWhy,
    /// Of a board: its state as of `position`.
    pub board: Option<BoardState>,
    /// Of a dialog: its state as of `position`.
    pub dialog: Option<DialogBrief>,
}

/// Why a stream starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResetWhy {
    /// It was not resumed.
    Start,
    /// Another history than yours.
    Mismatch,
    /// Too much to send.
    Behind,
}

/// Why a stream is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// You have no right to it (any more), or there is no such stream.
    NoRight,
    /// You asked for no more of it.
    Unfollowed,
    /// You follow as many as you may.
    TooMany,
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

impl ErrorCode {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BadFrame => "bad_frame",
            Self::HelloExpected => "hello_expected",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::Invalid => "invalid",
            Self::Forbidden => "forbidden",
            Self::Expired => "expired",
            Self::NotFound => "not_found",
            Self::Overloaded => "overloaded",
            Self::Rebuilding => "rebuilding",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl ServerFrame {
    /// Every kind.
    pub const KINDS: [&'static str; 16] = [
        "welcome",
        "reset",
        "range",
        "cursors",
        "typing",
        "presence",
        "place",
        "left",
        "durable",
        "reply",
        "error",
        "ping",
        "pong",
        "expiring",
        "reconnect",
        "closed",
    ];

    /// Its kind, as on the wire.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Welcome(_) => "welcome",
            Self::Reset(_) => "reset",
            Self::Range { .. } => "range",
            Self::Cursors { .. } => "cursors",
            Self::Typing { .. } => "typing",
            Self::Presence { .. } => "presence",
            Self::Place { .. } => "place",
            Self::Left { .. } => "left",
            Self::Durable { .. } => "durable",
            Self::Reply { .. } => "reply",
            Self::Error(_) => "error",
            Self::Ping {} => "ping",
            Self::Pong { .. } => "pong",
            Self::Expiring { .. } => "expiring",
            Self::Reconnect { .. } => "reconnect",
            Self::Closed { .. } => "closed",
        }
    }
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
