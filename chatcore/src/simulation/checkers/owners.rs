//! I4: at most one operator owns a dialog at a time, by its epoch; what a former owner sends late
//! is rejected. And desk and dialog agree on who owns what.

use std::collections::BTreeMap;

use super::{Violation, boards};
use crate::{
    content::Sealed,
    dialog::{CustomerCommand, DialogEvent, Message},
    ids::{DeskId, DialogId, GrantId, OwnerEpoch, Partition, StaffId, StreamId},
    queue::BoardEvent,
    record::{self, Command, Decision, Event, Outcome, Verdict},
    simulation::{
        history::History,
        truth::{PartitionTruth, Truth},
    },
};

/// Who owns a dialog.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Ownership {
    epoch: OwnerEpoch,
    owner: Option<Owner>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    operator: StaffId,
    desk: DeskId,
    grant: GrantId,
}

pub(super) fn check(history: &History, truth: &Truth) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut dialogs: BTreeMap<DialogId, Ownership> = BTreeMap::new();
    for (partition, one) in (0..).map(Partition).zip(&truth.partitions) {
        for decision in &one.decisions {
            let wrong = acts_as_owner(one, decision, &dialogs)
                .err()
                .into_iter()
                .chain(take_in(decision, &mut dialogs));
            for text in wrong {
                found.push(Violation::new("I4", text).by(partition, decision.cause));
            }
        }
    }
    let ends = boards::walk(truth, |step| {
        if let BoardEvent::Repaired { grant } = step.event {
            let text = format!("grant {grant} of {} did not stand", step.desk);
            let violation = Violation::new("I4", text);
            found.push(violation.by(step.partition, step.decision.cause));
        }
    });
    if history.is_quiet() {
        agree(&ends, &dialogs, &mut found);
    }
    found
}

/// The dialog that an owner's command is about, and the epoch that its author saw.
fn claim(command: &CustomerCommand<Sealed>) -> Option<(DialogId, OwnerEpoch)> {
    match command {
        CustomerCommand::Message(Message {
            dialog,
            owner_epoch: Some(epoch),
            ..
        })
        | CustomerCommand::Close {
            dialog,
            owner_epoch: Some(epoch),
            ..
        } => Some((*dialog, *epoch)),
        CustomerCommand::Transfer {
            dialog,
            owner_epoch,
            ..
        }
        | CustomerCommand::ReturnToQueue {
            dialog,
            owner_epoch,
        }
        | CustomerCommand::Hold {
            dialog,
            owner_epoch,
        }
        | CustomerCommand::Resume {
            dialog,
            owner_epoch,
        }
        | CustomerCommand::WrapUp {
            dialog,
            owner_epoch,
        }
        | CustomerCommand::BotAnswer {
            dialog,
            owner_epoch,
            ..
        } => Some((*dialog, *owner_epoch)),
        _ => None,
    }
}

/// Whether whoever spoke as the owner was the owner.
fn acts_as_owner(
    one: &PartitionTruth,
    decision: &Decision,
    dialogs: &BTreeMap<DialogId, Ownership>,
) -> Result<(), String> {
    if !matches!(decision.verdict, Verdict::Decided(Outcome::Accepted(_))) {
        return Ok(());
    }
    let asked = decision.unparked.unwrap_or(decision.cause);
    let record = one.commands.get(&asked).and_then(|c| c.record.as_ref());
    let command = record.and_then(|r| record::decode::<Command<Sealed>>(&r.body).ok());
    let Some(Command::Customer(command)) = command else {
        return Ok(());
    };
    let Some((dialog, epoch)) = claim(&command) else {
        return Ok(());
    };
    let stands = dialogs.get(&dialog).cloned().unwrap_or_default();
    let owner = stands.owner.as_ref().map(|owner| &owner.operator);
    if epoch == stands.epoch && owner == decision.author.staff() {
        return Ok(());
    }
    Err(format!(
        "dialog {dialog}: {:?} was obeyed as the owner of epoch {epoch}, while {owner:?} owned it in \
         epoch {}",
        decision.author, stands.epoch
    ))
}

fn take_in(decision: &Decision, dialogs: &mut BTreeMap<DialogId, Ownership>) -> Vec<String> {
    let mut wrong = Vec::new();
    for appended in &decision.appended {
        let StreamId::Dialog(dialog) = appended.stream else {
            continue;
        };
        let stands = dialogs.entry(dialog).or_default();
        for event in &appended.events {
            if let Event::Dialog(event) = &event.event
                && let Err(text) = stands.apply(event)
            {
                wrong.push(format!("dialog {dialog}: {text}"));
            }
        }
    }
    wrong
}

impl Ownership {
    fn apply(&mut self, event: &DialogEvent<Sealed>) -> Result<(), String> {
        let before = self.clone();
        match event {
            DialogEvent::Opened { .. } => self.epoch = OwnerEpoch(1),
            DialogEvent::Assigned {
                operator,
                epoch,
                desk,
                grant,
                from,
                ..
            } => {
                self.epoch = *epoch;
                self.owner = Some(Owner {
                    operator: operator.clone(),
                    desk: desk.clone(),
                    grant: *grant,
                });
                let owned_by = before.owner.as_ref().map(|owner| &owner.operator);
                if owned_by != from.as_ref() {
                    return Err(format!(
                        "given to {operator} from {from:?} while {owned_by:?} owned it"
                    ));
                }
            }
            DialogEvent::Waiting { epoch, .. }
            | DialogEvent::Closed { epoch, .. }
            | DialogEvent::Reopened { epoch, .. } => {
                self.epoch = *epoch;
                self.owner = None;
            }
            _ => return Ok(()),
        }
        if self.epoch <= before.epoch {
            return Err(format!("epoch {} after {}", self.epoch, before.epoch));
        }
        Ok(())
    }
}

/// At rest each grant stands, and stands for the dialog's owner; and the other way round.
fn agree(
    ends: &BTreeMap<DeskId, crate::routing::Board>,
    dialogs: &BTreeMap<DialogId, Ownership>,
    found: &mut Vec<Violation>,
) {
    for (desk, board) in ends {
        for (grant, granted) in &board.grants {
            let owner = granted
                .dialog
                .and_then(|dialog| dialogs.get(&dialog))
                .filter(|stands| Some(stands.epoch) == granted.held)
                .and_then(|stands| stands.owner.as_ref());
            let agrees = owner.is_some_and(|owner| {
                (&owner.operator, &owner.desk, owner.grant) == (&granted.operator, desk, *grant)
            });
            if !agrees {
                let text = format!(
                    "{desk} counts grant {grant} of {:?} to {}, and the dialog does not",
                    granted.dialog, granted.operator
                );
                found.push(Violation::new("I4", text));
            }
        }
    }
    for (dialog, stands) in dialogs {
        let Some(owner) = &stands.owner else { continue };
        let granted = ends
            .get(&owner.desk)
            .and_then(|board| board.grants.get(&owner.grant));
        if granted.is_none_or(|granted| granted.dialog != Some(*dialog)) {
            let text = format!(
                "{} owns dialog {dialog}, and {} counts no slot for it",
                owner.operator, owner.desk
            );
            found.push(Violation::new("I4", text));
        }
    }
}
