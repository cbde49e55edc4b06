//! How a dialog begins, ends and goes on.

use crate::identity::StaffRights;

use super::*;

/// The owner's hold, return from it, and wrap-up.
fn rests_and_ends(world: &mut World, dialog: DialogId, owner_epoch: OwnerEpoch) {
    for (command, phase) in [
        (
            Cmd::Hold {
                dialog,
                owner_epoch,
            },
            Phase::OnHold,
        ),
        (
            Cmd::Resume {
                dialog,
                owner_epoch,
            },
            Phase::Assigned,
        ),
        (
            Cmd::WrapUp {
                dialog,
                owner_epoch,
            },
            Phase::WrapUp,
        ),
    ] {
        world.ok(&operator("olga"), &command);
        assert_eq!(world.phase(dialog), phase);
    }
}

#[test]
fn a_dialog_goes_from_the_first_word_to_the_rating() {
    let mut world = World::new();
    let d = DialogId(1);
    let opened = world.ok(&customer(), &opens(true));
    assert_eq!(opened.outcome, Ok(Some(d)));
    assert_eq!(kinds(&opened), ["Opened", "Ruled", "DialogOpened"]);
    world.ok(&customer(), &says(d, "hello", None));
    let seen = world.head(d);
    world.ok(&BOT, &answers(d, seen, OwnerEpoch(1), false));
    world.ok(
        &customer(),
        &Cmd::AskPerson {
            dialog: d,
            queue: None,
        },
    );
    let told = world.told();
    assert_eq!(told.len(), 1);
    let wait = wait_of(&told[0]);
    assert_eq!((wait.epoch, wait.dialog), (OwnerEpoch(2), d));
    assert_eq!(wait.since, world.at);
    assert_eq!(
        world.state.dialog(d).unwrap().waiting_since(),
        Some(world.at)
    );

    world.ok(&SYSTEM, &grants(d, 7, "olga", OwnerEpoch(2)));
    let held = DeskCommand::Held {
        grant: GrantId(7),
        dialog: d,
        customer: anna(),
        epoch: OwnerEpoch(3),
    };
    assert_eq!(world.told(), [(desk("main"), held)]);
    let olga = operator("olga");
    let epoch = OwnerEpoch(3);
    world.ok(&olga, &says(d, "good day, this is Olga", Some(epoch)));
    world.ok(&customer(), &says(d, "my card is lost", None));
    rests_and_ends(&mut world, d, epoch);
    let close = Cmd::Close {
        dialog: d,
        owner_epoch: Some(epoch),
        outcome: label("solved"),
    };
    let closed = world.ok(&olga, &close);
    assert_eq!(kinds(&closed), ["Closed", "DialogClosed"]);
    assert_eq!(world.told(), [freed(d, 7)]);
    assert_eq!(world.no(&olga, &close), Rejection::Closed);
    world.ok(
        &customer(),
        &Cmd::Rate {
            dialog: d,
            score: 5,
            comment: None,
        },
    );
    assert_eq!(world.state.dialog(d).unwrap().rating(), Some(5));
    assert_eq!(world.state.dialog(d).unwrap().owner(), None);
}

#[test]
fn two_tabs_get_one_dialog() {
    let mut world = World::new();
    world.ok(&customer(), &opens(true));
    let again = world.ok(&customer(), &opens(false));
    assert_eq!(again, Decided::accepted(Some(DialogId(1))));
}

#[test]
fn without_a_bot_the_dialog_waits_at_once() {
    let mut world = World::new();
    let opened = world.ok(&customer(), &opens(false));
    assert_eq!(
        kinds(&opened),
        ["Opened", "Ruled", "DialogOpened", "Waiting"]
    );
    let told = world.told();
    assert_eq!(wait_of(&told[0]).epoch, world.epoch(DialogId(1)));
    assert_eq!(world.phase(DialogId(1)), Phase::Waiting);
}

