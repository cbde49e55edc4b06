//! The engine: owns partitions, decides their commands, saves what they led to, and emits it.
//!
//! ```text
//! commands ─► load ─► decide ─► apply ─► SAVE ─┬─► events
//!                                             ├─► inboxes of nodes   ─► commit ─► trim
//!                                             └─► follow-ups
//! ```
//!
//! [`aggregate`](Aggregate) is the state and the only way it changes, [`ledger`](Ledger) keeps
//! outcomes, `parking` what can't be decided yet, `unread` what can't even be read. `lane` is a partition in memory, `batch` a step
//! over all of them, `emit` what follows from a save, `tenure` whether that still counts, `recovery` how a partition is taken over,
//! `timers`, `silence` and `presence` what happens with time, `worker` the loop around them, `lag` how far all of that is
//! behind, `anew` how a partition is asked to be built again. Nothing outside `aggregate` and `parking` changes a state, and
//! nothing there does I/O.

mod aggregate;
mod anew;
mod batch;
mod chain;
mod commit;
mod config;
mod context;
mod emit;
mod lag;
mod lane;
pub mod ledger;
mod look;
mod machine;
mod owned;
mod parking;
mod poison;
mod presence;
mod published;
mod reader;
mod recovery;
mod silence;
mod stats;
mod tenure;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod timers;
mod trial;
mod unread;
mod worker;

pub use aggregate::{Aggregate, Input, LEVEL};
pub use anew::{Anew, build_anew};
#[cfg(any(test, feature = "simulation"))]
pub(crate) use chain::chained;
pub use config::EngineConfig;
pub use emit::reply;
pub use lag::{Lag, lag};
pub use ledger::Ledger;
pub use machine::Machine;
pub use parking::{PARKED_MAX, Parked};
pub use poison::replay;
pub use published::Published;
pub use stats::EngineStats;

pub(crate) use context::is_final;

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{context::Context, worker::Worker};
use crate::{
    decoded::Decoded, error::Result, ids::Node, journal::Log, ports::Ports, queue::Policies,
};

/// Owns partitions of the journal and works off their commands.
///
/// ```
/// # use std::sync::Arc;
/// use chatcore::{
///     clock::SystemClock, engine::{Engine, EngineConfig}, ids::{Node, NodeEpoch, NodeId},
///     memory, queue::Policies,
/// };
/// use tokio_util::sync::CancellationToken;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> chatcore::error::Result<()> {
/// let node = Node { id: NodeId::try_new("one")?, epoch: NodeEpoch(1) };
/// let ports = memory::ports(4, Arc::new(SystemClock));
/// let engine = Engine::try_new(ports, node, Policies::default(), EngineConfig::default())?;
/// let shutdown = CancellationToken::new();
/// shutdown.cancel();
/// engine.run(shutdown).await
/// # }
/// ```
#[derive(Debug)]
pub struct Engine {
    cx: Arc<Context>,
}

impl Engine {
    /// An engine on these ports. Nothing is read or started before [`run`](Self::run).
    ///
    /// # Errors
    /// `Invalid` when a bound of the configuration is zero.
    pub fn try_new(
        ports: Ports,
        node: Node,
        policies: Policies,
        config: EngineConfig,
    ) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            cx: Arc::new(Context {
                ports,
                node,
                policies,
                config,
                stats: Arc::default(),
                decoded: Decoded::default(),
            }),
        })
    }

    /// What it publishes, for the effects that run beside it.
    pub(crate) fn decoded(&self) -> Decoded {
        self.cx.decoded.clone()
    }

    /// What it counts.
    #[must_use]
    pub fn stats(&self) -> Arc<EngineStats> {
        self.cx.stats.clone()
    }

    /// Works until `shutdown` is cancelled; then what is saved is emitted, within
    /// [`EngineConfig::drain_max`], the partitions are left to others, and all tasks have ended
    /// when this returns.
    ///
    /// Dropping the future is like the death of the process: nothing is lost, and the next owner
    /// emits what this one had not.
    ///
    /// # Errors
    /// `Closed`, `Storage` or `NewerFormat` when a port says that nothing more can be done, or
    /// `NotFound` when the journal has forgotten commands that were never decided, or `Invalid` when
    /// the store has the view of another journal: one of them was created anew, or is not the one
    /// that was meant.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<()> {
        let subscribe = || {
            self.cx
                .ports
                .journal
                .subscribe(Log::Commands, &self.cx.config.group)
        };
        let consumer = self.cx.persist(&shutdown, "subscribe", subscribe).await?;
        let Some(consumer) = consumer else {
            return Ok(());
        };
        tracing::info!(node = %self.cx.node.id, "the engine works");
        let tracker = TaskTracker::new();
        let mut worker = Worker::new(self.cx.clone(), consumer, tracker.clone());
        let mut ended = worker.run(&shutdown).await;
        if ended.is_ok() {
            ended = worker.drain(self.cx.config.drain_max).await;
        }
        let left = worker.leave().await;
        tracker.close();
        tracker.wait().await;
        tracing::info!(node = %self.cx.node.id, "the engine has ended");
        ended.and(left)
    }
}
