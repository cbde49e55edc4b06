//! I2: a command that is sent again is not done again, and gets the same outcome.

use std::collections::BTreeMap;

use super::{Violation, people::Key, people::People};
use crate::{
    clock::Timestamp,
    dialog::Rejection,
    engine::{ledger::FORGOTTEN_AFTER, reply},
    ids::{Offset, Participant, Partition, Target},
    record::{CommandId, Outcome, Reply, Verdict},
    simulation::{
        history::{History, What},
        truth::Truth,
    },
};

/// A command that was taken: not one that came again.
struct Taken {
    partition: Partition,
    cause: Offset,
    at: Timestamp,
    digest: u64,
    outcome: Outcome,
}

type Name<'a> = (Option<&'a Participant>, &'a CommandId, Option<&'a Target>);

pub(super) fn check(history: &History, truth: &Truth) -> Vec<Violation> {
    let mut found = Vec::new();
    done_once(truth, &mut found);
    heard_alike(history, &mut found);
    found
}

fn done_once(truth: &Truth, found: &mut Vec<Violation>) {
    let mut all: BTreeMap<Name<'_>, Taken> = BTreeMap::new();
    for (partition, decision) in truth.decisions() {
        let name = match &decision.id {
            CommandId::Internal => continue,
            // Known by where it came from, whoever received it.
            id @ CommandId::FollowUp { .. } => (None, id, None),
            id => (Some(&decision.author), id, Some(&decision.target)),
        };
        match (&decision.verdict, all.get(&name)) {
            (Verdict::Repeated(Reply::Outcome(told)), Some(taken)) => {
                let expected = if taken.digest == decision.digest {
                    taken.outcome.clone()
                } else {
                    Outcome::Rejected(Rejection::IdConflict)
                };
                if *told != expected {
                    let text = format!(
                        "{name:?} came again and was told {told:?} instead of {expected:?}"
                    );
                    let violation = Violation::new("I2", text).by(taken.partition, taken.cause);
                    found.push(violation.by(partition, decision.cause));
                }
            }
            (Verdict::Repeated(_) | Verdict::Parked { .. }, _) => {}
            (Verdict::Decided(_) | Verdict::DeadLettered { .. }, before) => {
                if let Some(first) = before
                    && !may_come_anew(&decision.id, first.at, decision.at)
                {
                    let text = format!("{name:?} was done twice");
                    let violation = Violation::new("I2", text).by(first.partition, first.cause);
                    found.push(violation.by(partition, decision.cause));
                }
                if let Some(Reply::Outcome(outcome)) = reply(&decision.verdict) {
                    let taken = Taken {
                        partition,
                        cause: decision.cause,
                        at: decision.at,
                        digest: decision.digest,
                        outcome,
                    };
                    all.insert(name, taken);
                }
            }
        }
    }
}

/// A device that was silent for so long is forgotten whole; a channel's name is kept for the
/// redelivery time.
fn may_come_anew(id: &CommandId, first: Timestamp, again: Timestamp) -> bool {
    let since = again.since(first);
    match id {
        CommandId::Client { .. } | CommandId::ChannelNumber { .. } => since >= FORGOTTEN_AFTER,
        CommandId::ChannelKey { redelivery_ms, .. } => {
            since.as_millis() >= u128::from(*redelivery_ms)
        }
        CommandId::FollowUp { .. } | CommandId::Internal => false,
    }
}

fn heard_alike(history: &History, found: &mut Vec<Violation>) {
    let people = People::of(history);
    let mut heard: BTreeMap<(Key, &Target, u64), (usize, &Outcome)> = BTreeMap::new();
    for (index, entry) in history.entries().iter().enumerate() {
        let What::Heard {
            target,
            n,
            reply: Reply::Outcome(outcome),
        } = &entry.what
        else {
            continue;
        };
        let Some(key) = people.key(entry.on.as_ref()) else {
            continue;
        };
        if *outcome == Outcome::Rejected(Rejection::IdConflict) {
            continue;
        }
        let (first, before) = heard.entry((key, target, *n)).or_insert((index, outcome));
        if *before != outcome {
            let text = format!(
                "command {n} to {target} had the outcome {before:?}, and later {outcome:?}"
            );
            found.push(Violation::new("I2", text).at(*first).at(index));
        }
    }
}
