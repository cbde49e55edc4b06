//! What a worker has of each partition that is its own: the lane, and the task that emits.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{Notify, mpsc};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    context::{Context, or_panicked},
    emit::{Job, deliver, publish},
    lane::Lane,
    tenure::Tenure,
};
use crate::{
    error::{Error, ErrorKind, Result},
    ids::Offset,
};

/// A partition that is assigned to this worker.
#[derive(Debug)]
pub(super) enum Slot {
    /// It is being taken over.
    Recovering(Recovering),
    /// It is taken over.
    Owned(Box<Owned>),
}

/// A partition that is being taken over.
#[derive(Debug)]
pub(super) struct Recovering {
    /// Tells this take-over from earlier ones.
    pub(super) turn: u64,
    pub(super) committed: Offset,
    pub(super) restarts: u32,
    pub(super) _stop: DropGuard,
}

/// A partition that is taken over.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) lane: Lane,
    /// The group's position, as far as this worker committed it.
    pub(super) committed: Offset,
    /// Whether a trim of its outbox is under way.
    pub(super) is_trimming: bool,
    /// Up to where its outbox is trimmed, as far as this owner knows.
    pub(super) trimmed: Offset,
    /// Commands below this have left the journal, as far as this worker knows.
    pub(super) commands_trimmed: Offset,
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) progress: Arc<Progress>,
    pub(super) restarts: u32,
    _stop: DropGuard,
}

impl Owned {
    /// Begins to emit on a task of its own, which ends with this.
    pub(super) fn begin(
        cx: &Arc<Context>,
        tracker: &TaskTracker,
        lane: Lane,
        was: &Recovering,
        notify: &Arc<Notify>,
    ) -> Self {
        let (jobs, receiver) = mpsc::channel(cx.config.unemitted_batches_max);
        let stop = CancellationToken::new();
        let progress = Arc::new(Progress {
            // The take-over has emitted what is in the store.
            emitted: AtomicU64::new(lane.applied.0),
            events: AtomicU64::new(lane.events.0),
            failed: Mutex::default(),
            notify: notify.clone(),
        });
        let emitter = Emitter {
            cx: cx.clone(),
            tenure: Tenure::new(lane.partition, lane.fence, lane.events),
            progress: progress.clone(),
            stop: stop.clone(),
        };
        tracker.spawn(emitter.run(receiver));
        Self {
            committed: was.committed,
            is_trimming: false,
            trimmed: Offset(0),
            commands_trimmed: Offset(0),
            restarts: was.restarts,
            lane,
            jobs,
            progress,
            _stop: stop.drop_guard(),
        }
    }

    /// Whether something waits to be decided and there is room for what it leads to.
    pub(super) fn is_ready(&self) -> bool {
        !self.lane.pending.is_empty() && self.jobs.capacity() > 0
    }
}

/// How far a partition is emitted.
#[derive(Debug)]
pub(super) struct Progress {
    emitted: AtomicU64,
    events: AtomicU64,
    failed: Mutex<Option<Error>>,
    notify: Arc<Notify>,
}

impl Progress {
    /// Below this everything is emitted.
    pub(super) fn emitted(&self) -> Offset {
        Offset(self.emitted.load(Ordering::Acquire))
    }

    /// Where in `events` that ends.
    pub(super) fn events(&self) -> Offset {
        Offset(self.events.load(Ordering::Acquire))
    }

    /// Why nothing more will be emitted by this process.
    pub(super) fn take_failure(&self) -> Option<Error> {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn advance(&self, emitted: Offset, events: Option<Offset>) {
        if let Some(events) = events {
            self.events.store(events.0, Ordering::Release);
        }
        self.emitted.store(emitted.0, Ordering::Release);
        self.notify.notify_one();
    }

    fn fail(&self, error: Error) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.notify.notify_one();
    }
}

/// Emits the jobs of one partition, in order.
struct Emitter {
    cx: Arc<Context>,
    tenure: Tenure,
    progress: Arc<Progress>,
    stop: CancellationToken,
}

impl Emitter {
    async fn run(self, jobs: mpsc::Receiver<Job>) {
        let (delivered, publishing) = mpsc::channel(self.cx.config.unemitted_batches_max);
        let emitting = async {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => Ok(()),
                ended = async {
                    tokio::try_join!(self.deliver(jobs, delivered), self.publish(publishing))
                } => ended.map(|_| ()),
            }
        };
        if let Err(error) = or_panicked("emit a batch", emitting).await {
            self.progress.fail(error);
        }
    }

    /// People see it now: that does not wait until what went before is published.
    async fn deliver(
        &self,
        mut jobs: mpsc::Receiver<Job>,
        delivered: mpsc::Sender<Job>,
    ) -> Result<()> {
        let (max, mut ready) = (self.cx.config.unemitted_batches_max, Vec::new());
        while jobs.recv_many(&mut ready, max).await > 0 {
            deliver(&self.cx, &ready).await;
            for job in ready.drain(..) {
                if delivered.send(job).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn publish(&self, mut delivered: mpsc::Receiver<Job>) -> Result<()> {
        let (max, mut ready) = (self.cx.config.unemitted_batches_max, Vec::new());
        while delivered.recv_many(&mut ready, max).await > 0 {
            let act = || async {
                match publish(&self.cx, &self.tenure, &ready).await {
                    // It is another's: that is an answer, and no reason to try again.
                    Err(error) if error.kind() == ErrorKind::Conflict => Ok(Err(error)),
                    done => done.map(Ok),
                }
            };
            let Some(published) = self.cx.persist(&self.stop, "emit", act).await? else {
                return Ok(());
            };
            let events = published?;
            if let Some(last) = ready.last() {
                self.progress.advance(last.upto, events);
            }
            ready.clear();
        }
        Ok(())
    }
}