#[test]
fn a_message_or_reopen_in_wrap_up_goes_back_to_the_same_operator() {
    for command in [
        says(DialogId(1), "and", None),
        Cmd::Reopen {
            dialog: DialogId(1),
        },
    ] {
        let (mut world, d, epoch) = World::in_phase(Phase::WrapUp);
        world.told();
        world.ok(&customer(), &command);
        assert_eq!((world.phase(d), world.epoch(d)), (Phase::Assigned, epoch));
        assert_eq!(world.told(), []);
        assert_eq!(world.state.due(), []);
    }
}

#[test]
fn a_wrap_up_that_takes_too_long_closes_the_dialog() {
    let (mut world, d, epoch) = World::in_phase(Phase::WrapUp);
    world.told();
    let due = world.state.due();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].at, Timestamp(world.at.0 + 5 * 60 * 1000));
    let fire = |generation| Cmd::Timer {
        key: CustomerTimer::WrapUp(d),
        generation,
    };
    let early = fire(due[0].generation + 1);
    assert_eq!(world.no(&SYSTEM, &early), Rejection::Void);
    let olga = operator("olga");
    world.ok(
        &olga,
        &Cmd::Resume {
            dialog: d,
            owner_epoch: epoch,
        },
    );
    let void = world.no(&SYSTEM, &fire(due[0].generation));
    assert_eq!(void, Rejection::Void);
    world.ok(
        &olga,
        &Cmd::WrapUp {
            dialog: d,
            owner_epoch: epoch,
        },
    );
    let void = world.no(&SYSTEM, &fire(due[0].generation));
    assert_eq!(void, Rejection::Void, "set anew, so another generation");
    let due = world.state.due()[0].clone();
    // Each command comes 10 ms after the one before.
    world.at = Timestamp(due.at.0 - 11);
    let early = world.no(&SYSTEM, &fire(due.generation));
    assert_eq!(early, Rejection::Void, "fired by a clock that is ahead");
    world.at = Timestamp(due.at.0 - 10);
    world.ok(&SYSTEM, &fire(due.generation));
    assert_eq!(world.phase(d), Phase::Closed);
    assert_eq!(world.told(), [freed(d, 1)]);
}

#[test]
fn a_closed_dialog_is_reopened_within_its_window_and_then_leaves() {
    let (mut world, d, _) = World::in_phase(Phase::Closed);
    let stream = StreamId::Dialog(d);
    world.told();
    let due = world.state.due().remove(0);
    let fire = Cmd::Timer {
        key: due.key.clone(),
        generation: due.generation,
    };
    let mut late = world.clone();
    let reopened = world.ok(&customer(), &Cmd::Reopen { dialog: d });
    assert_eq!(kinds(&reopened), ["Reopened", "DialogReopened", "Waiting"]);
    assert_eq!(wait_of(&world.told()[0]).since, world.at);
    assert_eq!(world.no(&SYSTEM, &fire), Rejection::Void);

    late.at = due.at;
    let reopen = Cmd::Reopen { dialog: d };
    assert_eq!(late.no(&customer(), &reopen), Rejection::TooLate);
    let rate = Cmd::Rate {
        dialog: d,
        score: 1,
        comment: None,
    };
    assert_eq!(late.no(&customer(), &rate), Rejection::TooLate);
    let settled = late.ok(&SYSTEM, &fire);
    assert_eq!(kinds(&settled), ["DialogSettled"]);
    assert_eq!(late.state.access(&stream), None);
    assert_eq!(late.state.due(), []);
    assert_eq!(late.no(&customer(), &rate), Rejection::NotFound);
    assert_eq!(late.no(&SYSTEM, &fire), Rejection::Void);
}

#[test]
fn a_rating_is_given_once_and_within_its_range() {
    let (mut world, d, _) = World::in_phase(Phase::WrapUp);
    let rate = |score| Cmd::Rate {
        dialog: d,
        score,
        comment: None,
    };
    let range = Rejection::OutOfRange { min: 1, max: 5 };
    assert_eq!(world.no(&customer(), &rate(0)), range);
    assert_eq!(world.no(&customer(), &rate(6)), range);
    world.ok(&customer(), &rate(1));
    assert_eq!(world.no(&customer(), &rate(2)), Rejection::AlreadyRated);
}

