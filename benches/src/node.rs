//! A node over the ports in process, driven on a runtime of its own.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chatcore::{
    chat::Chat,
    clock::{Clock as _, SystemClock},
    content::Content,
    dialog::{CustomerCommand, Message, Open},
    identity::{Assurance, Identity, Proof, Who},
    ids::{ChannelId, CustomerId, DeviceId, DialogId, StreamId, Target},
    memory,
    record::{Command, Outcome, Position, Reply},
    routing::{Connect, HubConfig, PersonLimits, Rate, SessionEvent, SessionEvents, SessionSender},
};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Partitions of the node's journal.
const PARTITIONS: u32 = 8;

/// A node that runs.
pub struct Running {
    runtime: Runtime,
    chat: Chat,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

/// A customer's session with its dialog.
#[derive(Debug)]
pub struct Person {
    id: CustomerId,
    sender: SessionSender,
    events: SessionEvents,
    dialog: DialogId,
    /// The number of the last command.
    n: u64,
    /// What they have of their dialog.
    pub at: Position,
}

impl Running {
    /// With nobody on it.
    #[must_use]
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let person = PersonLimits {
            commands: Rate::per_second(1_000_000, 1_000_000),
            ..PersonLimits::default()
        };
        let hub = HubConfig {
            person,
            ..HubConfig::default()
        };
        let chat = Chat::builder(memory::ports(PARTITIONS, Arc::new(SystemClock)))
            .with_hub(hub)
            .build()
            .unwrap();
        let driven = chat.clone();
        runtime.block_on(async {
            tokio_util::task::TaskTracker::new()
                .spawn(async move { driven.run(CancellationToken::new()).await });
        });
        Self { runtime, chat }
    }

    /// Customers with an open dialog each.
    #[must_use]
    pub fn people(&self, count: usize) -> Vec<Person> {
        let person = |i| self.runtime.block_on(self.person(i));
        (0..count).map(person).collect()
    }

    /// Each says so many things; waits until all outcomes and events have arrived.
    pub fn all_say(&self, people: &mut [Person], count: u64) {
        self.runtime.block_on(async {
            let saying = people.iter_mut().map(|person| person.say(count));
            futures_util::future::join_all(saying).await;
        });
    }

    /// A second session of the same customer follows the dialog, from a position or anew, until it
    /// has all of it.
    pub fn follow(&self, person: &Person, after: Option<Position>) {
        self.runtime.block_on(async {
            let stream = StreamId::Dialog(person.dialog);
            let resume = after.map(|after| (stream.clone(), after));
            let session = self.chat.connect(connect(&person.id, resume)).unwrap();
            let (_sender, mut events) = session.split();
            let mut at = after.unwrap_or_default();
            while at.seq < person.at.seq {
                match events.next().await {
                    Some(SessionEvent::Range {
                        stream: s, upto, ..
                    }) if s == stream => at = upto,
                    Some(_) => {}
                    None => panic!("the session has ended"),
                }
            }
        });
    }

    async fn person(&self, i: usize) -> Person {
        let id = CustomerId::try_new(format!("c{i}")).unwrap();
        let (sender, events) = self.chat.connect(connect(&id, None)).unwrap().split();
        let mut person = Person {
            id,
            sender,
            events,
            dialog: DialogId(0),
            n: 0,
            at: Position::default(),
        };
        let open = CustomerCommand::Open(Open {
            channel: ChannelId::try_new("web").unwrap(),
            topic: None,
            settings: Default::default(),
        });
        person.send(open).await;
        person.dialog = person.outcome().await;
        person.say(1).await;
        person
    }
}

impl Default for Running {
    fn default() -> Self {
        Self::new()
    }
}

impl Person {
    async fn send(&mut self, command: CustomerCommand<Content>) {
        self.n += 1;
        let target = Target::Customer(self.id.clone());
        let sent = self.sender.send(target, self.n, Command::Customer(command));
        sent.await.unwrap();
    }

    /// Says so many things, a full window at a time, and hears of all.
    async fn say(&mut self, count: u64) {
        const WINDOW: u64 = 32;
        let mut left = count;
        while left > 0 {
            let now = left.min(WINDOW);
            for _ in 0..now {
                let message = Message {
                    dialog: self.dialog,
                    body: Content::Text("x".repeat(120)),
                    reply_to: None,
                    owner_epoch: None,
                };
                self.send(CustomerCommand::Message(message)).await;
            }
            let (mut replies, mut heard) = (0, 0);
            while replies < now || heard < now {
                match self.events.next().await {
                    Some(SessionEvent::Reply { .. }) => replies += 1,
                    Some(SessionEvent::Range {
                        stream: StreamId::Dialog(_),
                        upto,
                        events,
                        ..
                    }) => {
                        heard +=
                            u64::try_from(events.iter().filter(|e| is_message(e)).count()).unwrap();
                        self.at = upto;
                    }
                    Some(_) => {}
                    None => panic!("the session has ended"),
                }
            }
            let target = Target::Customer(self.id.clone());
            self.sender.acknowledge(target, self.n);
            left -= now;
        }
    }

    async fn outcome(&mut self) -> DialogId {
        loop {
            match self.events.next().await {
                Some(SessionEvent::Reply {
                    reply: Reply::Outcome(Outcome::Accepted(accepted)),
                    ..
                }) => return accepted.dialog.unwrap(),
                Some(SessionEvent::Reply { reply, .. }) => panic!("{reply:?}"),
                Some(_) => {}
                None => panic!("the session has ended"),
            }
        }
    }
}

fn is_message(event: &chatcore::record::StreamEvent<Content>) -> bool {
    use chatcore::{dialog::DialogEvent, record::Event};
    matches!(&event.event, Event::Dialog(DialogEvent::Message { .. }))
}

fn connect(id: &CustomerId, resume: Option<(StreamId, Position)>) -> Connect {
    Connect {
        identity: Identity {
            who: Who::Customer(id.clone()),
            name: "Anna".to_owned(),
            assurance: Assurance::Authenticated,
            expires_at: SystemClock.now().plus(Duration::from_secs(3_600)),
            proof: Proof::default(),
        },
        device: DeviceId::try_new("d-1790000000000-bench").unwrap(),
        resume: resume.into_iter().collect::<BTreeMap<_, _>>(),
        trace: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_talk_and_others_follow_what_they_said() {
        let node = Running::new();
        let mut people = node.people(2);
        let before = people.first().map(|person| person.at);
        node.all_say(&mut people, 40);
        let person = people.first().unwrap();
        assert!(person.at.seq.0 >= 40);
        node.follow(person, None);
        node.follow(person, before);
    }
}
