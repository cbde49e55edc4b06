//! The half of a session that is told.

use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    CloseCode, SessionEvent, Shared,
    streams::{Streams, audience},
    window::Told,
};
use crate::{
    clock::Timestamp,
    identity::Who,
    ids::{DialogId, StreamId},
    queue::PlaceInLine,
    record::{Access, CursorMove, Position, Reply},
    routing::{
        access::{Sight, sight},
        frame::CustomerPresence,
        job::{Answer, Answered},
        mailbox::{Item, Kept, Taken},
    },
    sabotage,
};

/// Longest sleep: the wall clock may be set meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// What a session is told, pulled one by one. Dropping it ends the session.
#[derive(Debug)]
pub struct SessionEvents {
    shared: Arc<Shared>,
    streams: Streams,
    ready: VecDeque<SessionEvent>,
    /// The end of the token that was warned of.
    warned: Option<Timestamp>,
    closed: bool,
    /// Rings at the next time to look, or earlier: it is only put back when it rang too early, so
    /// that what arrives moves no timer.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl SessionEvents {
    pub(crate) fn new(
        shared: Arc<Shared>,
        resume: impl IntoIterator<Item = (StreamId, Position)>,
    ) -> Self {
        let mut streams = Streams::new(Arc::clone(&shared));
        let mut ready = VecDeque::new();
        streams.begin(resume, &mut ready);
        Self {
            shared,
            streams,
            ready,
            warned: None,
            closed: false,
            alarm: None,
        }
    }

