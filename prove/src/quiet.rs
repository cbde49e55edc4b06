//! Coming to rest: all commands are decided and emitted, and everybody has all that is theirs.
//! Then the journal is read: the truth that is held against what people saw.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use chatcore::{
    ids::{Offset, Partition, StreamId},
    journal::{Journal, Log, Record},
    ports::Ports,
    record::Position,
    simulation::{History, PartitionTruth, Truth},
};
use tokio::time::{Instant, sleep};

use crate::{nodes::PARTITIONS, world::World};

/// How long it may take until all is at rest.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(500);
/// How long all must stay as it is.
const STAYS: Duration = Duration::from_secs(3);
/// Records that are read at a time.
const PAGE: usize = 1_024;

/// The end of each partition of both logs.
type Ends = Vec<(Offset, Offset)>;

/// A run at its end.
#[derive(Debug)]
pub(crate) struct AtRest {
    pub(crate) history: History,
    pub(crate) truth: Truth,
    /// What was still missing; empty when it came to rest.
    pub(crate) lacks: Vec<String>,
}

/// Waits until all has come to rest, and reads the truth.
pub(crate) async fn wait(world: &World, ports: &Ports) -> Result<AtRest> {
    let give_up = Instant::now() + PATIENCE;
    let mut since: Option<(Instant, Ends)> = None;
    loop {
        let lacks = lacks(world, ports).await;
        let ends = ends(ports).await;
        match (lacks.as_ref().map(Vec::is_empty), ends, &since) {
            (Ok(true), Ok(now), Some((at, before))) if now == *before && at.elapsed() > STAYS => {
                if let Some(rest) = at_rest(world, ports, now).await? {
                    return Ok(rest);
                }
                since = None;
            }
            (Ok(true), Ok(now), Some((_, before))) if now == *before => {}
            (Ok(true), Ok(now), _) => since = Some((Instant::now(), now)),
            _ => since = None,
        }
        if Instant::now() > give_up {
            let lacks = lacks.unwrap_or_else(|error| vec![format!("{error:#}")]);
            let lacks = if lacks.is_empty() {
                vec!["the journal goes on growing".to_owned()]
            } else {
                lacks
            };
            let ends = self::ends(ports).await?;
            let truth = truth(ports, &ends).await?;
            let history = world.ended(false);
            return Ok(AtRest {
                history,
                truth,
                lacks,
            });
        }
        sleep(LOOK).await;
    }
}

/// The history and the truth of one and the same moment, if nothing moves.
async fn at_rest(world: &World, ports: &Ports, before: Ends) -> Result<Option<AtRest>> {
    world.hold();
    let is_whole = lacks(world, ports).await?.is_empty();
    if !is_whole || ends(ports).await? != before {
        world.go_on();
        return Ok(None);
    }
    let history = world.ended(true);
    Ok(Some(AtRest {
        history,
        truth: truth(ports, &before).await?,
        lacks: Vec::new(),
    }))
}

async fn ends(ports: &Ports) -> Result<Ends> {
    let mut ends = Ends::new();
    for partition in (0..PARTITIONS).map(Partition) {
        let commands = ports.journal.bounds(Log::Commands, partition).await?;
        let events = ports.journal.bounds(Log::Events, partition).await?;
        ends.push((commands.1, events.1));
    }
    Ok(ends)
}

/// What is still missing; empty at rest.
async fn lacks(world: &World, ports: &Ports) -> Result<Vec<String>> {
    let mut lacks = Vec::new();
    for partition in (0..PARTITIONS).map(Partition) {
        let (_, end) = ports.journal.bounds(Log::Commands, partition).await?;
        let marks = ports.partitions.marks(&[partition]).await?;
        let mark = marks.first().context("a partition without a mark")?;
        if !mark.built {
            lacks.push(format!("partition {partition} is not built"));
        } else if mark.applied != end {
            let applied = mark.applied;
            lacks.push(format!("partition {partition}: {applied} of {end} applied"));
        }
        let outbox = ports.partitions.outbox(partition).await?;
        if !outbox.is_empty() {
            let count = outbox.len();
            lacks.push(format!("partition {partition}: {count} in the outbox"));
        }
    }
    let statuses = world.statuses();
    let streams = statuses.values().flat_map(|status| status.streams.keys());
    let streams: Vec<StreamId> = streams
        .cloned()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let heads = ports.streams.heads(&streams).await?;
    let heads: BTreeMap<&StreamId, Position> = streams.iter().zip(heads).collect();
    for (device, status) in &statuses {
        if !status.is_connected {
            lacks.push(format!("{device} is not connected"));
        } else if !status.is_settled {
            lacks.push(format!("{device} waits for outcomes"));
        }
        for (stream, at) in &status.streams {
            let head = heads.get(stream).copied().unwrap_or_default();
            if *at != head {
                let (at, head) = (at.seq, head.seq);
                lacks.push(format!("{device} has {at} of {head} events of {stream}"));
            }
        }
    }
    Ok(lacks)
}

/// What the journal has up to there.
async fn truth(ports: &Ports, ends: &Ends) -> Result<Truth> {
    let mut partitions = Vec::new();
    for (partition, (commands, events)) in (0..).map(Partition).zip(ends) {
        let commands = read(&ports.journal, Log::Commands, partition, *commands).await?;
        let events = read(&ports.journal, Log::Events, partition, *events).await?;
        partitions.push(PartitionTruth::read(&commands, &events));
    }
    let letters = ports.dead_letters.list(None, PAGE).await?;
    if letters.len() == PAGE {
        bail!("there are more dead letters than the proof reads");
    }
    let letters = letters.into_iter().map(|(_, letter)| letter).collect();
    Ok(Truth {
        partitions,
        letters,
    })
}

async fn read(
    journal: &Arc<dyn Journal>,
    log: Log,
    partition: Partition,
    end: Offset,
) -> Result<Vec<Record>> {
    let (first, _) = journal.bounds(log, partition).await?;
    if first > Offset(0) {
        bail!("{log:?} of partition {partition} was trimmed; a shorter run keeps all of it");
    }
    let mut records: Vec<Record> = Vec::new();
    let mut from = Offset(0);
    while from < end {
        let page = journal.read(log, partition, from, PAGE).await?;
        let Some(last) = page.last() else { break };
        from = last.offset.next();
        records.extend(page.into_iter().filter(|record| record.offset < end));
    }
    Ok(records)
}
