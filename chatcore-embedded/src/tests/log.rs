//! The log: what it has after a crash, what a crash may do to it, and checkpoints that are cut off.

use std::{fs, path::Path};

use chatcore::error::{Error, ErrorKind};

use super::{
    faulty_disk::{FaultyDisk, Plan},
    open, open_real, open_with_small_log, whole, write, write_until_it_fails, written,
};
use crate::{database::Database, disk::RealDisk, writer::Answer};

const BLOCK_BYTES: usize = 512;
/// A test's record, with its head, takes this much of the log.
const FRAME_BYTES: usize = BLOCK_BYTES;

/// A copy of the files as a crash would leave them: the database is still open.
fn crash(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

/// A crash after this many records, each in a frame of its own.
async fn crashed_with_records(count: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let database = open_real(folder.path()).unwrap();
    for n in 0..count {
        write(&database, n, Answer::WhenDurable).await.unwrap();
    }
    let crashed = crash(folder.path());
    database.close().await.unwrap();
    crashed
}

async fn close(database: Database) {
    database.close().await.unwrap();
}

fn refusal(folder: &Path) -> Error {
    match open_real(folder) {
        Ok(_) => panic!("opened what it had to refuse"),
        Err(error) => error,
    }
}

fn all(count: u64) -> Vec<u64> {
    (0..count).collect()
}

#[tokio::test]
async fn what_only_the_log_has_is_there_after_a_crash() {
    let _whole = whole();
    let folder = crashed_with_records(30).await;
    let database = open_real(folder.path()).unwrap();
    assert_eq!(written(&database).await, all(30));
    write(&database, 30, Answer::WhenDurable).await.unwrap();
    let again = crash(folder.path());
    close(database).await;
    let database = open_real(again.path()).unwrap();
    assert_eq!(written(&database).await, all(31));
    close(database).await;
}

/// The opening itself is cut off at each of its syncs, and done again.
#[tokio::test]
async fn a_replay_that_was_cut_off_is_done_again() {
    let _whole = whole();
    let crashed = crashed_with_records(30).await;
    let mut cut_off = 0;
    for cut_at in 1..=6 {
        for torn in [None, Some(cut_at), Some(cut_at + 100)] {
            let folder = crash(crashed.path());
            let disk = FaultyDisk::new(Plan {
                power_cut_at_sync: cut_at,
                torn,
                ..Plan::KIND
            });
            match open(folder.path(), &disk) {
                Ok(database) => drop(database.close().await),
                Err(_) => cut_off += 1,
            }
            let database = open_real(folder.path()).unwrap();
            assert_eq!(written(&database).await, all(30), "cut {cut_at}");
            close(database).await;
        }
    }
    assert!(cut_off > 0, "no opening was cut off");
}

/// Many checkpoints, and the power goes at a sync of the log or of the database.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_a_power_cut_in_a_checkpoint() {
    let _whole = whole();
    for cut_at in (20..400).step_by(37) {
        for torn in [None, Some(cut_at), Some(cut_at + 1_000)] {
            let folder = tempfile::tempdir().unwrap();
            let disk = FaultyDisk::new(Plan::KIND);
            let database = open_with_small_log(folder.path(), &disk).unwrap();
            disk.plan(Plan {
                power_cut_at_sync: cut_at,
                torn,
                ..Plan::KIND
            });
            let answered = write_until_it_fails(&database, 4, 4_000).await;
            assert!(answered.len() < 16_000, "the power never went");
            drop(database.close().await);
            let database = open_real(folder.path()).unwrap();
            let found = written(&database).await;
            for n in &answered {
                assert!(found.contains(n), "cut {cut_at}, torn {torn:?}: lost {n}");
            }
            close(database).await;
        }
    }
}

/// Each sync of a run fails once: of the log, and of the database in a checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_checkpoint_nothing_is_written_and_nothing_is_lost() {
    let _whole = whole();
    for error_at in (20..400).step_by(47) {
        let folder = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new(Plan::KIND);
        let database = open_with_small_log(folder.path(), &disk).unwrap();
        disk.plan(Plan {
            error_at_sync: error_at,
            ..Plan::KIND
        });
        let answered = write_until_it_fails(&database, 4, 4_000).await;
        assert!(answered.len() < 16_000, "no sync failed");
        let error = database.health().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
        drop(database.close().await);
        let database = open_real(folder.path()).unwrap();
        let found = written(&database).await;
        assert!(answered.iter().all(|n| found.contains(n)), "{error_at}");
        close(database).await;
    }
}

/// The frames that begin in the first log file.
fn frames_in(log: &[u8]) -> Vec<usize> {
    let blocks = log.chunks(BLOCK_BYTES).enumerate();
    let heads = blocks.filter(|(_, block)| block.starts_with(b"ccl\x01"));
    heads.map(|(i, _)| i * BLOCK_BYTES).collect()
}

