//! The journal as one node has it: over its link, with appends that are under way for a while.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    fired::Kind,
    journal::Broker,
    link::{Fate, Link, lost},
    rng::Rng,
};
use crate::{
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Offset, Partition},
    journal::{Consumer, Delivery, Journal, Log, Pending, Receipt, Record, Refused},
};

/// Appends of one node under way; past it they are refused.
const UNDER_WAY_MAX: usize = 256;
/// How long appends wait for a cut link before they fail.
const APPEND_TIMEOUT_MS: i64 = 3_000;

/// The journal as one life of a node has it.
pub(super) struct NodeJournal {
    broker: Arc<Broker>,
    link: Arc<Link>,
    life: u64,
    producer: Arc<Producer>,
}

/// The appends of one life of a node.
#[derive(Default)]
pub(super) struct Producer {
    under_way: Mutex<VecDeque<Append>>,
}

struct Append {
    log: Log,
    partition: Partition,
    bytes: Bytes,
    since_ms: i64,
    settle: oneshot::Sender<Result<Receipt>>,
}

impl fmt::Debug for NodeJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeJournal")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

impl Producer {
    fn under_way(&self) -> MutexGuard<'_, VecDeque<Append>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.under_way().is_empty()
    }

    /// Sends what is under way, in order. A failure takes all that was taken before it is told
    /// with it, so that what is in the journal has no hole.
    pub(super) fn flush(&self, broker: &Broker, link: &Link, now_ms: i64) {
        let mut under_way = self.under_way();
        let Some(oldest) = under_way.front() else {
            return;
        };
        let fate = link.fate();
        if fate == Fate::Cut && now_ms - oldest.since_ms < APPEND_TIMEOUT_MS {
            return;
        }
        if fate == Fate::Cut {
            link.fired.count(Kind::Cut);
        }
        for append in under_way.drain(..) {
            let told = match fate {
                Fate::Goes | Fate::Waits(_) => {
                    Ok(broker.append(append.log, append.partition, append.bytes))
                }
                Fate::ReplyLost => {
                    broker.append(append.log, append.partition, append.bytes);
                    Err(lost("append to the journal", "the reply was lost"))
                }
                Fate::RequestLost | Fate::Cut => {
                    Err(lost("append to the journal", "the request was lost"))
                }
            };
            // Whoever no longer waits for it does not need to know.
            let _ = append.settle.send(told);
        }
    }

    /// The node died: some of what was under way arrives all the same.
    pub(super) fn die(&self, broker: &Broker, rng: &mut Rng) {
        let mut under_way = self.under_way();
        let arrived = usize::try_from(rng.below(under_way.len() as u64 + 1)).unwrap_or(0);
        for append in under_way.drain(..).take(arrived) {
            broker.append(append.log, append.partition, append.bytes);
        }
    }
}

impl NodeJournal {
    pub(super) fn new(broker: Arc<Broker>, link: Arc<Link>, life: u64) -> (Self, Arc<Producer>) {
        let producer = Arc::new(Producer::default());
        let journal = Self {
            broker,
            link,
            life,
            producer: Arc::clone(&producer),
        };
        (journal, producer)
    }

    fn check(&self, partition: Partition, operation: &'static str) -> Result<()> {
        if partition.0 < self.broker.partitions() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, operation).with_context("partition", partition))
    }
}

#[async_trait]
impl Journal for NodeJournal {
    fn partitions(&self) -> u32 {
        self.broker.partitions()
    }

    fn incarnation(&self) -> Incarnation {
        self.broker.incarnation()
    }

    fn try_append(
        &self,
        log: Log,
        partition: Partition,
        bytes: Bytes,
    ) -> std::result::Result<Pending, Refused> {
        if let Err(error) = self.check(partition, "append to the journal") {
            return Err(Refused { bytes, error });
        }
        let mut under_way = self.producer.under_way();
        if under_way.len() >= UNDER_WAY_MAX {
            let error = Error::new(ErrorKind::Overloaded, "append to the journal")
                .with_context("under way", UNDER_WAY_MAX);
            return Err(Refused { bytes, error });
        }
        let (settle, pending) = Pending::new();
        // Often an append takes no time that counts, as long as nothing is ahead of it.
        if under_way.is_empty() && self.link.fate() == Fate::Goes {
            let receipt = self.broker.append(log, partition, bytes);
            // The other end is `pending`, which is alive.
            let _ = settle.send(Ok(receipt));
            return Ok(pending);
        }
        under_way.push_back(Append {
            log,
            partition,
            bytes,
            since_ms: self.broker.now_ms(),
            settle,
        });
        Ok(pending)
    }

