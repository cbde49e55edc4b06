//! I6: in automatic queues, when all is quiet, no eligible operator is idle while an eligible
//! dialog waits; waiting dialogs are offered in their queue's order.

use std::cmp::Reverse;

use super::{
    Violation,
    boards::{self, BoardStep},
};
use crate::{
    clock::Timestamp,
    dialog::Granted,
    ids::{DialogId, Participant, QueueId, StaffId},
    queue::{Assignment, BoardEvent, OperatorStatus, Presence},
    routing::{Board, BoardWait},
    simulation::{history::History, truth::Truth},
};

pub(super) fn check(history: &History, truth: &Truth) -> Vec<Violation> {
    let mut found = Vec::new();
    let ends = boards::walk(truth, |step| {
        if let Err(text) = in_order(step) {
            let violation = Violation::new("I6", format!("{}: {text}", step.desk));
            found.push(violation.by(step.partition, step.decision.cause));
        }
    });
    if history.is_quiet() {
        for (desk, board) in &ends {
            for text in idle(board) {
                found.push(Violation::new("I6", format!("{desk}: {text}")));
            }
        }
    }
    found
}

fn is_automatic(board: &Board, queue: &QueueId) -> bool {
    let config = board.config.queues.get(queue);
    config.is_some_and(|config| config.assignment != Assignment::Manual)
}

/// The least is served first.
fn place(waits: &BoardWait) -> (Reverse<u16>, Timestamp, DialogId) {
    let wait = &waits.wait;
    let rank = u16::from(wait.priority) + u16::from(waits.boost);
    (Reverse(rank), wait.since, wait.dialog)
}

/// Whether the desk may give an operator a dialog of this queue by itself.
fn is_ready(board: &Board, operator: &StaffId, queue: &QueueId) -> bool {
    let Some(config) = board.config.operators.get(operator) else {
        return false;
    };
    let is_here = board.operators.get(operator).is_some_and(|one| {
        one.presence == Presence::Online && one.status == OperatorStatus::Available
    });
    is_here
        && config.queues.contains(queue)
        && boards::used(board, operator) < usize::from(config.capacity)
}

fn in_order(step: &BoardStep<'_>) -> Result<(), String> {
    let BoardEvent::Granted {
        what: Granted::Waiting { dialog, .. },
        operator,
        by: Participant::System,
        reason,
        ..
    } = step.event
    else {
        return Ok(());
    };
    if reason.how == "passed" {
        return Ok(());
    }
    let Some(given) = step.before.waiting.get(dialog) else {
        return Err(format!("dialog {dialog} was given, and did not wait"));
    };
    let queue = &given.wait.queue;
    if given.by_hand || !is_automatic(step.before, queue) {
        return Err(format!(
            "dialog {dialog} was given, and is to be taken by hand"
        ));
    }
    if !is_ready(step.before, operator, queue) {
        return Err(format!(
            "dialog {dialog} was given to {operator}, who was not ready"
        ));
    }
    let first = step
        .before
        .waiting
        .values()
        .filter(|waits| !waits.by_hand && waits.wait.queue == *queue)
        .min_by_key(|waits| place(waits));
    match first {
        Some(first) if first.wait.dialog != *dialog => Err(format!(
            "dialog {dialog} was given before {}, which was first in {queue}",
            first.wait.dialog
        )),
        _ => Ok(()),
    }
}

fn idle(board: &Board) -> Vec<String> {
    let mut idle = Vec::new();
    for waits in board.waiting.values() {
        let queue = &waits.wait.queue;
        if waits.by_hand || !is_automatic(board, queue) {
            continue;
        }
        let mut operators = board.config.operators.keys();
        if let Some(operator) = operators.find(|one| is_ready(board, one, queue)) {
            let dialog = waits.wait.dialog;
            idle.push(format!(
                "dialog {dialog} waits in {queue} while {operator} is idle"
            ));
        }
    }
    idle
}
