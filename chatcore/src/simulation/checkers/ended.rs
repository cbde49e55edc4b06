//! I8: after expiry at once, and within two seconds of a revocation (ten on a node that was cut from
//! the journal), nothing more is handed to a session, and it is closed within another second.

use std::collections::BTreeMap;

use super::Violation;
use crate::{
    clock::Timestamp,
    identity::Revocation,
    ids::{Node, NodeId, Participant},
    simulation::{
        history::{Connection, Credential, Entry, History, What},
        plan::{Fault, To},
        scene,
    },
};

/// After a revocation, on a node that hears of it.
const HEARD_WITHIN_MS: i64 = 2_000;
/// On one that may not.
const UNSURE_WITHIN_MS: i64 = 10_000;
/// From the last that may be handed out to the end.
const CLOSED_WITHIN_MS: i64 = 1_000;
/// What the clock of a run may be late by.
const SLACK_MS: i64 = 100;
/// Of real processes the times are those at which people read, on a busy machine.
const REAL_SLACK_MS: i64 = 2_000;
/// How long a fault of real processes may be felt.
const REAL_FAULT_MS: i64 = 30_000;

/// A session as far as it was proven who it is of.
struct Session<'a> {
    person: Participant,
    /// All that it was proven with: which of them counted when is the node's to know.
    credentials: Vec<&'a Credential>,
    began: (usize, i64),
}

/// The times of a history, in which days may have been skipped.
struct Times {
    /// When wall clocks were set on, and by how much.
    skips: Vec<(i64, i64)>,
    /// How much a node's wall clock was set either way, all in all.
    jumps: BTreeMap<NodeId, i64>,
    /// From when to when a node may not have heard; every node when none is named.
    troubles: Vec<(i64, i64, Option<NodeId>)>,
    is_real: bool,
}

pub(super) fn check(history: &History, _: &super::Truth) -> Vec<Violation> {
    let times = Times::of(history);
    let revoked = revocations(history, &times);
    let mut found = Vec::new();
    let mut open: BTreeMap<&Connection, Session<'_>> = BTreeMap::new();
    let mut started: BTreeMap<&Node, i64> = BTreeMap::new();
    let mut last = 0;
    for (index, entry) in history.entries().iter().enumerate() {
        last = times.passed(entry.at).max(last);
        let Some(on) = &entry.on else {
            match &entry.what {
                What::Started { node } => drop(started.insert(node, times.passed(entry.at))),
                What::Stopped { node, .. } => open.retain(|on, _| on.node != *node),
                _ => {}
            }
            continue;
        };
        match &entry.what {
            What::Connected {
                viewer,
                credential: Some(credential),
                ..
            } => {
                let session = Session {
                    person: viewer.who.participant(),
                    credentials: vec![credential],
                    began: (index, times.passed(entry.at)),
                };
                // A node that has just begun lets people in, and hands out nothing until it has read
                // who was revoked.
                let is_new = started
                    .get(&on.node)
                    .is_some_and(|at| session.began.1 - at < UNSURE_WITHIN_MS);
                if !is_new {
                    found.extend(times.readmitted(&session, on, &revoked));
                }
                open.insert(on, session);
            }
            What::Refreshed {
                credential: Some(credential),
                ..
            } => {
                if let Some(session) = open.get_mut(on) {
                    session.credentials.push(credential);
                }
            }
            What::Disconnected { code } => {
                // Who leaves by themselves may have left unread that they were closed.
                if let (Some(session), Some(_)) = (open.remove(on), code) {
                    let ended = times.passed(handed(entry));
                    found.extend(times.closed_late(&session, on, ended, &revoked));
                }
            }
            what if is_told(what) => {
                let late = open
                    .get(on)
                    .and_then(|session| times.told_late(session, on, handed(entry), &revoked));
                if let Some(text) = late {
                    found.push(Violation::new("I8", text).at(index));
                    open.remove(on);
                }
            }
            _ => {}
        }
    }
    for (on, session) in &open {
        found.extend(times.closed_late(session, on, last, &revoked));
    }
    found
}

fn handed(entry: &Entry) -> Timestamp {
    entry.handed_at.unwrap_or(entry.at)
}

/// Whether a session handed this out.
fn is_told(what: &What) -> bool {
    matches!(
        what,
        What::Durable { .. }
            | What::Refused { .. }
            | What::Heard { .. }
            | What::Reset { .. }
            | What::Shown { .. }
            | What::Cursors { .. }
            | What::Left { .. }
    )
}

/// What was revoked, and when that was done.
fn revocations<'a>(history: &'a History, times: &Times) -> Vec<(i64, &'a Revocation)> {
    let entries = history.entries().iter();
    entries
        .filter_map(|entry| match &entry.what {
            What::Revoked(revocation) => Some((times.passed(entry.at), revocation)),
            _ => None,
        })
        .collect()
}

impl Session<'_> {
    /// Whether it has nothing left that this does not end.
    fn is_ended_by(&self, revocation: &Revocation) -> bool {
        let mut credentials = self.credentials.iter();
        credentials.all(|c| revocation.ends(Some(&self.person), &c.proof))
    }

    fn expires_at(&self) -> Timestamp {
        let ends = self.credentials.iter().map(|c| c.expires_at);
        ends.max().unwrap_or_default()
    }
}

