//! The store in process.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{MemoryLeases, lock};
use crate::{
    clock::Timestamp,
    content::Sealed,
    error::{Error, ErrorKind, Result},
    ids::{DialogId, Fence, Node, Offset, Participant, Partition, Seq, StreamId, Target},
    record::{self, Access, Appended, CursorMove, Decision, Position, StreamEvent},
    sabotage::{Switch, on},
    store::{
        Archive, DueLine, Follow, FollowFrom, Followed, Mark, Page, PartitionBatch, PartitionStore,
        ReadRange, Rebuild, Saved, StoredDecision, StoredState, StreamStore,
    },
};

/// The store in process: [`PartitionStore`] and [`StreamStore`].
#[derive(Debug)]
pub struct MemoryStore {
    partitions: u32,
    leases: Arc<MemoryLeases>,
    archive: Arc<dyn Archive>,
    data: Mutex<BTreeMap<Partition, PartitionData>>,
}

/// A copy of all that a [`MemoryStore`] had at a moment.
#[derive(Debug, Clone)]
pub struct Checkpoint(BTreeMap<Partition, PartitionData>);

#[derive(Debug, Clone, Default)]
struct PartitionData {
    mark: Mark,
    states: BTreeMap<Target, StateData>,
    streams: BTreeMap<StreamId, StreamData>,
    outbox: BTreeMap<Offset, Arc<Decision>>,
    due: BTreeMap<Target, Vec<DueLine>>,
    cursors: BTreeMap<DialogId, BTreeMap<Participant, CursorMove>>,
    routes: BTreeMap<StreamId, BTreeSet<Node>>,
}

#[derive(Debug, Clone, Default)]
struct StateData {
    snapshot: Option<Bytes>,
    /// As they were written: they are read seldom, and take a third of what they do in memory.
    decisions: Vec<Bytes>,
}

#[derive(Debug, Clone)]
struct StreamData {
    base: Position,
    events: Vec<StreamEvent<Sealed>>,
    access: Access,
}

impl StreamData {
    fn head(&self) -> Position {
        self.events.last().map_or(self.base, |e| Position {
            seq: e.seq,
            hash: e.hash,
        })
    }

    fn since(&self, after: Seq) -> &[StreamEvent<Sealed>] {
        let skip = after.0.saturating_sub(self.base.seq.0);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        self.events.get(skip..).unwrap_or_default()
    }

    /// The events after `after`, which must not be below the base.
    fn page(&self, after: Seq, upto: Seq, limit: usize) -> Page {
        let head = self.head();
        if after >= head.seq {
            return Page {
                after: head,
                events: Vec::new(),
            };
        }
        let before = after.0.checked_sub(self.base.seq.0 + 1);
        let before = before.and_then(|i| self.events.get(usize::try_from(i).ok()?));
        let after = before.map_or(self.base, |e| Position {
            seq: e.seq,
            hash: e.hash,
        });
        let events = self.since(after.seq).iter().take_while(|e| e.seq <= upto);
        Page {
            after,
            events: events.take(limit).cloned().collect(),
        }
    }
}

impl MemoryStore {
    /// An empty store: nothing is built.
    #[must_use]
    pub fn new(partitions: u32, leases: Arc<MemoryLeases>, archive: Arc<dyn Archive>) -> Self {
        Self {
            partitions: partitions.max(1),
            leases,
            archive,
            data: Mutex::default(),
        }
    }

    /// A store that has what another had at a moment.
    #[must_use]
    pub fn from_checkpoint(
        checkpoint: Checkpoint,
        partitions: u32,
        leases: Arc<MemoryLeases>,
        archive: Arc<dyn Archive>,
    ) -> Self {
        Self {
            data: Mutex::new(checkpoint.0),
            ..Self::new(partitions, leases, archive)
        }
    }

