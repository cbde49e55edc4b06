//! Dialogs that have left the live view: nothing new will come, and the archive has what was.
//!
//! The store says of them what it says of a stream that never was: their head is 0. Whoever
//! followed one, or comes back to it days later, must not take that for a loss.

use super::Hub;
use crate::{
    error::Result,
    ids::{Seq, StreamId},
    record::Position,
    store::{FollowFrom, Followed, Page},
};

impl Hub {
    /// The heads of these streams; of those that have left, their ends.
    pub(super) async fn heads(&self, streams: &[StreamId]) -> Result<Vec<Position>> {
        let heads = self.ports.streams.heads(streams);
        let mut heads = self.in_time("check heads", heads).await?;
        for (stream, head) in streams.iter().zip(&mut heads) {
            *head = self.head_or_left(stream, *head).await?;
        }
        Ok(heads)
    }

    /// The head as the store told it; where the stream ended, if it has left.
    pub(super) async fn head_or_left(&self, stream: &StreamId, head: Position) -> Result<Position> {
        match stream {
            StreamId::Dialog(_) if head.seq == Seq(0) => self.end_of(stream).await,
            _ => {
                // It is there (again): a view that had lost it was only being mended.
                if let Some(joined) = self.state().streams.get_mut(stream) {
                    joined.left = None;
                }
                Ok(head)
            }
        }
    }

    /// Where the archive has the end of a stream; 0 when it has nothing of it. Kept with those who
    /// follow it: a stream that has left does not go on.
    async fn end_of(&self, stream: &StreamId) -> Result<Position> {
        let known = self.state().streams.get(stream).and_then(|j| j.left);
        if let Some(end) = known {
            return Ok(end);
        }
        let archive = &self.ports.archive;
        let covered = archive.covered(stream);
        let covered = self.in_time("look into the archive", covered).await?;
        let Some(before) = covered.0.checked_sub(1) else {
            return Ok(Position::default());
        };
        let last = archive.read(stream, Seq(before), 1);
        let end = self.in_time("look into the archive", last).await?.upto();
        if let Some(joined) = self.state().streams.get_mut(stream) {
            joined.left = Some(end);
        }
        Ok(end)
    }

    /// What following answers of a dialog that has left: as of one that nothing is added to. None
    /// when there is no such dialog.
    pub(super) async fn follow_left(
        &self,
        stream: &StreamId,
        from: FollowFrom,
    ) -> Result<Option<Followed>> {
        let (head, view) = self.dialog(stream, Seq(u64::MAX)).await?;
        let Some(access) = view.and_then(|view| view.access()) else {
            return Ok(None);
        };
        let after = match from {
            FollowFrom::After(position) => position.seq,
            FollowFrom::Tail(count) => Seq(head.seq.0.saturating_sub(count as u64)),
        };
        let page = if after < head.seq {
            self.read_page(stream, after, head.seq).await?
        } else {
            Page {
                after: head,
                events: Vec::new(),
            }
        };
        Ok(Some(Followed {
            page,
            head,
            cursors: Vec::new(),
            access: Some(access),
        }))
    }
}
