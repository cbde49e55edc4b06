//! Effects run from `events`: in order per stream, at least once, with dead letters.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "effects/beginning.rs"]
mod beginning;
#[path = "effects/channel.rs"]
mod channel;
#[path = "effects/outages.rs"]
mod outages;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use chatcore::{
    bot::{BotRules, RuleBot},
    clock::{SystemClock, Timestamp},
    commands::CommandWriter,
    content::{Content, Sealed},
    dialog::{CustomerCommand, DialogEvent, Phase},
    effects::{BotEffect, Effect, EffectsConfig, IndexEffect, PushEffect, Work, run_effect},
    error::{Error, ErrorKind, Result},
    identity::{BodySealer, PlainSealer},
    ids::{
        ChannelId, CustomerId, DeskId, DialogId, Fence, Label, Node, NodeEpoch, NodeId, Offset,
        OwnerEpoch, Participant, Partition, Seq, StaffId, StreamId, Target, TenantId,
    },
    journal::Log,
    memory,
    ports::Ports,
    push::{Push, PushNotifier, PushReason},
    record::{
        Accepted, Access, Appended, Command, CommandId, CommandRecord, Decision, Event,
        EventRecord, Outcome, Position, StreamEvent, Verdict, Visibility, decode, encode,
    },
    store::{Follow, FollowFrom, Index, Mark, PartitionBatch, Rebuild, StoredDecision},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const P: Partition = Partition(0);

fn anna() -> CustomerId {
    CustomerId::try_new("anna").unwrap()
}

fn text(text: &str) -> Sealed {
    PlainSealer
        .seal(&anna(), &Content::Text(text.to_owned()))
        .unwrap()
}

fn message(author: Participant, body: &str) -> DialogEvent<Sealed> {
    DialogEvent::Message {
        author,
        body: text(body),
        reply_to: None,
        assurance: None,
    }
}

fn opened() -> DialogEvent<Sealed> {
    DialogEvent::Opened {
        customer: anna(),
        channel: ChannelId::try_new("web").unwrap(),
        by: Participant::Customer(anna()),
        topic: None,
        assurance: None,
    }
}

/// Saves and publishes what an owner would have decided.
struct Owner {
    ports: Ports,
    fence: Fence,
    cause: Offset,
    head: Position,
}

impl Owner {
    async fn new(ports: &Ports) -> Self {
        let store = &ports.partitions;
        let fence = store.take(P, Fence(0)).await.unwrap().fence;
        let incarnation = ports.journal.incarnation();
        let mark = Mark {
            incarnation,
            ..Mark::default()
        };
        store.rebuild(P, fence, Rebuild::Begin(mark)).await.unwrap();
        let done = Rebuild::Done {
            incarnation,
            applied: Offset(0),
        };
        store.rebuild(P, fence, done).await.unwrap();
        let owner = Self {
            ports: ports.clone(),
            fence,
            cause: Offset(0),
            head: Position::default(),
        };
        owner.publish(&EventRecord::Owner { fence }).await;
        owner
    }

    /// Another owner takes the partition and goes on with it.
    async fn succeeded(&self) -> Self {
        let store = &self.ports.partitions;
        let fence = store.take(P, Fence(0)).await.unwrap().fence;
        let owner = Self {
            ports: self.ports.clone(),
            fence,
            ..*self
        };
        owner.publish(&EventRecord::Owner { fence }).await;
        owner
    }

    async fn publish(&self, record: &EventRecord) {
        let bytes = encode(record).unwrap();
        self.ports
            .journal
            .try_append(Log::Events, P, bytes)
            .unwrap()
            .await
            .unwrap();
    }

    async fn happens(&mut self, phase: Phase, event: DialogEvent<Sealed>) -> Decision {
        let decision = self.decides(phase, event);
        self.save(&decision).await;
        self.publish_decision(&decision).await;
        decision
    }

