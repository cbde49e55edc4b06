//! Whether customers are here, for staff who look at a dialog of theirs.
//!
//! Nothing of it is journaled or stored. A node says it along the dialog's routes when the first
//! session of the customer follows the dialog there, and when the last one goes. Nodes where
//! staff looks at the dialog ask along the same routes when that begins, and again and again: so
//! that a word that was lost is said again, and what a node said that died lapses.
//! See `docs/adr/0015-presence-of-customers.md`.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Hub, State,
    signals::Signal,
    watch::{Said, Watch},
};
use crate::{
    identity::Who,
    ids::{DialogId, Node, SessionId, StreamId},
    record::Access,
    routing::{
        access::{Sight, sight},
        frame::{CustomerPresence, NodeFrame},
        mailbox::Item,
    },
};

/// How often is asked again whether the customer is here.
const ASK_EVERY: Duration = Duration::from_secs(20);
/// Words of each kind that wait to be sent; more are dropped, and asked for again.
const WORDS_MAX: usize = 1_024;

/// The presence of customers, as a node knows it and tells it.
#[derive(Debug, Default)]
pub(super) struct Customers {
    /// Dialogs that staff of this node looks at.
    watched: HashMap<DialogId, Watch>,
    /// Dialogs whose customer has a session here.
    here: HashSet<DialogId>,
    /// The words of this node are counted.
    order: u64,
    tell: BTreeSet<DialogId>,
    ask: BTreeSet<DialogId>,
    answer: BTreeSet<(DialogId, Node)>,
}

impl Customers {
    /// What is to be sent next.
    pub(super) fn next_signal(&mut self) -> Option<Signal> {
        if let Some((dialog, node)) = self.answer.pop_first() {
            return Some(Signal::AnswerHere(dialog, node));
        }
        if let Some(dialog) = self.tell.pop_first() {
            return Some(Signal::TellHere(dialog));
        }
        self.ask.pop_first().map(Signal::AskHere)
    }

    fn say(&mut self, dialog: DialogId, at: crate::clock::Timestamp) -> Said {
        self.order += 1;
        Said {
            order: self.order,
            here: self.here.contains(&dialog),
            at,
        }
    }
}

fn put<T: Ord>(waiting: &mut BTreeSet<T>, one: T) {
    if waiting.len() < WORDS_MAX {
        waiting.insert(one);
    }
}

impl State {
    /// Whether a session here is of the customer whose dialog it is, and follows it. One that
    /// only asked for it does not count.
    fn has_customer(&self, dialog: DialogId) -> bool {
        let Some(joined) = self.streams.get(&StreamId::Dialog(dialog)) else {
            return false;
        };
        let Some(customer) = &joined.customer else {
            return false;
        };
        joined.sessions.keys().any(|session| {
            let entry = self.sessions.get(session);
            entry.is_some_and(|e| matches!(&e.identity.who, Who::Customer(id) if id == customer))
        })
    }

    fn has_staff(&self, dialog: DialogId) -> bool {
        let joined = self.streams.get(&StreamId::Dialog(dialog));
        joined.is_some_and(|joined| {
            joined.sessions.keys().any(|session| {
                let entry = self.sessions.get(session);
                entry.is_some_and(|e| matches!(e.identity.who, Who::Staff { .. }))
            })
        })
    }

    /// Gives what is news to the staff who looks at the dialog.
    fn show_presence(&self, dialog: DialogId, presence: CustomerPresence) {
        let Some(joined) = self.streams.get(&StreamId::Dialog(dialog)) else {
            return;
        };
        for (session, mailbox) in &joined.sessions {
            let entry = self.sessions.get(session);
            if entry.is_some_and(|e| matches!(e.identity.who, Who::Staff { .. })) {
                mailbox.push(Item::Presence(dialog, presence));
            }
        }
    }
}

