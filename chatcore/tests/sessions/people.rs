//! People with sessions, and what they have seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chatcore::{
    chat::{Chat, ChatBuilder},
    clock::{Clock, Timestamp},
    content::Content,
    dialog::{CustomerCommand, DialogEvent, Message, Open},
    error::Result,
    identity::{Assurance, Identity, Proof, StaffRole, Who},
    ids::{
        ChannelId, CustomerId, DeskId, DeviceId, DialogId, Node, OwnerEpoch, QueueId, Seq, StaffId,
        StreamId, Target,
    },
    memory,
    ports::Ports,
    queue::{DeskConfig, OperatorConfig, PlaceInLine, QueueConfig},
    record::{Accepted, Command, Event, Outcome, Position, Reply, StreamEvent, Visibility},
    routing::{
        CloseCode, Connect, CustomerPresence, HubConfig, Inbox, NodeFrame, NodeInbox, ResetReason,
        SessionConfig, SessionEvent, SessionEvents, SessionSender, StreamState,
    },
};
use tokio_util::sync::CancellationToken;

/// Longer than anything may take on the paused clock.
const PATIENCE: Duration = Duration::from_secs(120);

/// A wall clock that follows tokio's.
#[derive(Debug)]
struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000).plus(self.0.elapsed())
    }
}

/// Loses, repeats and swaps frames of events.
#[derive(Debug)]
pub(crate) struct FaultyInboxes {
    inner: Arc<dyn NodeInbox>,
    seed: AtomicU64,
    /// Of a hundred frames: how many are lost, and how many are sent twice.
    pub(crate) lost: AtomicU64,
    pub(crate) repeated: AtomicU64,
    /// Of a hundred words about a customer's presence: how many are lost.
    pub(crate) words_lost: AtomicU64,
}

impl FaultyInboxes {
    fn dice(&self) -> u64 {
        let next = |seed: u64| {
            seed.wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407)
        };
        let seed = self.seed.load(Ordering::Relaxed);
        self.seed.store(next(seed), Ordering::Relaxed);
        (seed >> 33) % 100
    }
}

#[async_trait]
impl NodeInbox for FaultyInboxes {
    async fn send(&self, node: &Node, frames: Vec<Arc<NodeFrame>>) -> Result<()> {
        let mut sent = Vec::new();
        for frame in frames {
            let is_events = matches!(*frame, NodeFrame::Events(_));
            if is_events && self.dice() < self.lost.load(Ordering::Relaxed) {
                continue;
            }
            let is_word = matches!(
                *frame,
                NodeFrame::CustomerHere { .. } | NodeFrame::AskHere { .. }
            );
            if is_word && self.dice() < self.words_lost.load(Ordering::Relaxed) {
                continue;
            }
            if is_events && self.dice() < self.repeated.load(Ordering::Relaxed) {
                sent.push(Arc::clone(&frame));
            }
            sent.push(frame);
        }
        if self.repeated.load(Ordering::Relaxed) > 0 {
            sent.reverse();
        }
        self.inner.send(node, sent).await
    }

    async fn receive(&self, node: &Node) -> Result<Box<dyn Inbox>> {
        self.inner.receive(node).await
    }
}

/// In-process ports with an inbox that can be made faulty, on the paused clock.
pub(crate) fn ports() -> (Ports, Arc<FaultyInboxes>) {
    let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
    let mut ports = memory::ports(4, clock);
    let faulty = Arc::new(FaultyInboxes {
        inner: ports.inbox.clone(),
        seed: AtomicU64::new(7),
        lost: AtomicU64::new(0),
        repeated: AtomicU64::new(0),
        words_lost: AtomicU64::new(0),
    });
    ports.inbox = faulty.clone();
    (ports, faulty)
}

/// A chat with one desk of three operators.
pub(crate) fn builder(ports: Ports) -> ChatBuilder {
    let queue = QueueId::try_new("general").unwrap();
    let operator = |name: &str| OperatorConfig {
        name: name.to_owned(),
        capacity: 3,
        queues: [queue.clone()].into(),
    };
    let operators = ["olga", "petr", "vera"];
    let config = DeskConfig {
        queues: [(queue.clone(), QueueConfig::default())].into(),
        operators: operators
            .map(|o| (StaffId::try_new(o).unwrap(), operator(o)))
            .into(),
        grace_ms: 60_000,
        grant_resend_ms: 5_000,
        reconcile_ms: 0,
    };
    Chat::builder(ports)
        .with_desk(desk(), config)
        .with_hub(HubConfig {
            head_check_interval: Duration::from_secs(20),
            ..HubConfig::default()
        })
}

