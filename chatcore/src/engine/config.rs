//! The engine's bounds.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// Bounds and times of the engine. All have defaults that suit one process; see each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// The group of the journal's consumers that share the partitions. Default `engine`.
    pub group: String,
    /// Most commands of one partition decided for one save. Default 256.
    pub batch_records_max: usize,
    /// Most commands read ahead of a partition; past it the partition is paused. Default 1024.
    pub prefetch_records_max: usize,
    /// Most batches of a partition that wait to be handed to nodes, and as many to be published;
    /// past it the partition waits. Default 4.
    pub unemitted_batches_max: usize,
    /// Most customers and desks kept in memory, over all partitions; the least recently used go.
    /// Default 20 000.
    pub resident_max: usize,
    /// A snapshot is written after this many decisions of a customer or desk, or later if the
    /// decisions since are small beside it. Default 100.
    pub snapshot_decisions: u32,
    /// How often due timers, marks and leases are looked at. Default 1 s.
    pub tick: Duration,
    /// Most timers of one partition fired in one tick. Default 256.
    pub timers_max: usize,
    /// A timer that was fired and is still due is fired again after this. Default 10 s.
    pub refire_after: Duration,
    /// How long a node must be without a lease before its operators are told lost, and how long
    /// after a start or a change of the store's identity nobody is. Default 15 s.
    pub node_lost_after: Duration,
    /// First wait after a failure of a port; it doubles up to [`Self::retry_max`]. Default 50 ms.
    pub retry_min: Duration,
    /// Longest wait between tries. Default 2 s.
    pub retry_max: Duration,
    /// Longest wait, after the end was asked for, for what is saved to be emitted. Default 5 s.
    pub drain_max: Duration,
    /// Longest wait for a node to take frames; past it they are dropped, and the sessions there
    /// read what they miss. Default 1 s.
    pub deliver_max: Duration,
    /// After this many owners died over one command it is parked. Default 3.
    pub trials_max: u32,
    /// Of the commands that are done with, at least the last so many of each partition stay in the
    /// journal, to look things up; older ones are trimmed, some at a time. None: all stay. Default
    /// 100 000.
    pub commands_kept: Option<u64>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            group: "engine".to_owned(),
            batch_records_max: 256,
            prefetch_records_max: 1_024,
            unemitted_batches_max: 4,
            resident_max: 20_000,
            snapshot_decisions: 100,
            tick: Duration::from_secs(1),
            timers_max: 256,
            refire_after: Duration::from_secs(10),
            node_lost_after: Duration::from_secs(15),
            retry_min: Duration::from_millis(50),
            retry_max: Duration::from_secs(2),
            drain_max: Duration::from_secs(5),
            deliver_max: Duration::from_secs(1),
            trials_max: 3,
            commands_kept: Some(100_000),
        }
    }
}

impl EngineConfig {
    /// Checks that every bound is above zero.
    ///
    /// # Errors
    /// `Invalid`, naming the first one that is not.
    pub fn validate(&self) -> Result<()> {
        let bounds = [
            ("batch_records_max", self.batch_records_max > 0),
            ("prefetch_records_max", self.prefetch_records_max > 0),
            ("unemitted_batches_max", self.unemitted_batches_max > 0),
            ("resident_max", self.resident_max > 0),
            ("snapshot_decisions", self.snapshot_decisions > 0),
            ("tick", !self.tick.is_zero()),
            ("timers_max", self.timers_max > 0),
            ("retry_min", !self.retry_min.is_zero()),
            ("trials_max", self.trials_max > 0),
        ];
        match bounds.into_iter().find(|(_, is_set)| !is_set) {
            Some((name, _)) => Err(Error::new(ErrorKind::Invalid, "configure the engine")
                .with_context("must be above zero", name)),
            None => Ok(()),
        }
    }
}
