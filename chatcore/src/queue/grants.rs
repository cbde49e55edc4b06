//! What dialogs answer to grants, and what is asked again.

use super::{
    draft::{Draft, Step},
    event::{BoardEvent, Presence},
    limits::{CONFIRM_MAX, RESEND_MAX},
    state::{GrantState, Waiting},
};
use crate::{
    dialog::Rejection,
    ids::{CustomerId, DialogId, GrantId, Label, OwnerEpoch},
    sabotage::{Switch, on},
};

impl Draft<'_> {
    /// Of a grant that is not known here any more, the dialog is told to wait again: a copy of
    /// one that was refused came late and was taken after all. If the answer is what came late,
    /// the ownership has ended long since and the dialog does nothing.
    pub(super) fn held(
        &mut self,
        grant: GrantId,
        dialog: DialogId,
        customer: &CustomerId,
        epoch: OwnerEpoch,
    ) -> Step {
        let Some(record) = self.state.core.grants.get(&grant) else {
            self.give_back(grant, (customer.clone(), dialog, epoch));
            return Ok(Some(dialog));
        };
        if record.dialog.is_some_and(|granted| granted != dialog) {
            return Err(Rejection::Void);
        }
        if !matches!(record.state, GrantState::Sent { .. }) {
            return Ok(Some(dialog));
        }
        let operator = record.operator.clone();
        self.happens(BoardEvent::Held {
            grant,
            dialog,
            epoch,
        });
        let void = self.state.core.waiting.get(&dialog);
        if void.is_some_and(|waiting| waiting.wait.epoch < epoch) {
            self.happens(BoardEvent::Left { dialog });
        }
        if self.state.presence(&operator) == Presence::Gone {
            self.owner_lost(grant);
        }
        Ok(Some(dialog))
    }

    /// A dialog that moved on says so itself, by `Wait` or `Leave`. One that refuses for another
    /// reason still waits, for all that the desk knows: it is put back, to be taken by hand only,
    /// so that it is neither lost nor granted and refused for ever.
    pub(super) fn refused(&mut self, grant: GrantId, reason: &Rejection) -> Step {
        let Some(record) = self.state.core.grants.get(&grant) else {
            return Ok(None);
        };
        let GrantState::Sent { from, .. } = &record.state else {
            return Ok(None);
        };
        let dialog = record.dialog;
        let back = from.clone().filter(|_| !has_moved_on(reason));
        self.happens(BoardEvent::Refused {
            grant,
            code: Label::literal(reason.code()),
        });
        if let Some(Waiting { wait, boost, .. }) = back
            && self.state.core.waiting.get(&wait.dialog).is_none()
        {
            self.happens(BoardEvent::Waiting {
                wait,
                boost,
                by_hand: true,
            });
        }
        Ok(dialog)
    }

    /// Of a grant that was not even known as held, too: the slot is free all the same.
    pub(super) fn freed(&mut self, dialog: DialogId, grant: GrantId) -> Step {
        if let Some(record) = self.state.core.grants.get(&grant) {
            if record.dialog.is_some_and(|granted| granted != dialog) {
                return Err(Rejection::Void);
            }
            self.happens(BoardEvent::Freed { grant, dialog });
        }
        Ok(Some(dialog))
    }

    /// Answers of a dialog come in order. So a grant that is still held here, was asked about
    /// since it is, and does not stand there, was freed without a word.
    pub(super) fn confirmed(&mut self, grant: GrantId, stands: bool) -> Step {
        let Some(record) = self.state.core.grants.get(&grant) else {
            return Ok(None);
        };
        let dialog = record.dialog;
        if !stands && matches!(record.state, GrantState::Held { asked: true, .. }) {
            self.happens(BoardEvent::Repaired { grant });
        }
        Ok(dialog)
    }

    /// Those sent longest ago first; what is over the limit is due at once, again.
    pub(super) fn resend(&mut self) {
        let resend_ms = self.state.core.config.grant_resend_ms;
        let grants: Vec<GrantId> = self
            .state
            .index
            .sent()
            .take_while(|(sent, _, _)| super::timers::after(*sent, resend_ms) <= self.cx.at)
            .map(|(_, _, grant)| grant)
            .take(RESEND_MAX)
            .collect();
        self.happens(BoardEvent::Resent {
            grants: grants.clone(),
        });
        for grant in grants {
            if on(Switch::GrantTimedOut) {
                // Broken on purpose; it was looked up above.
                let _ = self.refused(grant, &Rejection::Away);
            }
            self.send(grant);
        }
    }

    pub(super) fn reconcile(&mut self) {
        let from = self.state.core.reconcile.more_after.unwrap_or_default();
        let mut standing = self
            .state
            .core
            .grants
            .range(GrantId(from.0.saturating_add(1))..)
            .filter(|(_, record)| matches!(record.state, GrantState::Held { .. }))
            .map(|(grant, _)| *grant);
        let grants: Vec<GrantId> = standing.by_ref().take(CONFIRM_MAX).collect();
        let more_after = standing.next().and(grants.last().copied());
        self.happens(BoardEvent::Confirming {
            grants: grants.clone(),
            more_after,
        });
        for grant in grants {
            self.confirm(grant);
        }
    }
}

/// The dialog is not what the desk took it for.
fn has_moved_on(reason: &Rejection) -> bool {
    matches!(
        reason,
        Rejection::NotFound
            | Rejection::AlreadyOwned { .. }
            | Rejection::NotOwner { .. }
            | Rejection::StaleEpoch { .. }
            | Rejection::Stale { .. }
            | Rejection::Closed
            | Rejection::WrongPhase { .. }
            | Rejection::AlreadyDone
            | Rejection::NotWaiting
            | Rejection::Void
    )
}
