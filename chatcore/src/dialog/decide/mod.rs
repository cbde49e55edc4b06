//! What a command leads to. Reads the state, changes nothing.
//!
//! [`talk`] is what is said, [`life`] how a dialog begins and ends, [`hand`] who has it,
//! [`note`] what staff keep about the customer, [`grant`] the answers to desks, [`whole`] what concerns the customer as a whole.

mod grant;
mod hand;
mod life;
mod note;
mod scene;
mod talk;
mod whole;

use self::scene::{Scene, Verdict};
use super::{CustomerCommand, state::CustomerState};
use crate::{
    content::Sealed,
    ids::DialogId,
    machine::{Context, Decided},
    rights::Action,
};

impl CustomerState {
    /// Decides a command. Pure: the same state, command and context give the same answer, and a
    /// rejected command has no events. Never panics, whatever is sent in whatever state.
    #[must_use]
    pub fn decide(&self, command: &CustomerCommand<Sealed>, cx: &Context) -> Decided {
        self.verdict(command, cx).unwrap_or_else(Decided::rejected)
    }

    #[allow(
        clippy::too_many_lines,
        reason = "a table with one arm for each command, nothing is decided in it"
    )]
    fn verdict(&self, command: &CustomerCommand<Sealed>, cx: &Context) -> Verdict {
        use CustomerCommand as C;
        let at = |dialog: &DialogId| {
            let scene = Scene::new(self, cx, *dialog)?;
            scene.allows(Action::of(command)).map(|()| scene)
        };
        match command {
            C::Open(open) => self.open(cx, open),
            C::Write { open, body } => self.write(cx, open, body),
            C::Message(message) => at(&message.dialog)?.message(message),
            C::Edit {
                dialog,
                message,
                body,
                owner_epoch,
            } => at(dialog)?.edit(*message, body, *owner_epoch),
            C::Delete {
                dialog,
                message,
                owner_epoch,
            } => at(dialog)?.delete(*message, *owner_epoch),
            C::AskPerson { dialog, queue } => at(dialog)?.ask_person(queue.as_ref()),
            C::BotAnswer {
                dialog,
                seen,
                owner_epoch,
                replies,
                hand_over,
            } => {
                let scene = at(dialog)?;
                scene.bot_may_answer(*seen, *owner_epoch)?;
                scene.bot_answer(replies, hand_over.as_ref())
            }
            C::Transfer {
                dialog,
                owner_epoch,
                to,
                note,
            } => at(dialog)?.transfer(*owner_epoch, to, note.as_ref()),
            C::ReturnToQueue {
                dialog,
                owner_epoch,
            } => at(dialog)?.return_to_queue(*owner_epoch),
            C::Hold {
                dialog,
                owner_epoch,
            } => at(dialog)?.hold(*owner_epoch),
            C::Resume {
                dialog,
                owner_epoch,
            } => at(dialog)?.resume(*owner_epoch),
            C::Note { dialog, body } => at(dialog)?.note(body),
            C::NoteCustomer { dialog, body } => at(dialog)?.note_customer(body),
            C::RemoveCustomerNote { dialog, note } => at(dialog)?.remove_note(*note),
            C::SetTags { dialog, tags } => at(dialog)?.set_tags(tags),
            C::SetTopic { dialog, topic } => at(dialog)?.set_topic(topic.as_ref()),
            C::WrapUp {
                dialog,
                owner_epoch,
            } => at(dialog)?.wrap_up(*owner_epoch),
            C::Close {
                dialog,
                owner_epoch,
                outcome,
            } => at(dialog)?.close(*owner_epoch, outcome),
            C::Reopen { dialog } => at(dialog)?.reopen(),
            C::Rate {
                dialog,
                score,
                comment,
            } => at(dialog)?.rate(*score, comment.as_ref()),
            C::Cursor {
                dialog,
                delivered,
                read,
            } => at(dialog)?.cursor(*delivered, *read),
            C::System { dialog, body } => at(dialog)?.system(body),
            C::Emergency {
                dialog,
                incident,
                body,
            } => self.emergency(cx, *dialog, (incident, body)),
            C::Undelivered {
                dialog,
                message,
                reason,
            } => at(dialog)?.undelivered(*message, reason),
            C::Link { other } => self.link(cx, other),
            // Answers its desk also when rejected.
            C::Grant(grant) => Ok(self.granted(cx, grant)),
            C::Confirm {
                desk,
                dialog,
                grant,
                epoch,
            } => self.confirm(cx, *dialog, desk, (*grant, *epoch)),
            C::OwnerLost {
                desk,
                dialog,
                grant,
                epoch,
            } => self.owner_lost(cx, *dialog, desk, (*grant, *epoch)),
            C::Archived { dialog, upto } => self.archived(cx, *dialog, *upto),
            C::Timer { key, generation } => self.timer(cx, key, *generation),
        }
    }
}
