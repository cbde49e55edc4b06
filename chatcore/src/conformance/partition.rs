//! What a [`PartitionStore`](crate::store::PartitionStore) promises.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::samples::Writer;
use crate::{
    clock::Timestamp,
    error::ErrorKind,
    ids::{Fence, Incarnation, Offset, Partition, Seq, Target},
    ports::Ports,
    store::{DueLine, Mark, PartitionBatch, ReadRange, Rebuild},
};

const P0: Partition = Partition(0);
const P1: Partition = Partition(1);

async fn mark(ports: &Ports, partition: Partition) -> Mark {
    ports
        .partitions
        .marks(&[partition])
        .await
        .unwrap()
        .remove(0)
}

async fn refused(ports: &Ports, batch: PartitionBatch) -> ErrorKind {
    ports
        .partitions
        .save(vec![batch])
        .await
        .unwrap()
        .remove(0)
        .unwrap_err()
        .kind()
}

async fn due(ports: &Ports, until: i64) -> Vec<i64> {
    let due = ports
        .partitions
        .due(P0, Timestamp(until), 10)
        .await
        .unwrap();
    due.into_iter().map(|line| line.at.0).collect()
}

async fn events(ports: &Ports, writer: &Writer) -> usize {
    let range = ReadRange {
        stream: writer.stream(),
        after: Seq(0),
        upto: Seq(u64::MAX),
        limit: 1_000,
    };
    ports.streams.read(range).await.unwrap().events.len()
}

/// Each taking has a higher fence than all before, and than the one it is told.
pub async fn taking_raises_the_fence(ports: Ports) {
    let first = ports.partitions.take(P0, Fence(0)).await.unwrap().fence;
    let second = ports.partitions.take(P0, Fence(0)).await.unwrap().fence;
    let third = ports.partitions.take(P0, Fence(100)).await.unwrap().fence;
    assert!(first < second && Fence(100) < third);
}

/// A store without memory says so.
pub async fn a_fresh_store_is_not_built(ports: Ports) {
    let mark = mark(&ports, P0).await;
    assert!(!mark.built);
    assert_eq!(mark.applied, Offset(0));
}

/// `applied` is where the last save left it.
pub async fn a_save_moves_applied_and_nothing_else_does(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    writer.save(&ports, &["a", "b"]).await;
    assert_eq!(mark(&ports, P0).await.applied, Offset(2));
    let again = Writer::take(&ports, P0).await;
    assert_eq!(again.applied, Offset(2));
    assert!(mark(&ports, P0).await.built);
}

/// A batch from another position than `applied` writes nothing.
pub async fn a_save_from_another_position_is_a_conflict_and_writes_nothing(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let batch = writer.batch(&["a"]);
    Writer::put(&ports, batch.clone()).await;
    assert_eq!(refused(&ports, batch).await, ErrorKind::Conflict);
    assert_eq!(events(&ports, &writer).await, 1);
    assert_eq!(mark(&ports, P0).await.applied, Offset(1));
}

/// A former owner can't write.
pub async fn a_save_with_an_old_fence_is_a_conflict(ports: Ports) {
    let mut old = Writer::own(&ports, P0).await;
    Writer::take(&ports, P0).await;
    let batch = old.batch(&["late"]);
    assert_eq!(refused(&ports, batch).await, ErrorKind::Conflict);
    assert_eq!(events(&ports, &old).await, 0);
    let trim = ports.partitions.trim(P0, old.fence, Offset(0)).await;
    assert_eq!(trim.unwrap_err().kind(), ErrorKind::Conflict);
}

/// Records of another journal are not mixed in.
pub async fn a_save_of_another_incarnation_is_a_conflict(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    writer.incarnation = Incarnation(writer.incarnation.0 + 1);
    let batch = writer.batch(&["other"]);
    assert_eq!(refused(&ports, batch).await, ErrorKind::Conflict);
}

/// One partition's conflict does not stop another's save.
pub async fn batches_of_different_partitions_are_independent(ports: Ports) {
    let mut good = Writer::own(&ports, P0).await;
    let mut bad = Writer::own(&ports, P1).await;
    bad.applied = Offset(7);
    let batches = vec![bad.batch(&["bad"]), good.batch(&["good"])];
    let saved = ports.partitions.save(batches).await.unwrap();
    assert_eq!(saved[0].as_ref().unwrap_err().kind(), ErrorKind::Conflict);
    assert!(saved[1].is_ok());
    assert_eq!(events(&ports, &good).await, 1);
}

/// The outbox has the decisions that are not yet trimmed, in order.
pub async fn the_outbox_keeps_decisions_until_they_are_trimmed(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    writer.save(&ports, &["a", "b"]).await;
    writer.save(&ports, &["c"]).await;
    let causes = || async {
        let outbox = ports.partitions.outbox(P0).await.unwrap();
        outbox.into_iter().map(|d| d.cause).collect::<Vec<_>>()
    };
    assert_eq!(causes().await, [Offset(0), Offset(1), Offset(2)]);
    ports
        .partitions
        .trim(P0, writer.fence, Offset(2))
        .await
        .unwrap();
    assert_eq!(causes().await, [Offset(2)]);
    assert_eq!(mark(&ports, P0).await.trimmed, Offset(2));
}

