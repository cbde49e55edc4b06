//! A whole chat with the redactor: what is written down, withdrawn and told, over sessions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{sync::Arc, time::Duration};

use chatcore::{
    chat::Chat,
    clock::{SystemClock, Timestamp},
    content::Content,
    dialog::{CustomerCommand, DialogEvent, Message, Open},
    error::{ErrorKind, Retry},
    identity::{Assurance, Identity, Proof, Who},
    ids::{ChannelId, CustomerId, DeviceId, DialogId, Offset, Partition, Seq, Target},
    journal::Log,
    memory,
    ports::Ports,
    record::{Accepted, Command, Event, Outcome, Reply},
    routing::{Connect, Session, SessionEvent},
};
use chatcore_redact::{Patterns, Rules};
use tokio_util::sync::CancellationToken;

fn anna() -> CustomerId {
    CustomerId::try_new("anna").unwrap()
}

fn identity() -> Identity {
    Identity {
        who: Who::Customer(anna()),
        name: "Anna".to_owned(),
        assurance: Assurance::Authenticated,
        expires_at: Timestamp(i64::MAX),
        proof: Proof::default(),
    }
}

fn says(dialog: DialogId, text: &str) -> Command<Content> {
    Command::Customer(CustomerCommand::Message(Message {
        dialog,
        body: Content::Text(text.to_owned()),
        reply_to: None,
        owner_epoch: None,
    }))
}

/// Anna at one device after another.
struct Writer {
    session: Session,
    n: u64,
}

impl Writer {
    fn come(chat: &Chat, device: &str) -> Self {
        let connect = Connect {
            identity: identity(),
            device: DeviceId::try_new(device).unwrap(),
            resume: [].into(),
            trace: None,
        };
        Self {
            session: chat.connect(connect).unwrap(),
            n: 0,
        }
    }

    async fn send(&mut self, command: Command<Content>) -> chatcore::error::Result<()> {
        let target = Target::Customer(anna());
        self.session
            .sender()
            .send(target, self.n + 1, command)
            .await?;
        self.n += 1;
        Ok(())
    }

    /// Listens until the outcome of a command.
    async fn outcome(&mut self, of: u64) -> Accepted {
        loop {
            match self.session.next().await.unwrap() {
                SessionEvent::Reply {
                    n,
                    reply: Reply::Outcome(Outcome::Accepted(accepted)),
                    ..
                } if n == of => return accepted,
                SessionEvent::Reply { n, reply, .. } => panic!("{n}: {reply:?}"),
                _ => {}
            }
        }
    }

    async fn does(&mut self, command: Command<Content>) -> Accepted {
        self.send(command).await.unwrap();
        self.outcome(self.n).await
    }

    async fn open(&mut self) -> DialogId {
        let open = Command::Customer(CustomerCommand::Open(Open {
            channel: ChannelId::try_new("web").unwrap(),
            topic: None,
            settings: chatcore::dialog::DialogSettings::default(),
        }));
        self.does(open).await.dialog.unwrap()
    }
}

/// Runs a chat with the redactor while `act` goes on.
async fn with_chat(act: impl AsyncFnOnce(&Chat, &Ports)) {
    let ports = memory::ports(2, Arc::new(SystemClock));
    let patterns = Patterns::try_new(&Rules::default()).unwrap();
    let chat = Chat::builder(ports.clone())
        .with_redactor(Arc::new(patterns))
        .build()
        .unwrap();
    let shutdown = CancellationToken::new();
    let run = chat.run(shutdown.clone());
    let acting = tokio::time::timeout(Duration::from_secs(60), act(&chat, &ports));
    tokio::select! {
        done = acting => done.unwrap(),
        ended = run => panic!("the chat ended by itself: {ended:?}"),
    }
    shutdown.cancel();
}

/// What the dialog says now: messages that were not withdrawn, by their number.
async fn shown(chat: &Chat, dialog: DialogId) -> Vec<(Seq, String)> {
    let page = chat
        .events_after(&identity(), dialog, Seq(0), 100)
        .await
        .unwrap();
    let mut shown: Vec<(Seq, String)> = Vec::new();
    for event in &page.events {
        match &event.event {
            Event::Dialog(DialogEvent::Message {
                body: Content::Text(text),
                ..
            }) => {
                shown.push((event.seq, text.clone()));
            }
            Event::Dialog(DialogEvent::Edited {
                message,
                body: Content::Text(text),
                ..
            }) => {
                let said = shown.iter_mut().find(|(seq, _)| seq == message);
                said.unwrap().1.clone_from(text);
            }
            Event::Dialog(DialogEvent::Deleted { message, .. }) => {
                shown.retain(|(seq, _)| seq != message);
            }
            _ => {}
        }
    }
    shown
}

async fn texts(chat: &Chat, dialog: DialogId) -> Vec<String> {
    let shown = shown(chat, dialog).await;
    shown.into_iter().map(|(_, text)| text).collect()
}

/// Whether these bytes stand anywhere in the journal.
async fn is_written_down(ports: &Ports, text: &str) -> bool {
    for log in [Log::Commands, Log::Events] {
        for partition in (0..ports.journal.partitions()).map(Partition) {
            let records = ports
                .journal
                .read(log, partition, Offset(0), 10_000)
                .await
                .unwrap();
            let has = |bytes: &[u8]| bytes.windows(text.len()).any(|w| w == text.as_bytes());
            if records.iter().any(|record| has(&record.bytes)) {
                return true;
            }
        }
    }
    false
}

