//! The tables of the database, and reading and writing them.
//!
//! Keys are bytes, big-endian, so that the order of the bytes is the order of what they mean.

use std::cell::OnceCell;

use bytes::Bytes;
use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, TableHandle as _,
    WriteTransaction,
};

use crate::keys::Range;

/// Bytes to bytes: what they mean is the core's business.
pub(crate) type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// About the database itself: the number of the last group, counters.
pub(crate) const META: Table = TableDefinition::new("meta");

/// Partition, offset: append time, record.
pub(crate) const COMMANDS: Table = TableDefinition::new("commands");
/// Partition, offset: append time, record.
pub(crate) const EVENTS: Table = TableDefinition::new("events");
/// Log, partition: first offset, next offset, last append time.
pub(crate) const TAILS: Table = TableDefinition::new("tails");
/// Log, partition, group: the committed offset.
pub(crate) const POSITIONS: Table = TableDefinition::new("positions");
/// Partition, key: covered offset, snapshot.
pub(crate) const SNAPSHOTS: Table = TableDefinition::new("snapshots");
/// Key: version of its last change, value.
pub(crate) const SHARED: Table = TableDefinition::new("shared");
/// Number: dead letter.
pub(crate) const DEAD_LETTERS: Table = TableDefinition::new("dead_letters");
/// Partition, offset, origin: the number of the dead letter.
pub(crate) const DEAD_LETTERS_BY_PLACE: Table = TableDefinition::new("dead_letters_by_place");

/// Partition: where it stands.
pub(crate) const MARKS: Table = TableDefinition::new("marks");
/// Partition, cause: decision that is still to be emitted.
pub(crate) const OUTBOX: Table = TableDefinition::new("outbox");
/// Partition, target: snapshot of its state.
pub(crate) const STATES: Table = TableDefinition::new("states");
/// Partition, target, cause: decision after that snapshot.
pub(crate) const STATE_TAILS: Table = TableDefinition::new("state_tails");
/// Partition, stream: its head and who may see it.
pub(crate) const STREAMS: Table = TableDefinition::new("streams");
/// Partition, stream, seq: event.
pub(crate) const STREAM_EVENTS: Table = TableDefinition::new("stream_events");
/// Partition, dialog, participant: cursor.
pub(crate) const CURSORS: Table = TableDefinition::new("cursors");
/// Partition, time, target, key: due-line.
pub(crate) const DUE: Table = TableDefinition::new("due");
/// Partition, target: its due-lines.
pub(crate) const DUE_BY_TARGET: Table = TableDefinition::new("due_by_target");
/// Index, time, dialog: entry.
pub(crate) const INDEX: Table = TableDefinition::new("index");
/// Index, dialog: the time under which it is listed.
pub(crate) const INDEX_BY_DIALOG: Table = TableDefinition::new("index_by_dialog");

/// The view: what the owners of the partitions build again from the rest.
pub(crate) const VIEW: &[Table] = &[
    MARKS,
    OUTBOX,
    STATES,
    STATE_TAILS,
    STREAMS,
    STREAM_EVENTS,
    CURSORS,
    DUE,
    DUE_BY_TARGET,
];

/// What stays when the view is wiped. The lists are here too: they come from the events, with a
/// position of their own that a wipe does not move.
pub(crate) const TRUTH: &[Table] = &[
    META,
    COMMANDS,
    EVENTS,
    TAILS,
    POSITIONS,
    SNAPSHOTS,
    SHARED,
    DEAD_LETTERS,
    DEAD_LETTERS_BY_PLACE,
    INDEX,
    INDEX_BY_DIALOG,
];

/// What can be read, inside a write or at one moment.
pub(crate) trait View {
    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, redb::Error>;

    /// The entries between two keys, in order, for as long as `take` says so of each.
    fn scan(
        &self,
        table: Table,
        range: &Range,
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), redb::Error>;

    /// As [`scan`](Self::scan), from the last entry to the first.
    fn scan_back(
        &self,
        table: Table,
        range: &Range,
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), redb::Error>;
}

