//! The journal and the view on a disk that fails: what `durable` and "durable with the next sync"
//! are worth.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bytes::Bytes;
use chatcore::{
    clock::SystemClock,
    error::{ErrorKind, Result, Retry},
    ids::{Fence, Offset, Partition},
    journal::{Delivery, Journal, Log, Receipt},
    store::{Mark, PartitionBatch, Rebuild},
};

use super::{
    faulty_disk::{FaultyDisk, Plan},
    whole,
};
use crate::{Embedded, Options, disk::RealDisk};

const P0: Partition = Partition(0);

async fn open_on(folder: &Path, disk: &FaultyDisk) -> Embedded {
    let options = Options::new(folder);
    Embedded::open_on(options, Arc::new(SystemClock), Arc::new(disk.clone()))
        .await
        .unwrap()
}

async fn reopen(folder: &Path) -> Embedded {
    Embedded::open_on(
        Options::new(folder),
        Arc::new(SystemClock),
        Arc::new(RealDisk),
    )
    .await
    .unwrap()
}

async fn append(journal: &dyn Journal, partition: Partition, bytes: Bytes) -> Result<Receipt> {
    match journal.try_append(Log::Commands, partition, bytes) {
        Ok(pending) => pending.await,
        Err(refused) => Err(refused.error),
    }
}

type Answered = BTreeMap<(Partition, Offset), Bytes>;

/// Appends side by side until the disk fails; returns what was answered as durable.
async fn append_until_it_fails(journal: Arc<dyn Journal>) -> Answered {
    let mut running = tokio::task::JoinSet::new();
    for caller in 0..8u32 {
        let journal = Arc::clone(&journal);
        running.spawn(async move {
            let mut answered = Answered::new();
            let partition = Partition(caller % journal.partitions());
            for i in 0..10_000u32 {
                let bytes = Bytes::from(format!("{caller}/{i}/{}", "x".repeat(300)));
                match append(&*journal, partition, bytes.clone()).await {
                    Ok(receipt) => answered.insert((receipt.partition, receipt.offset), bytes),
                    Err(_) => return answered,
                };
            }
            panic!("the disk never failed");
        });
    }
    running.join_all().await.into_iter().flatten().collect()
}

/// Everything in the journal; its offsets have no holes.
async fn all_records(journal: &dyn Journal) -> Answered {
    let mut all = Answered::new();
    for partition in (0..journal.partitions()).map(Partition) {
        let (start, end) = journal.bounds(Log::Commands, partition).await.unwrap();
        let read = journal.read(Log::Commands, partition, start, usize::MAX);
        let records = read.await.unwrap();
        assert!((start.0..end.0).eq(records.iter().map(|r| r.offset.0)));
        all.extend(
            records
                .into_iter()
                .map(|r| ((partition, r.offset), r.bytes)),
        );
    }
    all
}

/// Cuts the power at a sync; returns how many durable records are gone after the restart.
async fn lost_after_a_power_cut(cut_at: u64, torn: Option<u64>) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Plan::KIND);
    let embedded = open_on(folder.path(), &disk).await;
    disk.plan(Plan {
        power_cut_at_sync: cut_at,
        torn,
        ..Plan::KIND
    });
    let answered = append_until_it_fails(embedded.ports().journal).await;
    assert!(embedded.health().is_err(), "readiness has to see it");
    drop(embedded.close().await);
    let embedded = reopen(folder.path()).await;
    let found = all_records(&*embedded.ports().journal).await;
    embedded.close().await.unwrap();
    let lost = answered.iter().filter(|(at, b)| found.get(at) != Some(b));
    lost.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_durable_append_survives_a_power_cut() {
    let _whole = whole();
    for cut_at in 1..=6 {
        for torn in [None, Some(cut_at), Some(cut_at + 100)] {
            let lost = lost_after_a_power_cut(cut_at, torn).await;
            assert_eq!(lost, 0, "cut {cut_at}, torn {torn:?}");
        }
    }
}

/// The test above is worth something: with the answer before the sync it fails.
#[cfg(feature = "sabotage")]
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_sync_is_noticed() {
    use chatcore::sabotage::{Switch, hold};

    let _broken = hold(Switch::DurableBeforeFsync);
    let mut lost = 0;
    for cut_at in 1..=6 {
        lost += lost_after_a_power_cut(cut_at, None).await;
    }
    assert!(lost > 0, "nobody noticed");
}

fn batch(mark: &Mark, applied: u64) -> PartitionBatch {
    PartitionBatch {
        partition: P0,
        fence: mark.fence,
        incarnation: mark.incarnation,
        expected: Offset(applied - 1),
        applied: Offset(applied),
        decisions: Vec::new(),
        snapshots: Vec::new(),
        due: Vec::new(),
        dialogs: applied,
        received: BTreeMap::new(),
        events: Offset(0),
        trial: None,
        forget: Vec::new(),
    }
}

