//! Parking: commands that this worker may not decide are kept in the state, and all that come
//! after them, until one that knows them decides them in order.

use serde::{Deserialize, Serialize};

use super::aggregate::{Aggregate, Input, LEVEL};
use crate::{
    content::Sealed,
    dialog::Rejection,
    ids::{Label, Offset},
    record::{
        self, Accepted, Command, CommandId, CommandRecord, Decision, FollowUp, Outcome,
        ParkedCommand, Reply, Verdict,
    },
};

/// Most commands of clients and channels that are parked at one target. Past it a client is told
/// to come again from its number on, and a channel's message becomes a dead letter. Follow-ups,
/// which must not be lost, and what chatcore sends itself, of which each is kept once, have no
/// bound of their own: what sends them has.
pub const PARKED_MAX: usize = 1_000;

/// A command that is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Its offset.
    pub offset: Offset,
    /// Why: `newer_format`, `newer_level`, `newer_state`, `poison`, or `behind` another.
    pub reason: Label,
    /// The command.
    pub command: Box<CommandRecord>,
}

impl Aggregate {
    /// The commands that are parked, first first.
    #[must_use]
    pub fn parked(&self) -> impl ExactSizeIterator<Item = &Parked> {
        self.parked.iter()
    }

    /// Whether this worker can decide the first of the parked commands without being asked to.
    #[must_use]
    pub fn can_unpark(&self) -> bool {
        self.parked.front().is_some_and(|first| {
            first.reason != Label::literal("poison")
                && self.level_known()
                && record::decode::<Command<Sealed>>(&first.command.body).map_or_else(
                    |e| e.kind() != crate::error::ErrorKind::NewerFormat,
                    |_| true,
                )
        })
    }

    fn level_known(&self) -> bool {
        self.level() <= LEVEL
    }

    /// Keeps the command in the state instead of deciding it.
    #[must_use]
    pub fn park(&self, input: &Input<'_>, reason: &'static str) -> Decision {
        self.park_among(input, reason, self.parked.len())
    }

    /// Parks it beside so many others.
    pub(super) fn park_among(
        &self,
        input: &Input<'_>,
        reason: &'static str,
        others: usize,
    ) -> Decision {
        let is_full = others >= PARKED_MAX;
        match input.record.id {
            CommandId::ChannelNumber { .. } | CommandId::ChannelKey { .. } if is_full => {
                return self.dead_letter(input, "parked_full");
            }
            CommandId::Client { n, .. } if is_full => {
                let verdict = Verdict::Repeated(Reply::Expected { n });
                return self.blank(input, self.time().max(input.at), verdict);
            }
            _ => {}
        }
        let verdict = Verdict::Parked {
            reason: Label::literal(reason),
            command: Box::new(input.record.clone()),
        };
        self.blank(input, self.time().max(input.at), verdict)
    }

    /// While commands are parked, the number that is expected next is not known: what is too high
    /// is parked as well.
    pub(super) fn reply_while_parked(
        &self,
        record: &CommandRecord,
        reply: Option<Reply>,
    ) -> Option<Reply> {
        match reply {
            Some(Reply::Expected { .. })
                if !self.parked.is_empty() && matches!(record.id, CommandId::Client { .. }) =>
            {
                None
            }
            reply => reply,
        }
    }

    /// Decides or gives up the first of the parked commands; a follow-up to the same target brings
    /// up the next one.
    pub(super) fn decide_parked(&self, input: &Input<'_>, what: ParkedCommand) -> Decision {
        let nothing = |outcome| self.blank(input, self.time().max(input.at), outcome);
        let Some(first) = self.parked.front() else {
            return nothing(Verdict::Decided(Outcome::Accepted(Accepted {
                dialog: None,
                seq: crate::ids::Seq(0),
                redacted: false,
            })));
        };
        if matches!(what, ParkedCommand::GiveUp { offset } if offset != first.offset) {
            return nothing(Verdict::Decided(Outcome::Rejected(Rejection::Void)));
        }
        let parked = Input {
            record: &first.command,
            ..*input
        };
        let record = &first.command;
        let at = self.time().max(input.at);
        let repeated = self
            .ledger()
            .check(&record.author, &record.id, record.digest, at);
        let body = record::decode::<Command<Sealed>>(&record.body);
        let mut decision = match (what, repeated, body) {
            (_, Some(reply), _) => self.blank(&parked, at, Verdict::Repeated(reply)),
            (ParkedCommand::GiveUp { .. }, ..) => self.dead_letter(&parked, "given_up"),
            (ParkedCommand::Retry, ..) if !self.level_known() => {
                return nothing(Verdict::Decided(Outcome::Rejected(Rejection::Void)));
            }
            (ParkedCommand::Retry, _, Ok(Command::Parked(_))) => {
                self.dead_letter(&parked, "wrong_target")
            }
            (ParkedCommand::Retry, _, Ok(command)) => self.decide_command(&parked, &command),
            (ParkedCommand::Retry, _, Err(e))
                if e.kind() == crate::error::ErrorKind::NewerFormat =>
            {
                return nothing(Verdict::Decided(Outcome::Rejected(Rejection::Void)));
            }
            (ParkedCommand::Retry, ..) => self.dead_letter(&parked, "unreadable"),
        };
        decision.unparked = Some(first.offset);
        decision.brought_up_by = match &input.record.id {
            id @ CommandId::FollowUp { .. } => Some(id.clone()),
            _ => None,
        };
        if self.parked.len() > 1 {
            decision.follow_ups.push(FollowUp {
                target: self.target().clone(),
                command: Command::Parked(ParkedCommand::Retry),
            });
        }
        decision
    }

    /// Takes out what a decision has settled.
    pub(super) fn unpark(&mut self, decision: &Decision) {
        if let Some(offset) = decision.unparked
            && self
                .parked
                .front()
                .is_some_and(|first| first.offset == offset)
        {
            self.parked.pop_front();
        }
    }

    /// Keeps a command, once.
    pub(super) fn keep_parked(&mut self, offset: Offset, reason: Label, command: &CommandRecord) {
        let is_kept = |parked: &Parked| is_same(&parked.command, command);
        if !self.parked.iter().any(is_kept) {
            self.parked.push_back(Parked {
                offset,
                reason,
                command: Box::new(command.clone()),
            });
        }
    }
}

/// Whether one of two parked commands is the other, come again.
pub(super) fn is_same(known: &CommandRecord, command: &CommandRecord) -> bool {
    known.author == command.author
        && known.id == command.id
        && known.digest == command.digest
        && (known.id != CommandId::Internal || known.body == command.body)
}
