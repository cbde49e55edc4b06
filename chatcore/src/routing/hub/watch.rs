//! What is known of a customer's presence by those who look at a dialog of theirs. Pure.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{clock::Timestamp, ids::Node, routing::frame::CustomerPresence};

/// How long "here" holds without being said again. Two asks in a row may be lost.
pub(super) const HERE_FOR: Duration = Duration::from_secs(50);
/// Nobody is away who comes back within this time: a reload of the page, a change of the node.
pub(super) const AWAY_AFTER: Duration = Duration::from_secs(5);
/// Most nodes that are remembered of one customer.
const NODES_MAX: usize = 32;

/// What a node said of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// Grows with each word of that node: what was overtaken on the way does not count.
    pub(super) order: u64,
    /// Whether the customer has a session there.
    pub(super) here: bool,
    /// When, by that node's clock.
    pub(super) at: Timestamp,
}

#[derive(Debug)]
struct Heard {
    said: Said,
    at: Instant,
}

/// A dialog that staff of this node looks at.
#[derive(Debug)]
pub(super) struct Watch {
    /// This node itself: what it says needs not be said again.
    own: Node,
    heard: BTreeMap<Node, Heard>,
    /// Since when nobody says that the customer is here.
    absent_from: Option<Instant>,
    /// When the last of their sessions went, if that was told.
    away_since: Option<Timestamp>,
    told: Option<CustomerPresence>,
    pub(super) asked_at: Instant,
}

impl Watch {
    pub(super) fn new(own: Node, now: Instant) -> Self {
        Self {
            own,
            heard: BTreeMap::new(),
            absent_from: Some(now),
            away_since: None,
            told: None,
            asked_at: now,
        }
    }

    /// What was told last.
    pub(super) fn told(&self) -> Option<CustomerPresence> {
        self.told
    }

    /// A node said something of the customer.
    pub(super) fn hear(&mut self, node: &Node, said: Said, now: Instant) {
        let known = self.heard.get(node).map(|heard| heard.said.order);
        if known.is_some_and(|order| order > said.order)
            || (known.is_none() && self.heard.len() >= NODES_MAX)
        {
            return;
        }
        if !said.here {
            self.away_since = self.away_since.max(Some(said.at));
        }
        self.heard.insert(node.clone(), Heard { said, at: now });
    }

    /// How it is now, when that is news. Forgets what was heard too long ago.
    pub(super) fn judge(&mut self, now: Instant) -> Option<CustomerPresence> {
        let Self {
            own,
            heard,
            away_since,
            ..
        } = self;
        heard.retain(|node, heard| {
            let lapsed = node != own && now - heard.at >= HERE_FOR;
            if lapsed && heard.said.here {
                *away_since = (*away_since).max(Some(heard.said.at));
            }
            !lapsed
        });
        let next = if self.heard.values().any(|heard| heard.said.here) {
            self.absent_from = None;
            CustomerPresence::Here
        } else {
            let from = *self.absent_from.get_or_insert(now);
            if now - from < AWAY_AFTER {
                return None;
            }
            CustomerPresence::Away {
                since: self.away_since,
            }
        };
        if self.told == Some(next) {
            return None;
        }
        self.told = Some(next);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{NodeEpoch, NodeId};

    const SECOND: Duration = Duration::from_secs(1);

    fn node(id: &str) -> Node {
        Node {
            id: NodeId::try_new(id).unwrap(),
            epoch: NodeEpoch(1),
        }
    }

    fn said(order: u64, here: bool, at: i64) -> Said {
        let at = Timestamp(at);
        Said { order, here, at }
    }

    fn away(since: Option<i64>) -> CustomerPresence {
        let since = since.map(Timestamp);
        CustomerPresence::Away { since }
    }

    fn watch() -> (Watch, Instant) {
        let now = Instant::now();
        (Watch::new(node("own"), now), now)
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_away_before_others_had_time_to_say_so() {
        let (mut watch, now) = watch();
        assert_eq!(watch.judge(now + SECOND), None);
        assert_eq!(watch.judge(now + AWAY_AFTER), Some(away(None)));
        assert_eq!(watch.judge(now + AWAY_AFTER + SECOND), None, "no news");
    }

    #[tokio::test(start_paused = true)]
    async fn here_is_told_at_once_and_away_only_when_it_lasts() {
        let (mut watch, now) = watch();
        watch.hear(&node("a"), said(1, true, 100), now);
        assert_eq!(watch.judge(now), Some(CustomerPresence::Here));
        watch.hear(&node("a"), said(2, false, 200), now);
        assert_eq!(watch.judge(now), None);
        watch.hear(&node("b"), said(7, true, 210), now + SECOND);
        assert_eq!(
            watch.judge(now + AWAY_AFTER),
            None,
            "they went on elsewhere"
        );
        let later = now + 10 * SECOND;
        watch.hear(&node("b"), said(8, false, 300), later);
        assert_eq!(watch.judge(later), None);
        let told = watch.judge(later + AWAY_AFTER);
        assert_eq!(told, Some(away(Some(300))));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_overtaken_does_not_count() {
        let (mut watch, now) = watch();
        watch.hear(&node("a"), said(2, false, 200), now);
        watch.hear(&node("a"), said(1, true, 100), now);
        assert_eq!(watch.judge(now + AWAY_AFTER), Some(away(Some(200))));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_dead_node_said_lapses_and_what_this_one_says_does_not() {
        let (mut watch, now) = watch();
        watch.hear(&node("a"), said(1, true, 100), now);
        assert_eq!(watch.judge(now), Some(CustomerPresence::Here));
        assert_eq!(watch.judge(now + HERE_FOR - SECOND), None);
        assert_eq!(watch.judge(now + HERE_FOR), None, "it may be on its way");
        let told = watch.judge(now + HERE_FOR + AWAY_AFTER);
        assert_eq!(told, Some(away(Some(100))));

        let (mut watch, now) = self::watch();
        watch.hear(&node("own"), said(1, true, 100), now);
        assert_eq!(watch.judge(now), Some(CustomerPresence::Here));
        assert_eq!(watch.judge(now + 10 * HERE_FOR), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_nodes_are_remembered_than_the_bound() {
        let (mut watch, now) = watch();
        for n in 0..100 {
            watch.hear(&node(&format!("n{n}")), said(1, true, n), now);
        }
        assert_eq!(watch.heard.len(), NODES_MAX);
    }
}
