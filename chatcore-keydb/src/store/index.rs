//! Lists of dialogs: a sorted set each, by time and then by dialog.

use async_trait::async_trait;
use bytes::Bytes;
use chatcore::{
    clock::Timestamp,
    error::Result,
    ids::{CustomerId, DialogId},
    store::{Index, IndexEntry, IndexStore},
};
use redis::Pipeline;

use super::texts::corrupt;
use crate::{
    KeyDb,
    command::command,
    reply::{Reply, integer, text},
};

const PUT: &str = "put into a list";
const LIST: &str = "read a list";
/// Entries written in one round trip.
const PUT_MAX: usize = 1_000;

/// `dialog customer`, the dialog with all its digits: what has the same time is ordered as text.
fn member(entry: &IndexEntry) -> String {
    format!("{:020} {}", entry.dialog.0, entry.customer)
}

fn parse(bytes: Bytes, at: Bytes) -> Result<IndexEntry> {
    let (member, at) = (text(LIST, bytes)?, text(LIST, at)?);
    let parsed = member.split_once(' ').and_then(|(dialog, customer)| {
        // Whole milliseconds below 2^53, as the server writes a double of that size.
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a time in milliseconds is a whole number that fits"
        )]
        let at = at.parse::<f64>().ok()? as i64;
        Some(IndexEntry {
            dialog: DialogId(dialog.parse().ok()?),
            customer: CustomerId::try_new(customer).ok()?,
            at: Timestamp(at),
        })
    });
    parsed.ok_or_else(|| corrupt(LIST, "no entry of a list"))
}

fn entries(reply: Reply) -> Result<Vec<IndexEntry>> {
    let mut all = Vec::new();
    let mut values = reply.rest()?.into_iter();
    while let (Some(member), Some(at)) = (values.next(), values.next()) {
        all.push(parse(member, at)?);
    }
    Ok(all)
}

#[async_trait]
impl IndexStore for KeyDb {
    async fn put(&self, entries: Vec<(Index, IndexEntry)>) -> Result<()> {
        for part in entries.chunks(PUT_MAX) {
            let mut puts = Pipeline::with_capacity(part.len());
            for (index, entry) in part {
                let mut put = command("ZADD");
                put.arg(self.keys.index(index));
                put.arg(entry.at.0).arg(member(entry));
                puts.add_command(put);
            }
            for answer in self.link.run(PUT, &puts).await? {
                integer(PUT, answer)?;
            }
        }
        Ok(())
    }

    async fn list(
        &self,
        index: &Index,
        before: Option<(Timestamp, DialogId)>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let key = self.keys.index(index);
        let mut reads = Pipeline::new();
        if let Some((at, _)) = before {
            let mut same = command("ZREVRANGEBYSCORE");
            same.arg(&key).arg(at.0).arg(at.0).arg("WITHSCORES");
            reads.add_command(same);
        }
        let mut older = command("ZREVRANGEBYSCORE");
        older.arg(&key);
        match before {
            Some((at, _)) => older.arg(format!("({at}", at = at.0)),
            None => older.arg("+inf"),
        };
        older.arg("-inf").arg("WITHSCORES");
        older.arg("LIMIT").arg(0).arg(limit);
        reads.add_command(older);
        let mut found = Vec::new();
        for answer in self.link.run(LIST, &reads).await? {
            found.extend(entries(Reply::new(LIST, answer)?)?);
        }
        found.retain(|entry| before.is_none_or(|before| (entry.at, entry.dialog) < before));
        found.truncate(limit);
        Ok(found)
    }
}
