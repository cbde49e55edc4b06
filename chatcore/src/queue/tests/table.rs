//! Waiting, hands and presence: commands one by one.

use super::desk::*;
use crate::{
    dialog::{DialogSettings, Granted, Rejection},
    ids::{ChannelId, CustomerId, DialogId, GrantId, OwnerEpoch, Participant},
    queue::{
        Assignment, BoardEvent, DeskCommand, DeskTimer, OperatorStatus,
        limits::{LOST_BOOST, OPERATORS_MAX, QUEUES_MAX},
    },
};

#[test]
fn only_those_with_the_right_are_heard() {
    let mut desk = Desk::with(Assignment::Manual);
    desk.system(DeskCommand::Wait(wait(1, 1)));
    let system_only = [
        DeskCommand::Wait(wait(2, 1)),
        leave(1, 1),
        DeskCommand::Pass {
            wait: wait(2, 1),
            operator: staff("a"),
        },
        came("a", 2),
        lost("a", 1),
        held(GrantId(1), 1, 2),
        DeskCommand::Refused {
            grant: GrantId(1),
            reason: Rejection::Closed,
        },
        freed(1, GrantId(1)),
        DeskCommand::Confirmed {
            grant: GrantId(1),
            stands: false,
        },
        DeskCommand::Configure(config(Assignment::LongestFree)),
        DeskCommand::Timer {
            key: DeskTimer::Resend,
            generation: 1,
        },
    ];
    for command in system_only {
        assert_eq!(desk.refused("a", command.clone()), Rejection::Forbidden);
        assert_eq!(desk.supervisor(command), Err(Rejection::Forbidden));
    }
    let others = [Participant::System, Participant::Bot];
    for (author, command) in others.iter().flat_map(|author| {
        [
            take(1),
            assign(1, "a", false),
            status("a", OperatorStatus::Busy),
        ]
        .map(|command| (author.clone(), command))
    }) {
        let decided = desk.run(author, true, &command);
        assert_eq!(decided.outcome, Err(Rejection::Forbidden));
    }
    assert_eq!(
        desk.refused("a", assign(1, "a", false)),
        Rejection::Forbidden
    );
    let colleague = status("b", OperatorStatus::Away);
    assert_eq!(desk.refused("a", colleague.clone()), Rejection::Forbidden);
    desk.supervisor(colleague).unwrap();
}

#[test]
fn dialogs_wait_by_priority_and_then_by_time() {
    let mut desk = Desk::with(Assignment::Manual);
    for (dialog, priority, lost) in [(5, 0, false), (3, 0, false), (9, 10, false), (7, 0, true)] {
        let wait = crate::queue::Wait {
            priority,
            lost,
            ..wait(dialog, 1)
        };
        desk.system(DeskCommand::Wait(wait));
    }
    assert_eq!(desk.waiting(), [7, 9, 3, 5]);
    let first = &desk.state.waiting()[0];
    assert_eq!((first.boost, first.position), (LOST_BOOST, 1));
    assert_eq!(desk.state.snapshot().queues[1].waiting, 4);
}

#[test]
fn a_newer_wait_replaces_an_older_one_is_void() {
    let mut desk = Desk::with(Assignment::Manual);
    desk.system(DeskCommand::Wait(wait(1, 3)));
    assert!(desk.system(DeskCommand::Wait(wait(1, 3))).events.is_empty());
    let older = desk.run(Participant::System, false, &DeskCommand::Wait(wait(1, 1)));
    assert_eq!(older.outcome, Err(Rejection::Void));
    let elsewhere = crate::queue::Wait {
        queue: queue_id("other"),
        ..wait(1, 5)
    };
    desk.system(DeskCommand::Wait(elsewhere));
    assert_eq!(desk.waiting(), [1]);
    assert_eq!(desk.state.waiting()[0].wait.epoch, OwnerEpoch(5));
    desk.system(leave(1, 3));
    assert_eq!(desk.waiting(), [1], "an older epoch leaves nothing");
    desk.system(leave(1, 5));
    assert_eq!(desk.state.waiting_count(), 0);
    assert!(desk.system(leave(1, 5)).events.is_empty());
}

