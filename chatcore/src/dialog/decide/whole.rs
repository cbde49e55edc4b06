//! What concerns the customer as a whole: emergencies, links, timers.

use super::scene::{Author, Scene, Verdict, at_most, fits, to_customer};
use crate::{
    content::Sealed,
    dialog::{
        CustomerCommand, CustomerEvent, CustomerTimer, DialogEvent, Phase, Rejection,
        limits::LINKS_MAX, state::CustomerState,
    },
    ids::{CustomerId, DialogId, Label, Participant, StreamId},
    machine::{Context, Decided},
    record::{Event, Position},
    rights::{Action, Relations, Role, may},
    sabotage::{Switch, on},
};

impl CustomerState {
    /// By the bank's systems in every dialog that is not closed, or in the one that is named, where
    /// whoever leads its desk may as well; shown once. With no such dialog there is nobody to show it to, which is no mistake.
    pub(super) fn emergency(
        &self,
        cx: &Context,
        only: Option<DialogId>,
        (incident, body): (&Label, &Sealed),
    ) -> Verdict {
        match only {
            Some(dialog) => {
                let scene = Scene::new(self, cx, dialog)?;
                scene.allows(Action::Emergency)?;
                if scene.dialog.phase == Phase::Closed {
                    return Err(Rejection::Closed);
                }
            }
            None => self.allows(cx, Action::Emergency)?,
        }
        fits(body)?;
        let open: Vec<_> = self
            .dialogs()
            .filter(|(id, _)| only.is_none_or(|only| only == *id))
            .filter(|(_, dialog)| dialog.phase != Phase::Closed)
            .collect();
        let shown: Vec<_> = open
            .iter()
            .filter(|(_, dialog)| !dialog.incidents.contains(incident))
            .map(|(id, _)| *id)
            .collect();
        if shown.is_empty() && !open.is_empty() {
            return Err(Rejection::AlreadyDone);
        }
        let told = Decided::accepted(shown.first().copied());
        Ok(shown.into_iter().fold(told, |decided, id| {
            let event = DialogEvent::Emergency {
                incident: incident.clone(),
                body: body.clone(),
            };
            decided.with_event(StreamId::Dialog(id), Event::Dialog(event))
        }))
    }

    /// By the bank's systems. The other one is told and tells back, which finds
    /// the link in place: that ends it. One that has as many links as it may keeps the link one-
    /// sided; nothing is moved, so nothing depends on both sides.
    pub(super) fn link(&self, cx: &Context, other: &CustomerId) -> Verdict {
        self.allows(cx, Action::Link)?;
        if *other == self.customer {
            return Err(Rejection::Forbidden);
        }
        if self.links.contains(other) {
            return Err(Rejection::AlreadyDone);
        }
        at_most(self.links.len() + 1, LINKS_MAX)?;
        let linked = CustomerEvent::Linked {
            other: other.clone(),
        };
        let back = CustomerCommand::Link {
            other: self.customer.clone(),
        };
        Ok(Decided::accepted(None)
            .with_event(
                StreamId::Customer(self.customer.clone()),
                Event::Customer(linked),
            )
            .with_follow_up(to_customer(other, back)))
    }

    /// A timer fired: void unless it is the one in force and its time has come by the journal's
    /// clock. The one that fired it may be wrong.
    pub(super) fn timer(&self, cx: &Context, key: &CustomerTimer, generation: u64) -> Verdict {
        self.allows(cx, Action::Internal)?;
        let in_force = self.due().iter().any(|due| {
            let is_this = due.generation == generation && due.at <= cx.at;
            due.key == *key && (is_this || on(Switch::TimerUnchecked))
        });
        if !in_force {
            return Err(Rejection::Void);
        }
        match key {
            CustomerTimer::WrapUp(dialog) => Ok(Scene::new(self, cx, *dialog)?
                .closes(Participant::System, Label::literal("wrap_up_timeout"))),
            CustomerTimer::ReopenEnds(dialog) => Ok(self.settled(*dialog)),
        }
    }

    /// The archive has a settled dialog whole. Only one that ended just there may leave.
    pub(super) fn archived(&self, cx: &Context, dialog: DialogId, upto: Position) -> Verdict {
        self.allows(cx, Action::Internal)?;
        if self.leaving.get(&dialog) != Some(&upto) {
            return Err(Rejection::Void);
        }
        Ok(Decided::accepted(Some(dialog)).forgetting(StreamId::Dialog(dialog)))
    }

    /// Refuses whoever may not, by the table of rights.
    fn allows(&self, cx: &Context, action: Action) -> Result<(), Rejection> {
        Author::of(cx, &self.customer)?;
        let role = Role::of(&cx.author, cx.rights.as_ref());
        if may(role, action, Relations::NONE) {
            Ok(())
        } else {
            Err(Rejection::Forbidden)
        }
    }
}