    fn decides(&mut self, phase: Phase, event: DialogEvent<Sealed>) -> Decision {
        let event = Event::Dialog(event);
        let seq = self.head.seq.next();
        let hash = self.head.hash.then(seq, &encode(&event).unwrap());
        let at = Timestamp(1_000 + i64::try_from(seq.0).unwrap());
        let event = StreamEvent {
            seq,
            hash,
            at,
            visibility: Visibility::Everyone,
            event,
        };
        let appended = Appended {
            stream: StreamId::Dialog(DialogId(1)),
            after: self.head,
            events: vec![event],
            access: Access::Dialog {
                customer: anna(),
                owner: None,
                epoch: OwnerEpoch(1),
                desk: DeskId::try_new("main").unwrap(),
                phase,
                last_owner: None,
            },
        };
        self.head = appended.upto();
        let accepted = Accepted {
            redacted: false,
            dialog: Some(DialogId(1)),
            seq,
        };
        let cause = self.cause;
        self.cause = cause.next();
        Decision {
            cause,
            at,
            tenant: TenantId::single(),
            trace: None,
            target: Target::Customer(anna()),
            author: Participant::System,
            id: CommandId::Internal,
            digest: 0,
            settled: 0,
            reply_to: None,
            unparked: None,
            brought_up_by: None,
            verdict: Verdict::Decided(Outcome::Accepted(accepted)),
            appended: vec![appended],
            cursors: Vec::new(),
            follow_ups: Vec::new(),
            forget: Vec::new(),
            dialogs_opened: 0,
        }
    }

    async fn publish_decision(&self, decision: &Decision) {
        let record = EventRecord::Decided {
            fence: self.fence,
            decision: Box::new(decision.clone()),
        };
        self.publish(&record).await;
    }

    async fn save(&self, decision: &Decision) {
        let stored = StoredDecision {
            decision: Arc::new(decision.clone()),
            bytes: encode(decision).unwrap(),
        };
        let batch = PartitionBatch {
            partition: P,
            fence: self.fence,
            incarnation: self.ports.journal.incarnation(),
            expected: decision.cause,
            applied: decision.cause.next(),
            decisions: vec![stored],
            snapshots: Vec::new(),
            due: Vec::new(),
            dialogs: 0,
            received: Default::default(),
            events: Offset(0),
            trial: None,
            forget: Vec::new(),
        };
        self.ports
            .partitions
            .save(vec![batch])
            .await
            .unwrap()
            .remove(0)
            .unwrap();
    }
}

fn ports() -> Ports {
    memory::ports(1, Arc::new(SystemClock))
}

/// Runs the effect while `act` goes on.
async fn while_running<T>(
    ports: &Ports,
    effect: Arc<dyn Effect>,
    act: impl Future<Output = T>,
) -> T {
    let shutdown = CancellationToken::new();
    let run = run_effect(
        ports.clone(),
        effect,
        EffectsConfig::default(),
        shutdown.clone(),
    );
    let act = async {
        let done = act.await;
        shutdown.cancel();
        done
    };
    let (ended, done) = tokio::join!(run, act);
    ended.unwrap();
    done
}

/// Notes what it is given; fails as it is told.
#[derive(Debug)]
struct Probe {
    name: Label,
    fails: Mutex<VecDeque<ErrorKind>>,
    seen: Mutex<Vec<u64>>,
    given_up: Mutex<Vec<u64>>,
    noted: Notify,
}

impl Probe {
    fn new(fails: impl Into<VecDeque<ErrorKind>>) -> Arc<Self> {
        Arc::new(Self {
            name: Label::try_new("probe").unwrap(),
            fails: Mutex::new(fails.into()),
            seen: Mutex::default(),
            given_up: Mutex::default(),
            noted: Notify::new(),
        })
    }

