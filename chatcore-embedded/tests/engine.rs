//! The core's engine on a folder: it goes on after a crash, and builds a wiped view again with the
//! code that would build an emptied store again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use chatcore::{
    clock::SystemClock,
    content::{Content, Sealed},
    dialog::{CustomerCommand, DialogEvent, DialogSettings, Open},
    engine::{Engine, EngineConfig},
    identity::{BodySealer, PlainSealer},
    ids::{
        ChannelId, CustomerId, Node, NodeEpoch, NodeId, Offset, Participant, Partition, Seq,
        StreamId, Target, TenantId,
    },
    journal::Log,
    ports::Ports,
    queue::Policies,
    record::{Command, CommandId, CommandRecord, Event, EventRecord, StreamEvent, decode, encode},
    store::ReadRange,
};
use chatcore_embedded::{Embedded, Options};
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const PARTITIONS: u32 = 3;
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(120);

type History = BTreeMap<StreamId, Vec<StreamEvent<Sealed>>>;

async fn open(folder: &Path) -> Embedded {
    let options = Options::new(folder).with_partitions(PARTITIONS);
    Embedded::open(options, Arc::new(SystemClock))
        .await
        .unwrap()
}

/// An engine at work.
struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<chatcore::error::Result<()>>,
}

impl Running {
    fn start(ports: &Ports, life: u64) -> Self {
        let node = Node {
            id: NodeId::try_new("one").unwrap(),
            epoch: NodeEpoch(life),
        };
        let config = EngineConfig {
            tick: Duration::from_millis(50),
            snapshot_decisions: 5,
            ..EngineConfig::default()
        };
        let engine = Engine::try_new(ports.clone(), node, Policies::default(), config).unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let task = TaskTracker::new().spawn(async move { engine.run(stop).await });
        Self { shutdown, task }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

fn says(customer: u64, number: u64) -> (Target, CommandRecord) {
    let id = CustomerId::try_new(format!("customer-{customer}")).unwrap();
    let text = Content::Text(format!("message {number}"));
    let body = PlainSealer.seal(&id, &text).unwrap();
    let channel = ChannelId::try_new("web").unwrap();
    let open = Open {
        channel: channel.clone(),
        topic: None,
        settings: DialogSettings::default(),
    };
    let command = Command::Customer(CustomerCommand::Write { open, body });
    let target = Target::Customer(id.clone());
    let record = CommandRecord {
        tenant: TenantId::single(),
        trace: None,
        target: target.clone(),
        author: Participant::Customer(id),
        rights: None,
        assurance: None,
        id: CommandId::ChannelNumber { channel, number },
        settled: 0,
        redaction: None,
        reply_to: None,
        digest: number,
        body: encode(&command).unwrap(),
    };
    (target, record)
}

/// Six customers say these messages; returns when all of it is durable.
async fn say(ports: &Ports, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let pending: Vec<_> = (0..6)
            .map(|customer| {
                let (target, record) = says(customer, number);
                let (partition, bytes) = (target.partition(PARTITIONS), encode(&record).unwrap());
                let append = ports.journal.try_append(Log::Commands, partition, bytes);
                append.unwrap()
            })
            .collect();
        for pending in pending {
            pending.await.unwrap();
        }
    }
}

/// Waits until all commands were applied, and everything they led to was emitted.
async fn quiet(ports: &Ports) {
    let partitions: Vec<_> = (0..PARTITIONS).map(Partition).collect();
    let wait = async {
        loop {
            let marks = ports.partitions.marks(&partitions).await.unwrap();
            let mut done = true;
            for (mark, partition) in marks.iter().zip(&partitions) {
                let bounds = ports.journal.bounds(Log::Commands, *partition).await;
                let end = bounds.unwrap().1;
                done &= mark.built && mark.applied == end && mark.trimmed == end;
            }
            if done {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(LONG, wait).await;
    assert!(waited.is_ok(), "never quiet");
}

/// Every stream that was published, as the store has it.
async fn history(ports: &Ports) -> History {
    let mut history = History::new();
    for partition in (0..PARTITIONS).map(Partition) {
        let read = ports
            .journal
            .read(Log::Events, partition, Offset(0), 100_000);
        for record in read.await.unwrap() {
            let EventRecord::Decided { decision, .. } = decode(&record.bytes).unwrap() else {
                continue;
            };
            for appended in decision.appended {
                history.entry(appended.stream).or_default();
            }
        }
    }
    for (stream, events) in &mut history {
        let range = ReadRange {
            stream: stream.clone(),
            after: Seq(0),
            upto: Seq(u64::MAX),
            limit: 100_000,
        };
        *events = ports.streams.read(range).await.unwrap().events;
    }
    history
}

fn messages(history: &History) -> usize {
    let dialogs = history
        .iter()
        .filter(|(s, _)| matches!(s, StreamId::Dialog(_)));
    let events = dialogs.flat_map(|(_, events)| events);
    let says =
        |e: &&StreamEvent<Sealed>| matches!(e.event, Event::Dialog(DialogEvent::Message { .. }));
    events.filter(says).count()
}

/// What a crash leaves: the files as they are, while the database is open.
fn copy_of(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() && file.file_name() != "lock" {
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
    }
    copy
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_goes_on_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = open(folder.path()).await;
    let ports = embedded.ports();
    let engine = Running::start(&ports, 1);
    say(&ports, 1..11).await;
    quiet(&ports).await;
    let before = history(&ports).await;
    assert_eq!(messages(&before), 60);
    // Durable, and not decided yet when the process dies.
    engine.kill().await;
    say(&ports, 11..16).await;
    let crashed = copy_of(folder.path());
    embedded.close().await.unwrap();

    let embedded = open(crashed.path()).await;
    let ports = embedded.ports();
    let engine = Running::start(&ports, 2);
    quiet(&ports).await;
    let after = history(&ports).await;
    assert_eq!(messages(&after), 90);
    for (stream, events) in &before {
        assert!(after[stream].starts_with(events), "{stream}");
    }
    engine.stop().await;
    embedded.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_view_is_built_again_while_the_engine_works() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = open(folder.path()).await;
    let ports = embedded.ports();
    let engine = Running::start(&ports, 1);
    say(&ports, 1..11).await;
    quiet(&ports).await;
    let before = history(&ports).await;
    embedded.wipe_view().await.unwrap();
    quiet(&ports).await;
    assert_eq!(history(&ports).await, before);
    say(&ports, 11..14).await;
    quiet(&ports).await;
    assert_eq!(messages(&history(&ports).await), 78);
    engine.stop().await;
    embedded.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_view_is_built_again_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = open(folder.path()).await;
    let ports = embedded.ports();
    let engine = Running::start(&ports, 1);
    say(&ports, 1..11).await;
    quiet(&ports).await;
    let before = history(&ports).await;
    engine.stop().await;
    embedded.wipe_view().await.unwrap();
    embedded.close().await.unwrap();

    let embedded = open(folder.path()).await;
    let ports = embedded.ports();
    let engine = Running::start(&ports, 2);
    quiet(&ports).await;
    assert_eq!(history(&ports).await, before);
    engine.stop().await;
    embedded.close().await.unwrap();
}
