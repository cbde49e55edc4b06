//! The chain of events: numbers and hashes join, time does not go back, each cause was decided
//! alike whoever decided it.

use std::collections::BTreeMap;

use super::Violation;
use crate::{
    clock::Timestamp,
    engine::chained,
    ids::{Offset, Partition, StreamId},
    record::{Appended, Decision, Position, Verdict},
    simulation::{history::History, truth::Truth},
};

pub(super) fn check(_: &History, truth: &Truth) -> Vec<Violation> {
    let mut found = Vec::new();
    for (partition, one) in (0..).map(Partition).zip(&truth.partitions) {
        for offset in &one.unreadable {
            let text = format!("record {partition}/{offset} of `events` can't be read");
            found.push(Violation::new("chain", text));
        }
        decided_alike(partition, &one.decisions, &one.void, &mut found);
    }
    let mut heads: BTreeMap<&StreamId, (Position, Timestamp)> = BTreeMap::new();
    for (partition, decision) in truth.decisions() {
        for appended in &decision.appended {
            let head = heads
                .entry(&appended.stream)
                .or_insert((Position::default(), Timestamp(i64::MIN)));
            if let Err(text) = joins(appended, head) {
                let text = format!("{}: {text}", appended.stream);
                found.push(Violation::new("chain", text).by(partition, decision.cause));
            }
        }
    }
    found
}

/// Takes the events in; what is wrong with the first that does not join.
fn joins(appended: &Appended, head: &mut (Position, Timestamp)) -> Result<(), String> {
    let (position, at) = *head;
    if let Some(last) = appended.events.last() {
        *head = (appended.upto(), last.at);
    }
    if appended.events.is_empty() {
        return Err("a decision appends nothing to it".to_owned());
    }
    if appended.after != position {
        return Err(format!(
            "events follow {:?}, but the last is {position:?}",
            appended.after
        ));
    }
    let (mut position, mut at) = (position, at);
    for event in &appended.events {
        let expected = chained(position, event.at, &event.event);
        let stands = Position {
            seq: event.seq,
            hash: event.hash,
        };
        if stands != expected {
            return Err(format!("event {stands:?} should be {expected:?}"));
        }
        if event.at < at {
            return Err(format!("event {} is older than the one before", event.seq));
        }
        (position, at) = (expected, event.at);
    }
    Ok(())
}

/// A former owner, and whoever decides again after a loss, decide as the first did.
fn decided_alike(
    partition: Partition,
    decisions: &[Decision],
    void: &[Decision],
    found: &mut Vec<Violation>,
) {
    let by_cause: BTreeMap<Offset, &Decision> = decisions.iter().map(|d| (d.cause, d)).collect();
    for other in void {
        let Some(first) = by_cause.get(&other.cause) else {
            continue;
        };
        if is_trial(first) || is_trial(other) || *first == other {
            continue;
        }
        let text = format!(
            "{} was decided in two ways: {:?} counts, {:?} does not",
            other.target, first.verdict, other.verdict
        );
        found.push(Violation::new("chain", text).by(partition, other.cause));
    }
}

/// What depends on how often owners died at it.
fn is_trial(decision: &Decision) -> bool {
    decision.unparked.is_some()
        || matches!(
            decision.verdict,
            Verdict::Parked { .. } | Verdict::DeadLettered { .. }
        )
}