#[test]
fn an_incident_is_shown_once_in_every_open_dialog() {
    let (mut world, d, _) = World::in_phase(Phase::WrapUp);
    world.ok(&customer(), &opens(true));
    let alarm = |incident| Cmd::Emergency {
        dialog: None,
        incident: label(incident),
        body: text("down"),
    };
    let shown = world.ok(&SYSTEM, &alarm("i1"));
    assert_eq!(kinds(&shown), ["Emergency", "Emergency"]);
    assert_eq!(shown.outcome, Ok(Some(d)));
    assert_eq!(world.no(&SYSTEM, &alarm("i1")), Rejection::AlreadyDone);
    world.ok(&SYSTEM, &alarm("i2"));
    let only = |dialog| Cmd::Emergency {
        dialog: Some(dialog),
        incident: label("i4"),
        body: text("down"),
    };
    assert_eq!(
        kinds(&world.ok(&operator("chief"), &only(d))),
        ["Emergency"]
    );
    assert_eq!(
        world.no(&operator("chief"), &only(d)),
        Rejection::AlreadyDone
    );
    let unknown = DialogId(d.0 + 1_000);
    assert_eq!(
        world.no(&operator("chief"), &only(unknown)),
        Rejection::NotFound
    );
    assert_eq!(
        world.no(&operator("olga"), &alarm("i3")),
        Rejection::Forbidden
    );
    let whole = world.no(&operator("chief"), &alarm("i3"));
    assert_eq!(whole, Rejection::Forbidden, "not beyond the desk");
}

#[test]
fn rights_are_judged_again_where_the_dialog_is_by_now() {
    let (world, d, _) = World::in_phase(Phase::Assigned);
    let note = Cmd::Note {
        dialog: d,
        body: text("n"),
    };
    let delete = Cmd::Delete {
        dialog: d,
        message: Seq(u64::MAX),
        owner_epoch: None,
    };
    let outcome = |desk: &str, role, command: &Cmd| {
        let mut cx = world.context(&operator("vera"));
        cx.rights = Some(StaffRights {
            desk: DeskId::try_new(desk).unwrap(),
            role,
        });
        world.state.decide(command, &cx).outcome
    };
    let owned = Err(Rejection::NotOwner {
        by: Some(StaffId::literal("olga")),
    });
    let unknown = Err(Rejection::UnknownMessage);
    let forbidden = Err(Rejection::Forbidden);
    use StaffRole::{Auditor, ChiefSpecialist, Operator, Supervisor};
    assert_eq!(outcome("main", Supervisor, &note), Ok(Some(d)));
    assert_eq!(outcome("main", ChiefSpecialist, &note), Ok(Some(d)));
    assert_eq!(outcome("main", Supervisor, &delete), unknown);
    assert_eq!(outcome("main", ChiefSpecialist, &delete), owned);
    assert_eq!(outcome("main", Auditor, &note), forbidden);
    for (desk, role) in [
        ("cards", Supervisor),
        ("cards", ChiefSpecialist),
        ("main", Operator),
    ] {
        assert_eq!(outcome(desk, role, &note), owned, "{desk} {role:?}");
        assert_eq!(outcome(desk, role, &delete), owned, "{desk} {role:?}");
    }
}

