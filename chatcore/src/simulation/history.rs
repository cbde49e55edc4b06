//! What a run was seen to do, entry by entry: what people sent, heard and were shown, and what was
//! done to the system meanwhile.
//!
//! What desks and dialogs decided is not in it: that is read from the journal's `events` at the
//! end ([`Truth`](super::Truth)). Texts are not in it either, only their digests.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    content::Content,
    error::{Error, ErrorKind, Result},
    identity::{Proof, Revocation, Who},
    ids::{DeviceId, Node, Participant, Partition, Seq, SessionId, StreamId, Target},
    record::{ChainHash, CommandId, CursorMove, Position, Reply, StreamEvent},
    routing::{CloseCode, LeftReason, ResetReason, SessionEvent, StreamState},
};

/// All that was seen of a run, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    entries: Vec<Entry>,
}

/// Something that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, by the clock of whoever saw it; for people, nothing is judged by it.
    pub at: Timestamp,
    /// Of what a session told: when it handed that out, should the device have read it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_at: Option<Timestamp>,
    /// On which connection; none for what no connection tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Connection>,
    /// What.
    pub what: What,
}

/// One session on one node: what a device has until it comes back anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Connection {
    /// Where.
    pub node: Node,
    /// Its number there.
    pub session: SessionId,
}

/// What a person shows to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// What of it can be revoked.
    pub proof: Proof,
    /// Not longer than this.
    pub expires_at: Timestamp,
}

/// A person at a device, over all connections of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// Who, with their rights.
    pub who: Who,
    /// At this device.
    pub device: DeviceId,
}

impl Viewer {
    /// Under which name the device's commands are counted.
    #[must_use]
    pub fn key(&self) -> (Participant, DeviceId) {
        (self.who.participant(), self.device.clone())
    }
}

/// A command as its author sent it, each time it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// By whom.
    pub author: Participant,
    /// Its name; of a client the device and the number.
    pub id: CommandId,
    /// To whom.
    pub target: Target,
    /// Of the content: differs for another content under the same name.
    pub digest: u64,
    /// What kind of command, for people who read the history.
    pub kind: String,
}

/// An event as it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownEvent {
    /// Its number.
    pub seq: Seq,
    /// The chain up to and with it.
    pub hash: ChainHash,
    /// Of all that was shown of it, the opened body included.
    pub digest: u64,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A connection began.
    Connected {
        /// Of whom.
        viewer: Viewer,
        /// What they said to have.
        resume: Vec<(StreamId, Position)>,
        /// With what they came, if it is written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential: Option<Credential>,
    },
    /// The person's rights on this connection are these now.
    Refreshed {
        /// The same person.
        who: Who,
        /// With what, if it is written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential: Option<Credential>,
    },
    /// Whoever revoked this was told that it is done.
    Revoked(Revocation),
    /// The connection ended. With a number when the node said why.
    Disconnected {
        /// As on a WebSocket.
        code: Option<u16>,
    },
    /// The device never comes back: it is owed nothing from here on.
    Abandoned {
        /// Which.
        viewer: Viewer,
    },
    /// A command was sent: for the first time, or again.
    Sent(Sent),
    /// The call that sent it failed: it was not appended.
    NotTaken {
        /// To whom it was.
        target: Target,
        /// Its number.
        n: u64,
        /// The code of the error's kind.
        kind: String,
    },
    /// Every command of this device to this target up to `n` was said to be durable.
    Durable {
        /// To whom they were.
        target: Target,
        /// The number.
        n: u64,
    },
    /// A command without a session (of a channel) was said to be durable.
    Written {
        /// By whom.
        author: Participant,
        /// Its name.
        id: CommandId,
        /// To whom.
        target: Target,
    },
    /// The node said that a command must be sent again.
    Refused {
        /// To whom it was.
        target: Target,
        /// Its number.
        n: u64,
        /// The code of the error's kind.
        kind: String,
    },
    /// The author heard what became of a command.
    Heard {
        /// To whom it was.
        target: Target,
        /// Its number.
        n: u64,
        /// What.
        reply: Reply,
    },
    /// The author said that all outcomes up to `n` have arrived.
    Acknowledged {
        /// Of commands to this target.
        target: Target,
        /// The number.
        n: u64,
    },
    /// A stream starts anew; what was shown of it before does not count.
    Reset {
        /// Which.
        stream: StreamId,
        /// What comes next follows this.
        position: Position,
        /// `start`, `mismatch`, `behind`.
        reason: String,
        /// Of the state that it starts from; none for a customer's own stream.
        state: Option<u64>,
    },
    /// A range was shown.
    Shown {
        /// Of which stream.
        stream: StreamId,
        /// The position before it.
        after: Position,
        /// The position after it.
        upto: Position,
        /// What was visible of it, in order; the rest of the range was hidden.
        events: Vec<ShownEvent>,
    },
    /// Cursors that moved.
    Cursors {
        /// All of one dialog.
        cursors: Vec<CursorMove>,
    },
    /// Nothing more of a stream.
    Left {
        /// Which.
        stream: StreamId,
        /// `no_right`, `unfollowed`, `too_many`.
        reason: String,
    },
    /// A fault was done to the system.
    Fault {
        /// Its name.
        name: String,
        /// To which node, if to one.
        node: Option<Node>,
        /// To which partition, if to one.
        partition: Option<Partition>,
        /// What a reader should know.
        note: String,
    },
    /// A node began.
    Started {
        /// Which.
        node: Node,
    },
    /// A node ended.
    Stopped {
        /// Which.
        node: Node,
        /// `crashed`, `drained`.
        how: String,
    },
    /// All faults are over: from here on the system must come to rest.
    Healed,
    /// It has: all commands are decided and emitted, all views were given the time to catch up.
    /// The demands on the end are made of a history that has this.
    Quiet,
}

