//! What an [`IndexStore`](crate::store::IndexStore) promises.

use crate::{
    clock::Timestamp,
    ids::{CustomerId, DialogId},
    ports::Ports,
    store::{Index, IndexEntry},
};

fn list() -> Index {
    Index::Customer(CustomerId::literal("anna"))
}

fn entry(dialog: u64, at: i64) -> (Index, IndexEntry) {
    let customer = CustomerId::literal("anna");
    (
        list(),
        IndexEntry {
            dialog: DialogId(dialog),
            customer,
            at: Timestamp(at),
        },
    )
}

/// Newest first; `before` goes on where a page ended.
pub async fn a_list_is_newest_first_and_pages(ports: Ports) {
    let entries = vec![entry(1, 10), entry(2, 30), entry(3, 20), entry(4, 20)];
    ports.index.put(entries).await.unwrap();
    let mut before = None;
    let mut seen = Vec::new();
    loop {
        let page = ports.index.list(&list(), before, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some((last.at, last.dialog));
        seen.extend(page.iter().map(|e| e.dialog.0));
    }
    assert_eq!(seen, [2, 4, 3, 1]);
    let other = Index::Customer(CustomerId::literal("boris"));
    assert!(ports.index.list(&other, None, 10).await.unwrap().is_empty());
}

/// One entry a dialog: a later one moves it.
pub async fn a_later_entry_replaces_the_earlier(ports: Ports) {
    ports
        .index
        .put(vec![entry(1, 10), entry(2, 20)])
        .await
        .unwrap();
    ports
        .index
        .put(vec![entry(1, 30), entry(2, 20)])
        .await
        .unwrap();
    let all = ports.index.list(&list(), None, 10).await.unwrap();
    let all: Vec<_> = all.iter().map(|e| (e.dialog.0, e.at.0)).collect();
    assert_eq!(all, [(1, 30), (2, 20)]);
}
