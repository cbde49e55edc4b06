//! Records of `events` as they were decided: not decoded at all by the process that published them,
//! and once for all effects of any other.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use crate::{
    error::Result,
    ids::{Fence, Offset, Partition},
    journal::Record,
    record::{Decision, EventRecord, decode},
};

/// Records of each kind that are kept; effects that lag further behind decode for themselves.
const KEPT_MAX: usize = 1_024;

/// What a record says.
#[derive(Debug, Clone)]
pub(crate) enum Read {
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

/// The newest records that were published or decoded, shared by clones.
#[derive(Clone, Default)]
pub(crate) struct Decoded(Arc<Kept>);

#[derive(Default)]
struct Kept {
    /// By where their bytes are in memory. A journal in process hands out the very bytes that it
    /// was given; as long as they are kept here, nothing else can be at their place.
    published: Mutex<Newest<usize>>,
    /// By their place in the journal.
    read: Mutex<Newest<(Partition, Offset)>>,
}

struct Newest<K> {
    records: HashMap<K, (Bytes, Read)>,
    oldest: VecDeque<K>,
}

impl<K> Default for Newest<K> {
    fn default() -> Self {
        Self {
            records: HashMap::new(),
            oldest: VecDeque::new(),
        }
    }
}

impl<K: Copy + Eq + Hash> Newest<K> {
    fn get(&self, key: K) -> Option<(Bytes, Read)> {
        self.records.get(&key).cloned()
    }

    fn keep(&mut self, key: K, bytes: Bytes, read: Read) {
        if self.records.insert(key, (bytes, read)).is_none() {
            self.oldest.push_back(key);
        }
        if self.oldest.len() > KEPT_MAX
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.records.remove(&oldest);
        }
    }
}

impl fmt::Debug for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoded").finish_non_exhaustive()
    }
}

impl Decoded {
    /// A record that is about to be published, with what it says.
    pub(crate) fn publish(&self, bytes: &Bytes, fence: Fence, decision: &Arc<Decision>) {
        let read = Read::Decided(fence, Arc::clone(decision));
        let address = bytes.as_ptr().addr();
        lock(&self.0.published).keep(address, bytes.clone(), read);
    }

    /// What the record says: remembered, or decoded now.
    pub(crate) fn read(&self, partition: Partition, record: &Record) -> Result<Read> {
        let published = lock(&self.0.published).get(record.bytes.as_ptr().addr());
        if let Some((bytes, read)) = published
            && bytes.len() == record.bytes.len()
        {
            return Ok(read);
        }
        let place = (partition, record.offset);
        let kept = lock(&self.0.read).get(place);
        // Another journal may have another record at this place.
        if let Some((bytes, read)) = kept
            && bytes == record.bytes
        {
            return Ok(read);
        }
        let read = Read::from(decode::<EventRecord>(&record.bytes)?);
        lock(&self.0.read).keep(place, record.bytes.clone(), read.clone());
        Ok(read)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let kept = lock(&decoded.0.read);
        assert_eq!(kept.records.len(), KEPT_MAX);
        assert_eq!(kept.oldest.len(), KEPT_MAX);
        let newest = (Partition(0), Offset(2_999));
        assert!(kept.records.contains_key(&newest));
    }

    #[test]
    fn what_was_published_here_is_not_decoded_again() {
        let decoded = Decoded::default();
        let decision = Arc::new(crate::engine::testing::decision(3));
        // Bytes that nobody could decode.
        let bytes = Bytes::from(vec![0; 8]);
        decoded.publish(&bytes, Fence(7), &decision);
        let record = |bytes: &Bytes| Record {
            offset: Offset(1),
            at: Timestamp(0),
            bytes: bytes.clone(),
        };
        match decoded.read(Partition(0), &record(&bytes)).unwrap() {
            Read::Decided(fence, read) => {
                assert_eq!(fence, Fence(7));
                assert!(Arc::ptr_eq(&read, &decision));
            }
            Read::Owner(_) => panic!("a decision"),
        }
        let alike = Bytes::from(vec![0; 8]);
        assert!(decoded.read(Partition(0), &record(&alike)).is_err());
        let part = bytes.slice(..4);
        assert!(decoded.read(Partition(0), &record(&part)).is_err());
    }
}
