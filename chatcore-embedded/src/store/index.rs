//! [`IndexStore`] in the database.

use async_trait::async_trait;
use chatcore::{
    clock::Timestamp,
    error::Result,
    ids::DialogId,
    record::decode,
    store::{Index, IndexEntry, IndexStore},
};

use super::layout;
use crate::{
    database::Database,
    keys::{Key, i64_at},
    tables::{INDEX, INDEX_BY_DIALOG, View as _},
    writer::{Answer, Failure},
};

/// Lists of dialogs.
#[derive(Debug)]
pub(crate) struct EmbeddedIndex(pub(crate) Database);

fn index_key(index: &Index) -> Key {
    match index {
        Index::Customer(id) => Key::default().u8(0).text(id),
        Index::ClosedBy(id) => Key::default().u8(1).text(id),
    }
}

fn entry_key(index: &Index, at: Timestamp, dialog: DialogId) -> Key {
    index_key(index).i64(at.0).u64(dialog.0)
}

#[async_trait]
impl IndexStore for EmbeddedIndex {
    async fn put(&self, entries: Vec<(Index, IndexEntry)>) -> Result<()> {
        let write = self.0.write(Answer::WhenVisible, move |group| {
            for (index, entry) in entries {
                let by_dialog = index_key(&index).u64(entry.dialog.0);
                let before = group.get(INDEX_BY_DIALOG, by_dialog.bytes())?;
                if let Some(at) = before.and_then(|bytes| i64_at(&bytes, 0)) {
                    let before = entry_key(&index, Timestamp(at), entry.dialog);
                    group.remove(INDEX, before.bytes())?;
                }
                let at = entry.at.0.to_be_bytes();
                group.put(INDEX_BY_DIALOG, by_dialog.bytes(), &at)?;
                let key = entry_key(&index, entry.at, entry.dialog);
                layout::put(group, INDEX, &key, &entry)?;
            }
            Ok(())
        });
        write.await
    }

    async fn list(
        &self,
        index: &Index,
        before: Option<(Timestamp, DialogId)>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>> {
        let first = index_key(index);
        let range = match before {
            None => first.prefix(),
            Some((at, dialog)) => first.until(entry_key(index, at, dialog)),
        };
        let read = self.0.read(move |view| {
            let mut found = Vec::new();
            if limit > 0 {
                view.scan_back(INDEX, &range, &mut |_, value| {
                    found.push(decode(value));
                    found.len() < limit
                })?;
            }
            let found: Result<Vec<IndexEntry>> = found.into_iter().collect();
            found.map_err(Failure::Refused)
        });
        read.await
    }
}
