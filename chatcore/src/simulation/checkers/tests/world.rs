//! A small world that does everything right: the real machines, and sessions that are shown what
//! the journal has.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    clock::Timestamp,
    commands::NewCommand,
    content::{ContentKind, Sealed},
    dialog::{CustomerCommand, DialogSettings, Message, Open},
    engine::{Aggregate, Input, reply},
    identity::{Assurance, StaffRights, StaffRole, Who},
    ids::{
        ChannelId, CustomerId, DeskId, DeviceId, DialogId, Label, Node, NodeEpoch, NodeId, Offset,
        OwnerEpoch, Participant, Partition, QueueId, Seq, SessionId, StaffId, StreamId, Target,
        TenantId,
    },
    journal::DeadLetter,
    queue::{
        Assignment, DeskCommand, DeskConfig, NodeName, OperatorConfig, OperatorStatus, Policies,
        QueueConfig,
    },
    record::{self, Command, CommandId, CommandRecord, Decision, Position, Verdict},
    routing::access::{Sight, shows, sight},
    simulation::{
        history::{Connection, History, Sent, ShownEvent, Viewer, What, digest_of},
        truth::{PartitionTruth, Truth, WrittenCommand},
    },
};

pub(super) const PARTITIONS: u32 = 2;

pub(super) fn anna() -> Who {
    Who::Customer(CustomerId::try_new("anna").unwrap())
}

pub(super) fn boris() -> Who {
    Who::Customer(CustomerId::try_new("boris").unwrap())
}

pub(super) fn operator(id: &str) -> Who {
    Who::Staff {
        id: StaffId::try_new(id).unwrap(),
        desk: desk(),
        role: StaffRole::Operator,
    }
}

pub(super) fn desk() -> DeskId {
    DeskId::try_new("main").unwrap()
}

pub(super) fn to_desk() -> Target {
    Target::Desk(desk())
}

pub(super) fn to(who: &Who) -> Target {
    match who {
        Who::Customer(id) => Target::Customer(id.clone()),
        Who::Staff { desk, .. } => Target::Desk(desk.clone()),
    }
}

pub(super) fn text(text: &str) -> Sealed {
    Sealed {
        kind: ContentKind::Text,
        chars: u32::try_from(text.len()).unwrap(),
        bytes: Bytes::copy_from_slice(text.as_bytes()),
    }
}

pub(super) fn open() -> Command<Sealed> {
    open_with(false)
}

pub(super) fn open_with(bot: bool) -> Command<Sealed> {
    Command::Customer(CustomerCommand::Open(Open {
        channel: ChannelId::try_new("web").unwrap(),
        topic: None,
        settings: DialogSettings {
            bot,
            ..DialogSettings::default()
        },
    }))
}

pub(super) fn say(dialog: DialogId, words: &str, epoch: Option<OwnerEpoch>) -> Command<Sealed> {
    Command::Customer(CustomerCommand::Message(Message {
        dialog,
        body: text(words),
        reply_to: None,
        owner_epoch: epoch,
    }))
}

pub(super) fn note(dialog: DialogId, words: &str) -> Command<Sealed> {
    Command::Customer(CustomerCommand::Note {
        dialog,
        body: text(words),
    })
}

pub(super) fn give_back(dialog: DialogId, owner_epoch: OwnerEpoch) -> Command<Sealed> {
    Command::Customer(CustomerCommand::ReturnToQueue {
        dialog,
        owner_epoch,
    })
}

pub(super) fn close(dialog: DialogId, owner_epoch: Option<OwnerEpoch>) -> Command<Sealed> {
    Command::Customer(CustomerCommand::Close {
        dialog,
        owner_epoch,
        outcome: Label::try_new("done").unwrap(),
    })
}

pub(super) fn status(who: &Who, status: OperatorStatus) -> Command<Sealed> {
    let Who::Staff { id, .. } = who else {
        panic!("a customer has no status")
    };
    Command::Desk(DeskCommand::Status {
        operator: id.clone(),
        status,
    })
}

