//! What is known in memory of each partition of a log: its bounds, and its newest records.

use std::collections::VecDeque;

use chatcore::{
    clock::Timestamp,
    ids::{Offset, Partition},
    journal::{Log, Record},
};

use crate::{
    keys::{Key, i64_at, u64_at},
    tables::{COMMANDS, EVENTS, Table},
};

/// The newest records that are kept in memory, by number and by bytes: who keeps up reads no disk.
const RECENT_RECORDS_MAX: usize = 512;
const RECENT_BYTES_MAX: usize = 1 << 20;

/// Where a log is kept.
pub(super) fn table(log: Log) -> Table {
    match log {
        Log::Commands => COMMANDS,
        Log::Events => EVENTS,
    }
}

/// A log in a key.
pub(super) fn log_byte(log: Log) -> u8 {
    match log {
        Log::Commands => 0,
        Log::Events => 1,
    }
}

/// The key of a record.
pub(super) fn record_key(partition: Partition, offset: Offset) -> Key {
    Key::of(partition).u64(offset.0)
}

/// The key of a tail.
pub(super) fn tail_key(log: Log, partition: Partition) -> Key {
    Key::default().u8(log_byte(log)).u32(partition.0)
}

/// The end of a partition as it is written: runs ahead of what is durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) start: Offset,
    pub(super) next: Offset,
    pub(super) at: Timestamp,
}

impl Tail {
    pub(super) fn encode(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let parts = [
            self.start.0.to_be_bytes(),
            self.next.0.to_be_bytes(),
            self.at.0.to_be_bytes(),
        ];
        for (to, from) in bytes.chunks_exact_mut(8).zip(parts) {
            to.copy_from_slice(&from);
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            start: Offset(u64_at(bytes, 0)?),
            next: Offset(u64_at(bytes, 8)?),
            at: Timestamp(i64_at(bytes, 16)?),
        })
    }
}

/// The durable part of a partition.
#[derive(Debug, Default)]
pub(super) struct Durable {
    pub(super) start: Offset,
    pub(super) end: Offset,
    recent: VecDeque<Record>,
    recent_bytes: usize,
}

impl Durable {
    pub(super) fn new(tail: Tail) -> Self {
        Self {
            start: tail.start,
            end: tail.next,
            ..Self::default()
        }
    }

    /// The record that comes next has become durable.
    pub(super) fn push(&mut self, record: Record) {
        self.end = record.offset.next();
        self.recent_bytes += record.bytes.len();
        self.recent.push_back(record);
        while self.recent.len() > RECENT_RECORDS_MAX || self.recent_bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.recent.pop_front() else {
                break;
            };
            self.recent_bytes -= oldest.bytes.len();
        }
    }

    /// Records from `from` on, if all of them are in memory.
    pub(super) fn recent(&self, from: Offset, limit: usize) -> Option<Vec<Record>> {
        if from >= self.end {
            return Some(Vec::new());
        }
        let first = self.recent.front()?.offset;
        let skip = usize::try_from(from.0.checked_sub(first.0)?).ok()?;
        Some(self.recent.iter().skip(skip).take(limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: u64, bytes: usize) -> Record {
        Record {
            offset: Offset(offset),
            at: Timestamp(0),
            bytes: vec![0; bytes].into(),
        }
    }

    #[test]
    fn a_tail_reads_back() {
        let tail = Tail {
            start: Offset(3),
            next: Offset(9),
            at: Timestamp(-5),
        };
        assert_eq!(Tail::decode(&tail.encode()), Some(tail));
        assert_eq!(Tail::decode(&[0; 23]), None);
    }

    #[test]
    fn recent_records_are_bounded_and_answer_only_what_they_have() {
        let mut durable = Durable::default();
        for offset in 0..2_000 {
            durable.push(record(offset, 10));
        }
        assert_eq!(durable.recent.len(), RECENT_RECORDS_MAX);
        assert_eq!(durable.recent(Offset(0), 5), None);
        let found = durable.recent(Offset(1_990), 5).unwrap();
        assert_eq!(found.first().map(|r| r.offset), Some(Offset(1_990)));
        assert_eq!(found.len(), 5);
        assert_eq!(durable.recent(Offset(2_000), 5), Some(Vec::new()));
        durable.push(record(2_000, RECENT_BYTES_MAX + 1));
        assert_eq!(durable.recent(Offset(2_000), 5), None);
        durable.push(record(2_001, 10));
        assert_eq!(durable.recent(Offset(2_000), 5), None);
        assert_eq!(durable.recent(Offset(2_001), 5).unwrap().len(), 1);
    }
}
