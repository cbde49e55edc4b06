//! What a [`StreamStore`](crate::store::StreamStore) promises.

use super::samples::{LONG, Writer, dialog, node};
use crate::{
    error::ErrorKind,
    ids::{Node, Participant, Partition, Seq, StreamId},
    ports::Ports,
    record::Position,
    store::{Follow, FollowFrom, Followed, Page, ReadRange, Segment},
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
        let saved = ports
            .partitions
            .save(vec![batch])
            .await
            .unwrap()
            .remove(0)
            .unwrap();
        assert!(saved.routes.contains_key(&writer.stream()));
    }
    let followed = follow(&ports, &writer, &here, FollowFrom::Tail(0)).await;
    let cursor = &followed.cursors[0];
    assert_eq!(
        (followed.cursors.len(), cursor.delivered, cursor.read),
        (1, Seq(3), Seq(3))
    );
}

/// What has left the live view is read from the archive.
pub async fn a_stream_that_was_forgotten_is_read_from_the_archive(ports: Ports) {
    let mut writer = Writer::own(&ports, P0).await;
    let batch = writer.batch(&["a", "b", "c"]);
    let appended: Vec<_> = batch
        .decisions
        .iter()
        .flat_map(|d| &d.decision.appended)
        .collect();
    let segment = Segment {
        stream: writer.stream(),
        after: Position::default(),
        events: appended.iter().flat_map(|a| a.events.clone()).collect(),
    };
    ports
        .partitions
        .save(vec![batch])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    ports.archive.put(segment).await.unwrap();
    let mut forget = writer.batch(&[]);
    forget.forget.push(writer.stream());
    ports
        .partitions
        .save(vec![forget])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(
        seqs(&read(&ports, writer.stream(), 1, u64::MAX, 10).await),
        [2, 3]
    );
}
