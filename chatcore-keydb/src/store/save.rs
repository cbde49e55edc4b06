//! A partition's batch as the arguments of its script.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::{StreamId, Target},
    record::{Access, Appended, Position, encode},
    store::{PartitionBatch, Saved},
};
use redis::{Cmd, Value};

use super::{mark, texts};
use crate::{keys::PartitionKeys, reply::Reply, script};

pub(super) const SAVE: &str = "save a batch";

/// What a batch appends to one stream.
struct Append<'a> {
    before: Position,
    after: Position,
    access: &'a Access,
    events: Vec<Bytes>,
}

/// The keys of a call: the partition's own, and the lists that this batch touches.
struct Lists {
    keys: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Lists {
    fn new(keys: &PartitionKeys) -> Self {
        let own = [
            &keys.view,
            &keys.routes,
            &keys.cursors,
            &keys.snapshots,
            &keys.tails,
            &keys.outbox,
            &keys.due,
            &keys.due_lines,
        ];
        Self {
            keys: own.into_iter().cloned().collect(),
            places: BTreeMap::new(),
        }
    }

    /// The place of a key among all, from 1.
    fn place(&mut self, key: String) -> usize {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        self.keys.push(key.clone());
        let place = self.keys.len();
        self.places.insert(key, place);
        place
    }
}

/// One entry of a list: bytes of any kind.
type Arguments = Vec<Bytes>;

fn push(arguments: &mut Arguments, value: impl ToString) {
    arguments.push(Bytes::from(value.to_string()));
}

/// A batch's call, and the streams whose routes it answers.
#[derive(Debug)]
pub(super) struct SaveCall {
    pub(super) call: Cmd,
    wanted: Vec<StreamId>,
}

impl SaveCall {
    /// Fails on a batch whose own parts do not follow one another.
    pub(super) fn new(keys: &PartitionKeys, batch: &PartitionBatch) -> Result<Self> {
        let appends = appends(batch)?;
        let mut lists = Lists::new(keys);
        let mut arguments = Arguments::new();
        for value in [batch.fence.0, batch.incarnation.0, batch.expected.0] {
            push(&mut arguments, value);
        }
        let fields = mark::after(batch)?;
        push(&mut arguments, fields.len());
        for (field, value) in fields {
            arguments.push(Bytes::from(field));
            arguments.push(value);
        }
        push(&mut arguments, appends.len());
        for (stream, append) in &appends {
            push(&mut arguments, stream);
            push(&mut arguments, lists.place(keys.events(stream)));
            push(&mut arguments, texts::position(append.before));
            push(&mut arguments, texts::position(append.after));
            arguments.push(encode(append.access)?);
            push(&mut arguments, append.events.len());
            arguments.extend(append.events.iter().cloned());
        }
        write_states(keys, batch, &mut lists, &mut arguments);
        write_due(batch, &mut arguments)?;
        let moved = write_cursors(batch, &mut arguments);
        push(&mut arguments, batch.forget.len());
        for stream in &batch.forget {
            push(&mut arguments, stream);
            push(&mut arguments, lists.place(keys.events(stream)));
            match stream {
                StreamId::Dialog(dialog) => push(&mut arguments, dialog),
                _ => arguments.push(Bytes::new()),
            }
        }
        let forgotten: BTreeSet<&StreamId> = batch.forget.iter().collect();
        let wanted: BTreeSet<&StreamId> = appends.keys().copied().chain(&moved).collect();
        let wanted: Vec<StreamId> = wanted.difference(&forgotten).copied().cloned().collect();
        for stream in &wanted {
            push(&mut arguments, stream);
        }
        let mut call = script::SAVE.call(lists.keys.iter().map(String::as_str));
        for argument in &arguments {
            call.arg(argument.as_ref());
        }
        Ok(Self { call, wanted })
    }

