//! What an [`Archive`](crate::store::Archive) promises.

use super::samples::Writer;
use crate::{
    ids::{Partition, Seq},
    ports::Ports,
    record::Position,
    store::Segment,
};

async fn segments(ports: &Ports) -> Vec<Segment> {
    let mut writer = Writer::take(ports, Partition(0)).await;
    let batch = writer.batch(&["a", "b", "c", "d"]);
    let appended = batch
        .decisions
        .iter()
        .flat_map(|d| d.decision.appended.clone());
    appended
        .map(|a| Segment {
            stream: a.stream,
            after: a.after,
            events: a.events,
        })
        .collect()
}

/// Segments that come twice or overlap change nothing.
pub async fn a_segment_may_come_twice(ports: Ports) {
    let segments = segments(&ports).await;
    for segment in segments.iter().chain(&segments) {
        ports.archive.put(segment.clone()).await.unwrap();
    }
    let stream = &segments[0].stream;
    assert_eq!(ports.archive.covered(stream).await.unwrap(), Seq(4));
    let page = ports.archive.read(stream, Seq(1), 2).await.unwrap();
    let first = &segments[0].events[0];
    assert_eq!(
        page.after,
        Position {
            seq: Seq(1),
            hash: first.hash
        }
    );
    let expected: Vec<_> = segments[1..3]
        .iter()
        .flat_map(|s| s.events.clone())
        .collect();
    assert_eq!(page.events, expected);
}

/// A hole ends what is covered, until it is filled.
pub async fn a_hole_is_not_covered(ports: Ports) {
    let segments = segments(&ports).await;
    let stream = &segments[0].stream;
    assert_eq!(ports.archive.covered(stream).await.unwrap(), Seq(0));
    for i in [0, 2, 3] {
        ports.archive.put(segments[i].clone()).await.unwrap();
    }
    assert_eq!(ports.archive.covered(stream).await.unwrap(), Seq(1));
    ports.archive.put(segments[1].clone()).await.unwrap();
    assert_eq!(ports.archive.covered(stream).await.unwrap(), Seq(4));
}

/// A position past the end is not made up: the page is one after the last event that is there.
pub async fn past_the_end_there_is_no_position(ports: Ports) {
    let segments = segments(&ports).await;
    let stream = &segments[0].stream;
    let nothing = ports.archive.read(stream, Seq(3), 2).await.unwrap();
    assert_eq!(nothing.after, Position::default(), "nothing is there");
    assert!(nothing.events.is_empty());
    for segment in &segments[..2] {
        ports.archive.put(segment.clone()).await.unwrap();
    }
    let end = segments[1].events[0].clone();
    let end = Position {
        seq: end.seq,
        hash: end.hash,
    };
    for after in [2, 3, 9] {
        let page = ports.archive.read(stream, Seq(after), 2).await.unwrap();
        assert_eq!((page.after, page.events.len()), (end, 0), "after {after}");
    }
}
