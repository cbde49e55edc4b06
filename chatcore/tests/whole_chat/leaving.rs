//! Dialogs that are over leave the live view; whoever has followed them, comes back to them or
//! reads them notices nothing of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chatcore::{
    chat::Chat,
    dialog::{CustomerCommand, DialogSettings},
    engine::{Aggregate, Machine},
    ids::{DialogId, Label, Seq, StreamId},
    memory,
    ports::Ports,
    record::Position,
    routing::{HubConfig, LeftReason, PersonLimits},
};

use super::{Person, TokioClock, anna, customer, events, opens, says, text, while_running};

/// How long a dialog may be reopened here.
const REOPEN_MS: u64 = 5_000;
/// Longer than a node waits between two checks of heads.
const CHECKED: Duration = Duration::from_secs(50);

fn chat() -> Chat {
    let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
    let settings = DialogSettings {
        reopen_ms: REOPEN_MS,
        ..DialogSettings::default()
    };
    let person = PersonLimits {
        kinds: BTreeMap::new(),
        ..PersonLimits::default()
    };
    let hub = HubConfig {
        person,
        ..HubConfig::default()
    };
    Chat::builder(memory::ports(4, clock))
        .with_dialog_settings(settings)
        .with_hub(hub)
        .build()
        .unwrap()
}

/// A dialog from its first word to its end.
async fn talks_and_closes(person: &mut Person) -> DialogId {
    let dialog = opens(person).await;
    person
        .does(&anna(), says(dialog, text("hello"), None))
        .await;
    let close = CustomerCommand::Close {
        dialog,
        owner_epoch: None,
        outcome: Label::try_new("solved").unwrap(),
    };
    person.does(&anna(), customer(close)).await;
    person.sees(dialog, "closed by anna: solved").await;
    dialog
}

/// Waits until these streams have left the live view.
async fn have_left(ports: &Ports, dialogs: &[DialogId]) {
    let streams: Vec<_> = dialogs.iter().map(|id| StreamId::Dialog(*id)).collect();
    let left = async {
        loop {
            let heads = ports.streams.heads(&streams).await.unwrap();
            if heads.iter().all(|head| head.seq == Seq(0)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(600), left).await;
    waited.expect("dialogs that are over leave the live view");
}

/// What is kept of anna's dialogs: in the state, and still to be forgotten.
async fn kept(ports: &Ports) -> (usize, usize) {
    let stored = ports.streams.load(&[anna()]).await.unwrap();
    let state = Aggregate::load(&anna(), &stored[0]).unwrap();
    match state.machine() {
        Machine::Customer(state) => (state.dialogs().count(), state.leaving().count()),
        Machine::Desk(_) => unreachable!(),
    }
}

#[tokio::test(start_paused = true)]
async fn many_dialogs_leave_the_store_and_are_read_back_whole() {
    let chat = chat();
    while_running(&chat, async {
        let mut anna_ = Person::customer("anna");
        anna_.come(&chat);
        let mut dialogs = Vec::new();
        for _ in 0..100 {
            dialogs.push(talks_and_closes(&mut anna_).await);
            // No faster than a session may write.
            anna_.listen(Duration::from_secs(2)).await;
        }
        have_left(chat.ports(), &dialogs).await;
        assert_eq!(kept(chat.ports()).await, (0, 0));
        for dialog in &dialogs {
            let seen = events(&anna_, *dialog);
            let read = chat
                .events_after(&anna_.identity(), *dialog, Seq(0), 100)
                .await
                .unwrap();
            let seqs: Vec<u64> = read.events.iter().map(|e| e.seq.0).collect();
            let expected: Vec<u64> = seen.iter().map(|(seq, _)| *seq).collect();
            assert_eq!(seqs, expected, "{dialog}: {seen:?}");
            let told = &anna_.streams[&StreamId::Dialog(*dialog)];
            assert_eq!(read.upto, told.at);
        }
        assert_eq!(chat.stats().mismatches, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_a_dialog_that_leaves_notices_nothing() {
    let chat = chat();
    while_running(&chat, async {
        let mut anna_ = Person::customer("anna");
        anna_.come(&chat);
        let dialog = talks_and_closes(&mut anna_).await;
        let told = anna_.streams[&StreamId::Dialog(dialog)].events.clone();
        // She listens on while it settles, leaves, and is looked for by the check of heads.
        anna_.listen(CHECKED).await;
        have_left(chat.ports(), &[dialog]).await;
        anna_.listen(CHECKED).await;
        let now = &anna_.streams[&StreamId::Dialog(dialog)];
        assert_eq!((now.resets, now.left), (1, None));
        assert_eq!(now.events, told);
        assert_eq!(chat.stats().mismatches, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn coming_back_much_later_to_a_dialog_that_has_left_works() {
    let chat = chat();
    while_running(&chat, async {
        let mut anna_ = Person::customer("anna");
        anna_.come(&chat);
        let dialog = talks_and_closes(&mut anna_).await;
        let stream = StreamId::Dialog(dialog);
        have_left(chat.ports(), &[dialog]).await;
        tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
        let all = anna_.streams[&stream].events.clone();
        let end = anna_.streams[&stream].at;
        let whole = chat
            .events_after(&anna_.identity(), dialog, Seq(0), 100)
            .await
            .unwrap();
        anna_.leave().await;

        // From any event on that she has, without a word of starting anew.
        let mut places = vec![Position::default()];
        places.extend(whole.events.iter().map(|e| Position {
            seq: e.seq,
            hash: e.hash,
        }));
        for place in places {
            let mut back = Person::customer("anna");
            back.had(stream.clone(), place);
            back.come(&chat);
            let expected: Vec<_> = all.iter().filter(|(n, _)| *n > place.seq.0).collect();
            back.until("the rest", |p| p.streams[&stream].at == end)
                .await;
            back.listen(CHECKED).await;
            let told = &back.streams[&stream];
            assert_eq!((told.resets, told.left), (0, None), "from {place:?}");
            assert_eq!(told.events.iter().collect::<Vec<_>>(), expected);
            back.leave().await;
        }
        assert_eq!(chat.stats().mismatches, 0);

        // Another history is still an alarm, and one who never had anything gets it all.
        let mut other = Person::customer("anna");
        let hash = end.hash.then(Seq(1), b"other");
        other.had(stream.clone(), Position { hash, ..end });
        other.come(&chat);
        other
            .until("a reset", |p| p.streams[&stream].at == end)
            .await;
        assert_eq!(chat.stats().mismatches, 1);
        assert_eq!(other.streams[&stream].events, all);
        other.leave().await;

        // What never was, and what is another's, is nothing that one may see.
        let mut boris = Person::customer("boris");
        let never = StreamId::Dialog(DialogId(dialog.0 + 400));
        boris.had(never.clone(), end);
        boris.had(stream.clone(), end);
        boris.come(&chat);
        let refused = |p: &Person, s: &StreamId| p.streams[s].left == Some(LeftReason::NoRight);
        boris
            .until("no", |p| refused(p, &never) && refused(p, &stream))
            .await;
    })
    .await;
}