#[test]
fn a_queue_that_the_desk_does_not_have_is_served_by_hand_by_anybody() {
    let mut desk = Desk::with(Assignment::LongestFree);
    let strange = crate::queue::Wait {
        queue: queue_id("new"),
        ..wait(1, 1)
    };
    let decided = desk.system(DeskCommand::Wait(strange));
    assert!(grants_sent(&decided).is_empty());
    let queues = desk.state.snapshot().queues;
    assert_eq!((queues[0].queue.as_str(), queues[0].waiting), ("new", 1));
    desk.ok("a", take(1));
}

#[test]
fn an_operator_takes_what_waits() {
    let mut desk = Desk::with(Assignment::Manual);
    desk.system(DeskCommand::Wait(wait(1, 4)));
    let decided = desk.ok("a", take(1));
    assert_eq!(decided.outcome, Ok(Some(DialogId(1))));
    let sent = grants_sent(&decided);
    assert_eq!(
        (sent[0].operator.as_str(), sent[0].grant),
        ("a", GrantId(1))
    );
    let expected = Granted::Waiting {
        dialog: DialogId(1),
        expected_epoch: OwnerEpoch(4),
    };
    assert_eq!(sent[0].what, expected);
    assert!(desk.waiting().is_empty());
    assert_eq!(desk.used("a"), 1, "the slot counts from the grant");
    for other in ["a", "b"] {
        assert_eq!(
            desk.refused(other, take(1)),
            Rejection::AlreadyOwned { by: staff("a") }
        );
    }
    desk.system(held(GrantId(1), 1, 5));
    assert_eq!(
        desk.refused("b", take(1)),
        Rejection::AlreadyOwned { by: staff("a") }
    );
    assert_eq!(desk.refused("b", take(2)), Rejection::NotWaiting);
}

#[test]
fn taking_needs_a_known_operator_who_is_here_and_has_a_slot() {
    let mut desk = Desk::with(Assignment::Manual);
    for dialog in 1..=4 {
        desk.system(DeskCommand::Wait(wait(dialog, 1)));
    }
    desk.system(DeskCommand::Wait(crate::queue::Wait {
        queue: queue_id("other"),
        ..wait(5, 1)
    }));
    assert_eq!(desk.refused("nobody", take(1)), Rejection::UnknownOperator);
    assert_eq!(desk.refused("a", take(5)), Rejection::OtherQueue);
    desk.ok("a", status("a", OperatorStatus::Away));
    assert_eq!(desk.refused("a", take(1)), Rejection::Away);
    desk.ok("a", status("a", OperatorStatus::Busy));
    desk.ok("a", take(1));
    desk.ok("a", take(2));
    assert_eq!(desk.refused("a", take(3)), Rejection::Full { capacity: 2 });
    desk.system(lost("b", 1));
    assert_eq!(desk.refused("b", take(3)), Rejection::Away);
}

#[test]
fn a_supervisor_assigns_and_takes_over() {
    let mut desk = Desk::with(Assignment::Manual);
    desk.owned(1, "a");
    desk.owned(2, "a");
    desk.system(DeskCommand::Wait(wait(3, 1)));
    let full = Rejection::Full { capacity: 2 };
    assert_eq!(desk.supervisor(assign(3, "a", false)), Err(full));
    let decided = desk.supervisor(assign(3, "a", true)).unwrap();
    let [BoardEvent::Granted { reason, by, .. }] = board(&decided)[..] else {
        panic!("{decided:?}")
    };
    assert!(reason.over_capacity && reason.how == "assigned");
    assert_eq!(*by, Participant::Staff(staff("boss")));
    assert_eq!(desk.used("a"), 3);

    let owned = Rejection::AlreadyOwned { by: staff("a") };
    assert_eq!(
        desk.supervisor(assign(3, "b", false)),
        Err(owned.clone()),
        "not answered yet"
    );
    assert_eq!(desk.supervisor(assign(1, "a", true)), Err(owned), "has it");
    assert_eq!(
        desk.supervisor(assign(9, "b", false)),
        Err(Rejection::NotWaiting)
    );
    assert_eq!(
        desk.supervisor(assign(1, "x", false)),
        Err(Rejection::UnknownOperator)
    );
    let decided = desk.supervisor(assign(1, "b", true)).unwrap();
    let [BoardEvent::Granted { reason, .. }] = board(&decided)[..] else {
        panic!("{decided:?}")
    };
    assert!(!reason.over_capacity, "was not needed");
    let expected = Granted::TakeOver {
        dialog: DialogId(1),
        expected_epoch: OwnerEpoch(2),
    };
    assert_eq!(grants_sent(&decided)[0].what, expected);
    assert_eq!(
        (desk.used("a"), desk.used("b")),
        (3, 1),
        "the old slot until it is freed"
    );
}

