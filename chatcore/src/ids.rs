//! Identifiers: newtypes with validating constructors, so that one kind can't stand for another.

use std::{fmt, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// Longest textual identifier, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// Why a textual identifier was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{kind} must be 1 to {ID_BYTES_MAX} bytes of letters, digits, '.', '_', '-', ':' or '@', got {bytes} bytes"
)]
pub struct InvalidId {
    kind: &'static str,
    bytes: usize,
}

impl From<InvalidId> for Error {
    fn from(source: InvalidId) -> Self {
        Error::new(ErrorKind::Invalid, "parse an identifier").with_source(source)
    }
}

fn is_id(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-:@".contains(&b))
}

/// Reads a text and makes an identifier of it.
struct IdVisitor<T>(fn(&str) -> Result<T, InvalidId>);

impl<T> serde::de::Visitor<'_> for IdVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
        pub struct $name(std::sync::Arc<str>);

        // By hand, as each record has many of them: written and read without a copy between.
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(IdVisitor(|text: &str| Self::try_new(text)))
            }
        }

        impl $name {
            /// Checks and wraps the text.
            ///
            /// # Errors
            /// [`InvalidId`] when it is empty, longer than [`ID_BYTES_MAX`] or has other
            /// characters than ASCII letters, digits and `._-:@`.
            pub fn try_new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                let text = text.as_ref();
                if is_id(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { kind: $kind, bytes: text.len() })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// From a text in the source, known to be valid.
            #[allow(dead_code, reason = "not every kind has a default")]
            pub(crate) fn literal(text: &'static str) -> Self {
                debug_assert!(is_id(text), "{text} is not valid");
                Self(text.into())
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::try_new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A customer. It never changes: for a channel it is a keyed hash of channel and external id.
    CustomerId, "a customer id"
}
text_id! {
    /// An operator or a supervisor.
    StaffId, "a staff id"
}
text_id! {
    /// A desk: a set of operators and the queues they serve.
    DeskId, "a desk id"
}
text_id! {
    /// A queue of a desk.
    QueueId, "a queue id"
}
text_id! {
    /// Where a dialog is held: `web`, `mobile`, `telegram` …
    ChannelId, "a channel id"
}
text_id! {
    /// One device (tab, phone) of an author; the unit in which commands are counted. Its text says
    /// when it was made: see [`made_at`](Self::made_at).
    DeviceId, "a device id"
}

impl DeviceId {
    /// When it was made, as its text says: `d-1790000000000-…` for 1,790,000,000,000 ms. None of
    /// another form: such a device counts as older than all others, and is not taken by a customer
    /// or desk that had to forget a device.
    #[must_use]
    pub fn made_at(&self) -> Option<crate::clock::Timestamp> {
        let (millis, rest) = self.as_str().strip_prefix("d-")?.split_once('-')?;
        let is_number = millis.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && !rest.is_empty())
            .then(|| millis.parse().ok())?
            .map(crate::clock::Timestamp)
    }
}

text_id! {
    /// A running process, by its configured name.
    NodeId, "a node id"
}
text_id! {
    /// A short label: a tag, a topic, a closing outcome.
    Label, "a label"
}
text_id! {
    /// A token, by its `jti`.
    TokenId, "a token id"
}
text_id! {
    /// What a person began by signing in, and all its tokens share: the `sid` of OpenID Connect.
    SignInId, "a sign-in id"
}
text_id! {
    /// A system of the bank that calls chatcore.
    ServiceId, "a service id"
}
text_id! {
    /// Reserved: whose data this is. Always [`TenantId::single`] today.
    TenantId, "a tenant id"
}

impl CustomerId {
    /// From a hash, as 32 hexadecimal digits.
    pub(crate) fn hashed(hash: &blake3::Hash) -> Self {
        Self(half_hex(hash).into())
    }
}

