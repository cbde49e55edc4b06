//! Planted in what people send, hear and are shown.

use super::{
    planted::{is_client, is_dialog_range, is_message, story},
    world::{boris, desk},
};
use crate::{
    dialog::Rejection,
    ids::{Offset, StreamId},
    queue::BoardEvent,
    record::{ChainHash, CommandId, Decision, Event, Outcome, Reply, Verdict},
    simulation::history::{Entry, What},
};

#[test]
fn i1_an_accepted_command_that_is_lost() {
    let mut lost = story();
    lost.remove_decision(is_client);
    lost.turns_red("I1", "was never decided");
    let mut lost = story();
    for partition in &mut lost.truth.partitions {
        partition.commands.retain(|_, command| {
            let id = command.record.as_ref().map(|r| &r.id);
            !matches!(id, Some(CommandId::Client { n: 3, .. }))
        });
    }
    lost.turns_red("I1", "is not in the journal");
}

#[test]
fn i1_an_outcome_that_nobody_hears_or_that_is_another() {
    let is_heard = |what: &What| matches!(what, What::Heard { n: 3, .. });
    let mut silent = story();
    while silent.entries.iter().any(|e| is_heard(&e.what)) {
        silent.remove_entry(is_heard);
    }
    silent.turns_red("I1", "its author never heard");
    let mut other = story();
    if let What::Heard { reply, .. } = other.entry(is_heard) {
        *reply = Reply::Outcome(Outcome::Rejected(Rejection::Closed));
    }
    other.turns_red("I1", "and the journal has");
    let mut settled = story();
    if let What::Heard { reply, .. } = settled.entry(is_heard) {
        *reply = Reply::Settled;
    }
    settled.turns_red("I1", "never acknowledged");
    let mut conflict = story();
    if let What::Heard { reply, .. } = conflict.entry(is_heard) {
        *reply = Reply::Outcome(Outcome::Rejected(Rejection::IdConflict));
    }
    conflict.turns_red("I1", "told to conflict");
}

#[test]
fn i1_a_follow_up_that_is_lost() {
    let mut lost = story();
    for partition in &mut lost.truth.partitions {
        let is_follow_up = |c: &crate::simulation::WrittenCommand| {
            matches!(
                c.record.as_ref().map(|r| &r.id),
                Some(CommandId::FollowUp { .. })
            )
        };
        partition
            .commands
            .retain(|_, command| !is_follow_up(command));
        partition
            .decisions
            .retain(|d| !matches!(d.id, CommandId::FollowUp { .. }));
    }
    lost.turns_red("I1", "a follow-up to");
}

#[test]
fn i1_a_decision_of_nothing_and_an_acceptance_of_nothing() {
    let mut made_up = story();
    made_up.with_event(is_message).digest += 1;
    made_up.turns_red("I1", "of no such command");
    let mut empty = story();
    empty.with_event(is_message).appended.clear();
    empty.turns_red("I1", "without that event");
    let mut rejected = story();
    rejected.with_event(is_message).verdict =
        Verdict::Decided(Outcome::Rejected(Rejection::Closed));
    rejected.turns_red("I1", "was rejected and done");
}

#[test]
fn i2_a_repeat_that_is_done_again_or_told_otherwise() {
    let mut again = story();
    let done = again.with_event(is_message).clone();
    let is_repeat = |d: &&mut Decision| matches!(d.verdict, Verdict::Repeated(_));
    let repeat = again.decisions().find(is_repeat).unwrap();
    repeat.verdict = done.verdict;
    again.turns_red("I2", "was done twice");
    let mut otherwise = story();
    let repeat = otherwise.decisions().find(is_repeat).unwrap();
    repeat.verdict = Verdict::Repeated(Reply::Outcome(Outcome::Rejected(Rejection::Closed)));
    otherwise.turns_red("I2", "instead of");
    let mut heard = story();
    let index = heard
        .entries
        .iter()
        .rposition(|e| matches!(e.what, What::Heard { .. }))
        .unwrap();
    let mut second = heard.entries[index].clone();
    if let What::Heard { reply, .. } = &mut second.what {
        *reply = Reply::Outcome(Outcome::Rejected(Rejection::Closed));
    }
    heard.entries.insert(index, second);
    heard.turns_red("I2", "and later");
}

