//! What people do: take, assign, begin.

use super::{
    command::OperatorStatus,
    draft::{Draft, NewGrant, Step},
    event::{AssignmentReason, Presence},
    state::{DeskState, GrantState},
};
use crate::{
    dialog::{DialogSettings, Granted, Rejection},
    ids::{ChannelId, CustomerId, DialogId, OwnerEpoch, Participant, QueueId, QueueRef, StaffId},
};

impl Draft<'_> {
    /// A dialog of a queue that the desk does not have is open to all its operators.
    pub(super) fn take(&mut self, dialog: DialogId) -> Step {
        let operator = self.author()?;
        self.state.require_known(&operator)?;
        let Some(waiting) = self.state.core.waiting.get(&dialog) else {
            return Err(self.state.why_not_waiting(dialog));
        };
        let wait = waiting.wait.clone();
        if self.state.core.config.queues.contains_key(&wait.queue) {
            self.state.require_serves(&operator, &wait.queue)?;
        }
        self.state.can_be_given(&operator)?;
        let by = Participant::Staff(operator.clone());
        self.grant_waiting(&wait, operator, by, reason("taken"));
        Ok(Some(dialog))
    }

    /// Of a dialog that waits, or from its owner. A supervisor may choose an operator who does not
    /// serve the queue; past the capacity only when said so.
    pub(super) fn assign(
        &mut self,
        dialog: DialogId,
        operator: &StaffId,
        over_capacity: bool,
    ) -> Step {
        let by = Participant::Staff(self.author()?);
        let can = match self.state.can_be_given(operator) {
            Err(Rejection::Full { .. }) if over_capacity => Ok(true),
            Err(why) => Err(why),
            Ok(()) => Ok(false),
        };
        let waiting = self.state.core.waiting.get(&dialog).map(|w| w.wait.clone());
        if let Some(wait) = waiting {
            let reason = AssignmentReason {
                over_capacity: can?,
                ..reason("assigned")
            };
            self.grant_waiting(&wait, operator.clone(), by, reason);
            return Ok(Some(dialog));
        }
        let (customer, expected_epoch) = self.state.to_take_over(dialog, operator)?;
        let reason = AssignmentReason {
            over_capacity: can?,
            ..reason("assigned")
        };
        self.grant(NewGrant {
            dialog: Some(dialog),
            customer,
            operator: operator.clone(),
            what: Granted::TakeOver {
                dialog,
                expected_epoch,
            },
            by,
            reason,
        });
        Ok(Some(dialog))
    }

    pub(super) fn begin(
        &mut self,
        customer: &CustomerId,
        channel: &ChannelId,
        queue: &QueueId,
        settings: &DialogSettings,
    ) -> Step {
        let operator = self.author()?;
        self.state.require_known(&operator)?;
        if !self.state.core.config.queues.contains_key(queue) {
            return Err(Rejection::UnknownQueue);
        }
        self.state.require_serves(&operator, queue)?;
        self.state.can_be_given(&operator)?;
        let settings = DialogSettings {
            queue: QueueRef {
                desk: self.state.core.desk.clone(),
                queue: queue.clone(),
            },
            ..settings.clone()
        };
        self.grant(NewGrant {
            dialog: None,
            customer: customer.clone(),
            by: Participant::Staff(operator.clone()),
            operator,
            what: Granted::New {
                channel: channel.clone(),
                settings,
            },
            reason: reason("begun"),
        });
        Ok(None)
    }

    fn author(&self) -> Result<StaffId, Rejection> {
        self.cx.author.staff().cloned().ok_or(Rejection::Forbidden)
    }
}

impl DeskState {
    pub(super) fn require_known(&self, operator: &StaffId) -> Result<(), Rejection> {
        if self.core.config.operators.contains_key(operator) {
            Ok(())
        } else {
            Err(Rejection::UnknownOperator)
        }
    }

    fn require_serves(&self, operator: &StaffId, queue: &QueueId) -> Result<(), Rejection> {
        let config = self.core.config.operators.get(operator);
        if config.is_some_and(|config| config.queues.contains(queue)) {
            Ok(())
        } else {
            Err(Rejection::OtherQueue)
        }
    }

    /// Whether an operator can be given a dialog by hand: of this desk, here, not away, with a
    /// free slot.
    pub(super) fn can_be_given(&self, operator: &StaffId) -> Result<(), Rejection> {
        let Some(config) = self.core.config.operators.get(operator) else {
            return Err(Rejection::UnknownOperator);
        };
        let here = self.core.operators.get(operator).is_some_and(|one| {
            one.presence == Presence::Online && one.status != OperatorStatus::Away
        });
        if !here {
            return Err(Rejection::Away);
        }
        if self.index.used(operator) >= usize::from(config.capacity) {
            return Err(Rejection::Full {
                capacity: config.capacity,
            });
        }
        Ok(())
    }

    /// For the loser of a race: who was faster.
    fn why_not_waiting(&self, dialog: DialogId) -> Rejection {
        let newest = self.index.grants_of_dialog(dialog).pop();
        match newest.and_then(|grant| self.core.grants.get(&grant)) {
            Some(record) => Rejection::AlreadyOwned {
                by: record.operator.clone(),
            },
            None => Rejection::NotWaiting,
        }
    }

    /// A grant that is still out decides first: until it is answered, nobody knows the epoch.
    fn to_take_over(
        &self,
        dialog: DialogId,
        operator: &StaffId,
    ) -> Result<(CustomerId, OwnerEpoch), Rejection> {
        let newest = self.index.grants_of_dialog(dialog).pop();
        match newest.and_then(|grant| self.core.grants.get(&grant)) {
            None => Err(Rejection::NotWaiting),
            Some(record) => match &record.state {
                GrantState::Held { epoch, .. } if record.operator != *operator => {
                    Ok((record.customer.clone(), *epoch))
                }
                _ => Err(Rejection::AlreadyOwned {
                    by: record.operator.clone(),
                }),
            },
        }
    }
}

fn reason(how: &str) -> AssignmentReason {
    AssignmentReason {
        how: how.to_owned(),
        ..AssignmentReason::default()
    }
}
