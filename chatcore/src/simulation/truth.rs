//! What the journal has: the truth that a history is held against.

use std::collections::BTreeMap;

use bytes::Bytes;

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
    /// By offset.
    pub commands: BTreeMap<Offset, WrittenCommand>,
    /// The decisions that count, in order: each cause once, none of a former owner.
    pub decisions: Vec<Decision>,
    /// The decisions that do not.
    pub void: Vec<Decision>,
    /// Offsets in `events` of records that can't be read. There must be none.
    pub unreadable: Vec<Offset>,
}

/// A record of `commands`.
#[derive(Debug, Clone)]
pub struct WrittenCommand {
    /// As it was written.
    pub bytes: Bytes,
    /// What it says; none when its envelope can't be read.
    pub record: Option<CommandRecord>,
}

impl WrittenCommand {
    /// Reads it.
    #[must_use]
    pub fn read(bytes: Bytes) -> Self {
        let record = record::decode(&bytes).ok();
        Self { bytes, record }
    }
}

impl PartitionTruth {
    /// Reads the records of a partition; none of them may have been trimmed away.
    #[must_use]
    pub fn read(commands: &[Record], events: &[Record]) -> Self {
        let mut published = Published::default();
        let mut truth = Self {
            commands: commands
                .iter()
                .map(|record| (record.offset, WrittenCommand::read(record.bytes.clone())))
                .collect(),
            ..Self::default()
        };
        for event in events {
            match record::decode::<EventRecord>(&event.bytes) {
                Ok(record) => truth.take(&mut published, record),
                Err(_) => truth.unreadable.push(event.offset),
            }
        }
        truth
    }

    /// Takes the next record of `events` in.
    pub fn take(&mut self, published: &mut Published, record: EventRecord) {
        let decision = match &record {
            EventRecord::Owner { .. } => None,
            EventRecord::Decided { decision, .. } => Some(decision.clone()),
        };
        match (published.take(record), decision) {
            (Some(counts), _) => self.decisions.push(*counts),
            (None, Some(void)) => self.void.push(*void),
            (None, None) => {}
        }
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

    /// A command by its place.
    #[must_use]
    pub fn command(&self, partition: Partition, offset: Offset) -> Option<&WrittenCommand> {
        let index = usize::try_from(partition.0).ok()?;
        self.partitions.get(index)?.commands.get(&offset)
    }

    /// The engine's dead letter of this place.
    #[must_use]
    pub fn letter(&self, partition: Partition, offset: Offset) -> Option<&DeadLetter> {
        self.letters.iter().find(|letter| {
            letter.origin.as_str() == "engine"
                && (letter.partition, letter.offset) == (partition, offset)
        })
    }

    /// Whether there is one.
    #[must_use]
    pub fn has_letter(&self, partition: Partition, offset: Offset) -> bool {
        self.letter(partition, offset).is_some()
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