#[test]
fn i2_a_follow_up_that_is_done_twice() {
    let mut twice = story();
    let is_held = |d: &&Decision| {
        let board = |e: &Event<_>| matches!(e, Event::Board(BoardEvent::Held { .. }));
        d.appended
            .iter()
            .flat_map(|a| &a.events)
            .any(|e| board(&e.event))
    };
    for partition in &mut twice.truth.partitions {
        let held = partition.decisions.iter().find(is_held).cloned();
        if let Some(mut held) = held {
            held.appended.clear();
            held.cause = Offset(1_000);
            partition.decisions.push(held);
        }
    }
    twice.turns_red("I2", "was done twice");
}

#[test]
fn i3_a_range_that_is_lost_shown_twice_or_put_out_of_order() {
    let mut hole = story();
    let index = hole
        .entries
        .iter()
        .position(|e| is_dialog_range(&e.what))
        .unwrap();
    let first = hole.entries.remove(index);
    hole.turns_red("I3", "was shown from");
    let mut twice = story();
    twice.entries.insert(index, first.clone());
    twice.turns_red("I3", "was shown from");
    let mut unstarted = story();
    unstarted.remove_entry(|w| {
        matches!(
            w,
            What::Reset {
                stream: StreamId::Dialog(_),
                ..
            }
        )
    });
    unstarted.turns_red("I3", "before it started");
}

#[test]
fn i3_an_event_that_is_missing_hidden_or_changed() {
    let with_two = |what: &What| matches!(what, What::Shown { events, .. } if events.len() == 2);
    let mut missing = story();
    if let What::Shown { events, .. } = missing.entry(with_two) {
        events.remove(0);
    }
    missing.turns_red("I3", "is visible, shown was");
    let mut hidden = story();
    let noted = |what: &What| {
        matches!(what, What::Shown { events, after, upto, .. }
            if events.len() < usize::try_from(upto.seq.0 - after.seq.0).unwrap())
    };
    if let What::Shown { events, after, .. } = hidden.entry(noted) {
        let mut leaked = events.pop().unwrap_or(crate::simulation::ShownEvent {
            seq: after.seq,
            hash: after.hash,
            digest: 1,
        });
        leaked.seq = leaked.seq.next();
        events.push(leaked);
    }
    hidden.turns_red("I3", "is visible, shown was");
    let mut changed = story();
    if let What::Shown { events, .. } = changed.entry(is_dialog_range) {
        for event in events {
            event.digest += 1;
        }
    }
    changed.turns_red("I3", "was shown otherwise");
    let mut forged = story();
    if let What::Shown { upto, .. } = forged.entry(is_dialog_range) {
        upto.hash = ChainHash(1);
    }
    forged.turns_red("I3", "which the journal does not have");
}

#[test]
fn i3_a_stream_that_starts_anew_over_differing_histories() {
    let mut differs = story();
    if let What::Reset { reason, .. } = differs.entry(|w| matches!(w, What::Reset { .. })) {
        "mismatch".clone_into(reason);
    }
    differs.turns_red("I3", "histories differ");
}

#[test]
fn i9_a_dialog_shown_to_another() {
    let mut leaked = story();
    let of_anna = leaked
        .entries
        .iter()
        .position(|e| {
            matches!(
                e.what,
                What::Reset {
                    stream: StreamId::Dialog(_),
                    ..
                }
            )
        })
        .unwrap();
    let of_boris = leaked
        .entries
        .iter()
        .find(|e| matches!(&e.what, What::Connected { viewer, .. } if viewer.who == boris()))
        .unwrap()
        .on
        .clone();
    let entries: Vec<Entry> = leaked.entries[of_anna..of_anna + 2]
        .iter()
        .cloned()
        .map(|e| Entry {
            handed_at: None,
            on: of_boris.clone(),
            ..e
        })
        .collect();
    leaked.entries.extend(entries);
    leaked.turns_red("I9", "was shown to");
}

#[test]
fn i7_a_view_that_stays_behind_or_never_begins() {
    let mut behind = story();
    behind.remove_entry(is_dialog_range);
    behind.turns_red("I7", "it is at");
    let mut never = story();
    never.entries.retain(|e| match &e.what {
        What::Reset { stream, .. } | What::Shown { stream, .. } => {
            *stream != StreamId::Board(desk())
        }
        _ => true,
    });
    never.turns_red("I7", "does not see board/main");
}
