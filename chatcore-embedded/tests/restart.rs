//! What was written before a restart is there after it, whole or refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use chatcore::{
    clock::{SystemClock, Timestamp},
    content::{ContentKind, Sealed},
    dialog::DialogEvent,
    error::ErrorKind,
    ids::{
        CustomerId, DialogId, Incarnation, Label, Offset, Participant, Partition, Seq, StreamId,
    },
    journal::DeadLetter,
    record::{ChainHash, Event, Position, StreamEvent, Visibility},
    store::{Archive, Index, IndexEntry, Segment},
};
use chatcore_embedded::{Embedded, FileArchive, Options};

const P0: Partition = Partition(0);

async fn open(folder: &Path) -> Embedded {
    Embedded::open(Options::new(folder), Arc::new(SystemClock))
        .await
        .unwrap()
}

fn letter(offset: u64) -> DeadLetter {
    DeadLetter {
        origin: Label::try_new("engine").unwrap(),
        partition: P0,
        offset: Offset(offset),
        reason: Label::try_new("unreadable").unwrap(),
        attempts: 1,
        at: Timestamp(5),
        record: Bytes::from("record"),
    }
}

#[tokio::test]
async fn tables_dead_letters_and_lists_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = open(folder.path()).await;
    let ports = embedded.ports();
    let snapshots = vec![
        ("kept".to_owned(), Offset(7), Some(Bytes::from("state"))),
        ("gone".to_owned(), Offset(7), Some(Bytes::from("state"))),
    ];
    ports.snapshots.put(P0, snapshots).await.unwrap();
    let gone = vec![("gone".to_owned(), Offset(8), None)];
    ports.snapshots.put(P0, gone).await.unwrap();
    let shared = &ports.shared;
    shared.put("a", Some("1".into())).await.unwrap();
    shared.put("b", Some("2".into())).await.unwrap();
    let version = shared.put("a", None).await.unwrap();
    let first = ports.dead_letters.add(letter(1)).await.unwrap();
    let second = ports.dead_letters.add(letter(2)).await.unwrap();
    ports.dead_letters.remove(second).await.unwrap();
    let customer = CustomerId::try_new("anna").unwrap();
    let index = Index::Customer(customer.clone());
    let entry = |dialog, at| IndexEntry {
        dialog: DialogId(dialog),
        customer: customer.clone(),
        at: Timestamp(at),
    };
    let entries = vec![(index.clone(), entry(4, 10)), (index.clone(), entry(8, -3))];
    ports.index.put(entries).await.unwrap();
    embedded.close().await.unwrap();
    let closed = ports.shared.put("late", None).await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Closed);
    drop(ports);

    let embedded = open(folder.path()).await;
    let ports = embedded.ports();
    let found = ports.snapshots.read(P0).await.unwrap();
    assert_eq!(
        found,
        [("kept".to_owned(), Offset(7), Bytes::from("state"))]
    );
    let values = vec![("b".to_owned(), Bytes::from("2"))];
    assert_eq!(ports.shared.read().await.unwrap(), (version, values));
    assert_eq!(ports.shared.put("c", None).await.unwrap(), version + 1);
    let letters = &ports.dead_letters;
    assert_eq!(letters.list(None, 9).await.unwrap(), [(first, letter(1))]);
    assert_eq!(letters.add(letter(1)).await.unwrap(), first, "kept once");
    let third = letters.add(letter(3)).await.unwrap();
    assert!(third > second, "a number is not used again");
    let list = ports.index.list(&index, None, 9).await.unwrap();
    assert_eq!(list, [entry(4, 10), entry(8, -3)]);
    embedded.close().await.unwrap();
}

fn segment(first: u64, last: u64) -> Segment {
    let event = |seq: u64| StreamEvent {
        seq: Seq(seq),
        hash: ChainHash(seq * 11),
        at: Timestamp(0),
        visibility: Visibility::Everyone,
        event: Event::Dialog(DialogEvent::Message {
            author: Participant::Bot,
            body: Sealed {
                kind: ContentKind::Text,
                chars: 2,
                bytes: Bytes::from("hi"),
            },
            reply_to: None,
            assurance: None,
        }),
    };
    Segment {
        stream: StreamId::Dialog(DialogId(4)),
        after: Position {
            seq: Seq(first - 1),
            hash: ChainHash((first - 1) * 11),
        },
        events: (first..=last).map(event).collect(),
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let mut found: Vec<_> = entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn an_archive_of_another_journal_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("archive");
    let archive = FileArchive::new(&top);
    // One of before folders named their journal.
    archive.put(segment(1, 3)).await.unwrap();
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let archive = FileArchive::new(&top);
        nodes.spawn(async move { archive.belong(Incarnation(7)).await });
    }
    for taken in nodes.join_all().await {
        taken.unwrap();
    }
    let before = files(&top);
    let refused = FileArchive::new(&top).belong(Incarnation(8)).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.to_string().contains("move this folder away"),
        "{error}"
    );
    assert_eq!(files(&top), before);
    FileArchive::new(&top).belong(Incarnation(7)).await.unwrap();
    std::fs::write(top.join("journal"), "nonsense").unwrap();
    let damaged = archive.belong(Incarnation(7)).await.unwrap_err();
    assert_eq!(damaged.kind(), ErrorKind::Corrupt);
    assert_eq!(
        archive
            .covered(&StreamId::Dialog(DialogId(4)))
            .await
            .unwrap(),
        Seq(3)
    );
}

#[tokio::test]
async fn an_archive_left_behind_stops_a_new_journal_from_opening() {
    let folder = tempfile::tempdir().unwrap();
    let archive = FileArchive::new(folder.path().join("archive"));
    archive.belong(Incarnation(1)).await.unwrap();
    let opened = Embedded::open(Options::new(folder.path()), Arc::new(SystemClock)).await;
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn the_archive_reads_over_segments_and_refuses_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let archive = FileArchive::new(folder.path().join("archive"));
    for (first, last) in [(1, 3), (3, 5), (6, 9), (12, 13)] {
        archive.put(segment(first, last)).await.unwrap();
    }
    let archive = FileArchive::new(folder.path().join("archive"));
    let stream = StreamId::Dialog(DialogId(4));
    assert_eq!(archive.covered(&stream).await.unwrap(), Seq(9));
    let numbers = async |after, limit| {
        let page = archive.read(&stream, Seq(after), limit).await.unwrap();
        assert_eq!(page.after.hash, ChainHash(after * 11));
        let seqs = page.events.iter().map(|e| e.seq.0);
        seqs.collect::<Vec<_>>()
    };
    assert_eq!(numbers(0, 100).await, (1..=9).collect::<Vec<_>>());
    assert_eq!(numbers(3, 4).await, [4, 5, 6, 7]);
    assert_eq!(numbers(5, 2).await, [6, 7]);
    assert_eq!(numbers(11, 9).await, [12, 13]);

    let files = files(folder.path());
    assert_eq!(files.len(), 4);
    let unfinished = files[0].with_file_name("unfinished.1.0");
    std::fs::write(unfinished, "half").unwrap();
    assert_eq!(numbers(0, 2).await, [1, 2]);
    let mut bytes = std::fs::read(&files[0]).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&files[0], bytes).unwrap();
    let error = archive.read(&stream, Seq(0), 9).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("to do: "), "{error}");
}