    /// A copy of everything, to go back to.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint(lock(&self.data).clone())
    }

    /// Goes back to a checkpoint: what was written since is lost, as at a failover.
    pub fn restore(&self, checkpoint: Checkpoint) {
        *lock(&self.data) = checkpoint.0;
        self.leases.clear();
    }

    /// Forgets everything.
    pub fn clear(&self) {
        lock(&self.data).clear();
        self.leases.clear();
    }

    fn with_stream<T>(
        &self,
        stream: &StreamId,
        operation: &'static str,
        act: impl FnOnce(&mut PartitionData) -> T,
    ) -> Result<T> {
        let partition = stream.partition(self.partitions);
        let mut all = lock(&self.data);
        let data = all.entry(partition).or_default();
        if data.mark.built {
            Ok(act(data))
        } else {
            Err(rebuilding(operation, partition))
        }
    }

    /// What a page lacks at its beginning because it has left the live view.
    async fn read_archive(&self, range: &ReadRange, base: Seq) -> Result<Page> {
        let gap = usize::try_from(base.0.saturating_sub(range.after.0)).unwrap_or(usize::MAX);
        let mut page = self
            .archive
            .read(&range.stream, range.after, range.limit.min(gap))
            .await?;
        page.events.retain(|event| event.seq <= range.upto);
        Ok(page)
    }
}

fn rebuilding(operation: &'static str, partition: Partition) -> Error {
    Error::new(ErrorKind::Rebuilding, operation).with_context("partition", partition)
}

impl PartitionData {
    fn check(&self, batch: &PartitionBatch) -> Result<()> {
        if on(Switch::StaleOwnerSaves) {
            return Ok(());
        }
        let conflict = |what: &'static str, theirs: u64, ours: u64| {
            Err(Error::new(ErrorKind::Conflict, "save a batch")
                .with_context("partition", batch.partition)
                .with_context("differs", what)
                .with_context("stored", theirs)
                .with_context("expected", ours))
        };
        let mark = &self.mark;
        if mark.fence > batch.fence {
            return conflict("fence", mark.fence.0, batch.fence.0);
        }
        if mark.incarnation != batch.incarnation {
            return conflict("incarnation", mark.incarnation.0, batch.incarnation.0);
        }
        if mark.applied != batch.expected {
            return conflict("applied", mark.applied.0, batch.expected.0);
        }
        let mut heads: BTreeMap<&StreamId, Position> = BTreeMap::new();
        for appended in batch.decisions.iter().flat_map(|d| &d.decision.appended) {
            let stored = self.streams.get(&appended.stream).map(StreamData::head);
            let head = heads.get(&appended.stream).copied().or(stored);
            if head.is_some_and(|head| head != appended.after) {
                return Err(Error::new(ErrorKind::Corrupt, "save a batch")
                    .with_context("stream", &appended.stream)
                    .with_context("after", appended.after.seq));
            }
            heads.insert(&appended.stream, appended.upto());
        }
        Ok(())
    }

    fn apply(&mut self, batch: PartitionBatch, live: &BTreeSet<Node>) -> Saved {
        let mut touched = BTreeSet::new();
        for StoredDecision { decision, bytes } in batch.decisions {
            for appended in &decision.appended {
                touched.insert(appended.stream.clone());
                self.append(appended);
            }
            for cursor in &decision.cursors {
                touched.insert(StreamId::Dialog(cursor.dialog));
                self.move_cursor(cursor);
            }
            let state = self.states.entry(decision.target.clone()).or_default();
            state.decisions.push(bytes);
            if decision.cause >= self.mark.trimmed {
                self.outbox.insert(decision.cause, decision);
            }
        }
        for (target, snapshot) in batch.snapshots {
            let state = StateData {
                snapshot: Some(snapshot),
                decisions: Vec::new(),
            };
            self.states.insert(target, state);
        }
        for (target, lines) in batch.due {
            self.due.insert(target, lines);
        }
        for stream in batch.forget {
            self.streams.remove(&stream);
            self.routes.remove(&stream);
            if let StreamId::Dialog(dialog) = stream {
                self.cursors.remove(&dialog);
            }
        }
        self.mark.fence = batch.fence;
        self.mark.applied = batch.applied;
        self.mark.dialogs = batch.dialogs;
        self.mark.events = batch.events;
        self.mark.trial = batch.trial;
        self.mark.received.extend(batch.received);
        let routes = touched.into_iter().filter_map(|stream| {
            let nodes: Vec<_> = self
                .routes
                .get(&stream)?
                .iter()
                .filter(|n| live.contains(*n))
                .cloned()
                .collect();
            (!nodes.is_empty()).then_some((stream, nodes))
        });
        Saved {
            routes: routes.collect(),
        }
    }

    fn append(&mut self, appended: &Appended) {
        let stream = self
            .streams
            .entry(appended.stream.clone())
            .or_insert_with(|| StreamData {
                base: appended.after,
                events: Vec::new(),
                access: appended.access.clone(),
            });
        stream.events.extend(appended.events.iter().cloned());
        stream.access = appended.access.clone();
    }

    fn move_cursor(&mut self, cursor: &CursorMove) {
        let cursors = self.cursors.entry(cursor.dialog).or_default();
        let kept = cursors
            .entry(cursor.participant.clone())
            .or_insert_with(|| cursor.clone());
        kept.delivered = kept.delivered.max(cursor.delivered);
        kept.read = kept.read.max(cursor.read);
    }

    fn follow(&mut self, follow: &Follow) -> Followed {
        let routes = self.routes.entry(follow.stream.clone()).or_default();
        routes.insert(follow.node.clone());
        let cursors = match follow.stream {
            StreamId::Dialog(dialog) => self
                .cursors
                .get(&dialog)
                .into_iter()
                .flat_map(BTreeMap::values)
                .cloned()
                .collect(),
            _ => Vec::new(),
        };
        let Some(stream) = self.streams.get(&follow.stream) else {
            let page = Page {
                after: Position::default(),
                events: Vec::new(),
            };
            return Followed {
                page,
                head: Position::default(),
                cursors,
                access: None,
            };
        };
        let head = stream.head();
        let after = match follow.from {
            FollowFrom::After(position) => position.seq,
            FollowFrom::Tail(count) => Seq(head.seq.0.saturating_sub(count as u64)),
        };
        let page = stream.page(after.max(stream.base.seq), head.seq, follow.limit);
        Followed {
            page,
            head,
            cursors,
            access: Some(stream.access.clone()),
        }
    }

    fn fenced(&mut self, fence: Fence, operation: &'static str) -> Result<&mut Self> {
        if self.mark.fence > fence {
            return Err(Error::new(ErrorKind::Conflict, operation)
                .with_context("stored fence", self.mark.fence)
                .with_context("own fence", fence));
        }
        self.mark.fence = fence;
        Ok(self)
    }
}

