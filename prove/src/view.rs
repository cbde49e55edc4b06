//! What a device knows of streams: positions, and dialogs as they are.

use std::collections::BTreeMap;

use chatcore::{
    content::Content,
    dialog::Phase,
    ids::{DialogId, StaffId, StreamId},
    record::{Event, Position, StreamEvent},
    routing::DialogView,
};
use chatcore_server::protocol::DialogBrief;

/// What a device has.
#[derive(Debug, Default)]
pub(crate) struct Views {
    /// Streams that it follows, and how far it has them.
    pub(crate) streams: BTreeMap<StreamId, Position>,
    pub(crate) dialogs: BTreeMap<DialogId, DialogView>,
}

impl Views {
    pub(crate) fn reset(
        &mut self,
        stream: &StreamId,
        position: Position,
        dialog: Option<DialogBrief>,
    ) {
        if let (StreamId::Dialog(id), Some(brief)) = (stream, dialog) {
            self.dialogs.insert(*id, view(brief));
        }
        self.streams.insert(stream.clone(), position);
    }

    pub(crate) fn shown<'a>(
        &mut self,
        stream: &StreamId,
        upto: Position,
        events: impl Iterator<Item = &'a StreamEvent<Content>>,
    ) {
        for event in events {
            if let (StreamId::Dialog(id), Event::Dialog(event)) = (stream, &event.event)
                && let Some(view) = self.dialogs.get_mut(id)
            {
                view.apply(event);
            }
        }
        self.streams.insert(stream.clone(), upto);
    }

    pub(crate) fn left(&mut self, stream: &StreamId) {
        self.streams.remove(stream);
        if let StreamId::Dialog(id) = stream {
            self.dialogs.remove(id);
        }
    }

    /// Dialogs that are not closed, with their phases.
    pub(crate) fn open(&self) -> impl Iterator<Item = (DialogId, &DialogView)> {
        let dialogs = self.dialogs.iter().map(|(id, view)| (*id, view));
        dialogs.filter(|(_, view)| view.phase != Phase::Closed)
    }

    /// What this operator owns.
    pub(crate) fn owned(&self, me: &StaffId) -> Vec<(DialogId, DialogView)> {
        let open = self.open();
        let mine = open.filter(|(_, view)| view.owner.as_ref() == Some(me));
        mine.map(|(id, view)| (id, view.clone())).collect()
    }
}

fn view(brief: DialogBrief) -> DialogView {
    let mut view = DialogView::new(brief.customer);
    view.channel = brief.channel;
    view.phase = brief.phase;
    view.owner = brief.owner;
    view.epoch = brief.epoch;
    view
}
