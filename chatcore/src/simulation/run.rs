//! A run: the plan is carried out tick by tick, then all is healed, and progress is demanded.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    backend::Backend,
    checkers::{Violation, check},
    faults::Faults,
    fired::Kind,
    history::{History, What},
    node::SimNode,
    people::People,
    plan::{Act, NODES, Plan},
    quiet,
    rng::Rng,
    scene,
    truth::Truth,
    world::{PARTITIONS, World},
};
use crate::{
    error::{Error, ErrorKind, Result},
    journal::Log,
};

/// How far all go on at a time.
const TICK_MS: u64 = 10;
/// How long it may take, after all is healed, until all is done and everybody has seen it.
const QUIET_WITHIN_MS: u64 = 180_000;

/// Kinds of fault that must really have happened in a run that has a plan of them.
const KINDS_MIN: usize = 3;

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// What was seen.
    pub history: History,
    /// What the journal had at the end.
    pub truth: Truth,
    /// How often each fault really happened.
    pub fired: BTreeMap<Kind, u64>,
    /// Promises that were not kept.
    pub violations: Vec<Violation>,
    /// What else went wrong, for a person: no progress, views that differ, a node that fell over.
    pub troubles: Vec<String>,
    /// Commands of people that were written down.
    pub commands: usize,
    /// How long it took, in milliseconds of its own time.
    pub lasted_ms: i64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.violations.is_empty() && self.troubles.is_empty()
    }
}

/// The parts of a run.
pub(super) struct Run {
    pub(super) world: World,
    pub(super) nodes: Vec<SimNode>,
    pub(super) people: People,
    faults: Faults,
    rng: Rng,
    troubles: Vec<String>,
}

/// Carries a plan out and judges what came of it.
///
/// # Errors
/// `Internal` when the run itself can't be set up; what goes wrong in it is in the report.
pub fn run(plan: &Plan) -> Result<Report> {
    carry_out(plan, None)
}

/// As [`run`], on the ports of a backend.
///
/// # Errors
/// As [`run`], and those of the backend when it is opened or broken.
pub fn run_on(plan: &Plan, backend: Arc<dyn Backend>) -> Result<Report> {
    carry_out(plan, Some(backend))
}

fn carry_out(plan: &Plan, backend: Option<Arc<dyn Backend>>) -> Result<Report> {
    let mut run = Run::begin(plan.seed, backend)?;
    run.carry_out(plan)?;
    run.heal()?;
    run.come_to_rest()?;
    run.report()
}

