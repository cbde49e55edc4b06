//! The journal of a run: ordered logs that all nodes share, groups that are rebalanced, members
//! that are thought dead and read on.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    clock::WorldTime,
    fired::{Fired, Kind},
    rng::Rng,
};
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Offset, Partition},
    journal::{Delivery, Log, Receipt, Record},
};

/// A member that was not heard of for this long is thought dead.
const SESSION_MS: i64 = 6_000;
/// Records handed out at a time.
const BATCH_MAX: usize = 64;

/// What all nodes share of the journal.
pub(super) struct Broker {
    partitions: u32,
    time: Arc<WorldTime>,
    fired: Arc<Fired>,
    state: Mutex<State>,
    commands: Notify,
    events: Notify,
}

#[derive(Default)]
struct State {
    logs: BTreeMap<(Log, Partition), PartitionLog>,
    groups: BTreeMap<(Log, String), Group>,
    next_member: u64,
}

#[derive(Default)]
struct PartitionLog {
    records: Vec<Record>,
    last_at: Timestamp,
}

#[derive(Default)]
struct Group {
    committed: BTreeMap<Partition, Offset>,
    members: BTreeMap<u64, Member>,
}

struct Member {
    /// Of which life of which node.
    life: u64,
    heard_at: i64,
    standing: Standing,
    told: VecDeque<Delivery>,
    positions: BTreeMap<Partition, Offset>,
    paused: BTreeSet<Partition>,
    last: Option<Partition>,
}

/// What the group thinks of a member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Lives,
    /// Thought dead; it reads on, and learns of it then, if that is known yet.
    Zombie {
        learns_at: Option<i64>,
    },
    /// Its process is gone and the group does not know yet.
    Gone,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

impl PartitionLog {
    fn from(&self, offset: Offset, limit: usize) -> Vec<Record> {
        let skip = usize::try_from(offset.0).unwrap_or(usize::MAX);
        self.records
            .iter()
            .skip(skip)
            .take(limit)
            .cloned()
            .collect()
    }
}

impl Group {
    /// Shares the partitions out again among those who live, moving as few as possible.
    fn rebalance(&mut self, partitions: u32) {
        let living = self
            .members
            .values()
            .filter(|m| m.standing == Standing::Lives)
            .count();
        let Some(fair) = (partitions as usize).checked_div(living) else {
            return;
        };
        let mut spare = (partitions as usize) % living;
        let mut free: BTreeSet<Partition> = (0..partitions).map(Partition).collect();
        let members = self.members.values_mut();
        for member in members.filter(|m| m.standing == Standing::Lives) {
            let keep = if member.positions.len() > fair && spare > 0 {
                spare -= 1;
                fair + 1
            } else {
                fair
            };
            while member.positions.len() > keep {
                if let Some((partition, _)) = member.positions.pop_last() {
                    member.told.push_back(Delivery::Revoked { partition });
                }
            }
            for partition in member.positions.keys() {
                free.remove(partition);
            }
        }
        for partition in free {
            let members = self.members.values_mut();
            let living = members.filter(|m| m.standing == Standing::Lives);
            if let Some(member) = living.min_by_key(|m| m.positions.len()) {
                let committed = self.committed.get(&partition).copied().unwrap_or_default();
                member.assign(partition, committed);
            }
        }
    }

    /// Moves a partition from whoever has it to the next member.
    fn move_on(&mut self, partition: Partition) -> bool {
        let living = self
            .members
            .iter()
            .filter(|(_, m)| m.standing == Standing::Lives);
        let ids: Vec<u64> = living.map(|(id, _)| *id).collect();
        let has = |m: &Member| m.positions.contains_key(&partition);
        let Some(at) = ids
            .iter()
            .position(|id| self.members.get(id).is_some_and(has))
        else {
            return false;
        };
        let Some(next) = ids.iter().cycle().nth(at + 1).filter(|_| ids.len() > 1) else {
            return false;
        };
        let committed = self.committed.get(&partition).copied().unwrap_or_default();
        if let Some(former) = ids.get(at).and_then(|id| self.members.get_mut(id)) {
            former.positions.remove(&partition);
            former.told.push_back(Delivery::Revoked { partition });
        }
        if let Some(member) = self.members.get_mut(next) {
            member.assign(partition, committed);
        }
        true
    }
}

