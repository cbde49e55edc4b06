//! Checkpoints: what was written since the last one goes into the database, in one transaction, on
//! a thread of its own. The writer meanwhile goes on with the next layer and the other log file.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use chatcore::error::Result;
use redb::Durability;

use crate::{
    database::{Open, Shared},
    error::{corrupt, from_database, from_io},
    layer::Layer,
    layers::Base,
    tables::{ALL, META},
};

/// Where the number of the last group of a checkpoint is kept.
pub(crate) const GROUP_KEY: &[u8] = b"group";
const CHECKPOINT: &str = "write a checkpoint of the embedded database";

/// A frozen layer, and the last group in it.
pub(crate) type Frozen = (Arc<Layer>, u64);

/// The thread of the checkpoints. Dropping it waits for the checkpoint that is under way, if there
/// is one, and ends the thread: then it holds the folder no longer.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    orders: Option<SyncSender<Frozen>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic was caught and kept as the failure.
            drop(thread.join());
        }
    }
}

impl Checkpoints {
    pub(crate) fn start(shared: &Arc<Shared>, open: &Arc<Open>) -> Result<Self> {
        // The writer freezes no second layer before the first one's checkpoint has ended.
        let (orders, inbox) = sync_channel(1);
        let (shared, open) = (Arc::clone(shared), Arc::clone(open));
        let thread = thread::Builder::new()
            .name("chatcore-checkpoints".to_owned())
            .spawn(move || run(&shared, &open, &inbox))
            .map_err(|e| from_io(CHECKPOINT, e))?;
        Ok(Self {
            orders: Some(orders),
            thread: Some(thread),
        })
    }

    /// Begins one.
    pub(crate) fn begin(&self, frozen: Frozen) {
        if let Some(orders) = &self.orders {
            // Fails only when the thread has ended, which it does after a failure that is kept.
            drop(orders.send(frozen));
        }
    }
}

fn run(shared: &Shared, open: &Open, inbox: &Receiver<Frozen>) {
    while let Ok(frozen) = inbox.recv() {
        if !write(shared, open, &frozen) {
            break;
        }
    }
}

/// Brings a frozen layer into the database; a failure stops the writing. Whether it went well.
pub(crate) fn write(shared: &Shared, open: &Open, (layer, group): &Frozen) -> bool {
    let flushed = catch_unwind(AssertUnwindSafe(|| flush(&open.database, layer, *group)));
    match flushed.unwrap_or_else(|_| Err(corrupt(CHECKPOINT, "the database can't be understood"))) {
        Ok(base) => {
            open.live.checkpointed(base);
            true
        }
        Err(error) => {
            tracing::error!(%error, "the embedded database stops writing until the restart");
            shared.stop(&error);
            false
        }
    }
}

/// Writes a layer into the database as one transaction, with the number of its last group, and
/// opens what it led to.
pub(crate) fn flush(database: &redb::Database, layer: &Layer, group: u64) -> Result<Base> {
    let flush = || -> Result<Base, redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        layer.changes(|table, covered, changes| {
            let mut rows = transaction.open_table(table.definition())?;
            for range in covered {
                rows.retain_in::<&[u8], _>((range.from(), range.to()), |_, _| false)?;
            }
            for (key, value) in changes {
                match value {
                    Some(value) => drop(rows.insert(key, value)?),
                    None => drop(rows.remove(key)?),
                }
            }
            Ok::<_, redb::Error>(())
        })?;
        transaction
            .open_table(META.definition())?
            .insert(GROUP_KEY, group.to_be_bytes().as_slice())?;
        transaction.commit()?;
        Base::open(database)
    };
    flush().map_err(|e| from_database(CHECKPOINT, e))
}

/// Creates the tables that are missing, so that reads need not ask.
pub(crate) fn ensure_tables(database: &redb::Database) -> Result<(), redb::Error> {
    use redb::TableHandle as _;

    let mut transaction = database.begin_write()?;
    let found: Vec<String> = transaction
        .list_tables()?
        .map(|table| table.name().to_owned())
        .collect();
    if ALL.iter().all(|t| found.iter().any(|f| f == t.name())) {
        transaction.abort()?;
        return Ok(());
    }
    transaction.set_durability(Durability::Immediate)?;
    for table in ALL {
        transaction.open_table(table.definition())?;
    }
    transaction.commit()?;
    Ok(())
}
