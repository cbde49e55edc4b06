//! The records that are written down: commands, decisions, events with their chain.
//!
//! Formats are for life: one version byte, then MessagePack with named fields, so that fields can
//! be added and unknown ones are skipped (`docs/adr/0002`). What changes meaning takes a new
//! version byte.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    clock::Timestamp,
    content::Sealed,
    dialog::{CustomerCommand, CustomerEvent, DialogEvent, Phase, Rejection},
    error::{Error, ErrorKind, Result},
    identity::{Assurance, StaffRights},
    ids::{
        ChannelId, DeskId, DeviceId, DialogId, Fence, Label, Node, Offset, OwnerEpoch, Participant,
        Partition, Seq, SessionId, StaffId, StreamId, Target, TenantId,
    },
    queue::{BoardEvent, DeskCommand},
};

/// The version that this build writes.
pub const FORMAT_VERSION: u8 = 1;

/// Most records are shorter than this, and written without growing.
const USUAL_BYTES: usize = 1_024;

/// Writes the version byte and the value. What is answered has no room to spare: it is kept for
/// long.
///
/// # Errors
/// [`ErrorKind::Internal`] if a value can't be expressed; none of ours can fail.
pub fn encode<T: Serialize>(value: &T) -> Result<Bytes> {
    Ok(Bytes::copy_from_slice(&encoded(value)?))
}

/// As [`encode`], for what is not kept.
pub(crate) fn encoded<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    bytes.push(FORMAT_VERSION);
    rmp_serde::encode::write_named(&mut bytes, value)
        .map_err(|e| Error::new(ErrorKind::Internal, "encode a record").with_source(e))?;
    Ok(bytes)
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// [`ErrorKind::NewerFormat`] for a version above ours, [`ErrorKind::Corrupt`] for anything that
/// can't be read.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    match bytes.split_first() {
        Some((&FORMAT_VERSION, rest)) => rmp_serde::from_slice(rest)
            .map_err(|e| Error::new(ErrorKind::Corrupt, "decode a record").with_source(e)),
        Some((&version, _)) if version > FORMAT_VERSION => {
            Err(Error::new(ErrorKind::NewerFormat, "decode a record")
                .with_context("version", version)
                .with_context("newest known", FORMAT_VERSION))
        }
        _ => {
            Err(Error::new(ErrorKind::Corrupt, "decode a record")
                .with_context("bytes", bytes.len()))
        }
    }
}

/// A W3C `traceparent`, carried in every record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceContext(pub String);

/// A command to either machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Command<B> {
    /// To a customer.
    Customer(CustomerCommand<B>),
    /// To a desk.
    Desk(DeskCommand),
    /// To either, about the commands that are parked there. Only chatcore itself sends these.
    Parked(ParkedCommand),
}

/// About the first of the commands that are parked at a customer or desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ParkedCommand {
    /// Decide it now: this worker can read it, or a person wants it tried again.
    Retry,
    /// Give it up, if it is still the first: it is rejected as `unreadable` and becomes a dead
    /// letter.
    GiveUp {
        /// Its offset, so that this, sent twice, takes no other.
        offset: Offset,
    },
}

/// Names a command, so that it is done once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandId {
    /// Of our own clients: counted per author and device, per target, from 1.
    Client {
        /// The device.
        device: DeviceId,
        /// The number.
        n: u64,
    },
    /// Of a channel with a growing number per customer (gaps allowed).
    ChannelNumber {
        /// The channel.
        channel: ChannelId,
        /// The number.
        number: u64,
    },
    /// Of a channel that only names its messages; kept for its redelivery time.
    ChannelKey {
        /// The channel.
        channel: ChannelId,
        /// The name.
        key: String,
        /// How long the channel may deliver it again, in milliseconds.
        redelivery_ms: u64,
    },
    /// A follow-up of the decision at this place.
    FollowUp {
        /// Of this partition.
        partition: Partition,
        /// At this offset.
        offset: Offset,
        /// The index among its follow-ups.
        index: u32,
    },
    /// Of chatcore itself (timers, presence, configuration, cursors): the state tells whether it
    /// still applies.
    Internal,
}

/// Where the author's session is, for outcomes and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// The node.
    pub node: Node,
    /// The session there.
    pub session: SessionId,
}

/// A record of the journal's `commands`. The envelope decodes apart from the body, so that a body
/// that can't be read still consumes its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// Reserved.
    pub tenant: TenantId,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
    /// To whom.
    pub target: Target,
    /// By whom.
    pub author: Participant,
    /// The author's rights, as their token gave them when it was sent; of staff only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<StaffRights>,
    /// How surely the author is who they say, by the session that sent it or the channel that
    /// brought it; none for whoever is not a customer.
    #[serde(default)]
    pub assurance: Option<Assurance>,
    /// Its name.
    pub id: CommandId,
    /// Where the outcome goes.
    pub reply_to: Option<ReplyTo>,
    /// Of the content as the author sent it; tells a repeat from another command of the same name.
    pub digest: u64,
    /// Of a client's command: the outcomes of this author, device and target up to this number
    /// have arrived and may be forgotten. 0: none is known to have.
    #[serde(default)]
    pub settled: u64,
    /// What was taken out of it before it was written down, if anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redaction: Option<Redaction>,
    /// An encoded [`Command`]`<`[`Sealed`]`>`.
    pub body: Bytes,
}

