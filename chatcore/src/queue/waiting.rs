//! Dialogs that begin and cease to wait.

use super::{
    command::Wait,
    draft::{Draft, NewGrant, Step},
    event::{AssignmentReason, BoardEvent},
    limits::LOST_BOOST,
    state::{DeskState, GrantState},
};
use crate::{
    dialog::{Granted, Rejection},
    ids::{DialogId, OwnerEpoch, Participant, StaffId},
};

impl Draft<'_> {
    /// A dialog waits; whether anything changed. A newer epoch replaces an older one. Never
    /// refused for want of room or of the queue: nobody would send it again.
    pub(super) fn wait(&mut self, wait: &Wait) -> Result<bool, Rejection> {
        if let Some(known) = self.state.core.waiting.get(&wait.dialog) {
            if known.wait == *wait {
                return Ok(false);
            }
            if known.wait.epoch > wait.epoch {
                return Err(Rejection::Void);
            }
        }
        match self.state.epoch_of_grants(wait.dialog) {
            Some(granted) if granted == wait.epoch => return Ok(false),
            Some(granted) if granted > wait.epoch => return Err(Rejection::Void),
            _ => {}
        }
        self.happens(BoardEvent::Waiting {
            wait: wait.clone(),
            boost: if wait.lost { LOST_BOOST } else { 0 },
            by_hand: false,
        });
        Ok(true)
    }

    pub(super) fn leave(&mut self, dialog: DialogId, epoch: OwnerEpoch) -> Step {
        let waits = self
            .state
            .core
            .waiting
            .get(&dialog)
            .is_some_and(|waiting| waiting.wait.epoch <= epoch);
        if waits || self.state.keeps_place_of(dialog, epoch) {
            self.happens(BoardEvent::Left { dialog });
        }
        Ok(Some(dialog))
    }

    /// Granted at once if the operator can take it, else it waits for whoever can.
    pub(super) fn pass(&mut self, wait: &Wait, operator: &StaffId) -> Step {
        if self.wait(wait)? && self.state.can_be_given(operator).is_ok() {
            self.grant_waiting(
                wait,
                operator.clone(),
                Participant::System,
                AssignmentReason {
                    how: "passed".to_owned(),
                    ..AssignmentReason::default()
                },
            );
        }
        Ok(Some(wait.dialog))
    }

    pub(super) fn grant_waiting(
        &mut self,
        wait: &Wait,
        operator: StaffId,
        by: Participant,
        reason: AssignmentReason,
    ) {
        self.grant(NewGrant {
            dialog: Some(wait.dialog),
            customer: wait.customer.clone(),
            operator,
            what: Granted::Waiting {
                dialog: wait.dialog,
                expected_epoch: wait.epoch,
            },
            by,
            reason,
        });
    }
}

impl DeskState {
    /// The newest epoch in which a grant, out or held, has the dialog.
    fn epoch_of_grants(&self, dialog: DialogId) -> Option<OwnerEpoch> {
        self.index
            .grants_of_dialog(dialog)
            .iter()
            .filter_map(|grant| self.core.grants.get(grant))
            .filter_map(|record| match &record.state {
                GrantState::Held { epoch, .. } => Some(*epoch),
                GrantState::Sent { what, .. } => match what {
                    Granted::Waiting { expected_epoch, .. }
                    | Granted::TakeOver { expected_epoch, .. } => Some(*expected_epoch),
                    Granted::New { .. } => None,
                },
            })
            .max()
    }

    /// Whether a grant that is out would put the dialog back to a place that it has left.
    fn keeps_place_of(&self, dialog: DialogId, epoch: OwnerEpoch) -> bool {
        self.index
            .grants_of_dialog(dialog)
            .iter()
            .filter_map(|grant| self.core.grants.get(grant))
            .any(|record| match &record.state {
                GrantState::Sent {
                    from: Some(from), ..
                } => from.wait.epoch <= epoch,
                _ => false,
            })
    }
}