impl Member {
    fn assign(&mut self, partition: Partition, committed: Offset) {
        self.positions.insert(partition, committed);
        self.paused.remove(&partition);
        self.told.push_back(Delivery::Assigned {
            partition,
            committed,
        });
    }
}

impl Broker {
    pub(super) fn new(partitions: u32, time: Arc<WorldTime>, fired: Arc<Fired>) -> Self {
        Self {
            partitions: partitions.max(1),
            time,
            fired,
            state: Mutex::default(),
            commands: Notify::new(),
            events: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn partitions(&self) -> u32 {
        self.partitions
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.time.passed_ms()
    }

    pub(super) fn incarnation(&self) -> Incarnation {
        Incarnation(1)
    }

    pub(super) fn changed(&self, log: Log) -> &Notify {
        match log {
            Log::Commands => &self.commands,
            Log::Events => &self.events,
        }
    }

    /// Appends a record: from here on it is durable.
    pub(super) fn append(&self, log: Log, partition: Partition, bytes: Bytes) -> Receipt {
        let mut state = self.state();
        let data = state.logs.entry((log, partition)).or_default();
        data.last_at = data.last_at.max(self.time.now());
        let receipt = Receipt {
            partition,
            offset: Offset(data.records.len() as u64),
            at: data.last_at,
        };
        data.records.push(Record {
            offset: receipt.offset,
            at: receipt.at,
            bytes,
        });
        drop(state);
        self.changed(log).notify_waiters();
        receipt
    }

    pub(super) fn read(
        &self,
        log: Log,
        partition: Partition,
        from: Offset,
        limit: usize,
    ) -> Vec<Record> {
        let state = self.state();
        let data = state.logs.get(&(log, partition));
        data.map_or_else(Vec::new, |data| data.from(from, limit))
    }

    pub(super) fn end(&self, log: Log, partition: Partition) -> Offset {
        let state = self.state();
        let data = state.logs.get(&(log, partition));
        Offset(data.map_or(0, |data| data.records.len() as u64))
    }

    /// What every group of a log has committed of a partition.
    pub(super) fn committed(&self, log: Log, partition: Partition) -> Vec<(String, Offset)> {
        let state = self.state();
        let groups = state.groups.iter().filter(|((of, _), _)| *of == log);
        groups
            .map(|((_, name), group)| {
                let committed = group.committed.get(&partition);
                (name.clone(), committed.copied().unwrap_or_default())
            })
            .collect()
    }

    pub(super) fn join(&self, key: &(Log, String), life: u64) -> u64 {
        let mut state = self.state();
        state.next_member += 1;
        let id = state.next_member;
        let group = state.groups.entry(key.clone()).or_default();
        let member = Member {
            life,
            heard_at: self.time.passed_ms(),
            standing: Standing::Lives,
            told: VecDeque::new(),
            positions: BTreeMap::new(),
            paused: BTreeSet::new(),
            last: None,
        };
        group.members.insert(id, member);
        group.rebalance(self.partitions);
        drop(state);
        self.changed(key.0).notify_waiters();
        id
    }

    /// A member leaves: others have its partitions at once.
    pub(super) fn leave(&self, key: &(Log, String), id: u64) {
        let mut state = self.state();
        if let Some(group) = state.groups.get_mut(key) {
            group.members.remove(&id);
            group.rebalance(self.partitions);
        }
        drop(state);
        self.changed(key.0).notify_waiters();
    }

    /// A member's process is gone; the group will notice.
    pub(super) fn vanish(&self, key: &(Log, String), id: u64) {
        let mut state = self.state();
        let member = state
            .groups
            .get_mut(key)
            .and_then(|g| g.members.get_mut(&id));
        if let Some(member) = member {
            member.standing = Standing::Gone;
        }
    }

    /// The next delivery of a member, if there is one.
    pub(super) fn poll(&self, key: &(Log, String), id: u64) -> Result<Option<Delivery>> {
        let mut state = self.state();
        let State { logs, groups, .. } = &mut *state;
        let member = groups.get_mut(key).and_then(|g| g.members.get_mut(&id));
        let Some(member) = member else {
            return Err(Error::new(ErrorKind::Closed, "read the journal"));
        };
        if let Some(told) = member.told.pop_front() {
            return Ok(Some(told));
        }
        let is_zombie = member.standing != Standing::Lives;
        let last = member.last.map_or(0, |p| p.0 + 1);
        for step in 0..self.partitions {
            let partition = Partition((last + step) % self.partitions);
            let Some(position) = member.positions.get_mut(&partition) else {
                continue;
            };
            if member.paused.contains(&partition) {
                continue;
            }
            let records = match logs.get(&(key.0, partition)) {
                Some(data) => data.from(*position, BATCH_MAX),
                None => continue,
            };
            if records.is_empty() {
                continue;
            }
            *position = Offset(position.0 + records.len() as u64);
            member.last = Some(partition);
            if is_zombie {
                self.fired.count(Kind::Zombie);
            }
            return Ok(Some(Delivery::Records { partition, records }));
        }
        Ok(None)
    }

    /// Acts on a partition of a member that lives; none when it is not its any more.
    pub(super) fn with_own<T>(
        &self,
        key: &(Log, String),
        (id, partition): (u64, Partition),
        act: impl FnOnce(Own<'_>) -> T,
    ) -> Option<T> {
        let mut state = self.state();
        let Group { committed, members } = state.groups.get_mut(key)?;
        let member = members.get_mut(&id)?;
        let lives = member.standing == Standing::Lives;
        let Member {
            positions, paused, ..
        } = member;
        let position = positions.get_mut(&partition)?;
        let own = Own {
            lives,
            position,
            paused,
            committed,
        };
        Some(act(own))
    }

    /// The nodes of these lives were heard of: time passes for the groups.
    pub(super) fn heartbeat(&self, lives: &BTreeSet<u64>, rng: &mut Rng) {
        let now = self.time.passed_ms();
        let mut state = self.state();
        let mut is_any_other = false;
        for group in state.groups.values_mut() {
            let mut is_other = false;
            for member in group.members.values_mut() {
                let is_heard = lives.contains(&member.life) && member.standing != Standing::Gone;
                if is_heard {
                    member.heard_at = now;
                }
                is_other |= member.judge(now, is_heard, rng);
            }
            group
                .members
                .retain(|_, m| m.standing != Standing::Gone || now - m.heard_at <= SESSION_MS);
            if is_other {
                group.rebalance(self.partitions);
            }
            is_any_other |= is_other;
        }
        drop(state);
        if is_any_other {
            self.commands.notify_waiters();
            self.events.notify_waiters();
        }
    }

    /// Moves a partition of a log from its owner to another member in all groups.
    pub(super) fn move_on(&self, log: Log, partition: Partition) {
        let mut state = self.state();
        let groups = state.groups.iter_mut().filter(|((of, _), _)| *of == log);
        for (_, group) in groups {
            if group.move_on(partition) {
                self.fired.count(Kind::Rebalance);
            }
        }
        drop(state);
        self.changed(log).notify_waiters();
    }
}

/// A partition of a member.
pub(super) struct Own<'a> {
    pub(super) lives: bool,
    pub(super) position: &'a mut Offset,
    pub(super) paused: &'a mut BTreeSet<Partition>,
    pub(super) committed: &'a mut BTreeMap<Partition, Offset>,
}

impl Member {
    /// Answers whether the partitions must be shared out again.
    fn judge(&mut self, now: i64, is_heard: bool, rng: &mut Rng) -> bool {
        match self.standing {
            Standing::Lives if now - self.heard_at > SESSION_MS => {
                self.standing = Standing::Zombie { learns_at: None };
                true
            }
            Standing::Gone if now - self.heard_at > SESSION_MS => true,
            Standing::Zombie { learns_at: None } if is_heard => {
                let learns_at = now + i64::try_from(rng.below(1_500)).unwrap_or(0);
                self.standing = Standing::Zombie {
                    learns_at: Some(learns_at),
                };
                false
            }
            Standing::Zombie {
                learns_at: Some(at),
            } if is_heard && now >= at => {
                while let Some((partition, _)) = self.positions.pop_first() {
                    self.told.push_back(Delivery::Revoked { partition });
                }
                self.paused.clear();
                self.standing = Standing::Lives;
                true
            }
            _ => false,
        }
    }
}