impl TokenId {
    /// From a `jti`, whatever is in it: what is no id by our rules is hashed.
    #[must_use]
    pub fn named(jti: &str) -> Self {
        Self::try_new(jti).unwrap_or_else(|_| Self(hashed_name(jti).into()))
    }
}

impl SignInId {
    /// From a `sid`, whatever is in it: what is no id by our rules is hashed.
    #[must_use]
    pub fn named(sid: &str) -> Self {
        Self::try_new(sid).unwrap_or_else(|_| Self(hashed_name(sid).into()))
    }
}

fn hashed_name(text: &str) -> String {
    format!("b3:{}", half_hex(&blake3::hash(text.as_bytes())))
}

/// The first 16 bytes, as 32 hexadecimal digits.
fn half_hex(hash: &blake3::Hash) -> String {
    let bytes = hash.as_bytes().iter().take(16);
    bytes.map(|b| format!("{b:02x}")).collect()
}

impl TenantId {
    /// The one tenant of today's deployments.
    #[must_use]
    pub fn single() -> Self {
        // Each record has it: one text for all.
        static SINGLE: LazyLock<TenantId> = LazyLock::new(|| TenantId("-".into()));
        SINGLE.clone()
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number_id! {
    /// The number of a dialog, shown to both sides: `partition counter × partitions + partition`.
    DialogId, u64
}
number_id! {
    /// A position in a stream; the first event has 1, 0 is "before the first".
    Seq, u64
}
number_id! {
    /// Counts the owners of a dialog; grows by one at each change of owner.
    OwnerEpoch, u64
}
number_id! {
    /// One grant of a desk, counted per desk.
    GrantId, u64
}
number_id! {
    /// A note about a customer, counted per customer; the first has 1, none is used twice.
    NoteId, u64
}
number_id! {
    /// A partition of the journal.
    Partition, u32
}
number_id! {
    /// A position in a partition; the first record has 0.
    Offset, u64
}
number_id! {
    /// Taken by the owner of a partition; a later owner has a higher one.
    Fence, u64
}
number_id! {
    /// Fresh at each start of a process.
    NodeEpoch, u64
}
number_id! {
    /// A session on a node; unique within the node's epoch.
    SessionId, u64
}
number_id! {
    /// Which life of the journal this is; a re-created journal has another.
    Incarnation, u64
}

impl Seq {
    /// The one that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Offset {
    /// The one that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl OwnerEpoch {
    /// The one that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One life of one node. Routes and leases belong to it, not to the name alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Node {
    /// The configured name.
    pub id: NodeId,
    /// Fresh at each start.
    pub epoch: NodeEpoch,
}

/// Who speaks or acts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Participant {
    /// The customer.
    Customer(CustomerId),
    /// An operator or a supervisor; which of the two is a right, not an identity.
    Staff(StaffId),
    /// The bot that meets customers.
    Bot,
    /// chatcore itself: timers, desks, effects.
    System,
}

impl Participant {
    /// The staff member, if it is one.
    #[must_use]
    pub fn staff(&self) -> Option<&StaffId> {
        match self {
            Self::Staff(id) => Some(id),
            _ => None,
        }
    }

    /// The customer, if it is one.
    #[must_use]
    pub fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Customer(id) => Some(id),
            _ => None,
        }
    }
}

/// A queue together with the desk that serves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueRef {
    /// The desk.
    pub desk: DeskId,
    /// The queue within the desk.
    pub queue: QueueId,
}

/// What a command is written to: the unit of order, dedupe and parking.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A customer with all dialogs.
    Customer(CustomerId),
    /// A desk.
    Desk(DeskId),
}

