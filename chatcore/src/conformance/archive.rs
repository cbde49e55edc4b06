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