    async fn ready(&self, _: Log, partition: Partition) -> Result<()> {
        self.check(partition, "append to the journal")?;
        while self.producer.under_way().len() >= UNDER_WAY_MAX {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn subscribe(&self, log: Log, group: &str) -> Result<Box<dyn Consumer>> {
        let key = (log, group.to_owned());
        // Made before the link may lose the reply: a member that nobody heard of being one says
        // nothing more, and the group counts it out.
        let join = async {
            Ok(NodeConsumer {
                member: self.broker.join(&key, self.life),
                broker: Arc::clone(&self.broker),
                link: Arc::clone(&self.link),
                key: key.clone(),
            })
        };
        Ok(Box::new(self.link.pass("subscribe", join).await?))
    }

    async fn read(
        &self,
        log: Log,
        partition: Partition,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Record>> {
        self.check(partition, "read the journal")?;
        let read = async { Ok(self.broker.read(log, partition, from, limit)) };
        self.link.pass("read the journal", read).await
    }

    async fn bounds(&self, log: Log, partition: Partition) -> Result<(Offset, Offset)> {
        self.check(partition, "read the journal's bounds")?;
        let bounds = async { Ok((Offset(0), self.broker.end(log, partition))) };
        self.link.pass("read the journal's bounds", bounds).await
    }

    async fn trim(&self, _: Log, partition: Partition, _: Offset) -> Result<()> {
        // The checkers read the whole journal at the end: nothing is forgotten.
        self.check(partition, "trim the journal")
    }
}

/// A member of a group.
struct NodeConsumer {
    broker: Arc<Broker>,
    link: Arc<Link>,
    key: (Log, String),
    member: u64,
}

impl fmt::Debug for NodeConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeConsumer")
            .field("key", &self.key)
            .field("member", &self.member)
            .finish_non_exhaustive()
    }
}

fn not_mine(operation: &'static str, partition: Partition) -> Error {
    Error::new(ErrorKind::Conflict, operation).with_context("partition", partition)
}

#[async_trait]
impl Consumer for NodeConsumer {
    async fn next(&mut self) -> Result<Delivery> {
        let broker = Arc::clone(&self.broker);
        loop {
            if self.link.is_cut() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            let mut changed = std::pin::pin!(broker.changed(self.key.0).notified());
            changed.as_mut().enable();
            if let Some(delivery) = self.broker.poll(&self.key, self.member)? {
                return Ok(delivery);
            }
            changed.await;
        }
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<()> {
        let commit = async {
            let own = (self.member, partition);
            self.broker
                .with_own(&self.key, own, |own| {
                    if own.lives {
                        own.committed.insert(partition, next);
                    }
                    own.lives
                })
                .filter(|lives| *lives)
                .map(|_| ())
                .ok_or_else(|| not_mine("commit", partition))
        };
        self.link.pass("commit", commit).await
    }

    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<()> {
        let own = (self.member, partition);
        self.broker
            .with_own(&self.key, own, |own| *own.position = offset)
            .ok_or_else(|| not_mine("seek", partition))?;
        self.broker.changed(self.key.0).notify_waiters();
        Ok(())
    }

    fn pause(&mut self, partition: Partition) {
        let own = (self.member, partition);
        self.broker
            .with_own(&self.key, own, |own| own.paused.insert(partition));
    }

    fn resume(&mut self, partition: Partition) {
        let own = (self.member, partition);
        self.broker
            .with_own(&self.key, own, |own| own.paused.remove(&partition));
        self.broker.changed(self.key.0).notify_waiters();
    }

    async fn leave(self: Box<Self>) -> Result<()> {
        self.broker.leave(&self.key, self.member);
        Ok(())
    }
}

impl Drop for NodeConsumer {
    fn drop(&mut self) {
        self.broker.vanish(&self.key, self.member);
    }
}
