//! The archive: dialogs go there when they end, long ones by segment before that.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Effect, Work};
use crate::{
    dialog::DialogEvent,
    error::Result,
    ids::{Label, StreamId},
    record::{Appended, Event},
    store::{Archive, ReadRange, Segment, StreamStore},
};

/// Events of a segment.
const SEGMENT_EVENTS: u64 = 500;

/// Brings dialogs to the archive.
#[derive(Debug)]
pub struct ArchiveEffect {
    name: Label,
    archive: Arc<dyn Archive>,
    streams: Arc<dyn StreamStore>,
}

impl ArchiveEffect {
    /// Brings them from this store to this archive.
    #[must_use]
    pub fn new(archive: Arc<dyn Archive>, streams: Arc<dyn StreamStore>) -> Self {
        Self {
            name: Label::literal("archive"),
            archive,
            streams,
        }
    }
}

#[async_trait]
impl Effect for ArchiveEffect {
    fn name(&self) -> &Label {
        &self.name
    }

    fn wants(&self, appended: &Appended) -> bool {
        let ended = |event: &Event<_>| {
            matches!(
                event,
                Event::Dialog(DialogEvent::Closed { .. } | DialogEvent::Rated { .. })
            )
        };
        let full = appended.after.seq.0 / SEGMENT_EVENTS != appended.upto().seq.0 / SEGMENT_EVENTS;
        matches!(appended.stream, StreamId::Dialog(_))
            && (full || appended.events.iter().any(|e| ended(&e.event)))
    }

    async fn run(&self, work: &Work) -> Result<()> {
        let Some(appended) = work.appended() else {
            return Ok(());
        };
        let upto = appended.upto().seq;
        let limit = usize::try_from(SEGMENT_EVENTS).unwrap_or(usize::MAX);
        let stream = &appended.stream;
        let mut after = self.archive.covered(stream).await?;
        while after < upto {
            let range = ReadRange {
                stream: stream.clone(),
                after,
                upto,
                limit,
            };
            let page = self.streams.read(range).await?;
            if page.events.is_empty() {
                break;
            }
            after = page.upto().seq;
            let segment = Segment {
                stream: stream.clone(),
                after: page.after,
                events: page.events,
            };
            self.archive.put(segment).await?;
        }
        Ok(())
    }
}
