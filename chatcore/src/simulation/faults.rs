//! The faults of a plan: when they strike, and when they are over.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{
    fired::Kind,
    history::What,
    inbox::Weather,
    link::Trouble,
    node::SimNode,
    plan::{Act, Fault, Plan, To},
    scene::{self, CUSTOMERS},
    world::{PARTITIONS, World},
};
use crate::{
    commands::NewCommand,
    error::Result,
    ids::{NodeId, Offset, Partition, Target},
    journal::Log,
    record::{self, Command, CommandRecord, FORMAT_VERSION, ParkedCommand},
};

/// Under way, and to come.
#[derive(Default)]
pub(super) struct Faults {
    /// When the replica of a failover stops following, by the entry of the plan.
    replicas: BTreeSet<(u64, usize)>,
    planned: usize,
    /// Customers with a command of a newer format, at most one each.
    newer: BTreeSet<usize>,
    /// What is over when.
    ends: BTreeMap<(i64, usize), Ends>,
}

/// What is over.
enum Ends {
    Down(usize),
    Pause(usize),
    Link(usize, To),
    Past,
    Weather,
    Push,
    /// A command of a newer format is given up, and what is parked behind it goes on.
    Newer(usize, Offset),
}

impl Faults {
    /// Notes what must be done before a fault strikes.
    pub(super) fn prepare(&mut self, plan: &Plan) {
        for (entry, planned) in plan.entries.iter().enumerate() {
            self.planned += usize::from(matches!(planned.act, Act::Fault(_)));
            if let Act::Fault(
                Fault::StoreLosesSuffix { lost_ms } | Fault::StorePast { lost_ms, .. },
            ) = planned.act
            {
                let at = planned.at_ms.saturating_sub(lost_ms);
                self.replicas.insert((at, entry));
            }
        }
    }

    /// Whether a whole plan of them is carried out, and not what is left of one.
    pub(super) fn are_planned(&self) -> bool {
        self.planned >= 5
    }

    fn ends(&mut self, world: &World, (for_ms, entry): (u64, usize), ends: Ends) {
        let at = world.time.passed_ms() + i64::try_from(for_ms).unwrap_or(i64::MAX);
        self.ends.insert((at, entry), ends);
    }

    /// A fault strikes.
    pub(super) fn strike(
        &mut self,
        world: &World,
        nodes: &mut [SimNode],
        fault: &Fault,
        entry: usize,
    ) -> Result<()> {
        note(world, nodes, fault);
        match fault {
            Fault::Crash { node, for_ms } => {
                if let Some(struck) = nodes.get_mut(*node) {
                    struck.crash(world);
                }
                self.ends(world, (*for_ms, entry), Ends::Down(*node));
            }
            Fault::Restart { node } => {
                if let Some(struck) = nodes.get_mut(*node).filter(|n| n.answers()) {
                    struck.drain();
                }
                self.ends(world, (8_000, entry), Ends::Down(*node));
            }
            Fault::Pause { node, for_ms } => {
                if let Some(struck) = nodes.get_mut(*node) {
                    struck.stand_still();
                }
                self.ends(world, (*for_ms, entry), Ends::Pause(*node));
            }
            Fault::Link {
                node,
                to,
                trouble,
                for_ms,
            } => {
                set(nodes, *node, *to, *trouble);
                self.ends(world, (*for_ms, entry), Ends::Link(*node, *to));
            }
            Fault::ClockJump { node, by_ms } => {
                if let Some(struck) = nodes.get_mut(*node) {
                    world.fired.count(Kind::ClockJump);
                    struck.clock.jump(*by_ms);
                }
            }
            Fault::PushFails { failing, for_ms } => {
                for node in nodes.iter() {
                    node.push.set(*failing);
                }
                self.ends(world, (*for_ms, entry), Ends::Push);
            }
            of_world => self.strike_world(world, nodes, of_world, entry)?,
        }
        Ok(())
    }

