//! How a dialog that has settled leaves the live view.

use super::*;
use crate::dialog::{Due, limits::LEAVING_MAX};

/// Closes a dialog and lets its window end; answers its last event.
fn settles(world: &mut World, dialog: DialogId) -> Position {
    let due = world.state.due();
    let due = due
        .into_iter()
        .find(|due| due.key == CustomerTimer::ReopenEnds(dialog));
    let Due {
        key,
        at,
        generation,
    } = due.expect("it is closed");
    let last = world.state.dialog(dialog).unwrap().position();
    world.at = world.at.max(at);
    world.ok(&SYSTEM, &Cmd::Timer { key, generation });
    last
}

#[test]
fn a_settled_dialog_is_kept_in_mind_until_the_archive_has_all_of_it() {
    let (mut world, dialog, _) = World::in_phase(Phase::Closed);
    world.ok(
        &customer(),
        &Cmd::Rate {
            dialog,
            score: 4,
            comment: None,
        },
    );
    let archived = |upto| Cmd::Archived { dialog, upto };
    let last = world.state.dialog(dialog).unwrap().position();
    assert_eq!(
        world.no(&SYSTEM, &archived(last)),
        Rejection::Void,
        "it may be reopened"
    );

    assert_eq!(settles(&mut world, dialog), last);
    assert_eq!(world.state.leaving().collect::<Vec<_>>(), [(dialog, last)]);
    let before_the_rating = Position {
        seq: Seq(last.seq.0 - 1),
        ..last
    };
    assert_eq!(
        world.no(&SYSTEM, &archived(before_the_rating)),
        Rejection::Void
    );
    let other_history = Position {
        hash: last.hash.then(Seq(1), b"other"),
        ..last
    };
    assert_eq!(world.no(&SYSTEM, &archived(other_history)), Rejection::Void);
    for nobody in [customer(), operator("chief"), Participant::Bot] {
        assert_eq!(world.no(&nobody, &archived(last)), Rejection::Forbidden);
    }
    assert_eq!(world.state.leaving().len(), 1);

    let forgets = world.ok(&SYSTEM, &archived(last));
    assert_eq!(forgets.forget, [StreamId::Dialog(dialog)]);
    assert_eq!(forgets.events, []);
    assert_eq!(world.state.leaving().len(), 0);
    assert_eq!(world.no(&SYSTEM, &archived(last)), Rejection::Void, "once");
}

#[test]
fn what_is_kept_in_mind_of_a_busy_customer_has_a_bound() {
    let mut world = World::new();
    let mut settled = Vec::new();
    for _ in 0..LEAVING_MAX + 3 {
        let dialog = world
            .ok(&customer(), &opens(true))
            .outcome
            .unwrap()
            .unwrap();
        let close = Cmd::Close {
            dialog,
            owner_epoch: None,
            outcome: label("done"),
        };
        world.ok(&customer(), &close);
        settled.push((dialog, settles(&mut world, dialog)));
    }
    // The oldest stay in the live view: nothing is forgotten that is not known.
    assert_eq!(world.state.leaving().collect::<Vec<_>>(), settled[3..]);
    let (dialog, upto) = settled[0];
    let late = Cmd::Archived { dialog, upto };
    assert_eq!(world.no(&SYSTEM, &late), Rejection::Void);
}
