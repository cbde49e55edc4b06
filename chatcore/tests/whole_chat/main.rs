//! The whole core in one process: a dialog from the customer's first word to the rating, through
//! bot, board, two operators and a lost connection. What each audience sees is compared with the
//! complete sequence that it must see.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end at once"
)]

mod leaving;
mod person;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chatcore::{
    bot::{BotRules, RuleBot},
    chat::Chat,
    clock::{Clock, Timestamp},
    content::Content,
    dialog::{CustomerCommand, Message, Open, Rejection, TransferTo},
    ids::{
        ChannelId, CustomerId, DeskId, DialogId, Label, OwnerEpoch, QueueId, Seq, StaffId,
        StreamId, Target,
    },
    memory,
    queue::{DeskCommand, DeskConfig, OperatorConfig, OperatorStatus, Presence, QueueConfig},
    record::{Command, Outcome},
    routing::LeftReason,
};
use person::{Person, desk};
use tokio_util::sync::CancellationToken;

/// A wall clock that follows tokio's, which the tests pause.
#[derive(Debug)]
struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000).plus(self.0.elapsed())
    }
}

fn desk_rules() -> DeskConfig {
    let general = QueueId::try_new("general").unwrap();
    let operator = |name: &str| OperatorConfig {
        name: name.to_owned(),
        capacity: 2,
        queues: [general.clone()].into(),
    };
    DeskConfig {
        queues: BTreeMap::from([(general.clone(), QueueConfig::default())]),
        operators: ["olga", "petr"]
            .into_iter()
            .map(|id| (StaffId::try_new(id).unwrap(), operator(id)))
            .collect(),
        grace_ms: 30_000,
        grant_resend_ms: 5_000,
        reconcile_ms: 60_000,
    }
}

fn bot() -> RuleBot {
    RuleBot::try_new(BotRules {
        greeting: "good day".to_owned(),
        rules: Vec::new(),
        person_button: "a person".to_owned(),
        person_words: Vec::new(),
        handing_over: "somebody will come".to_owned(),
        not_understood: "pardon".to_owned(),
        failures_max: 2,
        queue: None,
    })
    .unwrap()
}

fn chat() -> Chat {
    let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
    Chat::builder(memory::ports(4, clock))
        .with_desk(DeskId::try_new("main").unwrap(), desk_rules())
        .with_bot(Arc::new(bot()))
        .build()
        .unwrap()
}

/// Runs the chat while `act` goes on; both must end well.
async fn while_running(chat: &Chat, act: impl Future<Output = ()>) {
    let shutdown = CancellationToken::new();
    let mut run = std::pin::pin!(chat.run(shutdown.clone()));
    tokio::select! {
        () = act => {}
        ended = &mut run => panic!("the chat ended by itself: {ended:?}"),
    }
    shutdown.cancel();
    run.await.unwrap();
}

fn anna() -> Target {
    Target::Customer(CustomerId::try_new("anna").unwrap())
}

fn customer(command: CustomerCommand<Content>) -> Command<Content> {
    Command::Customer(command)
}

fn text(text: &str) -> Content {
    Content::Text(text.to_owned())
}

fn says(dialog: DialogId, body: Content, owner_epoch: Option<OwnerEpoch>) -> Command<Content> {
    customer(CustomerCommand::Message(Message {
        dialog,
        body,
        reply_to: None,
        owner_epoch,
    }))
}

fn note(dialog: DialogId, body: &str) -> Command<Content> {
    let body = text(body);
    customer(CustomerCommand::Note { dialog, body })
}

/// The epoch of an ownership, as the owner's board tells it.
async fn holds(operator: &mut Person, dialog: DialogId) -> OwnerEpoch {
    let me = operator.staff();
    let held = |person: &Person| {
        person
            .board
            .grants
            .values()
            .find(|grant| grant.dialog == Some(dialog) && grant.operator == me)
            .and_then(|grant| grant.held)
    };
    operator.until("a grant", |p| held(p).is_some()).await;
    held(operator).unwrap()
}

