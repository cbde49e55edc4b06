//! Automatic queues, and what becomes of grants: commands one by one.

use std::{collections::BTreeMap, sync::Arc};

use super::desk::*;
use crate::{
    dialog::{CustomerCommand, Rejection},
    ids::{DialogId, GrantId, Label, OwnerEpoch},
    queue::{
        Assignment, AssignmentPolicy, AssignmentReason, BoardEvent, Candidate, DeskCommand,
        DeskTimer, LONGEST_FREE, Offered, OperatorStatus, Policies,
        limits::{CONFIRM_MAX, MATCH_MAX, RESEND_MAX},
    },
};

fn reasons(events: &[&BoardEvent]) -> Vec<(String, AssignmentReason)> {
    let reason = |event: &&BoardEvent| match event {
        BoardEvent::Granted {
            operator, reason, ..
        } => Some((operator.to_string(), reason.clone())),
        _ => None,
    };
    events.iter().filter_map(reason).collect()
}

#[test]
fn the_longest_free_is_chosen_and_the_reason_kept() {
    let mut desk = Desk::with(Assignment::LongestFree);
    desk.ok("b", status("b", OperatorStatus::Busy));
    desk.at.0 += 1;
    let decided = desk.system(DeskCommand::Wait(wait(1, 1)));
    let (chosen, reason) = reasons(&board(&decided)).remove(0);
    assert_eq!((chosen.as_str(), reason.how.as_str()), ("a", LONGEST_FREE));
    assert_eq!(reason.next, [staff("c")]);
    assert_eq!(reason.refused, BTreeMap::from([("busy".to_owned(), 1)]));
    desk.at.0 += 1;
    let decided = desk.system(DeskCommand::Wait(wait(2, 1)));
    assert_eq!(
        reasons(&board(&decided))[0].0,
        "c",
        "being granted one starts the time anew"
    );
    desk.at.0 += 1;
    desk.ok("b", status("b", OperatorStatus::Available));
    desk.system(DeskCommand::Wait(wait(3, 1)));
    desk.system(DeskCommand::Wait(wait(4, 1)));
    assert_eq!(["a", "b", "c"].map(|one| desk.used(one)), [2, 0, 2]);
}

#[test]
fn the_least_loaded_is_chosen() {
    let mut desk = Desk::with(Assignment::LeastLoaded);
    for (dialog, chosen) in (1..).zip(["a", "b", "c", "a", "b", "c"]) {
        desk.at.0 += 1;
        let decided = desk.system(DeskCommand::Wait(wait(dialog, 1)));
        assert_eq!(reasons(&board(&decided))[0].0, chosen);
    }
    assert!(grants_sent(&desk.system(DeskCommand::Wait(wait(7, 1)))).is_empty());
    let decided = desk.system(freed(3, GrantId(3)));
    assert_eq!(reasons(&board(&decided))[0].0, "c");
    assert_eq!(
        reasons(&board(&decided))[0].1.refused,
        BTreeMap::from([("full".to_owned(), 2)])
    );
}

#[derive(Debug)]
struct Fixed(Vec<usize>);

impl AssignmentPolicy for Fixed {
    fn name(&self) -> &str {
        "fixed"
    }

    fn rank(&self, _: &Offered<'_>, _: &[Candidate<'_>]) -> Vec<usize> {
        self.0.clone()
    }
}

#[test]
fn a_custom_policy_chooses_and_nonsense_falls_back() {
    type Case = (
        Option<Vec<usize>>,
        &'static str,
        &'static [&'static str],
        bool,
    );
    let cases: [Case; 5] = [
        (Some(vec![2, 0]), "c", &["a"], false),
        (Some(vec![9, 1, 1, 0]), "b", &["a"], false),
        (Some(vec![]), "a", &["b", "c"], true),
        (Some(vec![3, usize::MAX]), "a", &["b", "c"], true),
        (None, "a", &["b", "c"], true),
    ];
    for (answer, chosen, next, fell_back) in cases {
        let mut desk = Desk::with(Assignment::Custom("fixed".to_owned()));
        if let Some(answer) = answer {
            desk.policies = Policies::default().with_policy(Arc::new(Fixed(answer)));
        }
        let decided = desk.system(DeskCommand::Wait(wait(1, 1)));
        let (operator, reason) = reasons(&board(&decided)).remove(0);
        assert_eq!(operator, chosen);
        assert_eq!(
            reason.next,
            next.iter().map(|one| staff(one)).collect::<Vec<_>>()
        );
        assert_eq!(reason.how, if fell_back { LONGEST_FREE } else { "fixed" });
        assert_eq!(reason.instead_of, fell_back.then(|| "fixed".to_owned()));
    }
}