impl Run {
    fn begin(seed: u64, backend: Option<Arc<dyn Backend>>) -> Result<Self> {
        let world = World::new(seed, backend)?;
        let mut nodes = Vec::new();
        for number in 0..NODES {
            let mut node = SimNode::new(&world, scene::node_name(number)?);
            node.start(&world)?;
            nodes.push(node);
        }
        Ok(Self {
            world,
            nodes,
            people: People::new()?,
            faults: Faults::default(),
            rng: Rng::named(seed, "scheduler"),
            troubles: Vec::new(),
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.world.time.passed_ms()).unwrap_or(0)
    }

    fn carry_out(&mut self, plan: &Plan) -> Result<()> {
        self.faults.prepare(plan);
        let mut next = 0;
        while self.now_ms() < plan.ends_ms {
            let now = self.now_ms();
            while let Some(planned) = plan.entries.get(next).filter(|p| p.at_ms <= now) {
                self.act(&planned.act, next)?;
                next += 1;
            }
            self.tick()?;
        }
        Ok(())
    }

    fn act(&mut self, act: &Act, entry: usize) -> Result<()> {
        let Self {
            world,
            nodes,
            people,
            faults,
            ..
        } = self;
        match act {
            Act::Customer {
                who,
                device,
                does,
                pick,
            } => people.customer(world, (*who, *device), *does, *pick),
            Act::Operator { who, does, pick } => people.operator(world, *who, *does, *pick),
            Act::Fault(fault) => faults.strike(world, nodes, fault, entry)?,
            Act::Revoke { pick } => {
                let node = usize::try_from(pick % NODES as u64).unwrap_or(0);
                if let (Some(node), Some(what)) = (nodes.get(node), people.pick_revoked(*pick)) {
                    node.revoke(world, what);
                }
            }
        }
        Ok(())
    }

    /// All go on a little, the nodes in an order drawn anew.
    fn tick(&mut self) -> Result<()> {
        self.faults.pass(&self.world, &mut self.nodes)?;
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        self.rng.shuffle(&mut order);
        for at in order {
            if let Some(node) = self.nodes.get_mut(at) {
                let ended = node.step(&self.world, TICK_MS);
                if let Some(ended) = ended {
                    self.troubles.push(ended);
                    node.start(&self.world)?;
                }
                if node.is_due_back() {
                    node.start(&self.world)?;
                }
            }
        }
        self.world.time.pass(TICK_MS);
        let lives = self.nodes.iter().filter_map(SimNode::heard_life).collect();
        self.world.broker.heartbeat(&lives, &mut self.rng);
        self.world.post.flush();
        self.people.step(&self.world, &self.nodes)
    }

    /// All faults are over, everybody comes.
    fn heal(&mut self) -> Result<()> {
        self.faults.heal(&self.world, &mut self.nodes)?;
        self.world.saw(None, What::Healed);
        for device in self.people.devices_mut() {
            device.stall(0);
            device.calm_down();
            device.come(0);
        }
        Ok(())
    }

    fn come_to_rest(&mut self) -> Result<()> {
        let end = self.now_ms() + QUIET_WITHIN_MS;
        let mut ticks: u64 = 0;
        loop {
            ticks += 1;
            // Asked now and then: it looks at everything.
            if ticks.is_multiple_of(10) && quiet::lacks(self).is_empty() {
                self.world.saw(None, What::Quiet);
                return Ok(());
            }
            if self.now_ms() >= end {
                let lacks = quiet::lacks(self);
                self.troubles
                    .extend(lacks.into_iter().map(|l| format!("no rest: {l}")));
                return Ok(());
            }
            self.tick()?;
        }
    }

    fn report(self) -> Result<Report> {
        let mut troubles = self.troubles;
        let node = self.nodes.first();
        let ports = node.map(|node| {
            let clock = Arc::clone(&node.clock);
            let links = self.world.links(&node.name);
            self.world.ports(&node.name, 0, &links, clock).0
        });
        let ports = ports.ok_or_else(|| Error::new(ErrorKind::Internal, "end a run"))?;
        let read = Truth::read(&*ports.journal, &*ports.dead_letters);
        let truth = quiet::on_its_own(read)??;
        let commands = (0..PARTITIONS)
            .map(|p| {
                self.world
                    .broker
                    .end(Log::Commands, crate::ids::Partition(p))
                    .0
            })
            .sum::<u64>();
        let fired = self.world.fired.counts();
        let of_system = fired.keys().filter(|kind| kind.is_of_system()).count();
        let are_planned = self.faults.are_planned() && self.world.servers.is_modelled();
        if are_planned && of_system < KINDS_MIN {
            troubles.push(format!(
                "only {of_system} kinds of fault have really happened"
            ));
        }
        let mismatches: u64 = self.nodes.iter().map(SimNode::mismatches).sum();
        if mismatches > 0 {
            troubles.push(format!("{mismatches} histories differed from the store's"));
        }
        drop(self.people);
        drop(self.nodes);
        let history = std::mem::take(&mut *self.world.history());
        let violations = check(&history, &truth);
        Ok(Report {
            violations,
            truth,
            fired,
            troubles,
            commands: usize::try_from(commands).unwrap_or(usize::MAX),
            lasted_ms: self.world.time.passed_ms(),
            history,
        })
    }
}
