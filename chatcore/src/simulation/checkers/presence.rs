//! What is known of operators' presence is so, and timers act when they are due: a grace that
//! ended too early takes dialogs from an operator who is there (I4, I6).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Violation,
    boards::{self, BoardStep},
    people::People,
};
use crate::{
    clock::Timestamp,
    dialog::DialogEvent,
    identity::Who,
    ids::{DeskId, DialogId, Participant, StaffId, StreamId},
    queue::{BoardEvent, Presence},
    record::Event,
    routing::Board,
    simulation::{history::History, truth::Truth},
};

pub(super) fn check(history: &History, truth: &Truth) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut lost: BTreeMap<(DeskId, StaffId), Timestamp> = BTreeMap::new();
    let ends = boards::walk(truth, |step| {
        if let Some(text) = early_grace(step, &mut lost) {
            let violation = Violation::new("timers", format!("{}: {text}", step.desk));
            found.push(violation.by(step.partition, step.decision.cause));
        }
    });
    early_wrap_ups(truth, &mut found);
    if history.is_quiet() {
        here(history, &ends, &mut found);
    }
    found
}

/// An operator who vanished is gone only once their grace has ended.
fn early_grace(
    step: &BoardStep<'_>,
    lost: &mut BTreeMap<(DeskId, StaffId), Timestamp>,
) -> Option<String> {
    let BoardEvent::Operator {
        operator, presence, ..
    } = step.event
    else {
        return None;
    };
    let key = (step.desk.clone(), operator.clone());
    match presence {
        Presence::Online => {
            lost.remove(&key);
            None
        }
        Presence::Lost => {
            lost.entry(key).or_insert(step.at);
            None
        }
        Presence::Gone => {
            let before = step.before.operators.get(operator).map(|one| one.presence);
            match (before, lost.remove(&key)) {
                (Some(Presence::Lost), Some(since)) => {
                    let had = step.at.since(since).as_millis();
                    let grace = step.before.config.grace_ms;
                    (had < u128::from(grace))
                        .then(|| format!("{operator} was gone after {had} ms of {grace}"))
                }
                (Some(Presence::Online), _) => Some(format!("{operator} was gone while here")),
                _ => None,
            }
        }
    }
}

/// A dialog is closed for its wrap-up only once that has taken too long.
fn early_wrap_ups(truth: &Truth, found: &mut Vec<Violation>) {
    #[derive(Default)]
    struct Wrapping {
        allowed_ms: u64,
        since: Option<Timestamp>,
    }
    let mut dialogs: BTreeMap<DialogId, Wrapping> = BTreeMap::new();
    for (partition, decision) in truth.decisions() {
        for appended in &decision.appended {
            let StreamId::Dialog(id) = appended.stream else {
                continue;
            };
            let dialog = dialogs.entry(id).or_default();
            for event in &appended.events {
                let Event::Dialog(what) = &event.event else {
                    continue;
                };
                match what {
                    DialogEvent::Ruled { settings } => dialog.allowed_ms = settings.wrap_up_ms,
                    DialogEvent::WrapUp => dialog.since = Some(event.at),
                    DialogEvent::Closed {
                        by: Participant::System,
                        outcome,
                        ..
                    } if outcome.as_str() == "wrap_up_timeout" => {
                        let had = dialog.since.take().map(|since| event.at.since(since));
                        if had.is_some_and(|had| had.as_millis() < u128::from(dialog.allowed_ms)) {
                            let text = format!("the wrap-up of dialog {id} was cut short");
                            let violation = Violation::new("timers", text);
                            found.push(violation.by(partition, decision.cause));
                        }
                    }
                    DialogEvent::Resumed
                    | DialogEvent::Closed { .. }
                    | DialogEvent::Waiting { .. }
                    | DialogEvent::Assigned { .. }
                    | DialogEvent::Reopened { .. } => dialog.since = None,
                    _ => {}
                }
            }
        }
    }
}

/// At rest those who are connected are here, and nobody else.
fn here(history: &History, ends: &BTreeMap<DeskId, Board>, found: &mut Vec<Violation>) {
    let people = People::of(history);
    let mut connected: BTreeSet<(&DeskId, &StaffId)> = BTreeSet::new();
    for (_, held) in people.at_end() {
        if let Who::Staff { id, desk, .. } = &held.viewer.who {
            connected.insert((desk, id));
        }
    }
    for (desk, board) in ends {
        for (operator, one) in &board.operators {
            let is_here = connected.remove(&(desk, operator));
            if is_here != (one.presence == Presence::Online) {
                let text = format!(
                    "{desk}: {operator} is {:?} on the board, and is{} connected",
                    one.presence,
                    if is_here { "" } else { " not" }
                );
                found.push(Violation::new("I6", text));
            }
        }
    }
    for (desk, operator) in connected {
        let text = format!("{desk}: {operator} is connected, and not on the board");
        found.push(Violation::new("I6", text));
    }
}
