//! An engine over the ports in process, on paused time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::{Clock, Timestamp},
    content::Sealed,
    dialog::{CustomerCommand, DialogSettings, Open},
    engine::{Aggregate, Engine, EngineConfig, EngineStats, Machine},
    error::Result,
    identity::{StaffRights, StaffRole},
    ids::{
        ChannelId, CustomerId, DeskId, Node, NodeEpoch, NodeId, Offset, Participant, Partition,
        Target, TenantId,
    },
    journal::Log,
    memory,
    ports::Ports,
    queue::{DeskCommand, DeskState, Policies},
    record::{self, Command, CommandId, CommandRecord, Decision, EventRecord},
};

#[derive(Debug)]
struct BenchClock(AtomicI64);

impl Clock for BenchClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(super) struct Bench {
    pub(super) ports: Ports,
    clock: Arc<BenchClock>,
    pub(super) tasks: TaskTracker,
}

/// An engine that runs.
pub(super) struct Running {
    pub(super) stats: Arc<EngineStats>,
    shutdown: CancellationToken,
    ended: tokio::task::JoinHandle<Result<()>>,
}

impl Running {
    /// Asks for the end and waits for it.
    pub(super) async fn stop(self) -> Result<()> {
        self.shutdown.cancel();
        self.ended.await.unwrap()
    }

    /// Waits until it ends by itself.
    pub(super) async fn ended(self) -> Result<()> {
        let limit = Duration::from_secs(600);
        tokio::time::timeout(limit, self.ended)
            .await
            .unwrap()
            .unwrap()
    }

    /// As a process that dies.
    pub(super) async fn kill(self) {
        self.ended.abort();
        assert!(self.ended.await.is_err());
    }
}

pub(super) fn anna() -> CustomerId {
    CustomerId::try_new("anna").unwrap()
}

pub(super) fn desk() -> DeskId {
    DeskId::try_new("main").unwrap()
}

pub(super) fn node(name: &str) -> Node {
    Node {
        id: NodeId::try_new(name).unwrap(),
        epoch: NodeEpoch(1),
    }
}

impl Bench {
    pub(super) fn new(partitions: u32) -> Self {
        let clock = Arc::new(BenchClock(AtomicI64::new(1_000_000)));
        Self {
            ports: memory::ports(partitions, clock.clone()),
            clock,
            tasks: TaskTracker::new(),
        }
    }

    pub(super) fn later(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.clock.0.fetch_add(by, Ordering::SeqCst);
    }

    pub(super) fn start(&self, config: EngineConfig) -> Running {
        let policies = Policies::default();
        let engine = Engine::try_new(self.ports.clone(), node("worker"), policies, config).unwrap();
        let (stats, shutdown) = (engine.stats(), CancellationToken::new());
        let token = shutdown.clone();
        let ended = self.tasks.spawn(async move { engine.run(token).await });
        Running {
            stats,
            shutdown,
            ended,
        }
    }

    /// Appends a record; answers its place.
    pub(super) async fn append(&self, record: &CommandRecord) -> (Partition, Offset) {
        let partition = record.target.partition(self.ports.journal.partitions());
        let bytes = record::encode(record).unwrap();
        let journal = &self.ports.journal;
        let pending = journal.try_append(Log::Commands, partition, bytes).unwrap();
        (partition, pending.await.unwrap().offset)
    }

    /// Appends a command of chatcore itself to the desk.
    pub(super) async fn to_desk(&self, command: DeskCommand) -> (Partition, Offset) {
        self.append(&internal(
            Target::Desk(desk()),
            Participant::System,
            Command::Desk(command),
        ))
        .await
    }

    /// Waits until that is so; time goes on meanwhile.
    pub(super) async fn until<F: Future<Output = bool>>(&self, what: impl Fn() -> F) {
        for _ in 0..100_000 {
            if what().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it never was so");
    }

    /// Waits until all commands of all partitions are saved.
    pub(super) async fn applied(&self) {
        self.until(|| async {
            let mut is_applied = true;
            for partition in (0..self.ports.journal.partitions()).map(Partition) {
                let bounds = self.ports.journal.bounds(Log::Commands, partition);
                let marks = self.ports.partitions.marks(&[partition]).await.unwrap();
                is_applied &= marks[0].built && marks[0].applied >= bounds.await.unwrap().1;
            }
            is_applied
        })
        .await;
    }

    pub(super) async fn state(&self, target: &Target) -> Aggregate {
        let stored = self.ports.streams.load(std::slice::from_ref(target)).await;
        Aggregate::load(target, &stored.unwrap()[0]).unwrap()
    }

    pub(super) async fn desk_state(&self) -> DeskState {
        match self.state(&Target::Desk(desk())).await.machine() {
            Machine::Desk(state) => state.as_ref().clone(),
            Machine::Customer(_) => panic!("a desk has a desk's state"),
        }
    }

    /// All decisions that were published in a partition.
    pub(super) async fn published(&self, partition: Partition) -> Vec<Decision> {
        let journal = &self.ports.journal;
        let read = journal.read(Log::Events, partition, Offset(0), 100_000);
        let mut published = crate::engine::Published::default();
        let records = read.await.unwrap().into_iter();
        let records = records.map(|r| record::decode::<EventRecord>(&r.bytes).unwrap());
        let counting = records.filter_map(|record| published.take(record));
        counting.map(|decision| *decision).collect()
    }
}

pub(super) fn internal(
    target: Target,
    author: Participant,
    command: Command<Sealed>,
) -> CommandRecord {
    CommandRecord {
        tenant: TenantId::single(),
        trace: None,
        target,
        rights: author.staff().map(|_| StaffRights {
            desk: DeskId::literal("main"),
            role: StaffRole::Operator,
        }),
        author,
        assurance: None,
        id: CommandId::Internal,
        redaction: None,
        reply_to: None,
        digest: 0,
        settled: 0,
        body: record::encode(&command).unwrap(),
    }
}

/// The customer opens a dialog.
pub(super) fn open(customer: &CustomerId) -> CommandRecord {
    let open = CustomerCommand::Open(Open {
        channel: ChannelId::try_new("web").unwrap(),
        topic: None,
        settings: DialogSettings::default(),
    });
    internal(
        Target::Customer(customer.clone()),
        Participant::Customer(customer.clone()),
        Command::Customer(open),
    )
}
