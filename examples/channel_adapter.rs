//! A channel in one file: a pager.
//!
//! A line that you type is a message from the pager's owner; what the bank says is printed.
//! `--check` plays a short conversation by itself, with a message that is delivered twice.
//!
//! ```text
//! cargo run -p chatcore-examples --bin channel_adapter
//! ```

#![allow(clippy::print_stdout, reason = "a pager has nothing but its screen")]

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use chatcore::{
    bot::{BotRule, BotRules, RuleBot},
    channel::{
        Capabilities, ChannelAdapter, ChannelIntake, Incoming, IncomingId, IncomingIds, Outgoing,
        Reached, Told,
    },
    chat::Chat,
    clock::{SystemClock, Timestamp},
    content::{Content, ContentKind},
    error::{Error, ErrorKind},
    identity::{Assurance, Identity, Proof, Who},
    ids::{ChannelId, CustomerId},
    memory,
    record::Event,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Turns a pager's number into a customer's id. From a secret store in real life: with another key
/// everybody would be somebody else.
const KEY: [u8; 32] = [7; 32];
const NUMBER: &str = "+7 900 000-00-00";

/// Shows messages on a screen, here the other end of a channel.
#[derive(Debug)]
struct Pager {
    id: ChannelId,
    screen: mpsc::Sender<Outgoing>,
}

#[async_trait]
impl ChannelAdapter for Pager {
    fn id(&self) -> &ChannelId {
        &self.id
    }

    /// No more than is true: what is not here the core does without.
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            contents: vec![ContentKind::Text],
            text_chars_max: 160,
            tells_delivered: false,
            tells_read: true,
            edits: false,
            incoming: IncomingIds::Named {
                redelivery: Duration::from_secs(24 * 60 * 60),
            },
            idempotent_send: false,
        }
    }

    /// The error's kind tells whether it is tried again: `Unavailable` is, `Invalid` is not.
    async fn send(&self, message: &Outgoing) -> chatcore::error::Result<()> {
        let sent = self.screen.send(message.clone()).await;
        sent.map_err(|_| Error::new(ErrorKind::Unavailable, "show on the pager"))
    }
}

/// What comes from the pager: its own id of the message tells a second delivery from a second
/// message.
async fn page(intake: &ChannelIntake, id: &str, text: &str) -> Result<()> {
    let incoming = Incoming {
        customer: intake.customer(&KEY, NUMBER),
        id: IncomingId::Name(id.to_owned()),
        content: Content::Text(text.to_owned()),
        trace: None,
    };
    // Only when this returns may the messenger be told that the message has arrived.
    Ok(intake.receive(incoming).await?)
}

/// The pager says that a message was read: operators see it as the tick of that message.
async fn read(intake: &ChannelIntake, message: &Outgoing) -> Result<()> {
    let told = Told {
        customer: message.customer.clone(),
        dialog: message.dialog,
        seq: message.seq,
        reached: Reached::Read,
    };
    Ok(intake.told(told).await?)
}

fn bot() -> Result<RuleBot> {
    Ok(RuleBot::try_new(BotRules {
        greeting: "Good day! Ask me for our hours.".to_owned(),
        rules: vec![BotRule {
            id: "hours".to_owned(),
            button: None,
            words: vec!["hours".to_owned(), "open".to_owned()],
            answer: "We are open from 9 to 18.".to_owned(),
        }],
        person_button: "Call a person".to_owned(),
        person_words: vec!["person".to_owned()],
        handing_over: "A person will answer here.".to_owned(),
        not_understood: "I did not understand.".to_owned(),
        failures_max: 2,
        queue: None,
    })?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (screen, shown) = mpsc::channel(16);
    let pager = Arc::new(Pager {
        id: ChannelId::try_new("pager")?,
        screen,
    });
    let chat = Chat::builder(memory::ports(4, Arc::new(SystemClock)))
        .with_channel(pager.clone())
        .with_bot(Arc::new(bot()?))
        .build()?;
    let intake = chat.channel(&pager.id).context("the pager was added")?;
    let stop = CancellationToken::new();
    let act = async {
        let done = if std::env::args().any(|arg| arg == "--check") {
            check(&chat, &intake, shown).await
        } else {
            by_hand(&intake, shown).await
        };
        stop.cancel();
        done
    };
    let (ran, done) = tokio::join!(chat.run(stop.clone()), act);
    done.and(Ok(ran?))
}

async fn by_hand(intake: &ChannelIntake, mut shown: mpsc::Receiver<Outgoing>) -> Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut count = 0_u32;
    loop {
        tokio::select! {
            Some(message) = shown.recv() => {
                println!("< {}", text(&message));
                read(intake, &message).await?;
            }
            line = lines.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                count += 1;
                page(intake, &format!("m{count}"), &line).await?;
            }
        }
    }
}

fn text(message: &Outgoing) -> &str {
    match &message.content {
        Content::Text(text) => text,
        _ => "(a pager shows text only)",
    }
}

async fn check(
    chat: &Chat,
    intake: &ChannelIntake,
    mut shown: mpsc::Receiver<Outgoing>,
) -> Result<()> {
    let mut next = async || {
        let message = timeout(Duration::from_secs(20), shown.recv()).await;
        message.context("the pager stays silent")?.context("ended")
    };
    page(intake, "m1", "When do you open?").await?;
    let first = next().await?;
    ensure!(text(&first).starts_with("We are open"), "{first:?}");
    ensure!(first.customer == intake.customer(&KEY, NUMBER));
    // The messenger had not heard that it arrived, and delivers it again.
    page(intake, "m1", "When do you open?").await?;
    page(intake, "m2", "A person, please").await?;
    let second = next().await?;
    ensure!(text(&second).starts_with("A person will"), "{second:?}");
    ensure!(second.dialog == first.dialog, "one dialog goes on");

    let written = messages(chat, &first.customer, &first).await?;
    ensure!(
        written == 4,
        "m1 once, m2 and two answers, not {written} messages"
    );
    println!("ok: a message that came twice was taken once");
    Ok(())
}

/// Messages in the dialog, as its customer may read them.
async fn messages(chat: &Chat, customer: &CustomerId, message: &Outgoing) -> Result<usize> {
    let identity = Identity {
        who: Who::Customer(customer.clone()),
        name: NUMBER.to_owned(),
        assurance: Assurance::Known,
        expires_at: Timestamp(i64::MAX),
        proof: Proof::default(),
    };
    let start = chatcore::ids::Seq(0);
    let page = chat.events_after(&identity, message.dialog, start, 100);
    let is_message = |event: &Event<Content>| {
        matches!(
            event,
            Event::Dialog(chatcore::dialog::DialogEvent::Message { .. })
        )
    };
    let events = page.await?.events;
    Ok(events.iter().filter(|e| is_message(&e.event)).count())
}
