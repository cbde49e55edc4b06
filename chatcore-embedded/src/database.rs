//! The database of one process: opened once, read by many, written by one thread.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock, PoisonError, RwLock},
    thread,
};

use chatcore::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
};
use tokio::sync::{
    Semaphore,
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tokio_util::sync::CancellationToken;

use crate::{
    checkpoint::Checkpoints,
    disk::Disk,
    error::{corrupt, from_database, from_io},
    folder::{Folder, Format},
    live::Live,
    log::Log,
    mark::Mark,
    opening,
    options::Options,
    tables::{Group, Snapshot},
    writer::{Answer, Failure, Files, Job, Message, Task, Writer},
};

const OPEN: &str = "open the embedded database";
const READ: &str = "read the embedded database";
const WRITE: &str = "write to the embedded database";

/// What is open. Fields are dropped in this order: what reads the database, the database, and
/// then the folder is unlocked.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) live: Arc<Live>,
    pub(crate) database: redb::Database,
    pub(crate) _folder: Folder,
}

/// What readers and the writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    open: RwLock<Option<Arc<Open>>>,
    stopped: OnceLock<Stopped>,
    closed: CancellationToken,
}

#[derive(Debug)]
struct Stopped {
    kind: ErrorKind,
    reason: String,
}

impl Shared {
    /// The first failure of a write, if there was one.
    pub(crate) fn health(&self) -> Result<()> {
        match self.stopped.get() {
            None => Ok(()),
            Some(stopped) => Err(Error::new(stopped.kind, WRITE)
                .with_context("writing stopped after", &stopped.reason)),
        }
    }

    pub(crate) fn stop(&self, error: &Error) {
        // Only the first one counts; what follows from it explains nothing.
        self.stopped.get_or_init(|| Stopped {
            kind: error.kind(),
            reason: error.to_string(),
        });
    }

    pub(crate) fn forget(&self) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        *open = None;
        self.closed.cancel();
    }

    fn open(&self) -> Result<Arc<Open>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.clone().ok_or_else(|| closed(READ))
    }
}

/// A handle to the open database; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    shared: Arc<Shared>,
    writes: mpsc::Sender<Message>,
    reads: Arc<Semaphore>,
    reads_max: u32,
    pub(crate) format: Format,
}

impl Database {
    /// Opens or creates the database. Blocks on the disk.
    pub(crate) fn open(options: &Options, disk: &dyn Disk, clock: &dyn Clock) -> Result<Self> {
        options.validate()?;
        let opening::Opened {
            open,
            log,
            mark,
            format,
        } = opening::open(options, disk, clock)?;
        Self::start(options, Arc::new(open), (log, mark), format)
    }

