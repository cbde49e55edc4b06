//! Work on streams in the store: follow, read, unfollow; one at a time per stream.

use std::{sync::Arc, time::Duration};

use super::{Hub, State};
use crate::{
    content::Sealed,
    dialog::DialogEvent,
    engine::{Aggregate, Machine},
    error::{ErrorKind, Result, Retry},
    ids::{CustomerId, DeskId, DialogId, Seq, SessionId, StreamId, Target},
    record::{Access, Event, Position, StreamEvent},
    routing::{
        job::{Answer, Answered, Followed, Known, Work},
        mailbox::Kept,
        opened::{Opened, customer_in_name, customer_of},
        view::{Board, DialogView},
    },
    store::{self, Follow, FollowFrom, ReadRange},
};

/// First pause before something that failed is tried again.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// Longest pause.
const RETRY_LAST: Duration = Duration::from_secs(5);

impl State {
    /// The next piece of work of a stream that has none under way.
    pub(super) fn next_work(&mut self) -> Option<(StreamId, Work)> {
        while let Some(stream) = self.ready.pop_front() {
            if let Some(queue) = self.work.get_mut(&stream)
                && let Some(work) = queue.waiting.pop_front()
            {
                queue.running = true;
                return Some((stream, work));
            }
        }
        None
    }

    /// A stream whose head some sessions wait for, and these.
    pub(super) fn next_awaiting(&mut self) -> Option<(StreamId, Vec<SessionId>)> {
        let stream = self.awaiting.first()?.0.clone();
        let mut sessions = Vec::new();
        while let Some((_, session)) = self.awaiting.first().filter(|(s, _)| *s == stream) {
            sessions.push(*session);
            self.awaiting.pop_first();
        }
        Some((stream, sessions))
    }

    fn finish(&mut self, stream: &StreamId) {
        if let Some(queue) = self.work.get_mut(stream) {
            queue.running = false;
            if queue.waiting.is_empty() {
                self.work.remove(stream);
            } else {
                self.ready.push_back(stream.clone());
            }
        }
    }

    fn is_joined(&self, stream: &StreamId, session: SessionId) -> bool {
        self.streams
            .get(stream)
            .is_some_and(|joined| joined.sessions.contains_key(&session))
    }
}

impl Hub {
    /// Does a piece of work, again until it works or nobody wants it any more.
    pub(super) async fn perform(self: Arc<Self>, stream: StreamId, work: Work) {
        let mut pause = RETRY_FIRST;
        let mut told = false;
        while self.wants(&stream, &work) {
            let Err(error) = self.attempt(&stream, &work).await else {
                break;
            };
            let again = matches!(
                error.kind(),
                ErrorKind::Unavailable | ErrorKind::Overloaded | ErrorKind::Rebuilding
            );
            if !again {
                tracing::error!(%error, %stream, "a stream can't go on");
                if let Some(asker) = work.session() {
                    self.answer(&stream, asker, Answered::Failed);
                }
                break;
            }
            if let Retry::Safe { after } = error.retry() {
                pause = pause.max(after.min(RETRY_LAST));
            }
            if !told {
                tracing::warn!(%error, %stream, "a stream has to wait");
                if let Some(asker) = work.session() {
                    self.answer(&stream, asker, Answered::Trouble(error.kind(), pause));
                }
                told = true;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_LAST);
        }
        self.state().finish(&stream);
        self.wake.notify_one();
    }

    fn wants(&self, stream: &StreamId, work: &Work) -> bool {
        let state = self.state();
        match work {
            Work::Follow { session, .. } | Work::Read { session, .. } => {
                state.is_joined(stream, *session)
            }
            Work::Rewrite => state.streams.contains_key(stream),
            Work::Unfollow => !state.streams.contains_key(stream),
        }
    }

