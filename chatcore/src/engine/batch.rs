//! One step: what has arrived for all partitions is decided and saved together.

use std::collections::BTreeMap;

use super::{
    context::is_final,
    emit::Job,
    lane::{Envelope, Stage},
    owned::{Owned, Slot},
    poison,
    stats::count,
    trial,
    worker::{Routes, Worker},
};
use crate::{
    commands::NewCommand,
    error::{Error, ErrorKind, Result},
    ids::{Offset, Partition, Target},
    journal::{DeadLetter, Record},
    record::{self, Command, ParkedCommand},
    sabotage::{Switch, on},
    store::PartitionBatch,
};

/// Records of one partition that were opened and are about to be decided.
type Opened = Vec<(Record, Envelope)>;

impl Worker {
    /// Whether a step would do anything.
    pub(super) fn is_ready(&self) -> bool {
        self.owned().any(Owned::is_ready)
    }

    pub(super) fn owned(&self) -> impl Iterator<Item = &Owned> {
        self.slots.values().filter_map(|slot| match slot {
            Slot::Owned(owned) => Some(owned.as_ref()),
            Slot::Recovering(_) => None,
        })
    }

    fn ready(&mut self) -> impl Iterator<Item = &mut Owned> {
        self.slots.values_mut().filter_map(|slot| match slot {
            Slot::Owned(owned) if owned.is_ready() => Some(owned.as_mut()),
            _ => None,
        })
    }

