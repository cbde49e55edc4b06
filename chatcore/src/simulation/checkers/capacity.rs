//! I5: no operator is granted more than their capacity, but by a supervisor's audited override;
//! and a slot is free only once the dialog said so.

use std::collections::BTreeMap;

use super::{
    Violation,
    boards::{self, BoardStep},
};
use crate::{
    dialog::DialogEvent,
    ids::{DeskId, DialogId, GrantId, Offset, Participant, Partition, StreamId},
    queue::BoardEvent,
    record::{CommandId, Event},
    simulation::{history::History, truth::Truth},
};

/// Where the ownership that came of a grant ended.
type Ends = BTreeMap<(DeskId, GrantId), (Partition, Offset)>;

pub(super) fn check(_: &History, truth: &Truth) -> Vec<Violation> {
    let mut found = Vec::new();
    let ends = ends(truth);
    boards::walk(truth, |step| {
        let wrong = match step.event {
            BoardEvent::Granted { .. } => has_room(step),
            BoardEvent::Freed { grant, dialog } => was_freed(step, *grant, *dialog, &ends),
            BoardEvent::Refused { grant, .. } => match step.decision.id {
                CommandId::FollowUp { .. } => None,
                _ => Some(format!("grant {grant} was refused by nobody")),
            },
            _ => None,
        };
        if let Some(text) = wrong {
            let violation = Violation::new("I5", format!("{}: {text}", step.desk));
            found.push(violation.by(step.partition, step.decision.cause));
        }
    });
    found
}

fn has_room(step: &BoardStep<'_>) -> Option<String> {
    let BoardEvent::Granted {
        grant,
        operator,
        by,
        reason,
        ..
    } = step.event
    else {
        return None;
    };
    if reason.over_capacity && reason.how == "assigned" && matches!(by, Participant::Staff(_)) {
        return None;
    }
    let capacity = step.before.config.operators.get(operator)?.capacity;
    let used = boards::used(step.before, operator);
    (used >= usize::from(capacity))
        .then(|| format!("grant {grant} to {operator}, who had {used} of {capacity} already"))
}

fn was_freed(
    step: &BoardStep<'_>,
    grant: GrantId,
    dialog: DialogId,
    ends: &Ends,
) -> Option<String> {
    let CommandId::FollowUp {
        partition, offset, ..
    } = step.decision.id
    else {
        return Some(format!("grant {grant} was freed by nobody"));
    };
    let ended = ends.get(&(step.desk.clone(), grant));
    match ended {
        Some((source, cause)) if *source == partition && *cause <= offset => None,
        _ => Some(format!(
            "grant {grant} was freed while dialog {dialog} was owned by it"
        )),
    }
}

fn ends(truth: &Truth) -> Ends {
    let mut ends = Ends::new();
    let mut owned: BTreeMap<DialogId, (DeskId, GrantId)> = BTreeMap::new();
    for (partition, decision) in truth.decisions() {
        for appended in &decision.appended {
            let StreamId::Dialog(dialog) = appended.stream else {
                continue;
            };
            for event in &appended.events {
                let next = match &event.event {
                    Event::Dialog(DialogEvent::Assigned { desk, grant, .. }) => {
                        Some((desk.clone(), *grant))
                    }
                    Event::Dialog(
                        DialogEvent::Waiting { .. }
                        | DialogEvent::Closed { .. }
                        | DialogEvent::Reopened { .. },
                    ) => None,
                    _ => continue,
                };
                let before = match next {
                    Some(next) => owned.insert(dialog, next),
                    None => owned.remove(&dialog),
                };
                if let Some(before) = before {
                    ends.insert(before, (partition, decision.cause));
                }
            }
        }
    }
    ends
}