/// That something was taken out of what the author sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Redaction {
    /// Messages of the author that have another part of it, by their `seq`: withdrawn with the
    /// command. Those that are gone already, or not the author's, are passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdraw: Vec<Seq>,
}

/// What a command led to, for its author. Stored with the state, repeated word for word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Accepted(Accepted),
    /// Not done, and nothing else was.
    Rejected(Rejection),
}

/// A command that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Accepted {
    /// The dialog that it was about or that it opened.
    pub dialog: Option<DialogId>,
    /// The `seq` of its (last) event in that dialog, or on the board; 0 if it led to none.
    pub seq: Seq,
    /// Whether something was taken out of it before it was written down: a card number and the
    /// like.
    #[serde(default, skip_serializing_if = "is_false")]
    pub redacted: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What the author of a command hears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The outcome.
    Outcome(Outcome),
    /// The number is too high: send again from this one on.
    Expected {
        /// The next number that is taken.
        n: u64,
    },
    /// Its outcome was acknowledged, or forgotten after the retention: it is done with.
    Settled,
    /// The device was forgotten, or can't be told from one that was: this sending did nothing. Of a
    /// command that was sent before nothing is known any more, so it counts as settled; whatever
    /// was sent for the first time is sent again under a new device id.
    Forgotten,
}

/// Links each event to all before it: the first eight bytes of a BLAKE3 chain, as hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ChainHash(pub u64);

impl ChainHash {
    /// The hash after `event_bytes` at `seq`.
    #[must_use]
    pub fn then(self, seq: Seq, event_bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&self.0.to_be_bytes())
            .update(&seq.0.to_be_bytes())
            .update(event_bytes);
        let mut first = [0u8; 8];
        hasher.finalize_xof().fill(&mut first);
        Self(u64::from_be_bytes(first))
    }
}

impl std::fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl std::fmt::Display for ChainHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for ChainHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // By hand: each frame has several.
        let mut digits = [0; 16];
        for (i, digit) in digits.iter_mut().rev().enumerate() {
            let nibble = u8::try_from((self.0 >> (4 * i)) & 0xf).unwrap_or_default();
            *digit = match nibble {
                0..10 => b'0' + nibble,
                _ => b'a' - 10 + nibble,
            };
        }
        match std::str::from_utf8(&digits) {
            Ok(text) => serializer.serialize_str(text),
            Err(error) => Err(serde::ser::Error::custom(error)),
        }
    }
}

impl<'de> Deserialize<'de> for ChainHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        if text.len() != 16 {
            return Err(serde::de::Error::custom(
                "a chain hash has 16 hexadecimal digits",
            ));
        }
        u64::from_str_radix(&text, 16)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ChainHash {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ChainHash".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{16}$" })
    }
}

/// A position in a stream: the last event that somebody has.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Position {
    /// Its number; 0 before the first.
    pub seq: Seq,
    /// The chain up to it.
    pub hash: ChainHash,
}

/// An event of any stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Event<B> {
    /// Of a dialog.
    Dialog(DialogEvent<B>),
    /// Of a customer.
    Customer(CustomerEvent),
    /// Of a board.
    Board(BoardEvent),
}

/// Who may see an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everyone who may see the stream.
    Everyone,
    /// Only staff who may see the stream.
    Staff,
}

/// An event at its place in a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StreamEvent<B> {
    /// Its number, 1, 2, 3 …
    pub seq: Seq,
    /// The chain up to and with it.
    pub hash: ChainHash,
    /// When, by the journal; never goes back within a stream.
    pub at: Timestamp,
    /// Who may see it.
    pub visibility: Visibility,
    /// What happened.
    pub event: Event<B>,
}

/// What a session needs to judge a frame of a stream: the state after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Of a dialog.
    Dialog {
        /// Whose it is.
        customer: crate::ids::CustomerId,
        /// Who owns it, of staff.
        owner: Option<StaffId>,
        /// The epoch of that.
        epoch: OwnerEpoch,
        /// The desk whose queue it waits in, is served by, or was served by last.
        desk: DeskId,
        /// Where it is in its life.
        phase: Phase,
        /// Who of staff owns it or owned it last.
        #[serde(default)]
        last_owner: Option<StaffId>,
    },
    /// Of a customer's own stream.
    Customer(crate::ids::CustomerId),
    /// Of a board.
    Board(DeskId),
}

