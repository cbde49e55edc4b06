//! Records of `events`, decoded once for all effects of a process.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use crate::{
    error::Result,
    ids::{Fence, Offset, Partition},
    journal::Record,
    record::{Decision, EventRecord, decode},
};

/// Records that are kept; effects that lag further behind decode for themselves.
const KEPT_MAX: usize = 1_024;

/// What a record says.
#[derive(Debug, Clone)]
pub(super) enum Read {
    Owner(Fence),
    Decided(Fence, Arc<Decision>),
}

impl From<EventRecord> for Read {
    fn from(record: EventRecord) -> Self {
        match record {
            EventRecord::Owner { fence } => Self::Owner(fence),
            EventRecord::Decided { fence, decision } => Self::Decided(fence, decision.into()),
        }
    }
}

/// The newest records that were decoded, shared by clones.
#[derive(Clone, Default)]
pub(super) struct Decoded(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    records: HashMap<(Partition, Offset), (Bytes, Read)>,
    oldest: VecDeque<(Partition, Offset)>,
}

impl fmt::Debug for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoded").finish_non_exhaustive()
    }
}

impl Decoded {
    /// What the record says: remembered, or decoded now.
    pub(super) fn read(&self, partition: Partition, record: &Record) -> Result<Read> {
        let place = (partition, record.offset);
        let kept = self.kept().records.get(&place).cloned();
        // Another journal may have another record at this place.
        if let Some((bytes, read)) = kept
            && bytes == record.bytes
        {
            return Ok(read);
        }
        let read = Read::from(decode::<EventRecord>(&record.bytes)?);
        self.keep(place, record.bytes.clone(), read.clone());
        Ok(read)
    }

    fn keep(&self, place: (Partition, Offset), bytes: Bytes, read: Read) {
        let mut kept = self.kept();
        if kept.records.insert(place, (bytes, read)).is_none() {
            kept.oldest.push_back(place);
        }
        if kept.oldest.len() > KEPT_MAX
            && let Some(oldest) = kept.oldest.pop_front()
        {
            kept.records.remove(&oldest);
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, record::encode};

    fn record(offset: u64, fence: u64) -> Record {
        let owner = EventRecord::Owner {
            fence: Fence(fence),
        };
        Record {
            offset: Offset(offset),
            at: Timestamp(0),
            bytes: encode(&owner).unwrap(),
        }
    }

    fn fence(decoded: &Decoded, record: &Record) -> Fence {
        match decoded.read(Partition(0), record).unwrap() {
            Read::Owner(fence) => fence,
            Read::Decided(..) => panic!("an owner's record"),
        }
    }

    #[test]
    fn another_record_at_the_same_place_is_not_taken_for_the_first() {
        let decoded = Decoded::default();
        assert_eq!(fence(&decoded, &record(5, 1)), Fence(1));
        assert_eq!(fence(&decoded, &record(5, 2)), Fence(2));
        assert_eq!(fence(&decoded, &record(5, 2)), Fence(2));
    }

    #[test]
    fn only_so_many_are_kept_and_the_oldest_go() {
        let decoded = Decoded::default();
        for offset in 0..3_000 {
            fence(&decoded, &record(offset, offset));
        }
        let kept = decoded.kept();
        assert_eq!(kept.records.len(), KEPT_MAX);
        assert_eq!(kept.oldest.len(), KEPT_MAX);
        let newest = (Partition(0), Offset(2_999));
        assert!(kept.records.contains_key(&newest));
    }
}
