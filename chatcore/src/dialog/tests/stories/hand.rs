//! Who has a dialog.

use super::*;

#[test]
fn a_bot_cannot_speak_after_the_hand_over_nor_twice_nor_to_what_it_has_not_seen() {
    let (mut world, d, epoch) = World::in_phase(Phase::Bot);
    world.ok(&customer(), &says(d, "one", None));
    let one = world.head(d);
    world.ok(&customer(), &says(d, "two", None));
    let two = world.head(d);
    let stale = Rejection::Stale { head: two };
    assert_eq!(world.no(&BOT, &answers(d, one, epoch, false)), stale);
    let future = answers(d, two.next(), epoch, false);
    assert_eq!(world.no(&BOT, &future), stale);
    world.ok(&BOT, &answers(d, two, epoch, false));
    let again = world.no(&BOT, &answers(d, two, epoch, false));
    assert_eq!(again, Rejection::AlreadyDone);
    let seen = world.head(d);
    let handed = world.ok(&BOT, &answers(d, seen, epoch, true));
    assert_eq!(kinds(&handed), ["Message", "Waiting"]);
    let phase = Phase::Waiting;
    for seen in [seen, world.head(d)] {
        let late = world.no(&BOT, &answers(d, seen, epoch, false));
        assert_eq!(late, Rejection::WrongPhase { phase });
    }
}

#[test]
fn a_bot_that_gets_the_dialog_back_cannot_speak_with_the_old_epoch() {
    let (mut world, d, epoch) = World::in_phase(Phase::Bot);
    let outcome = label("bye");
    world.ok(
        &customer(),
        &Cmd::Close {
            dialog: d,
            owner_epoch: None,
            outcome,
        },
    );
    world.ok(&customer(), &Cmd::Reopen { dialog: d });
    assert_eq!(world.phase(d), Phase::Bot);
    let current = world.epoch(d);
    let seen = world.head(d);
    let late = world.no(&BOT, &answers(d, seen, epoch, false));
    assert_eq!(late, Rejection::StaleEpoch { current });
    world.ok(&BOT, &answers(d, seen, current, false));
}

#[test]
fn a_former_owner_is_rejected() {
    let (mut world, d, old) = World::in_phase(Phase::Assigned);
    let take = Cmd::Grant(Grant {
        desk: desk("main"),
        grant: GrantId(2),
        what: Granted::TakeOver {
            dialog: d,
            expected_epoch: old,
        },
        operator: staff("igor"),
    });
    world.told();
    world.ok(&SYSTEM, &take);
    let held = DeskCommand::Held {
        grant: GrantId(2),
        dialog: d,
        customer: anna(),
        epoch: old.next(),
    };
    assert_eq!(world.told(), [freed(d, 1), (desk("main"), held)]);
    let by = Some(staff("igor"));
    let late = world.no(&operator("olga"), &says(d, "late", Some(old)));
    assert_eq!(late, Rejection::NotOwner { by });
    world.ok(&operator("igor"), &says(d, "now", Some(old.next())));
    let current = old.next();
    let wrong = world.no(&operator("igor"), &says(d, "late", Some(old)));
    assert_eq!(wrong, Rejection::StaleEpoch { current });
    let none = world.no(&operator("igor"), &says(d, "no epoch", None));
    assert_eq!(none, Rejection::StaleEpoch { current });
}

#[test]
fn a_grant_sent_again_is_held_again_and_changes_nothing() {
    let (mut world, d, epoch) = World::in_phase(Phase::OnHold);
    world.told();
    let again = world.ok(&SYSTEM, &grants(d, 1, "olga", OwnerEpoch(2)));
    assert!(again.events.is_empty());
    let held = DeskCommand::Held {
        grant: GrantId(1),
        dialog: d,
        customer: anna(),
        epoch,
    };
    assert_eq!(world.told(), [(desk("main"), held)]);
    let other = world.no(&SYSTEM, &grants(d, 2, "igor", OwnerEpoch(2)));
    let reason = Rejection::AlreadyOwned { by: staff("olga") };
    assert_eq!(other, reason);
    let refused = DeskCommand::Refused {
        grant: GrantId(2),
        reason,
    };
    assert_eq!(world.told(), [(desk("main"), refused)]);
}

