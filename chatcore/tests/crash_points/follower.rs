//! A node that follows every stream: what it is handed, frame by frame.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use chatcore::{
    error::ErrorKind,
    ids::{Seq, StreamId, Target},
    record::{self, CommandId},
    routing::{Inbox, InboxEvent, NodeFrame},
    store::{Follow, FollowFrom},
};
use futures_util::FutureExt;

use crate::{script, world::World};

/// By whom it was written to, and its name.
pub(crate) type Replies = BTreeMap<(Target, CommandId), BTreeSet<String>>;

pub(crate) struct Follower {
    world: Arc<World>,
    inbox: Box<dyn Inbox>,
    is_following: bool,
    /// The events that came in frames.
    pub(crate) seen: BTreeMap<StreamId, BTreeMap<Seq, Bytes>>,
    /// Events that came twice and differed.
    pub(crate) contradictions: Vec<String>,
    /// What authors heard.
    pub(crate) replies: Replies,
}

/// All streams of the script.
pub(crate) fn streams() -> Vec<StreamId> {
    let (Target::Customer(customer), Target::Desk(desk)) = (script::anna(), script::desk()) else {
        unreachable!()
    };
    vec![
        StreamId::Dialog(script::dialog(0)),
        StreamId::Dialog(script::dialog(1)),
        StreamId::Dialog(script::dialog(2)),
        StreamId::Customer(customer),
        StreamId::Board(desk),
    ]
}

impl Follower {
    pub(crate) async fn new(world: &Arc<World>) -> Self {
        let inbox = world.ports.inbox.receive(&script::node()).await.unwrap();
        Self {
            world: world.clone(),
            inbox,
            is_following: false,
            seen: BTreeMap::new(),
            contradictions: Vec::new(),
            replies: BTreeMap::new(),
        }
    }

    /// The store has lost the routes and the lease.
    pub(crate) fn was_forgotten(&mut self) {
        self.is_following = false;
    }

    /// Follows, if it does not, and reads its inbox. Answers whether it follows.
    pub(crate) async fn work(&mut self) -> bool {
        if !self.is_following {
            self.is_following = self.follow().await;
        }
        while let Some(event) = self.inbox.next().now_or_never() {
            if let InboxEvent::Frame(frame) = event.unwrap() {
                self.take(&frame);
            }
        }
        self.is_following
    }

    async fn follow(&mut self) -> bool {
        let node = script::node();
        let ttl = Duration::from_secs(1_000_000);
        self.world.ports.leases.open(&node, ttl).await.unwrap();
        for stream in streams() {
            let follow = Follow {
                stream,
                node: node.clone(),
                from: FollowFrom::Tail(0),
                limit: 1,
            };
            match self.world.ports.streams.follow(follow).await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Rebuilding => return false,
                Err(error) => panic!("{error}"),
            }
        }
        true
    }

    fn take(&mut self, frame: &NodeFrame) {
        match frame {
            NodeFrame::Events(appended) => {
                for event in &appended.events {
                    let bytes = record::encode(event).unwrap();
                    let seen = self.seen.entry(appended.stream.clone()).or_default();
                    let known = seen.entry(event.seq).or_insert_with(|| bytes.clone());
                    if *known != bytes {
                        let text = format!("{} {}", appended.stream, event.seq);
                        self.contradictions.push(text);
                    }
                }
            }
            NodeFrame::Reply {
                target, id, reply, ..
            } => {
                let heard = self
                    .replies
                    .entry((target.clone(), id.clone()))
                    .or_default();
                heard.insert(format!("{reply:?}"));
            }
            NodeFrame::Cursors { .. }
            | NodeFrame::Typing { .. }
            | NodeFrame::CustomerHere { .. }
            | NodeFrame::AskHere { .. } => {}
        }
    }
}
