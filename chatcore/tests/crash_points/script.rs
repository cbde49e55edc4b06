//! What people do: about forty commands through customer and desk.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use chatcore::{
    content::{ContentKind, Sealed},
    dialog::{CustomerCommand, DialogSettings, Message, Open, TransferTo},
    identity::{StaffRights, StaffRole},
    ids::{
        ChannelId, CustomerId, DeskId, DeviceId, DialogId, Label, Node, NodeEpoch, NodeId,
        OwnerEpoch, Participant, Partition, QueueId, QueueRef, Seq, SessionId, StaffId, Target,
        TenantId,
    },
    queue::{DeskCommand, DeskConfig, NodeName, OperatorConfig, OperatorStatus, QueueConfig},
    record::{self, Command, CommandId, CommandRecord, ReplyTo},
};

use crate::{
    ports,
    world::{PARTITIONS, World},
};

/// A step: its commands are appended together; the next one comes when all is quiet.
pub(crate) struct Step {
    /// The clock moves on by this before.
    pub(crate) later_ms: i64,
    pub(crate) records: Vec<(Partition, Bytes)>,
}

/// In another partition than the desk.
fn anna_id() -> CustomerId {
    let ids = ["anna", "bella", "clara", "dora", "emma"].map(|id| CustomerId::try_new(id).unwrap());
    let elsewhere = |id: &CustomerId| {
        Target::Customer(id.clone()).partition(PARTITIONS) != desk().partition(PARTITIONS)
    };
    ids.into_iter().find(elsewhere).unwrap()
}

pub(crate) fn anna() -> Target {
    Target::Customer(anna_id())
}

pub(crate) fn desk() -> Target {
    Target::Desk(DeskId::try_new("main").unwrap())
}

/// The node where all sessions are.
pub(crate) fn node() -> Node {
    Node {
        id: NodeId::try_new("front").unwrap(),
        epoch: NodeEpoch(9),
    }
}

fn staff(name: &str) -> Participant {
    Participant::Staff(StaffId::try_new(name).unwrap())
}

fn device(author: &Participant) -> DeviceId {
    let name = match author {
        Participant::Customer(_) => "phone",
        Participant::Staff(id) => id.as_str(),
        Participant::Bot | Participant::System => "bot",
    };
    DeviceId::try_new(name).unwrap()
}

