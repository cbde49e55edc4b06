//! A partition with a story in it: what was asked for, and what it led to.

use std::collections::BTreeMap;

use bytes::Bytes;
use chatcore::{
    clock::Timestamp,
    content::Sealed,
    dialog::*,
    engine::{Aggregate, Input, Machine, Published},
    identity::{Assurance, StaffRights, StaffRole},
    ids::*,
    queue::*,
    record::{self, Command, CommandId, CommandRecord, Decision, EventRecord, Verdict, encode},
};

use super::{
    commands::{desk_config, open},
    files::{Golden, write},
    words::*,
};

const FENCE: Fence = Fence(1);

/// What a partition had: commands as they were written with their times, the decisions, and the
/// states that they led to.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) commands: Vec<(Timestamp, Bytes)>,
    events: Vec<Bytes>,
    snapshots: Vec<(String, Bytes)>,
}

/// Decides commands as the owner of the one partition.
#[derive(Debug, Default)]
struct Owner {
    states: BTreeMap<Target, Aggregate>,
    opened: u64,
}

impl Owner {
    fn decide(&mut self, offset: usize, at: Timestamp, bytes: &Bytes) -> Decision {
        let command: CommandRecord = record::decode(bytes).unwrap();
        let state = self
            .states
            .entry(command.target.clone())
            .or_insert_with(|| Aggregate::new(command.target.clone()));
        let decision = state.decide(&Input {
            record: &command,
            offset: Offset(offset as u64),
            at,
            policies: &Policies::default(),
            next_dialog: DialogId::nth(self.opened, Partition(0), 1),
        });
        state.apply(&decision);
        self.opened += u64::from(decision.dialogs_opened);
        decision
    }

    fn snapshots(&self) -> Vec<(String, Bytes)> {
        let of =
            |(target, state): (&Target, &Aggregate)| (target.to_string(), state.encode().unwrap());
        self.states.iter().map(of).collect()
    }
}

fn published(decision: &Decision) -> Bytes {
    let record = EventRecord::Decided {
        fence: FENCE,
        decision: Box::new(decision.clone()),
    };
    encode(&record).unwrap()
}

/// Writes commands and their follow-ups, and decides them at once.
#[derive(Debug, Default)]
struct Teller {
    owner: Owner,
    recorded: Recorded,
    sent: BTreeMap<(Participant, Target), u64>,
}

impl Teller {
    fn write(&mut self, record: &CommandRecord) {
        let at = Timestamp(AT.0 + 1_000 * self.recorded.commands.len() as i64);
        self.recorded.commands.push((at, encode(record).unwrap()));
    }

    /// Decides all that is written, follow-ups of follow-ups included.
    fn settle(&mut self) {
        while let Some((at, bytes)) = self.recorded.commands.get(self.recorded.events.len()) {
            let offset = self.recorded.events.len();
            let decision = self.owner.decide(offset, *at, &bytes.clone());
            self.recorded.events.push(published(&decision));
            for (index, follow_up) in (0..).zip(&decision.follow_ups) {
                let id = CommandId::FollowUp {
                    partition: Partition(0),
                    offset: Offset(offset as u64),
                    index,
                };
                let body = encode(&follow_up.command).unwrap();
                let target = follow_up.target.clone();
                let record = of(Participant::System, target, (id, body));
                self.write(&record);
            }
        }
    }

    fn says(&mut self, who: &Participant, target: Target, command: Command<Sealed>) {
        let n = self.sent.entry((who.clone(), target.clone())).or_default();
        *n += 1;
        let id = CommandId::Client {
            device: device(),
            n: *n,
        };
        let settled = n.saturating_sub(3);
        let mut record = of(who.clone(), target, (id, encode(&command).unwrap()));
        record.settled = settled;
        record.digest = *n;
        self.write(&record);
        self.settle();
    }

    fn system(&mut self, target: Target, command: Command<Sealed>) {
        let body = encode(&command).unwrap();
        self.write(&of(
            Participant::System,
            target,
            (CommandId::Internal, body),
        ));
        self.settle();
    }
}

fn of(author: Participant, target: Target, (id, body): (CommandId, Bytes)) -> CommandRecord {
    let assurance = author.customer().map(|_| Assurance::Known);
    CommandRecord {
        tenant: TenantId::single(),
        trace: None,
        target,
        rights: author.staff().map(|id| StaffRights {
            desk: DeskId::try_new("main").unwrap(),
            role: if *id == staff("boss") {
                StaffRole::Supervisor
            } else {
                StaffRole::Operator
            },
        }),
        author,
        assurance,
        id,
        redaction: None,
        reply_to: None,
        digest: 0,
        settled: 0,
        body,
    }
}

