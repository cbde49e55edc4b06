//! Worlds of a known size for the benches.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a bench that can't build its world has nothing to measure"
)]

mod node;

pub use node::{Person, Running};

use std::collections::BTreeMap;

use bytes::Bytes;
use chatcore::{
    clock::Timestamp,
    content::{ContentKind, Sealed},
    dialog::{CustomerCommand, CustomerState, DialogSettings, Message, Open},
    identity::{StaffRights, StaffRole},
    ids::{
        ChannelId, CustomerId, DeskId, DialogId, Node, NodeEpoch, NodeId, OwnerEpoch, Participant,
        QueueId, StaffId, StreamId,
    },
    machine::{Context, Decided},
    queue::{
        Assignment, DeskCommand, DeskConfig, DeskState, NodeName, OperatorConfig, OperatorStatus,
        Policies, QueueConfig, Wait,
    },
    record::{ChainHash, Event, Position, StreamEvent, Visibility},
};

/// A text of 120 bytes, sealed.
#[must_use]
pub fn text() -> Sealed {
    Sealed {
        kind: ContentKind::Text,
        chars: 120,
        bytes: Bytes::from_static(&[b'x'; 120]),
    }
}

fn context(author: Participant, at: i64, next_dialog: u64) -> Context {
    Context {
        at: Timestamp(at),
        rights: author
            .staff()
            .and_then(|_| DeskId::try_new("main").ok())
            .map(|desk| StaffRights {
                desk,
                role: StaffRole::Operator,
            }),
        author,
        assurance: None,
        withdraw: Vec::new(),
        next_dialog: DialogId(next_dialog),
    }
}

fn numbered(heads: &mut BTreeMap<StreamId, Position>, decided: &Decided) -> Vec<Numbered> {
    let mut events = Vec::new();
    for (stream, event) in &decided.events {
        let head = heads.entry(stream.clone()).or_default();
        let seq = head.seq.next();
        *head = Position {
            seq,
            hash: ChainHash(seq.0),
        };
        let event = StreamEvent {
            seq,
            hash: head.hash,
            at: Timestamp(0),
            visibility: Visibility::Everyone,
            event: event.clone(),
        };
        events.push((stream.clone(), event));
    }
    events
}

type Numbered = (StreamId, StreamEvent<Sealed>);

/// A customer with one open dialog.
#[derive(Debug, Clone)]
pub struct Talk {
    state: CustomerState,
    heads: BTreeMap<StreamId, Position>,
    customer: CustomerId,
    now: i64,
}

impl Talk {
    /// Opened a moment ago.
    #[must_use]
    pub fn new() -> Self {
        let customer = CustomerId::try_new("anna").unwrap();
        let heads = BTreeMap::new();
        let mut talk = Self {
            state: CustomerState::new(customer.clone()),
            heads,
            customer,
            now: 0,
        };
        let channel = ChannelId::try_new("web").unwrap();
        let settings = DialogSettings::default();
        talk.command(&CustomerCommand::Open(Open {
            channel,
            topic: None,
            settings,
        }));
        talk
    }

    /// The customer says something.
    pub fn say(&mut self) {
        self.command(&CustomerCommand::Message(Message {
            dialog: DialogId(1),
            body: text(),
            reply_to: None,
            owner_epoch: None,
        }));
    }

    fn command(&mut self, command: &CustomerCommand<Sealed>) {
        self.now += 1;
        let cx = context(Participant::Customer(self.customer.clone()), self.now, 1);
        let decided = self.state.decide(command, &cx);
        assert!(decided.outcome.is_ok(), "{:?}", decided.outcome);
        for (stream, event) in numbered(&mut self.heads, &decided) {
            self.state.apply(&stream, &event);
        }
    }
}

impl Default for Talk {
    fn default() -> Self {
        Self::new()
    }
}

/// A desk with one automatic queue.
#[derive(Debug, Clone)]
pub struct Desk {
    state: DeskState,
    heads: BTreeMap<StreamId, Position>,
    policies: Policies,
    dialogs: u64,
    now: i64,
}

fn staff(i: usize) -> StaffId {
    StaffId::try_new(format!("op{i}")).unwrap()
}

impl Desk {
    /// This many operators, all online and full, and this many dialogs that wait.
    #[must_use]
    pub fn new(operators: usize, waiting: u64) -> Self {
        let id = DeskId::try_new("main").unwrap();
        let mut desk = Self {
            state: DeskState::new(id),
            heads: BTreeMap::new(),
            policies: Policies::default(),
            dialogs: 0,
            now: 0,
        };
        desk.system(&DeskCommand::Configure(config(operators)));
        let node = Node {
            id: NodeId::try_new("n1").unwrap(),
            epoch: NodeEpoch(1),
        };
        for i in 0..operators {
            let operator = staff(i);
            desk.system(&DeskCommand::Came {
                operator: operator.clone(),
                node: NodeName::from(&node),
            });
            let status = OperatorStatus::Available;
            let author = Participant::Staff(operator.clone());
            desk.command(author, &DeskCommand::Status { operator, status });
        }
        for _ in 0..operators as u64 + waiting {
            desk.wait();
        }
        desk
    }

    /// One more dialog waits.
    pub fn wait(&mut self) {
        self.dialogs += 1;
        let wait = Wait {
            dialog: DialogId(self.dialogs),
            customer: CustomerId::try_new(format!("c{}", self.dialogs)).unwrap(),
            queue: QueueId::try_new("general").unwrap(),
            channel: ChannelId::try_new("web").unwrap(),
            priority: 0,
            since: Timestamp(self.now),
            epoch: OwnerEpoch(1),
            lost: false,
        };
        self.system(&DeskCommand::Wait(wait));
    }

    /// The first grant ends, so that the next dialog is matched; answers whether one was.
    pub fn free(&mut self) -> bool {
        let Some(grant) = self.state.grants().into_iter().next() else {
            return false;
        };
        let Some(dialog) = grant.dialog else {
            return false;
        };
        self.system(&DeskCommand::Freed {
            dialog,
            grant: grant.grant,
        })
    }

    fn system(&mut self, command: &DeskCommand) -> bool {
        self.command(Participant::System, command)
    }

    fn command(&mut self, author: Participant, command: &DeskCommand) -> bool {
        self.now += 1;
        let cx = context(author, self.now, 0);
        let decided = self.state.decide(command, &cx, &self.policies);
        assert!(decided.outcome.is_ok(), "{:?}", decided.outcome);
        let granted = decided.events.iter().any(|(_, event)| {
            matches!(
                event,
                Event::Board(chatcore::queue::BoardEvent::Granted { .. })
            )
        });
        for (_, event) in numbered(&mut self.heads, &decided) {
            self.state.apply(&event);
        }
        granted
    }
}

fn config(operators: usize) -> DeskConfig {
    let queue = QueueId::try_new("general").unwrap();
    let longest_free = QueueConfig {
        title: "General".to_owned(),
        assignment: Assignment::LongestFree,
    };
    let operator = |i| {
        let config = OperatorConfig {
            name: format!("Operator {i}"),
            capacity: 1,
            queues: [queue.clone()].into(),
        };
        (staff(i), config)
    };
    DeskConfig {
        queues: [(queue.clone(), longest_free)].into(),
        operators: (0..operators).map(operator).collect(),
        grace_ms: 60_000,
        grant_resend_ms: 5_000,
        reconcile_ms: 60_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worlds_do_what_is_measured() {
        let mut talk = Talk::new();
        talk.say();
        let mut desk = Desk::new(3, 10);
        assert!(desk.free(), "a freed operator gets the next dialog");
    }
}
