//! The view as the owners of partitions use it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chatcore::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    ids::{Fence, Node, Offset, Partition, StreamId},
    record::Decision,
    store::{DueLine, LeaseStore as _, Mark, PartitionBatch, PartitionStore, Rebuild, Saved},
};

use super::{
    EmbeddedStore, layout, read_mark,
    save::{self, Touched},
};
use crate::{
    keys::Key,
    tables::{DUE, Group, MARKS, OUTBOX, VIEW},
    writer::{Answer, Failure},
};

impl EmbeddedStore {
    fn saved(&self, group: u64, touched: Touched, live: &BTreeSet<Node>) -> Saved {
        let routes = touched.into_iter().filter_map(|stream| {
            let nodes = self.routes.before(group, &stream, live);
            (!nodes.is_empty()).then_some((stream, nodes))
        });
        Saved {
            routes: routes.collect(),
        }
    }
}

#[async_trait]
impl PartitionStore for EmbeddedStore {
    async fn take(&self, partition: Partition, above: Fence) -> Result<Mark> {
        let write = self.database.write(Answer::WhenVisible, move |group| {
            let mut mark = read_mark(group, partition)?;
            mark.fence = Fence(mark.fence.max(above).0 + 1);
            layout::put(group, MARKS, &Key::of(partition), &mark)?;
            Ok(mark)
        });
        write.await
    }

    async fn save(&self, batches: Vec<PartitionBatch>) -> Result<Vec<Result<Saved>>> {
        let work = move |group: &mut Group<'_>| {
            let mut results: Vec<(Result<Touched>, Vec<StreamId>)> = Vec::new();
            for batch in batches {
                let touched = save::save(group, &batch)?;
                results.push((touched, batch.forget));
            }
            Ok((group.number(), results))
        };
        let (group, results) = self.database.write(Answer::WhenVisible, work).await?;
        let live: BTreeSet<Node> = self.leases.alive().await?.into_iter().collect();
        let saved = results.into_iter().map(|(touched, forgotten)| {
            let touched = touched?;
            for stream in &forgotten {
                self.routes.forget(stream);
            }
            Ok(self.saved(group, touched, &live))
        });
        Ok(saved.collect())
    }

    async fn outbox(&self, partition: Partition) -> Result<Vec<Decision>> {
        let read = self
            .database
            .read(move |view| layout::list(view, OUTBOX, &Key::of(partition).prefix(), usize::MAX));
        read.await
    }

    async fn trim(&self, partition: Partition, fence: Fence, before: Offset) -> Result<()> {
        let write = self.database.write(Answer::WhenVisible, move |group| {
            let mut mark = fenced(group, partition, fence, "trim the outbox")?;
            mark.trimmed = mark.trimmed.max(before);
            let emitted = Key::of(partition).u64(0);
            group.remove_range(OUTBOX, &emitted.until(Key::of(partition).u64(before.0)))?;
            layout::put(group, MARKS, &Key::of(partition), &mark)
        });
        write.await
    }

    async fn marks(&self, partitions: &[Partition]) -> Result<Vec<Mark>> {
        let partitions = partitions.to_vec();
        let read = self.database.read(move |view| {
            let marks = partitions.into_iter().map(|p| read_mark(view, p));
            marks.collect()
        });
        read.await
    }

    async fn rebuild(&self, partition: Partition, fence: Fence, step: Rebuild) -> Result<()> {
        const BUILD: &str = "build a partition again";
        let write = self.database.write(Answer::WhenVisible, move |group| {
            fenced(group, partition, fence, BUILD)?;
            let mark = match step {
                Rebuild::Begin(mark) => {
                    // All that a partition has beside its mark.
                    for table in VIEW.iter().filter(|table| **table != MARKS) {
                        group.remove_range(*table, &Key::of(partition).prefix())?;
                    }
                    Mark {
                        fence,
                        built: false,
                        ..mark
                    }
                }
                Rebuild::Done {
                    incarnation,
                    applied,
                } => {
                    let stored = read_mark(group, partition)?;
                    let put = (fence, incarnation, applied);
                    if (stored.fence, stored.incarnation, stored.applied) != put {
                        return Err(Failure::Refused(
                            Error::new(ErrorKind::Conflict, BUILD)
                                .with_context("partition", partition)
                                .with_context("stored", stored.applied)
                                .with_context("expected", applied),
                        ));
                    }
                    Mark {
                        built: true,
                        ..stored
                    }
                }
            };
            layout::put(group, MARKS, &Key::of(partition), &mark)
        });
        write.await
    }

    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueLine>> {
        let read = self.database.read(move |view| {
            let first = Key::of(partition);
            let range = match until.0.checked_add(1) {
                Some(after) => first.clone().until(first.i64(after)),
                None => first.prefix(),
            };
            layout::list(view, DUE, &range, limit)
        });
        read.await
    }
}

/// The mark, with this fence in it, unless a higher one is there.
fn fenced(
    group: &Group<'_>,
    partition: Partition,
    fence: Fence,
    operation: &'static str,
) -> Result<Mark, Failure> {
    let mark = read_mark(group, partition)?;
    if mark.fence > fence {
        return Err(Failure::Refused(
            Error::new(ErrorKind::Conflict, operation)
                .with_context("partition", partition)
                .with_context("stored fence", mark.fence)
                .with_context("own fence", fence),
        ));
    }
    Ok(Mark { fence, ..mark })
}
