//! The ports in process behind a gate.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use chatcore::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    ids::{Fence, Incarnation, Node, Offset, Partition},
    journal::{
        Consumer, DeadLetter, DeadLetters, Delivery, Journal, Log, Pending, Record, Refused,
        SnapshotTable,
    },
    ports::Ports,
    record::Decision,
    routing::{Inbox, NodeFrame, NodeInbox},
    store::{DueLine, Mark, PartitionBatch, PartitionStore, Rebuild, Saved},
};
use futures_util::FutureExt;

use crate::{
    gate::{Gate, Pass, unavailable},
    world::World,
};

/// The group membership of one engine; can be taken from it behind its back.
pub(crate) type Membership = Arc<Mutex<Option<Box<dyn Consumer>>>>;

/// The ports of one engine.
pub(crate) fn gated(world: &Arc<World>, gate: &Arc<Gate>, membership: &Membership) -> Ports {
    let gated = Arc::new(Gated {
        world: world.clone(),
        gate: gate.clone(),
        membership: membership.clone(),
    });
    Ports {
        journal: gated.clone(),
        snapshots: gated.clone(),
        dead_letters: gated.clone(),
        partitions: gated.clone(),
        inbox: gated,
        ..world.ports.clone()
    }
}

struct Gated {
    world: Arc<World>,
    gate: Arc<Gate>,
    membership: Membership,
}

impl std::fmt::Debug for Gated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gated")
    }
}

impl Gated {
    async fn effect<T>(
        &self,
        name: &'static str,
        act: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        match self.gate.pass(name).await {
            Pass::Go => act.await,
            Pass::FailBefore => Err(unavailable(name)),
            Pass::FailAfter => {
                let _ = act.await;
                Err(unavailable(name))
            }
        }
    }

    fn ports(&self) -> &Ports {
        &self.world.ports
    }
}

#[async_trait]
impl Journal for Gated {
    fn partitions(&self) -> u32 {
        self.ports().journal.partitions()
    }

    fn incarnation(&self) -> Incarnation {
        self.ports().journal.incarnation()
    }

    fn try_append(
        &self,
        log: Log,
        partition: Partition,
        bytes: Bytes,
    ) -> std::result::Result<Pending, Refused> {
        let name = match log {
            Log::Commands => "follow up",
            Log::Events => "publish",
        };
        match self.gate.pass_now(name) {
            Some(Pass::Go) => {
                let pending = self.ports().journal.try_append(log, partition, bytes);
                self.world.appended.notify_waiters();
                pending
            }
            Some(Pass::FailBefore) => Err(Refused {
                bytes,
                error: unavailable(name),
            }),
            Some(Pass::FailAfter) => {
                drop(self.ports().journal.try_append(log, partition, bytes)?);
                let (settle, pending) = Pending::new();
                let _ = settle.send(Err(unavailable(name)));
                Ok(pending)
            }
            // It comes again once there is room, and there is none while the gate is shut.
            None => Err(Refused {
                bytes,
                error: Error::new(ErrorKind::Overloaded, name),
            }),
        }
    }

    async fn ready(&self, log: Log, partition: Partition) -> Result<()> {
        self.gate.opened().await;
        self.ports().journal.ready(log, partition).await
    }

    async fn subscribe(&self, log: Log, group: &str) -> Result<Box<dyn Consumer>> {
        self.gate.opened().await;
        let inner = self.ports().journal.subscribe(log, group).await?;
        *self.membership.lock().unwrap() = Some(inner);
        Ok(Box::new(GatedConsumer {
            world: self.world.clone(),
            gate: self.gate.clone(),
            membership: self.membership.clone(),
        }))
    }

    async fn read(
        &self,
        log: Log,
        partition: Partition,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Record>> {
        self.gate.opened().await;
        self.ports().journal.read(log, partition, from, limit).await
    }

    async fn bounds(&self, log: Log, partition: Partition) -> Result<(Offset, Offset)> {
        self.gate.opened().await;
        self.ports().journal.bounds(log, partition).await
    }

    async fn trim(&self, log: Log, partition: Partition, before: Offset) -> Result<()> {
        self.effect(
            "trim the journal",
            self.ports().journal.trim(log, partition, before),
        )
        .await
    }
}

struct GatedConsumer {
    world: Arc<World>,
    gate: Arc<Gate>,
    membership: Membership,
}

impl std::fmt::Debug for GatedConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GatedConsumer")
    }
}

impl GatedConsumer {
    /// Does something as a member, or fails as one who is none any more. The ports in process
    /// never wait for what is asked here.
    fn as_member<T>(&self, act: impl FnOnce(&mut Box<dyn Consumer>) -> Result<T>) -> Result<T> {
        match self.membership.lock().unwrap().as_mut() {
            Some(member) => act(member),
            None => Err(Error::new(ErrorKind::Conflict, "act as a member")),
        }
    }
}

