//! What goes out to a messenger, and what it does not take.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use chatcore::{
    channel::{Capabilities, ChannelAdapter, IncomingIds, Outgoing},
    chat::Chat,
    clock::SystemClock,
    commands::CommandWriter,
    content::{Content, ContentKind, Sealed},
    dialog::{CustomerCommand, Phase},
    effects::ChannelEffect,
    error::{Error, ErrorKind, Result},
    identity::PlainSealer,
    ids::{ChannelId, DialogId, Offset, Participant, Seq, StaffId, Target},
    journal::Log,
    memory,
    record::{Command, CommandRecord, decode},
};
use tokio::{sync::Notify, time::Duration};

use super::{Owner, anna, answers, message, opened, ports, while_running};

/// Takes five characters at a time; fails as it is told.
#[derive(Debug)]
pub(super) struct Messenger {
    id: ChannelId,
    fails: Mutex<VecDeque<Option<ErrorKind>>>,
    sent: Mutex<Vec<(u64, String)>>,
    noted: Notify,
}

impl Messenger {
    pub(super) fn new(channel: &str, fails: impl Into<VecDeque<Option<ErrorKind>>>) -> Arc<Self> {
        Arc::new(Self {
            id: ChannelId::try_new(channel).unwrap(),
            fails: Mutex::new(fails.into()),
            sent: Mutex::default(),
            noted: Notify::new(),
        })
    }

    pub(super) async fn sent(&self, count: usize) -> Vec<(u64, String)> {
        loop {
            let noted = self.noted.notified();
            let sent = self.sent.lock().unwrap().clone();
            if sent.len() >= count {
                return sent;
            }
            noted.await;
        }
    }
}

#[async_trait::async_trait]
impl ChannelAdapter for Messenger {
    fn id(&self) -> &ChannelId {
        &self.id
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            contents: vec![ContentKind::Text],
            text_chars_max: 5,
            tells_delivered: false,
            tells_read: true,
            edits: false,
            incoming: IncomingIds::Named {
                redelivery: Duration::from_secs(60),
            },
            idempotent_send: false,
        }
    }

    async fn send(&self, message: &Outgoing) -> Result<()> {
        if let Some(Some(kind)) = self.fails.lock().unwrap().pop_front() {
            return Err(Error::new(kind, "send to the messenger"));
        }
        let Content::Text(text) = &message.content else {
            panic!("it shows text alone");
        };
        self.sent
            .lock()
            .unwrap()
            .push((message.seq.0, text.clone()));
        self.noted.notify_waiters();
        Ok(())
    }
}

fn commands_of(records: &[CommandRecord]) -> Vec<CustomerCommand<Sealed>> {
    let command = |record: &CommandRecord| match decode(&record.body).unwrap() {
        Command::Customer(command) => command,
        other => panic!("not to a customer: {other:?}"),
    };
    records.iter().map(command).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_messenger_does_not_take_is_told_to_the_dialog_and_the_rest_goes_on() {
    let ports = ports();
    let mut owner = Owner::new(&ports).await;
    let fails = [
        None,
        Some(ErrorKind::Unavailable),
        None,
        None,
        None,
        Some(ErrorKind::Invalid),
    ];
    let messenger = Messenger::new("web", fails);
    let effect = ChannelEffect::try_new(
        messenger.clone(),
        Arc::new(PlainSealer),
        ports.streams.clone(),
        CommandWriter::new(ports.journal.clone()),
    );
    let effect = Arc::new(effect.unwrap());
    let olga = Participant::Staff(StaffId::try_new("olga").unwrap());
    let (sent, told) = while_running(&ports, effect, async {
        owner.happens(Phase::Assigned, opened()).await;
        for text in ["hello world", "never seen", "fine"] {
            let said = message(olga.clone(), text);
            owner.happens(Phase::Assigned, said).await;
        }
        let sent = messenger.sent(5).await;
        (sent, answers(&ports, 1).await)
    })
    .await;
    let sent: Vec<_> = sent.iter().map(|(seq, text)| (*seq, &**text)).collect();
    assert_eq!(
        sent,
        [
            (2, "hello"),
            (2, " worl"),
            (2, "d"),
            (3, "never"),
            (4, "fine")
        ],
        "a try goes on where the last one failed"
    );
    let told = commands_of(&told);
    let [
        CustomerCommand::Undelivered {
            dialog,
            message,
            reason,
        },
    ] = told.as_slice()
    else {
        panic!("{told:?}");
    };
    let told = (*dialog, *message, reason.as_str());
    assert_eq!(
        told,
        (DialogId(1), Seq(3), "invalid"),
        "half of it is not it"
    );
    let letters = ports.dead_letters.list(None, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
}

#[tokio::test]
async fn what_a_messenger_tells_moves_the_customers_cursor() {
    let ports = memory::ports(1, Arc::new(SystemClock));
    let messenger = Messenger::new("pager", []);
    let chat = Chat::builder(ports.clone()).with_channel(messenger.clone());
    let intake = chat.build().unwrap().channel(&messenger.id).unwrap();
    let told = |reached| chatcore::channel::Told {
        customer: anna(),
        dialog: DialogId(7),
        seq: Seq(4),
        reached,
    };
    let refused = intake.told(told(chatcore::channel::Reached::Delivered));
    let refused = refused.await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid, "it said that it can't");
    let read = intake.told(told(chatcore::channel::Reached::Read));
    read.await.unwrap();
    let journal = ports.journal.read(Log::Commands, super::P, Offset(0), 10);
    let records: Vec<CommandRecord> = journal
        .await
        .unwrap()
        .iter()
        .map(|record| decode(&record.bytes).unwrap())
        .collect();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].author, Participant::Customer(anna()));
    assert_eq!(records[0].target, Target::Customer(anna()));
    let cursor = CustomerCommand::Cursor {
        dialog: DialogId(7),
        delivered: Seq(4),
        read: Seq(4),
    };
    assert_eq!(commands_of(&records), [cursor]);
}
