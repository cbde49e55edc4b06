//! "Durable" means synced: shown with a disk that loses everything else.

use super::{
    faulty_disk::{FaultyDisk, Plan},
    open, open_real, whole, write, write_until_it_fails, written,
};
use crate::{tables::META, tables::View as _, writer::Answer};

const CALLERS: u64 = 8;
const EACH_MAX: u64 = 400;

/// Cuts the power at a sync, and returns the answered records that are gone after the restart.
async fn lost_after_a_power_cut(cut_at: u64, torn: Option<u64>) -> Vec<u64> {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Plan::KIND);
    let database = open(folder.path(), &disk).unwrap();
    disk.plan(Plan {
        power_cut_at_sync: cut_at,
        torn,
        ..Plan::KIND
    });
    let answered = write_until_it_fails(&database, CALLERS, EACH_MAX).await;
    assert!(
        answered.len() < usize::try_from(CALLERS * EACH_MAX).unwrap(),
        "the power never went"
    );
    assert!(database.health().is_err(), "readiness has to see it");
    drop(database.close().await);
    let database = open_real(folder.path()).unwrap();
    let found = written(&database).await;
    database.close().await.unwrap();
    answered
        .into_iter()
        .filter(|n| !found.contains(n))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_as_durable_survives_a_power_cut() {
    let _whole = whole();
    for cut_at in 1..=6 {
        for torn in [None, Some(cut_at), Some(cut_at + 100)] {
            let lost = lost_after_a_power_cut(cut_at, torn).await;
            assert!(
                lost.is_empty(),
                "cut {cut_at}, torn {torn:?}: lost {lost:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_whole_or_absent_after_a_power_cut() {
    let _whole = whole();
    for seed in 1..=10 {
        let folder = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new(Plan::KIND);
        let database = open(folder.path(), &disk).unwrap();
        for n in 0..50 {
            write(&database, n, Answer::WhenDurable).await.unwrap();
        }
        disk.plan(Plan {
            power_cut_at_sync: 1,
            torn: Some(seed),
            ..Plan::KIND
        });
        let both = database.write(Answer::WhenDurable, |group| {
            group.put(META, b"left", b"x")?;
            group.put(META, b"right", b"x")?;
            Ok(())
        });
        both.await.unwrap_err();
        drop(database.close().await);
        let database = open_real(folder.path()).unwrap();
        let read = database.read(|view| {
            let left = view.get(META, b"left")?.is_some();
            Ok((left, view.get(META, b"right")?.is_some()))
        });
        let (left, right) = read.await.unwrap();
        assert_eq!(left, right, "seed {seed}");
        assert_eq!(written(&database).await.len(), 50, "seed {seed}");
        database.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_as_visible_is_synced_without_another_write() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Plan::KIND);
    let database = open(folder.path(), &disk).unwrap();
    disk.plan(Plan::KIND);
    write(&database, 1, Answer::WhenVisible).await.unwrap();
    assert_eq!(written(&database).await, [1]);
    while disk.syncs() == 0 {
        tokio::task::yield_now().await;
    }
    // The count moves when the sync begins; the next sync begins after it has ended.
    write(&database, 2, Answer::WhenDurable).await.unwrap();
    disk.cut_power();
    drop(database.close().await);
    let database = open_real(folder.path()).unwrap();
    assert_eq!(written(&database).await, [1, 2]);
    database.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_cut_off_is_done_again() {
    let _whole = whole();
    for cut_at in 1..=4 {
        for torn in [None, Some(cut_at)] {
            let folder = tempfile::tempdir().unwrap();
            let disk = FaultyDisk::new(Plan {
                power_cut_at_sync: cut_at,
                torn,
                ..Plan::KIND
            });
            if let Ok(database) = open(folder.path(), &disk) {
                drop(database.close().await);
            }
            let database = open_real(folder.path()).unwrap();
            write(&database, 1, Answer::WhenDurable).await.unwrap();
            database.close().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_nothing_is_written_until_the_restart() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Plan::KIND);
    let database = open(folder.path(), &disk).unwrap();
    write(&database, 1, Answer::WhenDurable).await.unwrap();
    database.health().unwrap();
    disk.plan(Plan {
        error_at_sync: 1,
        ..Plan::KIND
    });
    let error = write(&database, 2, Answer::WhenDurable).await.unwrap_err();
    assert_eq!(error.kind(), chatcore::error::ErrorKind::Storage, "{error}");
    let syncs = disk.syncs();
    for n in 3..10 {
        let error = write(&database, n, Answer::WhenVisible).await.unwrap_err();
        assert!(error.to_string().contains("restart"), "{error}");
    }
    assert_eq!(disk.syncs(), syncs, "a later sync proves nothing");
    assert!(database.health().is_err());
    assert_eq!(written(&database).await, [1], "reading goes on");
    drop(database.close().await);
    let database = open_real(folder.path()).unwrap();
    assert_eq!(written(&database).await, [1]);
    write(&database, 2, Answer::WhenDurable).await.unwrap();
    database.close().await.unwrap();
}
