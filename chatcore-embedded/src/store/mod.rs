//! The view in the database: [`PartitionStore`] and [`StreamStore`].
//!
//! What is stored begins with its partition, so that a partition is forgotten in a few steps.
//! Routes are in memory: they void with the process that they lead to.
//!
//! [`PartitionStore`]: chatcore::store::PartitionStore
//! [`StreamStore`]: chatcore::store::StreamStore

mod index;
mod layout;
mod partition;
mod routes;
mod save;
mod stream;

pub(crate) use index::EmbeddedIndex;

use std::sync::Arc;

use chatcore::{
    error::Result,
    ids::Partition,
    memory::MemoryLeases,
    store::{Archive, Mark},
};

use self::routes::Routes;
use crate::{
    database::Database,
    keys::Key,
    tables::{Group, MARKS, VIEW, View},
    writer::{Answer, Failure},
};

/// The view.
#[derive(Debug)]
pub(crate) struct EmbeddedStore {
    database: Database,
    routes: Arc<Routes>,
    leases: Arc<MemoryLeases>,
    archive: Arc<dyn Archive>,
    partitions: u32,
}

impl EmbeddedStore {
    pub(crate) fn new(
        database: Database,
        leases: Arc<MemoryLeases>,
        archive: Arc<dyn Archive>,
    ) -> Self {
        let partitions = database.format.partitions;
        Self {
            database,
            routes: Arc::default(),
            leases,
            archive,
            partitions,
        }
    }

    /// Forgets the view, with its routes and leases, as an emptied store does.
    pub(crate) async fn wipe(&self) -> Result<()> {
        let work = |group: &mut Group<'_>| {
            for table in VIEW {
                group.remove_range(*table, &Key::default().prefix())?;
            }
            Ok(())
        };
        let (routes, leases) = (Arc::clone(&self.routes), Arc::clone(&self.leases));
        let forget = move |(): &()| {
            routes.clear();
            leases.clear();
        };
        self.database
            .write_then(Answer::WhenDurable, work, forget)
            .await
    }
}

/// Where a partition stands; the default for one that is not stored.
fn read_mark(view: &dyn View, partition: Partition) -> Result<Mark, Failure> {
    let stored = layout::get(view, MARKS, &Key::of(partition))?;
    Ok(stored.unwrap_or_default())
}
