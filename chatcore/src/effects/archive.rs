//! The archive: dialogs go there when they end, long ones by segment before that; and they leave
//! the live view once they have settled and the archive has them whole.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Effect, Work};
use crate::{
    commands::{CommandWriter, NewCommand},
    dialog::{CustomerCommand, CustomerEvent, DialogEvent},
    engine::{Aggregate, Machine},
    error::{Error, ErrorKind, Result},
    ids::{DialogId, Label, Seq, StreamId, Target},
    record::{Appended, Command, Event, Position},
    sabotage::{self, Switch},
    store::{Archive, ReadRange, Segment, StreamStore},
};

/// Events of a segment.
const SEGMENT_EVENTS: u64 = 500;

const KEEP: &str = "bring a stream to the archive";

/// Brings dialogs to the archive, and tells their customers when they may leave the live view.
#[derive(Debug)]
pub struct ArchiveEffect {
    name: Label,
    archive: Arc<dyn Archive>,
    streams: Arc<dyn StreamStore>,
    commands: CommandWriter,
}

impl ArchiveEffect {
    /// Brings them from this store to this archive.
    #[must_use]
    pub fn new(
        archive: Arc<dyn Archive>,
        streams: Arc<dyn StreamStore>,
        commands: CommandWriter,
    ) -> Self {
        Self {
            name: Label::literal("archive"),
            archive,
            streams,
            commands,
        }
    }

