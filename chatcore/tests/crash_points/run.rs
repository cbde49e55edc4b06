//! One run of the script, with or without a fault, and what came of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use chatcore::{
    commands::CommandWriter,
    effects::{ArchiveEffect, EffectsConfig, run_effect},
    engine::{Aggregate, Engine, EngineConfig, Machine, Published},
    ids::{Node, NodeEpoch, NodeId, Offset, Partition, Seq, StreamId, Target},
    journal::Log,
    queue::Policies,
    record::{self, CommandId, Decision, Verdict},
    store::ReadRange,
};
use tokio::task::AbortHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    follower::{Follower, Replies, streams},
    gate::{Fault, Gate},
    ports::{Membership, gated},
    script,
    world::{Loss, PARTITIONS, World},
};

/// Who goes on after the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Successor {
    /// The same engine: the effect failed before it happened.
    SameBefore,
    /// The same engine: the effect happened, and its answer was lost.
    SameAfter,
    /// A new engine; the old one is dead.
    New,
    /// A new engine; the old one was paused and finishes its old batch after that.
    Zombie,
}

/// A fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) at: usize,
    pub(crate) loss: Loss,
    pub(crate) successor: Successor,
}

/// What a run led to; equal for all runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The history, in bytes.
    pub(crate) streams: BTreeMap<StreamId, Vec<Bytes>>,
    /// What authors heard, by the command's name.
    pub(crate) replies: Replies,
    /// What was published, each cause once, without what differs by its offset.
    pub(crate) published: Vec<Vec<Decision>>,
    /// The states of the machines.
    pub(crate) machines: Vec<Machine>,
    /// Why what became a dead letter.
    pub(crate) letters: BTreeSet<(String, Bytes)>,
    /// The streams that have left the live view.
    pub(crate) left: Vec<StreamId>,
}

/// How a run went.
pub(crate) struct Ran {
    pub(crate) seen: Seen,
    /// The effects of the first engine, by name.
    pub(crate) effects: Vec<&'static str>,
    /// The whole states at the end, in bytes.
    pub(crate) states: Vec<(Target, Bytes)>,
    /// The decisions that count, of one partition after the other.
    pub(crate) decisions: Vec<Decision>,
    /// Events that no frame brought.
    pub(crate) missed: Vec<(StreamId, Seq)>,
    pub(crate) contradictions: Vec<String>,
    pub(crate) was_hit: bool,
}

/// An engine that runs.
struct Running {
    gate: Arc<Gate>,
    membership: Membership,
    task: AbortHandle,
}

fn start(world: &Arc<World>, tasks: &TaskTracker, gate: Arc<Gate>, batch: usize) -> Running {
    let membership = Arc::new(Mutex::new(None));
    let node = Node {
        id: NodeId::try_new("worker").unwrap(),
        epoch: NodeEpoch(1),
    };
    let config = EngineConfig {
        batch_records_max: batch,
        // Often, so that the sweep meets them.
        snapshot_decisions: 7,
        commands_kept: Some(2),
        ..EngineConfig::default()
    };
    let ports = gated(world, &gate, &membership);
    let engine = Engine::try_new(ports, node, Policies::default(), config).unwrap();
    let task = tasks.spawn(async move {
        let _ = engine.run(CancellationToken::new()).await;
    });
    Running {
        gate,
        membership,
        task: task.abort_handle(),
    }
}

/// Brings dialogs to the archive, beside the engines and without their faults.
fn start_archive(world: &Arc<World>, tasks: &TaskTracker) -> AbortHandle {
    let ports = world.ports.clone();
    let commands = CommandWriter::new(ports.journal.clone());
    let archive = ArchiveEffect::new(ports.archive.clone(), ports.streams.clone(), commands);
    let run = run_effect(
        ports,
        Arc::new(archive),
        EffectsConfig::default(),
        CancellationToken::new(),
    );
    let task = tasks.spawn(async move {
        let _ = run.await;
    });
    task.abort_handle()
}

/// Runs the script; `batch` is the most commands of one save.
///
/// Answers none when it does not become quiet: something is lost for good.
pub(crate) async fn run(plan: Option<Plan>, batch: usize) -> Option<Ran> {
    let world = World::new(plan.is_some_and(|p| p.loss == Loss::LastSaves));
    let tasks = TaskTracker::new();
    let gate = plan.map_or_else(Gate::none, |plan| gate(&world, plan));
    let archive = start_archive(&world, &tasks);
    let mut stage = Stage {
        engines: vec![start(&world, &tasks, Arc::new(gate), batch)],
        follower: Follower::new(&world).await,
        world,
        tasks,
        plan,
        batch,
    };
    let mut is_quiet = stage.settle().await;
    for step in script::steps() {
        script::append(&stage.world, &step).await;
        is_quiet = is_quiet && stage.settle().await;
    }
    let ran = match is_quiet {
        true => Some(observe(&stage.world, &stage.follower, &stage.engines[0].gate).await),
        false => None,
    };
    for engine in &stage.engines {
        engine.task.abort();
    }
    archive.abort();
    stage.tasks.close();
    stage.tasks.wait().await;
    ran
}

fn gate(world: &Arc<World>, plan: Plan) -> Gate {
    let fault = match plan.successor {
        Successor::SameBefore => Fault::FailBefore,
        Successor::SameAfter => Fault::FailAfter,
        Successor::New | Successor::Zombie => Fault::Stop,
    };
    let (lost, loss) = (world.clone(), plan.loss);
    Gate::new(plan.at, fault, move || {
        // An effect that happens must happen before the loss; see `settle`.
        if plan.successor != Successor::SameAfter {
            lost.lose(loss);
        }
    })
}

