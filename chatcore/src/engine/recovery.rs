//! Taking a partition over: after a start, a hand-over, a refused save, and after the store lost
//! writes or everything. One code for all of them.
//!
//! 1. Take the fence, append it to `events`, and read what was published up to there. Whoever had
//!    the partition before can save nothing more, and what they still publish is void.
//! 2. If the store is not built, begin it again from the snapshots. One that was built from another
//!    journal is refused: its view would be replaced by what this one has.
//! 3. Save what was published and is not in the store. It is not decided again.
//! 4. Emit what is in the store and was not emitted: all that the committed offset has not passed.
//! 5. The commands after the last one in the store are decided as usual.

use tokio_util::sync::CancellationToken;

use super::{
    context::{Backoff, Context, is_final},
    emit::{Job, emit},
    lane::{Lane, Stage},
    presence,
    published::Published,
    reader::Reader,
    stats::count,
    tenure::Tenure,
    trial,
};
use crate::{
    error::{Error, ErrorKind, Result},
    ids::{Fence, Offset, Partition, Target},
    journal::Log,
    record::{self, Decision, EventRecord},
    sabotage::{self, Switch},
    store::{Mark, PartitionBatch, Rebuild, StoredDecision},
};

/// Snapshots saved and decisions emitted at a time.
const CHUNK: usize = 256;

/// What is taken over.
#[derive(Debug, Clone)]
pub(super) struct Takeover {
    pub(super) partition: Partition,
    /// The group's position: all below it is emitted.
    pub(super) committed: Offset,
    /// How often it was taken over in vain just before.
    pub(super) restarts: u32,
    /// The store contradicts itself: build it again whatever its marks say.
    pub(super) rebuild: bool,
}

