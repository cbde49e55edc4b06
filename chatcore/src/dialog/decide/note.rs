//! What staff keep about the customer, beside whatever dialog.

use super::scene::{Scene, Verdict, at_most, fits_in};
use crate::{
    content::Sealed,
    dialog::{
        DialogEvent, Phase, Rejection,
        limits::{NOTE_BYTES_MAX, NOTE_CHARS_MAX, NOTES_MAX},
    },
    ids::{DialogId, NoteId, StreamId},
    machine::Decided,
    record::Event,
    rights::Action,
};

impl Scene<'_> {
    /// By staff who tend the dialog beside which it is written, in any phase.
    pub(super) fn note_customer(&self, body: &Sealed) -> Verdict {
        // All of them are in the state, so they are shorter than messages.
        fits_in(body, NOTE_CHARS_MAX, NOTE_BYTES_MAX)?;
        at_most(self.state.notes.kept.len() + 1, NOTES_MAX)?;
        Ok(self.told_beside(&DialogEvent::CustomerNoted {
            note: self.state.notes.next(),
            author: self.cx.author.clone(),
            body: body.clone(),
        }))
    }

    /// By its author or a supervisor, who tends the dialog beside which it is seen.
    pub(super) fn remove_note(&self, note: NoteId) -> Verdict {
        let known = self.state.notes.kept.get(&note);
        let known = known.ok_or(Rejection::UnknownMessage)?;
        if known.author != self.cx.author && !self.may(Action::RemoveOthersNote) {
            return Err(Rejection::NotYours);
        }
        Ok(self.told_beside(&DialogEvent::CustomerNoteRemoved {
            note,
            by: self.cx.author.clone(),
        }))
    }

    /// Told in the dialog itself, and in all others that have not ended: whoever looks at one of
    /// them sees it at once. Who looks at another reads the notes when they begin to.
    fn told_beside(&self, event: &DialogEvent<Sealed>) -> Decided {
        let others = self.state.dialogs();
        let others = others.filter(|(id, dialog)| *id != self.id && dialog.phase != Phase::Closed);
        let others: Vec<DialogId> = others.map(|(id, _)| id).collect();
        let told = self.happens(event.clone());
        others.into_iter().fold(told, |decided, id| {
            decided.with_event(StreamId::Dialog(id), Event::Dialog(event.clone()))
        })
    }
}
