//! What is said and written down.

use super::*;

#[test]
fn messages_are_changed_by_their_author_while_they_are_new() {
    let (mut world, d, epoch) = World::in_phase(Phase::Assigned);
    let olga = operator("olga");
    world.ok(&customer(), &says(d, "first", None));
    let theirs = world.head(d);
    world.ok(&olga, &says(d, "answer", Some(epoch)));
    let own = world.head(d);
    let edit = |message, owner_epoch| Cmd::Edit {
        dialog: d,
        message,
        body: text("x"),
        owner_epoch,
    };
    let delete = |message, owner_epoch| Cmd::Delete {
        dialog: d,
        message,
        owner_epoch,
    };
    assert_eq!(
        world.no(&olga, &edit(theirs, Some(epoch))),
        Rejection::NotYours
    );
    assert_eq!(
        world.no(&customer(), &delete(own, None)),
        Rejection::NotYours
    );
    world.ok(&olga, &edit(own, Some(epoch)));
    world.ok(&operator("chief"), &delete(own, None));
    assert_eq!(world.no(&olga, &edit(own, Some(epoch))), Rejection::Deleted);
    world.ok(
        &olga,
        &Cmd::Note {
            dialog: d,
            body: text("note"),
        },
    );
    let note = world.head(d);
    let hidden = world.no(&olga, &edit(note, Some(epoch)));
    assert_eq!(hidden, Rejection::UnknownMessage, "a note is no message");
    for _ in 0..limits::EDITABLE_MAX {
        world.ok(&customer(), &says(d, "more", None));
    }
    assert_eq!(
        world.no(&customer(), &edit(theirs, None)),
        Rejection::UnknownMessage
    );
    assert_eq!(
        world.no(&operator("chief"), &delete(theirs, None)),
        Rejection::UnknownMessage
    );
}

#[test]
fn messages_with_a_part_of_what_was_taken_out_go_with_the_message() {
    let (mut world, d, epoch) = World::in_phase(Phase::Assigned);
    let say = |world: &mut World, author: &Participant, epoch| {
        world.ok(author, &says(d, "part", epoch));
        world.head(d)
    };
    let first = say(&mut world, &customer(), None);
    let second = say(&mut world, &customer(), None);
    let theirs = say(&mut world, &operator("olga"), Some(epoch));
    // One that is not theirs, one that is gone by then, and one that never was, are passed over.
    world.withdraw = vec![first, theirs, first, Seq(999)];
    let third = say(&mut world, &customer(), None);
    assert_eq!(third.0, theirs.0 + 2, "one is withdrawn, then it is said");
    world.withdraw = Vec::new();
    let delete = |message| Cmd::Delete {
        dialog: d,
        message,
        owner_epoch: None,
    };
    assert_eq!(world.no(&customer(), &delete(first)), Rejection::Deleted);
    world.ok(&customer(), &delete(second));
}

#[test]
fn an_answer_is_to_something_that_was_said() {
    let (mut world, d, _) = World::in_phase(Phase::Bot);
    let answer = |seq| {
        Cmd::Message(Message {
            dialog: d,
            body: text("re"),
            reply_to: Some(seq),
            owner_epoch: None,
        })
    };
    let head = world.head(d);
    assert_eq!(
        world.no(&customer(), &answer(Seq(0))),
        Rejection::UnknownMessage
    );
    assert_eq!(
        world.no(&customer(), &answer(head.next())),
        Rejection::UnknownMessage
    );
    world.ok(&customer(), &answer(head));
}

#[test]
fn what_is_too_long_or_too_much_is_rejected_with_the_limit() {
    let (mut world, d, epoch) = World::in_phase(Phase::Bot);
    let mut long = text("x");
    long.chars = 4_001;
    let mut heavy = text("x");
    heavy.bytes = vec![0; limits::SEALED_BYTES_MAX + 1].into();
    for (body, limit) in [(long, 4_000), (heavy, 33_792)] {
        let message = Cmd::Message(Message {
            dialog: d,
            body,
            reply_to: None,
            owner_epoch: None,
        });
        assert_eq!(
            world.no(&customer(), &message),
            Rejection::TooLong { limit }
        );
    }
    let seen = world.head(d);
    let many = Cmd::BotAnswer {
        dialog: d,
        seen,
        owner_epoch: epoch,
        replies: vec![text("x"); 9],
        hand_over: None,
    };
    assert_eq!(world.no(&BOT, &many), Rejection::TooMany { limit: 8 });
    let tags = (0..21)
        .map(|n| Label::try_new(format!("t{n}")).unwrap())
        .collect();
    let many = world.no(&operator("chief"), &Cmd::SetTags { dialog: d, tags });
    assert_eq!(many, Rejection::TooMany { limit: 20 });
}