#[test]
fn whoever_becomes_free_gets_the_first_in_order() {
    let mut desk = Desk::with(Assignment::LongestFree);
    for operator in ["a", "b", "c"] {
        desk.ok(operator, status(operator, OperatorStatus::Busy));
    }
    for (dialog, priority) in [(1, 0), (2, 0), (3, 5)] {
        desk.system(DeskCommand::Wait(crate::queue::Wait {
            priority,
            ..wait(dialog, 1)
        }));
    }
    let decided = desk.ok("b", status("b", OperatorStatus::Available));
    let expected = [3, 1].map(|dialog| format!("c{dialog}"));
    let sent: Vec<_> = decided
        .follow_ups
        .iter()
        .map(|one| one.target.to_string())
        .collect();
    assert_eq!(sent, expected.map(|one| format!("customer/{one}")));
    assert_eq!(desk.waiting(), [2]);
}

#[test]
fn one_step_grants_only_so_many_and_the_next_goes_on() {
    let mut desk = Desk::with(Assignment::Manual);
    let total = u64::try_from(MATCH_MAX).unwrap() + 10;
    for dialog in 1..=total {
        desk.system(DeskCommand::Wait(wait(dialog, 1)));
    }
    let mut large = config(Assignment::LongestFree);
    for one in large.operators.values_mut() {
        one.capacity = 1_000;
    }
    desk.unfinished = true;
    let decided = desk.system(DeskCommand::Configure(large));
    assert_eq!(grants_sent(&decided).len(), MATCH_MAX);
    desk.unfinished = false;
    let decided = desk.fire(DeskTimer::Match);
    assert_eq!(grants_sent(&decided).len(), 10);
    assert!(desk.state.due_of(&DeskTimer::Match).is_none());
    assert!(desk.waiting().is_empty());
}

#[test]
fn a_slot_is_free_once_the_grant_is_refused_or_freed_and_answers_may_come_again() {
    let mut desk = Desk::with(Assignment::Manual);
    let grant = desk.owned(1, "a");
    assert!(desk.system(held(grant, 1, 2)).events.is_empty());
    let late = DeskCommand::Refused {
        grant,
        reason: Rejection::Closed,
    };
    assert!(desk.system(late.clone()).events.is_empty(), "it is held");
    assert_eq!(desk.used("a"), 1);
    desk.system(freed(1, grant));
    assert_eq!(desk.used("a"), 0);
    for again in [freed(1, grant), late, held(grant, 1, 2)] {
        assert!(desk.system(again).events.is_empty());
    }
    desk.system(DeskCommand::Wait(wait(2, 1)));
    let grant = grants_sent(&desk.ok("a", take(2)))[0].grant;
    desk.system(freed(2, grant));
    assert_eq!(desk.used("a"), 0, "freed before held");
}

#[test]
fn a_dialog_that_is_held_by_an_unknown_grant_is_told_to_wait_again() {
    let mut desk = Desk::with(Assignment::Manual);
    let decided = desk.system(held(GrantId(9), 1, 4));
    let expected = CustomerCommand::OwnerLost {
        desk: desk.state.desk().clone(),
        dialog: DialogId(1),
        grant: GrantId(9),
        epoch: OwnerEpoch(4),
    };
    assert_eq!(to_customers(&decided.follow_ups), [&expected]);
    assert!(decided.events.is_empty());
}

#[test]
fn a_refused_dialog_that_moved_on_is_dropped_any_other_is_taken_by_hand() {
    let cases = [
        (
            Rejection::StaleEpoch {
                current: OwnerEpoch(3),
            },
            false,
        ),
        (Rejection::Closed, false),
        (Rejection::Unreadable, true),
        (Rejection::Forbidden, true),
    ];
    for (reason, back) in cases {
        let mut desk = Desk::with(Assignment::LongestFree);
        let grant = grants_sent(&desk.system(DeskCommand::Wait(wait(1, 1))))[0].grant;
        let code = Label::try_new(reason.code()).unwrap();
        let decided = desk.system(DeskCommand::Refused { grant, reason });
        assert_eq!(board(&decided)[0], &BoardEvent::Refused { grant, code });
        assert_eq!(desk.state.grants().len(), 0);
        assert_eq!(desk.waiting().len(), usize::from(back));
        if back {
            assert!(desk.state.waiting()[0].by_hand);
            desk.ok("b", take(1));
        }
    }
}

