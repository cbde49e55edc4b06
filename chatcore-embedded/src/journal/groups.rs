//! Groups of consumers: who reads which partition, and from where.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chatcore::{
    ids::{Offset, Partition},
    journal::Delivery,
};

/// One group on one log.
#[derive(Debug, Default)]
pub(super) struct Group {
    committed: BTreeMap<Partition, Offset>,
    members: BTreeMap<u64, Member>,
    joined: u64,
}

/// One member of a group.
#[derive(Debug, Default)]
pub(super) struct Member {
    /// Assignments and revocations that it has not been told of. Bounded: one for each partition,
    /// since a revocation takes back an assignment that was not told.
    untold: VecDeque<Delivery>,
    /// Its partitions, and the offset that it reads next.
    positions: BTreeMap<Partition, Offset>,
    paused: BTreeSet<Partition>,
    /// Where the last records came from, so that the others get their turn.
    last: Option<Partition>,
}

impl Group {
    pub(super) fn new(committed: BTreeMap<Partition, Offset>) -> Self {
        Self {
            committed,
            ..Self::default()
        }
    }

    /// Adds a member; returns its number.
    pub(super) fn join(&mut self, partitions: u32) -> u64 {
        self.joined += 1;
        self.members.insert(self.joined, Member::default());
        self.share_out(partitions);
        self.joined
    }

    pub(super) fn leave(&mut self, member: u64, partitions: u32) {
        self.members.remove(&member);
        self.share_out(partitions);
    }

    pub(super) fn member(&mut self, member: u64) -> Option<&mut Member> {
        self.members.get_mut(&member)
    }

    pub(super) fn committed(&self, partition: Partition) -> Offset {
        self.committed.get(&partition).copied().unwrap_or_default()
    }

    /// Moves the group's position, if the partition is this member's.
    pub(super) fn commit(&mut self, member: u64, partition: Partition, next: Offset) -> bool {
        let mine = self
            .members
            .get(&member)
            .is_some_and(|m| m.positions.contains_key(&partition));
        if mine {
            self.committed.insert(partition, next);
        }
        mine
    }

    /// Evens out: whoever has the most gives to whoever has the fewest, one partition at a time,
    /// so that no more move than must.
    fn share_out(&mut self, partitions: u32) {
        let owned: BTreeSet<Partition> = self
            .members
            .values()
            .flat_map(|m| m.positions.keys().copied())
            .collect();
        for partition in (0..partitions)
            .map(Partition)
            .filter(|p| !owned.contains(p))
        {
            self.give_to_the_least(partition);
        }
        let count = |m: &Member| m.positions.len();
        loop {
            let least = self.members.values().map(count).min().unwrap_or(0);
            let Some(most) = self.members.values_mut().max_by_key(|m| count(m)) else {
                return;
            };
            if count(most) <= least + 1 {
                return;
            }
            if let Some((partition, _)) = most.positions.pop_last() {
                most.told_of_revocation(partition);
                self.give_to_the_least(partition);
            }
        }
    }

    fn give_to_the_least(&mut self, partition: Partition) {
        let committed = self.committed(partition);
        if let Some(least) = self.members.values_mut().min_by_key(|m| m.positions.len()) {
            least.positions.insert(partition, committed);
            least.paused.remove(&partition);
            least.untold.push_back(Delivery::Assigned {
                partition,
                committed,
            });
        }
    }
}

impl Member {
    fn told_of_revocation(&mut self, partition: Partition) {
        let before = self.untold.len();
        self.untold
            .retain(|d| !matches!(d, Delivery::Assigned { partition: p, .. } if *p == partition));
        if self.untold.len() == before {
            self.untold.push_back(Delivery::Revoked { partition });
        }
    }

    pub(super) fn next_told(&mut self) -> Option<Delivery> {
        self.untold.pop_front()
    }

    /// The partitions to look at, beginning after the last one that had records.
    pub(super) fn turn(&self) -> Vec<(Partition, Offset)> {
        let after_last = |p: &Partition| self.last.is_none_or(|last| *p > last);
        let (later, earlier): (Vec<_>, Vec<_>) = self
            .positions
            .iter()
            .map(|(p, o)| (*p, *o))
            .filter(|(p, _)| !self.paused.contains(p))
            .partition(|(p, _)| after_last(p));
        later.into_iter().chain(earlier).collect()
    }

    /// Notes that it was handed records; false if it was not to get them any more.
    pub(super) fn advance(&mut self, partition: Partition, from: Offset, to: Offset) -> bool {
        match self.positions.get_mut(&partition) {
            Some(position) if *position == from => {
                *position = to;
                self.last = Some(partition);
                true
            }
            _ => false,
        }
    }

    /// Moves the position; false if the partition is not its own.
    pub(super) fn seek(&mut self, partition: Partition, to: Offset) -> bool {
        let position = self.positions.get_mut(&partition);
        position.map(|p| *p = to).is_some()
    }

    pub(super) fn pause(&mut self, partition: Partition) {
        if self.positions.contains_key(&partition) {
            self.paused.insert(partition);
        }
    }

    pub(super) fn resume(&mut self, partition: Partition) {
        self.paused.remove(&partition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(group: &mut Group, member: u64) -> (Vec<u32>, Vec<u32>) {
        let (mut assigned, mut revoked) = (Vec::new(), Vec::new());
        while let Some(delivery) = group.member(member).unwrap().next_told() {
            match delivery {
                Delivery::Assigned { partition, .. } => assigned.push(partition.0),
                Delivery::Revoked { partition } => revoked.push(partition.0),
                Delivery::Records { .. } => panic!("records are not told here"),
            }
        }
        (assigned, revoked)
    }

    #[test]
    fn a_newcomer_takes_its_share_and_no_more() {
        let mut group = Group::default();
        let first = group.join(5);
        assert_eq!(told(&mut group, first), (vec![0, 1, 2, 3, 4], vec![]));
        let second = group.join(5);
        assert_eq!(told(&mut group, first), (vec![], vec![4, 3]));
        assert_eq!(told(&mut group, second), (vec![4, 3], vec![]));
        group.leave(first, 5);
        assert_eq!(told(&mut group, second), (vec![0, 1, 2], vec![]));
    }

    #[test]
    fn what_was_never_told_is_not_taken_back() {
        let mut group = Group::default();
        let first = group.join(2);
        let second = group.join(2);
        assert_eq!(told(&mut group, first), (vec![0], vec![]));
        assert_eq!(told(&mut group, second), (vec![1], vec![]));
    }

    #[test]
    fn only_the_owner_of_a_partition_commits_it() {
        let mut group = Group::default();
        let first = group.join(2);
        assert!(group.commit(first, Partition(1), Offset(4)));
        let second = group.join(2);
        assert!(!group.commit(first, Partition(1), Offset(5)));
        assert!(group.commit(second, Partition(1), Offset(6)));
        assert_eq!(group.committed(Partition(1)), Offset(6));
    }

    #[test]
    fn every_partition_gets_its_turn() {
        let mut group = Group::default();
        let only = group.join(3);
        let member = group.member(only).unwrap();
        let first = |m: &Member| m.turn().first().map(|(p, _)| p.0);
        assert_eq!(first(member), Some(0));
        assert!(member.advance(Partition(0), Offset(0), Offset(2)));
        assert_eq!(first(member), Some(1));
        member.pause(Partition(1));
        assert_eq!(first(member), Some(2));
        assert!(member.advance(Partition(2), Offset(0), Offset(1)));
        assert_eq!(first(member), Some(0));
        assert!(!member.advance(Partition(0), Offset(0), Offset(9)));
    }
}
