//! What a [`StreamStore`](crate::store::StreamStore) promises.

use super::samples::{LONG, Writer, dialog, node};
use crate::{
    error::ErrorKind,
    ids::{DeskId, Node, Participant, Partition, Seq, StreamId},
    ports::Ports,
    record::Position,
    store::{Follow, FollowFrom, Followed, Page, PartitionBatch, ReadRange, Segment},
};

const P0: Partition = Partition(0);

fn seqs(page: &Page) -> Vec<u64> {
    page.events.iter().map(|e| e.seq.0).collect()
}

async fn read(ports: &Ports, stream: StreamId, after: u64, upto: u64, limit: usize) -> Page {
    let range = ReadRange {
        stream,
        after: Seq(after),
        upto: Seq(upto),
        limit,
    };
    ports.streams.read(range).await.unwrap()
}

async fn follow(ports: &Ports, writer: &Writer, node: &Node, from: FollowFrom) -> Followed {
    let follow = Follow {
        stream: writer.stream(),
        node: node.clone(),
        from,
        limit: 3,
    };
    ports.streams.follow(follow).await.unwrap()
}

/// Pages join, whatever their size, and carry the hashes of the chain.
pub async fn what_is_saved_is_read_back_in_pages(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    writer.save(&ports, &["a", "b", "c"]).await;
    writer.save(&ports, &["d", "e"]).await;
    let mut at = Position::default();
    for expected in [vec![1, 2], vec![3, 4], vec![5]] {
        let page = read(&ports, writer.stream(), at.seq.0, u64::MAX, 2).await;
        assert_eq!(page.after, at);
        assert_eq!(seqs(&page), expected);
        at = page.upto();
    }
    assert_eq!(at, writer.head);
    assert_eq!(seqs(&read(&ports, writer.stream(), 1, 3, 10).await), [2, 3]);
    assert!(
        read(&ports, writer.stream(), 5, u64::MAX, 10)
            .await
            .events
            .is_empty()
    );
    assert_eq!(
        ports.streams.heads(&[writer.stream()]).await.unwrap(),
        [writer.head]
    );
}

/// Following gives what came before; from then on saves name the route.
pub async fn following_reads_what_came_before_and_a_save_sees_the_route_after(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let here = node("n1");
    ports.leases.open(&here, LONG).await.unwrap();
    assert!(writer.save(&ports, &["a"]).await.routes.is_empty());
    let followed = follow(
        &ports,
        &writer,
        &here,
        FollowFrom::After(Position::default()),
    )
    .await;
    assert_eq!(
        (seqs(&followed.page), followed.head),
        (vec![1], writer.head)
    );
    assert!(followed.access.is_some());
    let saved = writer.save(&ports, &["b"]).await;
    assert_eq!(saved.routes[&writer.stream()], vec![here.clone()]);
    assert_eq!(
        ports.streams.routes(&writer.stream()).await.unwrap(),
        [here]
    );
}

/// However follows and saves interleave, each event is in the page or its save saw the route.
pub async fn follow_and_save_are_serial(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let nodes: Vec<Node> = (0..20).map(|i| node(&format!("n{i}"))).collect();
    for node in &nodes {
        ports.leases.open(node, LONG).await.unwrap();
    }
    let stream = writer.stream();
    let saves = async {
        let mut routes = Vec::new();
        for i in 0..40 {
            let saved = writer.save(&ports, &[&format!("m{i}")]).await;
            routes.push(saved.routes.get(&stream).cloned().unwrap_or_default());
            tokio::task::yield_now().await;
        }
        routes
    };
    let follows = async {
        let mut heads = Vec::new();
        for node in &nodes {
            let follow = Follow {
                stream: stream.clone(),
                node: node.clone(),
                from: FollowFrom::Tail(0),
                limit: 1,
            };
            heads.push(ports.streams.follow(follow).await.unwrap().head.seq.0);
            tokio::task::yield_now().await;
        }
        heads
    };
    let (routes, heads) = tokio::join!(saves, follows);
    for (node, head) in nodes.iter().zip(heads) {
        for (seq, routes) in (1..).zip(&routes) {
            assert_eq!(
                routes.contains(node),
                seq > head,
                "event {seq}, head {head}"
            );
        }
    }
}

