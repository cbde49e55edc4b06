//! I10: a poison record stops nothing but its own customer or desk, and can be replayed.
//!
//! That all else went on is I1's: every other command was decided. Here: what was given up is
//! among the dead letters as it was written, and what was parked is taken up in order.

use std::collections::{BTreeMap, VecDeque};

use super::Violation;
use crate::{
    ids::{Label, Offset, Partition, Target},
    record::{CommandId, Decision, Verdict},
    simulation::{history::History, truth::Truth},
};

pub(super) fn check(history: &History, truth: &Truth) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut parked: BTreeMap<&Target, VecDeque<(Partition, &Decision)>> = BTreeMap::new();
    for (partition, decision) in truth.decisions() {
        let line = parked.entry(&decision.target).or_default();
        if let Err(text) = in_order(line, (partition, decision)) {
            let text = format!("{}: {text}", decision.target);
            found.push(Violation::new("I10", text).by(partition, decision.cause));
        }
    }
    if history.is_quiet() {
        letters(truth, &mut found);
        stuck(&parked, &mut found);
    }
    found
}

fn is_poison(decision: &Decision) -> bool {
    matches!(&decision.verdict, Verdict::Parked { reason, .. } if reason.as_str() == "poison")
}

fn in_order<'a>(
    line: &mut VecDeque<(Partition, &'a Decision)>,
    (partition, decision): (Partition, &'a Decision),
) -> Result<(), String> {
    if let Some(offset) = decision.unparked {
        return match line.pop_front() {
            Some((_, first)) if first.cause == offset => Ok(()),
            Some((_, first)) => Err(format!("{offset} was taken up before {}", first.cause)),
            None => Err(format!("{offset} was taken up, and nothing was parked")),
        };
    }
    match &decision.verdict {
        Verdict::Parked { command, .. } => {
            let is_kept = line.iter().any(|(_, kept)| {
                let Verdict::Parked { command: known, .. } = &kept.verdict else {
                    return false;
                };
                (&known.author, &known.id, known.digest)
                    == (&command.author, &command.id, command.digest)
                    && (known.id != CommandId::Internal || known.body == command.body)
            });
            if !is_kept {
                line.push_back((partition, decision));
            }
            Ok(())
        }
        Verdict::Decided(_) if !decision.appended.is_empty() && !line.is_empty() => Err(format!(
            "{} was decided while {} commands before it are parked",
            decision.cause,
            line.len()
        )),
        _ => Ok(()),
    }
}

fn letters(truth: &Truth, found: &mut Vec<Violation>) {
    for (partition, decision) in truth.decisions() {
        let is_letter =
            is_poison(decision) || matches!(decision.verdict, Verdict::DeadLettered { .. });
        if !is_letter {
            continue;
        }
        let asked = decision.unparked.unwrap_or(decision.cause);
        let written = truth
            .command(partition, asked)
            .map(|command| &command.bytes);
        let letter = truth.letter(partition, decision.cause);
        let wrong = match (letter, written) {
            (None, _) => "was given up, and is not among the dead letters",
            (Some(letter), Some(bytes)) if letter.record == *bytes => continue,
            (Some(_), _) => "is among the dead letters, but not as it was written",
        };
        let text = format!("a command to {} {wrong}", decision.target);
        found.push(Violation::new("I10", text).by(partition, decision.cause));
    }
}

/// What stays parked when all is quiet waits behind a poison or a newer format, never by itself.
fn stuck(parked: &BTreeMap<&Target, VecDeque<(Partition, &Decision)>>, found: &mut Vec<Violation>) {
    for (target, line) in parked {
        let Some((partition, first)) = line.front() else {
            continue;
        };
        let waits_for_nothing = matches!(
            &first.verdict,
            Verdict::Parked { reason, .. } if *reason == Label::literal("behind")
        );
        if waits_for_nothing {
            let text = format!("{target} stays parked, and nothing is before it");
            let cause: Offset = first.cause;
            found.push(Violation::new("I10", text).by(*partition, cause));
        }
    }
}
