//! Sessions over the in-process ports, engine and all, on paused time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "sessions/about.rs"]
mod about;
#[path = "sessions/given.rs"]
mod given;
#[path = "sessions/here.rs"]
mod here;
#[path = "sessions/people.rs"]
mod people;
#[path = "sessions/place.rs"]
mod place;
#[path = "sessions/proof.rs"]
mod proof;

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use chatcore::{
    chat::Chat,
    content::Content,
    dialog::{CustomerCommand, Phase, TransferTo},
    error::ErrorKind,
    ids::{DialogId, OwnerEpoch, Seq, StaffId, StreamId, Target},
    queue::{DeskCommand, NodeName, OperatorStatus, Presence},
    record::{ChainHash, Command},
    routing::{CloseCode, ResetReason, StreamState},
};
use people::{
    Person, builder, customer, desk, desk_target, identity, note, ports, say, sessions, staff,
    while_running,
};

fn anna() -> Target {
    Target::Customer(chatcore::ids::CustomerId::try_new("anna").unwrap())
}

fn staff_id(id: &str) -> StaffId {
    StaffId::try_new(id).unwrap()
}

/// The customer has an open dialog, and the operator has it.
async fn talk(chat: &Chat) -> (Person, Person, DialogId, OwnerEpoch) {
    let mut anna_there = Person::connect(chat, customer("anna"), "phone");
    let dialog = anna_there.open().await;
    let mut olga = Person::connect(chat, staff("olga", false), "desk-1");
    let epoch = take(&mut olga, dialog).await;
    let stream = StreamId::Dialog(dialog);
    let head = olga.positions[&stream];
    anna_there
        .until("she sees who has it", |me| {
            me.positions[&stream].seq >= head.seq
        })
        .await;
    (anna_there, olga, dialog, epoch)
}