    async fn attempt(&self, stream: &StreamId, work: &Work) -> Result<()> {
        match work {
            Work::Follow {
                session,
                ticket,
                from,
                anew,
            } => {
                let followed = self.follow(stream, *from, *anew).await?;
                let access = followed.access.clone();
                let followed = Answered::Followed(followed);
                self.answer(stream, (*session, *ticket), followed);
                // After the answer: only a session that follows can judge what it may be shown.
                self.followers_changed(stream);
                self.looked_at(stream, *session, access.as_ref());
            }
            Work::Read {
                session,
                ticket,
                after,
                upto,
            } => {
                let asker = (*session, *ticket);
                self.read(stream, asker, (*after, *upto)).await?;
            }
            Work::Rewrite => {
                let seen = self.seen(std::slice::from_ref(stream));
                let follow = self.follow_call(stream, FollowFrom::Tail(0));
                let followed = self.ports.streams.follow(follow);
                let followed = self.in_time("write a route again", followed).await?;
                let seen = seen.first().copied().unwrap_or_default();
                let head = self.head_or_left(stream, followed.head).await?;
                self.tell_head(stream, head, seen);
            }
            Work::Unfollow => {
                let gone = self.ports.streams.unfollow(stream, &self.node);
                self.in_time("remove a route", gone).await?;
            }
        }
        Ok(())
    }

    fn answer(&self, stream: &StreamId, (session, ticket): (SessionId, u64), what: Answered) {
        let mailbox = self
            .state()
            .sessions
            .get(&session)
            .map(|entry| Arc::clone(&entry.mailbox));
        if let Some(mailbox) = mailbox {
            mailbox.keep(Kept::Answer(Box::new(Answer {
                stream: stream.clone(),
                ticket: Some(ticket),
                what,
            })));
        }
    }

    fn follow_call(&self, stream: &StreamId, from: FollowFrom) -> Follow {
        let limit = match from {
            FollowFrom::Tail(count) => count,
            FollowFrom::After(_) => self.config.page_max,
        };
        Follow {
            stream: stream.clone(),
            node: self.node.clone(),
            from,
            limit,
        }
    }

    async fn follow(&self, stream: &StreamId, from: FollowFrom, anew: bool) -> Result<Followed> {
        // A board starts from its state: its events alone would not tell where it stands.
        let from = match (stream, anew) {
            (StreamId::Board(_), true) => FollowFrom::Tail(0),
            _ => from,
        };
        let call = self.ports.streams.follow(self.follow_call(stream, from));
        let mut followed = self.in_time("follow a stream", call).await?;
        if let (StreamId::Dialog(_), Seq(0)) = (stream, followed.head.seq)
            && let Some(left) = self.follow_left(stream, from).await?
        {
            followed = left;
        }
        let customer = followed.access.as_ref().and_then(customer_of);
        let customer = customer.or_else(|| customer_in_name(stream)).cloned();
        self.note(stream, customer.as_ref(), followed.head.seq);
        let start = followed.page.after;
        let mut page = Opened::page(self.sealer.as_ref(), customer.as_ref(), followed.page)?;
        let known = match stream {
            StreamId::Board(desk) => {
                let (position, board) = self.board(desk).await?;
                if anew {
                    page.after = position;
                    page.events.clear();
                }
                Known::Board(board)
            }
            StreamId::Dialog(_) if !anew => Known::Dialog(None),
            StreamId::Dialog(_) => {
                let (_, view) = self.dialog(stream, start.seq).await?;
                let view = view.or_else(|| customer.map(DialogView::new));
                Known::Dialog(view.map(Box::new))
            }
            StreamId::Customer(customer) => Known::Customer(self.dialogs_of(customer).await?),
        };
        Ok(Followed {
            page: Arc::new(page),
            head: followed.head,
            access: followed.access,
            cursors: followed.cursors,
            known,
        })
    }

    fn note(&self, stream: &StreamId, customer: Option<&CustomerId>, seen: Seq) {
        if let Some(joined) = self.state().streams.get_mut(stream) {
            joined.seen = joined.seen.max(seen);
            if joined.customer.is_none() {
                joined.customer = customer.cloned();
            }
        }
    }

    /// Reads for one session, and for all others whose request the page serves, too.
    async fn read(
        &self,
        stream: &StreamId,
        asker: (SessionId, u64),
        (after, upto): (Seq, Seq),
    ) -> Result<()> {
        let page = self.read_page(stream, after, upto).await?;
        let customer = {
            let state = self.state();
            let joined = state.streams.get(stream);
            joined.and_then(|j| j.customer.clone())
        };
        let customer = customer.or_else(|| customer_in_name(stream).cloned());
        let page = Arc::new(Opened::page(self.sealer.as_ref(), customer.as_ref(), page)?);
        let mut served = vec![asker];
        if let Some(queue) = self.state().work.get_mut(stream) {
            queue.waiting.retain(|work| match work {
                Work::Read {
                    session,
                    ticket,
                    after,
                    ..
                } if *after >= page.after.seq && *after < page.upto().seq => {
                    served.push((*session, *ticket));
                    false
                }
                _ => true,
            });
        }
        for asker in served {
            self.answer(stream, asker, Answered::Read(Arc::clone(&page)));
        }
        Ok(())
    }

