//! What sessions ask of the node's hub, and what it answers.

use std::{sync::Arc, time::Duration};

use super::{
    opened::Opened,
    view::{Board, DialogView},
};
use crate::{
    error::ErrorKind,
    ids::{DialogId, Seq, SessionId, StreamId},
    record::{Access, CursorMove, Position},
    store::FollowFrom,
};

/// Work on one stream in the store. One at a time per stream and node. A session knows the answer
/// to its newest request by the ticket.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// Follow it, for a session.
    Follow {
        session: SessionId,
        ticket: u64,
        from: FollowFrom,
        anew: bool,
    },
    /// Read a range, for a session.
    Read {
        session: SessionId,
        ticket: u64,
        after: Seq,
        upto: Seq,
    },
    /// Write the route again and tell all sessions the head.
    Rewrite,
    /// Remove the route, unless somebody follows it again by now.
    Unfollow,
}

impl Work {
    /// For whom; none for the node itself.
    pub(crate) fn session(&self) -> Option<(SessionId, u64)> {
        match self {
            Self::Follow {
                session, ticket, ..
            }
            | Self::Read {
                session, ticket, ..
            } => Some((*session, *ticket)),
            Self::Rewrite | Self::Unfollow => None,
        }
    }
}

/// What a session hears of what it asked for.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) stream: StreamId,
    /// Of the request; none for what was not asked by ticket.
    pub(crate) ticket: Option<u64>,
    pub(crate) what: Answered,
}

/// See [`Answer`].
#[derive(Debug)]
pub(crate) enum Answered {
    Followed(Followed),
    Read(Arc<Opened>),
    HeadSettled(Position),
    /// It did not work yet and is tried again; told once for each request.
    Trouble(ErrorKind, Duration),
    /// It can't work.
    Failed,
}

/// The answer to a follow.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) page: Arc<Opened>,
    pub(crate) head: Position,
    pub(crate) access: Option<Access>,
    pub(crate) cursors: Vec<CursorMove>,
    pub(crate) known: Known,
}

/// What the stream amounts to.
#[derive(Debug, Clone)]
pub(crate) enum Known {
    /// A dialog as of the page's start, when it was asked for anew.
    Dialog(Option<Box<DialogView>>),
    /// A board: as of the page's start when it was asked for anew, else as of the head.
    Board(Arc<Board>),
    /// A customer: the dialogs that are open or can be reopened, as of the head.
    Customer(Vec<DialogId>),
}