macro_rules! view {
    ($name:ty) => {
        impl View for $name {
            fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, redb::Error> {
                let value = self.table(table)?.get(key)?;
                Ok(value.map(|v| Bytes::copy_from_slice(v.value())))
            }

            fn scan(
                &self,
                table: Table,
                range: &Range,
                take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
            ) -> Result<(), redb::Error> {
                let table = self.table(table)?;
                for entry in table.range::<&[u8]>((range.from(), range.to()))? {
                    let (key, value) = entry?;
                    if !take(key.value(), value.value()) {
                        break;
                    }
                }
                Ok(())
            }

            fn scan_back(
                &self,
                table: Table,
                range: &Range,
                take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
            ) -> Result<(), redb::Error> {
                let table = self.table(table)?;
                let entries = table.range::<&[u8]>((range.from(), range.to()))?;
                for entry in entries.rev() {
                    let (key, value) = entry?;
                    if !take(key.value(), value.value()) {
                        break;
                    }
                }
                Ok(())
            }
        }
    };
}

/// The database at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot(pub(crate) ReadTransaction);
view!(Snapshot);

impl Snapshot {
    fn table(
        &self,
        table: Table,
    ) -> Result<ReadOnlyTable<&'static [u8], &'static [u8]>, redb::Error> {
        Ok(self.0.open_table(table)?)
    }
}

type OpenTable<'a> = redb::Table<'a, &'static [u8], &'static [u8]>;

/// The group that the writer is putting together: what its earlier jobs wrote can be read.
pub(crate) struct Group<'a> {
    transaction: &'a WriteTransaction,
    /// Each is opened once and stays open for the group: opening costs more than a write.
    open: Vec<(&'static str, OnceCell<OpenTable<'a>>)>,
    number: u64,
    writes: u64,
}
view!(Group<'_>);

impl<'a> Group<'a> {
    /// The group of this number, in this transaction.
    pub(crate) fn new(transaction: &'a WriteTransaction, number: u64) -> Self {
        let all = TRUTH.iter().chain(VIEW);
        Self {
            transaction,
            open: all.map(|t| (t.name(), OnceCell::new())).collect(),
            number,
            writes: 0,
        }
    }

    /// Counts the groups.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    fn slot(&self, table: Table) -> Result<usize, redb::Error> {
        let slot = self.open.iter().position(|(name, _)| *name == table.name());
        slot.ok_or_else(|| redb::Error::TableDoesNotExist(table.name().to_owned()))
    }

    fn table(&self, table: Table) -> Result<&OpenTable<'a>, redb::Error> {
        let missing = || redb::Error::TableDoesNotExist(table.name().to_owned());
        let (_, cell) = self.open.get(self.slot(table)?).ok_or_else(missing)?;
        if let Some(open) = cell.get() {
            return Ok(open);
        }
        let opened = self.transaction.open_table(table)?;
        Ok(cell.get_or_init(|| opened))
    }

    fn table_mut(&mut self, table: Table) -> Result<&mut OpenTable<'a>, redb::Error> {
        self.table(table)?;
        let slot = self.slot(table)?;
        let cell = self.open.get_mut(slot).and_then(|(_, cell)| cell.get_mut());
        cell.ok_or_else(|| redb::Error::TableDoesNotExist(table.name().to_owned()))
    }

    /// Sets a key.
    pub(crate) fn put(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), redb::Error> {
        self.writes += 1;
        self.table_mut(table)?.insert(key, value)?;
        Ok(())
    }

    /// Removes a key, if it is there.
    pub(crate) fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), redb::Error> {
        self.writes += 1;
        self.table_mut(table)?.remove(key)?;
        Ok(())
    }

    /// Removes every key between two.
    pub(crate) fn remove_range(&mut self, table: Table, range: &Range) -> Result<(), redb::Error> {
        self.writes += 1;
        self.table_mut(table)?
            .retain_in::<&[u8], _>((range.from(), range.to()), |_, _| false)?;
        Ok(())
    }

    /// How often this group was written to.
    pub(crate) fn writes(&self) -> u64 {
        self.writes
    }
}
