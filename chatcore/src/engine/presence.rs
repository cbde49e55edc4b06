//! Operators on nodes that are gone.
//!
//! The desks whose operators have sessions are found by a due-line of their own, which is there as
//! long as the desk is staffed and is never fired. A node is gone when it had no lease for a while;
//! whatever makes leases doubtful (a start, another life of the store) begins that while again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{aggregate::Aggregate, context::Context, lane::Lane, machine::Machine};
use crate::{
    clock::Timestamp,
    commands::NewCommand,
    error::Result,
    ids::{Node, StaffId, Target},
    queue::{DeskCommand, NodeName},
    record::{Command, CommandRecord},
    store::{DueLine, StoreIdentity},
};

/// When the line of a staffed desk is due: before all timers.
const STAFFED_AT: Timestamp = Timestamp(i64::MIN);
/// Most staffed desks of one partition.
const STAFFED_MAX: usize = 10_000;

/// All due-lines of a target, sorted: its timers, and the one of a staffed desk.
pub(super) fn due_lines(aggregate: &Aggregate) -> Result<Vec<DueLine>> {
    let mut lines = aggregate.due()?;
    if let Machine::Desk(desk) = aggregate.machine()
        && desk.is_staffed()
    {
        let line = DueLine {
            at: STAFFED_AT,
            target: aggregate.target().clone(),
            key: Bytes::from_static(b"staffed"),
            generation: 0,
        };
        lines.insert(0, line);
    }
    Ok(lines)
}

/// Whether a line is no timer but tells that a desk is staffed.
pub(super) fn is_presence(line: &DueLine) -> bool {
    line.at == STAFFED_AT
}

/// Finds the staffed desks of a partition that was taken over.
pub(super) async fn watch(cx: &Context, lane: &mut Lane) -> Result<()> {
    let due = cx
        .ports
        .partitions
        .due(lane.partition, STAFFED_AT, STAFFED_MAX)
        .await?;
    for line in due {
        if let Target::Desk(desk) = line.target {
            lane.watched.insert(desk);
        }
    }
    Ok(())
}

/// Judges which nodes are gone.
#[derive(Debug, Default)]
pub(super) struct Leases {
    identity: Option<StoreIdentity>,
    alive: BTreeSet<NodeName>,
    /// Nodes without a lease, and since when.
    missing: BTreeMap<NodeName, Instant>,
    /// Pairs that were journaled, and when, so that they are not at every look.
    told: BTreeMap<(StaffId, NodeName), Instant>,
}

impl Leases {
    /// Takes note of the leases. Answers whether the store has another life than before.
    pub(super) fn note(&mut self, identity: StoreIdentity, alive: &[Node]) -> bool {
        let is_other = self
            .identity
            .as_ref()
            .is_some_and(|known| *known != identity);
        if self.identity.as_ref() != Some(&identity) {
            self.identity = Some(identity);
            self.missing.clear();
        }
        self.alive = alive.iter().map(NodeName::from).collect();
        let alive = &self.alive;
        self.missing.retain(|node, _| !alive.contains(node));
        is_other
    }

    /// The store can't be reached, or is being built: nobody is gone for that.
    pub(super) fn doubt(&mut self) {
        self.missing.clear();
    }

    /// The commands that tell a desk which of its operators are on nodes that are gone.
    pub(super) fn lost(
        &mut self,
        after: Duration,
        aggregate: &Aggregate,
    ) -> Result<Vec<CommandRecord>> {
        let Machine::Desk(desk) = aggregate.machine() else {
            return Ok(Vec::new());
        };
        let now = super::timers::tokio_now();
        self.told.retain(|_, told| now - *told < after);
        let mut commands = Vec::new();
        for (node, operators) in desk.nodes() {
            if self.alive.contains(node) {
                continue;
            }
            let since = *self.missing.entry(node.clone()).or_insert(now);
            if now - since < after {
                continue;
            }
            for operator in operators {
                let pair = (operator.clone(), node.clone());
                if self.told.contains_key(&pair) {
                    continue;
                }
                let command = Command::Desk(DeskCommand::Lost {
                    operator: operator.clone(),
                    node: node.clone(),
                });
                let target = aggregate.target().clone();
                commands.push(NewCommand::internal(target, command).record()?);
                self.told.insert(pair, now);
            }
        }
        Ok(commands)
    }
}