/// A run under way.
struct Stage {
    world: Arc<World>,
    tasks: TaskTracker,
    /// The one with the fault first.
    engines: Vec<Running>,
    follower: Follower,
    /// None once it has been dealt with.
    plan: Option<Plan>,
    batch: usize,
}

impl Stage {
    /// Waits until all is quiet; deals with the fault when it happens.
    async fn settle(&mut self) -> bool {
        let mut quiet_for = 0;
        for turn in 0..1_000_u64 {
            if self.engines[0].gate.is_hit()
                && let Some(plan) = self.plan.take()
            {
                self.go_on(plan).await;
            }
            let is_following = self.follower.work().await;
            quiet_for = match is_following && self.world.is_quiet().await {
                true => quiet_for + 1,
                false => 0,
            };
            if quiet_for == 2 {
                return true;
            }
            // At once at first, then with more patience: for backoffs, ticks and leases.
            let wait = if turn < 50 { 1 } else { 50 };
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        false
    }

    /// The fault has happened.
    async fn go_on(&mut self, plan: Plan) {
        if plan.loss != Loss::None {
            if plan.successor == Successor::SameAfter {
                self.world.lose(plan.loss);
            }
            self.follower.was_forgotten();
        }
        if matches!(plan.successor, Successor::New | Successor::Zombie) {
            self.succeed(plan).await;
        }
    }

    /// The old engine has stopped: another takes over, and a zombie goes on once that is at work.
    async fn succeed(&mut self, plan: Plan) {
        let old = &self.engines[0];
        if plan.successor == Successor::New {
            old.task.abort();
        }
        drop(old.membership.lock().unwrap().take());
        let gate = Arc::new(Gate::none());
        let new = start(&self.world, &self.tasks, gate, self.batch);
        if plan.successor == Successor::Zombie {
            // Long enough for the new one to take over and decide what is there.
            tokio::time::sleep(Duration::from_secs(3)).await;
            old.gate.release();
        }
        self.engines.push(new);
    }
}

async fn observe(world: &Arc<World>, follower: &Follower, gate: &Gate) -> Ran {
    let mut histories = BTreeMap::new();
    let mut missed = Vec::new();
    for stream in streams() {
        let range = ReadRange {
            stream: stream.clone(),
            after: Seq(0),
            upto: Seq(u64::MAX),
            limit: 10_000,
        };
        let page = world.ports.streams.read(range).await.unwrap();
        let seen = follower.seen.get(&stream).cloned().unwrap_or_default();
        let mut history = Vec::new();
        let mut contradictions = 0;
        for event in &page.events {
            let bytes = record::encode(event).unwrap();
            match seen.get(&event.seq) {
                None => missed.push((stream.clone(), event.seq)),
                Some(known) if *known != bytes => contradictions += 1,
                Some(_) => {}
            }
            history.push(bytes);
        }
        assert_eq!(contradictions, 0, "frames of {stream} told another history");
        histories.insert(stream, history);
    }
    let mut left = streams();
    let heads = world.ports.streams.heads(&left).await.unwrap();
    let mut heads = heads.into_iter();
    left.retain(|_| heads.next().is_some_and(|head| head.seq == Seq(0)));
    let mut machines = Vec::new();
    let mut states = Vec::new();
    for target in [script::anna(), script::desk()] {
        let stored = world
            .ports
            .streams
            .load(std::slice::from_ref(&target))
            .await
            .unwrap();
        let aggregate = Aggregate::load(&target, &stored[0]).unwrap();
        machines.push(aggregate.machine().clone());
        states.push((target, aggregate.encode().unwrap()));
    }
    let (published, decisions) = published(world).await;
    let letters = world.ports.dead_letters.list(None, 100).await.unwrap();
    Ran {
        seen: Seen {
            streams: histories,
            replies: follower.replies.clone(),
            published,
            machines,
            left,
            letters: letters
                .into_iter()
                .map(|(_, letter)| (letter.reason.to_string(), letter.record))
                .collect(),
        },
        effects: gate.names(),
        states,
        decisions,
        missed,
        contradictions: follower.contradictions.clone(),
        was_hit: gate.is_hit(),
    }
}

/// The decisions that count, without offsets. Repeats and void timers come as often as they may.
async fn published(world: &Arc<World>) -> (Vec<Vec<Decision>>, Vec<Decision>) {
    let mut all = Vec::new();
    let mut whole = Vec::new();
    for partition in (0..PARTITIONS).map(Partition) {
        let read = world
            .ports
            .journal
            .read(Log::Events, partition, Offset(0), 100_000)
            .await
            .unwrap();
        let mut published = Published::default();
        let mut decisions = Vec::new();
        for record in read {
            let record = record::decode(&record.bytes).unwrap();
            let Some(decision) = published.take(record) else {
                continue;
            };
            let is_noise = matches!(decision.verdict, Verdict::Repeated(_))
                || (decision.id == CommandId::Internal
                    && decision.appended.is_empty()
                    && decision.cursors.is_empty());
            whole.push(decision.as_ref().clone());
            if !is_noise {
                let id = match decision.id {
                    CommandId::FollowUp { .. } => CommandId::Internal,
                    id => id,
                };
                decisions.push(Decision {
                    id,
                    cause: Offset(0),
                    ..*decision
                });
            }
        }
        all.push(decisions);
    }
    (all, whole)
}
