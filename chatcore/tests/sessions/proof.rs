//! How surely customers are who they say: by the session that wrote, and kept with what it wrote.

use std::collections::BTreeMap;

use chatcore::{
    content::Content,
    dialog::{CustomerCommand, DialogEvent},
    identity::{Assurance, Identity},
    ids::{DialogId, Seq, StreamId},
    record::{Command, Event},
    routing::StreamState,
};

use super::{
    anna,
    people::{Person, builder, customer, identity, ports, say, staff, while_running},
    talk,
};

fn as_sure_as(assurance: Assurance) -> Identity {
    Identity {
        assurance,
        ..identity(customer("anna"))
    }
}

/// What was told of each message and each change of one, in order.
fn told(person: &Person, dialog: DialogId) -> Vec<Option<Assurance>> {
    let events = person.seen[&StreamId::Dialog(dialog)].iter();
    let of = |event: &Event<Content>| match event {
        Event::Dialog(
            DialogEvent::Message { assurance, .. } | DialogEvent::Edited { assurance, .. },
        ) => Some(*assurance),
        _ => None,
    };
    events.filter_map(|e| of(&e.event)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_customer_writes_says_how_surely_it_is_theirs() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut signed_in, mut olga, dialog, epoch) = talk(&chat).await;
        signed_in.ask(&anna(), say(dialog, "signed in", None)).await;
        let known = as_sure_as(Assurance::Known);
        let mut by_cookie = Person::of(&chat, known, "tablet", BTreeMap::new());
        let stream = StreamId::Dialog(dialog);
        by_cookie
            .until("the dialog", |me| me.positions.contains_key(&stream))
            .await;
        by_cookie.ask(&anna(), say(dialog, "by cookie", None)).await;
        olga.ask(&anna(), say(dialog, "hello", Some(epoch))).await;
        signed_in
            .until("all", |me| me.texts(dialog).len() == 3)
            .await;
        let message = signed_in.head(dialog);
        let first = Seq(message.0 - 2);
        let edit = CustomerCommand::Edit {
            dialog,
            message: first,
            body: Content::Text("changed by cookie".to_owned()),
            owner_epoch: None,
        };
        by_cookie.ask(&anna(), Command::Customer(edit)).await;
        olga.until("the change", |me| told(me, dialog).len() == 4)
            .await;
        let (sure, known) = (Some(Assurance::Authenticated), Some(Assurance::Known));
        assert_eq!(told(&olga, dialog), [sure, known, None, known]);

        // Who comes later starts from the newest.
        let at = chat
            .dialog(&identity(staff("vera", true)), dialog)
            .await
            .unwrap();
        assert_eq!(at.view.assurance, known);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_becomes_surer_writes_so_from_then_on() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let anonymous = as_sure_as(Assurance::Anonymous);
        let mut me = Person::of(&chat, anonymous, "phone", BTreeMap::new());
        let dialog = me.open().await;
        let stream = StreamId::Dialog(dialog);
        let StreamState::Dialog(begun) = &me.resets.iter().find(|r| r.0 == stream).unwrap().2
        else {
            panic!("no dialog");
        };
        assert!(matches!(begun.assurance, None | Some(Assurance::Anonymous)));
        me.ask(&anna(), say(dialog, "anybody", None)).await;
        me.sender.refresh(as_sure_as(Assurance::SteppedUp)).unwrap();
        me.ask(&anna(), say(dialog, "it is me", None)).await;
        me.until("both", |me| told(me, dialog).len() == 2).await;
        let expected = [Assurance::Anonymous, Assurance::SteppedUp].map(Some);
        assert_eq!(told(&me, dialog), expected);
    })
    .await;
}
