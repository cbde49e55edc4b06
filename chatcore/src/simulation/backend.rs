//! The ports of a backend in a run, in place of the run's own.

use std::{fmt, panic, sync::Arc, thread};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    journal::{DeadLetters, SharedTable, SnapshotTable},
    store::{Archive, IndexStore, LeaseStore, PartitionStore, StreamStore},
};

/// What a run's nodes talk to, apart from the journal and each other.
#[derive(Debug, Clone)]
pub struct BackendPorts {
    /// The live view, as owners of partitions use it.
    pub partitions: Arc<dyn PartitionStore>,
    /// The live view, as sessions use it.
    pub streams: Arc<dyn StreamStore>,
    /// Which nodes live.
    pub leases: Arc<dyn LeaseStore>,
    /// Lists built from events.
    pub index: Arc<dyn IndexStore>,
    /// Where streams go in the end.
    pub archive: Arc<dyn Archive>,
    /// Compacted snapshots.
    pub snapshots: Arc<dyn SnapshotTable>,
    /// Revocations and configuration.
    pub shared: Arc<dyn SharedTable>,
    /// What could not be done.
    pub dead_letters: Arc<dyn DeadLetters>,
}

/// A backend whose ports a run is made on, with [`run_on`](super::run_on).
///
/// All nodes of the run share its ports, each over a link of its own that is cut, slow, or loses
/// requests and replies. The calls run on a runtime of their own, in real time, and may use
/// threads, files and sockets; the run's time stands still meanwhile. A run stays the same for a
/// seed as long as the backend answers the same.
///
/// ```
/// # use std::sync::Arc;
/// # use async_trait::async_trait;
/// use chatcore::{
///     clock::Clock,
///     error::Result,
///     memory::{MemoryLeases, MemoryStore},
///     simulation::{Backend, BackendPorts, Plan, run_on, shrink::tell},
/// };
///
/// #[derive(Debug)]
/// struct MyBackend;
///
/// #[async_trait]
/// impl Backend for MyBackend {
///     async fn open(&self, clock: Arc<dyn Clock>, ports: BackendPorts) -> Result<BackendPorts> {
///         let leases = Arc::new(MemoryLeases::with_clock(clock));
///         let archive = ports.archive.clone();
///         let store = Arc::new(MemoryStore::new(4, leases.clone(), archive));
///         Ok(BackendPorts { partitions: store.clone(), streams: store, leases, ..ports })
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let plan = Plan::draw(1);
/// let report = run_on(&plan, Arc::new(MyBackend))?;
/// assert!(report.is_well(), "{}", tell(&plan, &report));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Opens the backend, empty, with [`PARTITIONS`](super::PARTITIONS) partitions, and puts its
    /// ports in the place of the run's. The store's leases must run by `clock`, which is the run's
    /// time, and never jumps. Called once a run.
    ///
    /// # Errors
    /// What the run is to end with.
    async fn open(&self, clock: Arc<dyn Clock>, ports: BackendPorts) -> Result<BackendPorts>;

    /// The store loses all that it has, as by `FLUSHALL`. Answers whether it did: false, when the
    /// backend can't, leaves the fault out.
    ///
    /// # Errors
    /// What the run is to end with.
    async fn empty(&self) -> Result<bool> {
        Ok(false)
    }

    /// A replica has from now on what the store has now, and gets nothing more.
    ///
    /// # Errors
    /// What the run is to end with.
    async fn replicate(&self, _replica: usize) -> Result<()> {
        Ok(())
    }

    /// The replica becomes the primary: what was written since is lost. Answers whether it did, as
    /// [`empty`](Self::empty).
    ///
    /// # Errors
    /// What the run is to end with.
    async fn fail_over(&self, _replica: usize) -> Result<bool> {
        Ok(false)
    }
}

/// Where calls to ports run.
#[derive(Debug, Clone)]
pub(super) enum Driver {
    /// In the run's own time: the ports in process, which never wait.
    Here,
    /// On a runtime in real time.
    Outside(Handle),
}

impl Driver {
    /// A runtime for calls in real time, for as long as the answer is kept.
    pub(super) fn outside() -> Result<(Runtime, Self)> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|e| Error::new(ErrorKind::Internal, "open a backend").with_source(e))?;
        let driver = Self::Outside(runtime.handle().clone());
        Ok((runtime, driver))
    }

    /// Makes a call.
    pub(super) async fn call<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        match self {
            Self::Here => call.await,
            Self::Outside(runtime) => wait(runtime, call),
        }
    }

    /// What a call answers, at once; none if it fails, or has to wait for the run's time.
    pub(super) fn now<T: Send>(&self, call: impl Future<Output = Result<T>> + Send) -> Option<T> {
        self.call(call).now_or_never().and_then(Result::ok)
    }
}

/// Waits for a call on another thread: this one is inside a runtime whose time is the run's.
fn wait<T: Send>(runtime: &Handle, call: impl Future<Output = T> + Send) -> T {
    let done = thread::scope(|scope| scope.spawn(|| runtime.block_on(call)).join());
    done.unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}