#[tokio::test]
async fn a_number_is_masked_and_its_writer_is_told_whenever_they_ask() {
    with_chat(async |chat, ports| {
        let mut anna = Writer::come(chat, "d1");
        let dialog = anna.open().await;
        assert!(!anna.does(says(dialog, "hello")).await.redacted);
        let said = says(dialog, "my card: 4111 1111 1111 1111");
        let told = anna.does(said.clone()).await;
        assert!(told.redacted);
        anna.n -= 1;
        assert_eq!(
            anna.does(said).await,
            told,
            "sent again, it is the same command"
        );
        let masked = "my card: 4111 11•• •••• 1111";
        assert_eq!(texts(chat, dialog).await, ["hello", masked]);
        assert!(is_written_down(ports, masked).await);
        assert!(!is_written_down(ports, "4111 1111 1111").await);
    })
    .await;
}

#[tokio::test]
async fn a_number_in_two_messages_loses_its_end_and_the_beginning_is_withdrawn() {
    with_chat(async |chat, ports| {
        let mut anna = Writer::come(chat, "d1");
        let dialog = anna.open().await;
        anna.does(says(dialog, "card 4111 1111")).await;
        anna.does(says(dialog, "one moment")).await;
        assert!(
            !anna
                .does(says(dialog, "2222 2222 is the rest"))
                .await
                .redacted
        );
        assert!(!anna.does(says(dialog, "no: 1111 1111")).await.redacted);
        assert_eq!(
            texts(chat, dialog).await.len(),
            4,
            "another number is between"
        );
        anna.does(says(dialog, "5555 5555")).await;
        let told = anna.does(says(dialog, "5555 4444")).await;
        assert!(told.redacted);
        let shown = texts(chat, dialog).await;
        assert_eq!(shown.last().unwrap(), "•••• ••••");
        assert!(!shown.contains(&"5555 5555".to_owned()), "{shown:?}");
        assert!(!is_written_down(ports, "5555 4444").await);
    })
    .await;
}

#[tokio::test]
async fn what_was_written_before_a_move_counts() {
    with_chat(async |chat, ports| {
        let mut anna = Writer::come(chat, "d1");
        let dialog = anna.open().await;
        anna.does(says(dialog, "5555 5555")).await;
        drop(anna);
        let mut anna = Writer::come(chat, "d2");
        assert!(anna.does(says(dialog, "5555 4444")).await.redacted);
        assert_eq!(texts(chat, dialog).await, ["•••• ••••"]);
        drop(anna);
        let mut anna = Writer::come(chat, "d3");
        assert!(
            anna.does(says(dialog, "I said 5555 4444")).await.redacted,
            "and once more"
        );
        assert!(!is_written_down(ports, "5555 4444").await);
    })
    .await;
}

#[tokio::test]
async fn an_edit_counts_as_well() {
    with_chat(async |chat, ports| {
        let mut anna = Writer::come(chat, "d1");
        let dialog = anna.open().await;
        let first = anna.does(says(dialog, "hello")).await.seq;
        anna.does(says(dialog, "5555 4444")).await;
        let edit = Command::Customer(CustomerCommand::Edit {
            dialog,
            message: first,
            body: Content::Text("5555 5555".to_owned()),
            owner_epoch: None,
        });
        assert!(anna.does(edit).await.redacted);
        assert_eq!(shown(chat, dialog).await, [(first, "•••• ••••".to_owned())]);
        assert!(!is_written_down(ports, "5555 5555").await);
    })
    .await;
}

#[tokio::test]
async fn what_a_message_said_before_an_edit_counts() {
    with_chat(async |chat, ports| {
        let mut anna = Writer::come(chat, "d1");
        let dialog = anna.open().await;
        let seq = anna.does(says(dialog, "5555 5555")).await.seq;
        let edit = |text: &str| {
            Command::Customer(CustomerCommand::Edit {
                dialog,
                message: seq,
                body: Content::Text(text.to_owned()),
                owner_epoch: None,
            })
        };
        assert!(anna.does(edit("5555 4444")).await.redacted);
        assert_eq!(shown(chat, dialog).await, [(seq, "•••• ••••".to_owned())]);
        assert!(!anna.does(edit("hello")).await.redacted);
        drop(anna);
        let mut anna = Writer::come(chat, "d2");
        assert!(anna.does(says(dialog, "5555 4444")).await.redacted);
        assert!(!is_written_down(ports, "5555 4444").await);
    })
    .await;
}

#[tokio::test]
async fn both_parts_sent_at_once_wait_for_one_another() {
    with_chat(async |chat, ports| {
        let mut anna = Writer::come(chat, "d1");
        let dialog = anna.open().await;
        anna.send(says(dialog, "5555 5555")).await.unwrap();
        let refused = anna.send(says(dialog, "5555 4444")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Overloaded);
        assert!(matches!(refused.retry(), Retry::Safe { .. }));
        anna.outcome(anna.n).await;
        assert!(anna.does(says(dialog, "5555 4444")).await.redacted);
        assert_eq!(texts(chat, dialog).await, ["•••• ••••"]);
        assert!(!is_written_down(ports, "5555 4444").await);
    })
    .await;
}
