//! Damaged and foreign folders: a clear error, never silence.

use std::{fs, path::Path};

use chatcore::error::{Error, ErrorKind};

use super::{open_real, whole, write, written};
use crate::{disk::RealDisk, options::Options, writer::Answer};

/// A folder with records in it, closed cleanly.
async fn folder_with_records(count: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let database = open_real(folder.path()).unwrap();
    for n in 0..count {
        write(&database, n, Answer::WhenDurable).await.unwrap();
    }
    database.close().await.unwrap();
    folder
}

fn refused(folder: &Path, kind: ErrorKind) -> Error {
    let error = match open_real(folder) {
        Ok(_) => panic!("opened what it had to refuse"),
        Err(error) => error,
    };
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(text.contains("to do: "), "{text}");
    assert!(text.contains(&folder.display().to_string()), "{text}");
    error
}

#[tokio::test]
async fn a_cut_file_is_refused() {
    let _whole = whole();
    for cut in [1, 700, 5000, 40_000] {
        let folder = folder_with_records(200).await;
        let path = folder.path().join("chatcore.redb");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
        refused(folder.path(), ErrorKind::Corrupt);
    }
}

/// Bytes all over the file, one at a time: either it was free space and nothing is missing,
/// or the folder is refused.
#[tokio::test]
async fn a_garbled_file_is_refused_or_whole() {
    let _whole = whole();
    let folder = folder_with_records(40).await;
    let path = folder.path().join("chatcore.redb");
    let bytes = fs::read(&path).unwrap();
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(bytes.len() / 53) {
        let mut garbled = bytes.clone();
        garbled[at] ^= 0x55;
        fs::write(&path, &garbled).unwrap();
        match open_real(folder.path()) {
            Ok(database) => {
                assert_eq!(written(&database).await, (0..40).collect::<Vec<_>>());
                database.close().await.unwrap();
            }
            Err(error) => {
                assert!(
                    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NewerFormat),
                    "byte {at}: {error}"
                );
                refused += 1;
            }
        }
    }
    assert!(refused > 10, "only {refused} were noticed");
}

/// Files from before an answered write, as a backup put back in part leaves them: the mark tells.
#[tokio::test]
async fn a_folder_that_lost_an_answered_group_is_refused() {
    const FILES: [&str; 3] = ["chatcore.redb", "log-0", "log-1"];
    let _whole = whole();
    let folder = folder_with_records(5).await;
    let path = |file: &str| folder.path().join(file);
    let before = FILES.map(|file| fs::read(path(file)).unwrap());
    let database = open_real(folder.path()).unwrap();
    write(&database, 5, Answer::WhenDurable).await.unwrap();
    database.close().await.unwrap();
    for (file, bytes) in FILES.into_iter().zip(before) {
        fs::write(path(file), bytes).unwrap();
    }
    let error = refused(folder.path(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("answered"), "{error}");
}

#[tokio::test]
async fn a_missing_or_empty_database_is_refused() {
    let _whole = whole();
    let folder = folder_with_records(5).await;
    let path = folder.path().join("chatcore.redb");
    fs::write(&path, b"").unwrap();
    refused(folder.path(), ErrorKind::Corrupt);
    fs::remove_file(&path).unwrap();
    refused(folder.path(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_database_without_its_format_file_is_refused() {
    let _whole = whole();
    let folder = folder_with_records(5).await;
    fs::remove_file(folder.path().join("format.json")).unwrap();
    refused(folder.path(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_as_it_is() {
    let _whole = whole();
    let folder = folder_with_records(5).await;
    let path = folder.path().join("format.json");
    let newer = r#"{ "format": 3, "shards": ["a", "b"] }"#;
    fs::write(&path, newer).unwrap();
    let before = fs::read(folder.path().join("chatcore.redb")).unwrap();
    refused(folder.path(), ErrorKind::NewerFormat);
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    assert_eq!(
        fs::read(folder.path().join("chatcore.redb")).unwrap(),
        before
    );
    fs::write(&path, "not json").unwrap();
    refused(folder.path(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn partitions_stay_as_they_were_created() {
    let _whole = whole();
    let folder = folder_with_records(1).await;
    let options = Options::new(folder.path()).with_partitions(9);
    let open =
        || crate::database::Database::open(&options, &RealDisk, &chatcore::clock::SystemClock);
    assert_eq!(open().unwrap_err().kind(), ErrorKind::Conflict);
    let same = Options::new(folder.path());
    let database =
        crate::database::Database::open(&same, &RealDisk, &chatcore::clock::SystemClock).unwrap();
    assert_eq!(database.format.partitions, 4);
    database.close().await.unwrap();
}

#[test]
fn options_out_of_range_are_named() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    for (options, name) in [
        (Options::new(folder.path()).with_partitions(0), "partitions"),
        (Options::new(folder.path()).with_reads_max(0), "reads_max"),
        (
            Options::new(folder.path()).with_waiting_writes_max(0),
            "waiting_writes_max",
        ),
        (
            Options::new(folder.path()).with_waiting_bytes_max(5),
            "waiting_bytes_max",
        ),
        (
            Options::new(folder.path()).with_cache_bytes_max(5),
            "cache_bytes_max",
        ),
    ] {
        let error =
            crate::database::Database::open(&options, &RealDisk, &chatcore::clock::SystemClock)
                .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(name), "{error}");
    }
}
