//! The frames of `chatcore.v1` as types; `docs/spec/protocol.md` says what they mean.

mod client;
mod close;
mod parse;
mod server;
#[cfg(feature = "spec")]
pub mod spec;
mod state;
mod stream_name;

pub use client::{ClientFrame, ClientPosition, Hello, Secret};
pub use close::Close;
pub use parse::{DEPTH_MAX, FRAME_BYTES_MAX, ParseError, parse_frame};
pub use server::{ErrorCode, Left, ResetWhy, ServerFrame, StreamReset, Welcome, Wrong};
pub use state::{BoardGrant, BoardOperator, BoardState, BoardWaiting, DialogBrief};
pub use stream_name::StreamName;

/// The WebSocket subprotocol, also the version of everything in this module.
pub const SUBPROTOCOL: &str = "chatcore.v1";
/// How long a fresh connection may take to say `hello`, in seconds.
pub const HELLO_SECONDS_MAX: u64 = 8;
/// Both sides send something at least this often, in milliseconds.
pub const HEARTBEAT_MS: u32 = 25_000;
/// So many broken frames close a connection.
pub const BROKEN_FRAMES_MAX: u8 = 16;
