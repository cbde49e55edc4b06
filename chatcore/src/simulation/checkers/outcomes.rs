//! I1: every command that was said to be durable gets exactly one outcome, and what was accepted
//! is never lost.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Violation,
    people::{Key, People},
};
use crate::{
    dialog::Rejection,
    engine::{
        ledger::{OUTCOMES_MAX, RETENTION},
        reply,
    },
    ids::{Offset, Partition, StreamId, Target},
    record::{CommandId, CommandRecord, Decision, Outcome, Reply, Verdict},
    simulation::{
        history::{History, What},
        truth::{PartitionTruth, Truth},
    },
};

pub(super) fn check(history: &History, truth: &Truth) -> Vec<Violation> {
    let mut found = Vec::new();
    for (partition, one) in (0..).map(Partition).zip(&truth.partitions) {
        decisions_have_commands(partition, one, &mut found);
        if history.is_quiet() {
            commands_have_decisions(partition, one, truth, &mut found);
        }
    }
    accepted_is_in_the_stream(truth, &mut found);
    if history.is_quiet() {
        follow_ups_are_written(truth, &mut found);
    }
    Told::of(history, truth).check(history, &mut found);
    found
}

fn decisions_have_commands(partition: Partition, one: &PartitionTruth, found: &mut Vec<Violation>) {
    for decision in &one.decisions {
        let asked = decision.unparked.unwrap_or(decision.cause);
        let command = one.commands.get(&asked).and_then(|c| c.record.as_ref());
        let agrees = command.is_some_and(|c| {
            (&c.target, &c.author, &c.id, c.digest)
                == (
                    &decision.target,
                    &decision.author,
                    &decision.id,
                    decision.digest,
                )
        });
        if !agrees {
            let text = format!("a decision of {} is of no such command", decision.target);
            found.push(Violation::new("I1", text).by(partition, decision.cause));
        }
    }
}

/// Each command was decided, but for follow-ups that came again and what has no readable
/// envelope, which is a dead letter.
fn commands_have_decisions(
    partition: Partition,
    one: &PartitionTruth,
    truth: &Truth,
    found: &mut Vec<Violation>,
) {
    let decided: BTreeSet<Offset> = one.decisions.iter().map(|d| d.cause).collect();
    let mut received: BTreeMap<Partition, (Offset, u32)> = BTreeMap::new();
    for (offset, command) in &one.commands {
        let has_decision = decided.contains(offset);
        let wrong = match command.record.as_ref().map(|record| (record, &record.id)) {
            None => (!truth.has_letter(partition, *offset))
                .then(|| "an unreadable command is not among the dead letters".to_owned()),
            Some((
                record,
                CommandId::FollowUp {
                    partition: source,
                    offset: cause,
                    index,
                },
            )) => {
                let place = (*cause, *index);
                let is_new = received.get(source).is_none_or(|last| *last < place);
                if is_new {
                    received.insert(*source, place);
                }
                match (is_new, has_decision) {
                    (true, false) => Some(lost(record)),
                    (false, true) => {
                        Some(format!("{:?} was decided though it came again", record.id))
                    }
                    _ => None,
                }
            }
            Some((record, _)) => (!has_decision).then(|| lost(record)),
        };
        if let Some(text) = wrong {
            found.push(Violation::new("I1", text).by(partition, *offset));
        }
    }
}

fn lost(record: &CommandRecord) -> String {
    format!("{:?} to {} was never decided", record.id, record.target)
}

fn accepted_is_in_the_stream(truth: &Truth, found: &mut Vec<Violation>) {
    for (partition, decision) in truth.decisions() {
        let Verdict::Decided(Outcome::Accepted(accepted)) = &decision.verdict else {
            let is_rejected = matches!(decision.verdict, Verdict::Decided(Outcome::Rejected(_)));
            if is_rejected && !decision.appended.is_empty() {
                let text = format!("a command to {} was rejected and done", decision.target);
                found.push(Violation::new("I1", text).by(partition, decision.cause));
            }
            continue;
        };
        let is_there = accepted.seq.0 == 0
            || decision.appended.iter().any(|appended| {
                let is_its = match &appended.stream {
                    StreamId::Dialog(dialog) => accepted.dialog == Some(*dialog),
                    StreamId::Board(_) => true,
                    StreamId::Customer(_) => false,
                };
                is_its
                    && appended
                        .events
                        .iter()
                        .any(|event| event.seq == accepted.seq)
            });
        if !is_there {
            let text = format!(
                "{} accepted {accepted:?}, without that event",
                decision.target
            );
            found.push(Violation::new("I1", text).by(partition, decision.cause));
        }
    }
}

