//! Planted in what desks and dialogs decide.

use super::{
    planted::{Story, is_message, story},
    world::{PARTITIONS, World, anna, open_with, operator, say, to},
};
use crate::{
    clock::Timestamp,
    dialog::DialogEvent,
    ids::{Offset, OwnerEpoch},
    queue::{BoardEvent, OperatorStatus, Presence},
    record::{CommandId, Decision, Event, Verdict},
    simulation::{
        check,
        history::{Entry, History, What},
    },
};

#[test]
fn i4_two_owners_or_an_epoch_that_stands() {
    let is_assigned = |e: &Event<_>| matches!(e, Event::Dialog(DialogEvent::Assigned { .. }));
    let mut two = story();
    for event in two
        .with_event(is_assigned)
        .appended
        .iter_mut()
        .flat_map(|a| &mut a.events)
    {
        if let Event::Dialog(DialogEvent::Assigned { from, .. }) = &mut event.event {
            *from = Some(crate::ids::StaffId::try_new("petr").unwrap());
        }
    }
    two.turns_red("I4", "given to olga from");
    let mut stands = story();
    for event in stands
        .with_event(is_assigned)
        .appended
        .iter_mut()
        .flat_map(|a| &mut a.events)
    {
        if let Event::Dialog(DialogEvent::Assigned { epoch, .. }) = &mut event.event {
            *epoch = OwnerEpoch(1);
        }
    }
    stands.turns_red("I4", "epoch 1 after");
}

#[test]
fn i4_a_former_owner_who_is_obeyed_and_a_slot_that_the_dialog_does_not_know() {
    let is_assigned = |e: &Event<_>| matches!(e, Event::Dialog(DialogEvent::Assigned { .. }));
    let mut former = story();
    former.with_event(is_assigned).appended.clear();
    former.turns_red("I4", "was obeyed as the owner");
    let mut slot = story();
    slot.with_event(is_assigned).appended.clear();
    slot.turns_red("I4", "and the dialog does not");
    let mut owned = story();
    let is_granted = |e: &Event<_>| matches!(e, Event::Board(BoardEvent::Granted { .. }));
    owned.with_event(is_granted).appended.clear();
    owned.turns_red("I4", "counts no slot for it");
}

#[test]
fn i5_a_grant_past_the_capacity_and_a_slot_freed_too_early() {
    let mut full = story();
    let configured = |e: &Event<_>| matches!(e, Event::Board(BoardEvent::Configured(_)));
    for event in full
        .with_event(configured)
        .appended
        .iter_mut()
        .flat_map(|a| &mut a.events)
    {
        if let Event::Board(BoardEvent::Configured(config)) = &mut event.event {
            config
                .operators
                .values_mut()
                .for_each(|one| one.capacity = 1);
        }
    }
    full.turns_red("I5", "who had 1 of 1 already");
    let freed = |e: &Event<_>| matches!(e, Event::Board(BoardEvent::Freed { .. }));
    let mut early = story();
    if let CommandId::FollowUp { offset, .. } = &mut early.with_event(freed).id {
        *offset = Offset(0);
    }
    early.turns_red("I5", "was freed while");
    let mut nobody = story();
    nobody.with_event(freed).id = CommandId::Internal;
    nobody.turns_red("I5", "was freed by nobody");
}

#[test]
fn i6_a_dialog_that_waits_while_an_operator_is_idle_or_is_passed_over() {
    let is_granted = |e: &Event<_>| matches!(e, Event::Board(BoardEvent::Granted { .. }));
    let mut idle = story();
    for appended in &mut idle.with_event(is_granted).appended {
        appended.events.retain(|e| !is_granted(&e.event));
    }
    idle.turns_red("I6", "is idle");
    let mut passed = story();
    let waiting = |e: &Event<_>| matches!(e, Event::Board(BoardEvent::Waiting { .. }));
    let decision = passed.with_event(waiting);
    for appended in &mut decision.appended {
        let place = appended
            .events
            .iter()
            .position(|e| waiting(&e.event))
            .unwrap();
        let mut first = appended.events[place].clone();
        if let Event::Board(BoardEvent::Waiting { wait, .. }) = &mut first.event {
            wait.dialog.0 += 1_000;
            wait.since = Timestamp(0);
        }
        appended.events.insert(place, first);
    }
    passed.turns_red("I6", "which was first in");
}

#[test]
fn i6_an_operator_who_is_there_and_not_on_the_board() {
    let mut gone = story();
    let is_here = |e: &Event<_>| {
        matches!(
            e,
            Event::Board(BoardEvent::Operator {
                presence: Presence::Online,
                ..
            })
        )
    };
    for decision in gone.decisions() {
        for event in decision.appended.iter_mut().flat_map(|a| &mut a.events) {
            if is_here(&event.event)
                && let Event::Board(BoardEvent::Operator { presence, .. }) = &mut event.event
            {
                *presence = Presence::Lost;
            }
        }
    }
    gone.turns_red("I6", "and is connected");
    let mut left = story();
    let on = left.entries.iter().find(
        |e| matches!(&e.what, What::Connected { viewer, .. } if viewer.who == operator("olga")),
    );
    let bye = Entry {
        handed_at: None,
        what: What::Disconnected { code: None },
        ..on.unwrap().clone()
    };
    left.entries.push(bye);
    left.turns_red("I6", "and is not connected");
}

