//! What a desk promises (I5, I6), judged from what it shows and nothing else.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    clock::Timestamp,
    ids::{DialogId, Participant, QueueId, StaffId},
    queue::{Assignment, BoardEvent, DeskState, OperatorStatus, Presence, WaitingView},
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
