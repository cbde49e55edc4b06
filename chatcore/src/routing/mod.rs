//! The way back: streams, frames that cover ranges, the inbox of a node, and sessions.

pub mod access;
pub mod admission;
pub mod follower;
mod frame;
mod hub;
mod inbox;
mod job;
pub(crate) mod mailbox;
mod opened;
mod people;
mod rate;
mod session;
pub mod text;
mod view;

pub use follower::{FollowerLimits, ResetReason};
pub use frame::{CustomerPresence, NodeFrame};
pub(crate) use hub::Hub;
pub use hub::{HubConfig, HubStats, LONGEST_TOKEN_LIFE};
pub use inbox::{Inbox, InboxEvent, NodeInbox};
pub use mailbox::BufferLimits;
pub use opened::{Made, Memo, Opened};
pub use people::PersonLimits;
pub use rate::{Bucket, Rate};
pub use session::{
    CloseCode, Connect, LeftReason, Session, SessionConfig, SessionEvent, SessionEvents,
    SessionSender, StreamState,
};
pub(crate) use session::{Edge, Shared};
pub use view::{Board, BoardGrant, BoardOperator, BoardWait, DialogView};