#[test]
fn a_grant_by_another_desk_or_of_another_wait_is_refused() {
    let (mut world, d, epoch) = World::in_phase(Phase::Waiting);
    let foreign = Cmd::Grant(Grant {
        desk: desk("other"),
        grant: GrantId(1),
        what: Granted::Waiting {
            dialog: d,
            expected_epoch: epoch,
        },
        operator: staff("olga"),
    });
    world.told();
    assert_eq!(world.no(&SYSTEM, &foreign), Rejection::NotWaiting);
    let told = world.told();
    assert_eq!(told[0].0, desk("other"));
    let old = grants(d, 1, "olga", OwnerEpoch(1));
    let current = epoch;
    assert_eq!(world.no(&SYSTEM, &old), Rejection::StaleEpoch { current });
    assert_eq!(world.phase(d), Phase::Waiting);
}

#[test]
fn a_return_keeps_the_place_and_a_transfer_to_a_queue_does_not() {
    let (mut world, d, epoch) = World::in_phase(Phase::Assigned);
    let first = wait_of(&world.told()[0]).since;
    let olga = operator("olga");
    world.ok(
        &olga,
        &Cmd::ReturnToQueue {
            dialog: d,
            owner_epoch: epoch,
        },
    );
    let told = world.told();
    assert_eq!(told[0], freed(d, 1));
    assert_eq!(wait_of(&told[1]).since, first);

    let expected = world.epoch(d);
    world.ok(&SYSTEM, &grants(d, 2, "olga", expected));
    let transfer = |epoch, to| Cmd::Transfer {
        dialog: d,
        owner_epoch: epoch,
        to,
        note: Some(text("angry")),
    };
    let elsewhere = TransferTo::Queue(queue("cards", "lost"));
    let moved = world.ok(&olga, &transfer(expected.next(), elsewhere));
    assert_eq!(kinds(&moved), ["Note", "Waiting"]);
    let told = world.told();
    assert_eq!(told[1], freed(d, 2));
    assert_eq!(told[2].0, desk("cards"));
    assert_eq!(wait_of(&told[2]).since, world.at);
    let access = world.state.access(&StreamId::Dialog(d));
    assert!(matches!(access, Some(Access::Dialog { desk: at, .. }) if at == desk("cards")));
}

#[test]
fn a_return_after_a_transfer_goes_to_the_new_line() {
    let (mut world, d, epoch) = World::in_phase(Phase::Waiting);
    let cards = queue("cards", "lost");
    let ask = Cmd::AskPerson {
        dialog: d,
        queue: Some(cards.clone()),
    };
    world.ok(&customer(), &ask);
    let second = world.at;
    let take = Cmd::Grant(Grant {
        desk: desk("cards"),
        grant: GrantId(5),
        what: Granted::Waiting {
            dialog: d,
            expected_epoch: epoch.next(),
        },
        operator: staff("igor"),
    });
    world.ok(&SYSTEM, &take);
    world.told();
    let back = Cmd::ReturnToQueue {
        dialog: d,
        owner_epoch: epoch.next().next(),
    };
    world.ok(&operator("igor"), &back);
    let told = world.told();
    assert_eq!(wait_of(&told[1]).since, second);
    assert_eq!(
        (&told[1].0, wait_of(&told[1]).queue),
        (&cards.desk, cards.queue)
    );
}

#[test]
fn a_transfer_to_an_operator_is_passed_to_their_desk() {
    let (mut world, d, epoch) = World::in_phase(Phase::Assigned);
    let first = wait_of(&world.told()[0]).since;
    let to = |desk_name, operator, queue: Option<&'static str>| Cmd::Transfer {
        dialog: d,
        owner_epoch: epoch,
        to: TransferTo::Operator {
            desk: desk(desk_name),
            operator: staff(operator),
            queue: queue.map(QueueId::literal),
        },
        note: None,
    };
    let olga = operator("olga");
    let by = staff("olga");
    let own = world.no(&olga, &to("main", "olga", None));
    assert_eq!(own, Rejection::AlreadyOwned { by });
    let nowhere = world.no(&olga, &to("cards", "igor", None));
    assert_eq!(nowhere, Rejection::UnknownQueue);
    let mut other = world.clone();
    world.ok(&olga, &to("main", "igor", None));
    let told = world.told();
    assert_eq!(told[0], freed(d, 1));
    assert!(matches!(&told[1].1, DeskCommand::Pass { operator, .. } if *operator == staff("igor")));
    assert_eq!(wait_of(&told[1]).since, first);
    other.ok(&olga, &to("cards", "igor", Some("lost")));
    let told = other.told();
    assert_eq!(
        (&told[1].0, wait_of(&told[1]).since),
        (&desk("cards"), other.at)
    );
}

