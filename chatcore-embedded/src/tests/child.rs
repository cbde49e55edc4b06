//! Other processes: one that is killed, and one that comes second.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use chatcore::error::ErrorKind;

use super::{open_real, whole, write, written};
use crate::writer::Answer;

const FOLDER: &str = "CHATCORE_EMBEDDED_TEST_FOLDER";
const CALLERS: u64 = 16;

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

/// Not a test: what the killed process does. Prints each record once it was answered.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in a process of its own, started by the test below"]
async fn append_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let database = open_real(Path::new(&folder)).unwrap();
    let from = written(&database).await.last().map_or(0, |n| n + 1);
    let mut running = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let database = database.clone();
        running.spawn(async move {
            for i in 0.. {
                let n = from + i * CALLERS + caller;
                write(&database, n, Answer::WhenDurable).await.unwrap();
                println!("answered {n}");
            }
        });
    }
    running.join_all().await;
}

#[tokio::test]
async fn what_was_answered_is_there_after_kill_9() {
    let _whole = whole();
    let folder = tempfile::tempdir().unwrap();
    let mut answered = Vec::new();
    for round in 1..=4 {
        let mut killed = child("tests::child::append_until_killed", folder.path());
        let lines = BufReader::new(killed.stdout.take().unwrap()).lines();
        let mut count = 0;
        for line in lines.map_while(Result::ok) {
            if let Some(n) = line.strip_prefix("answered ") {
                answered.push(n.parse::<u64>().unwrap());
                count += 1;
            }
            if count == 150 * round {
                killed.kill().unwrap();
            }
        }
        killed.wait().unwrap();
        assert!(count >= 150 * round, "it ended by itself");
    }
    let database = open_real(folder.path()).unwrap();
    let found = written(&database).await;
    for n in &answered {
        assert!(found.contains(n), "{n} was answered and is gone");
    }
    database.close().await.unwrap();
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
