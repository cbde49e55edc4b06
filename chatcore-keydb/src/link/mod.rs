//! The strict connection: a few multiplexed connections to what is the primary now.
//!
//! On any I/O error, any answer that is late, and any word of the server that it may not be
//! written to, all connections are given up and the primary is found again, by one task. A
//! connection that is kept through a pause of its primary writes into the void (docs/guide/keydb.md).

mod dial;
mod generation;
mod keeper;
mod resolve;

pub(crate) use dial::dial_subscriber;
pub(crate) use generation::Generation;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chatcore::error::{Error, ErrorKind, Result};
use redis::{Pipeline, Value};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::keeper::{Keeper, State};
use crate::{
    config::Config,
    error::{Said, from_connection, unknown, unsent},
    script,
};

/// What was counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Connections to the primary now, beside one that listens for each inbox.
    pub connections: usize,
    /// Calls under way.
    pub calls: usize,
    /// How many may be under way.
    pub calls_max: usize,
    /// Calls that wait to be under way.
    pub waiting: usize,
    /// Calls that were refused, as too many were under way.
    pub refused: u64,
    /// Calls whose answer was late.
    pub late: u64,
    /// How often a primary was connected to.
    pub connected: u64,
    /// Whether there is a primary now.
    pub is_up: bool,
}

#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicUsize,
    refused: AtomicU64,
    late: AtomicU64,
}