/// Runs the chat beside `doing`, then lets it end in order.
pub(crate) async fn while_running<T>(chat: &Chat, doing: impl Future<Output = T>) -> T {
    let shutdown = CancellationToken::new();
    let (ended, done) = tokio::join!(chat.run(shutdown.clone()), async {
        let done = doing.await;
        shutdown.cancel();
        done
    });
    ended.unwrap();
    done
}

pub(crate) fn desk() -> DeskId {
    DeskId::try_new("main").unwrap()
}

pub(crate) fn desk_target() -> Target {
    Target::Desk(desk())
}

pub(crate) fn customer(id: &str) -> Who {
    Who::Customer(CustomerId::try_new(id).unwrap())
}

pub(crate) fn staff(id: &str, supervisor: bool) -> Who {
    Who::Staff {
        id: StaffId::try_new(id).unwrap(),
        desk: desk(),
        role: if supervisor {
            StaffRole::Supervisor
        } else {
            StaffRole::Operator
        },
    }
}

pub(crate) fn identity(who: Who) -> Identity {
    Identity {
        who,
        name: "Name".to_owned(),
        assurance: Assurance::Authenticated,
        expires_at: Timestamp(1_000_000).plus(Duration::from_secs(36_000)),
        proof: Proof::default(),
    }
}

/// Somebody with a session.
pub(crate) struct Person {
    pub(crate) sender: SessionSender,
    events: SessionEvents,
    target: Target,
    numbers: BTreeMap<Target, u64>,
    pub(crate) replies: BTreeMap<(Target, u64), Reply>,
    pub(crate) durable: BTreeMap<Target, u64>,
    pub(crate) positions: BTreeMap<StreamId, Position>,
    pub(crate) seen: BTreeMap<StreamId, Vec<Arc<StreamEvent<Content>>>>,
    pub(crate) resets: Vec<(StreamId, ResetReason, StreamState)>,
    pub(crate) left: BTreeSet<StreamId>,
    pub(crate) typing: usize,
    pub(crate) presence: Vec<(DialogId, CustomerPresence)>,
    pub(crate) places: Vec<(DialogId, tokio::time::Instant, PlaceInLine)>,
    pub(crate) cursors: Vec<chatcore::record::CursorMove>,
    pub(crate) closed: Option<CloseCode>,
}

impl Person {
    pub(crate) fn connect(chat: &Chat, who: Who, device: &str) -> Self {
        Self::resume(chat, who, device, BTreeMap::new())
    }

    pub(crate) fn resume(
        chat: &Chat,
        who: Who,
        device: &str,
        resume: BTreeMap<StreamId, Position>,
    ) -> Self {
        Self::of(chat, identity(who), device, resume)
    }

    pub(crate) fn of(
        chat: &Chat,
        identity: Identity,
        device: &str,
        resume: BTreeMap<StreamId, Position>,
    ) -> Self {
        let target = match &identity.who {
            Who::Customer(id) => Target::Customer(id.clone()),
            Who::Staff { desk, .. } => Target::Desk(desk.clone()),
        };
        let connect = Connect {
            identity,
            device: DeviceId::try_new(device).unwrap(),
            resume: resume.clone(),
            trace: None,
        };
        let (sender, events) = chat.connect(connect).unwrap().split();
        Self {
            sender,
            events,
            target,
            numbers: BTreeMap::new(),
            replies: BTreeMap::new(),
            durable: BTreeMap::new(),
            positions: resume,
            seen: BTreeMap::new(),
            resets: Vec::new(),
            left: BTreeSet::new(),
            typing: 0,
            presence: Vec::new(),
            places: Vec::new(),
            cursors: Vec::new(),
            closed: None,
        }
    }

