//! The way between nodes: frames are dropped, come twice, late and in another order.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures_util::FutureExt;

use super::{
    clock::WorldTime,
    fired::{Fired, Kind},
    link::Link,
    rng::Rng,
};
use crate::{
    error::{Error, ErrorKind, Result},
    ids::{Node, NodeId},
    memory::MemoryInboxes,
    routing::{Inbox, NodeFrame, NodeInbox},
};

/// The longest delay of a frame that comes late.
const DELAY_MAX_MS: u64 = 400;

/// What happens to frames on their way, each in so many of a thousand cases.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weather {
    pub(super) dropped: u64,
    pub(super) repeated: u64,
    pub(super) delayed: u64,
}

/// What is between all nodes.
pub(super) struct Post {
    boxes: MemoryInboxes,
    time: Arc<WorldTime>,
    fired: Arc<Fired>,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    weather: Weather,
    links: BTreeMap<NodeId, Arc<Link>>,
    late: BTreeMap<(i64, u64), (Node, Arc<NodeFrame>)>,
    next: u64,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").finish_non_exhaustive()
    }
}

impl Post {
    pub(super) fn new(rng: Rng, time: Arc<WorldTime>, fired: Arc<Fired>) -> Self {
        Self {
            boxes: MemoryInboxes::default(),
            time,
            fired,
            state: Mutex::new(State {
                rng,
                weather: Weather::default(),
                links: BTreeMap::new(),
                late: BTreeMap::new(),
                next: 0,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connect(&self, node: NodeId, link: Arc<Link>) {
        self.state().links.insert(node, link);
    }

    pub(super) fn set(&self, weather: Weather) {
        self.state().weather = weather;
    }

    /// Hands out what is late and due.
    pub(super) fn flush(&self) {
        let now = self.time.passed_ms();
        loop {
            let due = {
                let mut state = self.state();
                match state.late.first_key_value() {
                    Some(((at, _), _)) if *at <= now => state.late.pop_first(),
                    _ => None,
                }
            };
            let Some((_, (to, frame))) = due else {
                return;
            };
            // To a node that is gone by now: lost.
            let _ = self.hand(&to, frame);
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state().late.is_empty()
    }

    fn hand(&self, to: &Node, frame: Arc<NodeFrame>) -> Result<()> {
        // In process it takes no time.
        let sent = self.boxes.send(to, vec![frame]).now_or_never();
        sent.unwrap_or_else(|| Err(Error::new(ErrorKind::Overloaded, "send to a node")))
    }

    fn send(&self, to: &Node, frame: Arc<NodeFrame>) -> Result<()> {
        let mut state = self.state();
        let State { rng, weather, .. } = &mut *state;
        let copies = if rng.permille(weather.dropped) {
            self.fired.count(Kind::FrameDropped);
            0
        } else if rng.permille(weather.repeated) {
            self.fired.count(Kind::FrameRepeated);
            2
        } else {
            1
        };
        let mut at_once = 0;
        for _ in 0..copies {
            let delayed = state.weather.delayed;
            if state.rng.permille(delayed) {
                self.fired.count(Kind::FrameDelayed);
                let delay = 1 + state.rng.below(DELAY_MAX_MS);
                let due = self.time.passed_ms() + i64::try_from(delay).unwrap_or(0);
                state.next += 1;
                let key = (due, state.next);
                state.late.insert(key, (to.clone(), Arc::clone(&frame)));
            } else {
                at_once += 1;
            }
        }
        // Who receives at all is known even when nothing arrives now.
        drop(state);
        for _ in 0..at_once {
            self.hand(to, Arc::clone(&frame))?;
        }
        Ok(())
    }
}

/// The inboxes as one node has them.
#[derive(Debug)]
pub(super) struct NodePost {
    pub(super) post: Arc<Post>,
    pub(super) link: Arc<Link>,
}

#[async_trait]
impl NodeInbox for NodePost {
    async fn send(&self, node: &Node, frames: Vec<Arc<NodeFrame>>) -> Result<()> {
        let theirs = self.post.state().links.get(&node.id).cloned();
        if theirs.is_some_and(|link| link.is_cut() && !link.lets_through()) {
            // Gone on its way: nobody is told.
            return Ok(());
        }
        let send = async {
            for frame in frames {
                self.post.send(node, frame)?;
            }
            Ok(())
        };
        self.link.pass("send to a node", send).await
    }

    async fn receive(&self, node: &Node) -> Result<Box<dyn Inbox>> {
        let receive = async { self.post.boxes.receive(node).await };
        self.link.pass("receive frames", receive).await
    }
}
