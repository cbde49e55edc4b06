//! The one writer: a thread that puts what has arrived into one transaction, syncs, and answers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use chatcore::{
    error::{Error, ErrorKind, Result, Retry},
    sabotage::{self, Switch},
};
use redb::{Durability, WriteTransaction};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    database::{Open, Shared},
    error::{corrupt, from_database, from_io},
    mark::Mark,
    park,
    tables::{Group, META},
};

/// The most writes in one group.
const GROUP_JOBS_MAX: usize = 1_024;
/// What was answered as visible is synced within this. An append usually comes sooner, and then
/// one sync does for both.
const SYNC_WITHIN: Duration = Duration::from_millis(5);
/// Where the number of the last group is kept.
pub(crate) const GROUP_KEY: &[u8] = b"group";
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

/// The state of the writer's thread.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    open: Option<Arc<Open>>,
    mark: Mark,
    group: u64,
    /// Until when what was answered as visible is synced, if there is such.
    sync_by: Option<Instant>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, open: Arc<Open>, mark: Mark, group: u64) -> Self {
        Self {
            shared,
            open: Some(open),
            mark,
            group,
            sync_by: None,
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
        let durability = if durable && !sabotage::on(Switch::DurableBeforeFsync) {
            Durability::Immediate
        } else {
            Durability::None
        };
        let result = self.guarded(|this| this.commit(&mut jobs, durability));
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
            drop(self.guarded(|this| this.commit(&mut [], Durability::Immediate)));
        }
    }

    fn commit(&mut self, jobs: &mut [Box<dyn Job>], durability: Durability) -> Result<()> {
        let failed = |e: redb::Error| from_database(WRITE, e);
        let group = self.group + 1;
        self.transact(jobs, durability, group).map_err(failed)?;
        self.group = group;
        match durability {
            Durability::Immediate => {
                self.sync_by = None;
                self.mark.set(group).map_err(|e| from_io(WRITE, e))
            }
            _ => {
                self.sync_by.get_or_insert(Instant::now() + SYNC_WITHIN);
                Ok(())
            }
        }
    }

    fn transact(
        &self,
        jobs: &mut [Box<dyn Job>],
        durability: Durability,
        number: u64,
    ) -> Result<(), redb::Error> {
        let open = self.open.as_ref().ok_or(redb::Error::DatabaseClosed)?;
        let mut transaction: WriteTransaction = open.database.begin_write()?;
        transaction.set_durability(durability)?;
        let mut group = Group::new(&transaction, number);
        for job in jobs {
            job.apply(&mut group)?;
        }
        group.put(META, GROUP_KEY, &number.to_be_bytes())?;
        // Closes its tables.
        drop(group);
        transaction.commit()?;
        Ok(())
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
        self.shared.forget();
        // The last reference closes the database and then unlocks the folder.
        self.open = None;
        for closer in closers {
            drop(closer.send(self.shared.health()));
        }
    }
}