impl Hub {
    /// The followers of a stream have changed here: whether its customer is here may have, too.
    pub(super) fn followers_changed(&self, stream: &StreamId) {
        let StreamId::Dialog(dialog) = *stream else {
            return;
        };
        let mut state = self.state();
        if !state.has_staff(dialog) {
            state.customers.watched.remove(&dialog);
            state.customers.ask.remove(&dialog);
        }
        let here = state.has_customer(dialog);
        if !here {
            state.lines.forget(dialog);
        }
        let changed = if here {
            state.customers.here.insert(dialog)
        } else {
            state.customers.here.remove(&dialog)
        };
        if changed {
            put(&mut state.customers.tell, dialog);
            let said = state.customers.say(dialog, self.ports.clock.now());
            Self::heard(&mut state, dialog, &self.node, said);
            drop(state);
            self.wake.notify_one();
        }
    }

    /// A session follows a stream: staff is shown whether its customer is here.
    pub(super) fn looked_at(&self, stream: &StreamId, session: SessionId, access: Option<&Access>) {
        let (StreamId::Dialog(dialog), Some(access)) = (stream, access) else {
            return;
        };
        let dialog = *dialog;
        let mut state = self.state();
        let Some(entry) = state.sessions.get(&session) else {
            return;
        };
        if matches!(entry.identity.who, Who::Customer(_))
            || sight(&entry.identity.who, access) == Sight::None
        {
            return;
        }
        let mailbox = std::sync::Arc::clone(&entry.mailbox);
        if let Some(watch) = state.customers.watched.get(&dialog) {
            if let Some(presence) = watch.told() {
                mailbox.push(Item::Presence(dialog, presence));
            }
            return;
        }
        if !state.has_staff(dialog) {
            return;
        }
        let watch = Watch::new(self.node.clone(), Instant::now());
        state.customers.watched.insert(dialog, watch);
        put(&mut state.customers.ask, dialog);
        if state.customers.here.contains(&dialog) {
            let said = state.customers.say(dialog, self.ports.clock.now());
            Self::heard(&mut state, dialog, &self.node, said);
        }
        drop(state);
        self.wake.notify_one();
    }

    fn heard(state: &mut State, dialog: DialogId, node: &Node, said: Said) {
        let now = Instant::now();
        let Some(watch) = state.customers.watched.get_mut(&dialog) else {
            return;
        };
        watch.hear(node, said, now);
        if let Some(presence) = watch.judge(now) {
            state.show_presence(dialog, presence);
        }
    }

    /// A node says whether the customer is there.
    pub(super) fn heard_here(&self, dialog: DialogId, node: &Node, said: Said) {
        Self::heard(&mut self.state(), dialog, node, said);
    }

    /// A node asks whether the customer is here. Who is not here is not spoken of.
    pub(super) fn asked_here(&self, dialog: DialogId, node: &Node) {
        let mut state = self.state();
        if state.customers.here.contains(&dialog) {
            put(&mut state.customers.answer, (dialog, node.clone()));
        }
    }

    /// What has changed by time alone, and what is to be asked again.
    pub(super) fn keep_presence(&self) {
        let now = Instant::now();
        let mut state = self.state();
        let mut shown = Vec::new();
        let Customers { watched, ask, .. } = &mut state.customers;
        for (dialog, watch) in watched.iter_mut() {
            let again = now - watch.asked_at >= ASK_EVERY;
            if again {
                watch.asked_at = now;
                put(ask, *dialog);
            }
            let news = watch.judge(now);
            // A word that a full buffer dropped is said again; sessions tell what is news.
            shown.extend(
                news.or(watch.told().filter(|_| again))
                    .map(|p| (*dialog, p)),
            );
        }
        for (dialog, presence) in shown {
            state.show_presence(dialog, presence);
        }
    }

    /// What this node says of a customer now.
    pub(super) fn word_of(&self, dialog: DialogId) -> NodeFrame {
        let Said { order, here, at } = self.state().customers.say(dialog, self.ports.clock.now());
        NodeFrame::CustomerHere {
            dialog,
            node: self.node.clone(),
            order,
            here,
            at,
        }
    }
}