/// A tail is the newest events, oldest first.
pub async fn a_tail_gives_the_newest(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    writer.save(&ports, &["a", "b", "c", "d"]).await;
    let followed = follow(&ports, &writer, &node("n1"), FollowFrom::Tail(2)).await;
    assert_eq!(seqs(&followed.page), [3, 4]);
    let followed = follow(&ports, &writer, &node("n1"), FollowFrom::Tail(0)).await;
    assert_eq!(
        (seqs(&followed.page), followed.page.after),
        (vec![], writer.head)
    );
    let beyond = Position {
        seq: Seq(9),
        ..writer.head
    };
    let followed = follow(&ports, &writer, &node("n1"), FollowFrom::After(beyond)).await;
    assert_eq!((seqs(&followed.page), followed.head), (vec![], writer.head));
}

/// After `unfollow` the save names the node no longer; doing it twice is fine.
pub async fn an_unfollowed_stream_has_no_route(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let here = node("n1");
    ports.leases.open(&here, LONG).await.unwrap();
    follow(&ports, &writer, &here, FollowFrom::Tail(0)).await;
    for _ in 0..2 {
        ports
            .streams
            .unfollow(&writer.stream(), &here)
            .await
            .unwrap();
    }
    assert!(writer.save(&ports, &["a"]).await.routes.is_empty());
}

/// Routes of a node without a lease are void, and are back with the lease.
pub async fn a_node_without_a_lease_has_no_route(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let (here, gone) = (node("n1"), node("n2"));
    ports.leases.open(&here, LONG).await.unwrap();
    ports.leases.open(&gone, LONG).await.unwrap();
    follow(&ports, &writer, &here, FollowFrom::Tail(0)).await;
    follow(&ports, &writer, &gone, FollowFrom::Tail(0)).await;
    ports.leases.close(&gone).await.unwrap();
    assert_eq!(
        ports.streams.routes(&writer.stream()).await.unwrap(),
        vec![here.clone()]
    );
    assert!(writer.save(&ports, &["a"]).await.routes[&writer.stream()].contains(&here));
}

/// While a partition is being built nobody is told that it is empty.
pub async fn a_stream_that_is_not_built_answers_rebuilding(ports: Ports) {
    let stream = StreamId::Dialog(dialog(P0));
    let range = ReadRange {
        stream: stream.clone(),
        after: Seq(0),
        upto: Seq(u64::MAX),
        limit: 1,
    };
    let follow = Follow {
        stream: stream.clone(),
        node: node("n1"),
        from: FollowFrom::Tail(1),
        limit: 1,
    };
    let errors = [
        ports.streams.read(range).await.map(|_| ()).unwrap_err(),
        ports.streams.follow(follow).await.map(|_| ()).unwrap_err(),
        ports
            .streams
            .heads(&[stream])
            .await
            .map(|_| ())
            .unwrap_err(),
    ];
    assert!(errors.iter().all(|e| e.kind() == ErrorKind::Rebuilding));
}

/// A stream that was never written to is no error.
pub async fn an_empty_stream_has_head_zero(ports: Ports) {
    let writer = Writer::own(&ports, P0).await;
    assert_eq!(
        ports.streams.heads(&[writer.stream()]).await.unwrap(),
        [Position::default()]
    );
    let followed = follow(&ports, &writer, &node("n1"), FollowFrom::Tail(5)).await;
    assert_eq!(
        (followed.head, followed.access),
        (Position::default(), None)
    );
    assert!(
        read(&ports, writer.stream(), 0, u64::MAX, 5)
            .await
            .events
            .is_empty()
    );
}

/// The highest cursor wins; followers are told, and the save that moves one names the routes.
pub async fn cursors_only_grow(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let here = node("n1");
    ports.leases.open(&here, LONG).await.unwrap();
    writer.save(&ports, &["a", "b", "c"]).await;
    follow(&ports, &writer, &here, FollowFrom::Tail(0)).await;
    for at in [2, 3, 1] {
        let batch = writer.cursor(Participant::Bot, at);
        let saved = Writer::put(&ports, batch).await;
        assert!(saved.routes.contains_key(&writer.stream()));
    }
    let followed = follow(&ports, &writer, &here, FollowFrom::Tail(0)).await;
    let cursor = &followed.cursors[0];
    assert_eq!(
        (followed.cursors.len(), cursor.delivered, cursor.read),
        (1, Seq(3), Seq(3))
    );
}

