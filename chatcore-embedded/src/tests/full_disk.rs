//! A full disk: an error that says so, and nothing lost once there is room.

use std::{path::Path, process::Command};

use chatcore::error::ErrorKind;

use super::{
    faulty_disk::{FaultyDisk, Plan},
    open, open_real, whole, write, write_until_it_fails, written,
};
use crate::{database::Database, writer::Answer};

/// Fills the disk, checks what is said, and returns the answered records.
async fn fill(database: &Database) -> Vec<u64> {
    let answered = write_until_it_fails(database, 8, 100_000).await;
    assert!(answered.len() > 100, "{} answered", answered.len());
    let error = write(database, 1 << 60, Answer::WhenDurable)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    assert!(
        error.to_string().contains("free space on the disk"),
        "{error}"
    );
    assert!(database.health().is_err());
    drop(database.close().await);
    answered
}

async fn assert_all_are_there(folder: &Path, answered: &[u64]) {
    let database = open_real(folder).unwrap();
    let found = written(&database).await;
    for n in answered {
        assert!(found.contains(n), "{n} was answered and is gone");
    }
    write(&database, 1 << 60, Answer::WhenDurable)
        .await
        .unwrap();
    database.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_not_grow_stops_the_writer() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Plan {
        bytes_max: 2 << 20,
        ..Plan::KIND
    });
    let database = open(folder.path(), &disk).unwrap();
    let answered = fill(&database).await;
    assert_all_are_there(folder.path(), &answered).await;
}

/// A real file system that is really full.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_file_system_stops_the_writer() {
    let _whole = whole();
    let mount = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::tmpfs(mount.path(), "size=4m") else {
        let required = std::env::var_os("CHATCORE_TEST_REQUIRE").is_some_and(|v| v == "1");
        assert!(
            !required,
            "a tmpfs can't be mounted, and this test needs one"
        );
        eprintln!("ignored: a tmpfs can't be mounted without root");
        return;
    };
    let database = open_real(&mount.path().join("db")).unwrap();
    let answered = fill(&database).await;
    let roomy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(mount.path().join("db")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), roomy.path().join(file.file_name())).unwrap();
    }
    assert_all_are_there(roomy.path(), &answered).await;
}

struct Mounted(std::path::PathBuf);

impl Mounted {
    fn tmpfs(path: &Path, size: &str) -> Option<Self> {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", size, "tmpfs"])
            .arg(path)
            .output()
            .ok()?
            .status;
        status.success().then(|| Self(path.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}
