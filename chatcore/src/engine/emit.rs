//! Emitting: what follows from decisions that are saved. Pure functions of the outbox, done at
//! least once and in order; whoever receives them takes each once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use serde::Serialize;

use super::{context::Context, lane::letter_reason, stats::count, tenure::Tenure};
use crate::{
    dialog::Rejection,
    error::{ErrorKind, Result},
    ids::{DialogId, Fence, Label, Node, Offset, Participant, Partition, StreamId},
    journal::{DeadLetter, Log, Pending},
    record::{
        self, Appended, CommandId, CommandRecord, CursorMove, Decision, Outcome, Reply, Verdict,
    },
    routing::NodeFrame,
    sabotage::{Switch, on},
    store::StoredDecision,
};

/// Frames are not joined past this: a reader's buffer takes many of that.
const JOINED_BYTES_MAX: usize = 64 * 1024;

/// What one batch leaves to be emitted.
#[derive(Debug)]
pub(super) struct Job {
    /// The offset after the last command of the batch.
    pub(super) upto: Offset,
    pub(super) decisions: Vec<StoredDecision>,
    /// The records of decisions that are dead letters; what is not here is read from the journal.
    pub(super) letters: BTreeMap<Offset, Bytes>,
    /// For the compacted table, once the decisions are published.
    pub(super) snapshots: Vec<(String, Offset, Option<Bytes>)>,
    /// As of the save; none when they must be asked for.
    pub(super) routes: Option<BTreeMap<StreamId, Vec<Node>>>,
    /// Decisions with a lower cause are published.
    pub(super) publish_from: Offset,
}

/// Hands frames to the nodes and publishes, at once. It may be done again after any failure, whole.
///
/// Answers and fails as [`publish`].
pub(super) async fn emit(cx: &Context, tenure: &Tenure, job: &Job) -> Result<Option<Offset>> {
    let jobs = std::slice::from_ref(job);
    let ((), events) = tokio::join!(deliver(cx, jobs), publish(cx, tenure, jobs));
    events
}

/// Makes known what the jobs decided. It may be done again after any failure, whole.
///
/// Fails with `Conflict` when the partition is another's by now: doing it again can't help.
///
/// Answers the offset in `events` after the last record that it published, if it did.
pub(super) async fn publish(cx: &Context, tenure: &Tenure, jobs: &[Job]) -> Result<Option<Offset>> {
    let partition = tenure.partition;
    if on(Switch::SnapshotAhead) {
        keep_snapshots(cx, partition, jobs).await?;
    }
    let events = publish_and_follow(cx, tenure, jobs).await?;
    for job in jobs {
        bury(cx, partition, job).await?;
    }
    keep_snapshots(cx, partition, jobs).await?;
    Ok(events)
}

async fn keep_snapshots(cx: &Context, partition: Partition, jobs: &[Job]) -> Result<()> {
    let snapshots = jobs.iter().flat_map(|job| &job.snapshots);
    let snapshots: Vec<_> = snapshots.cloned().collect();
    if snapshots.is_empty() {
        return Ok(());
    }
    cx.ports.snapshots.put(partition, snapshots).await
}

/// What stands before the decision in an [`EventRecord`].
///
/// [`EventRecord`]: crate::record::EventRecord
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Publishing {
    Decided {
        fence: Fence,
        /// Nil, in its one byte, where the decision goes.
        decision: (),
    },
}

/// The record of a decision, from the bytes that it was saved with: it is encoded once.
fn publishing(fence: Fence, decision: &[u8]) -> Result<Bytes> {
    let before = record::encoded(&Publishing::Decided {
        fence,
        decision: (),
    })?;
    let before = before.split_last().map_or(&[][..], |(_, before)| before);
    // Without its version byte.
    let decision = decision.get(1..).unwrap_or_default();
    Ok([before, decision].concat().into())
}