/// Each block of the log is damaged: what was answered is there, or the folder is refused.
#[tokio::test]
async fn damage_to_the_log_is_never_silent() {
    let _whole = whole();
    let crashed = crashed_with_records(20).await;
    let path = |folder: &Path| folder.join("log-0");
    let log = fs::read(path(crashed.path())).unwrap();
    let frames = frames_in(&log);
    assert_eq!(frames.len(), 20);
    for at in frames.iter().flat_map(|at| [*at, at + 30, at + 100]) {
        let folder = crash(crashed.path());
        let mut damaged = log.clone();
        damaged[at] ^= 0x55;
        fs::write(path(folder.path()), damaged).unwrap();
        let error = refusal(folder.path());
        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at}: {error}");
        assert!(error.to_string().contains("to do: "), "{error}");
    }
}

/// A frame in the middle is never taken for one that was not finished, mark or no mark.
#[tokio::test]
async fn a_damaged_frame_with_others_behind_it_is_refused_without_a_mark_too() {
    let _whole = whole();
    let folder = crashed_with_records(20).await;
    fs::remove_file(folder.path().join("mark")).unwrap();
    let path = folder.path().join("log-0");
    let mut log = fs::read(&path).unwrap();
    let frames = frames_in(&log);
    log[frames[7] + 200] ^= 1;
    fs::write(&path, &log).unwrap();
    assert_eq!(refusal(folder.path()).kind(), ErrorKind::Corrupt);
}

/// A frame that the power did not let finish was answered to nobody: the mark is before it.
#[tokio::test]
async fn a_torn_frame_at_the_end_is_left_out() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let database = open_real(folder.path()).unwrap();
    for n in 0..20 {
        write(&database, n, Answer::WhenDurable).await.unwrap();
    }
    let mark = fs::read(folder.path().join("mark")).unwrap();
    write(&database, 20, Answer::WhenDurable).await.unwrap();
    let crashed = crash(folder.path());
    close(database).await;
    let path = crashed.path().join("log-0");
    let mut log = fs::read(&path).unwrap();
    let last = *frames_in(&log).last().unwrap();
    for torn in [last..last + 20, last + 300..last + 400] {
        log[torn].fill(0);
        fs::write(&path, &log).unwrap();
        fs::write(crashed.path().join("mark"), &mark).unwrap();
        let folder = crash(crashed.path());
        let database = open_real(folder.path()).unwrap();
        assert_eq!(written(&database).await, all(20));
        write(&database, 21, Answer::WhenDurable).await.unwrap();
        let again = crash(folder.path());
        close(database).await;
        let database = open_real(again.path()).unwrap();
        assert_eq!(written(&database).await.len(), 21);
        close(database).await;
    }
}

#[tokio::test]
async fn a_cut_or_missing_log_is_refused() {
    let _whole = whole();
    let crashed = crashed_with_records(20).await;
    let path = crashed.path().join("log-0");
    let log = fs::read(&path).unwrap();
    let frames = frames_in(&log);
    for end in [0, FRAME_BYTES, frames[19], frames[19] + 80] {
        fs::write(&path, &log[..end]).unwrap();
        assert_eq!(refusal(crashed.path()).kind(), ErrorKind::Corrupt);
    }
    fs::write(&path, &log).unwrap();
    fs::remove_file(crashed.path().join("log-1")).unwrap();
    assert_eq!(refusal(crashed.path()).kind(), ErrorKind::Corrupt);
}

/// A log of another folder has nothing to say here.
#[tokio::test]
async fn a_log_of_another_folder_is_not_replayed() {
    let _whole = whole();
    let crashed = crashed_with_records(3).await;
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    let other = crashed_with_records(9).await;
    fs::copy(other.path().join("log-0"), crashed.path().join("log-0")).unwrap();
    assert_eq!(refusal(crashed.path()).kind(), ErrorKind::Corrupt);
}

/// The files grow no further once checkpoints keep up.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_written_again_after_a_checkpoint() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let database = open_with_small_log(folder.path(), &RealDisk).unwrap();
    for n in 0..2_000 {
        write(&database, n, Answer::WhenDurable).await.unwrap();
    }
    for log in ["log-0", "log-1"] {
        let bytes = fs::metadata(folder.path().join(log)).unwrap().len();
        assert_eq!(bytes, 1 << 20, "{log}");
    }
    assert_eq!(written(&database).await, all(2_000));
    close(database).await;
}

/// A folder of the format before the log: it is taken up as it is.
#[tokio::test]
async fn a_folder_without_a_log_gets_one() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let database = open_real(folder.path()).unwrap();
    for n in 0..5 {
        write(&database, n, Answer::WhenDurable).await.unwrap();
    }
    close(database).await;
    let format = folder.path().join("format.json");
    let older = fs::read_to_string(&format).unwrap();
    fs::write(&format, older.replace("\"format\": 2", "\"format\": 1")).unwrap();
    fs::remove_file(folder.path().join("log-0")).unwrap();
    fs::remove_file(folder.path().join("log-1")).unwrap();
    let database = open_real(folder.path()).unwrap();
    assert_eq!(written(&database).await, all(5));
    write(&database, 5, Answer::WhenDurable).await.unwrap();
    let crashed = crash(folder.path());
    close(database).await;
    let format = fs::read_to_string(crashed.path().join("format.json")).unwrap();
    assert!(format.contains("\"format\": 2"), "{format}");
    let database = open_real(crashed.path()).unwrap();
    assert_eq!(written(&database).await, all(6));
    close(database).await;
}
