//! [`SharedTable`] in the database.
//!
//! All of it is in memory as well: it is small, every node reads it whole, and a revocation has to
//! be seen at once.

use std::{collections::BTreeMap, sync::Arc, sync::Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chatcore::{
    error::Result,
    journal::{Change, SharedTable},
};
use tokio::sync::Notify;

use super::lock;
use crate::{
    database::Database,
    error::corrupt,
    keys::{Key, u64_at},
    tables::{Group, META, SHARED, View as _},
    writer::{Answer, Failure},
};

/// Where the number of the last change is kept.
const VERSION_KEY: &[u8] = b"shared_version";
const READ: &str = "read the shared table";

/// The shared table.
#[derive(Debug)]
pub(crate) struct EmbeddedShared {
    database: Database,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    values: Mutex<Values>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Values {
    version: u64,
    /// Removed keys stay as `None` until the restart: whoever reads changes was started after it.
    by_key: BTreeMap<String, (u64, Option<Bytes>)>,
}

impl EmbeddedShared {
    /// Reads the table.
    pub(crate) async fn open(database: Database) -> Result<Self> {
        let values = database.read(|view| {
            let damaged = || Failure::Refused(corrupt(READ, "an entry can't be read"));
            let mut values = Values::default();
            if let Some(version) = view.get(META, VERSION_KEY)? {
                values.version = u64_at(&version, 0).ok_or_else(damaged)?;
            }
            let mut whole = true;
            view.scan(SHARED, &Key::default().prefix(), &mut |key, value| {
                match decode(key, value) {
                    Some((key, entry)) => whole &= values.by_key.insert(key, entry).is_none(),
                    None => whole = false,
                }
                whole
            })?;
            if whole { Ok(values) } else { Err(damaged()) }
        });
        let state = State {
            values: Mutex::new(values.await?),
            changed: Notify::new(),
        };
        Ok(Self {
            database,
            state: Arc::new(state),
        })
    }

    fn after(&self, version: u64) -> Vec<Change> {
        let values = lock(&self.state.values);
        let mut changes: Vec<Change> = values
            .by_key
            .iter()
            .filter(|(_, (changed, _))| *changed > version)
            .map(|(key, (version, value))| Change {
                version: *version,
                key: key.clone(),
                value: value.clone(),
            })
            .collect();
        changes.sort_by_key(|c| c.version);
        changes
    }
}

impl State {
    fn tell(&self, key: String, version: u64, value: Option<Bytes>) {
        let mut values = lock(&self.values);
        values.version = version;
        values.by_key.insert(key, (version, value));
        drop(values);
        self.changed.notify_waiters();
    }
}

fn decode(key: &[u8], value: &[u8]) -> Option<(String, (u64, Option<Bytes>))> {
    let key = String::from_utf8(key.to_vec()).ok()?;
    let bytes = Bytes::copy_from_slice(value.get(8..)?);
    Some((key, (u64_at(value, 0)?, Some(bytes))))
}

#[async_trait]
impl SharedTable for EmbeddedShared {
    async fn put(&self, key: &str, value: Option<Bytes>) -> Result<u64> {
        let name = key.to_owned();
        let stored = value.clone();
        let work = move |group: &mut Group<'_>| {
            let last = group.get(META, VERSION_KEY)?;
            let version = last.and_then(|bytes| u64_at(&bytes, 0)).unwrap_or(0) + 1;
            group.put(META, VERSION_KEY, &version.to_be_bytes())?;
            match stored {
                Some(value) => {
                    let value = [&version.to_be_bytes(), &*value].concat();
                    group.put(SHARED, name.as_bytes(), &value)?;
                }
                None => group.remove(SHARED, name.as_bytes())?,
            }
            Ok(version)
        };
        let key = key.to_owned();
        let state = Arc::clone(&self.state);
        // Told in the writer's order, so that nobody reads a version without the ones before it.
        let tell = move |version: &u64| state.tell(key, *version, value);
        self.database
            .write_then(Answer::WhenDurable, work, tell)
            .await
    }

    async fn read(&self) -> Result<(u64, Vec<(String, Bytes)>)> {
        let values = lock(&self.state.values);
        let entries = values.by_key.iter();
        let entries = entries.filter_map(|(key, (_, v))| Some((key.clone(), v.clone()?)));
        Ok((values.version, entries.collect()))
    }

    async fn newest(&self) -> Result<u64> {
        self.database.opened()?;
        Ok(lock(&self.state.values).version)
    }

    async fn changes(&self, version: u64) -> Result<Vec<Change>> {
        loop {
            let mut changed = std::pin::pin!(self.state.changed.notified());
            changed.as_mut().enable();
            let changes = self.after(version);
            if !changes.is_empty() {
                return Ok(changes);
            }
            self.database.wait_for(changed).await?;
        }
    }
}