#[test]
fn cursors_only_grow_and_never_pass_the_head() {
    let (mut world, d, _) = World::in_phase(Phase::Assigned);
    let head = world.head(d);
    let cursor = |delivered, read| Cmd::Cursor {
        dialog: d,
        delivered,
        read,
    };
    world.ok(&customer(), &cursor(Seq(99), Seq(2)));
    world.ok(&operator("olga"), &cursor(Seq(1), Seq(99)));
    let moved = |participant, delivered, read| CursorMove {
        dialog: d,
        participant,
        delivered,
        read,
    };
    let expected = [
        moved(customer(), head, Seq(2)),
        moved(operator("olga"), Seq(1), Seq(1)),
    ];
    assert_eq!(world.state.cursors(d), expected);
    let back = world.ok(&customer(), &cursor(Seq(1), Seq(1)));
    assert_eq!(back, Decided::accepted(Some(d)));
    assert_eq!(world.state.cursors(d), expected);
    world.state.apply_cursor(&moved(customer(), Seq(1), Seq(1)));
    assert_eq!(world.state.cursors(d), expected, "an old move came late");
    let stranger = world.no(&operator("igor"), &cursor(Seq(1), Seq(1)));
    assert_eq!(
        stranger,
        Rejection::NotOwner {
            by: Some(staff("olga"))
        }
    );
}

#[test]
fn only_the_newest_incidents_and_the_cursors_of_those_ahead_are_remembered() {
    let (mut world, d, _) = World::in_phase(Phase::Assigned);
    for n in 0..=limits::INCIDENTS_MAX {
        let incident = Label::try_new(format!("i{n}")).unwrap();
        world.ok(
            &SYSTEM,
            &Cmd::Emergency {
                dialog: None,
                incident,
                body: text("down"),
            },
        );
    }
    let dialog = world.state.dialog(d).unwrap();
    assert_eq!(dialog.incidents.len(), limits::INCIDENTS_MAX);
    assert_eq!(dialog.incidents[0], label("i1"));

    let cursor = |n| Cmd::Cursor {
        dialog: d,
        delivered: Seq(n),
        read: Seq(n),
    };
    world.ok(&customer(), &cursor(1));
    world.ok(&operator("olga"), &cursor(1));
    for n in 0..=limits::CURSORS_MAX as u64 {
        let id = StaffId::try_new(format!("boss{n}")).unwrap();
        world.supervisors.push(id.clone());
        world.ok(&Participant::Staff(id), &cursor(2 + n % 3));
    }
    let kept = world.state.cursors(d);
    assert_eq!(kept.len(), limits::CURSORS_MAX);
    for who in [customer(), operator("olga")] {
        assert!(kept.iter().any(|moved| moved.participant == who), "{who:?}");
    }
}

#[test]
fn what_staff_write_down_is_hidden_from_the_customer() {
    let (mut world, d, epoch) = World::in_phase(Phase::Assigned);
    let olga = operator("olga");
    let tags = [label("fraud")].into();
    let topic = Some(label("cards"));
    let hidden = [
        (
            olga.clone(),
            Cmd::Note {
                dialog: d,
                body: text("n"),
            },
        ),
        (olga.clone(), Cmd::SetTags { dialog: d, tags }),
        (olga.clone(), Cmd::SetTopic { dialog: d, topic }),
        (
            SYSTEM,
            Cmd::Link {
                other: CustomerId::literal("tg-1"),
            },
        ),
    ];
    for (author, command) in hidden {
        let decided = world.ok(&author, &command);
        let seen = CustomerState::visibility(&decided.events[0].1);
        assert_eq!(seen, Visibility::Staff, "{command:?}");
    }
    let shown = world.ok(
        &olga,
        &Cmd::Hold {
            dialog: d,
            owner_epoch: epoch,
        },
    );
    assert_eq!(
        CustomerState::visibility(&shown.events[0].1),
        Visibility::Everyone
    );
    let opened = &world.log[0].events;
    let sees = |n: usize| opened[n].1.visibility;
    assert_eq!(
        (sees(0), sees(1)),
        (Visibility::Everyone, Visibility::Staff)
    );
    let same: std::collections::BTreeSet<_> = [label("fraud")].into();
    let again = world.ok(
        &olga,
        &Cmd::SetTags {
            dialog: d,
            tags: same,
        },
    );
    assert_eq!(again, Decided::accepted(Some(d)));
}