/// The partition is built as it was taken.
fn done(mark: &Mark) -> Rebuild {
    Rebuild::Done {
        incarnation: mark.incarnation,
        applied: mark.applied,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_is_durable_with_the_next_append_and_keeps_its_order() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Plan::KIND);
    let embedded = open_on(folder.path(), &disk).await;
    let ports = embedded.ports();
    let mark = ports.partitions.take(P0, Fence(0)).await.unwrap();
    let begin = Rebuild::Begin(mark.clone());
    ports
        .partitions
        .rebuild(P0, mark.fence, begin)
        .await
        .unwrap();
    ports
        .partitions
        .rebuild(P0, mark.fence, done(&mark))
        .await
        .unwrap();
    for applied in 1..=5 {
        let saved = ports.partitions.save(vec![batch(&mark, applied)]).await;
        saved.unwrap().remove(0).unwrap();
    }
    append(&*ports.journal, P0, "durable".into()).await.unwrap();
    disk.plan(Plan {
        power_cut_at_sync: 1,
        ..Plan::KIND
    });
    let late = ports.partitions.save(vec![batch(&mark, 6)]).await;
    drop(late);
    append(&*ports.journal, P0, "lost".into())
        .await
        .unwrap_err();
    drop((ports, embedded.close().await));
    let embedded = reopen(folder.path()).await;
    let ports = embedded.ports();
    let after = ports.partitions.marks(&[P0]).await.unwrap().remove(0);
    assert_eq!((after.applied, after.dialogs), (Offset(5), 5));
    assert!(after.built, "the view is whole, up to there");
    embedded.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_and_bounds_survive_a_restart() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let embedded = reopen(folder.path()).await;
    let journal = embedded.ports().journal;
    let incarnation = journal.incarnation();
    for i in 0..10 {
        append(&*journal, P0, format!("{i}").into()).await.unwrap();
    }
    let mut consumer = journal.subscribe(Log::Commands, "group").await.unwrap();
    while !matches!(consumer.next().await.unwrap(), Delivery::Records { .. }) {}
    consumer.commit(P0, Offset(7)).await.unwrap();
    journal.trim(Log::Commands, P0, Offset(10)).await.unwrap();
    embedded.close().await.unwrap();
    let closed = consumer.next().await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Closed);
    drop((consumer, journal));

    let embedded = reopen(folder.path()).await;
    let journal = embedded.ports().journal;
    assert_eq!(journal.incarnation(), incarnation);
    let bounds = journal.bounds(Log::Commands, P0).await.unwrap();
    assert_eq!(
        bounds,
        (Offset(10), Offset(10)),
        "offsets are not used again"
    );
    let mut consumer = journal.subscribe(Log::Commands, "group").await.unwrap();
    loop {
        if let Delivery::Assigned {
            partition: P0,
            committed,
        } = consumer.next().await.unwrap()
        {
            assert_eq!(committed, Offset(7));
            break;
        }
    }
    embedded.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_view_says_that_it_is_not_built_and_the_journal_stays() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let embedded = reopen(folder.path()).await;
    let ports = embedded.ports();
    let identity = ports.leases.identity().await.unwrap();
    append(&*ports.journal, P0, "kept".into()).await.unwrap();
    let mark = ports.partitions.take(P0, Fence(0)).await.unwrap();
    ports
        .partitions
        .rebuild(P0, mark.fence, done(&mark))
        .await
        .unwrap();
    assert!(ports.partitions.marks(&[P0]).await.unwrap().remove(0).built);
    embedded.wipe_view().await.unwrap();
    let marks = ports.partitions.marks(&[P0]).await.unwrap();
    assert_eq!(marks, [Mark::default()]);
    assert_ne!(ports.leases.identity().await.unwrap(), identity);
    assert_eq!(all_records(&*ports.journal).await.len(), 1);
    embedded.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_appends_are_refused_with_the_reason() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Plan::KIND);
    let embedded = open_on(folder.path(), &disk).await;
    let journal = embedded.ports().journal;
    disk.plan(Plan {
        error_at_sync: 1,
        ..Plan::KIND
    });
    let error = append(&*journal, P0, "a".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert_eq!(error.retry(), Retry::SameKeyOnly, "its fate is not known");
    let refused = journal
        .try_append(Log::Commands, P0, "b".into())
        .unwrap_err();
    assert_eq!(
        (&*refused.bytes, refused.error.kind()),
        (&b"b"[..], ErrorKind::Storage)
    );
    assert_eq!(refused.error.retry(), Retry::Never, "nothing was done");
    let ready = journal.ready(Log::Commands, P0).await.unwrap_err();
    assert_eq!(ready.kind(), ErrorKind::Storage);
    drop(embedded.close().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_waiting_room_refuses_at_once_and_hands_the_bytes_back() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(folder.path()).with_waiting_bytes_max(8 << 20);
    let embedded = Embedded::open(options, Arc::new(SystemClock))
        .await
        .unwrap();
    let journal = embedded.ports().journal;
    let large = Bytes::from(vec![7; 5 << 20]);
    let first = journal
        .try_append(Log::Commands, P0, large.clone())
        .unwrap();
    let refused = journal.try_append(Log::Commands, P0, large.clone());
    // The first one may have been answered already; then there is room.
    if let Err(refused) = refused {
        assert_eq!(refused.bytes.len(), large.len());
        assert_eq!(refused.error.kind(), ErrorKind::Overloaded);
    }
    first.await.unwrap();
    journal.ready(Log::Commands, P0).await.unwrap();
    let too_large = Bytes::from(vec![7; (8 << 20) + 1]);
    let refused = journal
        .try_append(Log::Commands, P0, too_large)
        .unwrap_err();
    assert_eq!(refused.error.kind(), ErrorKind::Invalid);
    embedded.close().await.unwrap();
}

/// A hook that panics on the writer's thread: told, and not taken for health.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_dies_is_noticed() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let database = super::open_real(folder.path()).unwrap();
    let work = |_: &mut crate::tables::Group<'_>| Ok(());
    let broken = |(): &()| panic!("a test's panic");
    let answer = database.write_then(crate::writer::Answer::WhenDurable, work, broken);
    assert_eq!(answer.await.unwrap_err().kind(), ErrorKind::Closed);
    let wait = async {
        while database.opened().is_ok() {
            tokio::task::yield_now().await;
        }
    };
    wait.await;
    assert_eq!(database.health().unwrap_err().kind(), ErrorKind::Internal);
    super::open_real(folder.path()).unwrap();
}