#[test]
fn an_operator_begins_with_a_customer() {
    let mut desk = Desk::with(Assignment::Manual);
    let begin = |queue: &str| DeskCommand::Begin {
        customer: CustomerId::try_new("c1").unwrap(),
        channel: ChannelId::try_new("mobile").unwrap(),
        queue: queue_id(queue),
        settings: DialogSettings {
            priority: 7,
            ..DialogSettings::default()
        },
    };
    assert_eq!(desk.refused("a", begin("none")), Rejection::UnknownQueue);
    assert_eq!(desk.refused("a", begin("other")), Rejection::OtherQueue);
    let decided = desk.ok("a", begin("q"));
    let Granted::New { settings, .. } = &grants_sent(&decided)[0].what else {
        panic!()
    };
    assert_eq!((settings.queue.queue.as_str(), settings.priority), ("q", 7));
    assert_eq!(desk.used("a"), 1);
    desk.system(held(GrantId(1), 77, 1));
    assert_eq!(desk.state.grants()[0].dialog, Some(DialogId(77)));
    desk.ok("a", begin("q"));
    assert_eq!(
        desk.refused("a", begin("q")),
        Rejection::Full { capacity: 2 }
    );
}

#[test]
fn a_passed_dialog_goes_to_the_operator_or_waits() {
    let mut desk = Desk::with(Assignment::Manual);
    let pass = |dialog, operator: &str| DeskCommand::Pass {
        wait: wait(dialog, 3),
        operator: staff(operator),
    };
    desk.ok("b", status("b", OperatorStatus::Busy));
    assert_eq!(grants_sent(&desk.system(pass(1, "b"))).len(), 1);
    assert!(
        desk.system(pass(1, "b")).events.is_empty(),
        "the same again"
    );
    desk.system(lost("c", 1));
    for (dialog, operator) in [(2, "c"), (3, "nobody")] {
        assert!(grants_sent(&desk.system(pass(dialog, operator))).is_empty());
    }
    assert_eq!(desk.waiting(), [2, 3]);
}

#[test]
fn rules_change_and_have_limits() {
    let mut desk = Desk::with(Assignment::Manual);
    desk.owned(1, "a");
    assert!(
        desk.system(DeskCommand::Configure(config(Assignment::Manual)))
            .events
            .is_empty()
    );
    let mut without = config(Assignment::Manual);
    without.operators.remove(&staff("a"));
    without.operators.remove(&staff("b"));
    desk.system(DeskCommand::Configure(without.clone()));
    assert_eq!(desk.used("a"), 1, "keeps what they have");
    assert_eq!(desk.refused("a", take(1)), Rejection::UnknownOperator);
    desk.system(freed(1, GrantId(1)));
    desk.system(lost("b", 1));
    desk.fire(DeskTimer::Grace(staff("b")));
    assert!(
        desk.state.operator(&staff("b")).is_none(),
        "gone, and of no concern any more"
    );
    assert!(desk.state.operator(&staff("a")).is_some(), "still here");

    let mut large = without.clone();
    for n in 0..=OPERATORS_MAX {
        large
            .operators
            .insert(staff(&format!("o{n}")), Default::default());
    }
    let decided = desk.run(Participant::System, false, &DeskCommand::Configure(large));
    assert_eq!(decided.outcome, Err(Rejection::TooMany { limit: 5_000 }));
    for n in 0..=QUEUES_MAX {
        without
            .queues
            .insert(queue_id(&format!("q{n}")), Default::default());
    }
    let decided = desk.run(Participant::System, false, &DeskCommand::Configure(without));
    assert_eq!(decided.outcome, Err(Rejection::TooMany { limit: 500 }));
}

#[test]
fn a_log_replays_to_the_same_bytes() {
    let mut desk = Desk::with(Assignment::LongestFree);
    for dialog in 1..=8 {
        desk.system(DeskCommand::Wait(wait(dialog, 1)));
    }
    desk.system(held(GrantId(1), 1, 2));
    desk.system(lost("a", 1));
    desk.fire(DeskTimer::Grace(staff("a")));
    desk.fire(DeskTimer::Resend);
    desk.fire(DeskTimer::Reconcile);
    for cut in 0..=desk.log.len() {
        desk.assert_replays(cut);
    }
}
