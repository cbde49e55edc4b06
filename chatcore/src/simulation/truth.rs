//! What the journal has: the truth that a history is held against.

use std::collections::BTreeMap;

use crate::{
    engine::Published,
    error::Result,
    ids::{Offset, Partition, StreamId},
    journal::{DeadLetter, DeadLetters, Journal, Log, Record},
    record::{self, CommandRecord, Decision, EventRecord, Position, StreamEvent},
};

/// Records that are read at a time.
const PAGE: usize = 1_024;

/// All that the journal has, read once a run has ended.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// One entry a partition, from 0.
    pub partitions: Vec<PartitionTruth>,
    /// The dead letters.
    pub letters: Vec<DeadLetter>,
}

/// One partition of `commands` and of `events`.
#[derive(Debug, Clone, Default)]
pub struct PartitionTruth {
    /// By offset; none for what can't be read.
    pub commands: BTreeMap<Offset, Option<CommandRecord>>,
    /// The decisions that count, in order: each cause once, none of a former owner.
    pub decisions: Vec<Decision>,
    /// Offsets in `events` of records that can't be read. There must be none.
    pub unreadable: Vec<Offset>,
}

impl PartitionTruth {
    /// Reads the records of a partition; none of them may have been trimmed away.
    #[must_use]
    pub fn read(commands: &[Record], events: &[Record]) -> Self {
        let mut published = Published::default();
        let mut truth = Self {
            commands: commands
                .iter()
                .map(|record| (record.offset, record::decode(&record.bytes).ok()))
                .collect(),
            ..Self::default()
        };
        for event in events {
            match record::decode::<EventRecord>(&event.bytes) {
                Ok(record) => truth.decisions.extend(published.take(record).map(|d| *d)),
                Err(_) => truth.unreadable.push(event.offset),
            }
        }
        truth
    }
}

impl Truth {
    /// Reads it all. For the end of a run: it holds the whole journal in memory.
    ///
    /// # Errors
    /// Those of the ports; `NotFound` when the journal was trimmed.
    pub async fn read(journal: &dyn Journal, letters: &dyn DeadLetters) -> Result<Self> {
        let mut partitions = Vec::new();
        for partition in (0..journal.partitions()).map(Partition) {
            let commands = read_log(journal, Log::Commands, partition).await?;
            let events = read_log(journal, Log::Events, partition).await?;
            partitions.push(PartitionTruth::read(&commands, &events));
        }
        let mut all = Vec::new();
        loop {
            let after = all.last().map(|(number, _)| *number);
            let page = letters.list(after, PAGE).await?;
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        let letters = all.into_iter().map(|(_, letter)| letter).collect();
        Ok(Self {
            partitions,
            letters,
        })
    }

    /// The decisions that count, partition by partition.
    pub fn decisions(&self) -> impl Iterator<Item = (Partition, &Decision)> {
        (0..)
            .map(Partition)
            .zip(&self.partitions)
            .flat_map(|(partition, one)| {
                one.decisions
                    .iter()
                    .map(move |decision| (partition, decision))
            })
    }

    /// The events of every stream, in the order in which they were decided.
    #[must_use]
    pub fn streams(&self) -> BTreeMap<StreamId, Vec<&StreamEvent<crate::content::Sealed>>> {
        let mut streams: BTreeMap<StreamId, Vec<_>> = BTreeMap::new();
        for (_, decision) in self.decisions() {
            for appended in &decision.appended {
                let events = streams.entry(appended.stream.clone()).or_default();
                events.extend(&appended.events);
            }
        }
        streams
    }

    /// The last position of every stream.
    #[must_use]
    pub fn heads(&self) -> BTreeMap<StreamId, Position> {
        let head = |events: Vec<&StreamEvent<_>>| {
            events.last().map_or_else(Position::default, |e| Position {
                seq: e.seq,
                hash: e.hash,
            })
        };
        self.streams()
            .into_iter()
            .map(|(stream, events)| (stream, head(events)))
            .collect()
    }
}

async fn read_log(journal: &dyn Journal, log: Log, partition: Partition) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let from = records
            .last()
            .map_or(Offset(0), |record| record.offset.next());
        let page = journal.read(log, partition, from, PAGE).await?;
        if page.is_empty() {
            return Ok(records);
        }
        records.extend(page);
    }
}