    pub(crate) async fn read_page(
        &self,
        stream: &StreamId,
        after: Seq,
        upto: Seq,
    ) -> Result<store::Page> {
        let range = ReadRange {
            stream: stream.clone(),
            after,
            upto,
            limit: self.config.page_max,
        };
        self.in_time("read a stream", self.ports.streams.read(range))
            .await
    }

    /// Gives all events of `(after, upto]` to `take`, page by page; answers the last position.
    pub(crate) async fn fold(
        &self,
        stream: &StreamId,
        (after, upto): (Position, Seq),
        mut take: impl FnMut(&StreamEvent<Sealed>) + Send,
    ) -> Result<Position> {
        let mut last = after;
        while last.seq < upto {
            let page = self.read_page(stream, last.seq, upto).await?;
            page.events.iter().for_each(&mut take);
            if page.events.is_empty() {
                break;
            }
            last = page.upto();
        }
        Ok(last)
    }

    /// A dialog as of `upto`; none when it has no event up to there.
    pub(crate) async fn dialog(
        &self,
        stream: &StreamId,
        upto: Seq,
    ) -> Result<(Position, Option<DialogView>)> {
        let mut view: Option<DialogView> = None;
        let start = (Position::default(), upto);
        let position = self
            .fold(stream, start, |event| {
                if let Event::Dialog(event) = &event.event {
                    if let DialogEvent::Opened { customer, .. } = event {
                        view = Some(DialogView::new(customer.clone()));
                    }
                    if let Some(view) = &mut view {
                        view.apply(event);
                    }
                }
            })
            .await?;
        Ok((position, view))
    }

    /// What a dialog is judged by now; none when there is no such dialog. Read only: no route.
    pub(crate) async fn access_of(&self, dialog: DialogId) -> Result<Option<Access>> {
        let (_, view) = self
            .dialog(&StreamId::Dialog(dialog), Seq(u64::MAX))
            .await?;
        Ok(view.and_then(|view| view.access()))
    }

    /// The dialogs of a customer that are open or can be reopened.
    async fn dialogs_of(&self, customer: &CustomerId) -> Result<Vec<DialogId>> {
        let target = Target::Customer(customer.clone());
        match self.state_of(target).await? {
            Some(Machine::Customer(state)) => Ok(state.dialogs().map(|(id, _)| id).collect()),
            _ => Ok(Vec::new()),
        }
    }

    /// The state of a customer or desk. Asked for after a stream of it was followed, it is not
    /// older than what was answered then.
    pub(super) async fn state_of(&self, target: Target) -> Result<Option<Machine>> {
        let targets = [target];
        let load = self.ports.streams.load(&targets);
        let stored = self.in_time("load a state", load).await?;
        let ([target], Some(stored)) = (&targets, stored.first()) else {
            return Ok(None);
        };
        Ok(Some(Aggregate::load(target, stored)?.machine().clone()))
    }

    /// A board as of some moment, from the desk's state.
    async fn stored_board(&self, desk: &DeskId) -> Result<(Position, Arc<Board>)> {
        match self.state_of(Target::Desk(desk.clone())).await? {
            Some(Machine::Desk(desk)) => Ok((desk.head(), Arc::new(Board::of(&desk)))),
            _ => Ok(Default::default()),
        }
    }

    /// A board as of now. Kept between calls, so that only what is new is read.
    pub(crate) async fn board(&self, desk: &DeskId) -> Result<(Position, Arc<Board>)> {
        let kept = self.state().boards.get(desk).cloned();
        let (position, board) = match kept {
            Some(kept) => kept,
            None => self.stored_board(desk).await?,
        };
        let mut next = (*board).clone();
        let stream = StreamId::Board(desk.clone());
        let start = (position, Seq(u64::MAX));
        let upto = self
            .fold(&stream, start, |event| {
                if let Event::Board(what) = &event.event {
                    next.apply(what, event.at);
                }
            })
            .await?;
        let board = if upto == position {
            board
        } else {
            Arc::new(next)
        };
        let mut state = self.state();
        let kept = state.boards.entry(desk.clone()).or_default();
        if kept.0.seq <= upto.seq {
            *kept = (upto, Arc::clone(&board));
        }
        Ok((upto, board))
    }
}
