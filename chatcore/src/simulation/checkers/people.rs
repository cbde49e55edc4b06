//! Who was connected when, as a history tells it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    identity::Who,
    ids::{DeviceId, Participant},
    simulation::history::{Connection, History, Viewer, What},
};

/// A person and a device: whose commands are counted together.
pub(super) type Key = (Participant, DeviceId);

/// A connection from its begin to its end.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub(super) viewer: &'a Viewer,
    /// All rights that the person had on it, the newest last.
    pub(super) rights: Vec<&'a Who>,
    /// The entry with which it began.
    pub(super) began: usize,
    /// The entry with which it ended.
    pub(super) ended: Option<usize>,
}

/// All connections of a history.
#[derive(Debug)]
pub(super) struct People<'a> {
    connections: BTreeMap<&'a Connection, Held<'a>>,
    abandoned: BTreeSet<Key>,
}

impl<'a> People<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        let mut people = Self {
            connections: BTreeMap::new(),
            abandoned: BTreeSet::new(),
        };
        for (index, entry) in history.entries().iter().enumerate() {
            if let What::Abandoned { viewer } = &entry.what {
                people.abandoned.insert(viewer.key());
            }
            let Some(on) = &entry.on else { continue };
            match &entry.what {
                What::Connected { viewer, .. } => {
                    let held = Held {
                        viewer,
                        rights: vec![&viewer.who],
                        began: index,
                        ended: None,
                    };
                    people.connections.insert(on, held);
                }
                What::Refreshed { who, .. } => {
                    if let Some(held) = people.connections.get_mut(on) {
                        held.rights.push(who);
                    }
                }
                What::Disconnected { .. } => {
                    if let Some(held) = people.connections.get_mut(on) {
                        held.ended.get_or_insert(index);
                    }
                }
                _ => {}
            }
        }
        people
    }

    pub(super) fn on(&self, connection: &Connection) -> Option<&Held<'a>> {
        self.connections.get(connection)
    }

    pub(super) fn key(&self, connection: Option<&Connection>) -> Option<Key> {
        self.on(connection?).map(|held| held.viewer.key())
    }

    /// Those who are still connected: to whom all is owed.
    pub(super) fn at_end(&self) -> impl Iterator<Item = (&'a Connection, &Held<'a>)> {
        self.connections
            .iter()
            .filter(|(_, held)| {
                held.ended.is_none() && !self.abandoned.contains(&held.viewer.key())
            })
            .map(|(on, held)| (*on, held))
    }

    /// Their names.
    pub(super) fn keys_at_end(&self) -> BTreeSet<Key> {
        self.at_end().map(|(_, held)| held.viewer.key()).collect()
    }
}
