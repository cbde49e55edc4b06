//! Other processes: one that is killed, and one that comes second.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use chatcore::{
    clock::SystemClock,
    error::ErrorKind,
    ids::{Offset, Partition},
    journal::Log,
};

use super::{open_real, whole, write};
use crate::{Embedded, Options, writer::Answer};

const FOLDER: &str = "CHATCORE_EMBEDDED_TEST_FOLDER";
const CALLERS: u32 = 16;

/// Runs one test of this very program in a process of its own.
fn child(test: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test: what the killed process does. Prints each append once it was durable.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in a process of its own, started by the test below"]
async fn append_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let journal = open_ports(Path::new(&folder)).await.ports().journal;
    let mut running = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let journal = Arc::clone(&journal);
        running.spawn(async move {
            let partition = Partition(caller % journal.partitions());
            for i in 0.. {
                let text = format!("{}.{caller}.{i}", std::process::id());
                let append = journal.try_append(Log::Commands, partition, text.clone().into());
                let receipt = append.unwrap().await.unwrap();
                println!("durable {} {} {text}", partition.0, receipt.offset.0);
            }
        });
    }
    running.join_all().await;
}

async fn open_ports(folder: &Path) -> Embedded {
    // So small that it is killed in checkpoints too.
    let options = Options::new(folder).with_log_bytes_max(64 << 10);
    Embedded::open(options, Arc::new(SystemClock))
        .await
        .unwrap()
}

/// Partition, offset and text of a durable append.
fn told(line: &str) -> Option<((u32, u64), String)> {
    let mut words = line.strip_prefix("durable ")?.split(' ');
    let partition = words.next()?.parse().ok()?;
    let offset = words.next()?.parse().ok()?;
    // The last line may be cut.
    let text = words.next()?;
    (text.matches('.').count() == 2).then(|| ((partition, offset), text.to_owned()))
}

#[tokio::test]
async fn a_durable_append_is_there_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut durable = BTreeMap::new();
    for round in 1..=4 {
        let mut killed = child("tests::child::append_until_killed", folder.path());
        let lines = BufReader::new(killed.stdout.take().unwrap()).lines();
        let mut count = 0;
        for told in lines.map_while(Result::ok).filter_map(|line| told(&line)) {
            assert_eq!(durable.insert(told.0, told.1), None, "an offset came twice");
            count += 1;
            if count == 150 * round {
                killed.kill().unwrap();
            }
        }
        killed.wait().unwrap();
        assert!(count >= 150 * round, "it ended by itself");
    }
    let embedded = open_ports(folder.path()).await;
    let journal = embedded.ports().journal;
    for ((partition, offset), text) in durable {
        let place = (Partition(partition), Offset(offset));
        let found = journal.read(Log::Commands, place.0, place.1, 1).await;
        // A text whose last digits were cut is a beginning of the one that is there.
        let found = found.unwrap().remove(0).bytes;
        assert!(found.starts_with(text.as_bytes()), "{place:?}: {text}");
    }
    embedded.close().await.unwrap();
}

/// Not a test: what the second process does.
#[test]
#[ignore = "runs in a process of its own, started by the test below"]
fn open_second() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    match open_real(Path::new(&folder)) {
        Ok(_) => println!("opened"),
        Err(e) if e.kind() == ErrorKind::Conflict => println!("refused: {e}"),
        Err(e) => println!("failed: {e}"),
    }
}

fn answer_of_a_second_process(folder: &Path) -> String {
    let second = child("tests::child::open_second", folder);
    let output = second.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_was_first() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let database = open_real(folder.path()).unwrap();
    let answer = answer_of_a_second_process(folder.path());
    assert!(answer.contains("refused: "), "{answer}");
    let holder = format!("process: {}", std::process::id());
    assert!(answer.contains(&holder), "{answer}");
    assert!(answer.contains("to do: "), "{answer}");
    write(&database, 1, Answer::WhenDurable).await.unwrap();
    database.close().await.unwrap();
    let answer = answer_of_a_second_process(folder.path());
    assert!(answer.contains("opened"), "{answer}");
}