async fn take(operator: &mut Person, dialog: DialogId) -> OwnerEpoch {
    let me = operator.sender.identity().participant();
    let status = DeskCommand::Status {
        operator: me.staff().unwrap().clone(),
        status: OperatorStatus::Available,
    };
    operator.ask(&desk_target(), Command::Desk(status)).await;
    let take = DeskCommand::Take { dialog };
    operator.ask(&desk_target(), Command::Desk(take)).await;
    operator
        .until("the dialog is hers", |me| me.epoch(dialog).is_some())
        .await;
    operator.epoch(dialog).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_dialog_goes_both_ways_and_notes_stay_with_staff() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut anna_there, mut olga, dialog, epoch) = talk(&chat).await;
        anna_there.ask(&anna(), say(dialog, " hello ", None)).await;
        olga.until("the question", |me| me.texts(dialog) == ["hello"])
            .await;
        olga.ask(&anna(), note(dialog, "she is angry")).await;
        olga.ask(&anna(), say(dialog, "how can I help", Some(epoch)))
            .await;
        anna_there
            .until("the answer", |me| {
                me.texts(dialog) == ["hello", "how can I help"]
            })
            .await;
        olga.until("the same", |me| me.texts(dialog).len() == 3)
            .await;
        let stream = StreamId::Dialog(dialog);
        assert_eq!(anna_there.positions[&stream], olga.positions[&stream]);
        assert_eq!(chat.stats().mismatches, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_transferred_dialog_leaves_the_former_operator_at_once() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut anna_there, mut olga, dialog, epoch) = talk(&chat).await;
        let mut petr = Person::connect(&chat, staff("petr", false), "desk-2");
        let status = DeskCommand::Status {
            operator: staff_id("petr"),
            status: OperatorStatus::Available,
        };
        petr.ask(&desk_target(), Command::Desk(status)).await;
        let transfer = CustomerCommand::Transfer {
            dialog,
            owner_epoch: epoch,
            to: TransferTo::Operator {
                desk: desk(),
                operator: staff_id("petr"),
                queue: None,
            },
            note: Some(Content::Text("be kind".to_owned())),
        };
        olga.ask(&anna(), Command::Customer(transfer)).await;
        let stream = StreamId::Dialog(dialog);
        olga.until("she is out", |me| me.left.contains(&stream))
            .await;
        petr.until("he has it", |me| me.epoch(dialog).is_some())
            .await;
        assert!(petr.texts(dialog).contains(&"be kind".to_owned()));
        anna_there
            .ask(&anna(), say(dialog, "still there?", None))
            .await;
        petr.until("the question", |me| {
            me.texts(dialog).contains(&"still there?".to_owned())
        })
        .await;
        // Whatever else she is told, it is not this.
        let late = olga.send(&anna(), say(dialog, "late", Some(epoch))).await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::Forbidden);
        assert!(!olga.texts(dialog).contains(&"still there?".to_owned()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_gets_only_what_came_after() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (anna_there, mut olga, dialog, epoch) = talk(&chat).await;
        let had = anna_there.positions.clone();
        drop(anna_there);
        for text in ["one", "two"] {
            olga.ask(&anna(), say(dialog, text, Some(epoch))).await;
        }
        let mut back = Person::resume(&chat, customer("anna"), "phone", had.clone());
        back.until("what she missed", |me| me.texts(dialog) == ["one", "two"])
            .await;
        assert!(back.resets.is_empty(), "{:?}", back.resets);

        let stream = StreamId::Dialog(dialog);
        let mut other = had;
        other.get_mut(&stream).unwrap().hash = ChainHash(1);
        let mut back = Person::resume(&chat, customer("anna"), "tablet", other);
        back.until("all of it", |me| me.texts(dialog) == ["one", "two"])
            .await;
        let (reset, reason, _) = &back.resets[0];
        assert_eq!((reset, *reason), (&stream, ResetReason::Mismatch));
        assert_eq!(chat.stats().mismatches, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_catches_up_without_holes() {
    let chat = builder(ports().0)
        .with_sessions(sessions(|s| s.buffer.frames_max = 4))
        .build()
        .unwrap();
    while_running(&chat, async {
        let (mut anna_there, mut olga, dialog, epoch) = talk(&chat).await;
        for n in 0..40 {
            olga.ask(&anna(), say(dialog, &n.to_string(), Some(epoch)))
                .await;
        }
        let all: Vec<String> = (0..40).map(|n: u32| n.to_string()).collect();
        anna_there.until("all", |me| me.texts(dialog) == all).await;
        assert_eq!(anna_there.resets.len(), 2, "its own stream and the dialog");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_far_behind_starts_anew() {
    let chat = builder(ports().0)
        .with_sessions(sessions(|s| {
            s.follower.tail = 5;
            s.follower.behind_max = 10;
        }))
        .build()
        .unwrap();
    while_running(&chat, async {
        let (anna_there, mut olga, dialog, epoch) = talk(&chat).await;
        let had = anna_there.positions.clone();
        drop(anna_there);
        for n in 0..20 {
            olga.ask(&anna(), say(dialog, &n.to_string(), Some(epoch)))
                .await;
        }
        let mut back = Person::resume(&chat, customer("anna"), "phone", had);
        let stream = StreamId::Dialog(dialog);
        back.until("the end", |me| me.texts(dialog).len() == 5)
            .await;
        let (_, reason, state) = back.resets.iter().find(|r| r.0 == stream).unwrap();
        assert_eq!(*reason, ResetReason::Behind);
        let StreamState::Dialog(view) = state else {
            panic!("{state:?}");
        };
        // As of the reset, from events before it.
        assert_eq!(view.phase, Phase::Assigned);
        assert_eq!(view.owner, Some(staff_id("olga")));
        assert_eq!(back.texts(dialog), ["15", "16", "17", "18", "19"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_never_reads_is_closed() {
    let chat = builder(ports().0)
        .with_sessions(sessions(|s| s.buffer.frames_max = 2))
        .build()
        .unwrap();
    while_running(&chat, async {
        let (anna_there, mut olga, dialog, epoch) = talk(&chat).await;
        for n in 0..10 {
            olga.ask(&anna(), say(dialog, &n.to_string(), Some(epoch)))
                .await;
        }
        let closed = tokio::time::timeout(Duration::from_secs(60), anna_there.sender.closed());
        assert_eq!(closed.await.unwrap(), CloseCode::Slow);
        assert_eq!(chat.stats().closed_slow, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn lost_repeated_and_swapped_frames_are_put_right() {
    let (ports, faulty) = ports();
    let chat = builder(ports).build().unwrap();
    while_running(&chat, async {
        let (mut anna_there, mut olga, dialog, epoch) = talk(&chat).await;
        faulty.lost.store(30, Ordering::Relaxed);
        faulty.repeated.store(30, Ordering::Relaxed);
        for n in 0..30 {
            olga.send(&anna(), say(dialog, &n.to_string(), Some(epoch)))
                .await
                .unwrap();
        }
        faulty.lost.store(100, Ordering::Relaxed);
        olga.ask(&anna(), say(dialog, "the end", Some(epoch))).await;
        let mut all: Vec<String> = (0..30).map(|n: u32| n.to_string()).collect();
        all.push("the end".to_owned());
        // Nothing comes after the last one: only a check of heads can find it.
        anna_there.until("all", |me| me.texts(dialog) == all).await;
        olga.until("all", |me| me.texts(dialog) == all).await;
        assert_eq!(chat.stats().mismatches, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn operators_come_with_their_first_session_and_go_with_their_last() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let mut vera = Person::connect(&chat, staff("vera", true), "desk-3");
        let presence = |me: &Person| presence_of(me, "olga");
        vera.until("the board", |me| !me.resets.is_empty()).await;
        let first = Person::connect(&chat, staff("olga", false), "a");
        vera.until("she is here", |me| presence(me) == Some(Presence::Online))
            .await;
        let second = Person::connect(&chat, staff("olga", false), "b");
        drop(first);
        // A turn of the hub, and more.
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(second);
        vera.until("she has gone", |me| presence(me) == Some(Presence::Lost))
            .await;
        let board = StreamId::Board(desk());
        let of_olga = vera.seen[&board].iter().filter(|e| of(e, "olga").is_some());
        assert_eq!(of_olga.count(), 2, "came once, lost once");
        let _: NodeName = chat.node().into();
    })
    .await;
}

fn of(event: &chatcore::record::StreamEvent<Content>, operator: &str) -> Option<Presence> {
    match &event.event {
        chatcore::record::Event::Board(chatcore::queue::BoardEvent::Operator {
            operator: who,
            presence,
            ..
        }) if who.as_str() == operator => Some(*presence),
        _ => None,
    }
}

fn presence_of(me: &Person, operator: &str) -> Option<Presence> {
    let events = me.seen.get(&StreamId::Board(desk()))?;
    events.iter().rev().find_map(|e| of(e, operator))
}

#[tokio::test(start_paused = true)]
async fn what_a_person_may_not_send_is_refused_and_its_number_is_free() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut anna_there, _olga, dialog, epoch) = talk(&chat).await;
        let refused = anna_there.send(&anna(), note(dialog, "me too")).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
        let refused = anna_there.send(&anna(), say(dialog, "  ", None)).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
        anna_there.ask(&anna(), say(dialog, "fine", None)).await;

        let mut petr = Person::connect(&chat, staff("petr", false), "desk-2");
        let refused = petr.send(&anna(), say(dialog, "I too", Some(epoch))).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
        petr.sender.follow(StreamId::Dialog(dialog), None).unwrap();
        let stream = StreamId::Dialog(dialog);
        petr.until("he is told so", |me| me.left.contains(&stream))
            .await;
        assert!(petr.texts(dialog).is_empty());
        let read = chat.dialog(&identity(staff("petr", false)), dialog).await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Forbidden);

        let mut boris = Person::connect(&chat, customer("boris"), "phone");
        let refused = boris.send(&anna(), say(dialog, "I am Anna", None)).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
        boris.sender.follow(stream.clone(), None).unwrap();
        boris
            .until("he is told so", |me| me.left.contains(&stream))
            .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn typing_and_cursors_reach_the_other_side() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut anna_there, mut olga, dialog, _) = talk(&chat).await;
        anna_there.sender.typing(dialog).unwrap();
        anna_there.sender.typing(dialog).unwrap();
        olga.until("she types", |me| me.typing > 0).await;
        let head = olga.head(dialog);
        olga.sender.cursor(dialog, head, Seq(2)).unwrap();
        olga.sender.cursor(dialog, head, head).unwrap();
        // Written down when her session is looked after.
        olga.until("it was read", |me| {
            me.cursors.iter().any(|c| c.read == head)
        })
        .await;
        anna_there
            .until("it was read", |me| {
                me.cursors.iter().any(|c| c.read == head)
            })
            .await;
        assert_eq!(olga.typing, 1, "the second sign came too early");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_command_sent_again_after_a_reconnect_is_done_once() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut anna_there, _olga, dialog, _) = talk(&chat).await;
        let n = anna_there
            .send(&anna(), say(dialog, "once", None))
            .await
            .unwrap();
        let had: BTreeMap<_, _> = anna_there.positions.clone();
        drop(anna_there);
        let mut back = Person::resume(&chat, customer("anna"), "phone", had);
        back.sender
            .send(anna(), n, say(dialog, "once", None))
            .await
            .unwrap();
        let key = (anna(), n);
        back.until("its outcome", |me| me.replies.contains_key(&key))
            .await;
        back.until("the message", |me| !me.texts(dialog).is_empty())
            .await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(back.texts(dialog), ["once"]);
    })
    .await;
}

/// Says something and waits until the customer has it; answers how long that took.
async fn heard_after(
    olga: &mut Person,
    anna_there: &mut Person,
    said: Command<Content>,
) -> Duration {
    let begun = tokio::time::Instant::now();
    let Command::Customer(CustomerCommand::Message(message)) = &said else {
        panic!("{said:?}");
    };
    let dialog = message.dialog;
    let before = anna_there.texts(dialog).len();
    olga.ask(&anna(), said).await;
    anna_there
        .until("it is heard", |me| me.texts(dialog).len() > before)
        .await;
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_lost_route_is_found_by_a_check_and_written_again() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut anna_there, mut olga, dialog, epoch) = talk(&chat).await;
        let streams = &chat.ports().streams;
        let stream = StreamId::Dialog(dialog);
        streams.unfollow(&stream, chat.node()).await.unwrap();
        let said = say(dialog, "into the void", Some(epoch));
        let took = heard_after(&mut olga, &mut anna_there, said).await;
        assert!(took < Duration::from_secs(25), "one check: {took:?}");
        let said = say(dialog, "heard at once", Some(epoch));
        let took = heard_after(&mut olga, &mut anna_there, said).await;
        assert!(
            took < Duration::from_secs(1),
            "the route is there: {took:?}"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_lease_all_routes_are_written_again() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut anna_there, mut olga, dialog, epoch) = talk(&chat).await;
        let rewrites = chat.stats().rewrites;
        chat.ports().leases.close(chat.node()).await.unwrap();
        let said = say(dialog, "into the void", Some(epoch));
        let took = heard_after(&mut olga, &mut anna_there, said).await;
        assert!(took < Duration::from_secs(6), "one renewal: {took:?}");
        assert!(chat.stats().rewrites > rewrites);
        assert_eq!(chat.stats().sessions, 2, "nobody is closed for that");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_closes_its_sessions() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (anna_there, _olga, ..) = talk(&chat).await;
        tokio::time::advance(Duration::from_secs(16)).await;
        let closed = tokio::time::timeout(Duration::from_secs(1), anna_there.sender.closed());
        assert_eq!(closed.await.unwrap(), CloseCode::Paused);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_new_token_of_the_same_person_prolongs_the_session() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let mut person = Person::connect(&chat, customer("anna"), "phone");
        let mut longer = identity(customer("anna"));
        let ends = longer.expires_at;
        longer.expires_at = ends.plus(Duration::from_secs(100));
        let other = identity(customer("boris"));
        let refused = person.sender.refresh(other).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        person.sender.refresh(longer).unwrap();
        let until_then = ends.since(chat.ports().clock.now());
        let closed = person.sender.closed();
        let waited = tokio::time::timeout(until_then + Duration::from_secs(60), closed).await;
        assert!(waited.is_err(), "it went on");
        person
            .until("it ends with the new token", |me| me.closed.is_some())
            .await;
        assert_eq!(person.closed, Some(CloseCode::Expired));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_looks_on_until_the_rights_are_taken() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut anna_there, _olga, dialog, _) = talk(&chat).await;
        let stream = StreamId::Dialog(dialog);
        let mut vera = Person::connect(&chat, staff("vera", true), "desk-3");
        vera.sender.follow(stream.clone(), None).unwrap();
        anna_there.ask(&anna(), say(dialog, "hello", None)).await;
        vera.until("she looks on", |me| me.texts(dialog) == ["hello"])
            .await;
        vera.sender.refresh(identity(staff("vera", false))).unwrap();
        vera.until("no more", |me| me.left.contains(&stream)).await;
        anna_there.ask(&anna(), say(dialog, "secret", None)).await;
        tokio::time::timeout(Duration::from_secs(30), vera.until("never", |_| false))
            .await
            .expect_err("nothing of that dialog is left to tell");
        assert_eq!(vera.texts(dialog), ["hello"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_tells_its_sessions() {
    let chat = builder(ports().0).build().unwrap();
    let mut person = while_running(&chat, async {
        let mut person = Person::connect(&chat, customer("anna"), "phone");
        person.open().await;
        person
    })
    .await;
    person.until("it is told", |me| me.closed.is_some()).await;
    assert_eq!(person.closed, Some(CloseCode::Draining));
    let alive = chat.ports().leases.alive().await.unwrap();
    assert!(alive.is_empty(), "its lease is given up");
}

#[tokio::test(start_paused = true)]
async fn the_view_of_a_dialog_tells_what_its_frames_tell() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut anna_there, mut olga, dialog, owner_epoch) = talk(&chat).await;
        let outcome = chatcore::ids::Label::try_new("solved").unwrap();
        let by_owner = [
            CustomerCommand::Hold {
                dialog,
                owner_epoch,
            },
            CustomerCommand::Resume {
                dialog,
                owner_epoch,
            },
            CustomerCommand::WrapUp {
                dialog,
                owner_epoch,
            },
            CustomerCommand::Resume {
                dialog,
                owner_epoch,
            },
            CustomerCommand::Close {
                dialog,
                owner_epoch: Some(owner_epoch),
                outcome,
            },
        ];
        let mut phases = vec![check_view(&chat, dialog).await];
        for command in by_owner {
            olga.ask(&anna(), Command::Customer(command)).await;
            phases.push(check_view(&chat, dialog).await);
        }
        let reopen = CustomerCommand::Reopen { dialog };
        anna_there.ask(&anna(), Command::Customer(reopen)).await;
        phases.push(check_view(&chat, dialog).await);
        use Phase::{Assigned, Closed, OnHold, Waiting, WrapUp};
        let expected = [
            Assigned, OnHold, Assigned, WrapUp, Assigned, Closed, Waiting,
        ];
        assert_eq!(phases, expected);
    })
    .await;
}

/// The view folded from a dialog's events grants what its newest frame grants; its phase.
async fn check_view(chat: &Chat, dialog: DialogId) -> Phase {
    let at = chat
        .dialog(&identity(customer("anna")), dialog)
        .await
        .unwrap();
    let followed = chat
        .ports()
        .streams
        .follow(chatcore::store::Follow {
            stream: StreamId::Dialog(dialog),
            node: chat.node().clone(),
            from: chatcore::store::FollowFrom::Tail(0),
            limit: 1,
        })
        .await
        .unwrap();
    assert_eq!(at.position, followed.head);
    assert_eq!(at.view.access(), followed.access);
    at.view.phase
}
