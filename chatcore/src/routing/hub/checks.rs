//! What finds losses that nothing else would show: the check of heads.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use super::Hub;
use crate::{
    error::Result,
    ids::{Offset, Partition, Seq, SessionId, StreamId, Target},
    journal::Log,
    record::Position,
    routing::{
        job::{Answer, Answered, Work},
        mailbox::{Item, Kept},
    },
    store::Mark,
};

/// Streams whose heads are asked for at once.
const HEADS_MAX: usize = 256;

impl Hub {
    /// Tells all sessions the heads of all their streams.
    pub(super) async fn check_heads(&self) -> Result<()> {
        let streams = self.state().joined();
        for streams in streams.chunks(HEADS_MAX) {
            let seen = self.seen(streams);
            let heads = self.heads(streams).await?;
            for ((stream, head), seen) in streams.iter().zip(heads).zip(seen) {
                self.tell_head(stream, head, seen);
            }
        }
        Ok(())
    }

    /// The highest event of each stream that came by so far.
    pub(super) fn seen(&self, streams: &[StreamId]) -> Vec<Seq> {
        let state = self.state();
        let seen = |s: &StreamId| state.streams.get(s).map_or(Seq(0), |j| j.seen);
        streams.iter().map(seen).collect()
    }

    /// Tells the sessions of a stream its head. A head that is lower than what came by while it
    /// was asked for says nothing: it is only old.
    pub(super) fn tell_head(&self, stream: &StreamId, head: Position, seen_before: Seq) {
        let seen_now = self.seen(std::slice::from_ref(stream));
        let seen_now = seen_now.first().copied().unwrap_or_default();
        if head.seq < seen_now && head.seq >= seen_before {
            return;
        }
        for mailbox in self.mailboxes(stream) {
            mailbox.push(Item::Head(stream.clone(), head));
        }
    }

    /// Routes may be gone: writes all of them again, and tells the heads on the way.
    pub(super) fn rewrite_all(&self) {
        self.counters.rewrites.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        let streams = state.joined();
        for stream in &streams {
            state.enqueue(stream, Work::Rewrite);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Waits until the stream's partition has reached the journal's end as it is now, and tells
    /// the sessions the head as it is then.
    pub(super) async fn settle_head(self: Arc<Self>, stream: StreamId, sessions: Vec<SessionId>) {
        let mut pause = Duration::from_millis(50);
        let mut end = None;
        loop {
            match self.head_if_settled(&stream, &mut end).await {
                Ok(Some(head)) => {
                    self.answer_settled(&stream, &sessions, head);
                    return;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, %stream, "can't tell the head yet"),
            }
            if !self.is_wanted(&stream) {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    /// The head, if the stream's partition has reached `end`: the journal's end as it was when this
    /// was first asked.
    pub(crate) async fn head_if_settled(
        &self,
        stream: &StreamId,
        end: &mut Option<Offset>,
    ) -> Result<Option<Position>> {
        let partition = self.partition_of(stream);
        let journal = &self.ports.journal;
        let end = match *end {
            Some(end) => end,
            None => {
                let bounds = journal.bounds(Log::Commands, partition);
                *end.insert(self.in_time("read the journal's bounds", bounds).await?.1)
            }
        };
        let Some(before) = self.mark_from(partition, end).await? else {
            return Ok(None);
        };
        let heads = self.heads(std::slice::from_ref(stream)).await?;
        // A store that lost its end since the mark was read has a head that is only old.
        let after = self.mark_from(partition, end).await?;
        let is_same = after.is_some_and(|after| {
            after.fence == before.fence && after.incarnation == before.incarnation
        });
        Ok(heads.first().copied().filter(|_| is_same))
    }

    /// The partition's mark, if its view is whole and has reached `end`.
    async fn mark_from(&self, partition: Partition, end: Offset) -> Result<Option<Mark>> {
        let partitions = [partition];
        let marks = self.ports.partitions.marks(&partitions);
        let mut marks = self.in_time("read a mark", marks).await?;
        Ok(marks.pop().filter(|m| m.built && m.applied >= end))
    }

    fn answer_settled(&self, stream: &StreamId, sessions: &[SessionId], head: Position) {
        let state = self.state();
        let Some(joined) = state.streams.get(stream) else {
            return;
        };
        for mailbox in sessions.iter().filter_map(|s| joined.sessions.get(s)) {
            mailbox.keep(Kept::Answer(Box::new(Answer {
                stream: stream.clone(),
                ticket: None,
                what: Answered::HeadSettled(head),
            })));
        }
    }

    fn is_wanted(&self, stream: &StreamId) -> bool {
        self.state().streams.contains_key(stream)
    }

    /// The partition that writes a stream. A dialog's number tells it.
    pub(crate) fn partition_of(&self, stream: &StreamId) -> Partition {
        let partitions = self.ports.journal.partitions();
        match stream {
            StreamId::Dialog(dialog) => {
                let slot = dialog.0 % u64::from(partitions.max(1));
                Partition(u32::try_from(slot).unwrap_or_default())
            }
            StreamId::Customer(id) => Target::Customer(id.clone()).partition(partitions),
            StreamId::Board(id) => Target::Desk(id.clone()).partition(partitions),
        }
    }
}