/// Takes the partition over, trying again as long as that can help; none once `stop` is cancelled.
pub(super) async fn recover(
    cx: &Context,
    mut takeover: Takeover,
    stop: &CancellationToken,
) -> Result<Option<Lane>> {
    let mut backoff = Backoff::new(&cx.config);
    for _ in 0..takeover.restarts.min(8) {
        let pause = backoff.step();
        if takeover.restarts > 1 {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
    loop {
        let done = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(None),
            done = attempt(cx, &takeover) => done,
        };
        match done {
            Ok(lane) => {
                count(&cx.stats.recoveries, 1);
                return Ok(Some(lane));
            }
            Err(error) if is_final(&error) || error.kind() == ErrorKind::Invalid => {
                return Err(error);
            }
            Err(error) => {
                takeover.rebuild |= error.kind() == ErrorKind::Corrupt;
                count(&cx.stats.retries, 1);
                tracing::warn!(%error, partition = %takeover.partition, "could not take over yet");
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(None),
            () = backoff.wait() => {}
        }
    }
}

async fn attempt(cx: &Context, takeover: &Takeover) -> Result<Lane> {
    let partition = takeover.partition;
    is_of_this_journal(cx, partition).await?;
    let (first, end) = cx.ports.journal.bounds(Log::Commands, partition).await?;
    let (mut mark, found) = take(cx, takeover, end).await?;
    if !found.is_whole {
        mark = begin(cx, takeover, (mark, &found), first).await?;
    }
    let before = mark.trial.clone();
    let mut lane = Lane::new(partition, cx.incarnation(), mark);
    let is_behind = found.last.is_some_and(|last| last >= lane.applied);
    if is_behind && !sabotage::on(Switch::DecidedAgain) {
        replay(cx, &mut lane, &found).await?;
    }
    if lane.applied < first && first <= takeover.committed {
        pass_over(cx, &mut lane, first).await?;
    }
    if !found.is_whole {
        let done = Rebuild::Done {
            incarnation: cx.incarnation(),
            applied: lane.applied,
        };
        cx.ports
            .partitions
            .rebuild(partition, lane.fence, done)
            .await?;
    }
    lane.events = found.upto;
    let before = before.filter(|trial| trial.offset == lane.applied);
    let may_kill = before.as_ref().is_some_and(|t| trial::has_others(cx, t));
    let noted = before.unwrap_or_else(|| trial::begin(cx, None, lane.applied));
    save(cx, lane.note(Some(noted.clone()))).await?;
    lane.trial = Some(noted);
    if may_kill {
        let backlog = end.0.saturating_sub(lane.applied.0);
        let backlog = usize::try_from(backlog).unwrap_or(usize::MAX);
        lane.cautious = backlog.min(cx.config.batch_records_max);
    }
    emit_difference(cx, &mut lane, takeover.committed, &found).await?;
    presence::watch(cx, &mut lane).await?;
    Ok(lane)
}

/// What was found in `events`.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Where the reading began.
    from: Offset,
    /// After the own `owner` record.
    upto: Offset,
    /// The cause of the last decision that counts.
    last: Option<Offset>,
    /// The cause of the first.
    first: Option<Offset>,
    /// The store is of this journal, built, and not ahead of it.
    is_whole: bool,
}

/// Refuses a view that was built from another journal, before anything is written.
async fn is_of_this_journal(cx: &Context, partition: Partition) -> Result<()> {
    let marks = cx.ports.partitions.marks(&[partition]).await?;
    let other = marks
        .into_iter()
        .find(|mark| mark.built && mark.incarnation != cx.incarnation());
    match other {
        None => Ok(()),
        Some(mark) => Err(
            Error::new(ErrorKind::Invalid, "take over a view of another journal")
                .with_context("partition", partition)
                .with_context("view of", mark.incarnation)
                .with_context("journal", cx.incarnation())
                .with_context(
                    "do",
                    "bring the former journal back, or empty the store if that one is gone for good",
                ),
        ),
    }
}

/// Takes the fence and reads what was published before it.
async fn take(cx: &Context, takeover: &Takeover, commands_end: Offset) -> Result<(Mark, Found)> {
    let partition = takeover.partition;
    let mut above = Fence(0);
    loop {
        let mark = cx.ports.partitions.take(partition, above).await?;
        let fence = mark.fence;
        let bytes = record::encode(&EventRecord::Owner { fence })?;
        let receipt = cx.append(Log::Events, partition, bytes).await?.await?;
        let (first, _) = cx.ports.journal.bounds(Log::Events, partition).await?;
        let is_whole = mark.built
            && mark.incarnation == cx.incarnation()
            && mark.applied <= commands_end
            && !takeover.rebuild;
        let from = match is_whole && mark.events <= receipt.offset {
            // With the record before it, which is of the owner who noted the place: without its
            // fence, what a former owner published after it would count.
            true => Offset(mark.events.0.saturating_sub(1)).max(first),
            false => first,
        };
        let mut published = Published::default();
        let mut highest = Fence(0);
        let mut first_cause = None;
        let mut reader = Reader::new(partition, from, receipt.offset);
        while let Some(records) = reader.next(cx).await? {
            for record in records {
                highest = highest.max(record.fence());
                if let Some(decision) = published.take(record) {
                    first_cause = first_cause.or(Some(decision.cause));
                }
            }
        }
        if highest < fence {
            let found = Found {
                from,
                upto: receipt.offset.next(),
                last: published.last(),
                first: first_cause,
                is_whole,
            };
            return Ok((mark, found));
        }
        // The store forgot the fences that were taken; the journal did not.
        above = highest;
    }
}

/// Where a partition stands while snapshots are put there: each lot moves it by one, and the last to
/// where they cover. A store that loses one refuses the next.
pub(super) const PUTTING: Offset = Offset(1 << 63);

/// Empties the partition of the store and puts the snapshots there.
async fn begin(
    cx: &Context,
    takeover: &Takeover,
    (mark, found): (Mark, &Found),
    commands_first: Offset,
) -> Result<Mark> {
    let partition = takeover.partition;
    count(&cx.stats.rebuilds, 1);
    if found.last.is_some() {
        tracing::warn!(%partition, "building the partition again from the journal");
    } else {
        tracing::debug!(%partition, "beginning a partition that nothing was published in");
    }
    let begun = Mark {
        fence: mark.fence,
        incarnation: cx.incarnation(),
        applied: PUTTING,
        trimmed: takeover.committed,
        events: found.from,
        trial: mark.trial,
        ..Mark::default()
    };
    cx.ports
        .partitions
        .rebuild(partition, mark.fence, Rebuild::Begin(begun.clone()))
        .await?;
    let mut batch = Lane::new(partition, cx.incarnation(), begun.clone()).note(begun.trial.clone());
    for (key, covered, bytes) in cx.ports.snapshots.read(partition).await? {
        let is_published =
            found.last.is_some_and(|last| covered <= last) || sabotage::on(Switch::SnapshotAhead);
        match super::Aggregate::decode(&bytes) {
            Ok(aggregate) if is_published && aggregate.target().to_string() == key => {
                let target = aggregate.target().clone();
                batch
                    .due
                    .push((target.clone(), presence::due_lines(&aggregate)?));
                batch.snapshots.push((target, bytes));
            }
            Ok(_) => {}
            // Without it and without its decisions the target would be lost.
            Err(error) if error.kind() == ErrorKind::NewerFormat && found.from > Offset(0) => {
                return Err(error.with_context("snapshot", key));
            }
            // Its decisions are in `events` and give the same state.
            Err(error) => tracing::error!(%error, key, "a snapshot can't be read"),
        }
        if batch.snapshots.len() >= CHUNK {
            batch.applied = batch.expected.next();
            let rest = PartitionBatch {
                snapshots: Vec::new(),
                due: Vec::new(),
                expected: batch.applied,
                ..batch.clone()
            };
            save(cx, std::mem::replace(&mut batch, rest)).await?;
        }
    }
    batch.applied = found.first.unwrap_or(commands_first);
    let applied = batch.applied;
    save(cx, batch).await?;
    Ok(Mark { applied, ..begun })
}

async fn save(cx: &Context, batch: PartitionBatch) -> Result<()> {
    let results = cx.ports.partitions.save(vec![batch]).await?;
    results.into_iter().try_for_each(|result| result.map(drop))
}

/// Saves the published decisions that the store does not have.
async fn replay(cx: &Context, lane: &mut Lane, found: &Found) -> Result<()> {
    let mut published = Published::default();
    let mut reader = Reader::new(lane.partition, found.from, Offset(found.upto.0 - 1));
    while let Some(records) = reader.next(cx).await? {
        let decisions: Vec<Decision> = records
            .into_iter()
            .filter_map(|record| published.take(record))
            .filter(|decision| decision.cause >= lane.applied)
            .map(|decision| *decision)
            .collect();
        let Some(last) = decisions.last() else {
            continue;
        };
        let applied = last.cause.next();
        load(cx, lane, decisions.iter().map(|d| &d.target)).await?;
        let mut stage = Stage::default();
        for decision in decisions {
            lane.take_in(decision, &mut stage)?;
        }
        let (batch, _) = lane.close(cx, stage, applied)?;
        save(cx, batch).await?;
        lane.applied = applied;
        if lane.resident_count() > cx.config.resident_max {
            lane.evict(u64::MAX);
        }
    }
    Ok(())
}

/// The commands after the last published decision have left the journal: they were committed, so
/// all that they led to was published, which is nothing (a follow-up that came twice, a record that
/// nobody could read).
async fn pass_over(cx: &Context, lane: &mut Lane, upto: Offset) -> Result<()> {
    let batch = PartitionBatch {
        applied: upto,
        ..lane.note(lane.trial.clone())
    };
    save(cx, batch).await?;
    lane.applied = upto;
    Ok(())
}

/// Takes the states of these targets into memory.
pub(super) async fn load<'a>(
    cx: &Context,
    lane: &mut Lane,
    targets: impl Iterator<Item = &'a Target>,
) -> Result<()> {
    let mut missing: Vec<Target> = targets.filter(|t| !lane.has(t)).cloned().collect();
    missing.sort();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let stored = cx.ports.streams.load(&missing).await?;
    for (target, stored) in missing.iter().zip(&stored) {
        lane.install(target, stored)?;
    }
    Ok(())
}

/// Emits what is in the store and was not emitted, in order.
async fn emit_difference(
    cx: &Context,
    lane: &mut Lane,
    committed: Offset,
    found: &Found,
) -> Result<()> {
    if sabotage::on(Switch::NoOutbox) {
        return Ok(());
    }
    let outbox = cx.ports.partitions.outbox(lane.partition).await?;
    let mut difference: Vec<StoredDecision> = Vec::new();
    for decision in outbox {
        if decision.cause >= committed {
            difference.push(StoredDecision {
                bytes: record::encode(&decision)?,
                decision: std::sync::Arc::new(decision),
            });
        }
    }
    count(&cx.stats.emitted_for_others, difference.len());
    let publish_from = found.last.map_or(Offset(0), Offset::next);
    let tenure = Tenure::new(lane.partition, lane.fence, found.upto);
    for chunk in difference.chunks(CHUNK) {
        let job = Job {
            upto: lane.applied,
            decisions: chunk.to_vec(),
            letters: std::collections::BTreeMap::new(),
            snapshots: Vec::new(),
            routes: None,
            publish_from,
        };
        if let Some(events) = emit(cx, &tenure, &job).await? {
            lane.events = events;
        }
    }
    Ok(())
}
