//! The way back: streams, frames that cover ranges, the inbox of a node, and sessions.

mod frame;
mod inbox;

pub use frame::NodeFrame;
pub use inbox::{Inbox, InboxEvent, NodeInbox};
