//! The send buffer of a session: bounded in frames and in bytes.
//!
//! Past its bound it is emptied and marked behind; the session catches up from the store when its
//! reader reads again. What can't be read again (replies, answers to the session's own requests)
//! is kept apart and bounded by its own count.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, time::Instant};

use super::{job::Answer, opened::Opened};
use crate::{
    ids::{DialogId, Participant, StreamId, Target},
    record::{CursorMove, Position, Reply},
};

/// Bounds of a session's send buffer.
#[derive(Debug, Clone, Copy)]
pub struct BufferLimits {
    /// Most frames.
    pub frames_max: usize,
    /// Most bytes of events in them.
    pub bytes_max: usize,
    /// Most replies and requests; past it the session is closed as too slow.
    pub kept_max: usize,
}

impl Default for BufferLimits {
    fn default() -> Self {
        Self {
            frames_max: 256,
            bytes_max: 1024 * 1024,
            kept_max: 1024,
        }
    }
}

/// What is delivered to a session.
#[derive(Debug)]
pub(crate) enum Item {
    /// New events.
    Frame(StreamId, Arc<Opened>),
    /// Cursors that moved.
    Cursors(DialogId, Vec<CursorMove>),
    /// Somebody types.
    Typing(DialogId, Participant),
    /// A check found the stream here.
    Head(StreamId, Position),
}

/// What must not be lost on the way to a session.
#[derive(Debug)]
pub(crate) enum Kept {
    /// What the author of a command hears.
    Reply {
        target: Target,
        n: u64,
        reply: Reply,
    },
    /// What the session asked the hub for.
    Answer(Box<Answer>),
    /// The client wants to follow a stream.
    Follow(StreamId, Option<Position>),
    /// The client wants no more of a stream.
    Unfollow(StreamId),
    /// The rights may have changed: judge everything again.
    Rights,
}

/// What comes next out of a mailbox.
#[derive(Debug)]
pub(crate) enum Taken {
    Kept(Kept),
    /// Frames were dropped.
    Behind,
    Item(Item),
    /// The session ended.
    Closed,
}

/// The send buffer of one session.
#[derive(Debug)]
pub(crate) struct Mailbox {
    limits: BufferLimits,
    inner: Mutex<Inner>,
    wake: Notify,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    items: VecDeque<Item>,
    bytes: usize,
    kept: VecDeque<Kept>,
    behind: bool,
    behind_since: Option<Instant>,
    closed: Option<super::session::CloseCode>,
}

impl Mailbox {
    pub(crate) fn new(limits: BufferLimits) -> Self {
        Self {
            limits,
            inner: Mutex::default(),
            wake: Notify::new(),
            ended: Notify::new(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers what may be dropped.
    pub(crate) fn push(&self, item: Item) {
        let bytes = item.bytes();
        let mut inner = self.inner();
        if inner.closed.is_some() || (inner.behind && !matches!(item, Item::Cursors(..))) {
            return;
        }
        let full = inner.items.len() >= self.limits.frames_max
            || inner.bytes + bytes > self.limits.bytes_max;
        if full {
            if matches!(item, Item::Typing(..)) {
                return;
            }
            inner.items.clear();
            inner.bytes = 0;
            inner.behind = true;
            inner.behind_since.get_or_insert_with(Instant::now);
        } else {
            inner.bytes += bytes;
            inner.items.push_back(item);
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// Delivers what must not be dropped. False when there is no room: the session is closed.
    pub(crate) fn keep(&self, kept: Kept) -> bool {
        let mut inner = self.inner();
        if inner.closed.is_some() {
            return false;
        }
        if inner.kept.len() >= self.limits.kept_max && !matches!(kept, Kept::Answer(_)) {
            drop(inner);
            self.close(super::session::CloseCode::Slow);
            return false;
        }
        inner.kept.push_back(kept);
        drop(inner);
        self.wake.notify_one();
        true
    }

    /// Ends the session; the first reason stays. Nothing more is handed out.
    pub(crate) fn close(&self, code: super::session::CloseCode) {
        let mut inner = self.inner();
        if inner.closed.is_none() {
            inner.closed = Some(code);
            inner.items.clear();
            inner.kept.clear();
            inner.bytes = 0;
        }
        drop(inner);
        self.wake.notify_one();
        self.ended.notify_waiters();
    }

    /// Why the session ended, if it did.
    pub(crate) fn closed(&self) -> Option<super::session::CloseCode> {
        self.inner().closed
    }

    /// Waits for the end of the session.
    pub(crate) async fn ended(&self) -> super::session::CloseCode {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if let Some(code) = self.closed() {
                return code;
            }
            ended.await;
        }
    }

    /// Takes what comes next, if anything is there.
    pub(crate) fn take(&self) -> Option<Taken> {
        let mut inner = self.inner();
        if inner.closed.is_some() {
            return Some(Taken::Closed);
        }
        if let Some(kept) = inner.kept.pop_front() {
            return Some(Taken::Kept(kept));
        }
        if inner.behind {
            inner.behind = false;
            inner.behind_since = None;
            return Some(Taken::Behind);
        }
        let item = inner.items.pop_front()?;
        inner.bytes = inner.bytes.saturating_sub(item.bytes());
        Some(Taken::Item(item))
    }

    /// Waits until something may be there.
    pub(crate) async fn changed(&self) {
        self.wake.notified().await;
    }

    /// Wakes the reader although nothing was delivered.
    pub(crate) fn poke(&self) {
        self.wake.notify_one();
    }

    /// Since when the session has been behind without reading.
    pub(crate) fn behind_since(&self) -> Option<Instant> {
        self.inner().behind_since
    }
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Frame(_, opened) => opened.bytes,
            _ => 64,
        }
    }
}
