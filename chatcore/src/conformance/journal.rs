//! What a [`Journal`](crate::journal::Journal) promises.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

use super::{PARTITIONS, samples::LONG};
use crate::{
    error::ErrorKind,
    ids::{Offset, Partition},
    journal::{Consumer, Delivery, Log, Record},
    ports::Ports,
};

const P0: Partition = Partition(0);
const P1: Partition = Partition(1);

async fn append(ports: &Ports, log: Log, partition: Partition, texts: &[&str]) {
    let pending: Vec<_> = texts
        .iter()
        .map(|text| {
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            ports.journal.try_append(log, partition, bytes).unwrap()
        })
        .collect();
    for pending in pending {
        pending.await.unwrap();
    }
}

fn texts(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|r| String::from_utf8(r.bytes.to_vec()).unwrap())
        .collect()
}

async fn next(consumer: &mut dyn Consumer) -> Delivery {
    timeout(LONG, consumer.next())
        .await
        .expect("a delivery")
        .unwrap()
}

/// Reads until this many records have come, by partition.
async fn take(consumer: &mut dyn Consumer, count: usize) -> BTreeMap<Partition, Vec<String>> {
    let mut taken: BTreeMap<Partition, Vec<String>> = BTreeMap::new();
    while taken.values().map(Vec::len).sum::<usize>() < count {
        if let Delivery::Records { partition, records } = next(consumer).await {
            taken.entry(partition).or_default().extend(texts(&records));
        }
    }
    taken
}

/// Reads until this many partitions were assigned; tells their committed offsets.
async fn assigned(consumer: &mut dyn Consumer, count: u32) -> BTreeMap<Partition, Offset> {
    let mut held = BTreeMap::new();
    while held.len() < count as usize {
        match next(consumer).await {
            Delivery::Assigned {
                partition,
                committed,
            } => {
                held.insert(partition, committed);
            }
            Delivery::Revoked { partition } => {
                held.remove(&partition);
            }
            Delivery::Records { .. } => {}
        }
    }
    held
}

