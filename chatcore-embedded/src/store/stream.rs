//! The view as sessions use it.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use chatcore::{
    content::Sealed,
    error::{Error, ErrorKind, Result},
    ids::{Node, Partition, Seq, StreamId, Target},
    record::{Position, StreamEvent},
    store::{
        Follow, FollowFrom, Followed, LeaseStore as _, Page, ReadRange, StoredState, StreamStore,
    },
};

use super::{
    EmbeddedStore,
    layout::{self, StreamHead},
    read_mark,
};
use crate::{
    error::corrupt,
    tables::{CURSORS, STATE_TAILS, STATES, STREAM_EVENTS, STREAMS, Snapshot, View as _},
    writer::Failure,
};

const READ: &str = "read a stream";

/// One stream at one moment.
struct StreamView<'a> {
    view: &'a Snapshot,
    partition: Partition,
    stream: &'a StreamId,
    stored: Option<StreamHead>,
}

impl<'a> StreamView<'a> {
    fn new(view: &'a Snapshot, stream: &'a StreamId, partitions: u32) -> Result<Self, Failure> {
        let partition = stream.partition(partitions);
        if !read_mark(view, partition)?.built {
            return Err(Failure::Refused(
                Error::new(ErrorKind::Rebuilding, READ).with_context("partition", partition),
            ));
        }
        let stored = layout::get(view, STREAMS, &layout::stream_key(partition, stream))?;
        Ok(Self {
            view,
            partition,
            stream,
            stored,
        })
    }

    fn head(&self) -> Position {
        self.stored.as_ref().map(|s| s.head).unwrap_or_default()
    }

    /// The events after `after`; those that have left the live view are left out.
    fn page(&self, after: Seq, upto: Seq, limit: usize) -> Result<Page, Failure> {
        let Some(StreamHead { base, head, .. }) = self.stored else {
            return Ok(Page {
                after: Position::default(),
                events: Vec::new(),
            });
        };
        let after = after.max(base.seq);
        if after >= head.seq {
            return Ok(Page {
                after: head,
                events: Vec::new(),
            });
        }
        let key = |seq: Seq| layout::event_key(self.partition, self.stream, seq);
        let before = if after == base.seq {
            base
        } else {
            let event: Option<StreamEvent<Sealed>> =
                layout::get(self.view, STREAM_EVENTS, &key(after))?;
            event.map(position).ok_or_else(missing)?
        };
        let mut events: Vec<StreamEvent<Sealed>> = Vec::new();
        let upto = upto.min(head.seq);
        if upto > after {
            let range = key(after.next()).until(key(upto.next()));
            events = layout::list(self.view, STREAM_EVENTS, &range, limit)?;
        }
        let mut expected = after;
        for event in &events {
            expected = expected.next();
            if event.seq != expected {
                return Err(missing());
            }
        }
        Ok(Page {
            after: before,
            events,
        })
    }
}

fn position(event: StreamEvent<Sealed>) -> Position {
    Position {
        seq: event.seq,
        hash: event.hash,
    }
}

fn missing() -> Failure {
    Failure::Refused(corrupt(READ, "an event of a stream is missing"))
}

impl EmbeddedStore {
    /// What a page lacks at its beginning because it has left the live view.
    async fn archived(&self, range: &ReadRange, base: Seq) -> Result<Page> {
        let gap = usize::try_from(base.0.saturating_sub(range.after.0)).unwrap_or(usize::MAX);
        let limit = range.limit.min(gap);
        let mut page = self.archive.read(&range.stream, range.after, limit).await?;
        page.events.retain(|event| event.seq <= range.upto);
        Ok(page)
    }
}

#[async_trait]
impl StreamStore for EmbeddedStore {
    async fn follow(&self, follow: Follow) -> Result<Followed> {
        let partitions = self.partitions;
        let Follow {
            stream,
            node,
            from,
            limit,
        } = follow;
        let (routes, followed_stream) = (Arc::clone(&self.routes), stream.clone());
        let moment = move |begin: &dyn Fn() -> Snapshot| routes.add(&followed_stream, &node, begin);
        let followed_stream = stream.clone();
        let read = self.database.read_from(moment, move |view| {
            let stream = StreamView::new(view, &followed_stream, partitions)?;
            let head = stream.head();
            let after = match from {
                FollowFrom::After(position) => position.seq,
                FollowFrom::Tail(count) => Seq(head.seq.0.saturating_sub(count as u64)),
            };
            let cursors = match &followed_stream {
                StreamId::Dialog(dialog) => {
                    let range = layout::cursors_key(stream.partition, *dialog).prefix();
                    layout::list(view, CURSORS, &range, usize::MAX)?
                }
                _ => Vec::new(),
            };
            Ok(Followed {
                page: stream.page(after, head.seq, limit)?,
                head,
                cursors,
                access: stream.stored.map(|s| s.access),
            })
        });
        let mut followed = read.await?;
        if let FollowFrom::After(asked) = from
            && asked.seq < followed.page.after.seq
        {
            let upto = followed.page.after.seq;
            let range = ReadRange {
                stream,
                after: asked.seq,
                upto,
                limit,
            };
            followed.page = self.archived(&range, upto).await?;
        }
        Ok(followed)
    }

    async fn unfollow(&self, stream: &StreamId, node: &Node) -> Result<()> {
        self.routes.remove(stream, node);
        Ok(())
    }

    async fn read(&self, range: ReadRange) -> Result<Page> {
        let partitions = self.partitions;
        let asked = range.clone();
        let read = self.database.read(move |view| {
            let stream = StreamView::new(view, &asked.stream, partitions)?;
            let base = stream.stored.as_ref().map(|s| s.base.seq);
            Ok((base, stream.page(asked.after, asked.upto, asked.limit)?))
        });
        let (base, page) = read.await?;
        match base {
            Some(base) if range.after >= base => Ok(page),
            Some(base) => {
                let archived = self.archived(&range, base).await?;
                let wanted = range.limit > 0 && range.after < range.upto;
                if archived.events.is_empty() && wanted {
                    return Err(corrupt(READ, "the archive lacks what has left")
                        .with_context("stream", &range.stream)
                        .with_context("after", range.after));
                }
                Ok(archived)
            }
            None => self.archived(&range, Seq(u64::MAX)).await,
        }
    }

    async fn heads(&self, streams: &[StreamId]) -> Result<Vec<Position>> {
        let (streams, partitions) = (streams.to_vec(), self.partitions);
        let read = self.database.read(move |view| {
            let heads = streams
                .iter()
                .map(|stream| Ok(StreamView::new(view, stream, partitions)?.head()));
            heads.collect()
        });
        read.await
    }

    async fn routes(&self, stream: &StreamId) -> Result<Vec<Node>> {
        let live: BTreeSet<Node> = self.leases.alive().await?.into_iter().collect();
        Ok(self.routes.before(u64::MAX, stream, &live))
    }

    async fn load(&self, targets: &[Target]) -> Result<Vec<StoredState>> {
        let (targets, partitions) = (targets.to_vec(), self.partitions);
        let read = self.database.read(move |view| {
            let load = |target: &Target| -> Result<StoredState, Failure> {
                let key = layout::target_key(target.partition(partitions), target);
                Ok(StoredState {
                    snapshot: view.get(STATES, key.bytes())?,
                    decisions: layout::list(view, STATE_TAILS, &key.prefix(), usize::MAX)?,
                })
            };
            targets.iter().map(load).collect()
        });
        read.await
    }
}