#[test]
fn timers_that_act_too_early() {
    let mut early = story();
    let status = |e: &Event<_>| {
        matches!(
            e,
            Event::Board(BoardEvent::Operator {
                status: OperatorStatus::Available,
                ..
            })
        )
    };
    for event in early
        .with_event(status)
        .appended
        .iter_mut()
        .flat_map(|a| &mut a.events)
    {
        if let Event::Board(BoardEvent::Operator { presence, .. }) = &mut event.event {
            *presence = Presence::Gone;
        }
    }
    early.turns_red("timers", "was gone while here");
}

#[test]
fn the_chain_that_is_broken_and_two_ways_to_decide() {
    let mut other = story();
    for event in other
        .with_event(is_message)
        .appended
        .iter_mut()
        .flat_map(|a| &mut a.events)
    {
        event.at = Timestamp(event.at.0 + 1);
    }
    other.turns_red("chain", "should be");
    let mut hole = story();
    hole.remove_decision(|d| {
        d.appended
            .iter()
            .flat_map(|a| &a.events)
            .any(|e| is_message(&e.event))
    });
    hole.turns_red("chain", "but the last is");
    let mut duel = story();
    let mut void = duel.with_event(is_message).clone();
    void.appended.clear();
    let partition = void.target.partition(PARTITIONS);
    let index = usize::try_from(partition.0).unwrap();
    duel.truth.partitions[index].void.push(void);
    duel.turns_red("chain", "decided in two ways");
    let mut unreadable = story();
    unreadable.truth.partitions[0].unreadable.push(Offset(3));
    unreadable.turns_red("chain", "can't be read");
}

#[test]
fn i10_a_poison_without_a_letter_and_a_parked_command_that_is_skipped() {
    let mut silent = story();
    assert_eq!(silent.truth.letters.len(), 1);
    silent.truth.letters.clear();
    silent.turns_red("I10", "is not among the dead letters");
    let mut changed = story();
    changed.truth.letters[0].record = bytes::Bytes::new();
    changed.turns_red("I10", "not as it was written");
    let mut skipped = story();
    let poison = skipped
        .decisions()
        .find(|d| matches!(d.verdict, Verdict::Decided(_)) && d.target == to(&anna()))
        .unwrap();
    let (cause, command) = (poison.cause, poison.clone());
    let partition = to(&anna()).partition(PARTITIONS);
    let record = skipped
        .truth
        .command(partition, cause)
        .unwrap()
        .record
        .clone()
        .unwrap();
    let place = skipped.decisions().find(|d| **d == command).unwrap();
    *place = Decision {
        verdict: Verdict::Parked {
            reason: crate::ids::Label::try_new("behind").unwrap(),
            command: Box::new(record),
        },
        appended: Vec::new(),
        ..command
    };
    skipped.turns_red("I10", "before it are parked");
}

#[test]
fn i10_a_parked_command_that_nobody_takes_up() {
    let mut stuck = story();
    let decision = stuck.with_event(is_message).clone();
    let partition = decision.target.partition(PARTITIONS);
    let record = stuck
        .truth
        .command(partition, decision.cause)
        .unwrap()
        .record
        .clone()
        .unwrap();
    let index = usize::try_from(partition.0).unwrap();
    stuck.truth.partitions[index].decisions.push(Decision {
        cause: Offset(1_000),
        verdict: Verdict::Parked {
            reason: crate::ids::Label::try_new("behind").unwrap(),
            command: Box::new(record),
        },
        appended: Vec::new(),
        ..decision
    });
    stuck.turns_red("I10", "nothing is before it");
}

#[test]
fn effects_a_turn_that_the_bot_never_takes() {
    let played = |answers: &[u64]| {
        let mut world = World::new();
        let mut tab = world.connect(&anna(), "tab", None);
        world.send(&tab, &to(&anna()), open_with(true));
        world.settle(&[&tab]);
        let (dialog, ..) = world.dialog_of(&anna()).unwrap();
        world.answer(&to(&anna()), dialog, 2);
        world.settle(&[&tab]);
        world.send(&tab, &to(&anna()), say(dialog, "hello", None));
        world.settle(&[&tab]);
        for seen in answers {
            world.answer(&to(&anna()), dialog, *seen);
        }
        world.settle(&[&tab]);
        world.show(&mut tab, 2);
        world.rest();
        Story {
            entries: world.history.entries().to_vec(),
            truth: world.truth(),
        }
    };
    let whole = played(&[4]);
    let history: History = whole.entries.into_iter().collect();
    assert_eq!(check(&history, &whole.truth), []);
    played(&[]).turns_red("effects", "never answered event 4");
    played(&[3]).turns_red("effects", "never answered event 4");
}
