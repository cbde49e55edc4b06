//! What a session's person wrote of late, for the redactor: a number may be in several messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    content::Content,
    identity::Beside,
    ids::{CustomerId, DialogId, Seq, Target},
    record::{Accepted, Outcome, Reply},
};

/// Most messages of a dialog that are kept. A redactor sees no more of them.
const MESSAGES_MAX: usize = 8;
/// Most dialogs of which any are kept; past it the oldest is forgotten, and read again.
const DIALOGS_MAX: usize = 64;

/// A message as it was written down.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The number of its command, if this session sent it.
    pub(super) n: Option<u64>,
    /// Its number in the dialog, once that is known.
    pub(super) seq: Option<Seq>,
    /// What it says.
    pub(super) content: Content,
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n, seq, .. } = self;
        f.debug_struct("Said")
            .field("n", n)
            .field("seq", seq)
            .finish_non_exhaustive()
    }
}

/// The place of what is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A new message, by the number of its command.
    New(u64),
    /// In place of what this message says.
    Edit(Seq),
}

/// What stands beside it, of the same author.
#[derive(Debug)]
pub(super) struct Around {
    place: Place,
    before: Vec<Said>,
    after: Vec<Said>,
}

impl Around {
    /// Asks with what stands beside it.
    pub(super) fn with<T>(&self, ask: impl FnOnce(Beside<'_>) -> T) -> T {
        let before: Vec<&Content> = self.before.iter().map(|said| &said.content).collect();
        let after: Vec<&Content> = self.after.iter().map(|said| &said.content).collect();
        ask(Beside {
            before: &before,
            after: &after,
        })
    }

    /// The numbers of those that are to be withdrawn, each once; none if one of them is not known
    /// yet. What an edited message said goes with the edit.
    pub(super) fn numbers(&self, withdraw: &[usize]) -> Option<Vec<Seq>> {
        let said = |index: &usize| self.before.iter().chain(&self.after).nth(*index);
        let numbers: Option<BTreeSet<Seq>> =
            withdraw.iter().map(|index| said(index)?.seq).collect();
        let mut numbers = numbers?;
        if let Place::Edit(message) = self.place {
            numbers.remove(&message);
        }
        Some(numbers.into_iter().collect())
    }
}

/// What a session's person wrote in each dialog, oldest first.
#[derive(Debug, Default)]
pub(super) struct Written {
    dialogs: BTreeMap<DialogId, (CustomerId, Vec<Said>)>,
}

impl Written {
    /// What stands beside a message; none if what was written before this session is not known.
    /// Beside an edited message stands what it said until now: that was written down as well.
    pub(super) fn around(&self, dialog: DialogId, place: Place) -> Option<Around> {
        let (_, said) = self.dialogs.get(&dialog)?;
        let (before, after) = match place {
            // Those with higher numbers are sent once more right after it.
            Place::New(n) => {
                let is_before = |said: &&Said| said.n.is_none_or(|other| other < n);
                (said.iter().filter(is_before).cloned().collect(), Vec::new())
            }
            Place::Edit(message) => {
                let is_after = |said: &Said| said.seq.is_none_or(|other| other > message);
                said.iter().cloned().partition(|said| !is_after(said))
            }
        };
        Some(Around {
            place,
            before,
            after,
        })
    }

    /// What was written in a dialog before this session wrote there.
    pub(super) fn begin(&mut self, dialog: DialogId, customer: CustomerId, mut said: Vec<Said>) {
        if self.dialogs.len() >= DIALOGS_MAX {
            self.dialogs.pop_first();
        }
        said.drain(..said.len().saturating_sub(MESSAGES_MAX));
        self.dialogs.insert(dialog, (customer, said));
    }

    /// A message was given to the journal.
    pub(super) fn add(&mut self, dialog: DialogId, place: Place, content: Content) {
        let Some((_, all)) = self.dialogs.get_mut(&dialog) else {
            return;
        };
        let (n, seq) = match place {
            Place::New(n) => (Some(n), None),
            Place::Edit(message) => (None, Some(message)),
        };
        // Sent again, it is what it was.
        let is_known = |said: &Said| match place {
            Place::New(_) => said.n == n,
            Place::Edit(_) => said.seq == seq && said.content == content,
        };
        if !all.iter().any(is_known) {
            all.push(Said { n, seq, content });
        }
        all.drain(..all.len().saturating_sub(MESSAGES_MAX));
    }

    /// What became of the command with this number.
    pub(super) fn told(&mut self, target: &Target, n: u64, reply: &Reply) {
        let Reply::Outcome(outcome) = reply else {
            return;
        };
        let Target::Customer(customer) = target else {
            return;
        };
        let of_them = self
            .dialogs
            .iter_mut()
            .filter(|(_, (whose, _))| whose == customer);
        for (dialog, (_, all)) in of_them {
            match outcome {
                Outcome::Accepted(Accepted {
                    dialog: Some(accepted),
                    seq,
                    ..
                }) if accepted == dialog => {
                    for said in all.iter_mut().filter(|said| said.n == Some(n)) {
                        said.seq = Some(*seq);
                    }
                }
                Outcome::Accepted(_) => {}
                Outcome::Rejected(_) => all.retain(|said| said.n != Some(n)),
            }
        }
    }
}