#[async_trait]
impl PartitionStore for MemoryStore {
    async fn take(&self, partition: Partition, above: Fence) -> Result<Mark> {
        let mut all = lock(&self.data);
        let mark = &mut all.entry(partition).or_default().mark;
        mark.fence = Fence(mark.fence.max(above).0 + 1);
        Ok(mark.clone())
    }

    async fn save(&self, batches: Vec<PartitionBatch>) -> Result<Vec<Result<Saved>>> {
        let live: BTreeSet<Node> = self.leases.live().into_iter().collect();
        let mut all = lock(&self.data);
        let saved = batches.into_iter().map(|batch| {
            let data = all.entry(batch.partition).or_default();
            data.check(&batch)?;
            Ok(data.apply(batch, &live))
        });
        Ok(saved.collect())
    }

    async fn outbox(&self, partition: Partition) -> Result<Vec<Decision>> {
        let all = lock(&self.data);
        let outbox = all
            .get(&partition)
            .into_iter()
            .flat_map(|data| data.outbox.values());
        Ok(outbox.map(|decision| decision.as_ref().clone()).collect())
    }

    async fn trim(&self, partition: Partition, fence: Fence, before: Offset) -> Result<()> {
        let mut all = lock(&self.data);
        let data = all
            .entry(partition)
            .or_default()
            .fenced(fence, "trim the outbox")?;
        data.outbox = data.outbox.split_off(&before);
        data.mark.trimmed = data.mark.trimmed.max(before);
        Ok(())
    }

    async fn marks(&self, partitions: &[Partition]) -> Result<Vec<Mark>> {
        let all = lock(&self.data);
        let mark = |p| all.get(p).map(|data| data.mark.clone()).unwrap_or_default();
        Ok(partitions.iter().map(mark).collect())
    }

