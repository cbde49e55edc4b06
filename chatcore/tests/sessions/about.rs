//! Notes about a customer: for staff who see a dialog of theirs, and for the customer never.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use chatcore::{
    chat::Chat,
    content::{Content, Sealed},
    dialog::{CustomerCommand, DialogEvent, TransferTo},
    error::{Error, ErrorKind, Result},
    identity::{BodySealer, Identity, PlainSealer},
    ids::{CustomerId, DialogId, NoteId, OwnerEpoch, Seq, StreamId},
    record::{Command, Event},
};

use super::{
    anna,
    people::{Person, builder, customer, desk, ports, staff, while_running},
    staff_id, take, talk,
};

fn about(dialog: DialogId, text: &str) -> Command<Content> {
    Command::Customer(CustomerCommand::NoteCustomer {
        dialog,
        body: Content::Text(text.to_owned()),
    })
}

fn removed(dialog: DialogId, note: u64) -> Command<Content> {
    let note = NoteId(note);
    Command::Customer(CustomerCommand::RemoveCustomerNote { dialog, note })
}

/// What somebody was told of notes, over all streams: the text, or the number of one that went.
fn told(me: &Person) -> Vec<String> {
    let events = me.seen.values().flatten();
    events.filter_map(|event| of(&event.event)).collect()
}

fn of(event: &Event<Content>) -> Option<String> {
    match event {
        Event::Dialog(DialogEvent::CustomerNoted {
            body: Content::Text(text),
            ..
        }) => Some(text.clone()),
        Event::Dialog(DialogEvent::CustomerNoteRemoved { note, .. }) => Some(format!("-{note}")),
        _ => None,
    }
}

async fn read(chat: &Chat, who: &Identity, dialog: DialogId) -> Result<Vec<Content>> {
    let notes = chat.notes_about(who, dialog).await?;
    Ok(notes.into_iter().map(|(_, note)| note.body).collect())
}

fn texts(said: &[&str]) -> Vec<Content> {
    let text = |said: &&str| Content::Text((*said).to_owned());
    said.iter().map(text).collect()
}

/// Nothing of it on any path to the customer: what was followed, resumed from the start, or read.
async fn anna_knows_nothing(chat: &Chat, here: &Person, dialogs: &[DialogId]) {
    assert_eq!(told(here), [""; 0]);
    let me = here.sender.identity();
    let mut again = Person::connect(chat, customer("anna"), "other-phone");
    for dialog in dialogs {
        let stream = StreamId::Dialog(*dialog);
        let head = here.positions[&stream];
        again
            .until("all of it", |me| me.positions.get(&stream) == Some(&head))
            .await;
        let page = chat.events_after(&me, *dialog, Seq(0), 200);
        let page = page.await.unwrap();
        assert_eq!(page.upto, head, "the page reaches the end");
        assert!(page.events.iter().all(|event| of(&event.event).is_none()));
        let refused = chat.notes_about(&me, *dialog).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
    }
    assert_eq!(told(&again), [""; 0]);
}

async fn transfer(olga: &mut Person, dialog: DialogId, epoch: OwnerEpoch) {
    let transfer = CustomerCommand::Transfer {
        dialog,
        owner_epoch: epoch,
        to: TransferTo::Operator {
            desk: desk(),
            operator: staff_id("petr"),
            queue: None,
        },
        note: None,
    };
    olga.ask(&anna(), Command::Customer(transfer)).await;
    let stream = StreamId::Dialog(dialog);
    olga.until("she is out", |me| me.left.contains(&stream))
        .await;
}

