//! Notes about the customer: beside every dialog, and longer than any of them.

use super::*;
use crate::{dialog::CustomerNote, routing::access::shows};

fn notes(dialog: DialogId, said: &str) -> Cmd {
    Cmd::NoteCustomer {
        dialog,
        body: text(said),
    }
}

fn removes(dialog: DialogId, note: u64) -> Cmd {
    Cmd::RemoveCustomerNote {
        dialog,
        note: NoteId(note),
    }
}

fn kept(world: &World) -> Vec<(u64, Sealed)> {
    let notes = world.state.notes();
    notes.map(|(id, note)| (id.0, note.body.clone())).collect()
}

/// Where a decision told something, and whether everything it told is for staff alone.
fn told_in(decided: &Decided) -> (Vec<StreamId>, bool) {
    let anna = crate::identity::Who::Customer(anna());
    let hidden = |event: &Event<Sealed>| !shows(&anna, CustomerState::visibility(event));
    let streams = decided.events.iter().map(|(stream, _)| stream.clone());
    let all_hidden = decided.events.iter().all(|(_, event)| hidden(event));
    (streams.collect(), all_hidden)
}

/// Olga has dialog 1; another one was begun by igor.
fn with_two() -> (World, DialogId, DialogId) {
    let (mut world, first, _) = World::in_phase(Phase::Assigned);
    let begun = world.ok(
        &SYSTEM,
        &Cmd::Grant(Grant {
            desk: desk("main"),
            grant: GrantId(2),
            what: Granted::New {
                channel: ChannelId::literal("mobile"),
                settings: DialogSettings::default(),
            },
            operator: staff("igor"),
        }),
    );
    let second = begun.outcome.unwrap().unwrap();
    (world, first, second)
}

#[test]
fn a_note_about_the_customer_is_told_beside_each_dialog_that_goes_on_and_never_to_the_customer() {
    let (mut world, first, second) = with_two();
    let decided = world.ok(&operator("olga"), &notes(first, "prefers calls"));
    let both = vec![StreamId::Dialog(first), StreamId::Dialog(second)];
    assert_eq!(told_in(&decided), (both.clone(), true));
    let decided = world.ok(&operator("igor"), &notes(second, "moved house"));
    let order = vec![both[1].clone(), both[0].clone()];
    assert_eq!(told_in(&decided), (order, true));
    let about = vec![(1, text("prefers calls")), (2, text("moved house"))];
    assert_eq!(kept(&world), about);
    let (_, CustomerNote { author, .. }) = world.state.notes().next().unwrap();
    assert_eq!(*author, operator("olga"));
}

#[test]
fn a_note_is_no_activity_of_the_dialogs_that_tell_it() {
    let (mut world, first, second) = with_two();
    let last = |world: &World, dialog| world.state.dialog(dialog).unwrap().last_activity();
    let before = (last(&world, first), last(&world, second));
    world.ok(&operator("olga"), &notes(first, "x"));
    assert_eq!((last(&world, first), last(&world, second)), before);
}

#[test]
fn notes_outlive_every_dialog_and_their_numbers_are_used_once() {
    let (mut world, dialog, epoch) = World::in_phase(Phase::Assigned);
    let olga = operator("olga");
    world.ok(&olga, &notes(dialog, "first"));
    world.ok(&olga, &notes(dialog, "second"));
    world.ok(&olga, &removes(dialog, 2));
    let close = Cmd::Close {
        dialog,
        owner_epoch: Some(epoch),
        outcome: label("solved"),
    };
    world.ok(&olga, &close);
    // Beside a dialog that has ended, for as long as it can be reopened.
    let decided = world.ok(&olga, &notes(dialog, "third"));
    assert_eq!(told_in(&decided), (vec![StreamId::Dialog(dialog)], true));
    let due = world.state.due().remove(0);
    world.at = due.at;
    let (key, generation) = (due.key, due.generation);
    world.ok(&SYSTEM, &Cmd::Timer { key, generation });
    assert_eq!(world.state.dialogs().count(), 0);
    assert_eq!(kept(&world), [(1, text("first")), (3, text("third"))]);
    assert_eq!(world.no(&olga, &notes(dialog, "late")), Rejection::NotFound);
}

#[test]
fn a_note_is_taken_away_by_its_author_or_a_supervisor() {
    let (mut world, first, second) = with_two();
    let (olga, igor, chief) = (operator("olga"), operator("igor"), operator("chief"));
    world.ok(&olga, &notes(first, "x"));
    assert_eq!(world.no(&igor, &removes(second, 1)), Rejection::NotYours);
    assert_eq!(
        world.no(&igor, &removes(first, 1)),
        Rejection::NotOwner {
            by: Some(staff("olga"))
        }
    );
    let decided = world.ok(&olga, &removes(first, 1));
    assert_eq!(told_in(&decided).0.len(), 2, "beside both");
    assert_eq!(
        world.no(&olga, &removes(first, 1)),
        Rejection::UnknownMessage
    );
    world.ok(&igor, &notes(second, "y"));
    world.ok(&chief, &removes(first, 2));
    assert_eq!(kept(&world), []);
}

#[test]
fn notes_are_few_and_short() {
    let (mut world, dialog, _) = World::in_phase(Phase::Assigned);
    let olga = operator("olga");
    let long = "x".repeat(limits::NOTE_CHARS_MAX + 1);
    let limit = u32::try_from(limits::NOTE_CHARS_MAX).unwrap();
    assert_eq!(
        world.no(&olga, &notes(dialog, &long)),
        Rejection::TooLong { limit }
    );
    for _ in 0..limits::NOTES_MAX {
        world.ok(&olga, &notes(dialog, &long[1..]));
    }
    let limit = u32::try_from(limits::NOTES_MAX).unwrap();
    assert_eq!(
        world.no(&olga, &notes(dialog, "one more")),
        Rejection::TooMany { limit }
    );
    world.ok(&olga, &removes(dialog, 1));
    world.ok(&olga, &notes(dialog, "one more"));
}
