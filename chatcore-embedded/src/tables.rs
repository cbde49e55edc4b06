//! The tables of the database, and reading and writing them.
//!
//! Keys are bytes, big-endian, so that the order of the bytes is the order of what they mean.

use bytes::Bytes;
use redb::TableDefinition;

use crate::{
    keys::Range,
    layer::Stamp,
    layers::{Layers, Order},
    live::Reading,
    log::ops,
};

/// The most keys of lower layers that a removal names one by one; past it, it covers the range.
const NAMED_MAX: usize = 256;

/// Bytes to bytes: what they mean is the core's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table {
    /// Stands for it in the log. For life: a new table takes the next one.
    number: u8,
    name: &'static str,
}

impl Table {
    const fn new(number: u8, name: &'static str) -> Self {
        Self { number, name }
    }

    pub(crate) fn number(self) -> u8 {
        self.number
    }

    /// Where it stands in [`ALL`].
    pub(crate) fn slot(self) -> usize {
        usize::from(self.number)
    }

    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    pub(crate) fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.name)
    }
}

/// About the database itself: the number of the last group, counters.
pub(crate) const META: Table = Table::new(0, "meta");
/// Partition, offset: append time, record.
pub(crate) const COMMANDS: Table = Table::new(1, "commands");
/// Partition, offset: append time, record.
pub(crate) const EVENTS: Table = Table::new(2, "events");
/// Log, partition: first offset, next offset, last append time.
pub(crate) const TAILS: Table = Table::new(3, "tails");
/// Log, partition, group: the committed offset.
pub(crate) const POSITIONS: Table = Table::new(4, "positions");
/// Partition, key: covered offset, snapshot.
pub(crate) const SNAPSHOTS: Table = Table::new(5, "snapshots");
/// Key: version of its last change, value.
pub(crate) const SHARED: Table = Table::new(6, "shared");
/// Number: dead letter.
pub(crate) const DEAD_LETTERS: Table = Table::new(7, "dead_letters");
/// Partition, offset, origin: the number of the dead letter.
pub(crate) const DEAD_LETTERS_BY_PLACE: Table = Table::new(8, "dead_letters_by_place");
/// Partition: where it stands.
pub(crate) const MARKS: Table = Table::new(9, "marks");
/// Partition, cause: decision that is still to be emitted.
pub(crate) const OUTBOX: Table = Table::new(10, "outbox");
/// Partition, target: snapshot of its state.
pub(crate) const STATES: Table = Table::new(11, "states");
/// Partition, target, cause: decision after that snapshot.
pub(crate) const STATE_TAILS: Table = Table::new(12, "state_tails");
/// Partition, stream: its head and who may see it.
pub(crate) const STREAMS: Table = Table::new(13, "streams");
/// Partition, stream, seq: event.
pub(crate) const STREAM_EVENTS: Table = Table::new(14, "stream_events");
/// Partition, dialog, participant: cursor.
pub(crate) const CURSORS: Table = Table::new(15, "cursors");
/// Partition, time, target, key: due-line.
pub(crate) const DUE: Table = Table::new(16, "due");
/// Partition, target: its due-lines.
pub(crate) const DUE_BY_TARGET: Table = Table::new(17, "due_by_target");
/// Index, time, dialog: entry.
pub(crate) const INDEX: Table = Table::new(18, "index");
/// Index, dialog: the time under which it is listed.
pub(crate) const INDEX_BY_DIALOG: Table = Table::new(19, "index_by_dialog");

/// Every table, each at its number.
pub(crate) const ALL: &[Table] = &[
    META,
    COMMANDS,
    EVENTS,
    TAILS,
    POSITIONS,
    SNAPSHOTS,
    SHARED,
    DEAD_LETTERS,
    DEAD_LETTERS_BY_PLACE,
    MARKS,
    OUTBOX,
    STATES,
    STATE_TAILS,
    STREAMS,
    STREAM_EVENTS,
    CURSORS,
    DUE,
    DUE_BY_TARGET,
    INDEX,
    INDEX_BY_DIALOG,
];

/// The view: what the owners of the partitions build again from the rest. The lists are not in it:
/// they come from the events, with a position of their own that a wipe does not move.
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

/// What can be read, inside a write or at one moment.
pub(crate) trait View {
    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, redb::Error>;

