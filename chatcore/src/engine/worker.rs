//! The loop that owns everything: one task, which takes what has arrived, decides and saves it,
//! and commits what has been emitted.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    commit::Trims,
    context::{Backoff, Context, is_final, or_panicked},
    lane::Lane,
    look::Looks,
    owned::{Owned, Recovering, Slot},
    presence::Leases,
    recovery::{Takeover, recover},
    silence::Watch,
    stats::count,
};
use crate::{
    error::{Error, ErrorKind, Result},
    ids::{Node, Offset, Partition, StreamId},
    journal::{Consumer, Delivery, Record},
};

/// Deliveries taken before the next step, so that one step serves many partitions.
const DELIVERIES_MAX: usize = 64;

/// The nodes that follow streams.
pub(super) type Routes = BTreeMap<StreamId, Vec<Node>>;

/// Take-overs one after another whose commands were gone from the journal. At first another owner
/// may have decided them, and let them go, since the store was asked for what was applied.
const GONE_MAX: u32 = 5;

/// How a take-over ended.
type Recovered = (Partition, u64, Result<Option<Lane>>);

/// The state of the loop.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) cx: Arc<Context>,
    pub(super) consumer: Box<dyn Consumer>,
    pub(super) slots: BTreeMap<Partition, Slot>,
    tracker: TaskTracker,
    recovered: mpsc::Receiver<Recovered>,
    recovering: mpsc::Sender<Recovered>,
    turn: u64,
    notify: Arc<Notify>,
    /// Asks the store and the journal; one at a time.
    pub(super) looks: Looks,
    pub(super) leases: Leases,
    pub(super) journal: Watch,
    /// After a failure of a port no step is made before this.
    hold: Option<Instant>,
    backoff: Backoff,
    /// Trims of the outbox under way, one a partition at most.
    pub(super) trims: Trims,
    /// Nothing, unless the switch for cached routes is on.
    pub(super) remembered: Routes,
}

impl Worker {
    pub(super) fn new(cx: Arc<Context>, consumer: Box<dyn Consumer>, tracker: TaskTracker) -> Self {
        let partitions = usize::try_from(cx.partitions()).unwrap_or(usize::MAX);
        let (recovering, recovered) = mpsc::channel(partitions.max(1));
        Self {
            backoff: Backoff::new(&cx.config),
            journal: Watch::new(cx.ports.clock.now()),
            cx,
            consumer,
            slots: BTreeMap::new(),
            remembered: Routes::new(),
            trims: Trims::new(),
            tracker,
            recovered,
            recovering,
            turn: 0,
            notify: Arc::new(Notify::new()),
            looks: Looks::new(),
            leases: Leases::default(),
            hold: None,
        }
    }

