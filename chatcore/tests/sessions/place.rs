//! The place in the line, as its customer is told.

use std::time::Duration;

use chatcore::{
    chat::Chat,
    dialog::CustomerCommand,
    ids::{CustomerId, DialogId, Label, StreamId, Target},
    queue::{PlaceInLine, WaitRange},
    record::Command,
};

use super::{
    people::{Person, builder, customer, ports, staff, while_running},
    take,
};

fn name(n: usize) -> String {
    format!("customer-{n}")
}

async fn wait_in_line(chat: &Chat, n: usize) -> (Person, DialogId) {
    let mut person = Person::connect(chat, customer(&name(n)), "phone");
    let dialog = person.open().await;
    // One after another: who came first is first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    (person, dialog)
}

fn last(me: &Person) -> Option<PlaceInLine> {
    me.places.last().map(|(_, _, place)| *place)
}

async fn until_place(me: &mut Person, first: u32) -> PlaceInLine {
    me.until("the place", |me| last(me).is_some_and(|p| p.first == first))
        .await;
    last(me).unwrap()
}

/// The operator takes a dialog and closes it.
async fn serve(operator: &mut Person, n: usize, dialog: DialogId) {
    let owner_epoch = Some(take(operator, dialog).await);
    let close = CustomerCommand::Close {
        dialog,
        owner_epoch,
        outcome: Label::try_new("solved").unwrap(),
    };
    let target = Target::Customer(CustomerId::try_new(name(n)).unwrap());
    operator.ask(&target, Command::Customer(close)).await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_their_place_and_how_long_it_takes() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let mut line = Vec::new();
        for n in 0..7 {
            line.push(wait_in_line(&chat, n).await);
        }
        let mut olga = Person::connect(&chat, staff("olga", false), "desk-1");
        let (mut me, mine) = line.pop().unwrap();
        let place = until_place(&mut me, 7).await;
        // Operators take whom they like here, and nothing is known of how they do.
        assert_eq!((place.last, place.wait), (7, None));
        let (mut second, its) = line.pop().unwrap();
        let place = until_place(&mut second, 6).await;
        assert_eq!((place.last, place.wait), (7, None));
        assert!(second.places.iter().all(|(dialog, ..)| *dialog == its));

        for (n, (_, dialog)) in line.iter().enumerate() {
            tokio::time::sleep(Duration::from_secs(120)).await;
            serve(&mut olga, n, *dialog).await;
        }
        let place = until_place(&mut me, 2).await;
        assert_eq!(place.last, 2, "nobody was passed over");
        let wait = place.wait.unwrap();
        assert!(
            matches!(
                wait,
                WaitRange {
                    from_min: 3 | 4,
                    to_min: 4 | 5
                }
            ),
            "{wait:?}"
        );

        // In between it is told only when it changed, and never faster than the rounds.
        let firsts: Vec<u32> = me.places.iter().map(|(_, _, place)| place.first).collect();
        let mut sorted = firsts.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(firsts, sorted, "places go down");
        for pair in me.places.windows(2) {
            assert_ne!(pair[0].2, pair[1].2);
            assert!(pair[1].1 - pair[0].1 >= Duration::from_secs(2), "{pair:?}");
        }
        assert!(me.places.iter().all(|(dialog, ..)| *dialog == mine));

        // Whoever is served is told no more.
        serve(&mut olga, 6, mine).await;
        let stream = StreamId::Dialog(mine);
        let head = olga.positions[&stream].seq;
        me.until("it is closed", |me| me.positions[&stream].seq >= head)
            .await;
        let told = me.places.len();
        let patience = Duration::from_secs(60);
        let more = me.until("more", |me| me.places.len() > told);
        assert!(tokio::time::timeout(patience, more).await.is_err());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_new_session_and_a_new_wait_are_told_the_place_again() {
    let chat = builder(ports().0).build().unwrap();
    while_running(&chat, async {
        let (mut me, dialog) = wait_in_line(&chat, 1).await;
        until_place(&mut me, 1).await;
        let positions = me.positions.clone();
        drop(me);
        let mut back = Person::resume(&chat, customer(&name(1)), "phone", positions);
        until_place(&mut back, 1).await;
        let told = back.places.len();
        let mut olga = Person::connect(&chat, staff("olga", false), "desk-1");
        let owner_epoch = take(&mut olga, dialog).await;
        let back_to_queue = CustomerCommand::ReturnToQueue {
            dialog,
            owner_epoch,
        };
        let target = Target::Customer(CustomerId::try_new(name(1)).unwrap());
        olga.ask(&target, Command::Customer(back_to_queue)).await;
        back.until("again", |me| me.places.len() > told).await;
        assert_eq!(last(&back).unwrap().first, 1);
    })
    .await;
}