fn to(id: &str) -> Target {
    Target::Customer(customer(id))
}

fn to_desk() -> Target {
    Target::Desk(desk())
}

fn message(dialog: DialogId, owner_epoch: Option<OwnerEpoch>) -> Command<Sealed> {
    Command::Customer(CustomerCommand::Message(Message {
        dialog,
        body: body(),
        reply_to: None,
        owner_epoch,
    }))
}

fn opens(bot: bool) -> Command<Sealed> {
    let mut open = open();
    open.settings.bot = bot;
    Command::Customer(CustomerCommand::Open(open))
}

fn automatic() -> Command<Sealed> {
    let mut config = desk_config();
    for queue in config.queues.values_mut() {
        queue.assignment = Assignment::LongestFree;
    }
    let petr = config.operators[&staff("olga")].clone();
    config.operators.insert(staff("petr"), petr);
    Command::Desk(DeskCommand::Configure(config))
}

/// Anna is served, passed on, answered after a hold, and done; Boris talks with the bot and
/// waits; Clara's command can't be read, and what she says after it can.
fn told() -> Teller {
    let mut teller = Teller::default();
    let [anna, boris, clara] =
        ["anna", "boris", "clara"].map(|id| Participant::Customer(customer(id)));
    let [olga, petr, boss] = ["olga", "petr", "boss"].map(|id| Participant::Staff(staff(id)));
    teller.system(to_desk(), automatic());
    for who in ["olga", "petr"] {
        let came = DeskCommand::Came {
            operator: staff(who),
            node: NodeName::from(&node()),
        };
        teller.system(to_desk(), Command::Desk(came));
    }
    let available = |id: &str| {
        Command::Desk(DeskCommand::Status {
            operator: staff(id),
            status: OperatorStatus::Available,
        })
    };
    teller.says(&olga, to_desk(), available("olga"));
    teller.says(&anna, to("anna"), opens(false));
    let (first, epoch) = (DialogId(1), OwnerEpoch(3));
    teller.says(&anna, to("anna"), message(first, None));
    teller.says(&olga, to("anna"), message(first, Some(epoch)));
    teller.says(&petr, to("anna"), message(first, Some(epoch)));
    let note = CustomerCommand::Note {
        dialog: first,
        body: body(),
    };
    teller.says(&olga, to("anna"), Command::Customer(note));
    let tags = CustomerCommand::SetTags {
        dialog: first,
        tags: [label("vip")].into(),
    };
    teller.says(&olga, to("anna"), Command::Customer(tags));
    let hold = CustomerCommand::Hold {
        dialog: first,
        owner_epoch: epoch,
    };
    teller.says(&olga, to("anna"), Command::Customer(hold));
    teller.says(&petr, to_desk(), available("petr"));
    let transfer = CustomerCommand::Transfer {
        dialog: first,
        owner_epoch: epoch,
        to: TransferTo::Operator {
            desk: desk(),
            operator: staff("petr"),
            queue: None,
        },
        note: Some(body()),
    };
    teller.says(&olga, to("anna"), Command::Customer(transfer));
    teller.says(&boris, to("boris"), opens(true));
    teller.says(&boris, to("boris"), message(DialogId(2), None));
    let answer = CustomerCommand::BotAnswer {
        dialog: DialogId(2),
        seen: Seq(3),
        owner_epoch: OwnerEpoch(1),
        replies: vec![body()],
        hand_over: Some(HandOver {
            queue: None,
            reason: label("failed"),
        }),
    };
    let answered = encode(&Command::<Sealed>::Customer(answer)).unwrap();
    let number = CommandId::ChannelNumber {
        channel: channel(),
        number: 5,
    };
    teller.write(&of(Participant::Bot, to("boris"), (number, answered)));
    teller.settle();
    let cursor = CustomerCommand::Cursor {
        dialog: first,
        delivered: Seq(5),
        read: Seq(4),
    };
    teller.says(&anna, to("anna"), Command::Customer(cursor));
    let wrap_up = CustomerCommand::WrapUp {
        dialog: first,
        owner_epoch: OwnerEpoch(5),
    };
    teller.says(&petr, to("anna"), Command::Customer(wrap_up));
    let rate = CustomerCommand::Rate {
        dialog: first,
        score: 5,
        comment: None,
    };
    teller.says(&anna, to("anna"), Command::Customer(rate));
    let assign = DeskCommand::Assign {
        dialog: DialogId(2),
        operator: staff("petr"),
        over_capacity: true,
    };
    teller.says(&boss, to_desk(), Command::Desk(assign));
    let unreadable = CommandId::Client {
        device: device(),
        n: 1,
    };
    let newer = Bytes::from_static(&[99, 0xc0]);
    teller.write(&of(clara.clone(), to("clara"), (unreadable, newer)));
    teller.sent.insert((clara.clone(), to("clara")), 1);
    teller.settle();
    teller.says(&clara, to("clara"), opens(false));
    let lost = DeskCommand::Lost {
        operator: staff("olga"),
        node: NodeName::from(&node()),
    };
    teller.system(to_desk(), Command::Desk(lost));
    teller
}