impl What {
    /// What a session was told, as an entry; none for what is not judged (typing, waiting,
    /// expiry).
    #[must_use]
    pub fn told(event: &SessionEvent) -> Option<Self> {
        Some(match event {
            SessionEvent::Durable { target, n } => Self::Durable {
                target: target.clone(),
                n: *n,
            },
            SessionEvent::Reply { target, n, reply } => Self::Heard {
                target: target.clone(),
                n: *n,
                reply: reply.clone(),
            },
            SessionEvent::Refused { target, n, error } => Self::Refused {
                target: target.clone(),
                n: *n,
                kind: error.kind().code().to_owned(),
            },
            SessionEvent::Range {
                stream,
                after,
                upto,
                events,
                memo: _,
            } => Self::Shown {
                stream: stream.clone(),
                after: *after,
                upto: *upto,
                events: events.iter().map(|event| ShownEvent::of(event)).collect(),
            },
            SessionEvent::Reset {
                stream,
                position,
                reason,
                state,
            } => Self::Reset {
                stream: stream.clone(),
                position: *position,
                reason: reset_name(*reason).to_owned(),
                state: state_digest(state),
            },
            SessionEvent::Cursors { cursors, .. } => Self::Cursors {
                cursors: cursors.clone(),
            },
            SessionEvent::Left { stream, reason } => Self::Left {
                stream: stream.clone(),
                reason: left_name(*reason).to_owned(),
            },
            SessionEvent::Closed { code } => Self::disconnected(*code),
            _ => return None,
        })
    }

    fn disconnected(code: CloseCode) -> Self {
        Self::Disconnected {
            code: Some(code.number()),
        }
    }
}

impl ShownEvent {
    /// An event as a session was shown it.
    #[must_use]
    pub fn of(event: &StreamEvent<Content>) -> Self {
        Self {
            seq: event.seq,
            hash: event.hash,
            digest: digest_of(event),
        }
    }
}

/// The digest of anything that can be written down: the same for the same value.
#[must_use]
pub fn digest_of<T: Serialize>(value: &T) -> u64 {
    let mut first = [0u8; 8];
    // What can't be expressed has no digest of its own; none of ours can fail.
    let bytes = crate::record::encode(value).unwrap_or_default();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes);
    hasher.finalize_xof().fill(&mut first);
    u64::from_be_bytes(first)
}

/// Of the state that a stream starts from.
#[must_use]
pub fn state_digest(state: &StreamState) -> Option<u64> {
    match state {
        StreamState::Customer => None,
        StreamState::Dialog(view) => Some(digest_of(view)),
        StreamState::Board(board) => Some(digest_of(board.as_ref())),
    }
}