    /// What the script answered.
    pub(super) fn read(self, batch: &PartitionBatch, answer: Value) -> Result<Saved> {
        let mut reply = Reply::new(SAVE, answer)?;
        match reply.text()?.as_str() {
            "saved" => {}
            "conflict" => {
                let (which, stored) = (reply.text()?, reply.text()?);
                return Err(Error::new(ErrorKind::Conflict, SAVE)
                    .with_context("partition", batch.partition)
                    .with_context("differs", which)
                    .with_context("stored", stored));
            }
            "gap" => return Err(gap(reply.text()?)),
            _ => return Err(texts::corrupt(SAVE, "another answer than the script's")),
        }
        let mut saved = Saved::default();
        for stream in self.wanted {
            let nodes = match reply.left() {
                // Lua cuts off what is nil at the end.
                0 => None,
                _ => reply.bytes()?,
            };
            if let Some(nodes) = nodes {
                saved
                    .routes
                    .insert(stream, texts::parse_nodes(SAVE, &nodes)?);
            }
        }
        Ok(saved)
    }
}

fn gap(stream: impl std::fmt::Display) -> Error {
    texts::corrupt(SAVE, "events that do not follow the stored ones").with_context("stream", stream)
}

/// What all decisions append, by stream.
fn appends(batch: &PartitionBatch) -> Result<BTreeMap<&StreamId, Append<'_>>> {
    let mut all: BTreeMap<&StreamId, Append<'_>> = BTreeMap::new();
    for appended in batch.decisions.iter().flat_map(|d| &d.decision.appended) {
        let Appended {
            stream,
            after,
            events,
            access,
        } = appended;
        let append = all.entry(stream).or_insert(Append {
            before: *after,
            after: *after,
            access,
            events: Vec::new(),
        });
        if append.after != *after {
            return Err(gap(stream));
        }
        append.after = appended.upto();
        append.access = access;
        for event in events {
            append.events.push(encode(event)?);
        }
    }
    Ok(all)
}

/// Decisions and snapshots.
fn write_states(
    keys: &PartitionKeys,
    batch: &PartitionBatch,
    lists: &mut Lists,
    arguments: &mut Arguments,
) {
    let replaced: BTreeSet<&Target> = batch.snapshots.iter().map(|(t, _)| t).collect();
    push(arguments, batch.decisions.len());
    for stored in &batch.decisions {
        let target = &stored.decision.target;
        push(arguments, target);
        match replaced.contains(target) {
            true => push(arguments, 0),
            false => push(arguments, lists.place(keys.tail(target))),
        }
        push(arguments, stored.decision.cause);
        arguments.push(stored.bytes.clone());
    }
    push(arguments, batch.snapshots.len());
    for (target, bytes) in &batch.snapshots {
        push(arguments, target);
        push(arguments, lists.place(keys.tail(target)));
        arguments.push(bytes.clone());
    }
}

fn write_due(batch: &PartitionBatch, arguments: &mut Arguments) -> Result<()> {
    push(arguments, batch.due.len());
    for (target, lines) in &batch.due {
        push(arguments, target);
        match lines.iter().map(|line| line.at.0).min() {
            Some(earliest) => push(arguments, earliest),
            None => arguments.push(Bytes::new()),
        }
        arguments.push(encode(lines)?);
    }
    Ok(())
}

/// Answers the streams whose cursors moved.
fn write_cursors(batch: &PartitionBatch, arguments: &mut Arguments) -> Vec<StreamId> {
    let mut moved: BTreeMap<StreamId, String> = BTreeMap::new();
    for cursor in batch.decisions.iter().flat_map(|d| &d.decision.cursors) {
        let lines = moved.entry(StreamId::Dialog(cursor.dialog)).or_default();
        let who = texts::participant(&cursor.participant);
        lines.push_str(&format!("{who} {} {}\n", cursor.delivered, cursor.read));
    }
    push(arguments, moved.len());
    for (stream, lines) in &moved {
        if let StreamId::Dialog(dialog) = stream {
            push(arguments, dialog);
        }
        push(arguments, lines);
    }
    moved.into_keys().collect()
}