impl Target {
    /// The partition of this target when there are `partitions` of them (at least one).
    ///
    /// BLAKE3 of kind and id, the first eight bytes modulo the number: stable for life.
    #[must_use]
    pub fn partition(&self, partitions: u32) -> Partition {
        let (kind, id) = match self {
            Self::Customer(id) => (b'c', id.as_str()),
            Self::Desk(id) => (b'd', id.as_str()),
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[kind]).update(id.as_bytes());
        let mut first = [0u8; 8];
        hasher.finalize_xof().fill(&mut first);
        let slot = u64::from_be_bytes(first) % u64::from(partitions.max(1));
        Partition(u32::try_from(slot).unwrap_or_default())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(id) => write!(f, "customer/{id}"),
            Self::Desk(id) => write!(f, "desk/{id}"),
        }
    }
}

/// Everything live is a stream with a sequence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StreamId {
    /// One dialog.
    Dialog(DialogId),
    /// A customer's own: dialog opened, closed, linked.
    Customer(CustomerId),
    /// A desk's board.
    Board(DeskId),
}

impl StreamId {
    /// The partition that writes this stream when there are `partitions` of them: a dialog's
    /// number has it, the others are hashed as their [`Target`].
    #[must_use]
    pub fn partition(&self, partitions: u32) -> Partition {
        match self {
            Self::Dialog(id) => id.partition(partitions),
            Self::Customer(id) => Target::Customer(id.clone()).partition(partitions),
            Self::Board(id) => Target::Desk(id.clone()).partition(partitions),
        }
    }
}

impl DialogId {
    /// The number of the dialog that a partition opens after `opened` others.
    ///
    /// The first one has counter 1, so that no dialog has the number 0.
    #[must_use]
    pub fn nth(opened: u64, partition: Partition, partitions: u32) -> Self {
        Self((opened + 1) * u64::from(partitions.max(1)) + u64::from(partition.0))
    }

    /// The partition that opened it.
    #[must_use]
    pub fn partition(self, partitions: u32) -> Partition {
        let slot = self.0 % u64::from(partitions.max(1));
        Partition(u32::try_from(slot).unwrap_or_default())
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialog(id) => write!(f, "dialog/{id}"),
            Self::Customer(id) => write!(f, "customer/{id}"),
            Self::Board(id) => write!(f, "board/{id}"),
        }
    }
}

impl std::str::FromStr for StreamId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || {
            Error::new(ErrorKind::Invalid, "parse a stream name")
                .with_context("expected", "dialog/NUMBER, customer/ID or board/ID")
        };
        let (kind, id) = text.split_once('/').ok_or_else(invalid)?;
        match kind {
            "dialog" => id
                .parse()
                .map(|n| Self::Dialog(DialogId(n)))
                .map_err(|_| invalid()),
            "customer" => Ok(Self::Customer(CustomerId::try_new(id)?)),
            "board" => Ok(Self::Board(DeskId::try_new(id)?)),
            _ => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_other_characters_is_refused() {
        for text in ["", "a b", "ключ", "a/b", &"x".repeat(65)] {
            assert!(CustomerId::try_new(text).is_err(), "{text}");
        }
        assert_eq!(
            CustomerId::try_new("c-1.A_b:@").unwrap().as_str(),
            "c-1.A_b:@"
        );
    }

    #[test]
    fn a_partition_is_stable_for_life() {
        let target = Target::Customer(CustomerId::try_new("anna").unwrap());
        assert_eq!(target.partition(12), target.clone().partition(12));
        assert!(target.partition(12).0 < 12);
        assert_eq!(target.partition(1), Partition(0));
    }

    #[test]
    fn a_dialog_number_tells_its_partition() {
        for opened in 0..5 {
            for slot in 0..12 {
                let dialog = DialogId::nth(opened, Partition(slot), 12);
                assert_eq!(dialog.partition(12), Partition(slot));
                assert_ne!(dialog, DialogId(0));
            }
        }
    }

    #[test]
    fn a_stream_name_reads_back() {
        for text in ["dialog/17", "customer/anna", "board/cards"] {
            assert_eq!(text.parse::<StreamId>().unwrap().to_string(), text);
        }
        assert!("dialog/x".parse::<StreamId>().is_err());
        assert!("room/1".parse::<StreamId>().is_err());
    }
}
