//! Operators who come and vanish.

use std::time::Duration;

use super::desk::*;
use crate::{
    dialog::{CustomerCommand, Rejection},
    ids::{DialogId, OwnerEpoch, Participant},
    queue::{
        Assignment, BoardEvent, DeskCommand, DeskTimer, OperatorStatus, Presence, limits::NODES_MAX,
    },
};

#[test]
fn presence_is_a_set_of_nodes() {
    let mut desk = Desk::with(Assignment::Manual);
    let presence = |desk: &Desk| desk.state.operator(&staff("a")).unwrap().presence;
    desk.system(came("a", 2));
    assert!(desk.system(came("a", 2)).events.is_empty());
    desk.system(lost("a", 1));
    assert_eq!(presence(&desk), Presence::Online);
    assert!(desk.system(lost("a", 1)).events.is_empty());
    assert!(desk.state.due_of(&DeskTimer::Grace(staff("a"))).is_none());
    desk.system(lost("a", 2));
    assert_eq!(presence(&desk), Presence::Lost);
    desk.at.0 += 10;
    desk.system(came("a", 3));
    let back = desk.state.operator(&staff("a")).unwrap();
    assert_eq!(
        (back.presence, back.status),
        (Presence::Online, OperatorStatus::Available)
    );
    for n in 0..2 * NODES_MAX {
        desk.system(came("a", u64::try_from(n).unwrap()));
    }
    assert_eq!(
        desk.state
            .core
            .operators
            .get(&staff("a"))
            .unwrap()
            .nodes
            .len(),
        NODES_MAX
    );
}

#[test]
fn whoever_stays_away_longer_than_the_grace_loses_their_dialogs() {
    let mut desk = Desk::with(Assignment::Manual);
    let first = desk.owned(1, "a");
    desk.system(DeskCommand::Wait(wait(2, 1)));
    let second = grants_sent(&desk.ok("a", take(2)))[0].grant;
    desk.system(lost("a", 1));
    let due = desk.state.due_of(&DeskTimer::Grace(staff("a"))).unwrap();
    let early = DeskCommand::Timer {
        key: due.key.clone(),
        generation: due.generation,
    };
    desk.supervisor(status("a", OperatorStatus::Busy)).unwrap();
    assert_eq!(
        desk.state.due_of(&due.key),
        Some(due),
        "the grace runs from where it began"
    );
    let decided = desk.run(Participant::System, false, &early);
    assert_eq!(decided.outcome, Err(Rejection::Void));

    let decided = desk.fire(DeskTimer::Grace(staff("a")));
    let lost = |grant, dialog, epoch| CustomerCommand::OwnerLost {
        desk: desk.state.desk().clone(),
        dialog: DialogId(dialog),
        grant,
        epoch: OwnerEpoch(epoch),
    };
    assert_eq!(to_customers(&decided.follow_ups), [&lost(first, 1, 2)]);
    let gone = desk.state.operator(&staff("a")).unwrap();
    assert_eq!(
        (gone.presence, gone.status, gone.used),
        (Presence::Gone, OperatorStatus::Away, 2)
    );
    let expected = lost(second, 2, 2);
    let decided = desk.system(held(second, 2, 2));
    assert_eq!(
        to_customers(&decided.follow_ups),
        [&expected],
        "told once it is answered"
    );
}

#[test]
fn a_grace_that_was_ended_by_coming_back_does_not_fire() {
    let mut desk = Desk::with(Assignment::Manual);
    desk.system(lost("a", 1));
    let key = DeskTimer::Grace(staff("a"));
    let generation = desk.state.due_of(&key).unwrap().generation;
    desk.system(came("a", 1));
    desk.system(lost("a", 1));
    desk.at = desk.at.plus(std::time::Duration::from_millis(2 * GRACE_MS));
    let stale = DeskCommand::Timer { key, generation };
    assert_eq!(
        desk.run(Participant::System, false, &stale).outcome,
        Err(Rejection::Void)
    );
}

#[test]
fn whoever_came_before_the_rules_named_them_is_served_once_they_do() {
    let mut desk = Desk::with(Assignment::LongestFree);
    desk.system(came("new", 1));
    let away = status("new", OperatorStatus::Available);
    assert_eq!(
        desk.refused("new", away.clone()),
        Rejection::UnknownOperator
    );
    let mut with = config(Assignment::LongestFree);
    with.operators = [(staff("new"), with.operators[&staff("a")].clone())].into();
    desk.system(DeskCommand::Configure(with));
    desk.system(DeskCommand::Wait(wait(1, 1)));
    assert_eq!(grants_sent(&desk.ok("new", away))[0].operator, staff("new"));
}

#[test]
fn a_silence_of_the_journal_takes_nothing_from_a_grace() {
    let mut desk = Desk::with(Assignment::Manual);
    desk.system(lost("a", 1));
    let key = DeskTimer::Grace(staff("a"));
    let before = desk.state.due_of(&key).unwrap();
    let from = desk.at.plus(Duration::from_secs(10));
    let to = from.plus(Duration::from_secs(3_600));
    desk.at = to;
    let decided = desk.system(DeskCommand::Silence { from, to });
    assert_eq!(board(&decided), [&BoardEvent::Silence { from, to }]);
    let after = desk.state.due_of(&key).unwrap();
    assert_eq!(after.at, before.at.plus(Duration::from_secs(3_600)));
    let stale = DeskCommand::Timer {
        key: key.clone(),
        generation: before.generation,
    };
    let decided = desk.run(Participant::System, false, &stale);
    assert_eq!(decided.outcome, Err(Rejection::Void), "it was set anew");

    for _ in 0..3 {
        desk.system(DeskCommand::Silence { from, to });
    }
    let again = desk.state.due_of(&key).unwrap().at;
    assert!(
        again <= to.plus(Duration::from_millis(GRACE_MS)),
        "never more than a whole one"
    );
    desk.system(came("a", 1));
    let decided = desk.system(DeskCommand::Silence { from, to });
    assert_eq!(
        board(&decided),
        Vec::<&BoardEvent>::new(),
        "nobody is missing"
    );
}

#[test]
fn a_silence_before_a_grace_is_nothing_to_it() {
    let mut desk = Desk::with(Assignment::Manual);
    let (from, to) = (desk.at, desk.at.plus(Duration::from_secs(60)));
    desk.at = to;
    desk.system(lost("a", 1));
    let decided = desk.system(DeskCommand::Silence { from, to });
    assert_eq!(board(&decided), Vec::<&BoardEvent>::new());
}
