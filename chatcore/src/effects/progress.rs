//! What an effect may commit, and what it has to do next: order per stream, progress per
//! partition. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Work;
use crate::{
    ids::{Offset, Partition, StreamId},
    sabotage::{Switch, on},
};

/// A piece of work at its place in `events`.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) offset: Offset,
    pub(super) stream: StreamId,
    pub(super) work: Work,
}

#[derive(Debug, Default)]
struct PartitionProgress {
    /// The offset after the last record that was read.
    read: Offset,
    /// Unfinished items; a record may have several.
    open: BTreeSet<(Offset, StreamId)>,
    committed: Offset,
}

/// Keeps lanes, one per stream, and what is unfinished.
#[derive(Debug, Default)]
pub(super) struct Progress {
    partitions: BTreeMap<Partition, PartitionProgress>,
    lanes: BTreeMap<(Partition, StreamId), VecDeque<Item>>,
}

impl Progress {
    pub(super) fn assigned(&mut self, partition: Partition, committed: Offset) {
        self.revoked(partition);
        let progress = PartitionProgress {
            read: committed,
            committed,
            ..Default::default()
        };
        self.partitions.insert(partition, progress);
    }

    pub(super) fn revoked(&mut self, partition: Partition) {
        self.partitions.remove(&partition);
        self.lanes.retain(|(p, _), _| *p != partition);
    }

    /// A record was read; `items` is what it asks for. Returns those that may start now.
    pub(super) fn read(
        &mut self,
        partition: Partition,
        offset: Offset,
        items: Vec<Item>,
    ) -> Vec<Item> {
        let Some(progress) = self.partitions.get_mut(&partition) else {
            return Vec::new();
        };
        if offset < progress.read {
            return Vec::new();
        }
        progress.read = offset.next();
        let mut ready = Vec::new();
        for item in items {
            progress.open.insert((item.offset, item.stream.clone()));
            let lane = self
                .lanes
                .entry((partition, item.stream.clone()))
                .or_default();
            if lane.is_empty() {
                ready.push(item.clone());
            }
            lane.push_back(item);
        }
        ready
    }

    /// An item is done (or given up). Returns the next of its lane, to start now.
    pub(super) fn done(&mut self, partition: Partition, item: &Item) -> Option<Item> {
        let progress = self.partitions.get_mut(&partition)?;
        if !progress.open.remove(&(item.offset, item.stream.clone())) {
            return None;
        }
        let key = (partition, item.stream.clone());
        let lane = self.lanes.get_mut(&key)?;
        lane.pop_front();
        let next = lane.front().cloned();
        if next.is_none() {
            self.lanes.remove(&key);
        }
        next
    }

    /// Unfinished items.
    pub(super) fn open(&self) -> usize {
        self.partitions.values().map(|p| p.open.len()).sum()
    }

    /// What may be committed and is not: everything below is done.
    pub(super) fn to_commit(&self) -> Vec<(Partition, Offset)> {
        let done = self.partitions.iter().map(|(partition, progress)| {
            let open = progress.open.first();
            let open = open.filter(|_| !on(Switch::EffectCommittedFirst));
            let done = open.map_or(progress.read, |(offset, _)| *offset);
            (*partition, done, progress.committed)
        });
        done.filter(|(_, done, committed)| done > committed)
            .map(|(partition, done, _)| (partition, done))
            .collect()
    }

    /// It is committed, or is another's to commit.
    pub(super) fn committed(&mut self, partition: Partition, offset: Offset) {
        if let Some(progress) = self.partitions.get_mut(&partition) {
            progress.committed = progress.committed.max(offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        clock::Timestamp,
        ids::{CustomerId, DialogId, Participant, Target, TenantId},
        record::{CommandId, Decision, Reply, Verdict},
    };

    const P: Partition = Partition(0);

    fn item(offset: u64, dialog: u64) -> Item {
        let decision = Decision {
            cause: Offset(offset),
            at: Timestamp(0),
            tenant: TenantId::single(),
            trace: None,
            target: Target::Customer(CustomerId::literal("anna")),
            author: Participant::System,
            id: CommandId::Internal,
            digest: 0,
            settled: 0,
            reply_to: None,
            unparked: None,
            brought_up_by: None,
            verdict: Verdict::Repeated(Reply::Settled),
            appended: Vec::new(),
            cursors: Vec::new(),
            follow_ups: Vec::new(),
            forget: Vec::new(),
            dialogs_opened: 0,
        };
        let work = Work {
            partition: P,
            decision: Arc::new(decision),
            stream: 0,
        };
        Item {
            offset: Offset(offset),
            stream: StreamId::Dialog(DialogId(dialog)),
            work,
        }
    }

    #[test]
    fn a_stream_goes_in_order_and_others_beside_it() {
        let mut progress = Progress::default();
        progress.assigned(P, Offset(0));
        assert_eq!(progress.read(P, Offset(0), vec![item(0, 1)]).len(), 1);
        assert_eq!(progress.read(P, Offset(1), vec![item(1, 1)]).len(), 0);
        assert_eq!(progress.read(P, Offset(2), vec![item(2, 2)]).len(), 1);
        let next = progress.done(P, &item(0, 1)).unwrap();
        assert_eq!(next.offset, Offset(1));
        assert!(progress.done(P, &item(1, 1)).is_none());
    }

    #[test]
    fn nothing_is_committed_past_what_is_unfinished() {
        let mut progress = Progress::default();
        progress.assigned(P, Offset(0));
        for offset in 0..3 {
            progress.read(P, Offset(offset), vec![item(offset, offset)]);
        }
        progress.done(P, &item(1, 1));
        progress.done(P, &item(2, 2));
        assert!(progress.to_commit().is_empty());
        progress.done(P, &item(0, 0));
        assert_eq!(progress.to_commit(), [(P, Offset(3))]);
        progress.committed(P, Offset(3));
        assert!(progress.to_commit().is_empty());
        assert_eq!(progress.open(), 0);
    }

    #[test]
    fn what_was_revoked_is_neither_continued_nor_committed() {
        let mut progress = Progress::default();
        progress.assigned(P, Offset(0));
        progress.read(P, Offset(0), vec![item(0, 1)]);
        progress.read(P, Offset(1), vec![item(1, 1)]);
        progress.revoked(P);
        assert!(progress.done(P, &item(0, 1)).is_none());
        assert!(progress.to_commit().is_empty());
        progress.assigned(P, Offset(0));
        assert!(
            progress.done(P, &item(0, 1)).is_none(),
            "of the former assignment"
        );
        assert_eq!(progress.read(P, Offset(0), vec![item(0, 1)]).len(), 1);
    }

    #[test]
    fn a_record_read_again_is_not_done_twice() {
        let mut progress = Progress::default();
        progress.assigned(P, Offset(5));
        assert!(progress.read(P, Offset(4), vec![item(4, 1)]).is_empty());
        assert_eq!(progress.read(P, Offset(5), vec![item(5, 1)]).len(), 1);
        assert!(progress.read(P, Offset(5), vec![item(5, 1)]).is_empty());
    }
}
