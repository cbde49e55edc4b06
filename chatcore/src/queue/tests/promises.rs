//! What a desk promises (I5, I6), judged from what it shows and nothing else.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    clock::Timestamp,
    ids::{DialogId, Participant, QueueId, StaffId},
    queue::{Assignment, BoardEvent, DeskState, OperatorStatus, Presence, WaitingView},
    routing::Board,
};

/// Before an event is applied: it does not pass over a dialog that its operator could serve, and
/// goes to one who may have it.
pub(super) fn check_event(state: &DeskState, event: &BoardEvent) {
    let BoardEvent::Granted {
        dialog,
        operator,
        by,
        reason,
        ..
    } = event
    else {
        return;
    };
    if !reason.over_capacity {
        let config = state.config().operators.get(operator);
        let capacity = config.map_or(0, |config| usize::from(config.capacity));
        assert!(used(state, operator) < capacity, "I5: {event:?}");
    }
    if *by == Participant::System && reason.how != "passed" {
        let waiting = state.waiting();
        let granted = waiting.iter().find(|one| Some(one.wait.dialog) == *dialog);
        let granted = granted.expect("an automatic grant is of a dialog that waits");
        let eligible = eligible(state);
        assert!(
            eligible[operator].contains(&granted.wait.queue),
            "{event:?}"
        );
        for other in automatic(state, &waiting) {
            let is_passed_over =
                order(other) < order(granted) && eligible[operator].contains(&other.wait.queue);
            assert!(!is_passed_over, "I6: {event:?} before {other:?}");
        }
    }
}

/// Before an event is applied: who is granted in turn had the first place in its line, and who
/// waits has the place that the desk shows.
pub(super) fn check_places(state: &DeskState, board: &Board, event: &BoardEvent) {
    let now = Timestamp(i64::MAX);
    let places = board.places(now);
    for one in state.waiting() {
        let place = places[&one.wait.dialog];
        assert_eq!(place.first, one.position, "{one:?}");
        assert!(place.last >= place.first, "{place:?}");
    }
    if let BoardEvent::Granted {
        dialog: Some(dialog),
        by: Participant::System,
        reason,
        ..
    } = event
        && reason.how != "passed"
    {
        let waiting = state.waiting();
        let granted = waiting.iter().find(|one| one.wait.dialog == *dialog);
        let queue = granted.map(|one| &one.wait.queue);
        // Nobody who was not before it in the line was promised less.
        let before = waiting.iter().filter(|one| {
            Some(&one.wait.queue) == queue
                && !one.by_hand
                && places[&one.wait.dialog].first < places[dialog].first
        });
        assert_eq!(before.count(), 0, "{event:?} was not the first in its line");
    }
}

/// After a command: nobody who could serve is idle while a dialog waits for them.
pub(super) fn check_quiet(state: &DeskState) {
    let eligible = eligible(state);
    let waiting = state.waiting();
    for one in automatic(state, &waiting) {
        for (operator, queues) in &eligible {
            let could = queues.contains(&one.wait.queue);
            assert!(!could, "I6: {operator} idles while {one:?} waits");
        }
    }
}

/// Operators who can be given dialogs automatically, with the queues that they serve.
fn eligible(state: &DeskState) -> BTreeMap<StaffId, BTreeSet<QueueId>> {
    let all = state.operators().into_iter();
    all.filter(|one| {
        one.presence == Presence::Online
            && one.status == OperatorStatus::Available
            && used(state, &one.operator) < usize::from(one.capacity)
    })
    .map(|one| (one.operator, one.queues))
    .collect()
}

fn used(state: &DeskState, operator: &StaffId) -> usize {
    let grants = state.grants();
    let used = grants
        .iter()
        .filter(|one| one.operator == *operator)
        .count();
    assert_eq!(
        u32::try_from(used).ok(),
        state.operator(operator).map(|one| one.used)
    );
    used
}

fn automatic<'a>(
    state: &'a DeskState,
    waiting: &'a [WaitingView],
) -> impl Iterator<Item = &'a WaitingView> {
    waiting.iter().filter(|one| {
        let config = state.config().queues.get(&one.wait.queue);
        !one.by_hand && config.is_some_and(|config| config.assignment != Assignment::Manual)
    })
}

fn order(one: &WaitingView) -> (Reverse<u32>, Timestamp, DialogId) {
    let priority = u32::from(one.wait.priority) + u32::from(one.boost);
    (Reverse(priority), one.wait.since, one.wait.dialog)
}
