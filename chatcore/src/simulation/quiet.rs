//! What is still missing before a run has come to rest: all lags zero, all views equal.

use std::collections::BTreeMap;

use tokio::runtime::Builder;

use super::{
    run::{Run, at_once},
    world::PARTITIONS,
};
use crate::{
    dialog::DialogEvent,
    error::{Error, ErrorKind, Result},
    ids::{DialogId, Partition, Seq, StreamId},
    journal::Log,
    record::{Event, Position},
    routing::DialogView,
    store::{Archive, PartitionStore, ReadRange, StreamStore},
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
    let store = &run.world.servers.primary().store;
    let marks = at_once(store.marks(&[partition])).unwrap_or_default();
    let outbox = at_once(store.outbox(partition)).unwrap_or_default();
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
    let store = &run.world.servers.primary().store;
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
        let heads = at_once(store.heads(&streams)).unwrap_or_default();
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
    let archive = &run.world.archive;
    head == Position::default()
        && at_once(archive.covered(stream)) == Some(seen.seq)
        && at_once(archive.read(stream, before, 1)).is_some_and(|page| page.upto() == seen)
}

/// All dialogs as the store has them.
fn dialogs(run: &Run) -> BTreeMap<DialogId, DialogView> {
    let store = &run.world.servers.primary().store;
    let mut dialogs = BTreeMap::new();
    for device in run.people.devices() {
        for id in device.dialogs.keys() {
            if dialogs.contains_key(id) {
                continue;
            }
            let range = ReadRange {
                stream: StreamId::Dialog(*id),
                after: Seq(0),
                upto: Seq(u64::MAX),
                limit: usize::MAX,
            };
            let page = at_once(StreamStore::read(&**store, range));
            let mut view = None;
            for event in page.into_iter().flat_map(|page| page.events) {
                if let Event::Dialog(event) = &event.event {
                    if let DialogEvent::Opened { customer, .. } = event {
                        view = Some(DialogView::new(customer.clone()));
                    }
                    if let Some(view) = &mut view {
                        view.apply(event);
                    }
                }
            }
            dialogs.extend(view.map(|view| (*id, view)));
        }
    }
    dialogs
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