async fn publish_and_follow(cx: &Context, tenure: &Tenure, jobs: &[Job]) -> Result<Option<Offset>> {
    let (partition, fence) = (tenure.partition, tenure.fence);
    let (mut published, mut followed) = (Vec::new(), Vec::new());
    for job in jobs {
        for stored in &job.decisions {
            if stored.decision.cause >= job.publish_from {
                let bytes = publishing(fence, &stored.bytes)?;
                cx.decoded.publish(&bytes, fence, &stored.decision);
                published.push(cx.append(Log::Events, partition, bytes).await?);
            }
        }
        followed.extend(follow(cx, partition, job).await?);
    }
    count(&cx.stats.published, published.len());
    let mut offsets = Vec::new();
    for pending in published {
        offsets.push(pending.await?.offset);
    }
    for pending in followed {
        pending.await?;
    }
    tenure.confirm(cx, &offsets).await?;
    Ok(offsets.last().map(|last| last.next()))
}

/// Appends the follow-ups, in order.
async fn follow(cx: &Context, partition: Partition, job: &Job) -> Result<Vec<Pending>> {
    let mut appended = Vec::new();
    for stored in &job.decisions {
        let decision = &stored.decision;
        for (index, follow_up) in (0..).zip(&decision.follow_ups) {
            let body = record::encode(&follow_up.command)?;
            let record = CommandRecord {
                tenant: decision.tenant.clone(),
                trace: decision.trace.clone(),
                target: follow_up.target.clone(),
                author: Participant::System,
                rights: None,
                assurance: None,
                id: CommandId::FollowUp {
                    partition,
                    offset: decision.cause,
                    index,
                },
                redaction: None,
                reply_to: None,
                digest: 0,
                settled: 0,
                body,
            };
            let to = follow_up.target.partition(cx.partitions());
            let bytes = record::encode(&record)?;
            appended.push(cx.append(Log::Commands, to, bytes).await?);
        }
    }
    count(&cx.stats.follow_ups, appended.len());
    Ok(appended)
}

/// Hands frames to the nodes, best effort. What does not arrive is read by the sessions that miss
/// it.
pub(super) async fn deliver(cx: &Context, jobs: &[Job]) {
    let mut frames: BTreeMap<Node, Vec<Arc<NodeFrame>>> = BTreeMap::new();
    let mut streams: BTreeMap<Node, BTreeSet<StreamId>> = BTreeMap::new();
    let mut asked: BTreeMap<StreamId, Vec<Node>> = BTreeMap::new();
    for (job, parcel) in jobs
        .iter()
        .flat_map(|job| parcels(job).into_iter().map(move |parcel| (job, parcel)))
    {
        let (stream, frame) = match parcel {
            Parcel::Reply(node, frame) => {
                frames.entry(node).or_default().push(Arc::new(frame));
                continue;
            }
            Parcel::Events { appended, .. } => (
                appended.stream.clone(),
                NodeFrame::Events(Arc::new(appended)),
            ),
            Parcel::Cursors(dialog, cursors) => (
                StreamId::Dialog(dialog),
                NodeFrame::Cursors { dialog, cursors },
            ),
        };
        let nodes = match &job.routes {
            Some(routes) => routes.get(&stream),
            None => {
                if !asked.contains_key(&stream) {
                    let nodes = cx.ports.streams.routes(&stream).await.unwrap_or_default();
                    asked.insert(stream.clone(), nodes);
                }
                asked.get(&stream)
            }
        };
        let frame = Arc::new(frame);
        for node in nodes.into_iter().flatten() {
            frames.entry(node.clone()).or_default().push(frame.clone());
            streams
                .entry(node.clone())
                .or_default()
                .insert(stream.clone());
        }
    }
    let sends = frames.into_iter().map(|(node, frames)| {
        let streams = streams.remove(&node).unwrap_or_default();
        send(cx, node, frames, streams)
    });
    let told = futures_util::future::join_all(sends).await;
    count(&cx.stats.frames, told.into_iter().sum());
}