    /// The entries between two keys, in this order, for as long as `take` says so of each.
    fn walk(
        &self,
        within: (Table, &Range),
        order: Order,
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), redb::Error>;

    /// The entries between two keys, from the first to the last.
    fn scan(
        &self,
        table: Table,
        range: &Range,
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), redb::Error> {
        self.walk((table, range), Order::Forward, take)
    }

    /// As [`scan`](Self::scan), from the last entry to the first.
    fn scan_back(
        &self,
        table: Table,
        range: &Range,
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), redb::Error> {
        self.walk((table, range), Order::Backward, take)
    }
}

/// The database at one moment.
pub(crate) type Snapshot = Reading;

impl View for Reading {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, redb::Error> {
        self.layers().get(table, key, self.moment())
    }

    fn walk(
        &self,
        within: (Table, &Range),
        order: Order,
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), redb::Error> {
        self.layers().scan(within, order, self.moment(), take)
    }
}

/// The group that the writer is putting together: what its earlier jobs wrote can be read.
pub(crate) struct Group<'a> {
    layers: &'a Layers,
    stamp: Stamp,
    log: &'a mut Vec<u8>,
    /// The last value that went into the log: the same one is not written there again.
    last: Bytes,
    writes: u64,
}

impl View for Group<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, redb::Error> {
        self.layers.get(table, key, self.stamp.group)
    }

    fn walk(
        &self,
        within: (Table, &Range),
        order: Order,
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), redb::Error> {
        self.layers.scan(within, order, self.stamp.group, take)
    }
}

impl<'a> Group<'a> {
    /// A group that writes to the newest of these layers and notes it for the log.
    pub(crate) fn new(layers: &'a Layers, stamp: Stamp, log: &'a mut Vec<u8>) -> Self {
        Self {
            layers,
            stamp,
            log,
            last: Bytes::new(),
            writes: 0,
        }
    }

    /// Counts the groups.
    pub(crate) fn number(&self) -> u64 {
        self.stamp.group
    }

    /// Sets a key.
    pub(crate) fn put(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), redb::Error> {
        self.put_bytes(table, key, &Bytes::copy_from_slice(value))
    }

    /// As [`put`](Self::put), without a copy of the value. What the bytes are a part of stays in
    /// memory with them.
    pub(crate) fn put_bytes(
        &mut self,
        table: Table,
        key: &[u8],
        value: &Bytes,
    ) -> Result<(), redb::Error> {
        self.writes += 1;
        let same = !value.is_empty()
            && value.len() == self.last.len()
            && value.as_ptr() == self.last.as_ptr();
        if same {
            ops::put_same(self.log, table, key)?;
        } else {
            ops::put(self.log, table, key, value)?;
            self.last = value.clone();
        }
        self.layers
            .active
            .put(table, key, value.clone(), self.stamp);
        Ok(())
    }

    /// Removes a key, if it is there.
    pub(crate) fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), redb::Error> {
        self.writes += 1;
        ops::remove(self.log, table, key)?;
        self.layers.active.remove(table, key, self.stamp);
        Ok(())
    }

    /// Removes every key between two.
    pub(crate) fn remove_range(&mut self, table: Table, range: &Range) -> Result<(), redb::Error> {
        self.writes += 1;
        ops::remove_range(self.log, table, range)?;
        let mut below = Vec::new();
        self.layers.scan_below((table, range), &mut |key, _| {
            below.push(Box::from(key));
            below.len() <= NAMED_MAX
        })?;
        let active = &self.layers.active;
        if below.len() <= NAMED_MAX {
            active.remove_keys(table, range, below, self.stamp);
        } else {
            active.cover(table, range, self.stamp);
        }
        Ok(())
    }

    /// How often this group was written to.
    pub(crate) fn writes(&self) -> u64 {
        self.writes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers are for life: what this pins is what logs out there have.
    #[test]
    fn a_table_stands_at_its_number() {
        for (at, table) in ALL.iter().enumerate() {
            assert_eq!(table.slot(), at, "{}", table.name());
        }
        assert_eq!((META.number(), TAILS.number()), (0, 3));
        assert_eq!((MARKS.number(), INDEX_BY_DIALOG.number()), (9, 19));
    }
}
