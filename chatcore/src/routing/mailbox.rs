//! The send buffer of a session: bounded in frames and in bytes.
//!
//! Past its bound it is emptied and marked behind; the session catches up from the store when its
//! reader reads again. What can't be read again (replies, answers to the session's own requests)
//! is kept apart and bounded by its own count.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, time::Instant};

use super::{frame::CustomerPresence, job::Answer, opened::Opened};
use crate::{
    ids::{DialogId, Participant, StreamId, Target},
    queue::PlaceInLine,
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
    /// Whether the customer is here; for staff.
    Presence(DialogId, CustomerPresence),
    /// The place of a dialog that waits; for its customer.
    Place(DialogId, PlaceInLine),
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
    /// The newest head of each stream that a check found; taken after the frames before it.
    heads: BTreeMap<StreamId, Position>,
    /// The newest of what replaces itself, taken last.
    presence: BTreeMap<DialogId, CustomerPresence>,
    places: BTreeMap<DialogId, PlaceInLine>,
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
        match &item {
            Item::Head(stream, head) => {
                inner.heads.insert(stream.clone(), *head);
                drop(inner);
                self.wake.notify_one();
                return;
            }
            // Only the newest counts: it takes no room, however long nobody reads.
            Item::Presence(dialog, presence) => {
                inner.presence.insert(*dialog, *presence);
                drop(inner);
                self.wake.notify_one();
                return;
            }
            Item::Place(dialog, place) => {
                inner.places.insert(*dialog, *place);
                drop(inner);
                self.wake.notify_one();
                return;
            }
            // The head was found before this frame, and says nothing any more.
            Item::Frame(stream, frame) => {
                let upto = frame.upto().seq;
                if inner.heads.get(stream).is_some_and(|head| head.seq <= upto) {
                    inner.heads.remove(stream);
                }
            }
            _ => {}
        }
        let full = inner.items.len() >= self.limits.frames_max
            || inner.bytes + bytes > self.limits.bytes_max;
        if full {
            if matches!(item, Item::Typing(..)) {
                return;
            }
            inner.items.clear();
            inner.heads.clear();
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
            inner.heads.clear();
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
        if let Some(item) = inner.items.pop_front() {
            inner.bytes = inner.bytes.saturating_sub(item.bytes());
            return Some(Taken::Item(item));
        }
        if let Some((stream, head)) = inner.heads.pop_first() {
            return Some(Taken::Item(Item::Head(stream, head)));
        }
        if let Some((dialog, presence)) = inner.presence.pop_first() {
            return Some(Taken::Item(Item::Presence(dialog, presence)));
        }
        let (dialog, place) = inner.places.pop_first()?;
        Some(Taken::Item(Item::Place(dialog, place)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{Seq, StaffId},
        record::ChainHash,
        routing::session::CloseCode,
    };

    fn mailbox() -> Mailbox {
        Mailbox::new(BufferLimits {
            frames_max: 3,
            bytes_max: 1_000,
            kept_max: 2,
        })
    }

    fn stream() -> StreamId {
        StreamId::Dialog(DialogId(1))
    }

    fn frame(bytes: usize) -> Item {
        let opened = Opened {
            after: Position::default(),
            events: Vec::new(),
            access: None,
            bytes,
            made: crate::routing::Made::default(),
        };
        Item::Frame(stream(), Arc::new(opened))
    }

    fn head(seq: u64) -> Item {
        let position = Position {
            seq: Seq(seq),
            hash: ChainHash(seq),
        };
        Item::Head(stream(), position)
    }

    fn reply(n: u64) -> Kept {
        Kept::Reply {
            target: Target::Desk(crate::ids::DeskId::try_new("main").unwrap()),
            n,
            reply: Reply::Settled,
        }
    }

    #[tokio::test]
    async fn too_many_frames_empty_it_and_mark_it_behind() {
        let mailbox = mailbox();
        for _ in 0..3 {
            mailbox.push(frame(10));
        }
        assert!(mailbox.behind_since().is_none());
        mailbox.push(frame(10));
        assert!(mailbox.behind_since().is_some());
        mailbox.push(frame(10));
        assert!(matches!(mailbox.take(), Some(Taken::Behind)));
        assert!(mailbox.take().is_none(), "all of it is read again");
        assert!(mailbox.behind_since().is_none());
        mailbox.push(frame(10));
        assert!(matches!(mailbox.take(), Some(Taken::Item(Item::Frame(..)))));
    }

    #[tokio::test]
    async fn too_many_bytes_do_the_same() {
        let mailbox = mailbox();
        mailbox.push(frame(600));
        mailbox.push(frame(300));
        assert!(mailbox.behind_since().is_none());
        mailbox.push(frame(200));
        assert!(mailbox.behind_since().is_some());
    }

    #[tokio::test]
    async fn taking_makes_room() {
        let mailbox = mailbox();
        for _ in 0..20 {
            mailbox.push(frame(900));
            assert!(matches!(mailbox.take(), Some(Taken::Item(_))));
        }
    }

    #[tokio::test]
    async fn typing_is_dropped_first() {
        let mailbox = mailbox();
        for _ in 0..3 {
            mailbox.push(frame(10));
        }
        let olga = Participant::Staff(StaffId::try_new("olga").unwrap());
        mailbox.push(Item::Typing(DialogId(1), olga));
        assert!(mailbox.behind_since().is_none());
    }

    #[tokio::test]
    async fn heads_take_no_room_and_the_newest_counts() {
        let mailbox = mailbox();
        for seq in 0..100 {
            mailbox.push(head(seq));
        }
        match mailbox.take() {
            Some(Taken::Item(Item::Head(_, position))) => assert_eq!(position.seq, Seq(99)),
            other => panic!("{other:?}"),
        }
        assert!(mailbox.take().is_none());
    }

    #[tokio::test]
    async fn places_and_presence_take_no_room_and_the_newest_counts() {
        let mailbox = mailbox();
        for first in 1..100 {
            let wait = None;
            let last = first;
            mailbox.push(Item::Place(DialogId(1), PlaceInLine { first, last, wait }));
            mailbox.push(Item::Presence(DialogId(1), CustomerPresence::Here));
        }
        mailbox.push(frame(10));
        assert!(mailbox.behind_since().is_none());
        assert!(matches!(mailbox.take(), Some(Taken::Item(Item::Frame(..)))));
        let presence = mailbox.take();
        assert!(matches!(presence, Some(Taken::Item(Item::Presence(..)))));
        match mailbox.take() {
            Some(Taken::Item(Item::Place(_, place))) => assert_eq!(place.first, 99),
            other => panic!("{other:?}"),
        }
        assert!(mailbox.take().is_none());
    }

    #[tokio::test]
    async fn replies_survive_an_overflow_and_are_bounded_by_their_own_count() {
        let mailbox = mailbox();
        assert!(mailbox.keep(reply(1)));
        for _ in 0..10 {
            mailbox.push(frame(10));
        }
        assert!(matches!(mailbox.take(), Some(Taken::Kept(_))));
        assert!(mailbox.keep(reply(2)));
        assert!(mailbox.keep(reply(3)));
        assert!(!mailbox.keep(reply(4)));
        assert_eq!(mailbox.closed(), Some(CloseCode::Slow));
        assert!(matches!(mailbox.take(), Some(Taken::Closed)));
    }

    #[tokio::test]
    async fn nothing_is_handed_out_after_the_end_and_the_first_reason_stays() {
        let mailbox = mailbox();
        mailbox.push(frame(10));
        mailbox.close(CloseCode::Expired);
        mailbox.close(CloseCode::Done);
        mailbox.push(frame(10));
        assert!(matches!(mailbox.take(), Some(Taken::Closed)));
        assert_eq!(mailbox.ended().await, CloseCode::Expired);
    }
}
