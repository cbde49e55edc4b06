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
            keep(archive, streams, &stream, upto.seq).await?;
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
        let upto = appended.upto().seq;
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

/// Brings what the archive lacks of a stream up to `upto` to it.
///
/// # Errors
/// `Rebuilding` when the view does not have it: it lost writes, and has them again soon.
async fn keep(
    archive: &dyn Archive,
    streams: &dyn StreamStore,
    stream: &StreamId,
    upto: Seq,
) -> Result<()> {
    if sabotage::on(Switch::ForgetBeforeArchive) {
        return Ok(());
    }
    let limit = usize::try_from(SEGMENT_EVENTS).unwrap_or(usize::MAX);
    let mut after = archive.covered(stream).await?;
    while after < upto {
        let range = ReadRange {
            stream: stream.clone(),
            after,
            upto,
            limit,
        };
        let page = streams.read(range).await?;
        if page.events.is_empty() || page.after.seq != after {
            return Err(Error::new(ErrorKind::Rebuilding, KEEP)
                .with_context("stream", stream)
                .with_context("missing after", after));
        }
        after = page.upto().seq;
        let segment = Segment {
            stream: stream.clone(),
            after: page.after,
            events: page.events,
        };
        archive.put(segment).await?;
    }
    Ok(())
}

/// Checks that the archive has a stream whole, up to just this event.
///
/// # Errors
/// `Corrupt` when it has another one there.
async fn has_all(archive: &dyn Archive, stream: &StreamId, upto: Position) -> Result<()> {
    let before = Seq(upto.seq.0.saturating_sub(1));
    let covered = archive.covered(stream).await?;
    let page = archive.read(stream, before, 1).await?;
    let is_whole = covered >= upto.seq && page.upto() == upto;
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