async fn send(
    cx: &Context,
    node: Node,
    frames: Vec<Arc<NodeFrame>>,
    streams: BTreeSet<StreamId>,
) -> usize {
    let frames_count = frames.len();
    let sent = cx.ports.inbox.send(&node, frames);
    match tokio::time::timeout(cx.config.deliver_max, sent).await {
        Err(_) => tracing::debug!(node = %node.id, "frames dropped: no answer in time"),
        Ok(Ok(())) => return frames_count,
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
            // Nobody is there: the routes are stale. A session that comes back writes its own.
            for stream in streams {
                if let Err(error) = cx.ports.streams.unfollow(&stream, &node).await {
                    tracing::debug!(%error, "a stale route stays until its node's lease ends");
                }
            }
        }
        Ok(Err(error)) => tracing::debug!(%error, node = %node.id, "frames dropped"),
    }
    count(&cx.stats.frames_dropped, frames_count);
    0
}

/// Something of a job that goes to nodes.
enum Parcel {
    Events {
        appended: Appended,
        /// No less than what the events take.
        bytes: usize,
    },
    Cursors(DialogId, Vec<CursorMove>),
    Reply(Node, NodeFrame),
}

/// What goes to nodes, in order. What several decisions of the batch appended to one stream goes in
/// one frame, as long as the same people may see it: the busier, the fewer frames.
fn parcels(job: &Job) -> Vec<Parcel> {
    let mut parcels = Vec::with_capacity(2 * job.decisions.len());
    let mut newest: BTreeMap<&StreamId, usize> = BTreeMap::new();
    for StoredDecision { decision, bytes } in &job.decisions {
        for appended in &decision.appended {
            let before = newest
                .get(&appended.stream)
                .and_then(|i| parcels.get_mut(*i));
            if !before.is_some_and(|before| join(before, appended, bytes.len())) {
                newest.insert(&appended.stream, parcels.len());
                parcels.push(Parcel::Events {
                    appended: appended.clone(),
                    bytes: bytes.len(),
                });
            }
        }
        let dialogs: BTreeSet<_> = decision.cursors.iter().map(|c| c.dialog).collect();
        for dialog in dialogs {
            let cursors = decision.cursors.iter().filter(|c| c.dialog == dialog);
            parcels.push(Parcel::Cursors(dialog, cursors.cloned().collect()));
        }
        if let Some((node, frame)) = reply_of(decision) {
            parcels.push(Parcel::Reply(node, frame));
        }
    }
    parcels
}

/// Adds events to those before them, if they follow and a frame may have them all.
fn join(before: &mut Parcel, next: &Appended, more: usize) -> bool {
    let Parcel::Events { appended, bytes } = before else {
        return false;
    };
    let joins = appended.upto() == next.after
        && appended.access == next.access
        && *bytes + more <= JOINED_BYTES_MAX;
    if joins {
        appended.events.extend(next.events.iter().cloned());
        *bytes += more;
    }
    joins
}

/// What the author hears, and where.
fn reply_of(decision: &Decision) -> Option<(Node, NodeFrame)> {
    let to = decision.reply_to.as_ref()?;
    let frame = NodeFrame::Reply {
        session: to.session,
        target: decision.target.clone(),
        id: decision.id.clone(),
        reply: reply(&decision.verdict)?,
    };
    Some((to.node.clone(), frame))
}

/// What the author of a command hears; none while it is parked.
#[must_use]
pub fn reply(verdict: &Verdict) -> Option<Reply> {
    match verdict {
        Verdict::Decided(outcome) => Some(Reply::Outcome(outcome.clone())),
        Verdict::Repeated(reply) => Some(reply.clone()),
        Verdict::DeadLettered { .. } => {
            Some(Reply::Outcome(Outcome::Rejected(Rejection::Unreadable)))
        }
        Verdict::Parked { .. } => None,
    }
}

