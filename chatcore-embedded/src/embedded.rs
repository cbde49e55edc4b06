//! The open database as the core's ports.

use std::{fmt, sync::Arc};

use chatcore::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    ids::Incarnation,
    memory::{MemoryInboxes, MemoryLeases},
    ports::Ports,
};

use crate::{
    archive::FileArchive,
    database::Database,
    disk::{Disk, RealDisk},
    journal::{EmbeddedDeadLetters, EmbeddedJournal, EmbeddedShared, EmbeddedSnapshots},
    options::Options,
    store::{EmbeddedIndex, EmbeddedStore},
};

/// A folder with everything of one process: journal, store, tables and archive.
///
/// A thread of its own does all the writing; it ends when the last port and handle is dropped, or
/// with [`close`](Self::close). Reads run on tokio's blocking pool, so all of this needs a tokio
/// runtime. Leases, routes and the node's inbox are in memory: they void with the process.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// use std::sync::Arc;
///
/// use chatcore::{clock::SystemClock, ids::Partition, journal::Log};
/// use chatcore_embedded::{Embedded, Options};
///
/// let embedded = Embedded::open(Options::new(&folder), Arc::new(SystemClock)).await?;
/// let journal = embedded.ports().journal;
/// let append = journal.try_append(Log::Commands, Partition(0), "hello".into());
/// let receipt = append.map_err(|refused| refused.error)?.await?;
/// assert_eq!(receipt.offset.0, 0);
/// embedded.close().await?;
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone)]
pub struct Embedded {
    database: Database,
    store: Arc<EmbeddedStore>,
    ports: Ports,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("format", &self.database.format)
            .finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens the folder, or creates it. Checks the database first, unless told otherwise.
    ///
    /// Dropping the future may leave the folder locked until the opening has ended by itself.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`]: an option is out of its range.
    /// - [`ErrorKind::Conflict`]: another process has the folder open, or it was created with
    ///   another number of partitions.
    /// - [`ErrorKind::NewerFormat`]: a newer version of chatcore wrote it.
    /// - [`ErrorKind::Corrupt`]: it is damaged, or lacks what was answered as durable.
    /// - [`ErrorKind::Storage`]: the disk is full or fails.
    ///
    /// Each text says what to do.
    pub async fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_on(options, clock, Arc::new(RealDisk)).await
    }

    pub(crate) async fn open_on(
        options: Options,
        clock: Arc<dyn Clock>,
        disk: Arc<dyn Disk>,
    ) -> Result<Self> {
        let opened = {
            let (options, clock) = (options.clone(), Arc::clone(&clock));
            tokio::task::spawn_blocking(move || Database::open(&options, &*disk, &*clock))
        };
        let ended =
            |e| Error::new(ErrorKind::Internal, "open the embedded database").with_source(e);
        let database = opened.await.map_err(ended)??;
        let archive = Arc::new(FileArchive::new(options.folder.join("archive")));
        let leases = Arc::new(MemoryLeases::default());
        let store = Arc::new(EmbeddedStore::new(
            database.clone(),
            Arc::clone(&leases),
            archive.clone(),
        ));
        let waiting = options.waiting_bytes_max;
        let journal = EmbeddedJournal::open(database.clone(), Arc::clone(&clock), waiting).await?;
        archive
            .belong(Incarnation(database.format.incarnation))
            .await?;
        let ports = Ports {
            journal: Arc::new(journal),
            snapshots: Arc::new(EmbeddedSnapshots(database.clone())),
            shared: Arc::new(EmbeddedShared::open(database.clone()).await?),
            dead_letters: Arc::new(EmbeddedDeadLetters(database.clone())),
            partitions: store.clone(),
            streams: store.clone(),
            leases,
            index: Arc::new(EmbeddedIndex(database.clone())),
            archive,
            inbox: Arc::new(MemoryInboxes::default()),
            clock,
        };
        Ok(Self {
            database,
            store,
            ports,
        })
    }

    /// The ports, to build a `Chat` on.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.ports.clone()
    }

    /// Whether writes are taken: for readiness.
    ///
    /// # Errors
    /// After a write or a sync has failed, that failure, with what to do about it. Nothing is
    /// written from then on; reading goes on.
    pub fn health(&self) -> Result<()> {
        self.database.health()
    }

    /// Forgets the view (states, streams, outbox, due-lines), as an emptied store does. The owners of
    /// the partitions build it again from the journal and the snapshots. The lists stay.
    ///
    /// # Errors
    /// `Storage`, `Closed`.
    pub async fn wipe_view(&self) -> Result<()> {
        self.store.wipe().await
    }

    /// Waits for what is under way, syncs, closes the database and unlocks the folder. The ports
    /// answer `Closed` from then on. Dropping the future does not take the closing back.
    ///
    /// # Errors
    /// The failure that stopped the writing, if there was one; `Closed` when it was closed before.
    pub async fn close(&self) -> Result<()> {
        self.database.close().await
    }
}