fn customer_of(state: &Aggregate) -> &CustomerState {
    match state.machine() {
        Machine::Customer(customer) => customer,
        Machine::Desk(_) => panic!("a desk"),
    }
}

/// The states at the end of the story, and a customer after one command more.
pub(crate) fn snapshots() -> Vec<(&'static str, Aggregate)> {
    let mut noted = told();
    let about = CustomerCommand::NoteCustomer {
        dialog: DialogId(1),
        body: body(),
    };
    let boss = Participant::Staff(staff("boss"));
    noted.says(&boss, to("anna"), Command::Customer(about));
    let noted = noted.owner.states.remove(&to("anna")).unwrap();
    assert_eq!(customer_of(&noted).notes().count(), 1);
    let mut states = told().owner.states;
    let mut take = |name, target: Target| (name, states.remove(&target).unwrap());
    vec![
        take("customer_in_wrap_up", to("anna")),
        take("customer_of_the_bot", to("boris")),
        take("customer_parked", to("clara")),
        take("desk", to_desk()),
        ("customer_with_notes", noted),
    ]
}

impl Recorded {
    pub(crate) fn make() -> Self {
        let teller = told();
        Self {
            snapshots: teller.owner.snapshots(),
            ..teller.recorded
        }
    }

    pub(crate) fn write(&self) {
        let mut golden = Golden::new();
        for (at, bytes) in &self.commands {
            golden.push((format!("command@{}", at.0), bytes.clone()));
        }
        let events = self.events.iter();
        golden.extend(events.map(|bytes| ("decided".to_owned(), bytes.clone())));
        let snapshots = self.snapshots.iter();
        golden.extend(snapshots.map(|(name, bytes)| (format!("state:{name}"), bytes.clone())));
        write("partition", &golden);
    }

    pub(crate) fn read(golden: &Golden) -> Self {
        let mut recorded = Self::default();
        for (name, bytes) in golden {
            if let Some(at) = name.strip_prefix("command@") {
                let at = Timestamp(at.parse().unwrap());
                recorded.commands.push((at, bytes.clone()));
            } else if let Some(target) = name.strip_prefix("state:") {
                recorded.snapshots.push((target.to_owned(), bytes.clone()));
            } else {
                recorded.events.push(bytes.clone());
            }
        }
        recorded
    }

    /// The same commands lead to the same decisions, hashes and all, and to the same states.
    pub(crate) fn decides_alike(&self) {
        let mut owner = Owner::default();
        for (offset, (at, bytes)) in self.commands.iter().enumerate() {
            let decision = owner.decide(offset, *at, bytes);
            let recorded = self.recorded(offset);
            assert_eq!(decision, recorded, "command {offset}");
            assert_eq!(
                published(&decision),
                self.events[offset],
                "command {offset}"
            );
        }
        assert_eq!(owner.snapshots(), self.snapshots);
    }

    /// The decisions alone lead to the same states, as in a recovery.
    pub(crate) fn applies_alike(&self) {
        let mut published = Published::default();
        let mut owner = Owner::default();
        for offset in 0..self.events.len() {
            let decision = self.recorded(offset);
            let record = record::decode::<EventRecord>(&self.events[offset]).unwrap();
            assert_eq!(published.take(record).as_deref(), Some(&decision));
            let state = owner
                .states
                .entry(decision.target.clone())
                .or_insert_with(|| Aggregate::new(decision.target.clone()));
            state.apply(&decision);
        }
        assert_eq!(owner.snapshots(), self.snapshots);
        let parked = |d: &Decision| matches!(d.verdict, Verdict::Parked { .. });
        let decisions = (0..self.events.len()).map(|offset| self.recorded(offset));
        assert_eq!(
            decisions.filter(parked).count(),
            2,
            "the story has parked commands"
        );
    }

    fn recorded(&self, offset: usize) -> Decision {
        match record::decode::<EventRecord>(&self.events[offset]).unwrap() {
            EventRecord::Decided { decision, .. } => *decision,
            EventRecord::Owner { .. } => panic!("no decision"),
        }
    }
}