#[test]
fn a_link_is_told_to_the_other_and_ends_there() {
    let mut world = World::new();
    let other = CustomerId::literal("tg-1");
    let link = |other: &CustomerId| Cmd::Link {
        other: other.clone(),
    };
    let linked = world.ok(&SYSTEM, &link(&other));
    let back = &linked.follow_ups[0];
    assert_eq!(back.target, Target::Customer(other.clone()));
    assert_eq!(back.command, Command::Customer(link(&anna())));

    let there = CustomerState::new(other.clone());
    let answered = there.decide(&link(&anna()), &world.context(&SYSTEM));
    assert_eq!(
        answered.follow_ups[0].command,
        Command::Customer(link(&other))
    );
    assert_eq!(world.no(&SYSTEM, &link(&other)), Rejection::AlreadyDone);
    assert_eq!(world.no(&SYSTEM, &link(&anna())), Rejection::Forbidden);
    assert_eq!(world.no(&customer(), &link(&other)), Rejection::Forbidden);
    for n in 1..limits::LINKS_MAX {
        world.ok(
            &SYSTEM,
            &link(&CustomerId::try_new(format!("n{n}")).unwrap()),
        );
    }
    let many = world.no(&SYSTEM, &link(&CustomerId::literal("last")));
    assert_eq!(many, Rejection::TooMany { limit: 32 });
}

#[test]
fn the_oldest_closed_dialog_makes_room_and_open_ones_are_limited() {
    let mut world = World::new();
    for n in 0..=limits::DIALOGS_MAX {
        let opened = world.ok(&customer(), &opens(true));
        let dialog = opened.outcome.unwrap().unwrap();
        let full = n == limits::DIALOGS_MAX;
        let settled = Event::Customer(CustomerEvent::DialogSettled {
            dialog: DialogId(1),
        });
        assert_eq!(opened.events.iter().any(|(_, e)| *e == settled), full);
        if !full {
            let outcome = label("bye");
            world.ok(
                &customer(),
                &Cmd::Close {
                    dialog,
                    owner_epoch: None,
                    outcome,
                },
            );
        }
    }
    assert_eq!(world.state.dialogs().count(), limits::DIALOGS_MAX);
    let begin = |n| {
        Cmd::Grant(Grant {
            desk: desk("main"),
            grant: GrantId(n),
            what: Granted::New {
                channel: ChannelId::literal("web"),
                settings: DialogSettings::default(),
            },
            operator: staff("olga"),
        })
    };
    for n in 1..8 {
        world.ok(&SYSTEM, &begin(n));
    }
    assert_eq!(
        world.no(&SYSTEM, &begin(8)),
        Rejection::TooMany { limit: 8 }
    );
    assert!(matches!(
        world.told().pop(),
        Some((_, DeskCommand::Refused { .. }))
    ));
    let reopen = Cmd::Reopen {
        dialog: DialogId(101),
    };
    assert_eq!(
        world.no(&customer(), &reopen),
        Rejection::TooMany { limit: 8 }
    );
}

#[test]
fn a_position_is_the_last_event_of_its_stream() {
    let (world, d, _) = World::in_phase(Phase::Waiting);
    let at = world.state.position(&StreamId::Dialog(d)).unwrap();
    assert_eq!(at.seq, Seq(3));
    assert_ne!(at.hash, ChainHash::default());
    let own = world.state.position(&StreamId::Customer(anna())).unwrap();
    assert_eq!(own.seq, Seq(1));
    assert_eq!(world.state.position(&StreamId::Dialog(DialogId(2))), None);
    let stranger = StreamId::Customer(CustomerId::literal("boris"));
    assert_eq!(world.state.position(&stranger), None::<Position>);
    assert_eq!(world.state.access(&stranger), None);
}

#[test]
fn a_customer_of_a_channel_writes_where_a_dialog_is_open_or_opens_one() {
    let mut world = World::new();
    let first = world.ok(&customer(), &writes("hello"));
    assert_eq!(first.outcome, Ok(Some(DialogId(1))));
    assert_eq!(
        kinds(&first),
        ["Opened", "Ruled", "DialogOpened", "Message"]
    );
    let second = world.ok(&customer(), &writes("again"));
    assert_eq!(second.outcome, Ok(Some(DialogId(1))));
    assert_eq!(kinds(&second), ["Message"]);
    assert_eq!(
        world.no(&operator("olga"), &writes("not mine")),
        Rejection::Forbidden
    );
}