#[test]
fn a_dialog_that_left_while_its_grant_was_out_is_not_put_back() {
    let mut desk = Desk::with(Assignment::LongestFree);
    let grant = grants_sent(&desk.system(DeskCommand::Wait(wait(1, 1))))[0].grant;
    desk.system(leave(1, 1));
    desk.system(DeskCommand::Refused {
        grant,
        reason: Rejection::Unreadable,
    });
    assert!(desk.waiting().is_empty());
}

#[test]
fn a_dialog_that_waits_anew_while_an_old_grant_is_out_is_granted_anew() {
    let mut desk = Desk::with(Assignment::LongestFree);
    let old = grants_sent(&desk.system(DeskCommand::Wait(wait(1, 1))))[0].grant;
    assert!(desk.system(DeskCommand::Wait(wait(1, 1))).events.is_empty());
    let new = grants_sent(&desk.system(DeskCommand::Wait(wait(1, 3))))[0].grant;
    assert_eq!(
        desk.state.grants().len(),
        2,
        "both take their slots until answered"
    );
    let reason = Rejection::StaleEpoch {
        current: OwnerEpoch(3),
    };
    desk.system(DeskCommand::Refused { grant: old, reason });
    desk.system(held(new, 1, 4));
    assert_eq!(desk.state.grants().len(), 1);
}

#[test]
fn an_unanswered_grant_is_sent_again_and_never_timed_out() {
    let mut desk = Desk::with(Assignment::LongestFree);
    let sent = desk.system(DeskCommand::Wait(wait(1, 1)));
    for _ in 0..3 {
        let before = desk.at;
        let again = desk.fire(DeskTimer::Resend);
        assert_eq!(grants_sent(&again), grants_sent(&sent));
        assert!(desk.at >= before.plus(std::time::Duration::from_millis(RESEND_MS)));
        assert_eq!(desk.state.grants().len(), 1);
    }
    desk.system(held(GrantId(1), 1, 2));
    assert!(desk.state.due_of(&DeskTimer::Resend).is_none());
}

fn many_held(desk: &mut Desk, count: usize) {
    let mut large = config(Assignment::LongestFree);
    for one in large.operators.values_mut() {
        one.capacity = 1_000;
    }
    desk.system(DeskCommand::Configure(large));
    for dialog in 1..=u64::try_from(count).unwrap() {
        desk.system(DeskCommand::Wait(wait(dialog, 1)));
    }
}

#[test]
fn sending_again_and_asking_go_in_steps() {
    let mut desk = Desk::with(Assignment::Manual);
    many_held(&mut desk, RESEND_MAX + 1);
    assert_eq!(grants_sent(&desk.fire(DeskTimer::Resend)).len(), RESEND_MAX);
    assert_eq!(grants_sent(&desk.fire(DeskTimer::Resend)).len(), 1);
    let count = u64::try_from(CONFIRM_MAX + 1).unwrap();
    for n in 1..=count {
        desk.system(held(GrantId(n), n, 2));
    }
    assert_eq!(
        desk.fire(DeskTimer::Reconcile).follow_ups.len(),
        CONFIRM_MAX
    );
    let at = desk.at;
    assert_eq!(desk.fire(DeskTimer::Reconcile).follow_ups.len(), 1);
    assert_eq!(desk.at, at, "at once");
    assert_eq!(
        desk.fire(DeskTimer::Reconcile).follow_ups.len(),
        CONFIRM_MAX
    );
    assert!(
        desk.at >= at.plus(std::time::Duration::from_millis(RECONCILE_MS)),
        "a new round"
    );
}

#[test]
fn a_reconcile_repairs_only_what_stayed_unchanged_since_it_asked() {
    let mut desk = Desk::with(Assignment::Manual);
    let grant = desk.owned(1, "a");
    let no = |grant| DeskCommand::Confirmed {
        grant,
        stands: false,
    };
    assert!(
        desk.system(no(grant)).events.is_empty(),
        "was not asked about"
    );
    let decided = desk.fire(DeskTimer::Reconcile);
    assert!(matches!(
        to_customers(&decided.follow_ups)[..],
        [CustomerCommand::Confirm {
            epoch: OwnerEpoch(2),
            ..
        }]
    ));
    let later = desk.owned(2, "a");
    assert!(
        desk.system(no(later)).events.is_empty(),
        "held after the question"
    );
    assert!(
        desk.system(DeskCommand::Confirmed {
            grant,
            stands: true
        })
        .events
        .is_empty()
    );
    let decided = desk.system(no(grant));
    assert_eq!(board(&decided), [&BoardEvent::Repaired { grant }]);
    assert_eq!(desk.used("a"), 1);
    assert!(desk.system(no(grant)).events.is_empty(), "again");
}