    /// Takes what has arrived, decides it and saves it. Answers false when a port failed and the
    /// caller should wait before the next step: nothing is lost then.
    pub(super) async fn step(&mut self) -> Result<bool> {
        match self.note_trials().await {
            Ok(()) => {}
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                count(&self.cx.stats.retries, 1);
                tracing::warn!(%error, "could not ask who lives; will try again");
                return Ok(false);
            }
        }
        let config = &self.cx.config;
        let (limit, mut all) = (config.batch_records_max, BTreeMap::new());
        for owned in self.ready() {
            let lane = &owned.lane;
            let limit = if lane.cautious > 0 { 1 } else { limit };
            let opened = lane.peek(limit).into_iter().map(|record| {
                let envelope = Envelope::open(&record);
                (record, envelope)
            });
            all.insert(lane.partition, opened.collect::<Opened>());
        }
        if all.is_empty() {
            return Ok(true);
        }
        match self.prepare(&all).await {
            Ok(()) => {}
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                count(&self.cx.stats.retries, 1);
                tracing::warn!(%error, "could not load what is to be decided; will try again");
                return Ok(false);
            }
        }
        let mut batches = Vec::new();
        let mut jobs = Vec::new();
        for (partition, opened) in all {
            match self.decide(partition, &opened) {
                Ok(Some((batch, job))) => {
                    batches.push(batch);
                    jobs.push((partition, job, opened.len()));
                }
                Ok(None) => {}
                Err(error) => self.give_up(partition, &error).await?,
            }
        }
        self.save(batches, jobs).await?;
        self.evict();
        Ok(true)
    }

    /// Before a command is tried that the last owner may have died over, its trial is noted.
    async fn note_trials(&mut self) -> Result<()> {
        let cx = self.cx.clone();
        let mut notes = Vec::new();
        for owned in self.ready() {
            let lane = &mut owned.lane;
            let Some(first) = lane.pending.front().filter(|_| lane.cautious > 0) else {
                continue;
            };
            // The record is at `applied`, unless offsets have holes there.
            let offset = first.offset;
            let trial = trial::begin(&cx, lane.trial.clone(), offset);
            if trial::is_deadly(&cx, &trial).await? {
                lane.condemned = Some(offset);
            }
            lane.trial = Some(trial.clone());
            notes.push((lane.partition, lane.note(Some(trial))));
        }
        if notes.is_empty() {
            return Ok(());
        }
        let (partitions, batches): (Vec<_>, Vec<_>) = notes.into_iter().unzip();
        let results = self.save_all(batches, partitions.len()).await;
        for (partition, result) in partitions.into_iter().zip(results) {
            if let Err(error) = result {
                self.give_up(partition, &error).await?;
            }
        }
        Ok(())
    }

    async fn save_all(
        &mut self,
        batches: Vec<PartitionBatch>,
        expected: usize,
    ) -> Vec<Result<crate::store::Saved>> {
        count(&self.cx.stats.saves, 1);
        match self.cx.ports.partitions.save(batches).await {
            Ok(results) => results,
            Err(error) => {
                let (kind, text) = (error.kind(), error.to_string());
                let again = || Error::new(kind, "save a batch").with_context("cause", &text);
                (0..expected).map(|_| Err(again())).collect()
            }
        }
    }

    /// Loads the states that are needed and not in memory, in one call, and buries what has no
    /// readable envelope.
    async fn prepare(&mut self, all: &BTreeMap<Partition, Opened>) -> Result<()> {
        let mut missing: Vec<(Partition, Target)> = Vec::new();
        let mut letters: Vec<DeadLetter> = Vec::new();
        for (partition, opened) in all {
            let Some(Slot::Owned(owned)) = self.slots.get(partition) else {
                continue;
            };
            for (record, envelope) in opened {
                match envelope {
                    Envelope::Unreadable(reason) => {
                        letters.push(owned.lane.letter(record, reason));
                    }
                    Envelope::Command(command) if !owned.lane.has(&command.target) => {
                        missing.push((*partition, command.target.clone()));
                    }
                    Envelope::Command(_) => {}
                }
            }
        }
        poison::add(&self.cx, letters).await?;
        missing.sort();
        missing.dedup();
        if !missing.is_empty() {
            self.install(&missing).await?;
        }
        self.bring_up().await
    }

    /// Loads these states, in one call.
    async fn install(&mut self, missing: &[(Partition, Target)]) -> Result<()> {
        let targets: Vec<Target> = missing.iter().map(|(_, target)| target.clone()).collect();
        let stored = self.cx.ports.streams.load(&targets).await?;
        for ((partition, target), stored) in missing.iter().zip(&stored) {
            let Some(Slot::Owned(owned)) = self.slots.get_mut(partition) else {
                continue;
            };
            if let Err(error) = owned.lane.install(target, stored) {
                tracing::error!(%error, %target, "a state can't be read");
                self.give_up(*partition, &error).await?;
            }
        }
        Ok(())
    }

    /// This worker can decide what others had to park: brings up the first command of each target.
    /// What the journal does not take now is brought up with the next step or look.
    pub(super) async fn bring_up(&mut self) -> Result<()> {
        let parked = self.owned().flat_map(|owned| {
            let targets = owned.lane.to_unpark.iter().cloned();
            targets.map(|target| (owned.lane.partition, target))
        });
        let parked: Vec<(Partition, Target)> = parked.collect();
        for (partition, target) in parked {
            let command = Command::Parked(ParkedCommand::Retry);
            let command = NewCommand::internal(target.clone(), command).record()?;
            let bytes = record::encode(&command)?;
            self.cx.append_soon(partition, bytes).await?.await?;
            if let Some(Slot::Owned(owned)) = self.slots.get_mut(&partition) {
                owned.lane.to_unpark.remove(&target);
            }
        }
        Ok(())
    }

    fn decide(
        &mut self,
        partition: Partition,
        opened: &Opened,
    ) -> Result<Option<(PartitionBatch, Job)>> {
        let Some(Slot::Owned(owned)) = self.slots.get_mut(&partition) else {
            return Ok(None);
        };
        let lane = &mut owned.lane;
        let mut stage = Stage::default();
        let mut applied = lane.applied;
        for (record, envelope) in opened {
            lane.decide(&self.cx, record, envelope, &mut stage)?;
            applied = record.offset.next();
        }
        lane.events = lane.events.max(owned.progress.events());
        lane.close(&self.cx, stage, applied).map(Some)
    }

    async fn save(
        &mut self,
        batches: Vec<PartitionBatch>,
        jobs: Vec<(Partition, Job, usize)>,
    ) -> Result<()> {
        if batches.is_empty() {
            return Ok(());
        }
        let results = self.save_all(batches, jobs.len()).await;
        for ((partition, mut job, commands), result) in jobs.into_iter().zip(results) {
            match result {
                Ok(saved) => {
                    job.routes = Some(self.routes(saved.routes));
                    count(&self.cx.stats.commands, commands);
                    self.saved(partition, job, commands).await?;
                }
                Err(error) => self.give_up(partition, &error).await?,
            }
        }
        Ok(())
    }

    /// A batch is in the store: it counts, and is emitted.
    async fn saved(&mut self, partition: Partition, job: Job, commands: usize) -> Result<()> {
        let Some(Slot::Owned(owned)) = self.slots.get_mut(&partition) else {
            return Ok(());
        };
        let lane = &mut owned.lane;
        lane.pending.drain(..commands.min(lane.pending.len()));
        lane.applied = job.upto;
        lane.cautious = lane.cautious.saturating_sub(commands);
        lane.trial = None;
        owned.restarts = 0;
        if lane.is_paused && lane.pending.len() <= self.cx.config.prefetch_records_max / 2 {
            lane.is_paused = false;
            self.consumer.resume(partition);
        }
        let upto = job.upto;
        self.commit_too_early(partition, upto).await;
        let Some(Slot::Owned(owned)) = self.slots.get_mut(&partition) else {
            return Ok(());
        };
        // There was room when the batch was begun, and nobody else sends.
        if owned.jobs.try_send(job).is_err() {
            let error = Error::new(ErrorKind::Internal, "emit a batch");
            self.give_up(partition, &error).await?;
        }
        Ok(())
    }

    /// Those of the save, unless the switch for it is on.
    fn routes(&mut self, saved: Routes) -> Routes {
        if !on(Switch::CachedRoutes) {
            return saved;
        }
        for (stream, nodes) in saved {
            self.remembered.entry(stream).or_insert(nodes);
        }
        self.remembered.clone()
    }

    /// Does nothing, unless the switch for it is on.
    async fn commit_too_early(&mut self, partition: Partition, upto: Offset) {
        if on(Switch::CommitBeforeDeliver) {
            // Broken on purpose; how it ends does not matter.
            let _ = self.consumer.commit(partition, upto).await;
        }
    }

    /// Keeps what is in memory within its bound.
    fn evict(&mut self) {
        let max = self.cx.config.resident_max;
        let count: usize = self.owned().map(|o| o.lane.resident_count()).sum();
        if count <= max {
            return;
        }
        // Each lane goes down to its share, a tenth below the bound, so that this is seldom done.
        let keep = max - max / 10;
        for slot in self.slots.values_mut() {
            let Slot::Owned(owned) = slot else { continue };
            let have = owned.lane.resident_count();
            let share = keep.saturating_mul(have) / count.max(1);
            let mut uses: Vec<u64> = owned.lane.uses().collect();
            uses.sort_unstable();
            let first = have.saturating_sub(share);
            if let Some(used) = uses.get(first) {
                owned.lane.evict(*used);
            }
        }
    }
}