#[test]
fn a_lost_owner_frees_once_and_the_dialog_keeps_its_place() {
    let lost = |d, epoch| Cmd::OwnerLost {
        desk: desk("main"),
        dialog: d,
        grant: GrantId(1),
        epoch,
    };
    let (mut world, d, epoch) = World::in_phase(Phase::OnHold);
    let first = wait_of(&world.told()[0]).since;
    let gone = world.ok(&SYSTEM, &lost(d, epoch));
    assert!(matches!(
        &gone.events[0].1,
        Event::Dialog(DialogEvent::Waiting { reason, .. }) if *reason == label("lost")
    ));
    let told = world.told();
    assert_eq!(told[0], freed(d, 1));
    let wait = wait_of(&told[1]);
    assert_eq!((wait.since, wait.lost), (first, true));
    let again = world.ok(&SYSTEM, &lost(d, epoch));
    assert_eq!(again, Decided::accepted(Some(d)));

    let (mut world, d, epoch) = World::in_phase(Phase::WrapUp);
    world.told();
    world.ok(&SYSTEM, &lost(d, epoch));
    assert_eq!(world.phase(d), Phase::Closed);
    assert_eq!(world.told(), [freed(d, 1)]);
}

#[test]
fn a_customer_who_leaves_the_line_is_taken_out_of_it() {
    let (mut world, d, epoch) = World::in_phase(Phase::Waiting);
    world.told();
    let other = queue("cards", "lost");
    let ask = |queue| Cmd::AskPerson { dialog: d, queue };
    let same = world.ok(&customer(), &ask(None));
    assert_eq!(same, Decided::accepted(Some(d)));
    world.ok(&customer(), &ask(Some(other)));
    let told = world.told();
    let leave = DeskCommand::Leave { dialog: d, epoch };
    assert_eq!(told[0], (desk("main"), leave));
    assert_eq!(
        (&told[1].0, wait_of(&told[1]).epoch),
        (&desk("cards"), epoch.next())
    );
    let outcome = label("bye");
    world.ok(
        &customer(),
        &Cmd::Close {
            dialog: d,
            owner_epoch: None,
            outcome,
        },
    );
    let leave = DeskCommand::Leave {
        dialog: d,
        epoch: epoch.next(),
    };
    assert_eq!(world.told(), [(desk("cards"), leave)]);
}

#[test]
fn an_operator_begins_a_dialog_once_for_each_grant() {
    let mut world = World::new();
    let begin = Cmd::Grant(Grant {
        desk: desk("main"),
        grant: GrantId(9),
        what: Granted::New {
            channel: ChannelId::literal("web"),
            settings: DialogSettings::default(),
        },
        operator: staff("olga"),
    });
    let begun = world.ok(&SYSTEM, &begin);
    assert_eq!(
        kinds(&begun),
        ["Opened", "Ruled", "DialogOpened", "Assigned"]
    );
    let d = DialogId(1);
    let held = DeskCommand::Held {
        grant: GrantId(9),
        dialog: d,
        customer: anna(),
        epoch: world.epoch(d),
    };
    assert_eq!(world.told(), [(desk("main"), held.clone())]);
    let again = world.ok(&SYSTEM, &begin);
    assert!(again.events.is_empty());
    assert_eq!(world.told(), [(desk("main"), held)]);
    let here = world.ok(&customer(), &opens(true));
    assert_eq!(
        here,
        Decided::accepted(Some(d)),
        "the customer answers in it"
    );
    let outcome = label("done");
    world.ok(
        &customer(),
        &Cmd::Close {
            dialog: d,
            owner_epoch: None,
            outcome,
        },
    );
    assert_eq!(world.told(), [freed(d, 9)]);
    assert_eq!(world.no(&SYSTEM, &begin), Rejection::AlreadyDone);
    assert_eq!(world.state.dialogs().count(), 1);
}

#[test]
fn a_confirm_tells_whether_the_grant_stands() {
    let (mut world, d, epoch) = World::in_phase(Phase::Assigned);
    let confirm = |dialog, grant, epoch| Cmd::Confirm {
        desk: desk("main"),
        dialog,
        grant: GrantId(grant),
        epoch,
    };
    world.told();
    let cases = [
        (d, 1, epoch, true),
        (d, 2, epoch, false),
        (d, 1, epoch.next(), false),
        (DialogId(99), 1, epoch, false),
    ];
    for (dialog, grant, epoch, stands) in cases {
        world.ok(&SYSTEM, &confirm(dialog, grant, epoch));
        let grant = GrantId(grant);
        let answer = DeskCommand::Confirmed { grant, stands };
        assert_eq!(world.told(), [(desk("main"), answer)]);
    }
}