    /// Dialogs that have settled: the archive gets all of each, and only then the customer hears
    /// of it. What has left already is passed over.
    async fn retire(&self, work: &Work, settled: Vec<DialogId>) -> Result<()> {
        let target = &work.decision.target;
        let states = self.streams.load(std::slice::from_ref(target)).await?;
        let state = states
            .first()
            .map(|stored| Aggregate::load(target, stored))
            .transpose()?
            .filter(|state| state.covered() > work.decision.cause)
            .ok_or_else(|| {
                // The view lost what was published, and has it again soon.
                Error::new(ErrorKind::Rebuilding, KEEP).with_context("target", target)
            })?;
        let Machine::Customer(customer) = state.machine() else {
            return Ok(());
        };
        let leaving = customer.leaving().filter(|(id, _)| settled.contains(id));
        for (dialog, upto) in leaving {
            let stream = StreamId::Dialog(dialog);
            let (archive, streams) = (self.archive.as_ref(), self.streams.as_ref());
            keep(archive, streams, &stream, upto).await?;
            has_all(archive, &stream, upto).await?;
            let archived = CustomerCommand::Archived { dialog, upto };
            let command = Command::Customer(archived);
            let command = NewCommand {
                trace: work.decision.trace.clone(),
                ..NewCommand::internal(target.clone(), command)
            };
            self.commands.write(command).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Effect for ArchiveEffect {
    fn name(&self) -> &Label {
        &self.name
    }

    fn wants(&self, appended: &Appended) -> bool {
        match &appended.stream {
            StreamId::Dialog(_) => {
                let ended = |event: &Event<_>| {
                    matches!(
                        event,
                        Event::Dialog(DialogEvent::Closed { .. } | DialogEvent::Rated { .. })
                    )
                };
                let segment = |seq: Seq| seq.0 / SEGMENT_EVENTS;
                let full = segment(appended.after.seq) != segment(appended.upto().seq);
                full || appended.events.iter().any(|e| ended(&e.event))
            }
            StreamId::Customer(_) => !settled(appended).is_empty(),
            StreamId::Board(_) => false,
        }
    }

    /// Passed over, a dialog would stay in the live view, and `events` could not be trimmed.
    fn insists(&self) -> bool {
        true
    }

    async fn run(&self, work: &Work) -> Result<()> {
        let Some(appended) = work.appended() else {
            return Ok(());
        };
        if let (StreamId::Customer(_), Target::Customer(_)) =
            (&appended.stream, &work.decision.target)
        {
            return self.retire(work, settled(appended)).await;
        }
        let upto = appended.upto();
        let (archive, streams) = (self.archive.as_ref(), self.streams.as_ref());
        keep(archive, streams, &appended.stream, upto).await
    }
}

/// The dialogs that these events settle.
fn settled(appended: &Appended) -> Vec<DialogId> {
    let dialogs = appended.events.iter().filter_map(|e| match &e.event {
        Event::Customer(CustomerEvent::DialogSettled { dialog }) => Some(*dialog),
        _ => None,
    });
    dialogs.collect()
}

/// Brings what the archive lacks of a stream up to just this event to it.
///
/// # Errors
/// `Rebuilding` when the view does not have it, or has another history: it lost writes, or is a
/// former primary, and has the stream as it was published soon. The archive got nothing then.
async fn keep(
    archive: &dyn Archive,
    streams: &dyn StreamStore,
    stream: &StreamId,
    upto: Position,
) -> Result<()> {
    if sabotage::on(Switch::ForgetBeforeArchive) {
        return Ok(());
    }
    let limit = usize::try_from(SEGMENT_EVENTS).unwrap_or(usize::MAX);
    let mut last = kept(archive, stream).await?;
    let mut segments = Vec::new();
    while last.seq < upto.seq {
        let range = ReadRange {
            stream: stream.clone(),
            after: last.seq,
            upto: upto.seq,
            limit,
        };
        let page = streams.read(range).await?;
        if page.events.is_empty() || page.after != last {
            return Err(Error::new(ErrorKind::Rebuilding, KEEP)
                .with_context("stream", stream)
                .with_context("missing after", last.seq));
        }
        last = page.upto();
        segments.push(Segment {
            stream: stream.clone(),
            after: page.after,
            events: page.events,
        });
    }
    if !segments.is_empty() && last != upto {
        return Err(Error::new(ErrorKind::Rebuilding, KEEP)
            .with_context("stream", stream)
            .with_context("another history at", last.seq));
    }
    for segment in segments {
        archive.put(segment).await?;
    }
    Ok(())
}

/// The last event that the archive has of a stream, from the first on and without a hole.
async fn kept(archive: &dyn Archive, stream: &StreamId) -> Result<Position> {
    let covered = archive.covered(stream).await?;
    kept_at(archive, stream, covered).await
}

/// The event that the archive has of a stream at a place.
async fn kept_at(archive: &dyn Archive, stream: &StreamId, seq: Seq) -> Result<Position> {
    let before = Seq(seq.0.saturating_sub(1));
    Ok(archive.read(stream, before, 1).await?.upto())
}

/// Checks that the archive has a stream whole, up to just this event.
///
/// # Errors
/// `Corrupt` when it has another one there.
async fn has_all(archive: &dyn Archive, stream: &StreamId, upto: Position) -> Result<()> {
    let covered = archive.covered(stream).await?;
    let is_whole = covered >= upto.seq && kept_at(archive, stream, upto.seq).await? == upto;
    if is_whole || sabotage::on(Switch::ForgetBeforeArchive) {
        return Ok(());
    }
    Err(
        Error::new(ErrorKind::Corrupt, "find a stream whole in the archive")
            .with_context("stream", stream)
            .with_context("upto", upto.seq)
            .with_context("covered", covered),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Timestamp,
        content::Sealed,
        dialog::DialogEvent,
        engine::chained,
        ids::{Node, Partition},
        memory::MemoryArchive,
        record::{StreamEvent, Visibility},
        store::{Follow, Followed, Page, StoredState},
    };

    /// A view of one stream.
    #[derive(Debug)]
    struct View(Vec<StreamEvent<Sealed>>);

    impl View {
        /// Of so many events, each at the time that is given for it.
        fn new(times: &[i64]) -> Self {
            let mut last = Position::default();
            let events = times.iter().map(|at| {
                let event = Event::Dialog(DialogEvent::Held);
                last = chained(last, Timestamp(*at), &event);
                StreamEvent {
                    seq: last.seq,
                    hash: last.hash,
                    at: Timestamp(*at),
                    visibility: Visibility::Everyone,
                    event,
                }
            });
            Self(events.collect())
        }

        fn upto(&self, seq: u64) -> Position {
            self.page(Seq(0), Seq(seq)).upto()
        }

        fn page(&self, after: Seq, upto: Seq) -> Page {
            let before = self.0.iter().rfind(|e| e.seq <= after);
            let events = self.0.iter().filter(|e| e.seq > after && e.seq <= upto);
            Page {
                after: before.map_or(Position::default(), |e| Position {
                    seq: e.seq,
                    hash: e.hash,
                }),
                events: events.cloned().collect(),
            }
        }
    }

    fn no<T>() -> Result<T> {
        Err(Error::new(ErrorKind::Internal, "ask a view of one stream"))
    }

    #[async_trait]
    impl StreamStore for View {
        async fn follow(&self, _: Follow) -> Result<Followed> {
            no()
        }

        async fn unfollow(&self, _: &StreamId, _: &Node) -> Result<()> {
            no()
        }

        async fn read(&self, range: ReadRange) -> Result<Page> {
            Ok(self.page(range.after, range.upto))
        }

        async fn heads(&self, _: &[StreamId]) -> Result<Vec<Position>> {
            no()
        }

        async fn routes(&self, _: &StreamId) -> Result<Vec<Node>> {
            no()
        }

        async fn load(&self, _: &[Target]) -> Result<Vec<StoredState>> {
            no()
        }
    }

    #[tokio::test]
    async fn a_view_of_another_history_gives_the_archive_nothing() {
        let archive = MemoryArchive::default();
        let stream = StreamId::Dialog(DialogId::nth(0, Partition(0), 1));
        let published = View::new(&[1, 2, 3, 4]);
        keep(&archive, &published, &stream, published.upto(2))
            .await
            .unwrap();
        let kept = archive.read(&stream, Seq(0), 10).await.unwrap();
        // One differs from before what is kept on, one after it, one lacks the end.
        for times in [&[1, 9, 3, 4][..], &[1, 2, 9, 4], &[1, 2, 3]] {
            let refused = keep(&archive, &View::new(times), &stream, published.upto(4)).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Rebuilding);
            let now = archive.read(&stream, Seq(0), 10).await.unwrap();
            assert_eq!(now, kept, "with {times:?}");
        }
        keep(&archive, &published, &stream, published.upto(4))
            .await
            .unwrap();
        let whole = archive.read(&stream, Seq(0), 10).await.unwrap();
        assert_eq!(whole.upto(), published.upto(4));
    }
}