    fn start(
        options: &Options,
        open: Arc<Open>,
        (log, mark): (Log, Mark),
        format: Format,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            open: RwLock::new(Some(Arc::clone(&open))),
            stopped: OnceLock::new(),
            closed: CancellationToken::new(),
        });
        let (writes, inbox) = mpsc::channel(options.waiting_writes_max);
        let watched = Arc::clone(&shared);
        let checkpoints = Checkpoints::start(&shared, &open)?;
        let files = Files {
            log,
            log_bytes_max: options.log_bytes_max,
            mark,
            checkpoints,
        };
        let writer = Writer::new(Arc::clone(&shared), open, files);
        thread::Builder::new()
            .name("chatcore-writer".to_owned())
            .spawn(move || {
                if catch_unwind(AssertUnwindSafe(|| writer.run(inbox))).is_err() {
                    watched.stop(&Error::new(ErrorKind::Internal, WRITE));
                    watched.forget();
                }
            })
            .map_err(|e| from_io(OPEN, e))?;
        Ok(Self {
            shared,
            writes,
            reads: Arc::new(Semaphore::new(options.reads_max)),
            reads_max: u32::try_from(options.reads_max).unwrap_or(u32::MAX),
            format,
        })
    }

    /// Reads at one moment, on a thread that may block; waits for its turn.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        F: FnOnce(&Snapshot) -> Result<T, Failure> + Send + 'static,
        T: Send + 'static,
    {
        self.read_from(|begin| begin(), work).await
    }

    /// As [`read`](Self::read); `moment` does something together with choosing the moment.
    pub(crate) async fn read_from<T, M, F>(&self, moment: M, work: F) -> Result<T>
    where
        M: FnOnce(&dyn Fn() -> Snapshot) -> Snapshot + Send + 'static,
        F: FnOnce(&Snapshot) -> Result<T, Failure> + Send + 'static,
        T: Send + 'static,
    {
        let turn = Arc::clone(&self.reads).acquire_owned().await;
        let turn = turn.map_err(|_| closed(READ))?;
        let open = self.shared.open()?;
        let read = tokio::task::spawn_blocking(move || {
            let begin = || open.live.read();
            let result = work(&moment(&begin));
            drop(open);
            drop(turn);
            result
        });
        match read.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Failure::Refused(error))) => Err(error),
            Ok(Err(Failure::Database(error))) => Err(from_database(READ, error)),
            Err(e) if e.is_panic() => Err(corrupt(READ, "the database's file can't be understood")),
            Err(_) => Err(closed(READ)),
        }
    }

    /// Writes with the next group; waits for room. Dropping the future does not undo the write.
    pub(crate) async fn write<T, F>(&self, answer: Answer, work: F) -> Result<T>
    where
        F: FnOnce(&mut Group<'_>) -> Result<T, Failure> + Send + 'static,
        T: Send + 'static,
    {
        self.write_then(answer, work, |_| {}).await
    }

    /// As [`write`](Self::write); `then` runs before the answer, in the order of the writes.
    pub(crate) async fn write_then<T, F, G>(&self, answer: Answer, work: F, then: G) -> Result<T>
    where
        F: FnOnce(&mut Group<'_>) -> Result<T, Failure> + Send + 'static,
        G: FnOnce(&T) + Send + 'static,
        T: Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        let job = Task::boxed(answer, work, then, reply);
        self.place().await?.write(job);
        result.await.map_err(|_| closed(WRITE))?
    }

    /// As [`write`](Self::write), but waits for room alone, not until it is written. Should that
    /// fail, nothing more is written, and whoever writes next hears of it.
    pub(crate) async fn write_unheard<F>(&self, answer: Answer, work: F) -> Result<()>
    where
        F: FnOnce(&mut Group<'_>) -> Result<(), Failure> + Send + 'static,
    {
        self.health()?;
        let (reply, _) = oneshot::channel();
        let job = Task::boxed(answer, work, |()| {}, reply);
        self.place().await?.write(job);
        Ok(())
    }

    /// Waits for room for a write.
    pub(crate) async fn place(&self) -> Result<Place<'_>> {
        let place = self.writes.reserve().await;
        place.map(Place).map_err(|_| closed(WRITE))
    }

    /// Room for a write, if there is some now.
    pub(crate) fn try_place(&self) -> Result<Option<Place<'_>>> {
        match self.writes.try_reserve() {
            Ok(permit) => Ok(Some(Place(permit))),
            Err(TrySendError::Full(())) => Ok(None),
            Err(TrySendError::Closed(())) => Err(closed(WRITE)),
        }
    }

    /// Whether it is still open.
    pub(crate) fn opened(&self) -> Result<()> {
        self.shared.open().map(drop)
    }

    /// Waits for this, but no longer than until the database is closed.
    pub(crate) async fn wait_for<T>(&self, what: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.shared.closed.cancelled() => Err(closed(READ)),
            found = what => Ok(found),
        }
    }

    /// Whether writes are taken.
    pub(crate) fn health(&self) -> Result<()> {
        self.shared.health()
    }

    /// Waits for the reads under way, writes what has arrived, syncs, closes and unlocks.
    pub(crate) async fn close(&self) -> Result<()> {
        let reads = self.reads.acquire_many(self.reads_max).await;
        self.reads.close();
        drop(reads.map_err(|_| closed(WRITE))?);
        let (reply, done) = oneshot::channel();
        let send = self.writes.send(Message::Close(reply)).await;
        send.map_err(|_| closed(WRITE))?;
        done.await.map_err(|_| closed(WRITE))?
    }
}

/// Room for one write.
#[derive(Debug)]
pub(crate) struct Place<'a>(mpsc::Permit<'a, Message>);

impl Place<'_> {
    pub(crate) fn write(self, job: Box<dyn Job>) {
        self.0.send(Message::Write(job));
    }
}

fn closed(operation: &'static str) -> Error {
    Error::new(ErrorKind::Closed, operation)
}