#[async_trait]
impl Consumer for GatedConsumer {
    async fn next(&mut self) -> Result<Delivery> {
        loop {
            self.gate.opened().await;
            let woken = self.world.appended.notified();
            let next = match self.membership.lock().unwrap().as_mut() {
                Some(member) => member.next().now_or_never(),
                None => None,
            };
            if let Some(delivery) = next {
                return delivery;
            }
            let _ = tokio::time::timeout(Duration::from_millis(100), woken).await;
        }
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<()> {
        let pass = self.gate.pass("commit").await;
        if pass != Pass::FailBefore {
            self.as_member(|member| member.commit(partition, next).now_or_never().unwrap())?;
            self.world.committed(partition, next);
        }
        match pass {
            Pass::Go => Ok(()),
            _ => Err(unavailable("commit")),
        }
    }

    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<()> {
        self.gate.opened().await;
        self.as_member(|member| member.seek(partition, offset).now_or_never().unwrap())
    }

    fn pause(&mut self, partition: Partition) {
        let _ = self.as_member(|member| {
            member.pause(partition);
            Ok(())
        });
    }

    fn resume(&mut self, partition: Partition) {
        let _ = self.as_member(|member| {
            member.resume(partition);
            Ok(())
        });
    }

    async fn leave(self: Box<Self>) -> Result<()> {
        self.gate.opened().await;
        drop(self.membership.lock().unwrap().take());
        Ok(())
    }
}

#[async_trait]
impl PartitionStore for Gated {
    async fn take(&self, partition: Partition, above: Fence) -> Result<Mark> {
        self.effect("take", self.ports().partitions.take(partition, above))
            .await
    }

    async fn save(&self, batches: Vec<PartitionBatch>) -> Result<Vec<Result<Saved>>> {
        self.effect("save", async {
            self.world.about_to_save();
            self.ports().partitions.save(batches).await
        })
        .await
    }

    async fn outbox(&self, partition: Partition) -> Result<Vec<Decision>> {
        self.gate.opened().await;
        self.ports().partitions.outbox(partition).await
    }

    async fn trim(&self, partition: Partition, fence: Fence, before: Offset) -> Result<()> {
        self.effect(
            "trim",
            self.ports().partitions.trim(partition, fence, before),
        )
        .await
    }

    async fn marks(&self, partitions: &[Partition]) -> Result<Vec<Mark>> {
        self.gate.opened().await;
        self.ports().partitions.marks(partitions).await
    }

    async fn rebuild(&self, partition: Partition, fence: Fence, step: Rebuild) -> Result<()> {
        self.effect(
            "rebuild",
            self.ports().partitions.rebuild(partition, fence, step),
        )
        .await
    }

    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueLine>> {
        self.gate.opened().await;
        self.ports().partitions.due(partition, until, limit).await
    }
}

#[async_trait]
impl NodeInbox for Gated {
    async fn send(&self, node: &Node, frames: Vec<Arc<NodeFrame>>) -> Result<()> {
        self.effect("deliver", self.ports().inbox.send(node, frames))
            .await
    }

    async fn receive(&self, node: &Node) -> Result<Box<dyn Inbox>> {
        self.ports().inbox.receive(node).await
    }
}

#[async_trait]
impl SnapshotTable for Gated {
    async fn put(
        &self,
        partition: Partition,
        snapshots: Vec<(String, Offset, Option<Bytes>)>,
    ) -> Result<()> {
        self.effect(
            "put snapshots",
            self.ports().snapshots.put(partition, snapshots),
        )
        .await
    }

    async fn read(&self, partition: Partition) -> Result<Vec<(String, Offset, Bytes)>> {
        self.gate.opened().await;
        self.ports().snapshots.read(partition).await
    }
}

#[async_trait]
impl DeadLetters for Gated {
    async fn add(&self, letter: DeadLetter) -> Result<u64> {
        self.effect("bury", self.ports().dead_letters.add(letter))
            .await
    }

    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<(u64, DeadLetter)>> {
        self.ports().dead_letters.list(after, limit).await
    }

    async fn remove(&self, number: u64) -> Result<()> {
        self.ports().dead_letters.remove(number).await
    }
}

/// Appends a record from outside, as sessions and tests do.
pub(crate) async fn append(world: &World, partition: Partition, bytes: Bytes) {
    let journal = &world.ports.journal;
    let pending = journal.try_append(Log::Commands, partition, bytes).unwrap();
    pending.await.unwrap();
    world.appended.notify_waiters();
}
