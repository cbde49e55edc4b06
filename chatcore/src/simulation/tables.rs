//! The small ports as one node has them: each call goes over a link.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{backend::Driver, link::Link};
use crate::{
    clock::Timestamp,
    error::Result,
    ids::{DialogId, Offset, Partition, Seq, StreamId},
    journal::{Change, DeadLetter, DeadLetters, SharedTable, SnapshotTable},
    store::{Archive, Index, IndexEntry, IndexStore, Page, Segment},
};

/// A port over a link.
#[derive(Debug)]
pub(super) struct Far<P: ?Sized> {
    pub(super) link: Arc<Link>,
    pub(super) driver: Driver,
    pub(super) port: Arc<P>,
}

impl<P: ?Sized> Far<P> {
    async fn pass<T: Send>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.link.pass(operation, self.driver.call(call)).await
    }
}

#[async_trait]
impl SnapshotTable for Far<dyn SnapshotTable> {
    async fn put(
        &self,
        partition: Partition,
        snapshots: Vec<(String, Offset, Option<Bytes>)>,
    ) -> Result<()> {
        let put = self.port.put(partition, snapshots);
        self.pass("put snapshots", put).await
    }

    async fn read(&self, partition: Partition) -> Result<Vec<(String, Offset, Bytes)>> {
        let read = self.port.read(partition);
        self.pass("read snapshots", read).await
    }
}

#[async_trait]
impl SharedTable for Far<dyn SharedTable> {
    async fn put(&self, key: &str, value: Option<Bytes>) -> Result<u64> {
        self.pass("put a value", self.port.put(key, value)).await
    }

    async fn read(&self) -> Result<(u64, Vec<(String, Bytes)>)> {
        self.pass("read values", self.port.read()).await
    }

    async fn newest(&self) -> Result<u64> {
        self.pass("ask for the newest change", self.port.newest())
            .await
    }

    async fn changes(&self, version: u64) -> Result<Vec<Change>> {
        // Whoever waits holds no link: what comes of it goes over the link as it is then.
        let changes = self.port.changes(version).await?;
        let heard = async { Ok(changes) };
        self.link.pass("hear of changes", heard).await
    }
}

#[async_trait]
impl DeadLetters for Far<dyn DeadLetters> {
    async fn add(&self, letter: DeadLetter) -> Result<u64> {
        self.pass("add a dead letter", self.port.add(letter)).await
    }

    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<(u64, DeadLetter)>> {
        let list = self.port.list(after, limit);
        self.pass("list dead letters", list).await
    }

    async fn remove(&self, number: u64) -> Result<()> {
        let remove = self.port.remove(number);
        self.pass("remove a dead letter", remove).await
    }
}

#[async_trait]
impl IndexStore for Far<dyn IndexStore> {
    async fn put(&self, entries: Vec<(Index, IndexEntry)>) -> Result<()> {
        self.pass("put entries", self.port.put(entries)).await
    }

    async fn list(
        &self,
        index: &Index,
        before: Option<(Timestamp, DialogId)>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>> {
        let list = self.port.list(index, before, limit);
        self.pass("list entries", list).await
    }
}

#[async_trait]
impl Archive for Far<dyn Archive> {
    async fn put(&self, segment: Segment) -> Result<()> {
        self.pass("put a segment", self.port.put(segment)).await
    }

    async fn read(&self, stream: &StreamId, after: Seq, limit: usize) -> Result<Page> {
        let read = self.port.read(stream, after, limit);
        self.pass("read a segment", read).await
    }

    async fn covered(&self, stream: &StreamId) -> Result<Seq> {
        let covered = self.port.covered(stream);
        self.pass("ask the archive", covered).await
    }
}
