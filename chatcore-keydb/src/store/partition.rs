//! The view as the owners of partitions use it.

use async_trait::async_trait;
use chatcore::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    ids::{Fence, Offset, Partition},
    record::{Decision, decode},
    store::{DueLine, Mark, PartitionBatch, PartitionStore, Rebuild, Saved},
};
use redis::{Pipeline, Value};

use super::{
    mark,
    save::{SAVE, SaveCall},
    texts,
};
use crate::{KeyDb, command::command, reply::Reply, script};

const REBUILD: &str = "build a partition again";
/// Streams, and tails, that are forgotten in one step of a rebuild: a step of a few milliseconds.
const FORGET_MAX: usize = 500;
/// Decisions of the outbox in one answer.
const OUTBOX_PAGE: usize = 500;
/// Most targets that are asked for their due-lines at once.
const DUE_MAX: usize = 100_000;

/// The answer of a script that checks the fence.
fn fenced(operation: &'static str, partition: Partition, answer: Value) -> Result<String> {
    let mut reply = Reply::new(operation, answer)?;
    let word = reply.text()?;
    if word != "conflict" {
        return Ok(word);
    }
    let (which, stored) = (reply.text()?, reply.text()?);
    Err(Error::new(ErrorKind::Conflict, operation)
        .with_context("partition", partition)
        .with_context("differs", which)
        .with_context("stored", stored))
}

#[async_trait]
impl PartitionStore for KeyDb {
    async fn take(&self, partition: Partition, above: Fence) -> Result<Mark> {
        const TAKE: &str = "take a partition";
        let keys = self.keys.partition(partition);
        let fields = mark::fields(self.partitions());
        let mut call = script::TAKE.call([keys.view.as_str()]);
        call.arg(above.0).arg(&fields);
        let answer = self.call(TAKE, call).await?;
        mark::parse(TAKE, &fields, Reply::new(TAKE, answer)?)
    }

    async fn save(&self, batches: Vec<PartitionBatch>) -> Result<Vec<Result<Saved>>> {
        let mut calls = Pipeline::with_capacity(batches.len());
        let prepared: Vec<Result<SaveCall>> = batches
            .iter()
            .map(|batch| SaveCall::new(&self.keys.partition(batch.partition), batch))
            .collect();
        for prepared in prepared.iter().flatten() {
            calls.add_command(prepared.call.clone());
        }
        let answers = match calls.is_empty() {
            true => Vec::new(),
            false => self.link.run(SAVE, &calls).await?,
        };
        let mut answers = answers.into_iter();
        let saved = prepared.into_iter().zip(&batches).map(|(prepared, batch)| {
            let answer = |call: SaveCall| call.read(batch, answers.next().unwrap_or(Value::Nil));
            prepared.and_then(answer)
        });
        Ok(saved.collect())
    }

    async fn outbox(&self, partition: Partition) -> Result<Vec<Decision>> {
        const OUTBOX: &str = "read the outbox";
        let keys = self.keys.partition(partition);
        let mut all: Vec<Decision> = Vec::new();
        loop {
            let mut read = command("ZRANGEBYSCORE");
            let from = match all.last() {
                None => "-inf".to_owned(),
                Some(last) => format!("({}", last.cause),
            };
            read.arg(&keys.outbox).arg(from).arg("+inf");
            read.arg("LIMIT").arg(0).arg(OUTBOX_PAGE);
            let page = Reply::new(OUTBOX, self.call(OUTBOX, read).await?)?.rest()?;
            for bytes in &page {
                all.push(decode(bytes)?);
            }
            if page.len() < OUTBOX_PAGE {
                return Ok(all);
            }
        }
    }

    async fn trim(&self, partition: Partition, fence: Fence, before: Offset) -> Result<()> {
        const TRIM: &str = "trim the outbox";
        let keys = self.keys.partition(partition);
        let mut call = script::TRIM.call([keys.view.as_str(), &keys.outbox]);
        call.arg(fence.0).arg(before.0);
        fenced(TRIM, partition, self.call(TRIM, call).await?).map(drop)
    }

    async fn marks(&self, partitions: &[Partition]) -> Result<Vec<Mark>> {
        const MARKS: &str = "read the marks";
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let fields = mark::fields(self.partitions());
        let mut reads = Pipeline::with_capacity(partitions.len());
        for partition in partitions {
            let mut read = command("HMGET");
            read.arg(self.keys.partition(*partition).view).arg(&fields);
            reads.add_command(read);
        }
        let answers = self.link.run(MARKS, &reads).await?;
        let marks = answers.into_iter();
        marks
            .map(|answer| mark::parse(MARKS, &fields, Reply::new(MARKS, answer)?))
            .collect()
    }

    async fn rebuild(&self, partition: Partition, fence: Fence, step: Rebuild) -> Result<()> {
        let keys = self.keys.partition(partition);
        let begun = match step {
            Rebuild::Begin(begun) => begun,
            Rebuild::Done {
                incarnation,
                applied,
            } => {
                let mut call = script::REBUILD_DONE.call([keys.view.as_str()]);
                call.arg(fence.0).arg(incarnation.0).arg(applied.0);
                return fenced(REBUILD, partition, self.call(REBUILD, call).await?).map(drop);
            }
        };
        let (fields, all) = (mark::begun(&begun)?, mark::fields(self.partitions()));
        loop {
            let mut call = script::REBUILD_BEGIN.call([
                keys.view.as_str(),
                &keys.cursors,
                &keys.snapshots,
                &keys.tails,
                &keys.outbox,
                &keys.due,
                &keys.due_lines,
            ]);
            call.arg(fence.0);
            call.arg(keys.events_prefix()).arg(keys.tails_prefix());
            call.arg(FORGET_MAX).arg(all.len()).arg(&all);
            for (field, value) in &fields {
                call.arg(field).arg(value.as_ref());
            }
            let answer = self.call(REBUILD, call).await?;
            if fenced(REBUILD, partition, answer)? == "done" {
                return Ok(());
            }
        }
    }

    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueLine>> {
        const DUE: &str = "read due-lines";
        let keys = self.keys.partition(partition);
        let mut call = script::DUE.call([keys.due.as_str(), &keys.due_lines]);
        // The earliest lines are of the targets whose earliest line is the earliest.
        call.arg(until.0).arg(limit.min(DUE_MAX));
        let answer = self.call(DUE, call).await?;
        let mut due: Vec<DueLine> = Vec::new();
        for lines in Reply::new(DUE, answer)?.rest()? {
            let lines: Vec<DueLine> = decode(&lines)
                .map_err(|e| texts::corrupt(DUE, "due-lines that can't be read").with_source(e))?;
            due.extend(lines.into_iter().filter(|line| line.at <= until));
        }
        due.sort();
        due.truncate(limit);
        Ok(due)
    }
}