/// What the writer wrote, in the archive.
async fn archive(ports: &Ports, batch: &PartitionBatch) {
    for appended in batch.decisions.iter().flat_map(|d| &d.decision.appended) {
        let segment = Segment {
            stream: appended.stream.clone(),
            after: appended.after,
            events: appended.events.clone(),
        };
        ports.archive.put(segment).await.unwrap();
    }
}

/// Saves these events, brings them to the archive, and lets the stream leave.
async fn leave(ports: &Ports, writer: &mut Writer, texts: &[&str]) {
    let batch = writer.batch(texts);
    archive(ports, &batch).await;
    Writer::put(ports, batch).await;
    let mut forget = writer.batch(&[]);
    forget.forget.push(writer.stream());
    Writer::put(ports, forget).await;
}

/// What has left the live view is read from the archive, with the hashes of the chain.
pub async fn a_stream_that_was_forgotten_is_read_from_the_archive(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    leave(&ports, &mut writer, &["a", "b", "c"]).await;
    let stream = writer.stream();
    let page = read(&ports, stream.clone(), 1, u64::MAX, 10).await;
    assert_eq!((seqs(&page), page.upto()), (vec![2, 3], writer.head));
    assert_eq!(seqs(&read(&ports, stream.clone(), 0, 2, 10).await), [1, 2]);
    let first = read(&ports, stream, 0, 1, 1).await;
    assert_eq!(page.after, first.upto());
}

/// A stream that has left has head 0, no cursors and no followers. Forgetting it again is fine, as
/// is forgetting one that never was.
pub async fn of_a_forgotten_stream_nothing_is_left_but_the_archive(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let here = node("n1");
    ports.leases.open(&here, LONG).await.unwrap();
    writer.save(&ports, &["a"]).await;
    Writer::put(&ports, writer.cursor(Participant::Bot, 1)).await;
    follow(&ports, &writer, &here, FollowFrom::Tail(0)).await;
    leave(&ports, &mut writer, &["b"]).await;
    let mut again = writer.batch(&[]);
    again.forget = vec![writer.stream(), StreamId::Board(DeskId::literal("none"))];
    Writer::put(&ports, again).await;

    let stream = writer.stream();
    assert_eq!(ports.streams.routes(&stream).await.unwrap(), []);
    let heads = ports.streams.heads(std::slice::from_ref(&stream)).await;
    assert_eq!(heads.unwrap(), [Position::default()]);
    let followed = follow(&ports, &writer, &here, FollowFrom::After(writer.head)).await;
    assert_eq!(
        (followed.head, followed.access),
        (Position::default(), None)
    );
    assert_eq!((followed.page.events, followed.cursors), (vec![], vec![]));
}

/// A batch may hold the last event of a stream and its leave: a rebuild saves many decisions at
/// once.
pub async fn a_stream_is_forgotten_after_the_decisions_of_its_batch(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let mut batch = writer.batch(&["a", "b"]);
    archive(&ports, &batch).await;
    batch.forget.push(writer.stream());
    Writer::put(&ports, batch).await;
    let stream = writer.stream();
    let heads = ports.streams.heads(std::slice::from_ref(&stream)).await;
    assert_eq!(heads.unwrap(), [Position::default()]);
    assert_eq!(seqs(&read(&ports, stream, 0, u64::MAX, 10).await), [1, 2]);
}

/// A stream whose beginning is in the archive and whose end is live is read page by page without
/// a hole; what neither has is an error, not an end.
pub async fn reading_across_the_archives_end_leaves_no_hole(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    leave(&ports, &mut writer, &["a", "b", "c"]).await;
    writer.save(&ports, &["d", "e"]).await;
    for limit in [1, 2, 10] {
        let mut all = Vec::new();
        let mut last = Position::default();
        while last.seq < writer.head.seq {
            let page = read(&ports, writer.stream(), last.seq.0, u64::MAX, limit).await;
            assert_eq!(page.after, last, "pages join, with pages of {limit}");
            all.extend(seqs(&page));
            last = page.upto();
        }
        assert_eq!((all, last), (vec![1, 2, 3, 4, 5], writer.head));
    }
    let mut other = Writer::own(&ports, Partition(1)).await;
    let lost = other.batch(&["a", "b"]);
    other.applied = lost.expected;
    other.save(&ports, &["c"]).await;
    let range = ReadRange {
        stream: other.stream(),
        after: Seq(0),
        upto: Seq(u64::MAX),
        limit: 10,
    };
    let read = ports.streams.read(range).await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);
}
