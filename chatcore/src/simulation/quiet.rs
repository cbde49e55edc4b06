//! What is still missing before a run has come to rest: all lags zero, all views equal.

use std::collections::{BTreeMap, BTreeSet};

use tokio::runtime::Builder;

use super::{run::Run, world::PARTITIONS};
use crate::{
    content::Sealed,
    dialog::{CustomerEvent, DialogEvent},
    error::{Error, ErrorKind, Result},
    identity::Who,
    ids::{DialogId, Partition, Seq, StreamId},
    journal::Log,
    record::{Event, Position},
    routing::DialogView,
    store::ReadRange,
};

/// What is still missing; empty at rest.
pub(super) fn lacks(run: &Run) -> Vec<String> {
    let mut lacks = Vec::new();
    for node in &run.nodes {
        if !node.answers() || !node.is_idle() {
            lacks.push(format!("{} has something under way", node.name));
        }
        if node.has_presence_to_tell() {
            lacks.push(format!("{} has yet to say who is here", node.name));
        }
    }
    if !run.world.post.is_idle() {
        lacks.push("frames are on their way".to_owned());
    }
    for partition in (0..PARTITIONS).map(Partition) {
        lags(run, partition, &mut lacks);
    }
    if lacks.is_empty() {
        views(run, &mut lacks);
    }
    lacks
}

fn lags(run: &Run, partition: Partition, lacks: &mut Vec<String>) {
    let broker = &run.world.broker;
    let servers = &run.world.servers;
    let (store, driver) = (&servers.primary().partitions, &servers.driver);
    let marks = driver.now(store.marks(&[partition])).unwrap_or_default();
    let outbox = driver.now(store.outbox(partition)).unwrap_or_default();
    let Some(mark) = marks.first() else {
        lacks.push(format!("partition {partition} has no mark"));
        return;
    };
    if !mark.built {
        lacks.push(format!("partition {partition} is not built"));
    }
    let end = broker.end(Log::Commands, partition);
    if mark.applied != end {
        lacks.push(format!(
            "partition {partition}: {} of {end} applied",
            mark.applied
        ));
    }
    if !outbox.is_empty() {
        lacks.push(format!(
            "partition {partition}: {} in the outbox",
            outbox.len()
        ));
    }
    for log in [Log::Commands, Log::Events] {
        let end = broker.end(log, partition);
        for (group, committed) in broker.committed(log, partition) {
            if committed != end {
                lacks.push(format!(
                    "partition {partition}: {group} has committed {committed} of {end}"
                ));
            }
        }
    }
}

fn views(run: &Run, lacks: &mut Vec<String>) {
    let servers = &run.world.servers;
    let dialogs = dialogs(run);
    for device in run.people.devices() {
        if !device.is_connected() {
            lacks.push(format!("{:?} is not connected", device.who));
        }
        if !device.is_settled() {
            lacks.push(format!("{:?} waits for outcomes", device.who));
        }
        for dialog in device.not_shown(&dialogs) {
            lacks.push(format!("{:?} is not shown dialog {dialog}", device.who));
        }
        let followed = device.streams.iter().filter(|(_, seen)| !seen.left);
        let (streams, seen): (Vec<StreamId>, Vec<_>) = followed
            .map(|(stream, seen)| (stream.clone(), *seen))
            .unzip();
        let heads = servers.primary().streams.heads(&streams);
        let heads = servers.driver.now(heads).unwrap_or_default();
        if heads.len() != streams.len() {
            lacks.push("the store does not tell its heads".to_owned());
        }
        for ((stream, seen), head) in streams.iter().zip(seen).zip(heads) {
            if seen.at != head && !has_left(run, stream, (head, seen.at)) {
                lacks.push(format!(
                    "{:?} has {} of {} events of {stream}",
                    device.who, seen.at.seq, head.seq
                ));
            }
        }
    }
}

/// Whether the stream is not in the live view any more, and the archive has it up to just there.
fn has_left(run: &Run, stream: &StreamId, (head, seen): (Position, Position)) -> bool {
    let before = Seq(seen.seq.0.saturating_sub(1));
    let (archive, driver) = (&run.world.behind.archive, &run.world.servers.driver);
    head == Position::default()
        && driver.now(archive.covered(stream)) == Some(seen.seq)
        && driver
            .now(archive.read(stream, before, 1))
            .is_some_and(|page| page.upto() == seen)
}

/// All dialogs of the people, as the store has them: also those that nobody was shown.
fn dialogs(run: &Run) -> BTreeMap<DialogId, DialogView> {
    let mut ids: BTreeSet<DialogId> = BTreeSet::new();
    let mut customers = BTreeSet::new();
    for device in run.people.devices() {
        ids.extend(device.dialogs.keys());
        if let Who::Customer(customer) = &device.who {
            customers.insert(customer);
        }
    }
    for customer in customers {
        let opened = events(run, StreamId::Customer(customer.clone()));
        ids.extend(opened.into_iter().filter_map(|event| match event {
            Event::Customer(CustomerEvent::DialogOpened { dialog }) => Some(dialog),
            _ => None,
        }));
    }
    let views = ids.into_iter().filter_map(|id| {
        let mut view = None;
        for event in events(run, StreamId::Dialog(id)) {
            let Event::Dialog(event) = &event else {
                continue;
            };
            if let DialogEvent::Opened { customer, .. } = event {
                view = Some(DialogView::new(customer.clone()));
            }
            if let Some(view) = &mut view {
                view.apply(event);
            }
        }
        view.map(|view| (id, view))
    });
    views.collect()
}

/// What the store has of a stream.
fn events(run: &Run, stream: StreamId) -> Vec<Event<Sealed>> {
    let servers = &run.world.servers;
    let range = ReadRange {
        stream,
        after: Seq(0),
        upto: Seq(u64::MAX),
        limit: usize::MAX,
    };
    let page = servers.driver.now(servers.primary().streams.read(range));
    let events = page.into_iter().flat_map(|page| page.events);
    events.map(|event| event.event).collect()
}

/// Runs a future of its own, whose time is nobody's.
pub(super) fn on_its_own<T>(act: impl Future<Output = T>) -> Result<T> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|e| Error::new(ErrorKind::Internal, "end a run").with_source(e))?;
    Ok(runtime.block_on(act))
}
