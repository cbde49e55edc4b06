//! I7: what was missed while away is shown on return, on any node: at rest everybody who is
//! connected has each of their streams up to its head.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Violation, boards,
    people::{Held, People},
};
use crate::{
    dialog::Phase,
    identity::Who,
    ids::{DialogId, StreamId},
    record::Position,
    routing::DialogView,
    simulation::{
        history::{Connection, History, What},
        truth::Truth,
    },
};

pub(super) fn check(history: &History, truth: &Truth) -> Vec<Violation> {
    if !history.is_quiet() {
        return Vec::new();
    }
    let people = People::of(history);
    let heads = truth.heads();
    let dialogs = boards::dialogs(truth);
    let views = views(history);
    let nothing = BTreeMap::new();
    let mut found = Vec::new();
    for (on, held) in people.at_end() {
        let has = views.get(on).unwrap_or(&nothing);
        let who = held.viewer.key().0;
        for (stream, position) in has {
            let head = heads.get(stream).copied().unwrap_or_default();
            if *position != head {
                let text = format!("{who:?} has {stream} up to {position:?}, it is at {head:?}");
                found.push(Violation::new("I7", text).at(held.began));
            }
        }
        for stream in owed(held, &dialogs) {
            if heads.contains_key(&stream) && !has.contains_key(&stream) {
                let text = format!("{who:?} does not see {stream}");
                found.push(Violation::new("I7", text).at(held.began));
            }
        }
    }
    found
}

/// How far each connection has which stream.
fn views(history: &History) -> BTreeMap<&Connection, BTreeMap<&StreamId, Position>> {
    let mut views: BTreeMap<&Connection, BTreeMap<&StreamId, Position>> = BTreeMap::new();
    for entry in history.entries() {
        let Some(on) = &entry.on else { continue };
        let view = views.entry(on).or_default();
        match &entry.what {
            What::Connected { resume, .. } => {
                view.extend(resume.iter().map(|(stream, position)| (stream, *position)));
            }
            What::Reset {
                stream, position, ..
            } => {
                view.insert(stream, *position);
            }
            What::Shown { stream, upto, .. } => {
                view.insert(stream, *upto);
            }
            What::Left { stream, .. } => {
                view.remove(stream);
            }
            _ => {}
        }
    }
    views
}

/// What the server shows without being asked.
fn owed(held: &Held<'_>, dialogs: &BTreeMap<DialogId, DialogView>) -> BTreeSet<StreamId> {
    let mut owed = BTreeSet::new();
    let is_theirs = |view: &DialogView| match &held.viewer.who {
        Who::Customer(me) => view.customer == *me && view.phase != Phase::Closed,
        Who::Staff { id, .. } => view.owner.as_ref() == Some(id),
    };
    owed.insert(match &held.viewer.who {
        Who::Customer(me) => StreamId::Customer(me.clone()),
        Who::Staff { desk, .. } => StreamId::Board(desk.clone()),
    });
    let theirs = dialogs.iter().filter(|(_, view)| is_theirs(view));
    owed.extend(theirs.map(|(dialog, _)| StreamId::Dialog(*dialog)));
    owed
}
