//! A decision in the making: the desk as it will be, and what has led there so far.

use super::{
    event::{AssignmentReason, BoardEvent, Presence},
    policy::Policies,
    state::{DeskState, GrantState, Moment},
};
use crate::{
    content::Sealed,
    dialog::{CustomerCommand, Grant, Granted, Rejection},
    ids::{CustomerId, DialogId, GrantId, OwnerEpoch, Participant, StaffId, StreamId, Target},
    machine::{Context, Decided},
    record::{Command, Event, FollowUp},
};

/// What a step of a decision answers: the dialog that the command was about, or why not.
pub(super) type Step = Result<Option<DialogId>, Rejection>;

#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// As it will be once the events so far are applied.
    pub(super) state: DeskState,
    pub(super) cx: &'a Context,
    pub(super) policies: &'a Policies,
    events: Vec<BoardEvent>,
    follow_ups: Vec<FollowUp>,
}

/// A grant about to be given.
#[derive(Debug)]
pub(super) struct NewGrant {
    pub(super) dialog: Option<DialogId>,
    pub(super) customer: CustomerId,
    pub(super) operator: StaffId,
    pub(super) what: Granted,
    pub(super) by: Participant,
    pub(super) reason: AssignmentReason,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &DeskState, cx: &'a Context, policies: &'a Policies) -> Self {
        Self {
            state: state.clone(),
            cx,
            policies,
            events: Vec::new(),
            follow_ups: Vec::new(),
        }
    }

    /// An event happens: here at once, for all others once the decision is saved.
    pub(super) fn happens(&mut self, event: BoardEvent) {
        let moment = Moment {
            at: self.cx.at,
            seq: self.state.core.head.seq.next(),
        };
        self.state.apply_board(&event, moment);
        self.state.core.head.seq = moment.seq;
        self.events.push(event);
    }

    pub(super) fn is_changed(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn grant(&mut self, new: NewGrant) {
        let grant = GrantId(self.state.core.last_grant.0 + 1);
        let NewGrant {
            dialog,
            customer,
            operator,
            what,
            by,
            reason,
        } = new;
        self.happens(BoardEvent::Granted {
            grant,
            dialog,
            what,
            customer,
            operator,
            by,
            reason,
        });
        self.send(grant);
    }

    /// Sends a grant that waits for its answer, the first time or again.
    pub(super) fn send(&mut self, grant: GrantId) {
        let Some(record) = self.state.core.grants.get(&grant) else {
            return;
        };
        if let GrantState::Sent { what, .. } = &record.state {
            let command = CustomerCommand::Grant(Grant {
                desk: self.state.core.desk.clone(),
                grant,
                what: what.clone(),
                operator: record.operator.clone(),
            });
            let customer = record.customer.clone();
            self.tell(customer, command);
        }
    }

    pub(super) fn confirm(&mut self, grant: GrantId) {
        if let Some((customer, dialog, epoch)) = self.state.held(grant) {
            let desk = self.state.core.desk.clone();
            self.tell(
                customer,
                CustomerCommand::Confirm {
                    desk,
                    dialog,
                    grant,
                    epoch,
                },
            );
        }
    }

    /// Tells the dialog that the operator of a grant that stands has vanished.
    pub(super) fn owner_lost(&mut self, grant: GrantId) {
        if let Some(owned) = self.state.held(grant) {
            self.give_back(grant, owned);
        }
    }

    pub(super) fn give_back(
        &mut self,
        grant: GrantId,
        (customer, dialog, epoch): (CustomerId, DialogId, OwnerEpoch),
    ) {
        let desk = self.state.core.desk.clone();
        self.tell(
            customer,
            CustomerCommand::OwnerLost {
                desk,
                dialog,
                grant,
                epoch,
            },
        );
    }

    fn tell(&mut self, customer: CustomerId, command: CustomerCommand<Sealed>) {
        self.follow_ups.push(FollowUp {
            target: Target::Customer(customer),
            command: Command::Customer(command),
        });
    }

    pub(super) fn finish(self, outcome: Step) -> Decided {
        match outcome {
            Err(why) => Decided::rejected(why),
            Ok(dialog) => {
                let board = StreamId::Board(self.state.core.desk.clone());
                let mut decided = Decided::accepted(dialog);
                decided.events = self
                    .events
                    .into_iter()
                    .map(|event| (board.clone(), Event::Board(event)))
                    .collect();
                decided.follow_ups = self.follow_ups;
                decided
            }
        }
    }
}

impl DeskState {
    /// What is known of a grant that stands.
    pub(super) fn held(&self, grant: GrantId) -> Option<(CustomerId, DialogId, OwnerEpoch)> {
        let record = self.core.grants.get(&grant)?;
        match (&record.state, record.dialog) {
            (GrantState::Held { epoch, .. }, Some(dialog)) => {
                Some((record.customer.clone(), dialog, *epoch))
            }
            _ => None,
        }
    }

    pub(super) fn presence(&self, operator: &StaffId) -> Presence {
        self.core
            .operators
            .get(operator)
            .map_or(Presence::Gone, |one| one.presence)
    }
}
