//! Snapshots, the shared table and the dead letters, each a compacted topic.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Offset, Partition},
    journal::{Change, DeadLetter, DeadLetters, SharedTable, SnapshotTable},
};

use crate::{
    producer::{Place, Producer},
    reader::Readers,
    table::Table,
};

/// [`SnapshotTable`] on a compacted topic with the partitions of the journal. A value is the covered
/// offset, eight bytes, most significant first, and the snapshot.
pub struct KafkaSnapshots {
    pub(crate) topic: String,
    pub(crate) incarnation: Incarnation,
    pub(crate) producer: Arc<Producer>,
    pub(crate) readers: Arc<Readers>,
}

impl fmt::Debug for KafkaSnapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSnapshots")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

type Snapshots = BTreeMap<String, Bytes>;

#[async_trait]
impl SnapshotTable for KafkaSnapshots {
    async fn put(
        &self,
        partition: Partition,
        snapshots: Vec<(String, Offset, Option<Bytes>)>,
    ) -> Result<()> {
        let mut under_way = Vec::with_capacity(snapshots.len());
        for (key, covered, snapshot) in snapshots {
            let value = snapshot.map(|snapshot| {
                let mut value = BytesMut::with_capacity(8 + snapshot.len());
                value.put_u64(covered.0);
                value.put(snapshot);
                value.freeze()
            });
            let place = Place {
                topic: &self.topic,
                partition,
                key: Some(&key),
            };
            let put = self
                .producer
                .put_later(&place, self.incarnation, value.as_ref());
            under_way.push(put.await?);
        }
        for put in under_way {
            put.await?;
        }
        Ok(())
    }

    async fn read(&self, partition: Partition) -> Result<Vec<(String, Offset, Bytes)>> {
        let found = Arc::new(Mutex::new(Snapshots::new()));
        let into = Arc::clone(&found);
        let all = self
            .readers
            .keyed(self.topic.clone(), partition, move |keyed| {
                let mut found = into.lock().unwrap_or_else(PoisonError::into_inner);
                match keyed.value {
                    Some(value) => found.insert(keyed.key, value),
                    None => found.remove(&keyed.key),
                };
            });
        all.await?;
        let found = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
        let snapshots = found.into_iter().map(|(key, mut value)| {
            if value.len() < 8 {
                return Err(Error::new(ErrorKind::Corrupt, "read snapshots")
                    .with_context("topic", &self.topic)
                    .with_context("key", key));
            }
            let covered = Offset(value.get_u64());
            Ok((key, covered, value))
        });
        snapshots.collect()
    }
}

/// [`SharedTable`] on a compacted topic of one partition. A version is the offset after a change.
#[derive(Debug)]
pub struct KafkaShared {
    pub(crate) table: Table,
    pub(crate) incarnation: Incarnation,
}

#[async_trait]
impl SharedTable for KafkaShared {
    async fn put(&self, key: &str, value: Option<Bytes>) -> Result<u64> {
        let put = self.table.put(self.incarnation, key, value.as_ref());
        Ok(put.await? + 1)
    }

    async fn read(&self) -> Result<(u64, Vec<(String, Bytes)>)> {
        self.table.catch_up().await?;
        let (version, all) = self.table.all();
        let values = all
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.bytes?)));
        Ok((version, values.collect()))
    }

    async fn newest(&self) -> Result<u64> {
        self.table.catch_up().await?;
        Ok(self.table.changed())
    }

    async fn changes(&self, version: u64) -> Result<Vec<Change>> {
        loop {
            self.table.grown_past(version).await;
            let (upto, all) = self.table.all();
            let mut changes: Vec<_> = all
                .into_iter()
                .filter(|(_, value)| value.offset >= version)
                .map(|(key, value)| Change {
                    version: value.offset + 1,
                    key,
                    value: value.bytes,
                })
                .collect();
            changes.sort_unstable_by_key(|change| change.version);
            if !changes.is_empty() {
                return Ok(changes);
            }
            // Only what no table of ours wrote.
            self.table.grown_past(upto).await;
        }
    }
}

/// [`DeadLetters`] on a compacted topic of one partition: a letter's key is its origin, partition and
/// offset, its number the offset of its record.
#[derive(Debug)]
pub struct KafkaDeadLetters {
    pub(crate) table: Table,
    pub(crate) incarnation: Incarnation,
}

fn key(letter: &DeadLetter) -> String {
    format!("{}/{}/{}", letter.origin, letter.partition, letter.offset)
}

#[async_trait]
impl DeadLetters for KafkaDeadLetters {
    async fn add(&self, letter: DeadLetter) -> Result<u64> {
        let key = key(&letter);
        self.table.catch_up().await?;
        if let Some(there) = self.table.get(&key)
            && there.bytes.is_some()
        {
            return Ok(there.offset);
        }
        let value = serde_json::to_vec(&letter).map_err(|error| {
            Error::new(ErrorKind::Internal, "add a dead letter").with_source(error)
        })?;
        self.table
            .put(self.incarnation, &key, Some(&value.into()))
            .await
    }

    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<(u64, DeadLetter)>> {
        self.table.catch_up().await?;
        let (_, all) = self.table.all();
        let mut letters: Vec<_> = all
            .into_iter()
            .filter(|(_, value)| after.is_none_or(|after| value.offset > after))
            .filter_map(|(key, value)| Some((value.offset, key, value.bytes?)))
            .collect();
        letters.sort_unstable_by_key(|(number, ..)| *number);
        let letters = letters.into_iter().take(limit).map(|(number, key, bytes)| {
            let letter = serde_json::from_slice(&bytes).map_err(|error| {
                Error::new(ErrorKind::Corrupt, "read a dead letter")
                    .with_context("key", key)
                    .with_source(error)
            });
            Ok((number, letter?))
        });
        letters.collect()
    }

    async fn remove(&self, number: u64) -> Result<()> {
        self.table.catch_up().await?;
        let (_, all) = self.table.all();
        let found = all
            .into_iter()
            .find(|(_, value)| value.offset == number && value.bytes.is_some());
        if let Some((key, _)) = found {
            self.table.put(self.incarnation, &key, None).await?;
        }
        Ok(())
    }
}