/// Records have the order of the calls that took them, and consecutive offsets.
pub async fn appends_keep_the_order_of_calls(ports: Ports) {
    let all: Vec<String> = (0..200).map(|i| format!("r{i}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    append(&ports, Log::Commands, P0, &all).await;
    let read = ports
        .journal
        .read(Log::Commands, P0, Offset(0), 1_000)
        .await
        .unwrap();
    assert_eq!(texts(&read), all);
    assert!(
        read.iter()
            .zip(0..)
            .all(|(record, offset)| record.offset == Offset(offset))
    );
}

/// Append times never go back within a partition.
pub async fn append_times_never_go_back(ports: Ports) {
    for _ in 0..20 {
        append(&ports, Log::Commands, P0, &["x"]).await;
    }
    let read = ports
        .journal
        .read(Log::Commands, P0, Offset(0), 1_000)
        .await
        .unwrap();
    assert!(read.windows(2).all(|pair| pair[0].at <= pair[1].at));
    assert!(read[0].at.0 > 0);
}

/// A refused append hands the bytes back.
pub async fn an_append_to_an_unknown_partition_is_refused_with_its_bytes(ports: Ports) {
    let unknown = Partition(PARTITIONS);
    let refused = ports
        .journal
        .try_append(Log::Commands, unknown, "kept".into())
        .unwrap_err();
    assert_eq!(refused.bytes, "kept");
    assert_eq!(refused.error.kind(), ErrorKind::NotFound);
}

/// Logs and partitions do not mix.
pub async fn logs_and_partitions_are_apart(ports: Ports) {
    append(&ports, Log::Commands, P0, &["c0"]).await;
    append(&ports, Log::Commands, P1, &["c1"]).await;
    append(&ports, Log::Events, P0, &["e0"]).await;
    for (log, partition, text) in [
        (Log::Commands, P0, "c0"),
        (Log::Commands, P1, "c1"),
        (Log::Events, P0, "e0"),
    ] {
        let read = ports
            .journal
            .read(log, partition, Offset(0), 10)
            .await
            .unwrap();
        assert_eq!(texts(&read), [text]);
        let bounds = ports.journal.bounds(log, partition).await.unwrap();
        assert_eq!(bounds, (Offset(0), Offset(1)));
    }
}

/// A member starts where the group has committed.
pub async fn a_consumer_starts_at_the_committed_offset(ports: Ports) {
    append(&ports, Log::Commands, P0, &["a", "b", "c"]).await;
    let mut first = ports.journal.subscribe(Log::Commands, "g").await.unwrap();
    take(first.as_mut(), 3).await;
    first.commit(P0, Offset(2)).await.unwrap();
    first.leave().await.unwrap();
    let mut second = ports.journal.subscribe(Log::Commands, "g").await.unwrap();
    let held = assigned(second.as_mut(), PARTITIONS).await;
    assert_eq!(held[&P0], Offset(2));
    assert_eq!(take(second.as_mut(), 1).await[&P0], ["c"]);
}

/// Two members never hold the same partition, and hold all between them.
pub async fn a_group_shares_the_partitions_without_overlap(ports: Ports) {
    let mut first = ports.journal.subscribe(Log::Commands, "g").await.unwrap();
    assert_eq!(
        assigned(first.as_mut(), PARTITIONS).await.len(),
        PARTITIONS as usize
    );
    let mut second = ports.journal.subscribe(Log::Commands, "g").await.unwrap();
    let mut revoked = Vec::new();
    let half = PARTITIONS / 2;
    let mut note = |delivery| {
        if let Delivery::Revoked { partition } = delivery {
            revoked.push(partition);
        }
    };
    // A hand-over needs both: whoever gives goes on asking what comes next.
    let of_second = tokio::select! {
        biased;
        of_second = assigned(second.as_mut(), half) => of_second,
        () = async { loop { note(next(first.as_mut()).await) } } => unreachable!(),
    };
    while revoked.len() < half as usize {
        if let Delivery::Revoked { partition } = next(first.as_mut()).await {
            revoked.push(partition);
        }
    }
    revoked.sort();
    assert_eq!(of_second.into_keys().collect::<Vec<_>>(), revoked);
}

/// What a leaving member held goes to the others.
pub async fn partitions_are_handed_over_when_a_member_leaves(ports: Ports) {
    let mut first = ports.journal.subscribe(Log::Commands, "g").await.unwrap();
    assigned(first.as_mut(), PARTITIONS).await;
    let mut second = ports.journal.subscribe(Log::Commands, "g").await.unwrap();
    let drain = async { while timeout(LONG, first.next()).await.is_ok_and(|d| d.is_ok()) {} };
    tokio::select! {
        biased;
        _ = assigned(second.as_mut(), PARTITIONS / 2) => {}
        () = drain => {}
    }
    first.leave().await.unwrap();
    append(&ports, Log::Commands, P0, &["a"]).await;
    append(&ports, Log::Commands, P1, &["b"]).await;
    let taken = take(second.as_mut(), 2).await;
    assert_eq!(taken.len(), 2);
}

/// Each group reads everything.
pub async fn groups_have_positions_of_their_own(ports: Ports) {
    append(&ports, Log::Events, P0, &["a", "b"]).await;
    for group in ["one", "two"] {
        let mut consumer = ports.journal.subscribe(Log::Events, group).await.unwrap();
        assert_eq!(take(consumer.as_mut(), 2).await[&P0], ["a", "b"]);
        consumer.commit(P0, Offset(2)).await.unwrap();
    }
}

/// Only the holder of a partition commits.
pub async fn a_commit_without_the_partition_is_a_conflict(ports: Ports) {
    let mut consumer = ports.journal.subscribe(Log::Commands, "g").await.unwrap();
    assigned(consumer.as_mut(), PARTITIONS).await;
    let error = consumer
        .commit(Partition(PARTITIONS), Offset(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

/// A seek moves where the next records start, back or forth.
pub async fn seek_moves_the_position(ports: Ports) {
    append(&ports, Log::Commands, P0, &["a", "b", "c"]).await;
    let mut consumer = ports.journal.subscribe(Log::Commands, "g").await.unwrap();
    assert_eq!(take(consumer.as_mut(), 3).await[&P0], ["a", "b", "c"]);
    consumer.seek(P0, Offset(1)).await.unwrap();
    assert_eq!(take(consumer.as_mut(), 2).await[&P0], ["b", "c"]);
}

/// A paused partition hands out nothing; after `resume` nothing is missing.
pub async fn a_paused_partition_is_silent_and_skips_nothing(ports: Ports) {
    let mut consumer = ports.journal.subscribe(Log::Commands, "g").await.unwrap();
    assigned(consumer.as_mut(), PARTITIONS).await;
    consumer.pause(P0);
    append(&ports, Log::Commands, P0, &["paused"]).await;
    append(&ports, Log::Commands, P1, &["other"]).await;
    let taken = take(consumer.as_mut(), 1).await;
    assert_eq!(taken[&P1], ["other"]);
    assert!(
        timeout(Duration::from_millis(50), consumer.next())
            .await
            .is_err(),
        "paused"
    );
    consumer.resume(P0);
    assert_eq!(take(consumer.as_mut(), 1).await[&P0], ["paused"]);
}

/// A dropped `next` loses no record.
pub async fn a_dropped_next_skips_nothing(ports: Ports) {
    let mut consumer = ports.journal.subscribe(Log::Commands, "g").await.unwrap();
    assigned(consumer.as_mut(), PARTITIONS).await;
    for _ in 0..3 {
        assert!(
            timeout(Duration::from_millis(5), consumer.next())
                .await
                .is_err()
        );
    }
    append(&ports, Log::Commands, P0, &["a"]).await;
    assert_eq!(take(consumer.as_mut(), 1).await[&P0], ["a"]);
}

/// A read gives what there is, and no more.
pub async fn a_read_ends_at_the_end(ports: Ports) {
    append(&ports, Log::Commands, P0, &["a", "b", "c"]).await;
    let journal = &ports.journal;
    let page = journal.read(Log::Commands, P0, Offset(1), 1).await.unwrap();
    assert_eq!(texts(&page), ["b"]);
    assert!(
        journal
            .read(Log::Commands, P0, Offset(3), 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        journal
            .read(Log::Commands, P1, Offset(0), 10)
            .await
            .unwrap()
            .is_empty()
    );
}

/// What was trimmed is said to be gone, never skipped in silence.
pub async fn trimmed_records_are_not_found(ports: Ports) {
    append(&ports, Log::Commands, P0, &["a", "b", "c"]).await;
    let journal = &ports.journal;
    journal.trim(Log::Commands, P0, Offset(2)).await.unwrap();
    assert_eq!(
        journal.bounds(Log::Commands, P0).await.unwrap(),
        (Offset(2), Offset(3))
    );
    let error = journal
        .read(Log::Commands, P0, Offset(1), 10)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let read = journal
        .read(Log::Commands, P0, Offset(2), 10)
        .await
        .unwrap();
    assert_eq!(texts(&read), ["c"]);
    append(&ports, Log::Commands, P0, &["d"]).await;
    assert_eq!(
        journal.bounds(Log::Commands, P0).await.unwrap(),
        (Offset(2), Offset(4))
    );
}

/// A full journal refuses at once with the bytes; `ready` waits until an append is taken again.
pub async fn ready_waits_until_there_is_room(ports: Ports) {
    let journal = &ports.journal;
    let append = || journal.try_append(Log::Commands, P0, Bytes::from_static(&[7; 1024]));
    let refused = (0..100_000).find_map(|_| append().err());
    let refused = refused.expect("a journal that is full after 100,000 records of 1 KiB");
    assert_eq!(refused.bytes.len(), 1024);
    assert_eq!(refused.error.kind(), ErrorKind::Overloaded);
    let at_once = timeout(Duration::from_millis(50), journal.ready(Log::Commands, P0)).await;
    match at_once {
        // Some was written meanwhile.
        Ok(ready) => ready.unwrap(),
        // What holds the room is kept, not under way.
        Err(_) => {
            let (_, end) = journal.bounds(Log::Commands, P0).await.unwrap();
            let ready = journal.ready(Log::Commands, P0);
            let trimmed = journal.trim(Log::Commands, P0, end);
            let (ready, trimmed) = tokio::join!(timeout(LONG, ready), trimmed);
            trimmed.unwrap();
            ready.expect("room").unwrap();
        }
    }
    append().expect("room").await.unwrap();
}
