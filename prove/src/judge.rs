//! What came of a run: the promises that were not kept, and how long people waited.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    time::Duration,
};

use chatcore::{
    clock::Timestamp,
    ids::{DialogId, Participant, Seq, StreamId, Target},
    record::{CommandId, Outcome, Reply},
    simulation::{Connection, History, What, check},
};

use crate::quiet::AtRest;

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Verdict {
    commands: usize,
    lost: usize,
    repeated: usize,
    out_of_order: usize,
    double_owners: usize,
    over_capacity: usize,
    after_the_end: usize,
    other: usize,
    delivered: usize,
    median: Duration,
    longest: Duration,
    /// Each promise that was not kept, for a person.
    pub(crate) violations: Vec<String>,
    /// What was waited for longest, for a person.
    pub(crate) slowest: String,
}

/// A message of an operator that its customer was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wait {
    time: Duration,
    dialog: DialogId,
    seq: Seq,
    sent: Timestamp,
}

impl Verdict {
    pub(crate) fn of(rest: &AtRest) -> Self {
        let violations = check(&rest.history, &rest.truth);
        let count = |names: &[&str]| {
            let of_these = violations.iter().filter(|v| names.contains(&v.invariant));
            of_these.count()
        };
        let known = ["I1", "I2", "I3", "I4", "I5", "I7", "I8", "chain"];
        let other = violations.iter().filter(|v| !known.contains(&v.invariant));
        let mut waits = waits(&rest.history);
        waits.sort_unstable();
        let mut texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
        texts.extend(rest.lacks.iter().map(|lack| format!("not at rest: {lack}")));
        Self {
            commands: sent(&rest.history),
            lost: count(&["I1"]),
            repeated: count(&["I2"]),
            out_of_order: count(&["I3", "I7", "chain"]),
            double_owners: count(&["I4"]),
            over_capacity: count(&["I5"]),
            after_the_end: count(&["I8"]),
            other: other.count() + usize::from(!rest.lacks.is_empty()),
            delivered: waits.len(),
            median: waits
                .get(waits.len() / 2)
                .map_or(Duration::ZERO, |wait| wait.time),
            longest: waits.last().map_or(Duration::ZERO, |wait| wait.time),
            violations: texts,
            slowest: slowest(&waits),
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The head of the table.
    pub(crate) fn head() -> String {
        let columns = [
            "fault",
            "seed",
            "commands",
            "delivered",
            "lost",
            "repeated",
            "out of order",
            "double owners",
            "over capacity",
            "after the end",
            "other",
            "median, ms",
            "longest gap, s",
        ];
        let mut head = String::new();
        for line in [
            columns.map(str::to_owned),
            columns.map(|_| "---".to_owned()),
        ] {
            // Writing to a string can't fail.
            let _ = writeln!(head, "| {} |", line.join(" | "));
        }
        head
    }

    /// Its line of the table.
    pub(crate) fn line(&self, name: &str, seed: u64) -> String {
        let counts = [
            self.lost,
            self.repeated,
            self.out_of_order,
            self.double_owners,
            self.over_capacity,
            self.after_the_end,
            self.other,
        ];
        let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
        format!(
            "| {name} | {seed} | {} | {} | {} | {} | {:.1} |",
            self.commands,
            self.delivered,
            counts.join(" | "),
            self.median.as_millis(),
            self.longest.as_secs_f64()
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in self.violations.iter().take(20) {
            writeln!(f, "  {violation}")?;
        }
        if self.violations.len() > 20 {
            writeln!(f, "  and {} more", self.violations.len() - 20)?;
        }
        Ok(())
    }
}

/// A command under its name: whose, of which device, to whom, which number.
type Name<'a> = (&'a Participant, &'a str, &'a Target, u64);

/// Commands that were sent, each counted once.
fn sent(history: &History) -> usize {
    firsts(history).len()
}

/// When each command was sent first.
fn firsts(history: &History) -> BTreeMap<Name<'_>, Timestamp> {
    let mut firsts = BTreeMap::new();
    for entry in history.entries() {
        if let What::Sent(sent) = &entry.what
            && let CommandId::Client { device, n } = &sent.id
        {
            let name = (&sent.author, device.as_str(), &sent.target, *n);
            firsts.entry(name).or_insert(entry.at);
        }
    }
    firsts
}

/// From when operators sent what they wrote first until its customer was shown it.
fn waits(history: &History) -> Vec<Wait> {
    let firsts = firsts(history);
    let mut viewers: BTreeMap<&Connection, (Participant, &str)> = BTreeMap::new();
    let mut sent_at: BTreeMap<(DialogId, Seq), Timestamp> = BTreeMap::new();
    let mut shown_at: BTreeMap<(DialogId, Seq), Timestamp> = BTreeMap::new();
    for entry in history.entries() {
        let Some(on) = &entry.on else { continue };
        match &entry.what {
            What::Connected { viewer, .. } => {
                let (who, _) = viewer.key();
                viewers.insert(on, (who, viewer.device.as_str()));
            }
            What::Heard {
                target,
                n,
                reply: Reply::Outcome(Outcome::Accepted(accepted)),
            } => {
                let Some((who @ Participant::Staff(_), device)) = viewers.get(on) else {
                    continue;
                };
                let first = firsts.get(&(who, *device, target, *n));
                if let (Some(dialog), Some(first)) = (accepted.dialog, first) {
                    sent_at.insert((dialog, accepted.seq), *first);
                }
            }
            What::Shown {
                stream: StreamId::Dialog(dialog),
                events,
                ..
            } => {
                if let Some((Participant::Customer(_), _)) = viewers.get(on) {
                    for event in events {
                        shown_at.entry((*dialog, event.seq)).or_insert(entry.at);
                    }
                }
            }
            _ => {}
        }
    }
    let shown = sent_at.iter().filter_map(|((dialog, seq), sent)| {
        // Notes are not shown to customers.
        let shown = shown_at.get(&(*dialog, *seq))?;
        Some(Wait {
            time: shown.since(*sent),
            dialog: *dialog,
            seq: *seq,
            sent: *sent,
        })
    });
    shown.collect()
}

fn slowest(waits: &[Wait]) -> String {
    let mut text = String::new();
    for wait in waits.iter().rev().take(20) {
        let (dialog, seq, at) = (wait.dialog, wait.seq, wait.sent.0);
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{} ms: event {seq} of dialog {dialog}, sent at {at}",
            wait.time.as_millis()
        );
    }
    text
}
