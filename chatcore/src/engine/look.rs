//! Looking, at each tick, whether store and journal are as they were left; firing timers; judging
//! leases. The questions are asked beside the loop: a slow answer holds up no command.

use futures_util::{FutureExt, future::BoxFuture, stream::FuturesUnordered};

use super::{
    context::is_final,
    owned::{Owned, Slot},
    silence::Answered,
    timers,
    worker::Worker,
};
use crate::{
    error::{Error, ErrorKind, Result},
    ids::{Fence, Node, Offset, Partition, Target},
    record,
    store::{Mark, StoreIdentity},
};

/// Looks under way.
pub(super) type Looks = FuturesUnordered<BoxFuture<'static, Result<Looked>>>;

/// A partition as its owner had it when it asked.
#[derive(Debug, Clone, Copy)]
struct Asked {
    partition: Partition,
    fence: Fence,
    applied: Offset,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Looked {
    marks: Vec<(Asked, Mark)>,
    journal: Answered,
    identity: StoreIdentity,
    alive: Vec<Node>,
}

/// Whether a mark is not as its owner left it: between the question and now it may have moved on,
/// with the owner.
fn is_other(mark: &Mark, asked: &Asked, now: &Owned) -> bool {
    let lane = &now.lane;
    mark.fence != lane.fence
        || mark.applied < asked.applied
        || mark.applied > lane.applied
        || mark.incarnation != lane.incarnation
        || !mark.built
}

impl Worker {
    /// Asks, unless the answers to the last questions are still to come.
    pub(super) fn look(&mut self) {
        if !self.looks.is_empty() {
            return;
        }
        let asked = self.owned().map(|owned| Asked {
            partition: owned.lane.partition,
            fence: owned.lane.fence,
            applied: owned.lane.applied,
        });
        let asked: Vec<Asked> = asked.collect();
        let (cx, journal) = (self.cx.clone(), self.journal.ask(&self.cx));
        let look = async move {
            let partitions: Vec<Partition> = asked.iter().map(|a| a.partition).collect();
            let marks = async {
                match partitions.is_empty() {
                    true => Ok(Vec::new()),
                    false => cx.ports.partitions.marks(&partitions).await,
                }
            };
            let leases = &cx.ports.leases;
            let (marks, journal, identity, alive) =
                tokio::try_join!(marks, journal, leases.identity(), leases.alive())?;
            Ok(Looked {
                marks: asked.into_iter().zip(marks).collect(),
                journal,
                identity,
                alive,
            })
        };
        self.looks.push(look.boxed());
    }

    pub(super) async fn on_looked(&mut self, looked: Result<Looked>) -> Result<()> {
        let worked = self.journal.worked();
        let taken = match looked {
            Ok(looked) => self.take_looked(looked).await,
            Err(error) => Err(error),
        };
        match taken {
            Err(error) if is_final(&error) => Err(error),
            Err(error) => {
                self.leases.doubt();
                self.journal.doubt(worked);
                tracing::warn!(%error, "could not look at the store");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn take_looked(&mut self, looked: Looked) -> Result<()> {
        self.compare(looked.marks).await?;
        self.bring_up().await?;
        let lease = self.cx.config.node_lost_after;
        let (silence, has_ended) = self.journal.note(looked.journal, lease);
        if has_ended {
            self.leases.doubt();
        }
        for slot in self.slots.values_mut() {
            if let Slot::Owned(owned) = slot {
                timers::tell_silence(&self.cx, &mut owned.lane, silence).await?;
                timers::fire(&self.cx, &mut owned.lane).await?;
            }
        }
        if self.leases.note(looked.identity, &looked.alive) {
            // The marks may be those of its former life.
            self.look();
            return Ok(());
        }
        let is_building = self
            .slots
            .values()
            .any(|s| matches!(s, Slot::Recovering(_)));
        if is_building {
            self.leases.doubt();
            return Ok(());
        }
        self.tell_lost().await
    }

    /// A store that is not as it was left has lost writes, or has another owner.
    async fn compare(&mut self, marks: Vec<(Asked, Mark)>) -> Result<()> {
        for (asked, mark) in marks {
            let Some(Slot::Owned(owned)) = self.slots.get(&asked.partition) else {
                continue;
            };
            if owned.lane.fence != asked.fence {
                // Taken over again since.
                continue;
            }
            if is_other(&mark, &asked, owned) {
                let error = Error::new(ErrorKind::Conflict, "find the store as it was left")
                    .with_context("stored", mark.applied)
                    .with_context("expected", asked.applied);
                self.give_up(asked.partition, &error).await?;
            } else if mark.trimmed < owned.committed {
                // It lost nothing but that.
                self.trim(asked.partition);
            }
        }
        Ok(())
    }

    async fn tell_lost(&mut self) -> Result<()> {
        let after = self.cx.config.node_lost_after;
        let mut commands = Vec::new();
        for slot in self.slots.values_mut() {
            let Slot::Owned(owned) = slot else { continue };
            let lane = &mut owned.lane;
            let desks: Vec<Target> = lane.watched.iter().cloned().map(Target::Desk).collect();
            super::recovery::load(&self.cx, lane, desks.iter()).await?;
            for desk in &desks {
                if let Some(aggregate) = lane.aggregate(desk) {
                    let lost = self.leases.lost(after, aggregate)?;
                    commands.extend(lost.into_iter().map(|command| (lane.partition, command)));
                }
            }
        }
        for (partition, command) in commands {
            let bytes = record::encode(&command)?;
            self.cx.append_soon(partition, bytes).await?.await?;
        }
        Ok(())
    }
}