    /// Works until `shutdown` is cancelled or nothing can help.
    pub(super) async fn run(&mut self, shutdown: &CancellationToken) -> Result<()> {
        let mut ticks = tokio::time::interval(self.cx.config.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_ready = self.is_ready();
            let hold = self.hold;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some((partition, turn, lane)) = self.recovered.recv() => {
                    self.on_recovered(partition, turn, lane?).await?;
                }
                () = self.notify.notified() => self.commit().await?,
                Some(trimmed) = self.trims.next(), if !self.trims.is_empty() => {
                    self.on_trimmed(trimmed).await?;
                }
                Some(looked) = self.looks.next(), if !self.looks.is_empty() => {
                    self.on_looked(looked).await?;
                }
                _ = ticks.tick() => {
                    self.commit().await?;
                    self.look();
                }
                delivery = self.consumer.next() => {
                    self.on_delivery(delivery).await?;
                    // Whoever is about to append is let go first: the batch grows with the load.
                    tokio::task::yield_now().await;
                }
                () = until(hold), if is_ready => {}
            }
            for _ in 0..DELIVERIES_MAX {
                match self.consumer.next().now_or_never() {
                    Some(delivery) => self.on_delivery(delivery).await?,
                    None => break,
                }
            }
            if self.hold.is_none_or(|hold| hold <= Instant::now()) {
                self.hold = None;
                if self.step().await? {
                    self.backoff = Backoff::new(&self.cx.config);
                } else {
                    self.hold = Some(Instant::now() + self.backoff.step());
                }
            }
        }
    }

    /// Lets what is saved be emitted and committed, for a while.
    pub(super) async fn drain(&mut self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        let mut is_trimmed = false;
        loop {
            self.commit().await?;
            let is_done = self.owned().all(|o| o.committed >= o.lane.applied);
            if is_done && !std::mem::replace(&mut is_trimmed, true) {
                self.trim_all();
            }
            if is_done && self.trims.is_empty() {
                return Ok(());
            }
            let next = async {
                tokio::select! {
                    biased;
                    () = self.notify.notified() => None,
                    trimmed = self.trims.next(), if !self.trims.is_empty() => trimmed,
                }
            };
            match tokio::time::timeout_at(end, next).await {
                Ok(Some(trimmed)) => self.on_trimmed(trimmed).await?,
                Ok(None) => {}
                Err(_) => {
                    let late = self.owned().find(|o| o.committed < o.lane.applied);
                    let partition = late.map_or(Partition(0), |o| o.lane.partition);
                    tracing::warn!(%partition, "left with decisions not emitted; the next owner does it");
                    return Ok(());
                }
            }
        }
    }

    /// Leaves the group.
    pub(super) async fn leave(self) -> Result<()> {
        drop(self.slots);
        self.consumer.leave().await
    }

    async fn on_delivery(&mut self, delivery: Result<Delivery>) -> Result<()> {
        match delivery {
            Ok(Delivery::Assigned {
                partition,
                committed,
            }) => {
                self.consumer.pause(partition);
                self.take_over(partition, committed, 0, false);
            }
            Ok(Delivery::Revoked { partition }) => {
                self.slots.remove(&partition);
            }
            Ok(Delivery::Records { partition, records }) => self.take_in(partition, records),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                count(&self.cx.stats.retries, 1);
                tracing::warn!(%error, "could not read commands; will try again");
                self.backoff.wait().await;
            }
        }
        Ok(())
    }

    fn take_in(&mut self, partition: Partition, records: Vec<Record>) {
        let Some(Slot::Owned(owned)) = self.slots.get_mut(&partition) else {
            // Read before the take-over moved the position; they come again.
            return;
        };
        let lane = &mut owned.lane;
        let next = lane
            .pending
            .back()
            .map_or(lane.applied, |r| r.offset.next());
        lane.pending
            .extend(records.into_iter().filter(|r| r.offset >= next));
        if lane.pending.len() >= self.cx.config.prefetch_records_max && !lane.is_paused {
            lane.is_paused = true;
            self.consumer.pause(partition);
        }
    }

    fn take_over(&mut self, partition: Partition, committed: Offset, restarts: u32, rebuild: bool) {
        self.turn += 1;
        let turn = self.turn;
        let stop = CancellationToken::new();
        let takeover = Takeover {
            partition,
            committed,
            restarts,
            rebuild,
        };
        let (cx, results, token) = (self.cx.clone(), self.recovering.clone(), stop.clone());
        self.tracker.spawn(async move {
            let lane = or_panicked("take a partition over", recover(&cx, takeover, &token)).await;
            // The receiver is gone when the engine has ended.
            let _ = results.send((partition, turn, lane)).await;
        });
        let recovering = Recovering {
            turn,
            committed,
            restarts,
            _stop: stop.drop_guard(),
        };
        self.slots.insert(partition, Slot::Recovering(recovering));
    }

    async fn on_recovered(
        &mut self,
        partition: Partition,
        turn: u64,
        lane: Option<Lane>,
    ) -> Result<()> {
        let (Some(Slot::Recovering(was)), Some(lane)) = (self.slots.get(&partition), lane) else {
            return Ok(());
        };
        if was.turn != turn {
            return Ok(());
        }
        let (applied, restarts) = (lane.applied, was.restarts);
        let owned = Owned::begin(&self.cx, &self.tracker, lane, was, &self.notify);
        self.slots.insert(partition, Slot::Owned(Box::new(owned)));
        match self.consumer.seek(partition, applied).await {
            Ok(()) => self.consumer.resume(partition),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.slots.remove(&partition);
            }
            Err(error) if is_final(&error) => {
                return Err(error.with_context("partition", partition));
            }
            Err(error) if error.kind() == ErrorKind::NotFound && restarts >= GONE_MAX => {
                // Commands that were never decided are gone from the journal: its retention is
                // shorter than an outage. Nothing here can bring them back.
                return Err(error.with_context("partition", partition));
            }
            Err(error) => self.give_up(partition, &error).await?,
        }
        self.commit().await
    }

    /// A partition's memory can't be trusted any more: takes it over again, if it is still ours.
    pub(super) async fn give_up(&mut self, partition: Partition, error: &Error) -> Result<()> {
        let Some(Slot::Owned(owned)) = self.slots.get(&partition) else {
            return Ok(());
        };
        count(&self.cx.stats.saves_failed, 1);
        tracing::warn!(%error, %partition, "taking the partition over again");
        if error.kind() == ErrorKind::Storage {
            return Err(Error::new(ErrorKind::Storage, "save a batch")
                .with_context("cause", error)
                .with_context("partition", partition));
        }
        let (committed, restarts) = (owned.committed, owned.restarts + 1);
        let rebuild = error.kind() == ErrorKind::Corrupt;
        self.slots.remove(&partition);
        self.consumer.pause(partition);
        match self.consumer.commit(partition, committed).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                tracing::info!(%partition, "the partition is another's");
            }
            _ => self.take_over(partition, committed, restarts, rebuild),
        }
        Ok(())
    }
}

/// Waits until then, or not at all.
async fn until(hold: Option<Instant>) {
    if let Some(hold) = hold {
        tokio::time::sleep_until(hold).await;
    }
}