#[tokio::test(start_paused = true)]
async fn notes_about_a_customer_are_for_staff_who_see_a_dialog_of_theirs() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut here, mut olga, dialog, epoch) = talk(&chat).await;
        let mut vera = Person::connect(&chat, staff("vera", true), "desk-3");
        let stream = StreamId::Dialog(dialog);
        vera.sender.follow(stream.clone(), None).unwrap();
        vera.until("she looks on", |me| me.positions.contains_key(&stream))
            .await;
        olga.ask(&anna(), about(dialog, "prefers calls")).await;
        olga.ask(&anna(), about(dialog, "wrong person")).await;
        olga.ask(&anna(), removed(dialog, 2)).await;
        for who in [&mut olga, &mut vera] {
            who.until("the notes", |me| told(me).len() == 3).await;
            assert_eq!(told(who), ["prefers calls", "wrong person", "-2"]);
            let notes = read(&chat, &who.sender.identity(), dialog).await.unwrap();
            assert_eq!(notes, texts(&["prefers calls"]));
        }
        let mut petr = Person::connect(&chat, staff("petr", false), "desk-2");
        // Who sees no dialog of hers sees no note; the customer may not even try.
        let refused = read(&chat, &petr.sender.identity(), dialog).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
        let tried = here.send(&anna(), about(dialog, "about me")).await;
        assert_eq!(tried.unwrap_err().kind(), ErrorKind::Forbidden);

        let status = chatcore::queue::DeskCommand::Status {
            operator: staff_id("petr"),
            status: chatcore::queue::OperatorStatus::Available,
        };
        petr.ask(&super::desk_target(), Command::Desk(status)).await;
        transfer(&mut olga, dialog, epoch).await;
        petr.until("he has it", |me| me.epoch(dialog).is_some())
            .await;
        petr.ask(&anna(), about(dialog, "has moved")).await;
        vera.until("it", |me| told(me).contains(&"has moved".to_owned()))
            .await;
        // Whatever else she is told, it is not this.
        let refused = read(&chat, &olga.sender.identity(), dialog).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
        let late = olga.send(&anna(), about(dialog, "late")).await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::Forbidden);
        assert!(!told(&olga).contains(&"has moved".to_owned()));
        here.until("the end", |me| me.head(dialog) == vera.head(dialog))
            .await;
        anna_knows_nothing(&chat, &here, &[dialog]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_later_dialog_has_the_notes_beside_it() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut here, mut olga, first, epoch) = talk(&chat).await;
        olga.ask(&anna(), about(first, "prefers calls")).await;
        let close = CustomerCommand::Close {
            dialog: first,
            owner_epoch: Some(epoch),
            outcome: chatcore::ids::Label::try_new("solved").unwrap(),
        };
        olga.ask(&anna(), Command::Customer(close)).await;
        let second = here.open().await;
        assert_ne!(second, first);
        let mut petr = Person::connect(&chat, staff("petr", false), "desk-2");
        take(&mut petr, second).await;
        let notes = read(&chat, &petr.sender.identity(), second).await.unwrap();
        assert_eq!(notes, texts(&["prefers calls"]));
        // Of the customer, not of the dialog: they are the same beside the one that ended.
        petr.ask(&anna(), about(second, "has moved")).await;
        petr.until("it", |me| told(me) == ["has moved"]).await;
        let notes = read(&chat, &olga.sender.identity(), first).await.unwrap();
        assert_eq!(notes, texts(&["prefers calls", "has moved"]));
        here.until("the end", |me| me.head(second) == petr.head(second))
            .await;
        anna_knows_nothing(&chat, &here, &[second]).await;
    })
    .await;
}

/// Has lost the keys of all customers, once it is told so.
#[derive(Debug, Default)]
struct Erasing(AtomicBool);

impl BodySealer for Erasing {
    fn seal(&self, customer: &CustomerId, content: &Content) -> Result<Sealed> {
        PlainSealer.seal(customer, content)
    }

    fn open(&self, customer: &CustomerId, sealed: &Sealed) -> Result<Content> {
        if self.0.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::NotFound, "open a body"));
        }
        PlainSealer.open(customer, sealed)
    }
}

#[tokio::test(start_paused = true)]
async fn notes_are_erased_with_the_customers_key() {
    let sealer = Arc::new(Erasing::default());
    let chat = builder(ports().0).with_sealer(sealer.clone());
    let chat = chat.build().unwrap();
    while_running(&chat, async {
        let (_here, mut olga, dialog, _) = talk(&chat).await;
        olga.ask(&anna(), about(dialog, "prefers calls")).await;
        let me = olga.sender.identity();
        let notes = read(&chat, &me, dialog).await.unwrap();
        assert_eq!(notes, texts(&["prefers calls"]));
        sealer.0.store(true, Ordering::Relaxed);
        let notes = read(&chat, &me, dialog).await.unwrap();
        assert_eq!(notes, [Content::Erased]);
        let page = chat.events_after(&me, dialog, Seq(0), 200).await.unwrap();
        assert!(page.events.iter().all(|event| of(&event.event).is_none()));
    })
    .await;
}