/// New events of one stream, as a decision has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// The stream.
    pub stream: StreamId,
    /// The position before the first.
    pub after: Position,
    /// At least one, consecutive.
    pub events: Vec<StreamEvent<Sealed>>,
    /// Who may see the stream after them.
    pub access: Access,
}

impl Appended {
    /// The position after the last event.
    #[must_use]
    pub fn upto(&self) -> Position {
        self.events.last().map_or(self.after, |e| Position {
            seq: e.seq,
            hash: e.hash,
        })
    }
}

/// How far a participant has received and read a dialog; the highest wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CursorMove {
    /// The dialog.
    pub dialog: DialogId,
    /// Who.
    pub participant: Participant,
    /// Received up to here.
    pub delivered: Seq,
    /// Read up to here.
    pub read: Seq,
}

/// A command to the other machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowUp {
    /// To whom.
    pub target: Target,
    /// What.
    pub command: Command<Sealed>,
}

/// What a command led to. Published to the journal's `events`; the state is a function of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The offset of the command in this partition of `commands`.
    pub cause: Offset,
    /// The command's time: the journal's, clamped so that it never goes back for this target.
    pub at: Timestamp,
    /// Reserved.
    pub tenant: TenantId,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
    /// Whose decision.
    pub target: Target,
    /// Of the command.
    pub author: Participant,
    /// Of the command.
    pub id: CommandId,
    /// Of the command.
    pub digest: u64,
    /// Of the command.
    #[serde(default)]
    pub settled: u64,
    /// Of the command.
    pub reply_to: Option<ReplyTo>,
    /// What this decides was parked first, from this offset; `cause` is what brought it up again,
    /// and all that is said "of the command" is of the parked one.
    #[serde(default)]
    pub unparked: Option<Offset>,
    /// The follow-up that brought it up again, if one did: it was received with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought_up_by: Option<CommandId>,
    /// What happened to it.
    pub verdict: Verdict,
    /// New events, one entry a stream.
    pub appended: Vec<Appended>,
    /// Cursors that moved.
    pub cursors: Vec<CursorMove>,
    /// Commands to the other machine, in order; their index is part of their id.
    pub follow_ups: Vec<FollowUp>,
    /// Streams that leave the live view: the archive has them. They are forgotten by the save that
    /// this decision is part of.
    #[serde(default)]
    pub forget: Vec<StreamId>,
    /// Dialogs opened: how far the partition's counter moved.
    pub dialogs_opened: u32,
}

impl Decision {
    /// The follow-ups that were received with it: where each comes from, its cause and index.
    pub(crate) fn received(&self) -> impl Iterator<Item = (Partition, (Offset, u32))> {
        let ids = std::iter::once(&self.id).chain(&self.brought_up_by);
        ids.filter_map(CommandId::follow_up)
    }
}

impl CommandId {
    /// Where a follow-up comes from, its cause and index; none for other commands.
    pub(crate) fn follow_up(&self) -> Option<(Partition, (Offset, u32))> {
        match self {
            Self::FollowUp {
                partition,
                offset,
                index,
            } => Some((*partition, (*offset, *index))),
            _ => None,
        }
    }
}

/// What happened to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was decided.
    Decided(Outcome),
    /// It came again: the author hears this, the state stays.
    Repeated(Reply),
    /// It could not be read or decided; rejected as `unreadable`, and among the dead letters.
    DeadLettered {
        /// Why.
        reason: Label,
    },
    /// Its customer or desk is parked; the command is kept here until it is not.
    Parked {
        /// Why: `newer_format`, `poison`.
        reason: Label,
        /// The command.
        command: Box<CommandRecord>,
    },
}

/// A record of the journal's `events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventRecord {
    /// A new owner of the partition; later records with a lower fence are void.
    Owner {
        /// Its fence.
        fence: Fence,
    },
    /// A decision of the owner with this fence.
    Decided {
        /// The owner's fence.
        fence: Fence,
        /// The decision.
        decision: Box<Decision>,
    },
}

impl EventRecord {
    /// The fence of the owner who wrote it.
    #[must_use]
    pub fn fence(&self) -> Fence {
        let (Self::Owner { fence } | Self::Decided { fence, .. }) = self;
        *fence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_a_newer_one_is_told_apart() {
        let position = Position {
            seq: Seq(3),
            hash: ChainHash(0xabc),
        };
        let bytes = encode(&position).unwrap();
        assert_eq!(decode::<Position>(&bytes).unwrap(), position);
        let mut newer = bytes.to_vec();
        newer[0] = FORMAT_VERSION + 1;
        assert_eq!(
            decode::<Position>(&newer).unwrap_err().kind(),
            ErrorKind::NewerFormat
        );
        assert_eq!(
            decode::<Position>(&bytes[..3]).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
        assert_eq!(
            decode::<Position>(&[]).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
    }
}
