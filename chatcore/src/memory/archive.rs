//! The archive in process.

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;

use super::lock;
use crate::{
    content::Sealed,
    error::Result,
    ids::{Seq, StreamId},
    record::{Position, StreamEvent},
    store::{Archive, Page, Segment},
};

/// An [`Archive`] in process.
#[derive(Debug, Default)]
pub struct MemoryArchive {
    streams: Mutex<BTreeMap<StreamId, BTreeMap<Seq, StreamEvent<Sealed>>>>,
}

#[async_trait]
impl Archive for MemoryArchive {
    async fn put(&self, segment: Segment) -> Result<()> {
        let mut streams = lock(&self.streams);
        let events = streams.entry(segment.stream).or_default();
        events.extend(segment.events.into_iter().map(|event| (event.seq, event)));
        Ok(())
    }

    async fn read(&self, stream: &StreamId, after: Seq, limit: usize) -> Result<Page> {
        let streams = lock(&self.streams);
        let events = streams.get(stream);
        let has = |seq: Seq| events.is_some_and(|e| e.contains_key(&seq));
        let last = events.and_then(|e| e.range(..=after).next_back());
        let position = last.map_or(Position::default(), |(seq, event)| Position {
            seq: *seq,
            hash: event.hash,
        });
        if after > Seq(0) && !has(after) {
            return Ok(Page {
                after: position,
                events: Vec::new(),
            });
        }
        let newer = events.into_iter().flat_map(|e| e.range(after.next()..));
        let mut next = after;
        let consecutive = newer.map(|(_, event)| event.clone()).take_while(|event| {
            next = next.next();
            event.seq == next
        });
        let events = consecutive.take(limit).collect();
        Ok(Page {
            after: position,
            events,
        })
    }

    async fn covered(&self, stream: &StreamId) -> Result<Seq> {
        let streams = lock(&self.streams);
        let mut covered = Seq(0);
        for seq in streams.get(stream).into_iter().flat_map(BTreeMap::keys) {
            if *seq != covered.next() {
                break;
            }
            covered = *seq;
        }
        Ok(covered)
    }
}