async fn available(operator: &mut Person) {
    let me = operator.staff();
    let is = |p: &Person, status: Option<OperatorStatus>| {
        p.board.operators.get(&me).is_some_and(|one| {
            one.presence == Presence::Online && status.is_none_or(|status| one.status == status)
        })
    };
    operator.until("being here", |p| is(p, None)).await;
    let status = OperatorStatus::Available;
    operator
        .does_at_desk(DeskCommand::Status {
            operator: operator.staff(),
            status,
        })
        .await;
    operator
        .until("being available", |p| is(p, Some(status)))
        .await;
}

async fn opens(person: &mut Person) -> DialogId {
    let open = customer(CustomerCommand::Open(Open {
        channel: ChannelId::try_new("web").unwrap(),
        topic: None,
        settings: Default::default(),
    }));
    person.does(&anna(), open).await.dialog.unwrap()
}

/// Opens a dialog, lets the bot greet, asks for a person; answers once both operators see it wait.
async fn asks_for_a_person(anna_: &mut Person, operators: [&mut Person; 2]) -> DialogId {
    let dialog = opens(anna_).await;
    anna_.sees(dialog, "bot: good day").await;
    let pressed = Content::Pressed {
        id: "person".to_owned(),
        label: "a person".to_owned(),
    };
    anna_.does(&anna(), says(dialog, pressed, None)).await;
    anna_.sees(dialog, "waiting asked").await;
    for operator in operators {
        let waits = |p: &Person| p.board.waiting.contains_key(&dialog);
        operator.until("it to wait", waits).await;
    }
    dialog
}

/// Both take it at once; answers the winner, the loser, and the winner's epoch.
async fn race(
    dialog: DialogId,
    (mut one, mut other): (Person, Person),
) -> (Person, Person, OwnerEpoch) {
    let take = || Command::Desk(DeskCommand::Take { dialog });
    let (first, second) = {
        let (a, b) = (desk(), desk());
        tokio::join!(one.send(&a, take()), other.send(&b, take()))
    };
    let first = one.outcome(&desk(), first).await;
    let lost = other.outcome(&desk(), second).await;
    let (mut winner, loser, lost) = match first {
        Outcome::Accepted(_) => (one, other, lost),
        Outcome::Rejected(_) => (other, one, first),
    };
    let by = winner.staff();
    assert_eq!(lost, Outcome::Rejected(Rejection::AlreadyOwned { by }));
    let epoch = holds(&mut winner, dialog).await;
    (winner, loser, epoch)
}

fn events(person: &Person, dialog: DialogId) -> Vec<(u64, &str)> {
    let told = &person.streams[&StreamId::Dialog(dialog)];
    told.events.iter().map(|(n, e)| (*n, e.as_str())).collect()
}