    /// What is told next; waits for it. None after [`SessionEvent::Closed`].
    ///
    /// # Cancellation
    /// May be dropped at any await; nothing is lost.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        loop {
            if self.closed {
                return None;
            }
            if let Some(event) = self.take() {
                return Some(event);
            }
            let until = self.next_time();
            let alarm = self
                .alarm
                .get_or_insert_with(|| Box::pin(sleep_until(until)));
            if alarm.deadline() > until || alarm.is_elapsed() {
                alarm.as_mut().reset(until);
            }
            // Whichever is ready, `take` looks at all of them.
            tokio::select! {
                biased;
                () = self.shared.window.settle_oldest() => {}
                () = self.shared.mailbox.changed() => {}
                () = alarm => {}
            }
            // What is on its way already is told with it: one write of the socket does for all of
            // it. Before anything is taken, so that it is judged when it is handed out.
            tokio::task::yield_now().await;
        }
    }

    /// What is told next, if it is there already. None also after [`SessionEvent::Closed`]:
    /// [`next`](Self::next) tells the two apart.
    pub fn try_next(&mut self) -> Option<SessionEvent> {
        if self.closed {
            return None;
        }
        while self.shared.window.settle_oldest().now_or_never().is_some() {}
        self.take()
    }

    /// What can be told without waiting.
    fn take(&mut self) -> Option<SessionEvent> {
        loop {
            // Judged again before each event: after the end nothing more is handed out.
            let expires_at = self.shared.identity().expires_at;
            let now = self.shared.hub.ports.clock.now();
            if now >= expires_at && !sabotage::on(sabotage::Switch::ExpiryIgnored) {
                self.shared.mailbox.close(CloseCode::Expired);
            }
            if let Some(code) = self.shared.mailbox.closed() {
                self.closed = true;
                self.ready.clear();
                return Some(SessionEvent::Closed { code });
            }
            if !self.shared.hub.is_sure() {
                // The session may have been revoked: it is woken when that is known.
                return None;
            }
            if let Some(warning) = self.warning(expires_at, now) {
                return Some(warning);
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if let Some(told) = self.shared.window.told() {
                return Some(match told {
                    Told::Durable { target, n } => SessionEvent::Durable { target, n },
                    Told::Refused { target, n, error } => {
                        SessionEvent::Refused { target, n, error }
                    }
                });
            }
            self.shared
                .write_cursors(self.shared.edge.config.cursor_interval);
            let taken = self.shared.mailbox.take()?;
            self.handle(taken);
        }
    }

    fn warning(&mut self, at: Timestamp, now: Timestamp) -> Option<SessionEvent> {
        let left = at.since(now);
        if left > self.shared.edge.config.expiry_warning || self.warned == Some(at) {
            return None;
        }
        self.warned = Some(at);
        Some(SessionEvent::Expiring { at })
    }

    /// When to look again although nothing arrives.
    fn next_time(&self) -> Instant {
        let config = &self.shared.edge.config;
        let left = self
            .shared
            .identity()
            .expires_at
            .since(self.shared.hub.ports.clock.now());
        let wait = match left.checked_sub(config.expiry_warning) {
            Some(wait) if !wait.is_zero() => wait,
            _ => left,
        };
        let wait = wait.clamp(Duration::from_millis(1), SLEEP_MAX);
        let until = Instant::now() + wait;
        let cursor = self.shared.account().next_cursor_at(config.cursor_interval);
        cursor.map_or(until, |at| at.min(until))
    }

    fn handle(&mut self, taken: Taken) {
        let ready = &mut self.ready;
        match taken {
            Taken::Kept(Kept::Answer(answer)) => {
                let Answer {
                    stream,
                    ticket,
                    what,
                } = *answer;
                if ticket.is_none_or(|ticket| self.streams.is_current(&stream, ticket)) {
                    self.answered(stream, what);
                }
            }
            Taken::Kept(Kept::Reply { target, n, reply }) => {
                // Of a number that was not taken nothing is known about those below it.
                let is_taken = !matches!(reply, Reply::Expected { .. } | Reply::Forgotten);
                if is_taken && self.shared.window.is_news(&target, n) {
                    let target = target.clone();
                    ready.push_back(SessionEvent::Durable { target, n });
                }
                self.shared.written().told(&target, n, &reply);
                ready.push_back(SessionEvent::Reply { target, n, reply });
            }
            Taken::Kept(Kept::Follow(stream, after)) => {
                self.streams.follow_on_request(stream, after, ready);
            }
            Taken::Kept(Kept::Unfollow(stream)) => self.streams.unfollow(&stream, ready),
            Taken::Kept(Kept::Rights) => self.streams.rights_changed(ready),
            Taken::Behind => self.streams.overflowed(ready),
            Taken::Item(Item::Frame(stream, frame)) => self.streams.frame(&stream, &frame, ready),
            Taken::Item(Item::Head(stream, head)) => self.streams.head(&stream, head, ready),
            Taken::Item(Item::Cursors(dialog, cursors)) => self.cursors(dialog, cursors),
            Taken::Item(Item::Typing(dialog, participant)) => {
                let me = self.shared.identity();
                let access = self.access(dialog);
                let shown = access.is_some_and(|a| audience(&me.who, &participant, &a));
                if shown && participant != me.participant() {
                    self.ready.push_back(SessionEvent::Typing {
                        dialog,
                        participant,
                    });
                }
            }
            Taken::Item(Item::Presence(dialog, presence)) => self.presence(dialog, presence),
            Taken::Item(Item::Place(dialog, place)) => self.place(dialog, place),
            // Seen at the next turn.
            Taken::Closed => {}
        }
    }

    fn answered(&mut self, stream: StreamId, what: Answered) {
        let ready = &mut self.ready;
        match what {
            Answered::Followed(followed) => {
                let cursors = followed.cursors.clone();
                if let StreamId::Dialog(dialog) = stream {
                    self.shared.account().forget_told(dialog);
                }
                self.streams.followed(&stream, followed, ready);
                if let StreamId::Dialog(dialog) = stream {
                    self.cursors(dialog, cursors);
                }
            }
            Answered::Read(page) => self.streams.read(&stream, &page, ready),
            Answered::HeadSettled(head) => self.streams.head_settled(&stream, head, ready),
            Answered::Trouble(kind, retry_after) => {
                ready.push_back(SessionEvent::Waiting {
                    stream,
                    kind,
                    retry_after,
                });
            }
            Answered::Failed => self.shared.mailbox.close(CloseCode::Internal),
        }
    }

    fn access(&self, dialog: DialogId) -> Option<Access> {
        self.shared.account().dialog(dialog).cloned()
    }

    /// Shows to staff who sees the dialog whether its customer is here.
    fn presence(&mut self, dialog: DialogId, presence: CustomerPresence) {
        let who = &self.shared.identity().who;
        let may = matches!(who, Who::Staff { .. })
            && self
                .access(dialog)
                .is_some_and(|access| sight(who, &access) > Sight::None);
        if may && self.shared.account().is_news(dialog, presence) {
            self.ready
                .push_back(SessionEvent::Presence { dialog, presence });
        }
    }

    /// Shows to the customer where their dialog is in the line.
    fn place(&mut self, dialog: DialogId, place: PlaceInLine) {
        let who = &self.shared.identity().who;
        let may = matches!(who, Who::Customer(_))
            && self
                .access(dialog)
                .is_some_and(|access| sight(who, &access) == Sight::Full);
        if may && self.shared.account().is_new_place(dialog, place) {
            self.ready.push_back(SessionEvent::Place { dialog, place });
        }
    }

    /// Shows cursors to those who may know of their owners.
    fn cursors(&mut self, dialog: DialogId, cursors: Vec<CursorMove>) {
        let Some(access) = self.access(dialog) else {
            return;
        };
        let who = &self.shared.identity().who;
        let cursors: Vec<_> = cursors
            .into_iter()
            .filter(|cursor| audience(who, &cursor.participant, &access))
            .collect();
        if !cursors.is_empty() {
            self.ready
                .push_back(SessionEvent::Cursors { dialog, cursors });
        }
    }
}

impl Drop for SessionEvents {
    fn drop(&mut self) {
        self.shared.write_cursors(Duration::ZERO);
        self.shared.mailbox.close(CloseCode::Done);
        let streams = self.streams.names();
        self.shared
            .hub
            .unregister(self.shared.id, streams.into_iter());
    }
}