#[derive(Debug, Clone)]
struct Sender {
    n: u64,
    command: Command<Sealed>,
}

/// One connection.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) viewer: Viewer,
    pub(super) on: Connection,
    has: BTreeMap<StreamId, Position>,
}

#[derive(Debug, Default)]
pub(super) struct World {
    now: i64,
    sessions: u64,
    commands: Vec<Vec<(Timestamp, Bytes)>>,
    decided: Vec<usize>,
    received: Vec<BTreeMap<Partition, (Offset, u32)>>,
    opened: Vec<u64>,
    states: BTreeMap<Target, Aggregate>,
    pub(super) decisions: Vec<Vec<Decision>>,
    letters: Vec<DeadLetter>,
    sent: BTreeMap<((Participant, DeviceId), Target), Vec<Sender>>,
    pub(super) history: History,
}

impl World {
    /// A desk with an automatic queue, olga and petr, who are there and ready.
    pub(super) fn new() -> Self {
        let partitions = usize::try_from(PARTITIONS).unwrap();
        let mut world = Self {
            commands: vec![Vec::new(); partitions],
            decided: vec![0; partitions],
            received: vec![BTreeMap::new(); partitions],
            opened: vec![0; partitions],
            decisions: vec![Vec::new(); partitions],
            ..Self::default()
        };
        let general = QueueId::try_new("general").unwrap();
        let config = OperatorConfig {
            capacity: 2,
            queues: [general.clone()].into(),
            ..OperatorConfig::default()
        };
        let names = ["olga", "petr"].map(|name| StaffId::try_new(name).unwrap());
        let queue = QueueConfig {
            assignment: Assignment::LeastLoaded,
            ..QueueConfig::default()
        };
        world.internal(Command::Desk(DeskCommand::Configure(DeskConfig {
            queues: [(general, queue)].into(),
            operators: names.iter().map(|n| (n.clone(), config.clone())).collect(),
            grace_ms: 1_000,
            ..DeskConfig::default()
        })));
        world
    }

    fn internal(&mut self, command: Command<Sealed>) {
        let record = NewCommand::internal(to_desk(), command).record().unwrap();
        self.append(&record);
    }

    pub(super) fn at(&self) -> Timestamp {
        Timestamp(self.now)
    }

    fn append(&mut self, record: &CommandRecord) {
        self.append_bytes(&record.target, record::encode(record).unwrap());
    }

    fn append_bytes(&mut self, target: &Target, bytes: Bytes) {
        self.now += 1;
        let partition = usize::try_from(target.partition(PARTITIONS).0).unwrap();
        let at = self.at();
        self.commands[partition].push((at, bytes));
    }

    pub(super) fn connect(&mut self, who: &Who, device: &str, before: Option<&Person>) -> Person {
        self.sessions += 1;
        let person = Person {
            viewer: Viewer {
                who: who.clone(),
                device: DeviceId::try_new(device).unwrap(),
            },
            on: Connection {
                node: Node {
                    id: NodeId::try_new("one").unwrap(),
                    epoch: NodeEpoch(1),
                },
                session: SessionId(self.sessions),
            },
            has: before.map(|b| b.has.clone()).unwrap_or_default(),
        };
        let what = What::Connected {
            viewer: person.viewer.clone(),
            resume: person.has.clone().into_iter().collect(),
            credential: None,
        };
        self.tell(&person, what);
        if let Who::Staff { id, .. } = who {
            let came = DeskCommand::Came {
                operator: id.clone(),
                node: NodeName("one@1".to_owned()),
            };
            self.internal(Command::Desk(came));
        }
        person
    }

    pub(super) fn tell(&mut self, person: &Person, what: What) {
        self.history
            .push(Timestamp(self.now), Some(&person.on), what);
    }

