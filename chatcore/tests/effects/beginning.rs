//! Where an effect begins, where it goes on, and what of `events` counts for it.

use chatcore::{
    dialog::Phase,
    error::ErrorKind,
    ids::{Fence, Offset, Participant},
    record::EventRecord,
};

use super::{Owner, Probe, message, ports, while_running};

#[tokio::test(start_paused = true)]
async fn what_a_former_owner_published_late_is_void_where_an_effect_begins() {
    let ports = ports();
    let mut former = Owner::new(&ports).await;
    let first = Probe::new([]);
    let mut owner = while_running(&ports, first.clone(), async {
        former
            .happens(Phase::Bot, message(Participant::Bot, "a"))
            .await;
        let mut owner = former.succeeded().await;
        owner
            .happens(Phase::Bot, message(Participant::Bot, "b"))
            .await;
        assert_eq!(first.saw(2).await, [1, 2]);
        owner
    })
    .await;
    // It decides the next command as well, on a former primary of the store.
    former.cause = owner.cause;
    let void = former.decides(Phase::Bot, message(Participant::Bot, "void"));
    former.publish_decision(&void).await;
    let second = Probe::new([]);
    while_running(&ports, second.clone(), async {
        owner
            .happens(Phase::Bot, message(Participant::Bot, "c"))
            .await;
        assert_eq!(second.saw(1).await, [3]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_effect_runs_in_order_and_goes_on_where_it_was() {
    let ports = ports();
    let mut owner = Owner::new(&ports).await;
    let probe = Probe::new([ErrorKind::Unavailable, ErrorKind::Overloaded]);
    while_running(&ports, probe.clone(), async {
        for i in 0..5 {
            owner
                .happens(Phase::Bot, message(Participant::Bot, &format!("m{i}")))
                .await;
        }
        assert_eq!(probe.saw(5).await, [1, 2, 3, 4, 5]);
    })
    .await;
    let second = Probe::new([]);
    while_running(&ports, second.clone(), async {
        owner
            .happens(Phase::Bot, message(Participant::Bot, "later"))
            .await;
        assert_eq!(
            second.saw(1).await,
            [6],
            "nothing that was done is done again"
        );
    })
    .await;
    assert!(ports.dead_letters.list(None, 10).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn decisions_of_a_former_owner_and_repeats_are_void() {
    let ports = ports();
    let mut owner = Owner::new(&ports).await;
    let probe = Probe::new([]);
    while_running(&ports, probe.clone(), async {
        let first = owner
            .happens(Phase::Bot, message(Participant::Bot, "a"))
            .await;
        owner.fence = Fence(9);
        owner.publish(&EventRecord::Owner { fence: Fence(9) }).await;
        let again = |fence| EventRecord::Decided {
            fence,
            decision: Box::new(first.clone()),
        };
        owner.publish(&again(Fence(9))).await;
        let mut late = first.clone();
        late.cause = Offset(7);
        let late = EventRecord::Decided {
            fence: Fence(1),
            decision: Box::new(late),
        };
        owner.publish(&late).await;
        owner
            .happens(Phase::Bot, message(Participant::Bot, "b"))
            .await;
        assert_eq!(probe.saw(2).await, [1, 2]);
    })
    .await;
}
