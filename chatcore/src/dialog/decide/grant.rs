//! The answers to desks: a desk grants, a dialog owns.

use super::scene::{Author, Scene, Verdict, to_desk};
use crate::{
    dialog::{
        DialogEvent, Grant, Granted, Phase, Rejection,
        state::{CustomerState, FIRST_EPOCH},
    },
    ids::{DeskId, DialogId, GrantId, OwnerEpoch, StreamId},
    machine::{Context, Decided},
    queue::DeskCommand,
    record::{Event, FollowUp},
};

impl CustomerState {
    /// Answers every grant of a desk: held, or refused with the reason. A desk sends a grant
    /// again until it hears, so the same grant gets the same answer as long as it stands.
    pub(super) fn granted(&self, cx: &Context, grant: &Grant) -> Decided {
        let system = Author::of(cx, &self.customer).and_then(|a| a.must_be(Author::System));
        if let Err(why) = system {
            // Not from a desk, so no desk waits for an answer.
            return Decided::rejected(why);
        }
        let verdict = match &grant.what {
            Granted::Waiting {
                dialog,
                expected_epoch,
            } => self.grant_waiting(cx, grant, (*dialog, *expected_epoch)),
            Granted::TakeOver {
                dialog,
                expected_epoch,
            } => self.grant_take_over(cx, grant, (*dialog, *expected_epoch)),
            Granted::New { .. } => self.grant_new(cx, grant),
        };
        verdict.unwrap_or_else(|reason| {
            Decided::rejected(reason.clone()).with_follow_up(to_desk(
                &grant.desk,
                DeskCommand::Refused {
                    grant: grant.grant,
                    reason,
                },
            ))
        })
    }

    fn grant_waiting(
        &self,
        cx: &Context,
        grant: &Grant,
        (dialog, expected): (DialogId, OwnerEpoch),
    ) -> Verdict {
        let scene = Scene::new(self, cx, dialog)?;
        if let Some(again) = scene.held_again(grant) {
            return Ok(again);
        }
        match (scene.dialog.phase, scene.dialog.operator()) {
            (Phase::Waiting, _) if scene.dialog.queue.desk == grant.desk => {}
            (Phase::Closed, _) => return Err(Rejection::Closed),
            (_, Some(by)) => return Err(Rejection::AlreadyOwned { by: by.clone() }),
            _ => return Err(Rejection::NotWaiting),
        }
        scene.expect(expected)?;
        Ok(scene.assigned(scene.accepted(), grant))
    }

    fn grant_take_over(
        &self,
        cx: &Context,
        grant: &Grant,
        (dialog, expected): (DialogId, OwnerEpoch),
    ) -> Verdict {
        let scene = Scene::new(self, cx, dialog)?;
        if let Some(again) = scene.held_again(grant) {
            return Ok(again);
        }
        match scene.dialog.operator() {
            Some(by) if *by == grant.operator => {
                return Err(Rejection::AlreadyOwned { by: by.clone() });
            }
            Some(_) => {}
            None => return Err(scene.wrong_phase()),
        }
        scene.expect(expected)?;
        let mut decided = scene.accepted();
        decided.follow_ups.extend(scene.freed());
        Ok(scene.assigned(decided, grant))
    }

    /// A dialog that the operator begins: owned at once. The same grant finds its dialog for as
    /// long as that is in the state.
    fn grant_new(&self, cx: &Context, grant: &Grant) -> Verdict {
        let Granted::New { channel, settings } = &grant.what else {
            return Err(Rejection::Void);
        };
        let name = (grant.desk.clone(), grant.grant);
        let begun = self
            .dialogs()
            .find(|(_, dialog)| dialog.begun.as_ref() == Some(&name));
        if let Some((id, _)) = begun {
            return Scene::new(self, cx, id)?
                .held_again(grant)
                .ok_or(Rejection::AlreadyDone);
        }
        let epoch = FIRST_EPOCH.next();
        let id = cx.next_dialog;
        Ok(self
            .begin(cx, (channel, None), settings)?
            .with_event(
                StreamId::Dialog(id),
                Event::Dialog(DialogEvent::Assigned {
                    operator: grant.operator.clone(),
                    queue: settings.queue.clone(),
                    epoch,
                    desk: grant.desk.clone(),
                    grant: grant.grant,
                    from: None,
                }),
            )
            .with_follow_up(self.held(grant, id, epoch)))
    }

    /// A desk asks whether one of its grants stands. Always answered, also for a dialog that has
    /// left the state.
    pub(super) fn confirm(
        &self,
        cx: &Context,
        dialog: DialogId,
        desk: &DeskId,
        (grant, epoch): (GrantId, OwnerEpoch),
    ) -> Verdict {
        Author::of(cx, &self.customer)?.must_be(Author::System)?;
        let stands = self.stands(dialog, desk, (grant, epoch));
        Ok(Decided::accepted(Some(dialog))
            .with_follow_up(to_desk(desk, DeskCommand::Confirmed { grant, stands })))
    }

    fn held(&self, grant: &Grant, dialog: DialogId, epoch: OwnerEpoch) -> FollowUp {
        to_desk(
            &grant.desk,
            DeskCommand::Held {
                grant: grant.grant,
                dialog,
                customer: self.customer.clone(),
                epoch,
            },
        )
    }
}

impl Scene<'_> {
    /// The answer to a grant that the dialog is owned by: held, again.
    fn held_again(&self, grant: &Grant) -> Option<Decided> {
        let stands = self
            .dialog
            .ownership()
            .is_some_and(|o| o.desk == grant.desk && o.grant == grant.grant);
        stands.then(|| {
            self.accepted()
                .with_follow_up(self.state.held(grant, self.id, self.dialog.epoch))
        })
    }

    fn expect(&self, epoch: OwnerEpoch) -> Result<(), Rejection> {
        if epoch == self.dialog.epoch {
            Ok(())
        } else {
            Err(Rejection::StaleEpoch {
                current: self.dialog.epoch,
            })
        }
    }

    fn assigned(&self, decided: Decided, grant: &Grant) -> Decided {
        let epoch = self.dialog.epoch.next();
        let event = DialogEvent::Assigned {
            operator: grant.operator.clone(),
            queue: self.dialog.queue.clone(),
            epoch,
            desk: grant.desk.clone(),
            grant: grant.grant,
            from: self.dialog.operator().cloned(),
        };
        self.and(decided, event)
            .with_follow_up(self.state.held(grant, self.id, epoch))
    }
}