fn reset_name(reason: ResetReason) -> &'static str {
    match reason {
        ResetReason::Start => "start",
        ResetReason::Mismatch => "mismatch",
        ResetReason::Behind => "behind",
    }
}

fn left_name(reason: LeftReason) -> &'static str {
    match reason {
        LeftReason::NoRight => "no_right",
        LeftReason::Unfollowed => "unfollowed",
        LeftReason::TooMany => "too_many",
    }
}

impl History {
    /// Adds what a connection, or nobody in particular, saw.
    pub fn push(&mut self, at: Timestamp, on: Option<&Connection>, what: What) {
        self.entries.push(Entry {
            at,
            handed_at: None,
            on: on.cloned(),
            what,
        });
    }

    /// Adds what a session was told, if it is judged; the first of the times is when it was handed
    /// out.
    pub fn push_told(
        &mut self,
        (handed_at, at): (Timestamp, Timestamp),
        on: &Connection,
        event: &SessionEvent,
    ) {
        if let Some(what) = What::told(event) {
            self.entries.push(Entry {
                at,
                handed_at: Some(handed_at),
                on: Some(on.clone()),
                what,
            });
        }
    }

    /// All of it, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether the run came to rest, so that the demands on the end can be made.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.entries.iter().any(|e| e.what == What::Quiet)
    }

    /// As JSON lines, one an entry.
    ///
    /// # Errors
    /// `Internal`, never in practice.
    pub fn to_json_lines(&self) -> Result<String> {
        let mut text = String::new();
        for entry in &self.entries {
            let line = serde_json::to_string(entry)
                .map_err(|e| Error::new(ErrorKind::Internal, "write a history").with_source(e))?;
            text.push_str(&line);
            text.push('\n');
        }
        Ok(text)
    }

    /// From JSON lines, in the order in which they stand. Lines of several processes are merged by
    /// whoever calls this.
    ///
    /// # Errors
    /// `Corrupt` for a line that is no entry, with its number.
    pub fn from_json_lines(text: &str) -> Result<Self> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let entry = serde_json::from_str(line).map_err(|e| {
                Error::new(ErrorKind::Corrupt, "read a history")
                    .with_context("line", index + 1)
                    .with_source(e)
            })?;
            entries.push(entry);
        }
        Ok(Self { entries })
    }
}

impl FromIterator<Entry> for History {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        Self {
            entries: entries.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CustomerId, NodeEpoch, NodeId};

    #[test]
    fn a_history_reads_back_from_its_lines() {
        let anna = CustomerId::try_new("anna").unwrap();
        let viewer = Viewer {
            who: Who::Customer(anna.clone()),
            device: DeviceId::try_new("tab").unwrap(),
        };
        let on = Connection {
            node: Node {
                id: NodeId::try_new("one").unwrap(),
                epoch: NodeEpoch(3),
            },
            session: SessionId(7),
        };
        let stream = StreamId::Customer(anna.clone());
        let after = Position {
            seq: Seq(4),
            hash: ChainHash(u64::MAX),
        };
        let mut history = History::default();
        let connected = What::Connected {
            viewer: viewer.clone(),
            resume: vec![(stream.clone(), after)],
            credential: None,
        };
        history.push(Timestamp(5), Some(&on), connected);
        let sent = What::Sent(Sent {
            author: viewer.who.participant(),
            id: CommandId::Client {
                device: viewer.device,
                n: 1,
            },
            target: Target::Customer(anna),
            digest: u64::MAX,
            kind: "open".to_owned(),
        });
        history.push(Timestamp(6), Some(&on), sent);
        let shown = What::Shown {
            stream,
            after,
            upto: after,
            events: vec![ShownEvent {
                seq: Seq(5),
                hash: ChainHash(1),
                digest: 2,
            }],
        };
        history.push(Timestamp(6), Some(&on), shown);
        history.push(Timestamp(-7), None, What::Quiet);
        let lines = history.to_json_lines().unwrap();
        assert_eq!(lines.lines().count(), 4);
        assert_eq!(History::from_json_lines(&lines).unwrap(), history);
        assert!(history.is_quiet());
        let error = History::from_json_lines("\n{}\n").unwrap_err();
        assert!(error.to_string().contains("line: 2"), "{error}");
    }
}
