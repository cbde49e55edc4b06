//! What the suites write.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;

use super::PARTITIONS;
use crate::{
    clock::Timestamp,
    content::{ContentKind, Sealed},
    dialog::{DialogEvent, Phase},
    ids::{
        CustomerId, DeskId, DialogId, Fence, Incarnation, Node, NodeEpoch, NodeId, Offset,
        OwnerEpoch, Participant, Partition, Seq, StreamId, Target, TenantId,
    },
    ports::Ports,
    record::{
        Accepted, Access, Appended, CommandId, CursorMove, Decision, Event, Outcome, Position,
        StreamEvent, Verdict, Visibility, encode,
    },
    store::{Mark, PartitionBatch, Rebuild, Saved, StoredDecision},
};

/// Longer than anything here takes.
pub(super) const LONG: Duration = Duration::from_secs(60);

pub(super) fn node(name: &str) -> Node {
    Node {
        id: NodeId::try_new(name).unwrap(),
        epoch: NodeEpoch(1),
    }
}

/// A dialog of the partition.
pub(super) fn dialog(partition: Partition) -> DialogId {
    DialogId::nth(0, partition, PARTITIONS)
}

/// A customer of the partition.
pub(super) fn customer(partition: Partition) -> CustomerId {
    let mut all = (0..).map(|i| CustomerId::try_new(format!("c{i}")).unwrap());
    all.find(|c| Target::Customer(c.clone()).partition(PARTITIONS) == partition)
        .unwrap()
}

fn sealed(text: &str) -> Sealed {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    Sealed {
        kind: ContentKind::Text,
        chars: u32::try_from(text.len()).unwrap(),
        bytes,
    }
}

/// Writes one dialog of one partition, as its owner would.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) partition: Partition,
    pub(super) fence: Fence,
    pub(super) incarnation: Incarnation,
    pub(super) applied: Offset,
    pub(super) head: Position,
}

impl Writer {
    /// Takes the partition and marks it as built.
    pub(super) async fn own(ports: &Ports, partition: Partition) -> Self {
        let writer = Self::take(ports, partition).await;
        let mark = Mark {
            incarnation: writer.incarnation,
            ..Mark::default()
        };
        let store = &ports.partitions;
        store
            .rebuild(partition, writer.fence, Rebuild::Begin(mark))
            .await
            .unwrap();
        store
            .rebuild(partition, writer.fence, writer.done())
            .await
            .unwrap();
        writer
    }

    /// The partition is built up to here.
    pub(super) fn done(&self) -> Rebuild {
        Rebuild::Done {
            incarnation: self.incarnation,
            applied: self.applied,
        }
    }

    /// Takes the partition as it is.
    pub(super) async fn take(ports: &Ports, partition: Partition) -> Self {
        let mark = ports.partitions.take(partition, Fence(0)).await.unwrap();
        Self {
            partition,
            fence: mark.fence,
            incarnation: ports.journal.incarnation(),
            applied: mark.applied,
            head: Position::default(),
        }
    }

    pub(super) fn stream(&self) -> StreamId {
        StreamId::Dialog(dialog(self.partition))
    }

    pub(super) fn target(&self) -> Target {
        Target::Customer(customer(self.partition))
    }

    /// A batch of decisions, each with one message of these texts.
    pub(super) fn batch(&mut self, texts: &[&str]) -> PartitionBatch {
        let expected = self.applied;
        let decisions = texts.iter().map(|text| self.decide(text)).collect();
        PartitionBatch {
            partition: self.partition,
            fence: self.fence,
            incarnation: self.incarnation,
            expected,
            applied: self.applied,
            decisions,
            snapshots: Vec::new(),
            due: Vec::new(),
            dialogs: 0,
            received: BTreeMap::new(),
            forget: Vec::new(),
            events: Offset(0),
            trial: None,
        }
    }

    fn decide(&mut self, text: &str) -> StoredDecision {
        let event = Event::Dialog(DialogEvent::Message {
            author: Participant::Customer(customer(self.partition)),
            body: sealed(text),
            reply_to: None,
            assurance: None,
        });
        let seq = self.head.seq.next();
        let hash = self.head.hash.then(seq, &encode(&event).unwrap());
        let at = Timestamp(1_000 + i64::try_from(self.applied.0).unwrap());
        let event = StreamEvent {
            seq,
            hash,
            at,
            visibility: Visibility::Everyone,
            event,
        };
        let appended = Appended {
            stream: self.stream(),
            after: self.head,
            events: vec![event],
            access: Access::Dialog {
                customer: customer(self.partition),
                owner: None,
                epoch: OwnerEpoch(0),
                desk: DeskId::literal("main"),
                phase: Phase::Waiting,
                last_owner: None,
            },
        };
        self.head = appended.upto();
        let cause = self.applied;
        self.applied = cause.next();
        let dialog = dialog(self.partition);
        let decision = Decision {
            cause,
            at,
            tenant: TenantId::single(),
            trace: None,
            target: self.target(),
            author: Participant::Customer(customer(self.partition)),
            id: CommandId::Internal,
            digest: 0,
            settled: 0,
            reply_to: None,
            unparked: None,
            brought_up_by: None,
            verdict: Verdict::Decided(Outcome::Accepted(Accepted {
                redacted: false,
                dialog: Some(dialog),
                seq,
            })),
            appended: vec![appended],
            cursors: Vec::new(),
            follow_ups: Vec::new(),
            forget: Vec::new(),
            dialogs_opened: 0,
        };
        let bytes = encode(&decision).unwrap();
        StoredDecision {
            decision: Arc::new(decision),
            bytes,
        }
    }

    /// A batch that only moves a cursor.
    pub(super) fn cursor(&mut self, participant: Participant, at: u64) -> PartitionBatch {
        let mut batch = self.batch(&["cursor"]);
        let stored = batch.decisions.pop().unwrap();
        let mut decision = Arc::unwrap_or_clone(stored.decision);
        let appended = decision.appended.pop().unwrap();
        self.head = appended.after;
        decision.cursors = vec![CursorMove {
            dialog: dialog(self.partition),
            participant,
            delivered: Seq(at),
            read: Seq(at),
        }];
        let bytes = encode(&decision).unwrap();
        batch.decisions.push(StoredDecision {
            decision: Arc::new(decision),
            bytes,
        });
        batch
    }

    pub(super) async fn save(&mut self, ports: &Ports, texts: &[&str]) -> Saved {
        let batch = self.batch(texts);
        Self::put(ports, batch).await
    }

    /// Saves one batch, which must be taken.
    pub(super) async fn put(ports: &Ports, batch: PartitionBatch) -> Saved {
        let results = ports.partitions.save(vec![batch]).await;
        results.unwrap().remove(0).unwrap()
    }
}
