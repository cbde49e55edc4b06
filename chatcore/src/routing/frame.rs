//! What travels from an owner of a partition to the nodes that follow its streams.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    ids::{DialogId, Node, Participant, SessionId, Target},
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
    /// Whether the customer of a dialog has a session at a node. Never stored, dropped like
    /// typing, and said again when it is asked for.
    CustomerHere {
        /// The dialog.
        dialog: DialogId,
        /// At this node, which says it.
        node: Node,
        /// Grows with each word of that node.
        order: u64,
        /// Whether they have.
        here: bool,
        /// When it was said, by that node's clock.
        at: Timestamp,
    },
    /// Asks the nodes that follow a dialog whether its customer is there.
    AskHere {
        /// The dialog.
        dialog: DialogId,
        /// Who asks, and is to be answered.
        node: Node,
    },
}

/// Whether a customer is here, for staff: whether a session of theirs, at any node, follows the
/// dialog. Late by a few seconds, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CustomerPresence {
    /// They are.
    Here,
    /// They are not.
    Away {
        /// Since when, by the clock of the node that they left; none when nobody here saw them go.
        since: Option<Timestamp>,
    },
}