    fn strike_world(
        &mut self,
        world: &World,
        nodes: &[SimNode],
        fault: &Fault,
        entry: usize,
    ) -> Result<()> {
        match fault {
            Fault::StoreLosesSuffix { .. } => world.servers.fail_over(entry)?,
            Fault::StorePast {
                nodes: bits,
                for_ms,
                ..
            } => {
                let lagging: BTreeSet<NodeId> = nodes
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| bits & (1 << at) != 0)
                    .map(|(_, node)| node.name.clone())
                    .collect();
                world.servers.fail_over_with_past(entry, lagging)?;
                self.ends(world, (*for_ms, entry), Ends::Past);
            }
            Fault::StoreEmptied => world.servers.empty()?,
            Fault::Rebalance { partition } => {
                for log in [Log::Commands, Log::Events] {
                    world.broker.move_on(log, Partition(*partition));
                }
            }
            Fault::Weather {
                dropped,
                repeated,
                delayed,
                for_ms,
            } => {
                world.post.set(Weather {
                    dropped: *dropped,
                    repeated: *repeated,
                    delayed: *delayed,
                });
                self.ends(world, (*for_ms, entry), Ends::Weather);
            }
            Fault::DaysPass { ms } => {
                world.fired.count(Kind::DaysPass);
                world.time.skip(*ms);
            }
            Fault::Poison { pick } if pick.is_multiple_of(2) => self.newer(world, *pick, entry)?,
            Fault::Poison { pick } => poison(world, *pick),
            _ => {}
        }
        Ok(())
    }

    /// Somebody writes a command that only a newer version could read.
    fn newer(&mut self, world: &World, pick: u64, entry: usize) -> Result<()> {
        let who = usize::try_from(pick / 2 % CUSTOMERS as u64).unwrap_or(0);
        if !self.newer.insert(who) {
            return Ok(());
        }
        world.fired.count(Kind::NewerFormat);
        let mut record = to_parked(who, ParkedCommand::Retry)?;
        let mut body = record.body.to_vec();
        if let Some(version) = body.first_mut() {
            *version = FORMAT_VERSION + 1;
        }
        record.body = body.into();
        let offset = write(world, &record)?;
        let ends = Ends::Newer(who, offset);
        self.ends(world, (2_000 + pick % 15_000, entry), ends);
        Ok(())
    }

    /// What is over by now is over; what must be prepared is.
    pub(super) fn pass(&mut self, world: &World, nodes: &mut [SimNode]) -> Result<()> {
        let now = world.time.passed_ms();
        let now_ms = u64::try_from(now).unwrap_or(0);
        while let Some((at, entry)) = self.replicas.pop_first() {
            if at > now_ms {
                self.replicas.insert((at, entry));
                break;
            }
            world.servers.replicate(entry)?;
        }
        while let Some(((at, entry), ends)) = self.ends.pop_first() {
            if at > now {
                self.ends.insert((at, entry), ends);
                break;
            }
            over(world, nodes, &ends)?;
        }
        Ok(())
    }

    /// All is over.
    pub(super) fn heal(&mut self, world: &World, nodes: &mut [SimNode]) -> Result<()> {
        while let Some((_, ends)) = self.ends.pop_first() {
            over(world, nodes, &ends)?;
        }
        for node in nodes.iter_mut() {
            node.links.heal();
            node.clock.set_right();
        }
        Ok(())
    }
}

fn set(nodes: &[SimNode], node: usize, to: To, trouble: Trouble) {
    let Some(node) = nodes.get(node) else { return };
    let link = match to {
        To::Journal => &node.links.journal,
        To::Store => &node.links.store,
        To::Nodes => &node.links.nodes,
    };
    link.set(trouble);
}

fn over(world: &World, nodes: &mut [SimNode], ends: &Ends) -> Result<()> {
    match ends {
        Ends::Down(node) => {
            if let Some(node) = nodes.get_mut(*node) {
                node.come_back(world)?;
            }
        }
        Ends::Pause(node) => {
            if let Some(node) = nodes.get_mut(*node) {
                node.go_on(world);
            }
        }
        Ends::Link(node, to) => set(nodes, *node, *to, Trouble::None),
        Ends::Past => world.servers.forget_former(),
        Ends::Weather => world.post.set(Weather::default()),
        Ends::Push => nodes.iter().for_each(|node| node.push.set(0)),
        Ends::Newer(who, offset) => {
            let offset = *offset;
            write(world, &to_parked(*who, ParkedCommand::GiveUp { offset })?)?;
        }
    }
    Ok(())
}

/// Writes a fault down for whoever reads the history.
fn note(world: &World, nodes: &[SimNode], fault: &Fault) {
    let node = match fault {
        Fault::Crash { node, .. }
        | Fault::Restart { node }
        | Fault::Pause { node, .. }
        | Fault::Link { node, .. }
        | Fault::ClockJump { node, .. } => nodes.get(*node).and_then(SimNode::node),
        _ => None,
    };
    let partition = match fault {
        Fault::Rebalance { partition } => Some(Partition(*partition)),
        _ => None,
    };
    let note = serde_json::to_string(fault).unwrap_or_default();
    let name = note.split('"').nth(1).unwrap_or("fault").to_owned();
    let what = What::Fault {
        name,
        node,
        partition,
        note,
    };
    world.saw(None, what);
}

fn to_parked(who: usize, what: ParkedCommand) -> Result<CommandRecord> {
    let target = Target::Customer(scene::customer(who)?);
    NewCommand::internal(target, Command::Parked(what)).record()
}

fn write(world: &World, record: &CommandRecord) -> Result<Offset> {
    let partition = record.target.partition(PARTITIONS);
    let bytes = record::encode(record)?;
    Ok(world.broker.append(Log::Commands, partition, bytes).offset)
}

/// Somebody writes what can't be read.
fn poison(world: &World, pick: u64) {
    world.fired.count(Kind::Poison);
    let partition = Partition(u32::try_from(pick % u64::from(PARTITIONS)).unwrap_or(0));
    let bytes = match pick % 3 {
        0 => Bytes::new(),
        1 => Bytes::from_static(b"\xffno record"),
        _ => Bytes::from_static(b"\x01\xc1"),
    };
    world.broker.append(Log::Commands, partition, bytes);
}