    /// Sends a command: the next of this device to this target.
    pub(super) fn send(
        &mut self,
        person: &Person,
        target: &Target,
        command: Command<Sealed>,
    ) -> u64 {
        let key = (person.viewer.key(), target.clone());
        let sent = self.sent.entry(key).or_default();
        let n = u64::try_from(sent.len()).unwrap() + 1;
        sent.push(Sender { n, command });
        self.again(person, target, n);
        n
    }

    /// Sends a command again.
    pub(super) fn again(&mut self, person: &Person, target: &Target, n: u64) {
        let key = (person.viewer.key(), target.clone());
        let sender = self.sent[&key].iter().find(|s| s.n == n).unwrap().clone();
        let id = CommandId::Client {
            device: person.viewer.device.clone(),
            n,
        };
        let digest = digest_of(&sender.command);
        let author = person.viewer.who.participant();
        let what = What::Sent(Sent {
            author: author.clone(),
            id: id.clone(),
            target: target.clone(),
            digest,
            kind: "test".to_owned(),
        });
        self.tell(person, what);
        let record = CommandRecord {
            tenant: TenantId::single(),
            trace: None,
            target: target.clone(),
            rights: author.staff().map(|_| StaffRights {
                desk: desk(),
                role: StaffRole::Operator,
            }),
            author,
            assurance: Some(Assurance::Known),
            id,
            redaction: None,
            reply_to: None,
            digest,
            settled: 0,
            body: record::encode(&sender.command).unwrap(),
        };
        self.append(&record);
        let target = target.clone();
        self.tell(person, What::Durable { target, n });
    }

    /// Writes a command whose body nobody can read.
    pub(super) fn poison(&mut self, target: &Target) {
        let mut record = NewCommand::internal(target.clone(), open())
            .record()
            .unwrap();
        record.body = Bytes::from_static(&[1, 0xc1]);
        self.append(&record);
    }

    /// The bot answers what it saw.
    pub(super) fn answer(&mut self, target: &Target, dialog: DialogId, seen: u64) {
        let command = Command::Customer(CustomerCommand::BotAnswer {
            dialog,
            seen: Seq(seen),
            owner_epoch: OwnerEpoch(1),
            replies: vec![text("good day")],
            hand_over: None,
        });
        let mut new = NewCommand::internal(target.clone(), command);
        new.author = Participant::Bot;
        let record = new.record().unwrap();
        self.append(&record);
    }

    /// Decides all that is written, and tells the authors what came of it.
    pub(super) fn settle(&mut self, people: &[&Person]) {
        let first: Vec<usize> = self.decisions.iter().map(Vec::len).collect();
        while (0..self.commands.len()).any(|partition| self.decide_next(partition)) {}
        let new: Vec<Decision> = first
            .iter()
            .zip(&self.decisions)
            .flat_map(|(first, all)| all[*first..].to_vec())
            .collect();
        for decision in new {
            let CommandId::Client { device, n } = &decision.id else {
                continue;
            };
            let key = (decision.author.clone(), device.clone());
            let author = people.iter().find(|p| p.viewer.key() == key);
            if let (Some(person), Some(reply)) = (author, reply(&decision.verdict)) {
                let target = decision.target.clone();
                self.tell(
                    person,
                    What::Heard {
                        target,
                        n: *n,
                        reply,
                    },
                );
            }
        }
    }

