//! One partition's batch: checked as a whole, then written as a whole.

use std::collections::{BTreeMap, BTreeSet};

use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::{Partition, StreamId, Target},
    record::{Appended, CursorMove, Position},
    store::{DueLine, Mark, PartitionBatch},
};

use super::{
    layout::{self, StreamHead},
    read_mark,
};
use crate::{
    keys::Key,
    tables::{
        CURSORS, DUE, DUE_BY_TARGET, Group, MARKS, OUTBOX, STATE_TAILS, STATES, STREAM_EVENTS,
        STREAMS, View as _,
    },
    writer::Failure,
};

const SAVE: &str = "save a batch";

/// The streams that a batch wrote events or cursors to.
pub(super) type Touched = BTreeSet<StreamId>;

/// Applies a batch. The inner error is the batch's own: nothing of it was written.
pub(super) fn save(
    group: &mut Group<'_>,
    batch: &PartitionBatch,
) -> Result<Result<Touched>, Failure> {
    let mark = match check(group, batch) {
        Ok(mark) => mark,
        Err(Failure::Refused(error)) => return Ok(Err(error)),
        Err(database) => return Err(database),
    };
    match apply(group, batch, mark) {
        Ok(touched) => Ok(Ok(touched)),
        // Half written: the group can't go on.
        Err(Failure::Refused(error)) => {
            Err(Failure::Database(redb::Error::Corrupted(error.to_string())))
        }
        Err(database) => Err(database),
    }
}

fn check(group: &Group<'_>, batch: &PartitionBatch) -> Result<Mark, Failure> {
    let mark = read_mark(group, batch.partition)?;
    let conflict = |what: &'static str, stored: u64, expected: u64| {
        Err(Failure::Refused(
            Error::new(ErrorKind::Conflict, SAVE)
                .with_context("partition", batch.partition)
                .with_context("differs", what)
                .with_context("stored", stored)
                .with_context("expected", expected),
        ))
    };
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
        let head = match heads.get(&appended.stream) {
            Some(head) => Some(*head),
            None => stored_head(group, batch.partition, &appended.stream)?.map(|s| s.head),
        };
        // A stream that is not stored may go on from where the archive has it.
        if head.is_some_and(|head| head != appended.after) {
            return Err(Failure::Refused(
                Error::new(ErrorKind::Corrupt, SAVE)
                    .with_context("stream", &appended.stream)
                    .with_context("found", "events that do not follow the stored ones")
                    .with_context("after", appended.after.seq),
            ));
        }
        heads.insert(&appended.stream, appended.upto());
    }
    Ok(mark)
}

fn stored_head(
    group: &Group<'_>,
    partition: Partition,
    stream: &StreamId,
) -> Result<Option<StreamHead>, Failure> {
    layout::get(group, STREAMS, &layout::stream_key(partition, stream))
}

fn apply(group: &mut Group<'_>, batch: &PartitionBatch, mark: Mark) -> Result<Touched, Failure> {
    let partition = batch.partition;
    let mut touched = Touched::new();
    let replaced: BTreeSet<&Target> = batch.snapshots.iter().map(|(t, _)| t).collect();
    for stored in &batch.decisions {
        let decision = &stored.decision;
        for appended in &decision.appended {
            append(group, partition, appended)?;
            touched.insert(appended.stream.clone());
        }
        for cursor in &decision.cursors {
            move_cursor(group, partition, cursor)?;
            touched.insert(StreamId::Dialog(cursor.dialog));
        }
        let cause = decision.cause.0;
        if decision.cause >= mark.trimmed {
            group.put_bytes(OUTBOX, Key::of(partition).u64(cause).bytes(), &stored.bytes)?;
        }
        // A snapshot of this batch covers it already.
        if !replaced.contains(&decision.target) {
            let key = layout::target_key(partition, &decision.target).u64(cause);
            group.put_bytes(STATE_TAILS, key.bytes(), &stored.bytes)?;
        }
    }
    for (target, snapshot) in &batch.snapshots {
        let key = layout::target_key(partition, target);
        group.put_bytes(STATES, key.bytes(), snapshot)?;
        group.remove_range(STATE_TAILS, &key.prefix())?;
    }
    for (target, lines) in &batch.due {
        set_due(group, partition, target, lines)?;
    }
    for stream in &batch.forget {
        forget(group, partition, stream)?;
        touched.remove(stream);
    }
    let mut received = mark.received;
    received.extend(batch.received.clone());
    let mark = Mark {
        fence: batch.fence,
        applied: batch.applied,
        dialogs: batch.dialogs,
        received,
        events: batch.events,
        trial: batch.trial.clone(),
        ..mark
    };
    layout::put(group, MARKS, &Key::of(partition), &mark)?;
    Ok(touched)
}

fn append(group: &mut Group<'_>, partition: Partition, appended: &Appended) -> Result<(), Failure> {
    let before = stored_head(group, partition, &appended.stream)?;
    let head = StreamHead {
        base: before.map_or(appended.after, |s| s.base),
        head: appended.upto(),
        access: appended.access.clone(),
    };
    for event in &appended.events {
        let key = layout::event_key(partition, &appended.stream, event.seq);
        layout::put(group, STREAM_EVENTS, &key, event)?;
    }
    let key = layout::stream_key(partition, &appended.stream);
    layout::put(group, STREAMS, &key, &head)
}

/// The highest wins, for each of the two by itself.
fn move_cursor(
    group: &mut Group<'_>,
    partition: Partition,
    cursor: &CursorMove,
) -> Result<(), Failure> {
    let key = layout::cursor_key(partition, cursor)?;
    let mut moved = cursor.clone();
    if let Some(before) = layout::get::<CursorMove>(group, CURSORS, &key)? {
        moved.delivered = moved.delivered.max(before.delivered);
        moved.read = moved.read.max(before.read);
    }
    layout::put(group, CURSORS, &key, &moved)
}

fn set_due(
    group: &mut Group<'_>,
    partition: Partition,
    target: &Target,
    lines: &[DueLine],
) -> Result<(), Failure> {
    let by_target = layout::target_key(partition, target);
    let before: Option<Vec<DueLine>> = layout::get(group, DUE_BY_TARGET, &by_target)?;
    for line in before.into_iter().flatten() {
        group.remove(DUE, layout::due_key(partition, &line).bytes())?;
    }
    for line in lines {
        layout::put(group, DUE, &layout::due_key(partition, line), line)?;
    }
    if lines.is_empty() {
        group.remove(DUE_BY_TARGET, by_target.bytes())?;
        return Ok(());
    }
    layout::put(group, DUE_BY_TARGET, &by_target, &lines)
}

fn forget(group: &mut Group<'_>, partition: Partition, stream: &StreamId) -> Result<(), Failure> {
    let key = layout::stream_key(partition, stream);
    if group.get(STREAMS, key.bytes())?.is_some() {
        group.remove(STREAMS, key.bytes())?;
        group.remove_range(STREAM_EVENTS, &key.prefix())?;
    }
    if let StreamId::Dialog(dialog) = stream {
        group.remove_range(CURSORS, &layout::cursors_key(partition, *dialog).prefix())?;
    }
    Ok(())
}
