//! A session: what one socket (or any other caller) sees of chatcore, and says to it.
//!
//! Transport-free. A [`Session`] splits into a [`SessionSender`], which is cheap to clone, and the
//! [`SessionEvents`], which are pulled: whoever does not pull is behind, and catches up from the
//! store when they pull again.

mod account;
mod events;
mod redact;
mod sender;
mod shared;
mod streams;
mod window;
mod written;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub use events::SessionEvents;
pub use sender::SessionSender;
pub(crate) use shared::{Edge, Entered, Shared};

use super::{
    follower::{FollowerLimits, ResetReason},
    frame::CustomerPresence,
    mailbox::BufferLimits,
    opened::Memo,
    view::{Board, DialogView},
};
use crate::{
    clock::Timestamp,
    content::Content,
    error::Error,
    identity::Identity,
    ids::{DeviceId, DialogId, Participant, SessionId, StreamId, Target},
    queue::PlaceInLine,
    record::{CursorMove, Position, Reply, StreamEvent, TraceContext},
};

/// Who connects, and what they have.
#[derive(Debug, Clone)]
pub struct Connect {
    /// Who, as proven by a token.
    pub identity: Identity,
    /// Their device; commands are counted per author and device.
    pub device: DeviceId,
    /// What they have of streams. Only these are resumed; the rest starts anew.
    pub resume: BTreeMap<StreamId, Position>,
    /// The trace that the session's commands belong to.
    pub trace: Option<TraceContext>,
}

/// Bounds and times of a session.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Most commands that are not yet durable; past it `send` waits.
    pub window: usize,
    /// How long `send` waits for room, in the window and in the journal.
    pub append_timeout: Duration,
    /// The send buffer.
    pub buffer: BufferLimits,
    /// Following.
    pub follower: FollowerLimits,
    /// Most streams of a session.
    pub streams_max: usize,
    /// How long before the end of the token the session is told.
    pub expiry_warning: Duration,
    /// At least this long between two cursors of a dialog that are written down.
    pub cursor_interval: Duration,
    /// At least this long between two signs of typing in a dialog.
    pub typing_interval: Duration,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            window: 64,
            append_timeout: Duration::from_secs(10),
            buffer: BufferLimits::default(),
            follower: FollowerLimits::default(),
            streams_max: 256,
            expiry_warning: Duration::from_secs(60),
            cursor_interval: Duration::from_secs(1),
            typing_interval: Duration::from_secs(2),
        }
    }
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// It was closed by its own side.
    Done,
    /// The token has expired.
    Expired,
    /// Its reader was behind for too long.
    Slow,
    /// The node is leaving.
    Draining,
    /// The process stood still for longer than its lease.
    Paused,
    /// A stream could not go on.
    Internal,
    /// The person, the sign-in or the token was revoked.
    Revoked,
    /// The node can't tell who was revoked; another one may.
    Unsure,
}

impl CloseCode {
    /// The code on a WebSocket; 4000 to 4499 ask the client to come back.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Done => 1000,
            Self::Expired => 4401,
            Self::Slow => 4409,
            Self::Draining => 4412,
            Self::Unsure => 4413,
            Self::Paused | Self::Internal => 4430,
            Self::Revoked => 4503,
        }
    }
}

/// What a stream starts from, as of the position of its reset.
#[derive(Debug, Clone)]
pub enum StreamState {
    /// A customer's own stream: nothing to tell, its dialogs follow by themselves.
    Customer,
    /// A dialog.
    Dialog(Box<DialogView>),
    /// A board.
    Board(Arc<Board>),
}

/// Why a stream ended for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeftReason {
    /// No right to it, or not any more. Also when there is no such stream: who has no right must
    /// not learn which.
    NoRight,
    /// The client asked for it.
    Unfollowed,
    /// The session follows as many as it may.
    TooMany,
}

/// What a session is told.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionEvent {
    /// Every command to this target up to `n` is written down.
    Durable {
        /// To whom it was.
        target: Target,
        /// The number.
        n: u64,
    },
    /// What became of a command.
    Reply {
        /// To whom it was.
        target: Target,
        /// The number.
        n: u64,
        /// What its author hears.
        reply: Reply,
    },
    /// A command that [`SessionSender::send`] had taken was not written down, or it can't be told
    /// whether it was: the number must be sent again, with the same command.
    Refused {
        /// To whom it was.
        target: Target,
        /// The number.
        n: u64,
        /// Why, and when to try again.
        error: Error,
    },
    /// What the session may see of a range of a stream.
    Range {
        /// Which stream.
        stream: StreamId,
        /// The position before it: what was told last of this stream.
        after: Position,
        /// The position after it.
        upto: Position,
        /// In order; events that this session may not see are left out.
        events: Vec<Arc<StreamEvent<Content>>>,
        /// Where a transport finds and keeps what it makes of this, when other sessions of the
        /// node are told the same.
        memo: Option<Memo>,
    },
    /// The stream goes on after `position`; what was told of it before does not count.
    Reset {
        /// Which stream.
        stream: StreamId,
        /// From where.
        position: Position,
        /// Why.
        reason: ResetReason,
        /// What it stands at there.
        state: StreamState,
    },
    /// Cursors that moved; the highest wins.
    Cursors {
        /// In this dialog.
        dialog: DialogId,
        /// The new values.
        cursors: Vec<CursorMove>,
    },
    /// Somebody types.
    Typing {
        /// In this dialog.
        dialog: DialogId,
        /// Who.
        participant: Participant,
    },
    /// Whether the customer of a dialog is here; told to staff.
    Presence {
        /// Of this dialog.
        dialog: DialogId,
        /// How it is.
        presence: CustomerPresence,
    },
    /// The place of a dialog that waits; told to its customer, when it changed, every few seconds
    /// at most.
    Place {
        /// Of this dialog.
        dialog: DialogId,
        /// Where it is in the line.
        place: PlaceInLine,
    },
    /// Nothing more of this stream.
    Left {
        /// Which.
        stream: StreamId,
        /// Why.
        reason: LeftReason,
    },
    /// A stream has to wait: the store is away, busy or being built. It goes on by itself.
    Waiting {
        /// Which.
        stream: StreamId,
        /// Why.
        kind: crate::error::ErrorKind,
        /// When it is tried again.
        retry_after: Duration,
    },
    /// The token ends soon; see [`SessionSender::refresh`].
    Expiring {
        /// When.
        at: Timestamp,
    },
    /// The session ended. Nothing comes after this.
    Closed {
        /// Why.
        code: CloseCode,
    },
}

/// One session.
#[derive(Debug)]
pub struct Session {
    sender: SessionSender,
    events: SessionEvents,
}

impl Session {
    pub(crate) fn new(sender: SessionSender, events: SessionEvents) -> Self {
        Self { sender, events }
    }

    /// Its number on this node.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.sender.id()
    }

    /// The two halves: what is said and what is told. Dropping the events ends the session.
    #[must_use]
    pub fn split(self) -> (SessionSender, SessionEvents) {
        (self.sender, self.events)
    }

    /// The half that speaks.
    #[must_use]
    pub fn sender(&self) -> &SessionSender {
        &self.sender
    }

    /// What is told next; see [`SessionEvents::next`].
    pub async fn next(&mut self) -> Option<SessionEvent> {
        self.events.next().await
    }
}