    fn decide_next(&mut self, index: usize) -> bool {
        let Some((at, bytes)) = self.commands[index].get(self.decided[index]).cloned() else {
            return false;
        };
        let partition = Partition(u32::try_from(index).unwrap());
        let offset = Offset(u64::try_from(self.decided[index]).unwrap());
        self.decided[index] += 1;
        let command: CommandRecord = record::decode(&bytes).unwrap();
        if let CommandId::FollowUp {
            partition: source,
            offset,
            index: i,
        } = &command.id
        {
            let last = self.received[index]
                .entry(*source)
                .or_insert((Offset(0), 0));
            *last = (*last).max((*offset, *i));
        }
        let state = self
            .states
            .entry(command.target.clone())
            .or_insert_with(|| Aggregate::new(command.target.clone()));
        let decision = state.decide(&Input {
            record: &command,
            offset,
            at,
            policies: &Policies::default(),
            next_dialog: DialogId::nth(self.opened[index], partition, PARTITIONS),
        });
        state.apply(&decision);
        self.opened[index] += u64::from(decision.dialogs_opened);
        if let Verdict::DeadLettered { reason } = &decision.verdict {
            self.letters.push(DeadLetter {
                origin: Label::try_new("engine").unwrap(),
                partition,
                offset,
                reason: reason.clone(),
                attempts: 1,
                at,
                record: bytes,
            });
        }
        for (i, follow_up) in (0..).zip(&decision.follow_ups) {
            let mut new = NewCommand::internal(follow_up.target.clone(), follow_up.command.clone());
            new.author = Participant::System;
            new.id = CommandId::FollowUp {
                partition,
                offset,
                index: i,
            };
            let mut record = new.record().unwrap();
            record.digest = 0;
            self.append(&record);
        }
        self.decisions[index].push(decision);
        true
    }

    pub(super) fn truth(&self) -> Truth {
        let partitions = self
            .commands
            .iter()
            .zip(&self.decisions)
            .map(|(commands, decisions)| PartitionTruth {
                commands: (0..)
                    .map(Offset)
                    .zip(
                        commands
                            .iter()
                            .map(|(_, bytes)| WrittenCommand::read(bytes.clone())),
                    )
                    .collect(),
                decisions: decisions.clone(),
                ..PartitionTruth::default()
            });
        Truth {
            partitions: partitions.collect(),
            letters: self.letters.clone(),
        }
    }

    /// Shows a person all that they may see, in ranges of at most `most` events.
    pub(super) fn show(&mut self, person: &mut Person, most: usize) {
        let truth = self.truth();
        let mut access = BTreeMap::new();
        for (_, decision) in truth.decisions() {
            for appended in &decision.appended {
                access.insert(appended.stream.clone(), appended.access.clone());
            }
        }
        for (stream, events) in truth.streams() {
            if sight(&person.viewer.who, &access[&stream]) == Sight::None {
                if person.has.remove(&stream).is_some() {
                    let reason = "no_right".to_owned();
                    self.tell(person, What::Left { stream, reason });
                }
                continue;
            }
            if !person.has.contains_key(&stream) {
                let what = What::Reset {
                    stream: stream.clone(),
                    position: Position::default(),
                    reason: "start".to_owned(),
                    state: None,
                };
                self.tell(person, what);
            }
            let mut after = person.has.get(&stream).copied().unwrap_or_default();
            let fresh: Vec<_> = events.into_iter().filter(|e| e.seq > after.seq).collect();
            for chunk in fresh.chunks(most.max(1)) {
                let last = chunk[chunk.len() - 1];
                let upto = Position {
                    seq: last.seq,
                    hash: last.hash,
                };
                let visible = chunk
                    .iter()
                    .filter(|e| shows(&person.viewer.who, e.visibility));
                let shown = visible.map(|event| ShownEvent {
                    seq: event.seq,
                    hash: event.hash,
                    digest: digest_of(event),
                });
                let what = What::Shown {
                    stream: stream.clone(),
                    after,
                    upto,
                    events: shown.collect(),
                };
                self.tell(person, what);
                after = upto;
            }
            person.has.insert(stream, after);
        }
    }

    pub(super) fn rest(&mut self) {
        self.history.push(Timestamp(self.now), None, What::Healed);
        self.history.push(Timestamp(self.now), None, What::Quiet);
    }

    /// A customer's newest dialog, with its epoch and owner.
    pub(super) fn dialog_of(&self, who: &Who) -> Option<(DialogId, OwnerEpoch, Option<StaffId>)> {
        let views = super::super::boards::dialogs(&self.truth());
        let id = who.participant();
        let mut theirs = views
            .into_iter()
            .filter(|(_, view)| Some(&view.customer) == id.customer());
        theirs
            .next_back()
            .map(|(id, view)| (id, view.epoch, view.owner))
    }
}