impl Times {
    fn of(history: &History) -> Self {
        let mut times = Self {
            skips: Vec::new(),
            jumps: BTreeMap::new(),
            troubles: Vec::new(),
            is_real: false,
        };
        for entry in history.entries() {
            let What::Fault { note, .. } = &entry.what else {
                continue;
            };
            let from = times.passed(entry.at);
            // The fault names no node that was down when it struck.
            let named = |number: usize| scene::node_name(number).ok();
            let lasts = |for_ms: u64| i64::try_from(for_ms).unwrap_or(i64::MAX);
            match serde_json::from_str(note) {
                Ok(Fault::DaysPass { ms }) => times.skips.push((entry.at.0, lasts(ms))),
                Ok(Fault::ClockJump { node, by_ms }) => {
                    if let Some(node) = named(node) {
                        *times.jumps.entry(node).or_default() += by_ms.abs();
                    }
                }
                Ok(
                    Fault::Pause { node, for_ms }
                    | Fault::Link {
                        node,
                        to: To::Journal,
                        for_ms,
                        ..
                    },
                ) => {
                    let trouble = (from, from + lasts(for_ms), named(node));
                    times.troubles.push(trouble);
                }
                Ok(_) => {}
                Err(_) => {
                    times.is_real = true;
                    times.troubles.push((from, from + REAL_FAULT_MS, None));
                }
            }
        }
        times
    }

    /// The time that has really passed.
    fn passed(&self, at: Timestamp) -> i64 {
        let skipped = self.skips.iter().filter(|(from, _)| *from < at.0);
        at.0 - skipped.map(|(_, ms)| ms).sum::<i64>()
    }

    fn slack(&self) -> i64 {
        if self.is_real {
            REAL_SLACK_MS
        } else {
            SLACK_MS
        }
    }

    fn is_troubled(&self, node: &NodeId, from: i64, until: i64) -> bool {
        let mut troubles = self.troubles.iter();
        troubles.any(|(begin, end, which)| {
            which.as_ref().is_none_or(|which| which == node) && *begin <= until && *end >= from
        })
    }

    /// Up to when a node may hand out what it did not know to be revoked then.
    fn last_of(&self, on: &Connection, revoked: i64) -> i64 {
        // What was lost on the way just before is asked for again.
        let (from, until) = (revoked - 1_000, revoked + HEARD_WITHIN_MS);
        let within = if self.is_troubled(&on.node.id, from, until) {
            UNSURE_WITHIN_MS
        } else {
            HEARD_WITHIN_MS
        };
        revoked + within + self.slack()
    }

    fn told_late(
        &self,
        session: &Session<'_>,
        on: &Connection,
        handed: Timestamp,
        revoked: &[(i64, &Revocation)],
    ) -> Option<String> {
        let jumps = self.jumps.get(&on.node.id).copied().unwrap_or(0);
        let slack = if self.is_real { REAL_SLACK_MS } else { 0 };
        let expires = session.expires_at().0.saturating_add(jumps + slack);
        if handed.0 >= expires {
            let late = handed.0 - session.expires_at().0;
            let who = &session.person;
            return Some(format!("{who:?} was told something {late} ms after expiry"));
        }
        let passed = self.passed(handed);
        let mut revoked = revoked.iter().filter(|(_, what)| session.is_ended_by(what));
        let (at, _) = revoked.find(|(at, _)| passed > self.last_of(on, *at))?;
        let (late, who) = (passed - at, &session.person);
        Some(format!(
            "{who:?} was told something {late} ms after it was revoked"
        ))
    }

    fn readmitted(
        &self,
        session: &Session<'_>,
        on: &Connection,
        revoked: &[(i64, &Revocation)],
    ) -> Option<Violation> {
        let (index, began) = session.began;
        let mut revoked = revoked.iter().filter(|(_, what)| session.is_ended_by(what));
        let (at, _) = revoked.find(|(at, _)| began > self.last_of(on, *at))?;
        let (late, who) = (began - at, &session.person);
        let text = format!("{who:?} was let in {late} ms after what they had was revoked");
        Some(Violation::new("I8", text).at(index))
    }

    /// A session that was there when it was revoked must not be there for long.
    fn closed_late(
        &self,
        session: &Session<'_>,
        on: &Connection,
        ended: i64,
        revoked: &[(i64, &Revocation)],
    ) -> Option<Violation> {
        let (index, began) = session.began;
        let mut revoked = revoked.iter().filter(|(_, what)| session.is_ended_by(what));
        let (at, _) = revoked.find(|(at, _)| {
            let until = self.last_of(on, *at) + CLOSED_WITHIN_MS;
            // A node that stands still closes nothing, and hands nothing out. One that is cut holds
            // back what customers would hear, and learns of it when it is back.
            began <= *at && ended > until && !self.is_troubled(&on.node.id, *at, ended)
        })?;
        let (late, who) = (ended - at, &session.person);
        let text = format!("{who:?} was not closed {late} ms after it was revoked");
        Some(Violation::new("I8", text).at(index))
    }
}