    async fn rebuild(&self, partition: Partition, fence: Fence, step: Rebuild) -> Result<()> {
        let mut all = lock(&self.data);
        let data = all.entry(partition).or_default();
        let mark = &data.mark;
        if let Rebuild::Done {
            incarnation,
            applied,
        } = step
            && (mark.fence, mark.incarnation, mark.applied) != (fence, incarnation, applied)
        {
            return Err(Error::new(ErrorKind::Conflict, "build a partition again")
                .with_context("partition", partition)
                .with_context("stored", mark.applied)
                .with_context("expected", applied));
        }
        let data = data.fenced(fence, "build a partition again")?;
        match step {
            Rebuild::Begin(mark) => {
                let routes = std::mem::take(&mut data.routes);
                let mark = Mark {
                    fence,
                    built: false,
                    ..mark
                };
                *data = PartitionData {
                    mark,
                    routes,
                    ..PartitionData::default()
                };
            }
            Rebuild::Done { .. } => data.mark.built = true,
        }
        Ok(())
    }

    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueLine>> {
        let all = lock(&self.data);
        let lines = all
            .get(&partition)
            .into_iter()
            .flat_map(|data| data.due.values().flatten());
        let mut due: Vec<_> = lines.filter(|line| line.at <= until).cloned().collect();
        due.sort();
        due.truncate(limit);
        Ok(due)
    }
}

#[async_trait]
impl StreamStore for MemoryStore {
    async fn follow(&self, follow: Follow) -> Result<Followed> {
        let mut followed = self.with_stream(&follow.stream, "follow a stream", |data| {
            data.follow(&follow)
        })?;
        let FollowFrom::After(asked) = follow.from else {
            return Ok(followed);
        };
        if asked.seq < followed.page.after.seq {
            let upto = followed.page.after.seq;
            let limit = follow.limit;
            let range = ReadRange {
                stream: follow.stream,
                after: asked.seq,
                upto,
                limit,
            };
            followed.page = self.read_archive(&range, upto).await?;
        }
        Ok(followed)
    }

    async fn unfollow(&self, stream: &StreamId, node: &Node) -> Result<()> {
        self.with_stream(stream, "unfollow a stream", |data| {
            if let Some(nodes) = data.routes.get_mut(stream) {
                nodes.remove(node);
                if nodes.is_empty() {
                    data.routes.remove(stream);
                }
            }
        })
    }

    async fn read(&self, range: ReadRange) -> Result<Page> {
        let (base, page) = self.with_stream(&range.stream, "read a stream", |data| {
            data.streams.get(&range.stream).map_or(
                (
                    None,
                    Page {
                        after: Position::default(),
                        events: Vec::new(),
                    },
                ),
                |s| {
                    let after = range.after.max(s.base.seq);
                    (Some(s.base.seq), s.page(after, range.upto, range.limit))
                },
            )
        })?;
        match base {
            Some(base) if range.after >= base => Ok(page),
            Some(base) => {
                let archived = self.read_archive(&range, base).await?;
                let wanted = range.limit > 0 && range.after < range.upto;
                if archived.events.is_empty() && wanted {
                    return Err(Error::new(ErrorKind::Corrupt, "read a stream")
                        .with_context("stream", &range.stream)
                        .with_context("not in the archive after", range.after));
                }
                Ok(archived)
            }
            None => self.read_archive(&range, Seq(u64::MAX)).await,
        }
    }

    async fn heads(&self, streams: &[StreamId]) -> Result<Vec<Position>> {
        let head = |stream: &StreamId| {
            self.with_stream(stream, "read heads", |data| {
                data.streams
                    .get(stream)
                    .map(StreamData::head)
                    .unwrap_or_default()
            })
        };
        streams.iter().map(head).collect()
    }

    async fn routes(&self, stream: &StreamId) -> Result<Vec<Node>> {
        let live: BTreeSet<Node> = self.leases.live().into_iter().collect();
        self.with_stream(stream, "read routes", |data| {
            let nodes = data.routes.get(stream).into_iter().flatten();
            nodes.filter(|node| live.contains(*node)).cloned().collect()
        })
    }

    async fn load(&self, targets: &[Target]) -> Result<Vec<StoredState>> {
        let all = lock(&self.data);
        let load = |target: &Target| {
            let data = all.get(&target.partition(self.partitions));
            let Some(state) = data.and_then(|data| data.states.get(target)) else {
                return Ok(StoredState::default());
            };
            let decisions = state.decisions.iter().map(|bytes| record::decode(bytes));
            Ok(StoredState {
                snapshot: state.snapshot.clone(),
                decisions: decisions.collect::<Result<_>>()?,
            })
        };
        targets.iter().map(load).collect()
    }
}