fn without(all: &[(u64, &'static str)], hidden: &[u64]) -> Vec<(u64, &'static str)> {
    let shown = all.iter().filter(|(seq, _)| !hidden.contains(seq));
    shown.copied().collect()
}

/// What happens in the dialog of `a_dialog_goes_from_the_first_word_to_the_rating`; olga wins the
/// race, for her command is written down first.
const ALL: &[(u64, &str)] = &[
    (1, "opened"),
    (2, "ruled"),
    (3, "bot: good day"),
    (4, "anna: a person"),
    (5, "bot: somebody will come"),
    (6, "waiting asked"),
    (7, "assigned olga"),
    (8, "olga: hello"),
    (9, "anna: my card is gone"),
    (10, "note of olga: sounds upset"),
    (11, "held"),
    (12, "olga: one moment"),
    (13, "resumed"),
    (14, "anna: are you there?"),
    (15, "note of olga: lost card"),
    (16, "waiting transferred"),
    (17, "assigned petr"),
    (18, "petr: it is blocked now"),
    (19, "anna: thank you"),
    (20, "wrapup"),
    (21, "closed by petr: solved"),
    (22, "rated 5: quick"),
];

/// The customer is away from the note to the resume; what was sent before is sent again.
async fn talk(chat: &Chat, anna_: &mut Person, olga: &mut Person, at: (DialogId, OwnerEpoch)) {
    let (dialog, epoch) = at;
    olga.does(&anna(), says(dialog, text("hello"), Some(epoch)))
        .await;
    anna_.sees(dialog, "olga: hello").await;
    let n = anna_
        .send(&anna(), says(dialog, text("my card is gone"), None))
        .await;
    let heard = anna_.outcome(&anna(), n).await;
    olga.sees(dialog, "anna: my card is gone").await;
    anna_.vanish();

    olga.does(&anna(), note(dialog, "sounds upset")).await;
    let owner_epoch = epoch;
    let hold = CustomerCommand::Hold {
        dialog,
        owner_epoch,
    };
    olga.does(&anna(), customer(hold)).await;
    olga.does(&anna(), says(dialog, text("one moment"), Some(epoch)))
        .await;
    let resume = CustomerCommand::Resume {
        dialog,
        owner_epoch,
    };
    olga.does(&anna(), customer(resume)).await;

    let resets = anna_.streams[&StreamId::Dialog(dialog)].resets;
    anna_.come(chat);
    anna_.send_again(&anna(), n).await;
    assert_eq!(anna_.outcome(&anna(), n).await, heard, "word for word");
    anna_.sees(dialog, "resumed").await;
    assert_eq!(anna_.streams[&StreamId::Dialog(dialog)].resets, resets);
    anna_
        .does(&anna(), says(dialog, text("are you there?"), None))
        .await;
    olga.sees(dialog, "anna: are you there?").await;
}

/// Passes the dialog on, after which its former owner may do nothing.
async fn transfer(olga: &mut Person, petr: &mut Person, dialog: DialogId, epoch: OwnerEpoch) {
    let transfer = CustomerCommand::Transfer {
        dialog,
        owner_epoch: epoch,
        to: TransferTo::Operator {
            desk: DeskId::try_new("main").unwrap(),
            operator: petr.staff(),
            queue: None,
        },
        note: Some(text("lost card")),
    };
    olga.does(&anna(), customer(transfer)).await;
    let stream = StreamId::Dialog(dialog);
    olga.until("to be shown out", |p| p.streams[&stream].left.is_some())
        .await;
    assert_eq!(olga.streams[&stream].left, Some(LeftReason::NoRight));
    let late = says(dialog, text("late"), Some(epoch));
    let late = olga.sender().send(anna(), 99, late).await;
    late.expect_err("who has no right to a dialog says nothing in it");
}

#[tokio::test(start_paused = true)]
async fn a_dialog_goes_from_the_first_word_to_the_rating() {
    let chat = chat();
    while_running(&chat, async {
        let mut anna_ = Person::customer("anna");
        let (mut olga, mut petr) = (Person::operator("olga"), Person::operator("petr"));
        for person in [&mut anna_, &mut olga, &mut petr] {
            person.come(&chat);
        }
        available(&mut olga).await;
        available(&mut petr).await;
        let dialog = asks_for_a_person(&mut anna_, [&mut olga, &mut petr]).await;
        let (mut olga, mut petr, epoch) = race(dialog, (olga, petr)).await;
        assert_eq!(olga.id(), "olga", "whose command was written down first");
        talk(&chat, &mut anna_, &mut olga, (dialog, epoch)).await;
        transfer(&mut olga, &mut petr, dialog, epoch).await;

        let epoch = holds(&mut petr, dialog).await;
        petr.does(
            &anna(),
            says(dialog, text("it is blocked now"), Some(epoch)),
        )
        .await;
        anna_.sees(dialog, "petr: it is blocked now").await;
        anna_
            .does(&anna(), says(dialog, text("thank you"), None))
            .await;
        petr.sees(dialog, "anna: thank you").await;
        let owner_epoch = epoch;
        let wrap_up = CustomerCommand::WrapUp {
            dialog,
            owner_epoch,
        };
        petr.does(&anna(), customer(wrap_up)).await;
        let close = CustomerCommand::Close {
            dialog,
            owner_epoch: Some(epoch),
            outcome: Label::try_new("solved").unwrap(),
        };
        petr.does(&anna(), customer(close)).await;
        anna_.sees(dialog, "closed by petr: solved").await;
        let rate = CustomerCommand::Rate {
            dialog,
            score: 5,
            comment: Some(text("quick")),
        };
        anna_.does(&anna(), customer(rate)).await;
        petr.sees(dialog, "rated 5: quick").await;
        for person in [&mut anna_, &mut olga, &mut petr] {
            person.listen(Duration::from_secs(90)).await;
        }

        assert_eq!(events(&anna_, dialog), without(ALL, &[2, 10, 15]));
        assert_eq!(events(&petr, dialog), ALL);
        // Who passed it on stops at once, before the note that she sent with it comes back.
        assert_eq!(events(&olga, dialog), ALL[..14]);
        let own = &anna_.streams[&StreamId::Customer(CustomerId::try_new("anna").unwrap())];
        let own: Vec<_> = own.events.iter().map(|(_, event)| event.as_str()).collect();
        assert_eq!(own, ["dialogopened", "dialogclosed"]);
        assert!(petr.board.grants.is_empty() && petr.board.waiting.is_empty());
        assert_eq!(petr.board, olga.board, "all see one board");
        assert_eq!(chat.stats().mismatches, 0);
        for person in [&mut anna_, &mut olga, &mut petr] {
            person.leave().await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_misses_nothing_and_repeats_nothing() {
    let chat = chat();
    while_running(&chat, async {
        let mut anna_ = Person::customer("anna");
        let (mut olga, mut petr) = (Person::operator("olga"), Person::operator("petr"));
        for person in [&mut anna_, &mut olga, &mut petr] {
            person.come(&chat);
        }
        available(&mut olga).await;
        available(&mut petr).await;
        let dialog = asks_for_a_person(&mut anna_, [&mut olga, &mut petr]).await;
        let (mut winner, mut loser, epoch) = race(dialog, (olga, petr)).await;
        // The race's outcomes are the same when the takes come again, on another session.
        for person in [&mut winner, &mut loser] {
            let n = 2;
            let heard = person.outcome(&desk(), n).await;
            person.vanish();
            person.come(&chat);
            person.send_again(&desk(), n).await;
            assert_eq!(person.outcome(&desk(), n).await, heard);
        }
        // Each is away now and then while the other writes.
        for i in 0..6 {
            anna_.vanish();
            let from_staff = format!("to anna {i}");
            let from_anna = format!("from anna {i}");
            winner
                .does(&anna(), says(dialog, text(&from_staff), Some(epoch)))
                .await;
            winner.does(&anna(), note(dialog, "hidden")).await;
            winner.vanish();
            anna_.come(&chat);
            anna_
                .sees(dialog, &format!("{}: {from_staff}", winner.id()))
                .await;
            anna_
                .does(&anna(), says(dialog, text(&from_anna), None))
                .await;
            winner.come(&chat);
            winner.sees(dialog, &format!("anna: {from_anna}")).await;
        }
        anna_.sees(dialog, "anna: from anna 5").await;
        let seen = events(&winner, dialog);
        let seqs: Vec<u64> = seen.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, (1..=7 + 18).collect::<Vec<_>>(), "{seen:?}");
        let shown = |(_, event): &&(u64, &str)| !event.starts_with("note") && *event != "ruled";
        let for_anna: Vec<_> = seen.iter().filter(shown).copied().collect();
        assert_eq!(events(&anna_, dialog), for_anna);
        assert_eq!(winner.streams[&StreamId::Dialog(dialog)].resets, 1);
        assert_eq!(anna_.streams[&StreamId::Dialog(dialog)].resets, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn typing_and_cursors_reach_the_other_side() {
    let chat = chat();
    while_running(&chat, async {
        let mut anna_ = Person::customer("anna");
        let (mut olga, mut petr) = (Person::operator("olga"), Person::operator("petr"));
        for person in [&mut anna_, &mut olga, &mut petr] {
            person.come(&chat);
        }
        available(&mut olga).await;
        available(&mut petr).await;
        let dialog = asks_for_a_person(&mut anna_, [&mut olga, &mut petr]).await;
        let (mut winner, loser, epoch) = race(dialog, (olga, petr)).await;
        winner.sees(dialog, "waiting asked").await;
        winner.sender().typing(dialog).unwrap();
        anna_.until("typing", |p| !p.typing.is_empty()).await;
        winner
            .does(&anna(), says(dialog, text("hello"), Some(epoch)))
            .await;
        anna_.sees(dialog, &format!("{}: hello", winner.id())).await;
        anna_.sender().cursor(dialog, Seq(8), Seq(8)).unwrap();
        // Cursors are written down by the session that is listened to.
        let (_, ()) = tokio::join!(
            anna_.listen(Duration::from_secs(5)),
            winner.until("the cursor", |p| p.cursors.iter().any(|c| c.read == Seq(8))),
        );
        let strange = loser.sender().typing(dialog);
        strange.expect_err("who does not own a dialog does not type in it");
    })
    .await;
}
