//! What travels from an owner of a partition to the nodes that follow its streams.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{DialogId, Participant, SessionId, Target},
    record::{Appended, CommandId, CursorMove, Reply},
};

/// A frame between nodes. The path may drop, repeat and reorder these; sessions put it right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeFrame {
    /// New events of a stream: the range `(after, upto]`.
    Events(Arc<Appended>),
    /// Cursors of one dialog that moved.
    Cursors {
        /// The dialog.
        dialog: DialogId,
        /// The new values; the highest wins.
        cursors: Vec<CursorMove>,
    },
    /// The reply to a command, for the session that sent it; best effort.
    Reply {
        /// The session.
        session: SessionId,
        /// What the command was written to.
        target: Target,
        /// Its name.
        id: CommandId,
        /// What its author hears.
        reply: Reply,
    },
    /// Somebody types. Never stored, first to be dropped.
    Typing {
        /// In this dialog.
        dialog: DialogId,
        /// Who.
        participant: Participant,
    },
}
