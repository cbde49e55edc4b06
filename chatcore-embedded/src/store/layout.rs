//! What the view's keys and values look like.

use chatcore::{
    error::Result,
    ids::{DialogId, Partition, Seq, StreamId, Target},
    record::{self, Access, CursorMove, Position},
    store::DueLine,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    keys::{Key, Range},
    tables::{Group, Table, View},
    writer::Failure,
};

/// What is stored of a stream beside its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StreamHead {
    /// The position before the first event that is kept here.
    pub(super) base: Position,
    /// The last event.
    pub(super) head: Position,
    /// Who may see it after that.
    pub(super) access: Access,
}

pub(super) fn target_key(partition: Partition, target: &Target) -> Key {
    Key::of(partition).text(target)
}

pub(super) fn stream_key(partition: Partition, stream: &StreamId) -> Key {
    Key::of(partition).text(stream)
}

pub(super) fn event_key(partition: Partition, stream: &StreamId, seq: Seq) -> Key {
    stream_key(partition, stream).u64(seq.0)
}

pub(super) fn cursors_key(partition: Partition, dialog: DialogId) -> Key {
    Key::of(partition).u64(dialog.0)
}

pub(super) fn cursor_key(partition: Partition, cursor: &CursorMove) -> Result<Key, Failure> {
    let participant = record::encode(&cursor.participant).map_err(Failure::Refused)?;
    Ok(cursors_key(partition, cursor.dialog).rest(&participant))
}

/// Sorted by time first: what is due lies together.
pub(super) fn due_key(partition: Partition, line: &DueLine) -> Key {
    Key::of(partition)
        .i64(line.at.0)
        .text(&line.target)
        .u64(line.generation)
        .rest(&line.key)
}

/// Reads and decodes a value.
pub(super) fn get<T: DeserializeOwned>(
    view: &(impl View + ?Sized),
    table: Table,
    key: &Key,
) -> Result<Option<T>, Failure> {
    match view.get(table, key.bytes())? {
        None => Ok(None),
        Some(bytes) => record::decode(&bytes).map(Some).map_err(Failure::Refused),
    }
}

/// Reads and decodes the values between two keys, in order, at most `limit`.
pub(super) fn list<T: DeserializeOwned>(
    view: &(impl View + ?Sized),
    table: Table,
    range: &Range,
    limit: usize,
) -> Result<Vec<T>, Failure> {
    let mut found = Vec::new();
    if limit > 0 {
        view.scan(table, range, &mut |_, value| {
            found.push(record::decode(value));
            found.len() < limit
        })?;
    }
    let found: Result<Vec<T>> = found.into_iter().collect();
    found.map_err(Failure::Refused)
}

/// Encodes and writes a value.
pub(super) fn put<T: Serialize>(
    group: &mut Group<'_>,
    table: Table,
    key: &Key,
    value: &T,
) -> Result<(), Failure> {
    let bytes = record::encode(value).map_err(Failure::Refused)?;
    group.put_bytes(table, key.bytes(), &bytes)?;
    Ok(())
}
