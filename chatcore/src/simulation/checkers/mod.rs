//! The checkers: each holds a history and the journal against one promise.
//!
//! Pure, and the same for a simulation and for real processes. Demands on what must have happened
//! by the end are made only of a history that came to rest ([`What::Quiet`](super::What)); what
//! must never happen is looked for in any.

mod answers;
mod boards;
mod capacity;
mod chain;
mod ended;
mod outcomes;
mod owners;
mod people;
mod poison;
mod presence;
mod queues;
mod repeats;
mod returns;
#[cfg(test)]
mod tests;
mod views;

use std::fmt;

use super::{history::History, truth::Truth};
use crate::ids::{Offset, Partition};

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which: `I1` to `I10` as in `ARCHITECTURE.md`, `chain`, `timers` or `effects`.
    pub invariant: &'static str,
    /// What happened, for a person.
    pub text: String,
    /// The entries of the history that show it, by index.
    pub entries: Vec<usize>,
    /// The decisions or commands that show it.
    pub causes: Vec<(Partition, Offset)>,
}

impl Violation {
    fn new(invariant: &'static str, text: impl Into<String>) -> Self {
        Self {
            invariant,
            text: text.into(),
            entries: Vec::new(),
            causes: Vec::new(),
        }
    }

    fn at(mut self, entry: usize) -> Self {
        self.entries.push(entry);
        self
    }

    fn by(mut self, partition: Partition, cause: Offset) -> Self {
        self.causes.push((partition, cause));
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.text)?;
        for (partition, cause) in &self.causes {
            write!(f, " [command {partition}/{cause}]")?;
        }
        for entry in &self.entries {
            write!(f, " [entry {entry}]")?;
        }
        Ok(())
    }
}

/// A checker.
pub type Check = fn(&History, &Truth) -> Vec<Violation>;

/// All checkers, by the name of the file that they are in.
pub const CHECKERS: [(&str, Check); 12] = [
    ("chain", chain::check),
    ("outcomes", outcomes::check),
    ("repeats", repeats::check),
    ("views", views::check),
    ("owners", owners::check),
    ("capacity", capacity::check),
    ("queues", queues::check),
    ("presence", presence::check),
    ("returns", returns::check),
    ("poison", poison::check),
    ("answers", answers::check),
    ("ended", ended::check),
];

/// All promises that were not kept, those of the journal's own first.
#[must_use]
pub fn check(history: &History, truth: &Truth) -> Vec<Violation> {
    CHECKERS
        .iter()
        .flat_map(|(_, check)| check(history, truth))
        .collect()
}