fn body(text: &str) -> Sealed {
    Sealed {
        kind: ContentKind::Text,
        chars: u32::try_from(text.len()).unwrap(),
        bytes: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn label(text: &str) -> Label {
    Label::try_new(text).unwrap()
}

/// The dialog that the customer's partition opens after this many others.
pub(crate) fn dialog(opened: u64) -> DialogId {
    DialogId::nth(opened, anna().partition(PARTITIONS), PARTITIONS)
}

/// Writes the commands of one step; counts per author and target, as clients do.
#[derive(Default)]
struct Writer {
    numbers: BTreeMap<(Participant, Target), u64>,
    /// All commands of clients, to be sent again at the end.
    sent: Vec<(Partition, Bytes)>,
}

impl Writer {
    fn envelope(&self, author: &Participant, target: Target, id: CommandId) -> CommandRecord {
        CommandRecord {
            tenant: TenantId::single(),
            trace: None,
            target,
            author: author.clone(),
            rights: author.staff().map(|_| StaffRights {
                desk: DeskId::try_new("main").unwrap(),
                role: StaffRole::Operator,
            }),
            assurance: None,
            id,
            redaction: None,
            reply_to: Some(ReplyTo {
                node: node(),
                session: SessionId(1),
            }),
            digest: 0,
            settled: 0,
            body: Bytes::new(),
        }
    }

    fn encode(record: &CommandRecord) -> (Partition, Bytes) {
        let partition = record.target.partition(PARTITIONS);
        (partition, record::encode(record).unwrap())
    }

    /// The author's next command.
    fn next(
        &mut self,
        author: &Participant,
        target: Target,
        command: &Command<Sealed>,
    ) -> (Partition, Bytes) {
        let n = self
            .numbers
            .entry((author.clone(), target.clone()))
            .or_default();
        *n += 1;
        let n = *n;
        let record = self.numbered(author, target, command, n);
        let encoded = Self::encode(&record);
        self.sent.push(encoded.clone());
        encoded
    }

    fn numbered(
        &self,
        author: &Participant,
        target: Target,
        command: &Command<Sealed>,
        n: u64,
    ) -> CommandRecord {
        let id = CommandId::Client {
            device: device(author),
            n,
        };
        let body = record::encode(command).unwrap();
        CommandRecord {
            digest: u64::try_from(body.len()).unwrap(),
            body,
            ..self.envelope(author, target, id)
        }
    }

    fn customer(&mut self, command: CustomerCommand<Sealed>) -> (Partition, Bytes) {
        let author = Participant::Customer(anna_id());
        self.next(&author, anna(), &Command::Customer(command))
    }

    fn says(&mut self, opened: u64, text: &str) -> (Partition, Bytes) {
        self.customer(CustomerCommand::Message(message(opened, text, None)))
    }

    fn operator(&mut self, name: &str, command: CustomerCommand<Sealed>) -> (Partition, Bytes) {
        self.next(&staff(name), anna(), &Command::Customer(command))
    }

    fn answers(&mut self, name: &str, opened: u64, text: &str, epoch: u64) -> (Partition, Bytes) {
        let message = message(opened, text, Some(OwnerEpoch(epoch)));
        self.operator(name, CustomerCommand::Message(message))
    }

    fn desk(&mut self, name: &str, command: DeskCommand) -> (Partition, Bytes) {
        self.next(&staff(name), desk(), &Command::Desk(command))
    }

    fn internal(
        &self,
        author: Participant,
        target: Target,
        command: &Command<Sealed>,
    ) -> (Partition, Bytes) {
        Self::encode(&CommandRecord {
            body: record::encode(command).unwrap(),
            reply_to: None,
            ..self.envelope(&author, target, CommandId::Internal)
        })
    }

    fn system(&self, command: DeskCommand) -> (Partition, Bytes) {
        self.internal(Participant::System, desk(), &Command::Desk(command))
    }

    fn cursor(
        &self,
        author: Participant,
        opened: u64,
        delivered: u64,
        read: u64,
    ) -> (Partition, Bytes) {
        let command = CustomerCommand::Cursor {
            dialog: dialog(opened),
            delivered: Seq(delivered),
            read: Seq(read),
        };
        self.internal(author, anna(), &Command::Customer(command))
    }
}

fn message(opened: u64, text: &str, owner_epoch: Option<OwnerEpoch>) -> Message<Sealed> {
    Message {
        dialog: dialog(opened),
        body: body(text),
        reply_to: None,
        owner_epoch,
    }
}

fn open() -> CustomerCommand<Sealed> {
    CustomerCommand::Open(Open {
        channel: ChannelId::try_new("web").unwrap(),
        topic: None,
        settings: DialogSettings::default(),
    })
}

fn rules() -> DeskCommand {
    let queue = QueueId::try_new("general").unwrap();
    let operator = |name: &str| {
        let config = OperatorConfig {
            name: name.to_owned(),
            capacity: 2,
            queues: BTreeSet::from([queue.clone()]),
        };
        (StaffId::try_new(name).unwrap(), config)
    };
    DeskCommand::Configure(DeskConfig {
        queues: BTreeMap::from([(queue.clone(), QueueConfig::default())]),
        operators: BTreeMap::from([operator("oleg"), operator("olga")]),
        grace_ms: 60_000,
        grant_resend_ms: 0,
        reconcile_ms: 0,
    })
}

fn came(name: &str) -> DeskCommand {
    DeskCommand::Came {
        operator: StaffId::try_new(name).unwrap(),
        node: NodeName::from(&node()),
    }
}

fn available(name: &str) -> DeskCommand {
    DeskCommand::Status {
        operator: StaffId::try_new(name).unwrap(),
        status: OperatorStatus::Available,
    }
}

/// The script, the same each time.
pub(crate) fn steps() -> Vec<Step> {
    let mut w = Writer::default();
    let mut steps = vec![
        beginning(&mut w),
        vec![w.customer(open()), w.says(0, "hello")],
        bot_answers(&mut w),
        resends(&mut w),
        vec![
            w.customer(CustomerCommand::AskPerson {
                dialog: dialog(0),
                queue: None,
            }),
            w.cursor(Participant::Customer(anna_id()), 0, 4, 4),
        ],
        // Two race for one dialog.
        vec![
            w.desk("oleg", DeskCommand::Take { dialog: dialog(0) }),
            w.desk("olga", DeskCommand::Take { dialog: dialog(0) }),
        ],
        both_ways(&mut w),
        vec![w.operator("oleg", transfer(0, 3))],
        vec![
            w.answers("olga", 0, "now it is me", 5),
            w.answers("oleg", 0, "too late", 3),
            w.says(0, "hello olga"),
        ],
        vec![w.operator("olga", close(0, 5))],
        second_dialog(&mut w),
        vec![w.desk("olga", DeskCommand::Take { dialog: dialog(1) })],
        vec![w.operator(
            "olga",
            CustomerCommand::ReturnToQueue {
                dialog: dialog(1),
                owner_epoch: OwnerEpoch(3),
            },
        )],
        vec![w.desk("oleg", DeskCommand::Take { dialog: dialog(1) })],
        vec![
            w.operator("oleg", wrap_up(1, 5)),
            w.operator("olga", close(1, 5)),
        ],
        unreadable(&mut w),
    ]
    .into_iter()
    .map(|records| Step {
        later_ms: 1_000,
        records,
    })
    .collect::<Vec<_>>();
    // The wrap-up takes too long, then both dialogs leave the state: timers.
    for later_ms in [6 * 60_000, 2 * 24 * 60 * 60_000] {
        steps.push(Step {
            later_ms,
            records: Vec::new(),
        });
    }
    // All that clients ever sent comes once more.
    steps.push(Step {
        later_ms: 1_000,
        records: w.sent.clone(),
    });
    steps
}

fn beginning(w: &mut Writer) -> Vec<(Partition, Bytes)> {
    vec![
        w.system(rules()),
        w.system(came("oleg")),
        w.system(came("olga")),
        w.desk("oleg", available("oleg")),
        w.desk("olga", available("olga")),
    ]
}

fn bot_answers(w: &mut Writer) -> Vec<(Partition, Bytes)> {
    let answer = CustomerCommand::BotAnswer {
        dialog: dialog(0),
        seen: Seq(3),
        owner_epoch: OwnerEpoch(1),
        replies: vec![body("what is it about?")],
        hand_over: None,
    };
    vec![w.next(&Participant::Bot, anna(), &Command::Customer(answer))]
}

/// A resend, another content under the same number, and a number too high.
fn resends(w: &mut Writer) -> Vec<(Partition, Bytes)> {
    let first = w.says(0, "a card");
    let author = Participant::Customer(anna_id());
    let other = Command::Customer(CustomerCommand::Message(message(0, "another card", None)));
    let conflict = w.numbered(&author, anna(), &other, 3);
    let too_high = w.numbered(&author, anna(), &other, 9);
    vec![
        first.clone(),
        first,
        Writer::encode(&conflict),
        Writer::encode(&too_high),
    ]
}

fn both_ways(w: &mut Writer) -> Vec<(Partition, Bytes)> {
    let dialog = dialog(0);
    let owner_epoch = OwnerEpoch(3);
    vec![
        w.answers("oleg", 0, "good day", 3),
        w.says(0, "my card is gone"),
        w.operator(
            "oleg",
            CustomerCommand::Note {
                dialog,
                body: body("calls often"),
            },
        ),
        w.operator(
            "oleg",
            CustomerCommand::NoteCustomer {
                dialog,
                body: body("prefers to be called"),
            },
        ),
        w.answers("oleg", 0, "with an old epoch", 2),
        w.operator(
            "oleg",
            CustomerCommand::Hold {
                dialog,
                owner_epoch,
            },
        ),
        w.says(0, "are you there?"),
        w.operator(
            "oleg",
            CustomerCommand::Resume {
                dialog,
                owner_epoch,
            },
        ),
        w.operator(
            "oleg",
            CustomerCommand::SetTags {
                dialog,
                tags: BTreeSet::from([label("card")]),
            },
        ),
        w.cursor(staff("oleg"), 0, 6, 5),
    ]
}

fn transfer(opened: u64, epoch: u64) -> CustomerCommand<Sealed> {
    CustomerCommand::Transfer {
        dialog: dialog(opened),
        owner_epoch: OwnerEpoch(epoch),
        to: TransferTo::Operator {
            desk: DeskId::try_new("main").unwrap(),
            operator: StaffId::try_new("olga").unwrap(),
            queue: None,
        },
        note: Some(body("she knows cards")),
    }
}

fn close(opened: u64, epoch: u64) -> CustomerCommand<Sealed> {
    CustomerCommand::Close {
        dialog: dialog(opened),
        owner_epoch: Some(OwnerEpoch(epoch)),
        outcome: label("solved"),
    }
}

fn wrap_up(opened: u64, epoch: u64) -> CustomerCommand<Sealed> {
    CustomerCommand::WrapUp {
        dialog: dialog(opened),
        owner_epoch: OwnerEpoch(epoch),
    }
}

fn second_dialog(w: &mut Writer) -> Vec<(Partition, Bytes)> {
    vec![
        w.customer(CustomerCommand::Rate {
            dialog: dialog(0),
            score: 5,
            comment: Some(body("quick")),
        }),
        w.customer(open()),
        w.says(1, "one more thing"),
        w.customer(CustomerCommand::AskPerson {
            dialog: dialog(1),
            queue: Some(QueueRef {
                desk: DeskId::try_new("main").unwrap(),
                queue: QueueId::try_new("general").unwrap(),
            }),
        }),
    ]
}

/// A body that nobody can read, an envelope that nobody can, and a command behind them.
fn unreadable(w: &mut Writer) -> Vec<(Partition, Bytes)> {
    let author = Participant::Customer(anna_id());
    let n = w.numbers.entry((author.clone(), anna())).or_default();
    *n += 1;
    let n = *n;
    let command = Command::Customer(open());
    let mut record = w.numbered(&author, anna(), &command, n);
    record.body = Bytes::from_static(b"\x01nonsense");
    let bad_body = Writer::encode(&record);
    w.sent.push(bad_body.clone());
    let bad_envelope = (bad_body.0, Bytes::from_static(b"\x01nonsense"));
    vec![bad_body, bad_envelope, w.customer(open())]
}

/// Appends a step.
pub(crate) async fn append(world: &Arc<World>, step: &Step) {
    world.clock.advance_ms(step.later_ms);
    for (partition, bytes) in &step.records {
        ports::append(world, *partition, bytes.clone()).await;
    }
}
