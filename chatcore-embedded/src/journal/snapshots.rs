//! [`SnapshotTable`] in the database.

use async_trait::async_trait;
use bytes::Bytes;
use chatcore::{
    error::Result,
    ids::{Offset, Partition},
    journal::SnapshotTable,
};

use crate::{
    database::Database,
    error::corrupt,
    keys::{Key, u64_at},
    tables::{SNAPSHOTS, View as _},
    writer::{Answer, Failure},
};

/// Snapshots by partition and key.
#[derive(Debug)]
pub(crate) struct EmbeddedSnapshots(pub(crate) Database);

#[async_trait]
impl SnapshotTable for EmbeddedSnapshots {
    async fn put(
        &self,
        partition: Partition,
        snapshots: Vec<(String, Offset, Option<Bytes>)>,
    ) -> Result<()> {
        let write = self.0.write(Answer::WhenDurable, move |group| {
            for (key, covered, bytes) in snapshots {
                let key = Key::of(partition).rest(key.as_bytes());
                match bytes {
                    Some(bytes) => {
                        let value = [&covered.0.to_be_bytes(), &*bytes].concat();
                        group.put(SNAPSHOTS, key.bytes(), &value)?;
                    }
                    None => group.remove(SNAPSHOTS, key.bytes())?,
                }
            }
            Ok(())
        });
        write.await
    }

    async fn read(&self, partition: Partition) -> Result<Vec<(String, Offset, Bytes)>> {
        let read = self.0.read(move |view| {
            let mut found = Vec::new();
            view.scan(
                SNAPSHOTS,
                &Key::of(partition).prefix(),
                &mut |key, value| {
                    found.push(decode(key, value));
                    true
                },
            )?;
            found
                .into_iter()
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| {
                    Failure::Refused(corrupt("read snapshots", "a snapshot can't be read"))
                })
        });
        read.await
    }
}

fn decode(key: &[u8], value: &[u8]) -> Option<(String, Offset, Bytes)> {
    let name = String::from_utf8(key.get(4..)?.to_vec()).ok()?;
    let covered = Offset(u64_at(value, 0)?);
    Some((name, covered, Bytes::copy_from_slice(value.get(8..)?)))
}
