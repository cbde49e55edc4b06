//! A customer or desk whose snapshot a newer version wrote: nothing is decided, and nothing of it
//! is lost. Its commands are parked as decisions after the snapshot, which stays as it is; a worker
//! that can read it finds them there, in order.

use std::collections::VecDeque;

use super::{
    aggregate::{Aggregate, Input},
    parking::{Parked, is_same},
};
use crate::{
    clock::Timestamp,
    content::Sealed,
    error::{ErrorKind, Result},
    ids::Target,
    record::{self, Command, CommandId, Decision, Verdict},
    store::StoredState,
};

/// The state of a customer or desk, as far as this worker can read it.
#[derive(Debug)]
pub(super) enum Held {
    Readable(Box<Aggregate>),
    Unread(Unread),
}

impl Held {
    /// As the store has it.
    pub(super) fn load(target: &Target, stored: &StoredState) -> Result<Self> {
        match Aggregate::load(target, stored) {
            Ok(aggregate) => Ok(Self::Readable(Box::new(aggregate))),
            Err(error) if error.kind() == ErrorKind::NewerFormat => {
                tracing::warn!(%error, %target, "parked until a worker can read its state");
                Ok(Self::Unread(Unread::load(target, stored)))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn readable(&self) -> Option<&Aggregate> {
        match self {
            Self::Readable(aggregate) => Some(aggregate),
            Self::Unread(_) => None,
        }
    }

    /// Applies a decision.
    ///
    /// # Errors
    /// `Corrupt` when it was made on another state; nothing is changed then.
    pub(super) fn apply(&mut self, decision: &Decision) -> Result<()> {
        match self {
            Self::Readable(aggregate) => {
                aggregate.check(decision)?;
                aggregate.apply(decision);
            }
            Self::Unread(unread) => unread.apply(decision),
        }
        Ok(())
    }
}

/// What is known of a state that can't be read.
#[derive(Debug)]
pub(super) struct Unread {
    target: Target,
    at: Timestamp,
    parked: VecDeque<Parked>,
}

impl Unread {
    fn load(target: &Target, stored: &StoredState) -> Self {
        let mut unread = Self {
            target: target.clone(),
            at: Timestamp(i64::MIN),
            parked: VecDeque::new(),
        };
        for decision in &stored.decisions {
            unread.apply(decision);
        }
        unread
    }

    /// Parks a command; none for one that is parked already, and for what is about parked ones.
    pub(super) fn park(&self, input: &Input<'_>) -> Option<Decision> {
        let record = input.record;
        let is_about_parked = matches!(
            record::decode::<Command<Sealed>>(&record.body),
            Ok(Command::Parked(_))
        );
        let is_follow_up = matches!(record.id, CommandId::FollowUp { .. });
        let is_parked = || self.parked.iter().any(|p| is_same(&p.command, record));
        if is_about_parked || (!is_follow_up && is_parked()) {
            return None;
        }
        // Of the state only what a decision without events needs: the target and its time.
        let mut empty = Aggregate::new(self.target.clone());
        empty.advance(self.at);
        Some(empty.park_among(input, "newer_state", self.parked.len()))
    }

    fn apply(&mut self, decision: &Decision) {
        self.at = self.at.max(decision.at);
        if let Some(offset) = decision.unparked {
            self.parked.retain(|parked| parked.offset != offset);
        }
        if let Verdict::Parked { reason, command } = &decision.verdict
            && !self.parked.iter().any(|p| is_same(&p.command, command))
        {
            self.parked.push_back(Parked {
                offset: decision.cause,
                reason: reason.clone(),
                command: command.clone(),
            });
        }
    }
}