/// Puts what is a dead letter among them.
async fn bury(cx: &Context, partition: Partition, job: &Job) -> Result<()> {
    for stored in &job.decisions {
        let decision = &stored.decision;
        let Some(reason) = letter_reason(decision) else {
            continue;
        };
        let record = match job.letters.get(&decision.cause) {
            Some(bytes) => bytes.clone(),
            None => reread(cx, partition, decision).await?,
        };
        let letter = DeadLetter {
            origin: Label::literal("engine"),
            partition,
            offset: decision.cause,
            reason: reason.clone(),
            attempts: 1,
            at: decision.at,
            record,
        };
        cx.ports.dead_letters.add(letter).await?;
    }
    Ok(())
}

/// The record of a command that was decided by another owner, or that was parked.
async fn reread(cx: &Context, partition: Partition, decision: &Decision) -> Result<Bytes> {
    let offset = decision.unparked.unwrap_or(decision.cause);
    let read = cx
        .ports
        .journal
        .read(Log::Commands, partition, offset, 1)
        .await;
    match read {
        Ok(records) => {
            let found = records.into_iter().find(|r| r.offset == offset);
            Ok(found.map(|r| r.bytes).unwrap_or_default())
        }
        // Trimmed away: what is known of it is still told.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Bytes::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Timestamp,
        dialog::CustomerEvent,
        engine::{chain::link, testing},
        ids::CustomerId,
        record::{Access, Event, EventRecord, Position},
    };

    #[test]
    fn what_is_published_has_the_bytes_of_its_record() {
        let decision = testing::decision(3);
        let bytes = publishing(Fence(2), &record::encode(&decision).unwrap());
        let record = EventRecord::Decided {
            fence: Fence(2),
            decision: Box::new(decision),
        };
        assert_eq!(bytes.unwrap(), record::encode(&record).unwrap());
    }

    /// A decision with one event of a stream, after this position.
    fn appending(cause: u64, after: Position, access: &Access) -> StoredDecision {
        let dialog = DialogId(cause);
        let event = Event::Customer(CustomerEvent::DialogOpened { dialog });
        let mut decision = testing::decision(cause);
        decision.appended.push(Appended {
            stream: StreamId::Customer(CustomerId::literal("anna")),
            after,
            events: vec![link(after, Timestamp(0), event)],
            access: access.clone(),
        });
        StoredDecision {
            bytes: record::encode(&decision).unwrap(),
            decision: Arc::new(decision),
        }
    }

    /// How many events each frame of the decisions has.
    fn events_of_frames(decisions: Vec<StoredDecision>) -> Vec<usize> {
        let job = Job {
            upto: Offset(9),
            decisions,
            letters: BTreeMap::new(),
            snapshots: Vec::new(),
            routes: None,
            publish_from: Offset(0),
        };
        let events = parcels(&job).into_iter().filter_map(|parcel| match parcel {
            Parcel::Events { appended, .. } => Some(appended.events.len()),
            _ => None,
        });
        events.collect()
    }

    #[test]
    fn events_of_a_batch_go_in_one_frame_as_long_as_the_same_people_see_them() {
        let anna = Access::Customer(CustomerId::literal("anna"));
        let first = appending(1, Position::default(), &anna);
        let second = appending(2, first.decision.appended[0].upto(), &anna);
        let joined = events_of_frames(vec![first.clone(), second.clone()]);
        assert_eq!(joined, [2]);
        let olga = Access::Customer(CustomerId::literal("olga"));
        let of_another = appending(2, first.decision.appended[0].upto(), &olga);
        assert_eq!(events_of_frames(vec![first.clone(), of_another]), [1, 1]);
        let third = appending(3, second.decision.appended[0].upto(), &anna);
        assert_eq!(
            events_of_frames(vec![first.clone(), third]),
            [1, 1],
            "a gap"
        );
        let mut long = second;
        long.bytes = vec![0; JOINED_BYTES_MAX].into();
        assert_eq!(events_of_frames(vec![first, long]), [1, 1]);
    }
}