/// Whatever a decision asks of the other machine reached the journal.
fn follow_ups_are_written(truth: &Truth, found: &mut Vec<Violation>) {
    let written: BTreeSet<&CommandId> = truth
        .partitions
        .iter()
        .flat_map(|one| one.commands.values())
        .filter_map(|command| command.record.as_ref())
        .map(|record| &record.id)
        .collect();
    for (partition, decision) in truth.decisions() {
        for (index, follow_up) in (0..).zip(&decision.follow_ups) {
            let id = CommandId::FollowUp {
                partition,
                offset: decision.cause,
                index,
            };
            if !written.contains(&id) {
                let text = format!("a follow-up to {} was never written", follow_up.target);
                found.push(Violation::new("I1", text).by(partition, decision.cause));
            }
        }
    }
}

/// Whether so much time had passed that a silent device's outcomes are not kept.
fn was_silent(history: &History, upto: usize) -> bool {
    let before = history.entries().get(..=upto).unwrap_or_default();
    let mut times = before.iter().map(|entry| entry.at);
    let first = times.next();
    let last = times.next_back();
    first
        .zip(last)
        .is_some_and(|(first, last)| last.since(first) >= RETENTION)
}

type Name<'a> = (Key, &'a Target, u64);

/// What authors were told of their commands.
struct Told<'a> {
    /// The entry in which a command was sent first.
    sent: BTreeMap<Name<'a>, usize>,
    digests: BTreeMap<Name<'a>, BTreeSet<u64>>,
    /// Up to where commands are durable.
    durable: BTreeMap<(Key, &'a Target), u64>,
    /// Up to where authors said that outcomes have arrived.
    acknowledged: BTreeMap<(Key, &'a Target), u64>,
    heard: BTreeSet<Name<'a>>,
    written: BTreeSet<Name<'a>>,
    /// What became of a command, and where it was decided.
    taken: BTreeMap<Name<'a>, (Partition, &'a Decision)>,
    parked: BTreeSet<Name<'a>>,
    /// Devices that were told to go on under another name.
    forgotten: BTreeSet<(Key, &'a Target)>,
}

impl<'a> Told<'a> {
    fn of(history: &'a History, truth: &'a Truth) -> Self {
        let mut told = Self {
            sent: BTreeMap::new(),
            digests: BTreeMap::new(),
            durable: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            heard: BTreeSet::new(),
            written: BTreeSet::new(),
            taken: BTreeMap::new(),
            parked: BTreeSet::new(),
            forgotten: BTreeSet::new(),
        };
        for command in truth
            .partitions
            .iter()
            .flat_map(|one| one.commands.values())
        {
            if let Some(record) = &command.record
                && let CommandId::Client { device, n } = &record.id
            {
                let key = (record.author.clone(), device.clone());
                told.written.insert((key, &record.target, *n));
            }
        }
        for (partition, decision) in truth.decisions() {
            let CommandId::Client { device, n } = &decision.id else {
                continue;
            };
            let key = (decision.author.clone(), device.clone());
            let name = (key, &decision.target, *n);
            match &decision.verdict {
                Verdict::Repeated(_) => {}
                Verdict::Parked { .. } => {
                    told.parked.insert(name);
                }
                Verdict::Decided(_) | Verdict::DeadLettered { .. } => {
                    told.taken.entry(name).or_insert((partition, decision));
                }
            }
        }
        told.listen(history);
        told
    }

    fn listen(&mut self, history: &'a History) {
        let people = People::of(history);
        for (index, entry) in history.entries().iter().enumerate() {
            match &entry.what {
                What::Sent(sent) => {
                    if let CommandId::Client { device, n } = &sent.id {
                        let key = (sent.author.clone(), device.clone());
                        let name = (key, &sent.target, *n);
                        self.digests
                            .entry(name.clone())
                            .or_default()
                            .insert(sent.digest);
                        self.sent.entry(name).or_insert(index);
                    }
                }
                What::Durable { target, n } | What::Acknowledged { target, n } => {
                    let Some(key) = people.key(entry.on.as_ref()) else {
                        continue;
                    };
                    let upto = match &entry.what {
                        What::Durable { .. } => self.durable.entry((key, target)),
                        _ => self.acknowledged.entry((key, target)),
                    };
                    let upto = upto.or_default();
                    *upto = (*upto).max(*n);
                }
                What::Heard {
                    target,
                    reply: Reply::Forgotten,
                    ..
                } => {
                    if let Some(key) = people.key(entry.on.as_ref()) {
                        self.forgotten.insert((key, target));
                    }
                }
                What::Heard {
                    target,
                    n,
                    reply: Reply::Outcome(_) | Reply::Settled,
                } => {
                    if let Some(key) = people.key(entry.on.as_ref()) {
                        self.heard.insert((key, target, *n));
                    }
                }
                _ => {}
            }
        }
    }

    fn check(&self, history: &History, found: &mut Vec<Violation>) {
        let people = People::of(history);
        let owed = match history.is_quiet() {
            true => people.keys_at_end(),
            false => BTreeSet::new(),
        };
        for (name, index) in &self.sent {
            let (key, target, n) = name;
            let who = (key.clone(), *target);
            if self.durable.get(&who).is_none_or(|upto| upto < n) {
                continue;
            }
            let wrong = if !self.written.contains(name) {
                Some("is not in the journal")
            } else if !owed.contains(key)
                || self.parked.contains(name)
                || self.forgotten.contains(&who)
            {
                None
            } else if !self.taken.contains_key(name) {
                Some("has no outcome")
            } else if !self.heard.contains(name)
                && self.acknowledged.get(&who).is_none_or(|upto| upto < n)
            {
                Some("has an outcome that its author never heard")
            } else {
                None
            };
            if let Some(wrong) = wrong {
                let text = format!("durable command {n} of {key:?} to {target} {wrong}");
                found.push(Violation::new("I1", text).at(*index));
            }
        }
        self.check_heard(history, &people, found);
    }

    fn check_heard(&self, history: &History, people: &People<'_>, found: &mut Vec<Violation>) {
        for (index, entry) in history.entries().iter().enumerate() {
            let What::Heard {
                target,
                n,
                reply: heard,
            } = &entry.what
            else {
                continue;
            };
            let Some(key) = people.key(entry.on.as_ref()) else {
                continue;
            };
            let name = (key, target, *n);
            let wrong = match heard {
                Reply::Outcome(Outcome::Rejected(Rejection::IdConflict)) => {
                    let sent = self.digests.get(&name).map_or(0, BTreeSet::len);
                    (sent < 2).then(|| "was sent once, and told to conflict".to_owned())
                }
                Reply::Outcome(outcome) => self.is_other_outcome(&name, outcome, history),
                Reply::Settled => (!self.may_be_settled(&name) && !was_silent(history, index))
                    .then(|| "was settled, though its outcome was never acknowledged".to_owned()),
                Reply::Expected { .. } | Reply::Forgotten => None,
            };
            if let Some(wrong) = wrong {
                let text = format!("command {n} of {:?} to {target} {wrong}", name.0);
                found.push(Violation::new("I1", text).at(index));
            }
        }
    }

    fn is_other_outcome(
        &self,
        name: &Name<'_>,
        heard: &Outcome,
        history: &History,
    ) -> Option<String> {
        match self.taken.get(name) {
            Some((_, decision)) => {
                let told = reply(&decision.verdict);
                (told.as_ref() != Some(&Reply::Outcome(heard.clone())))
                    .then(|| format!("was told {heard:?}, and the journal has {told:?}"))
            }
            // What is told may be ahead of what is published, but not for long.
            None => history
                .is_quiet()
                .then(|| format!("was told {heard:?}, which the journal does not have")),
        }
    }

    fn may_be_settled(&self, (key, target, n): &Name<'_>) -> bool {
        let acknowledged = self.acknowledged.get(&(key.clone(), *target));
        let kept = u64::try_from(OUTCOMES_MAX).unwrap_or(u64::MAX);
        let newest = self
            .written
            .range((key.clone(), *target, *n)..=(key.clone(), *target, u64::MAX))
            .next_back();
        acknowledged.is_some_and(|upto| upto >= n)
            || newest.is_some_and(|(_, _, newest)| newest - n >= kept)
    }
}