/// The way to the primary.
#[derive(Debug)]
pub(crate) struct Link {
    config: Arc<Config>,
    state: watch::Receiver<State>,
    entry: Semaphore,
    counts: Counts,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Link {
    /// Begins to look for the primary, and waits until it is there.
    pub(crate) async fn open(config: Arc<Config>) -> Result<Self> {
        config.check()?;
        let (sender, state) = watch::channel(State::default());
        let tasks = TaskTracker::new();
        let shutdown = CancellationToken::new();
        let keeper = Keeper {
            config: Arc::clone(&config),
            state: sender,
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
        };
        tasks.spawn(keeper.run());
        let link = Self {
            entry: Semaphore::new(config.calls_max),
            config,
            state,
            counts: Counts::default(),
            shutdown,
            tasks,
        };
        link.wait_for_start().await?;
        Ok(link)
    }

    /// A refused login ends the start at once; a store that is not there yet is waited for.
    async fn wait_for_start(&self) -> Result<()> {
        let mut state = self.state.clone();
        let started = state.wait_for(|s| s.live().is_some() || s.is_hopeless());
        match timeout(self.config.start_max, started).await {
            Ok(Ok(state)) if state.live().is_some() => return Ok(()),
            _ => {}
        }
        let error = self.state.borrow().why("start with the store");
        Err(error
            .with_context("store", &self.config.address)
            .with_context(
                "do",
                "check that the store runs and that its address is right",
            ))
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Runs a task until the link is closed, which waits for it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Closes all connections. Whatever comes later is `Closed`.
    pub(crate) async fn close(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(crate) fn figures(&self) -> Figures {
        let state = self.state.borrow();
        let free = self.entry.available_permits();
        Figures {
            connections: state.live().map_or(0, |live| live.connections()),
            calls_max: self.config.calls_max,
            calls: self.config.calls_max.saturating_sub(free),
            waiting: self.counts.waiting.load(Ordering::Relaxed),
            refused: self.counts.refused.load(Ordering::Relaxed),
            late: self.counts.late.load(Ordering::Relaxed),
            connected: state.connected,
            is_up: state.live().is_some(),
        }
    }

    /// The connections to the primary, waited for.
    pub(crate) async fn generation(
        &self,
        operation: &'static str,
        wait: Duration,
    ) -> Result<Arc<Generation>> {
        if self.shutdown.is_cancelled() {
            return Err(Error::new(ErrorKind::Closed, operation));
        }
        if let Some(generation) = self.state.borrow().live() {
            return Ok(generation);
        }
        let mut state = self.state.clone();
        let up = timeout(wait, state.wait_for(|s| s.live().is_some())).await;
        match up {
            Ok(Ok(state)) => state.live().ok_or_else(|| state.why(operation)),
            Ok(Err(_)) => Err(Error::new(ErrorKind::Closed, operation)),
            Err(_) => Err(self.state.borrow().why(operation)),
        }
    }

    async fn enter(&self, operation: &'static str) -> Result<SemaphorePermit<'_>> {
        if let Ok(permit) = self.entry.try_acquire() {
            return Ok(permit);
        }
        let waiting = Waiting::new(&self.counts.waiting);
        let entered = timeout(self.config.entry_wait_max, self.entry.acquire()).await;
        drop(waiting);
        if let Ok(Ok(permit)) = entered {
            return Ok(permit);
        }
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        Err(Error::new(ErrorKind::Overloaded, operation)
            .with_context("calls under way", self.config.calls_max))
    }

    /// Sends these in one round trip and answers each of them, in order: what the server refused
    /// is an answer, too. A script that the server does not know is loaded and called again.
    ///
    /// Dropped, it may or may not have been done.
    pub(crate) async fn run(
        &self,
        operation: &'static str,
        calls: &Pipeline,
    ) -> Result<Vec<Value>> {
        let _permit = self.enter(operation).await?;
        let mut answers = self.send(operation, calls).await?;
        let unknown: Vec<usize> = answers
            .iter()
            .enumerate()
            .filter(|(_, answer)| said(answer) == Some(Said::NoScript))
            .map(|(at, _)| at)
            .collect();
        if unknown.is_empty() {
            return Ok(answers);
        }
        let loads = script::all();
        let mut again = Pipeline::new();
        for script in &loads {
            again.add_command(script.load());
        }
        let all: Vec<&redis::Cmd> = calls.cmd_iter().collect();
        for at in &unknown {
            if let Some(call) = all.get(*at) {
                again.add_command((*call).clone());
            }
        }
        let later = self.send(operation, &again).await?;
        for (at, answer) in unknown.into_iter().zip(later.into_iter().skip(loads.len())) {
            if let Some(place) = answers.get_mut(at) {
                *place = answer;
            }
        }
        Ok(answers)
    }

    async fn send(&self, operation: &'static str, calls: &Pipeline) -> Result<Vec<Value>> {
        let generation = self
            .generation(operation, self.config.primary_wait_max)
            .await?;
        let mut connection = generation
            .connection()
            .ok_or_else(|| unsent(operation, "no connection"))?;
        let count = calls.len();
        let sending = connection.send_packed_commands(calls, 0, count);
        let sent = tokio::select! {
            biased;
            () = generation.until_given_up() => {
                return Err(unknown(operation, "the connection was given up"));
            }
            sent = timeout(self.config.answer_max, sending) => sent,
        };
        let answers = match sent {
            Err(_) => {
                self.counts.late.fetch_add(1, Ordering::Relaxed);
                generation.give_up(&"an answer is late");
                return Err(unknown(operation, "no answer in time")
                    .with_context("time limit ms", self.config.answer_max.as_millis()));
            }
            Ok(Err(error)) => {
                generation.give_up(&error);
                return Err(from_connection(operation, error));
            }
            Ok(Ok(answers)) => answers,
        };
        if answers.iter().any(|a| said(a) == Some(Said::NotPrimary)) {
            generation.give_up(&"it says that it is not the primary that may be written to");
        }
        if answers.len() == count {
            return Ok(answers);
        }
        generation.give_up(&"questions and answers do not match");
        Err(unknown(
            operation,
            "questions and answers that do not match",
        ))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn said(answer: &Value) -> Option<Said> {
    match answer {
        Value::ServerError(error) => Some(Said::of(error)),
        _ => None,
    }
}

/// Counts who waits, however the waiting ends.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
