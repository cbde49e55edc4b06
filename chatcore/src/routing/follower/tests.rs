//! What the explorer does not reach: histories that differ, and stores that lost writes.

use super::*;
use crate::{
    clock::Timestamp,
    dialog::{DialogEvent, Phase},
    ids::{CustomerId, DeskId, DialogId, OwnerEpoch},
    record::{ChainHash, Event, Visibility},
};

fn anna() -> Who {
    Who::Customer(CustomerId::try_new("anna").unwrap())
}

fn access() -> Access {
    Access::Dialog {
        customer: CustomerId::try_new("anna").unwrap(),
        owner: None,
        epoch: OwnerEpoch(1),
        desk: DeskId::try_new("main").unwrap(),
        phase: Phase::Bot,
        last_owner: None,
    }
}

/// A position of the history `line`.
fn at(seq: u64, line: u64) -> Position {
    Position {
        seq: Seq(seq),
        hash: ChainHash(line * 1_000 + seq),
    }
}

fn opened(after: Position, upto: u64, line: u64) -> Arc<Opened> {
    let event = |seq| {
        Arc::new(StreamEvent {
            seq: Seq(seq),
            hash: at(seq, line).hash,
            at: Timestamp(0),
            visibility: Visibility::Everyone,
            event: Event::Dialog(DialogEvent::Held),
        })
    };
    Arc::new(Opened {
        after,
        events: (after.seq.0 + 1..=upto).map(event).collect(),
        access: Some(access()),
        bytes: 0,
        made: crate::routing::Made::default(),
    })
}

/// Live, with the first `seq` events of the first history.
fn live(seq: u64) -> Follower {
    let stream = StreamId::Dialog(DialogId(7));
    let (mut follower, _) = Follower::start(stream, Some(at(seq, 1)), FollowerLimits::default());
    let page = opened(at(seq, 1), seq, 1);
    let steps = follower.followed(&anna(), &page, at(seq, 1), Some(access()));
    assert!(steps.is_empty() && follower.is_live(), "{steps:?}");
    follower
}

fn starts_anew(steps: &[Step]) -> bool {
    matches!(steps, [Step::Follow { anew: true, .. }])
}

#[test]
fn a_lower_head_is_waited_for_and_then_believed() {
    let mut follower = live(5);
    assert!(matches!(follower.head(at(3, 1))[..], [Step::AwaitHead]));
    // What arrives meanwhile is kept.
    assert!(follower.frame(&anna(), &opened(at(5, 1), 6, 1)).is_empty());
    let steps = follower.head_settled(&anna(), at(6, 1));
    assert!(
        matches!(steps[..], [Step::Follow { anew: false, .. }]),
        "{steps:?}"
    );
    let page = opened(at(5, 1), 6, 1);
    let steps = follower.followed(&anna(), &page, at(6, 1), Some(access()));
    assert!(matches!(steps[..], [Step::LetOut(_)]), "{steps:?}");
    assert_eq!(follower.position(), at(6, 1));
    assert!(follower.is_live());
}

#[test]
fn a_head_that_stays_lower_is_another_history() {
    let mut follower = live(5);
    follower.head(at(3, 1));
    let steps = follower.head_settled(&anna(), at(4, 1));
    assert!(starts_anew(&steps), "{steps:?}");
    let steps = follower.followed(&anna(), &opened(at(0, 0), 4, 1), at(4, 1), Some(access()));
    let Some(Step::Reset { reason, .. }) = steps.first() else {
        panic!("{steps:?}");
    };
    assert_eq!(*reason, ResetReason::Mismatch);
    assert_eq!(follower.position(), at(4, 1));
}

#[test]
fn another_hash_at_the_same_head_is_another_history() {
    assert!(starts_anew(&live(5).head(at(5, 2))));
    assert!(live(5).head(at(5, 1)).is_empty());
}

#[test]
fn a_frame_of_another_history_is_not_let_out() {
    let mut follower = live(5);
    let steps = follower.frame(&anna(), &opened(at(5, 2), 6, 2));
    assert!(starts_anew(&steps), "{steps:?}");
    // Nor one that overlaps, nor a repeated one.
    let mut follower = live(5);
    assert!(starts_anew(
        &follower.frame(&anna(), &opened(at(3, 2), 6, 2))
    ));
    let mut follower = live(5);
    assert!(starts_anew(
        &follower.frame(&anna(), &opened(at(4, 2), 5, 2))
    ));
}

#[test]
fn a_page_of_another_history_is_not_let_out() {
    let mut follower = live(5);
    let steps = follower.frame(&anna(), &opened(at(7, 1), 8, 1));
    assert!(matches!(steps[..], [Step::Read { .. }]), "{steps:?}");
    let steps = follower.read(&anna(), &opened(at(5, 2), 7, 2));
    assert!(starts_anew(&steps), "{steps:?}");
}

#[test]
fn a_frame_that_overlaps_is_cut() {
    let mut follower = live(5);
    let steps = follower.frame(&anna(), &opened(at(3, 1), 7, 1));
    let [Step::LetOut(range)] = &steps[..] else {
        panic!("{steps:?}");
    };
    assert_eq!((range.after, range.upto), (at(5, 1), at(7, 1)));
    let seqs: Vec<u64> = range.events.iter().map(|e| e.seq.0).collect();
    assert_eq!(seqs, [6, 7]);
}

#[test]
fn a_frame_with_a_hole_in_it_is_not_believed() {
    let mut follower = live(5);
    let mut broken = (*opened(at(5, 1), 8, 1)).clone();
    broken.events.remove(1);
    assert!(follower.frame(&anna(), &Arc::new(broken)).is_empty());
    assert_eq!(follower.position(), at(5, 1));
}

#[test]
fn what_a_frame_told_of_and_the_store_does_not_have_is_waited_for() {
    let mut follower = live(5);
    follower.frame(&anna(), &opened(at(7, 1), 8, 1));
    let steps = follower.read(&anna(), &opened(at(5, 1), 5, 1));
    assert!(matches!(steps[..], [Step::AwaitHead]), "{steps:?}");
    // It was never decided: what the store has counts.
    let steps = follower.head_settled(&anna(), at(6, 1));
    assert!(
        matches!(steps[..], [Step::Follow { anew: false, .. }]),
        "{steps:?}"
    );
    follower.followed(&anna(), &opened(at(5, 1), 6, 1), at(6, 1), Some(access()));
    assert_eq!(follower.position(), at(6, 1));
    assert!(follower.is_live());
}

#[test]
fn arrivals_are_bounded_and_read_again() {
    let mut follower = live(0);
    let many = ARRIVALS_MAX as u64 + 10;
    follower.frame(&anna(), &opened(at(1, 1), 2, 1));
    for seq in 2..many {
        follower.frame(&anna(), &opened(at(seq, 1), seq + 1, 1));
    }
    assert!(follower.arrivals.len() <= ARRIVALS_MAX);
    let mut steps = follower.read(&anna(), &opened(at(0, 1), 1, 1));
    for _ in 0..10 {
        let Some(Step::Read { after, upto }) = steps.last() else {
            break;
        };
        let page = opened(at(after.0, 1), upto.0, 1);
        steps = follower.read(&anna(), &page);
    }
    assert_eq!(follower.position(), at(many, 1));
    assert!(follower.is_live());
}
