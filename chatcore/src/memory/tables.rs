//! The compacted tables and the lists, in process.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use super::lock;
use crate::{
    clock::Timestamp,
    error::Result,
    ids::{DialogId, Offset, Partition},
    journal::{Change, SharedTable, SnapshotTable},
    store::{Index, IndexEntry, IndexStore},
};

type Snapshots = BTreeMap<String, (Offset, Bytes)>;

/// A [`SnapshotTable`] in process.
#[derive(Debug, Default)]
pub struct MemorySnapshots {
    partitions: Mutex<BTreeMap<Partition, Snapshots>>,
}

#[async_trait]
impl SnapshotTable for MemorySnapshots {
    async fn put(
        &self,
        partition: Partition,
        snapshots: Vec<(String, Offset, Option<Bytes>)>,
    ) -> Result<()> {
        let mut partitions = lock(&self.partitions);
        let table = partitions.entry(partition).or_default();
        for (key, covered, bytes) in snapshots {
            match bytes {
                Some(bytes) => table.insert(key, (covered, bytes)),
                None => table.remove(&key),
            };
        }
        Ok(())
    }

    async fn read(&self, partition: Partition) -> Result<Vec<(String, Offset, Bytes)>> {
        let partitions = lock(&self.partitions);
        let table = partitions.get(&partition).into_iter().flatten();
        Ok(table
            .map(|(key, (covered, bytes))| (key.clone(), *covered, bytes.clone()))
            .collect())
    }
}

/// A [`SharedTable`] in process.
#[derive(Debug, Default)]
pub struct MemoryShared {
    state: Mutex<SharedState>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct SharedState {
    version: u64,
    values: BTreeMap<String, (u64, Option<Bytes>)>,
}

impl MemoryShared {
    fn after(&self, version: u64) -> Vec<Change> {
        let state = lock(&self.state);
        let newer = state
            .values
            .iter()
            .filter(|(_, (changed, _))| *changed > version);
        let mut changes: Vec<_> = newer
            .map(|(key, (version, value))| Change {
                version: *version,
                key: key.clone(),
                value: value.clone(),
            })
            .collect();
        changes.sort_by_key(|change| change.version);
        changes
    }
}

#[async_trait]
impl SharedTable for MemoryShared {
    async fn put(&self, key: &str, value: Option<Bytes>) -> Result<u64> {
        let mut state = lock(&self.state);
        state.version += 1;
        let version = state.version;
        state.values.insert(key.to_owned(), (version, value));
        drop(state);
        self.changed.notify_waiters();
        Ok(version)
    }

    async fn read(&self) -> Result<(u64, Vec<(String, Bytes)>)> {
        let state = lock(&self.state);
        let values = state.values.iter();
        let values = values
            .filter_map(|(key, (_, value))| value.clone().map(|value| (key.clone(), value)))
            .collect();
        Ok((state.version, values))
    }

    async fn newest(&self) -> Result<u64> {
        Ok(lock(&self.state).version)
    }

    async fn changes(&self, version: u64) -> Result<Vec<Change>> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let changes = self.after(version);
            if !changes.is_empty() {
                return Ok(changes);
            }
            changed.await;
        }
    }
}

/// An [`IndexStore`] in process.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    lists: Mutex<BTreeMap<Index, BTreeMap<DialogId, IndexEntry>>>,
}

#[async_trait]
impl IndexStore for MemoryIndex {
    async fn put(&self, entries: Vec<(Index, IndexEntry)>) -> Result<()> {
        let mut lists = lock(&self.lists);
        for (index, entry) in entries {
            lists.entry(index).or_default().insert(entry.dialog, entry);
        }
        Ok(())
    }

    async fn list(
        &self,
        index: &Index,
        before: Option<(Timestamp, DialogId)>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>> {
        let lists = lock(&self.lists);
        let mut entries: Vec<_> = lists
            .get(index)
            .into_iter()
            .flatten()
            .map(|(_, e)| e)
            .collect();
        entries.sort_by_key(|e| std::cmp::Reverse((e.at, e.dialog)));
        let older = |e: &&IndexEntry| before.is_none_or(|before| (e.at, e.dialog) < before);
        Ok(entries
            .into_iter()
            .filter(older)
            .take(limit)
            .cloned()
            .collect())
    }
}
