//! What a client may send.

use std::{collections::BTreeMap, fmt};

use chatcore::{
    content::Content,
    ids::{DeviceId, DialogId, Seq, Target},
    record::{ChainHash, Command, Position},
};
use serde::{Deserialize, Serialize};

use super::StreamName;

/// A frame of a client: one JSON object with one key, its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientFrame {
    /// Who this is; the first frame.
    Hello(Hello),
    /// Asks for a stream.
    Follow {
        /// Which.
        stream: StreamName,
        /// What the client has of it; none: from its newest events on.
        after: Option<ClientPosition>,
    },
    /// Asks for no more of a stream.
    Unfollow {
        /// Which.
        stream: StreamName,
    },
    /// A command; counted, and answered with exactly one outcome.
    Send {
        /// To whom.
        target: Target,
        /// Its number, from 1, per author, device and target.
        n: u64,
        /// What.
        command: Command<Content>,
    },
    /// All outcomes up to `n` have arrived.
    Settle {
        /// Of the commands to this target.
        target: Target,
        /// The last of them.
        n: u64,
    },
    /// How far the author has received and read.
    Cursor {
        /// The dialog's customer.
        target: Target,
        /// Of this dialog.
        dialog: DialogId,
        /// Received up to here.
        delivered: Seq,
        /// Read up to here.
        read: Seq,
    },
    /// The author types.
    Typing {
        /// In this dialog.
        dialog: DialogId,
    },
    /// A new token of the same person.
    Refresh {
        /// The token.
        token: Secret,
    },
    /// A sign of life that wants one back.
    Ping {},
    /// The answer to the server's `ping`.
    Pong {},
}

impl ClientFrame {
    /// Every kind.
    pub const KINDS: [&'static str; 10] = [
        "hello", "follow", "unfollow", "send", "settle", "cursor", "typing", "refresh", "ping",
        "pong",
    ];

    /// Its kind, as on the wire.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Follow { .. } => "follow",
            Self::Unfollow { .. } => "unfollow",
            Self::Send { .. } => "send",
            Self::Settle { .. } => "settle",
            Self::Cursor { .. } => "cursor",
            Self::Typing { .. } => "typing",
            Self::Refresh { .. } => "refresh",
            Self::Ping {} => "ping",
            Self::Pong {} => "pong",
        }
    }
}

/// The first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Who this is.
    pub token: Secret,
    /// Names this tab or phone.
    pub device: DeviceId,
    /// The language of the page: letters, digits and `-`, at most 35 (BCP 47).
    #[serde(default)]
    pub locale: Option<String>,
    /// A W3C `traceparent` for what this connection does.
    #[serde(default)]
    pub traceparent: Option<String>,
    /// What the client has, by stream; at most 100.
    #[serde(default)]
    pub resume: BTreeMap<StreamName, ClientPosition>,
}

/// A position that a client has. Strict where the stored one is lenient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClientPosition {
    /// The last event's number; 0 before the first.
    pub seq: Seq,
    /// The chain up to it.
    pub hash: ChainHash,
}

impl From<ClientPosition> for Position {
    fn from(at: ClientPosition) -> Self {
        Self {
            seq: at.seq,
            hash: at.hash,
        }
    }
}

/// A text that never shows in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}
