//! Whether a customer is here, as staff is told: over one node and two, with words lost and nodes
//! dead.

use std::{sync::atomic::Ordering, time::Duration};

use chatcore::{
    chat::Chat,
    clock::Timestamp,
    ids::{DialogId, NodeId, StreamId},
    ports::Ports,
    routing::CustomerPresence,
};

use super::{
    people::{Person, builder, customer, ports, staff, while_running},
    take, talk,
};

fn now(chat: &Chat) -> Timestamp {
    chat.ports().clock.now()
}

fn node(ports: &Ports, name: &str) -> Chat {
    let node = NodeId::try_new(name).unwrap();
    builder(ports.clone()).with_node(node).build().unwrap()
}

/// What was told last of the dialog's customer.
fn last(me: &Person, dialog: DialogId) -> Option<CustomerPresence> {
    let told = me.presence.iter().rev();
    told.filter(|(of, _)| *of == dialog).map(|(_, p)| *p).next()
}

/// The customer comes, and follows the dialog.
async fn come(chat: &Chat, device: &str, dialog: DialogId) -> Person {
    let mut anna_there = Person::connect(chat, customer("anna"), device);
    let stream = StreamId::Dialog(dialog);
    anna_there
        .until("the dialog", |me| me.positions.contains_key(&stream))
        .await;
    anna_there
}

async fn until_here(me: &mut Person, dialog: DialogId) {
    me.until("the customer is here", |me| {
        last(me, dialog) == Some(CustomerPresence::Here)
    })
    .await;
}

async fn until_away(me: &mut Person, dialog: DialogId) -> Option<Timestamp> {
    let away = |me: &Person| match last(me, dialog) {
        Some(CustomerPresence::Away { since }) => Some(since),
        _ => None,
    };
    me.until("the customer is away", |me| away(me).is_some())
        .await;
    away(me).unwrap()
}

#[tokio::test(start_paused = true)]
async fn staff_sees_a_customer_come_and_go_and_what_happens_in_between_does_not_flicker() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (anna_there, mut olga, dialog, _) = talk(&chat).await;
        until_here(&mut olga, dialog).await;
        let positions = anna_there.positions.clone();
        drop(anna_there);
        // A reload of the page.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let second = Person::resume(&chat, customer("anna"), "phone", positions);
        let third = come(&chat, "tablet", dialog).await;
        drop(second);
        tokio::time::sleep(Duration::from_secs(20)).await;
        let left_at = now(&chat);
        drop(third);
        assert_eq!(until_away(&mut olga, dialog).await, Some(left_at));
        let told: Vec<_> = olga.presence.iter().map(|(_, p)| *p).collect();
        let away = CustomerPresence::Away {
            since: Some(left_at),
        };
        assert_eq!(told, [CustomerPresence::Here, away]);
        let _back = come(&chat, "phone", dialog).await;
        until_here(&mut olga, dialog).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn another_customer_who_asks_for_the_dialog_is_not_its_customer() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (anna_there, mut olga, dialog, _) = talk(&chat).await;
        until_here(&mut olga, dialog).await;
        drop(anna_there);
        until_away(&mut olga, dialog).await;
        let mut boris = Person::connect(&chat, customer("boris"), "phone");
        let stream = StreamId::Dialog(dialog);
        boris.sender.follow(stream.clone(), None).unwrap();
        boris
            .until("he is told so", |me| me.left.contains(&stream))
            .await;
        // A supervisor who begins to look is told how it is, and nothing else.
        let mut vera = Person::connect(&chat, staff("vera", true), "desk-3");
        vera.sender.follow(stream, None).unwrap();
        until_away(&mut vera, dialog).await;
        assert_eq!(vera.presence.len(), 1);
        assert_eq!(olga.presence.len(), 2, "{:?}", olga.presence);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn staff_on_one_node_sees_a_customer_on_another_whatever_words_are_lost() {
    let (ports, faulty) = ports();
    let (east, west) = (node(&ports, "east"), node(&ports, "west"));
    let at_work = async {
        let mut anna_there = Person::connect(&east, customer("anna"), "phone");
        let dialog = anna_there.open().await;
        let mut olga = Person::connect(&west, staff("olga", false), "desk-1");
        take(&mut olga, dialog).await;
        until_here(&mut olga, dialog).await;

        let left_at = now(&east);
        drop(anna_there);
        assert_eq!(until_away(&mut olga, dialog).await, Some(left_at));
        // Every word is lost: nobody knows that she is back, and none says that she is not.
        faulty.words_lost.store(100, Ordering::Relaxed);
        let back = come(&east, "phone", dialog).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        faulty.words_lost.store(0, Ordering::Relaxed);
        until_here(&mut olga, dialog).await;
        // The farewell is lost: what was said before lapses.
        faulty.words_lost.store(100, Ordering::Relaxed);
        drop(back);
        tokio::time::sleep(Duration::from_secs(2)).await;
        faulty.words_lost.store(0, Ordering::Relaxed);
        let begun = now(&west);
        until_away(&mut olga, dialog).await;
        let took = now(&west).since(begun);
        assert!(took < Duration::from_secs(60), "{took:?}");
    };
    while_running(&east, while_running(&west, at_work)).await;
}

#[tokio::test(start_paused = true)]
async fn a_customer_whose_node_died_is_away_until_another_node_has_them() {
    let (ports, _) = ports();
    let (east, west) = (node(&ports, "east"), node(&ports, "west"));
    let shutdown = tokio_util::sync::CancellationToken::new();
    let at_work = async {
        let mut olga = Person::connect(&west, staff("olga", false), "desk-1");
        let dialog = {
            let mut dying = std::pin::pin!(east.run(shutdown));
            let mut anna_there = Person::connect(&east, customer("anna"), "phone");
            let here = async {
                let dialog = anna_there.open().await;
                take(&mut olga, dialog).await;
                until_here(&mut olga, dialog).await;
                dialog
            };
            let dialog = tokio::select! {
                ended = &mut dying => panic!("{ended:?}"),
                dialog = here => dialog,
            };
            // Nothing of that node runs any more, and it says no word of farewell.
            std::mem::forget(anna_there);
            dialog
        };
        until_away(&mut olga, dialog).await;
        let _back = come(&west, "phone", dialog).await;
        until_here(&mut olga, dialog).await;
    };
    while_running(&west, at_work).await;
}
