//! Which journal the topics are: its incarnation, and how far each partition had come, so that a
//! topic that was made anew is told from one that was only trimmed.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Offset, Partition},
    journal::Log,
};
use serde::{Deserialize, Serialize};

use crate::{config::KafkaConfig, error::not_ours, reader::Readers, table::Table, topics};

const OPEN: &str = "open the journal";
const JOURNAL: &str = "journal";

/// The value of the key `journal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Journal {
    incarnation: u64,
    partitions: u32,
}

/// What is known of the journal as a whole.
#[derive(Debug)]
pub(crate) struct About {
    table: Arc<Table>,
    pub(crate) incarnation: Incarnation,
    /// Partitions whose end was noted since this node started.
    noted: Mutex<BTreeSet<(Log, Partition)>>,
}

/// The name of the topic of a log.
pub(crate) fn topic(config: &KafkaConfig, log: Log) -> String {
    config.topic(name(log))
}

fn name(log: Log) -> &'static str {
    match log {
        Log::Commands => topics::COMMANDS,
        Log::Events => topics::EVENTS,
    }
}

fn end_key(log: Log, partition: Partition) -> String {
    format!("end/{}/{partition}", name(log))
}

impl About {
    /// Finds out which journal it is, or names a new one. May be tried again after it failed.
    ///
    /// # Errors
    /// `Invalid` when a topic is not of this journal; `Unavailable`.
    pub(crate) async fn read(
        config: &KafkaConfig,
        table: &Arc<Table>,
        readers: &Arc<Readers>,
    ) -> Result<Self> {
        table.catch_up().await?;
        let journal = agreed(config, table, readers).await?;
        if journal.partitions != config.partitions {
            return Err(Error::new(ErrorKind::Invalid, OPEN)
                .with_context("partitions", config.partitions)
                .with_context("expected", journal.partitions));
        }
        let about = Self {
            table: Arc::clone(table),
            incarnation: Incarnation(journal.incarnation),
            noted: Mutex::default(),
        };
        about.check(config, readers).await?;
        Ok(about)
    }

    /// Compares how far each partition is with how far it was.
    async fn check(&self, config: &KafkaConfig, readers: &Arc<Readers>) -> Result<()> {
        for log in [Log::Commands, Log::Events] {
            for partition in (0..config.partitions).map(Partition) {
                let topic = topic(config, log);
                let (first, end) = readers.bounds(topic.clone(), partition).await?;
                let noted = self.noted_end(log, partition)?;
                if end < noted {
                    return Err(not_ours(topic, "it ends before where it had come to")
                        .with_context("partition", partition)
                        .with_context("end", end)
                        .with_context("noted", noted));
                }
                if first == end {
                    continue;
                }
                let oldest = readers.incarnation(topic.clone(), partition, first).await?;
                if oldest.is_some_and(|other| other != self.incarnation) {
                    return Err(not_ours(topic, "its records name another journal")
                        .with_context("partition", partition));
                }
            }
        }
        Ok(())
    }

    fn noted_end(&self, log: Log, partition: Partition) -> Result<Offset> {
        let Some(bytes) = self
            .table
            .get(&end_key(log, partition))
            .and_then(|v| v.bytes)
        else {
            return Ok(Offset(0));
        };
        let corrupt =
            || Error::new(ErrorKind::Corrupt, OPEN).with_context("key", end_key(log, partition));
        let text = std::str::from_utf8(&bytes).map_err(|_| corrupt())?;
        text.parse().map(Offset).map_err(|_| corrupt())
    }

    /// Whether the end of this partition has yet to be noted by this node.
    pub(crate) fn is_news(&self, log: Log, partition: Partition) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.insert((log, partition))
    }

    /// Notes that the partition has come to here.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) async fn note_end(&self, log: Log, partition: Partition, end: Offset) -> Result<()> {
        if end <= self.noted_end(log, partition)? {
            return Ok(());
        }
        let value = Bytes::from(end.0.to_string());
        let key = end_key(log, partition);
        self.table.put(self.incarnation, &key, Some(&value)).await?;
        Ok(())
    }
}

/// Whether the topic names a journal.
///
/// # Errors
/// `Corrupt`, `Unavailable`.
pub(crate) async fn is_begun(config: &KafkaConfig, readers: &Arc<Readers>) -> Result<bool> {
    Ok(!names(config, readers).await?.is_empty())
}

/// Each name that the topic has for the journal, in order.
async fn names(config: &KafkaConfig, readers: &Arc<Readers>) -> Result<Vec<Journal>> {
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&names);
    let all = readers.keyed(config.topic(topics::ABOUT), Partition(0), move |keyed| {
        if keyed.key == JOURNAL
            && let Some(value) = keyed.value
        {
            let mut names = seen.lock().unwrap_or_else(PoisonError::into_inner);
            names.push(value);
        }
    });
    all.await?;
    let names = std::mem::take(&mut *names.lock().unwrap_or_else(PoisonError::into_inner));
    let parsed = names.iter().map(|value| serde_json::from_slice(value));
    parsed.collect::<Result<_, _>>().map_err(|error| {
        Error::new(ErrorKind::Corrupt, OPEN)
            .with_context("key", JOURNAL)
            .with_source(error)
    })
}

/// The journal's name. Where there is none yet, several nodes may say one at once: the first in the
/// topic counts, and whoever sees another one last says it again, as compaction keeps the last.
async fn agreed(config: &KafkaConfig, table: &Table, readers: &Arc<Readers>) -> Result<Journal> {
    let mut said = names(config, readers).await?;
    let first = match said.first() {
        Some(first) => *first,
        None => {
            let ours = begin(config, table, readers).await?;
            said = names(config, readers).await?;
            said.first().copied().unwrap_or(ours)
        }
    };
    if said.last().is_some_and(|last| *last != first) {
        put(table, first).await?;
    }
    Ok(first)
}

/// Names a journal whose topics are empty.
async fn begin(config: &KafkaConfig, table: &Table, readers: &Arc<Readers>) -> Result<Journal> {
    for log in [Log::Commands, Log::Events] {
        for partition in (0..config.partitions).map(Partition) {
            let topic = topic(config, log);
            let (_, end) = readers.bounds(topic.clone(), partition).await?;
            if end > Offset(0) {
                return Err(not_ours(
                    topic,
                    "it has records, and nothing says of which journal",
                ));
            }
        }
    }
    let mut fresh = [0; 8];
    getrandom::fill(&mut fresh).map_err(|error| {
        Error::new(ErrorKind::Internal, OPEN)
            .with_context("cause", format!("no random number: {error}"))
    })?;
    let ours = Journal {
        incarnation: u64::from_be_bytes(fresh),
        partitions: config.partitions,
    };
    put(table, ours).await?;
    Ok(ours)
}

async fn put(table: &Table, journal: Journal) -> Result<()> {
    let value = serde_json::to_vec(&journal)
        .map_err(|error| Error::new(ErrorKind::Internal, OPEN).with_source(error))?;
    let incarnation = Incarnation(journal.incarnation);
    table.put(incarnation, JOURNAL, Some(&value.into())).await?;
    Ok(())
}