    /// Takes what is told next in, and checks that ranges join.
    pub(crate) async fn next(&mut self) {
        let next = tokio::time::timeout(PATIENCE, self.events.next()).await;
        match next.expect("nothing is told any more").expect("it ended") {
            SessionEvent::Durable { target, n } => {
                let before = self.durable.insert(target, n);
                assert!(before < Some(n), "durable goes on");
            }
            SessionEvent::Reply { target, n, reply } => {
                self.replies.insert((target, n), reply);
            }
            SessionEvent::Refused { error, .. } => panic!("{error}"),
            SessionEvent::Range {
                stream,
                after,
                upto,
                events,
                ..
            } => {
                let has = self.positions.insert(stream.clone(), upto);
                assert_eq!(has, Some(after), "ranges of {stream} join");
                assert!(upto.seq > after.seq);
                if matches!(self.target, Target::Customer(_)) {
                    assert!(events.iter().all(|e| e.visibility == Visibility::Everyone));
                }
                self.left.remove(&stream);
                self.seen.entry(stream).or_default().extend(events);
            }
            SessionEvent::Reset {
                stream,
                position,
                reason,
                state,
            } => {
                self.positions.insert(stream.clone(), position);
                self.seen.remove(&stream);
                self.left.remove(&stream);
                self.resets.push((stream, reason, state));
            }
            SessionEvent::Cursors { cursors, .. } => self.cursors.extend(cursors),
            SessionEvent::Typing { .. } => self.typing += 1,
            SessionEvent::Presence { dialog, presence } => {
                assert!(matches!(self.target, Target::Desk(_)), "only staff is told");
                self.presence.push((dialog, presence));
            }
            SessionEvent::Place { dialog, place } => {
                assert!(
                    matches!(self.target, Target::Customer(_)),
                    "only the customer is told"
                );
                self.places
                    .push((dialog, tokio::time::Instant::now(), place));
            }
            SessionEvent::Left { stream, .. } => {
                self.left.insert(stream);
            }
            SessionEvent::Closed { code } => self.closed = Some(code),
            _ => {}
        }
    }

    /// Reads until it is so.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = tokio::time::Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "still not: {what}");
            self.next().await;
        }
    }

    /// Sends a command and answers its number.
    pub(crate) async fn send(&mut self, target: &Target, command: Command<Content>) -> Result<u64> {
        let n = self.numbers.get(target).copied().unwrap_or_default() + 1;
        self.sender.send(target.clone(), n, command).await?;
        self.numbers.insert(target.clone(), n);
        Ok(n)
    }

    /// Sends a command and reads until it is done.
    pub(crate) async fn ask(&mut self, target: &Target, command: Command<Content>) -> Accepted {
        let n = self.send(target, command).await.unwrap();
        let key = (target.clone(), n);
        self.until("a reply", |me| me.replies.contains_key(&key))
            .await;
        match &self.replies[&key] {
            Reply::Outcome(Outcome::Accepted(done)) => done.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The customer opens a dialog, and has all of it.
    pub(crate) async fn open(&mut self) -> DialogId {
        let open = CustomerCommand::Open(Open {
            channel: ChannelId::try_new("web").unwrap(),
            topic: None,
            settings: Default::default(),
        });
        let target = self.target.clone();
        let dialog = self
            .ask(&target, Command::Customer(open))
            .await
            .dialog
            .unwrap();
        let stream = StreamId::Dialog(dialog);
        self.until("the dialog", |me| me.positions.contains_key(&stream))
            .await;
        dialog
    }

    /// The texts of messages and notes that were seen in a dialog.
    pub(crate) fn texts(&self, dialog: DialogId) -> Vec<String> {
        let events = self.seen.get(&StreamId::Dialog(dialog));
        let bodies = events.into_iter().flatten().filter_map(|e| match &e.event {
            Event::Dialog(DialogEvent::Message { body, .. } | DialogEvent::Note { body, .. }) => {
                Some(body)
            }
            _ => None,
        });
        bodies
            .map(|body| match body {
                Content::Text(text) => text.clone(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// The epoch of this operator's ownership.
    pub(crate) fn epoch(&self, dialog: DialogId) -> Option<OwnerEpoch> {
        let events = self.seen.get(&StreamId::Dialog(dialog))?;
        events.iter().rev().find_map(|e| match &e.event {
            Event::Dialog(DialogEvent::Assigned { epoch, .. }) => Some(*epoch),
            _ => None,
        })
    }

    pub(crate) fn head(&self, dialog: DialogId) -> Seq {
        self.positions[&StreamId::Dialog(dialog)].seq
    }
}

pub(crate) fn say(dialog: DialogId, text: &str, epoch: Option<OwnerEpoch>) -> Command<Content> {
    Command::Customer(CustomerCommand::Message(Message {
        dialog,
        body: Content::Text(text.to_owned()),
        reply_to: None,
        owner_epoch: epoch,
    }))
}

pub(crate) fn note(dialog: DialogId, text: &str) -> Command<Content> {
    Command::Customer(CustomerCommand::Note {
        dialog,
        body: Content::Text(text.to_owned()),
    })
}

/// Sessions with other bounds.
pub(crate) fn sessions(change: impl FnOnce(&mut SessionConfig)) -> SessionConfig {
    let mut config = SessionConfig::default();
    change(&mut config);
    config
}
