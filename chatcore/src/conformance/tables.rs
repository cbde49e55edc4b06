//! What the compacted tables and the dead letters promise.

use bytes::Bytes;
use tokio::time::timeout;

use super::samples::LONG;
use crate::{
    clock::Timestamp,
    ids::{Label, Offset, Partition},
    journal::DeadLetter,
    ports::Ports,
};

const P0: Partition = Partition(0);

/// Of two snapshots of a key the later one is kept; `None` forgets it.
pub async fn the_newest_snapshot_wins_and_can_be_removed(ports: Ports) {
    let table = &ports.snapshots;
    let put = |key: &str, offset, value: Option<&'static str>| {
        let entry = (key.to_owned(), Offset(offset), value.map(Bytes::from));
        async move { table.put(P0, vec![entry]).await.unwrap() }
    };
    put("a", 1, Some("old")).await;
    put("b", 1, Some("b")).await;
    put("a", 2, Some("new")).await;
    let all = table.read(P0).await.unwrap();
    assert_eq!(
        all,
        [
            ("a".to_owned(), Offset(2), Bytes::from("new")),
            ("b".to_owned(), Offset(1), Bytes::from("b")),
        ]
    );
    put("a", 3, None).await;
    assert_eq!(table.read(P0).await.unwrap().len(), 1);
}

/// A partition has its own snapshots.
pub async fn snapshots_are_apart_by_partition(ports: Ports) {
    let entry = ("a".to_owned(), Offset(1), Some(Bytes::from("x")));
    ports.snapshots.put(P0, vec![entry]).await.unwrap();
    assert!(ports.snapshots.read(Partition(1)).await.unwrap().is_empty());
}

/// Every reader sees the changes in one order, and the whole as of a version.
pub async fn shared_changes_have_one_order(ports: Ports) {
    let shared = &ports.shared;
    let first = shared.put("a", Some("1".into())).await.unwrap();
    let second = shared.put("b", Some("2".into())).await.unwrap();
    let third = shared.put("a", None).await.unwrap();
    assert!(first < second && second < third);
    let changes = shared.changes(first).await.unwrap();
    let keys: Vec<_> = changes
        .iter()
        .map(|c| (c.version, c.key.as_str()))
        .collect();
    assert_eq!(keys, [(second, "b"), (third, "a")]);
    assert_eq!(shared.newest().await.unwrap(), third);
    let (version, all) = shared.read().await.unwrap();
    assert_eq!(version, third);
    assert_eq!(all, [("b".to_owned(), Bytes::from("2"))]);
}

/// Whoever waits for changes is woken by one.
pub async fn a_shared_change_wakes_its_reader(ports: Ports) {
    let shared = &ports.shared;
    let (version, _) = shared.read().await.unwrap();
    let wait = async {
        timeout(LONG, shared.changes(version))
            .await
            .expect("woken")
            .unwrap()
    };
    let put = async {
        tokio::task::yield_now().await;
        shared.put("k", Some("v".into())).await.unwrap()
    };
    let (changes, put) = tokio::join!(wait, put);
    assert_eq!(changes[0].version, put);
}

/// One origin, partition and offset is kept once; removing twice is fine.
pub async fn a_dead_letter_is_kept_once(ports: Ports) {
    let letters = &ports.dead_letters;
    let letter = |offset| DeadLetter {
        origin: Label::literal("engine"),
        partition: P0,
        offset: Offset(offset),
        reason: Label::literal("unreadable"),
        attempts: 1,
        at: Timestamp(1),
        record: Bytes::from("r"),
    };
    let first = letters.add(letter(1)).await.unwrap();
    assert_eq!(letters.add(letter(1)).await.unwrap(), first);
    let second = letters.add(letter(2)).await.unwrap();
    let numbers = |list: Vec<(u64, DeadLetter)>| list.into_iter().map(|(n, _)| n);
    assert!(numbers(letters.list(None, 10).await.unwrap()).eq([first, second]));
    assert!(numbers(letters.list(Some(first), 10).await.unwrap()).eq([second]));
    letters.remove(first).await.unwrap();
    letters.remove(first).await.unwrap();
    assert!(numbers(letters.list(None, 10).await.unwrap()).eq([second]));
}