    async fn saw(&self, count: usize) -> Vec<u64> {
        loop {
            let noted = self.noted.notified();
            let seen = self.seen.lock().unwrap().clone();
            if seen.len() + self.given_up.lock().unwrap().len() >= count {
                return seen;
            }
            noted.await;
        }
    }
}

fn seq(work: &Work) -> u64 {
    work.appended().unwrap().upto().seq.0
}

#[async_trait::async_trait]
impl Effect for Probe {
    fn name(&self) -> &Label {
        &self.name
    }

    fn wants(&self, _: &Appended) -> bool {
        true
    }

    async fn run(&self, work: &Work) -> Result<()> {
        if let Some(kind) = self.fails.lock().unwrap().pop_front() {
            return Err(Error::new(kind, "probe"));
        }
        self.seen.lock().unwrap().push(seq(work));
        self.noted.notify_waiters();
        Ok(())
    }

    async fn give_up(&self, work: &Work, _: &Label) -> Result<()> {
        self.given_up.lock().unwrap().push(seq(work));
        self.noted.notify_waiters();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_hopeless_becomes_a_dead_letter_and_the_rest_goes_on() {
    let ports = ports();
    let mut owner = Owner::new(&ports).await;
    let probe = Probe::new([ErrorKind::Invalid]);
    while_running(&ports, probe.clone(), async {
        owner
            .happens(Phase::Bot, message(Participant::Bot, "poison"))
            .await;
        owner
            .happens(Phase::Bot, message(Participant::Bot, "fine"))
            .await;
        assert_eq!(probe.saw(2).await, [2]);
    })
    .await;
    assert_eq!(*probe.given_up.lock().unwrap(), [1]);
    let letters = ports.dead_letters.list(None, 10).await.unwrap();
    let (_, letter) = &letters[0];
    assert_eq!((letter.reason.as_str(), letter.attempts), ("invalid", 1));
    let record: Decision = decode(&letter.record).unwrap();
    assert_eq!(record.cause, Offset(0));
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_never_succeeds_is_given_up_after_its_tries() {
    let ports = ports();
    let mut owner = Owner::new(&ports).await;
    let config = EffectsConfig::default();
    let tries = usize::try_from(config.attempts_max).unwrap();
    let probe = Probe::new(vec![ErrorKind::Unavailable; tries]);
    while_running(&ports, probe.clone(), async {
        owner
            .happens(Phase::Bot, message(Participant::Bot, "x"))
            .await;
        probe.saw(1).await;
    })
    .await;
    assert_eq!(*probe.given_up.lock().unwrap(), [1]);
    let letters = ports.dead_letters.list(None, 10).await.unwrap();
    assert_eq!(letters[0].1.attempts, config.attempts_max);
}

fn rule_bot() -> RuleBot {
    RuleBot::try_new(BotRules {
        greeting: "Hello".to_owned(),
        rules: Vec::new(),
        person_button: "Person".to_owned(),
        person_words: vec!["person".to_owned()],
        handing_over: "Coming".to_owned(),
        not_understood: "Pardon".to_owned(),
        failures_max: 2,
        queue: None,
    })
    .unwrap()
}

/// The commands that the bot has written so far, once there are this many.
async fn answers(ports: &Ports, count: usize) -> Vec<CommandRecord> {
    loop {
        let records = ports
            .journal
            .read(Log::Commands, P, Offset(0), 100)
            .await
            .unwrap();
        if records.len() >= count {
            return records.iter().map(|r| decode(&r.bytes).unwrap()).collect();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_bot_answers_with_what_it_saw_and_is_silent_after_the_hand_over() {
    let ports = ports();
    let mut owner = Owner::new(&ports).await;
    let commands = CommandWriter::new(ports.journal.clone());
    let sealer = Arc::new(PlainSealer);
    let bot = BotEffect::new(
        Arc::new(rule_bot()),
        sealer,
        ports.streams.clone(),
        commands,
    );
    let answers = while_running(&ports, Arc::new(bot), async {
        owner.happens(Phase::Bot, opened()).await;
        answers(&ports, 1).await;
        owner
            .happens(Phase::Bot, message(Participant::Bot, "Hello"))
            .await;
        let customer = Participant::Customer(anna());
        owner
            .happens(Phase::Waiting, message(customer.clone(), "nobody asked"))
            .await;
        owner
            .happens(Phase::Bot, message(customer, "a person please"))
            .await;
        answers(&ports, 2).await
    })
    .await;
    let told: Vec<_> = answers
        .iter()
        .map(|record| {
            assert_eq!(record.author, Participant::Bot);
            match decode::<Command<Sealed>>(&record.body).unwrap() {
                Command::Customer(CustomerCommand::BotAnswer {
                    seen, hand_over, ..
                }) => (seen.0, hand_over.map(|h| h.reason.to_string())),
                other => panic!("not an answer of the bot: {other:?}"),
            }
        })
        .collect();
    assert_eq!(told, [(1, None), (4, Some("asked".to_owned()))]);
}

#[derive(Debug, Default)]
struct Pushes(Mutex<Vec<Push>>);

#[async_trait::async_trait]
impl PushNotifier for Pushes {
    async fn notify(&self, push: &Push) -> Result<()> {
        self.0.lock().unwrap().push(push.clone());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_customer_is_pushed_only_while_away() {
    let ports = ports();
    let mut owner = Owner::new(&ports).await;
    let pushes = Arc::new(Pushes::default());
    let effect = PushEffect::new(pushes.clone(), ports.streams.clone());
    let olga = Participant::Staff(StaffId::try_new("olga").unwrap());
    let node = Node {
        id: NodeId::try_new("n1").unwrap(),
        epoch: NodeEpoch(1),
    };
    let stream = StreamId::Customer(anna());
    let pushed = |count| {
        let pushes = pushes.clone();
        async move {
            while pushes.0.lock().unwrap().len() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    while_running(&ports, Arc::new(effect), async {
        owner
            .happens(Phase::Assigned, message(olga.clone(), "away"))
            .await;
        pushed(1).await;
        ports
            .leases
            .open(&node, Duration::from_secs(3_600))
            .await
            .unwrap();
        let from = FollowFrom::Tail(0);
        let follow = Follow {
            stream: stream.clone(),
            node: node.clone(),
            from,
            limit: 1,
        };
        ports.streams.follow(follow).await.unwrap();
        owner
            .happens(Phase::Assigned, message(olga.clone(), "here"))
            .await;
        // Paused time moves on only once nobody has anything to do.
        tokio::time::sleep(Duration::from_millis(10)).await;
        ports.streams.unfollow(&stream, &node).await.unwrap();
        owner
            .happens(Phase::Assigned, message(olga, "away again"))
            .await;
        pushed(2).await;
    })
    .await;
    let pushes = pushes.0.lock().unwrap();
    let told: Vec<_> = pushes.iter().map(|p| (p.seq, p.reason)).collect();
    assert_eq!(
        told,
        [(Seq(1), PushReason::Message), (Seq(3), PushReason::Message)]
    );
}

#[tokio::test(start_paused = true)]
async fn lists_are_built_from_events() {
    let ports = ports();
    let mut owner = Owner::new(&ports).await;
    let olga = StaffId::try_new("olga").unwrap();
    owner.happens(Phase::Bot, opened()).await;
    let closed = DialogEvent::Closed {
        by: Participant::Staff(olga.clone()),
        outcome: Label::try_new("solved").unwrap(),
        epoch: OwnerEpoch(2),
    };
    owner.happens(Phase::Closed, closed).await;
    let effect = IndexEffect::new(ports.index.clone());
    let list = |index| {
        let store = ports.index.clone();
        async move {
            loop {
                let list = store.list(&index, None, 10).await.unwrap();
                if !list.is_empty() {
                    return list;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    while_running(&ports, Arc::new(effect), async {
        assert_eq!(list(Index::Customer(anna())).await[0].dialog, DialogId(1));
        assert_eq!(list(Index::ClosedBy(olga)).await[0].customer, anna());
    })
    .await;
}
