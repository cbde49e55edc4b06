//! The one writer: a thread that puts what has arrived into one group, syncs the log, and answers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use chatcore::{
    error::{Error, ErrorKind, Result, Retry},
    sabotage::{self, Switch},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    checkpoint::{self, Checkpoints},
    database::{Open, Shared},
    error::{corrupt, from_database, from_io},
    log::Log,
    mark::Mark,
    park,
    tables::Group,
};

/// The most writes in one group.
const GROUP_JOBS_MAX: usize = 1_024;
/// What was answered as visible is synced within this. An append usually comes sooner, and then
/// one sync does for both.
const SYNC_WITHIN: Duration = Duration::from_millis(5);
/// How many times larger than it should be the log may grow while a checkpoint is under way.
const LOG_GROWTH_MAX: u64 = 4;
/// How often a writer that waits for a checkpoint looks whether it has failed.
const CHECK_EVERY: Duration = Duration::from_millis(50);
const WRITE: &str = "write to the embedded database";

/// When the writer of a job is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// After the group was synced: what is answered survives a power cut.
    WhenDurable,
    /// When it can be read; durable with the next sync, in the same order.
    WhenVisible,
}

/// Why a job did not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing was written, and the group goes on. A job checks everything before its first write.
    Refused(Error),
    /// The database failed, and the group with it.
    Database(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

/// Work for the writer, together with whoever waits for it.
pub(crate) trait Job: Send {
    fn answer(&self) -> Answer;
    fn apply(&mut self, group: &mut Group<'_>) -> Result<(), redb::Error>;
    fn done(self: Box<Self>, group: Result<()>);
}

pub(crate) enum Message {
    Write(Box<dyn Job>),
    Close(oneshot::Sender<Result<()>>),
}

/// A closure as a job.
pub(crate) struct Task<T, F, G> {
    answer: Answer,
    work: Option<F>,
    /// Runs in the order of the writes, once what was written counts.
    then: G,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F, G> Task<T, F, G>
where
    F: FnOnce(&mut Group<'_>) -> Result<T, Failure> + Send + 'static,
    G: FnOnce(&T) + Send + 'static,
    T: Send + 'static,
{
    pub(crate) fn boxed(
        answer: Answer,
        work: F,
        then: G,
        reply: oneshot::Sender<Result<T>>,
    ) -> Box<dyn Job> {
        Box::new(Self {
            answer,
            work: Some(work),
            then,
            result: None,
            reply,
        })
    }
}

impl<T, F, G> Job for Task<T, F, G>
where
    F: FnOnce(&mut Group<'_>) -> Result<T, Failure> + Send,
    G: FnOnce(&T) + Send,
    T: Send,
{
    fn answer(&self) -> Answer {
        self.answer
    }

    fn apply(&mut self, group: &mut Group<'_>) -> Result<(), redb::Error> {
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        let before = group.writes();
        match work(group) {
            Ok(value) => self.result = Some(Ok(value)),
            Err(Failure::Database(error)) => return Err(error),
            Err(Failure::Refused(error)) => {
                if group.writes() != before {
                    // What it wrote can't be taken back without the rest of the group.
                    return Err(redb::Error::Corrupted(format!(
                        "a write was refused after it had begun: {error}"
                    )));
                }
                self.result = Some(Err(error));
            }
        }
        Ok(())
    }

    fn done(self: Box<Self>, group: Result<()>) {
        let closed = || Err(Error::new(ErrorKind::Closed, WRITE));
        let answer = match group {
            Ok(()) => self.result.unwrap_or_else(closed),
            Err(error) => Err(error),
        };
        if let Ok(value) = &answer {
            (self.then)(value);
        }
        // Nobody waits any more: dropping a write's future does not undo the write.
        drop(self.reply.send(answer));
    }
}

/// The files that the writer writes to, and what brings them into the database.
pub(crate) struct Files {
    pub(crate) log: Log,
    /// A checkpoint begins when this much was written.
    pub(crate) log_bytes_max: u64,
    pub(crate) mark: Mark,
    pub(crate) checkpoints: Checkpoints,
}

/// The state of the writer's thread.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    open: Arc<Open>,
    files: Files,
    /// Until when what was answered as visible is synced, if there is such.
    sync_by: Option<Instant>,
    /// The last group that was written, synced or not.
    written: u64,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, open: Arc<Open>, files: Files) -> Self {
        Self {
            shared,
            open,
            files,
            sync_by: None,
            written: 0,
        }
    }

    /// Writes until told to close, or until nobody is left who could write. Blocks; the writer has
    /// a thread of its own.
    pub(crate) fn run(mut self, mut inbox: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(GROUP_JOBS_MAX);
        let mut closers = Vec::new();
        loop {
            let received = inbox.recv_many(&mut messages, GROUP_JOBS_MAX);
            match park::wait(received, self.sync_by) {
                None => {
                    self.sync();
                    continue;
                }
                Some(0) => break,
                Some(_) => {}
            }
            let mut jobs = Vec::with_capacity(messages.len());
            for message in messages.drain(..) {
                match message {
                    Message::Write(job) => jobs.push(job),
                    Message::Close(reply) => {
                        closers.push(reply);
                        // What came before is still written; what comes after is refused.
                        inbox.close();
                    }
                }
            }
            self.write(jobs);
            // One visible write after the other must not put the sync off for ever.
            if self.sync_by.is_some_and(|by| by <= Instant::now()) {
                self.sync();
            }
        }
        self.close(closers);
    }

    fn write(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        if jobs.is_empty() {
            return;
        }
        if self.shared.health().is_err() {
            for job in jobs {
                job.done(self.shared.health());
            }
            return;
        }
        let durable = jobs.iter().any(|j| j.answer() == Answer::WhenDurable);
        let durable = durable && !sabotage::on(Switch::DurableBeforeFsync);
        let result = self.guarded(|this| this.commit(&mut jobs, durable));
        for job in jobs {
            job.done(match &result {
                Ok(()) => Ok(()),
                // Whether this group reached the disk is not known.
                Err(_) => self
                    .shared
                    .health()
                    .map_err(|e| e.with_retry(Retry::SameKeyOnly)),
            });
        }
    }

    /// Makes durable what was answered as visible.
    fn sync(&mut self) {
        self.sync_by = None;
        if self.shared.health().is_ok() {
            // A failure is kept: the next write hears of it, and so does readiness.
            drop(self.guarded(Self::sync_log));
            self.checkpoint();
        }
    }

    fn commit(&mut self, jobs: &mut [Box<dyn Job>], durable: bool) -> Result<()> {
        let (layers, stamp) = self.open.live.next_group();
        let mut group = Group::new(&layers, stamp, self.files.log.next(stamp.group));
        for job in jobs {
            let applied = job.apply(&mut group);
            applied.map_err(|e| from_database(WRITE, e))?;
        }
        self.written = stamp.group;
        if durable {
            self.sync_log()?;
        } else {
            self.sync_by.get_or_insert(Instant::now() + SYNC_WITHIN);
        }
        self.open.live.publish(stamp.group);
        if durable {
            self.checkpoint();
        }
        Ok(())
    }

    /// Brings what was written to the disk.
    fn sync_log(&mut self) -> Result<()> {
        self.sync_by = None;
        let last = self.written;
        let Files { log, mark, .. } = &mut self.files;
        let synced = log.sync(last).and_then(|()| mark.set(last));
        synced.map_err(|e| from_io(WRITE, e))
    }

    /// Begins a checkpoint when there is enough for one and the last one has ended. Waits for it
    /// only when the log has grown far beyond: then the disk can't keep up.
    fn checkpoint(&mut self) {
        let bytes = self.files.log.bytes();
        if bytes < self.files.log_bytes_max || self.shared.health().is_err() {
            return;
        }
        let far = bytes >= self.files.log_bytes_max.saturating_mul(LOG_GROWTH_MAX);
        while far && self.open.live.checkpoint_under_way(CHECK_EVERY) {
            if self.shared.health().is_err() {
                return;
            }
        }
        if let Some(frozen) = self.open.live.freeze() {
            self.files.log.turn();
            self.files.checkpoints.begin(frozen);
        }
    }

    /// After the first failure nothing is written any more: a sync that failed may have thrown
    /// away what it could not write, and a later one that succeeds would not bring it back.
    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let result = catch_unwind(AssertUnwindSafe(|| work(self)))
            .unwrap_or_else(|_| Err(corrupt(WRITE, "the database's file can't be understood")));
        if let Err(error) = &result {
            tracing::error!(%error, "the embedded database stops writing until the restart");
            self.shared.stop(error);
        }
        result
    }

    fn close(mut self, closers: Vec<oneshot::Sender<Result<()>>>) {
        if self.sync_by.is_some() {
            self.sync();
        }
        let Self {
            shared,
            open,
            files,
            written,
            ..
        } = self;
        // Waits for the checkpoint that is under way.
        drop(files);
        if written > 0
            && shared.health().is_ok()
            && let Some(frozen) = open.live.freeze()
        {
            // Then the next opening finds nothing to do. Should it fail, the log has it.
            checkpoint::write(&shared, &open, &frozen);
        }
        shared.forget();
        // The last reference closes the database and then unlocks the folder.
        drop(open);
        for closer in closers {
            drop(closer.send(shared.health()));
        }
    }
}