/// What was emitted and committed before a partition is built again is not in its outbox.
pub async fn a_rebuild_puts_nothing_into_the_outbox_that_was_trimmed(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let begun = Mark {
        incarnation: writer.incarnation,
        trimmed: Offset(2),
        ..Mark::default()
    };
    let store = &ports.partitions;
    store
        .rebuild(P0, writer.fence, Rebuild::Begin(begun))
        .await
        .unwrap();
    writer.save(&ports, &["a", "b", "c"]).await;
    store
        .rebuild(P0, writer.fence, writer.done())
        .await
        .unwrap();
    let outbox = store.outbox(P0).await.unwrap();
    let causes: Vec<Offset> = outbox.into_iter().map(|d| d.cause).collect();
    assert_eq!(causes, [Offset(2)]);
}

/// A state is the newest snapshot and the decisions after it.
pub async fn a_snapshot_replaces_the_tail(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let target = writer.target();
    let load = || async {
        ports
            .streams
            .load(std::slice::from_ref(&target))
            .await
            .unwrap()
            .remove(0)
    };
    writer.save(&ports, &["a", "b"]).await;
    let state = load().await;
    assert_eq!((state.snapshot, state.decisions.len()), (None, 2));
    let mut batch = writer.batch(&["c"]);
    batch.snapshots.push((target.clone(), Bytes::from("state")));
    Writer::put(&ports, batch).await;
    let state = load().await;
    assert_eq!(
        (state.snapshot, state.decisions.len()),
        (Some(Bytes::from("state")), 0)
    );
    writer.save(&ports, &["d"]).await;
    let state = load().await;
    assert_eq!(state.decisions.len(), 1);
    assert_eq!(state.decisions[0].cause, Offset(3));
    assert_eq!(events(&ports, &writer).await, 4);
}

/// A target's due-lines are those of its last save that had some; they come earliest first.
pub async fn due_lines_are_replaced_and_come_in_order(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let target = writer.target();
    let line = |at, key: &'static str| DueLine {
        at: Timestamp(at),
        target: target.clone(),
        key: Bytes::from(key),
        generation: 1,
    };
    let save = |batch: PartitionBatch| async {
        Writer::put(&ports, batch).await;
    };
    let mut batch = writer.batch(&["a"]);
    batch
        .due
        .push((target.clone(), vec![line(30, "x"), line(10, "y")]));
    save(batch).await;
    assert_eq!(due(&ports, 5).await, [] as [i64; 0]);
    assert_eq!(due(&ports, 30).await, [10, 30]);
    writer.save(&ports, &["nothing of timers"]).await;
    assert_eq!(due(&ports, 10).await, [10]);
    let mut batch = writer.batch(&["b"]);
    batch.due.push((target.clone(), vec![line(20, "z")]));
    save(batch).await;
    assert_eq!(due(&ports, 100).await, [20]);
}

/// Building again begins with nothing, and sessions are told until it is done.
pub async fn a_rebuild_forgets_and_is_not_built_until_done(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    writer.save(&ports, &["a", "b"]).await;
    let begin = Mark {
        incarnation: writer.incarnation,
        ..Mark::default()
    };
    let store = &ports.partitions;
    store
        .rebuild(P0, writer.fence, Rebuild::Begin(begin))
        .await
        .unwrap();
    assert!(!mark(&ports, P0).await.built);
    assert_eq!(mark(&ports, P0).await.fence, writer.fence);
    assert!(store.outbox(P0).await.unwrap().is_empty());
    let state = ports
        .streams
        .load(&[writer.target()])
        .await
        .unwrap()
        .remove(0);
    assert!(state.decisions.is_empty());
    writer.applied = Offset(0);
    writer.head = crate::record::Position::default();
    writer.save(&ports, &["a"]).await;
    store
        .rebuild(P0, writer.fence, writer.done())
        .await
        .unwrap();
    assert!(mark(&ports, P0).await.built);
    assert_eq!(events(&ports, &writer).await, 1);
}

/// What was built is built only if all of it is there: not on a store that lost some of it.
pub async fn a_rebuild_is_done_only_with_all_that_was_put(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let begin = Mark {
        incarnation: writer.incarnation,
        ..Mark::default()
    };
    let store = &ports.partitions;
    let begun = store.rebuild(P0, writer.fence, Rebuild::Begin(begin));
    begun.await.unwrap();
    writer.save(&ports, &["a"]).await;
    let (fence, incarnation, applied) = (writer.fence, writer.incarnation, writer.applied);
    let others = [
        (fence, incarnation, applied.next()),
        (fence, Incarnation(incarnation.0 ^ 1), applied),
        (Fence(fence.0 + 1), incarnation, applied),
    ];
    for (fence, incarnation, applied) in others {
        let done = Rebuild::Done {
            incarnation,
            applied,
        };
        let refused = store.rebuild(P0, fence, done).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
    }
    let mark = mark(&ports, P0).await;
    assert!(!mark.built);
    assert_eq!(mark.fence, fence);
    let done = store.rebuild(P0, fence, writer.done());
    done.await.unwrap();
}

/// The follow-ups received are saved with `applied`; a batch adds to those of others.
pub async fn follow_ups_received_are_kept(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    for (from, offset, index) in [(P0, 5, 1), (P1, 3, 0), (P0, 6, 0)] {
        let mut batch = writer.batch(&["x"]);
        batch.received = BTreeMap::from([(from, (Offset(offset), index))]);
        batch.dialogs = offset;
        Writer::put(&ports, batch).await;
    }
    let mark = ports.partitions.take(P0, Fence(0)).await.unwrap();
    let received = BTreeMap::from([(P0, (Offset(6), 0)), (P1, (Offset(3), 0))]);
    assert_eq!((mark.received, mark.dialogs), (received, 6));
    let unknown = Target::Customer(super::samples::customer(P1));
    let state = ports.streams.load(&[unknown]).await.unwrap().remove(0);
    assert!(state.snapshot.is_none() && state.decisions.is_empty());
}
