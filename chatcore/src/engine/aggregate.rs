//! The whole state of one customer or desk: the machine, the heads of its streams, the outcomes
//! of earlier commands, and the commands that are parked.
//!
//! It changes by [`Aggregate::apply`] alone: on the live path, in recovery and in a replay, so
//! that all three give the same bytes.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    chain::{last_seq, link, position_of},
    ledger::{CUSTOMER_DEVICES_MAX, CommandName, DESK_DEVICES_MAX, Ledger},
    machine::Machine,
    parking::Parked,
};
use crate::{
    clock::Timestamp,
    content::Sealed,
    dialog::{CustomerCommand, Rejection},
    error::{Error, ErrorKind, Result},
    ids::{DialogId, Label, Offset, StreamId, Target},
    machine::{Context, Decided},
    queue::{DeskCommand, Policies},
    record::{
        self, Accepted, Appended, Command, CommandRecord, Decision, Event, Outcome, Position,
        StreamEvent, Verdict,
    },
    sabotage::{self, Switch},
    store::{DueLine, StoredState},
};

/// The newest behaviour that this build knows. What changes how `decide` decides takes a new
/// level, raised in the state once every worker knows it.
pub const LEVEL: u16 = 1;

/// New events of one stream, and the position before them.
type Grouped = (StreamId, Position, Vec<StreamEvent<Sealed>>);

/// A command, with all that deciding it depends on beside the state.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The command.
    pub record: &'a CommandRecord,
    /// Its offset in the partition of `commands`.
    pub offset: Offset,
    /// Its append time, as the journal gave it.
    pub at: Timestamp,
    /// What desks choose operators by.
    pub policies: &'a Policies,
    /// The number of a dialog, should it open one.
    pub next_dialog: DialogId,
}

/// The whole state of one customer or desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    target: Target,
    /// Decisions with a lower cause are in the state.
    covered: Offset,
    at: Timestamp,
    level: u16,
    machine: Machine,
    heads: BTreeMap<StreamId, Position>,
    ledger: Ledger,
    pub(super) parked: VecDeque<Parked>,
}

impl Aggregate {
    /// One of which nothing is known.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            machine: Machine::new(&target),
            target,
            covered: Offset(0),
            at: Timestamp(i64::MIN),
            level: LEVEL,
            heads: BTreeMap::new(),
            ledger: Ledger::default(),
            parked: VecDeque::new(),
        }
    }

    /// As the store has it: the snapshot and the decisions after it.
    ///
    /// # Errors
    /// `Corrupt` or `NewerFormat` when the snapshot can't be read.
    pub fn load(target: &Target, stored: &StoredState) -> Result<Self> {
        let mut aggregate = match &stored.snapshot {
            Some(snapshot) => Self::decode(snapshot)?,
            None => Self::new(target.clone()),
        };
        for decision in &stored.decisions {
            aggregate.check(decision)?;
            aggregate.apply(decision);
        }
        if sabotage::on(Switch::OutcomesForgotten) {
            aggregate.ledger.forget_all();
        }
        Ok(aggregate)
    }

    /// As a snapshot.
    ///
    /// # Errors
    /// `Internal`, never in practice.
    pub fn encode(&self) -> Result<Bytes> {
        record::encode(self)
    }

    /// From a snapshot.
    ///
    /// # Errors
    /// `Corrupt` or `NewerFormat`.
    pub fn decode(snapshot: &[u8]) -> Result<Self> {
        record::decode(snapshot)
    }

    /// Whose state this is.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Decisions with a lower cause are in the state.
    #[must_use]
    pub fn covered(&self) -> Offset {
        self.covered
    }

    /// The customer's or the desk's own state.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The last position of a stream of this target; 0 of one that is not in the state.
    #[must_use]
    pub fn head(&self, stream: &StreamId) -> Position {
        self.heads.get(stream).copied().unwrap_or_default()
    }

    /// The timers that run, as the store keeps them.
    ///
    /// # Errors
    /// `Internal`, never in practice.
    pub fn due(&self) -> Result<Vec<DueLine>> {
        self.machine.due(&self.target)
    }

    /// What a command leads to. Pure: nothing is changed, nobody is asked, and the same state and
    /// input give the same decision in any process.
    #[must_use]
    pub fn decide(&self, input: &Input<'_>) -> Decision {
        let record = input.record;
        let at = self.at.max(input.at);
        let reply = self
            .ledger
            .check(&record.author, &record.id, record.digest, at);
        if let Some(reply) = self.reply_while_parked(record, reply) {
            return self.blank(input, at, Verdict::Repeated(reply));
        }
        match record::decode::<Command<Sealed>>(&record.body) {
            Ok(Command::Parked(what)) => self.decide_parked(input, what),
            _ if !self.parked.is_empty() && !sabotage::on(Switch::ParkedSkipped) => {
                self.park(input, "behind")
            }
            _ if self.level > LEVEL => self.park(input, "newer_level"),
            Ok(command) => self.decide_command(input, &command),
            Err(error) if error.kind() == ErrorKind::NewerFormat => {
                self.park(input, "newer_format")
            }
            Err(_) => self.dead_letter(input, "unreadable"),
        }
    }

    /// A command that is given up: rejected as `unreadable`, its number consumed.
    #[must_use]
    pub fn dead_letter(&self, input: &Input<'_>, reason: &'static str) -> Decision {
        let reason = Label::literal(reason);
        self.blank(
            input,
            self.at.max(input.at),
            Verdict::DeadLettered { reason },
        )
    }

    /// A decision with nothing in it but what happened to the command.
    pub(super) fn blank(&self, input: &Input<'_>, at: Timestamp, verdict: Verdict) -> Decision {
        let record = input.record;
        Decision {
            cause: input.offset,
            at,
            tenant: record.tenant.clone(),
            trace: record.trace.clone(),
            target: self.target.clone(),
            author: record.author.clone(),
            id: record.id.clone(),
            digest: record.digest,
            settled: record.settled,
            reply_to: record.reply_to.clone(),
            unparked: None,
            brought_up_by: None,
            verdict,
            appended: Vec::new(),
            cursors: Vec::new(),
            follow_ups: Vec::new(),
            forget: Vec::new(),
            dialogs_opened: 0,
        }
    }

    /// Decides a command that can be read, whatever is parked. What panics is a dead letter: the
    /// state is untouched, as deciding only reads it.
    pub(super) fn decide_command(&self, input: &Input<'_>, command: &Command<Sealed>) -> Decision {
        let decided = catch_unwind(AssertUnwindSafe(|| self.try_decide(input, command)));
        match decided {
            Ok(Some(decision)) => decision,
            Ok(None) => self.dead_letter(input, "wrong_target"),
            Err(_) => self.dead_letter(input, "panicked"),
        }
    }

    fn try_decide(&self, input: &Input<'_>, command: &Command<Sealed>) -> Option<Decision> {
        let mut at = self.at.max(input.at);
        if let Some(due) = self.due_of(command) {
            at = at.max(due);
        }
        let redaction = input.record.redaction.as_ref();
        let cx = Context {
            at,
            author: input.record.author.clone(),
            rights: input.record.rights.clone(),
            assurance: input.record.assurance,
            withdraw: redaction.map(|r| r.withdraw.clone()).unwrap_or_default(),
            next_dialog: input.next_dialog,
        };
        let decided = self.machine.decide(command, &cx, input.policies)?;
        let Decided {
            outcome,
            events,
            follow_ups,
            cursors,
            forget,
        } = decided;
        let appended = self.append(at, events)?;
        let outcome = match outcome {
            Ok(dialog) => Outcome::Accepted(Accepted {
                dialog,
                seq: last_seq(&appended, dialog),
                redacted: redaction.is_some(),
            }),
            Err(rejection) => Outcome::Rejected(rejection),
        };
        let opened = StreamId::Dialog(input.next_dialog);
        let is_open = |a: &Appended| a.stream == opened && a.after == Position::default();
        let mut decision = self.blank(input, at, Verdict::Decided(outcome));
        decision.dialogs_opened = u32::from(appended.iter().any(is_open));
        decision.appended = appended;
        decision.follow_ups = follow_ups;
        decision.cursors = cursors;
        decision.forget = forget;
        Some(decision)
    }

    /// When the timer that a command fires is due: the journal's clock may be behind ours.
    fn due_of(&self, command: &Command<Sealed>) -> Option<Timestamp> {
        match (&self.machine, command) {
            (
                Machine::Customer(state),
                Command::Customer(CustomerCommand::Timer { key, generation }),
            ) => {
                let mut due = state.due().into_iter();
                due.find(|d| d.key == *key && d.generation == *generation)
                    .map(|d| d.at)
            }
            (Machine::Desk(state), Command::Desk(DeskCommand::Timer { key, generation })) => {
                let mut due = state.due().into_iter();
                due.find(|d| d.key == *key && d.generation == *generation)
                    .map(|d| d.at)
            }
            _ => None,
        }
    }

    /// Gives events their numbers and hashes, one entry a stream in the order of first events.
    fn append(
        &self,
        at: Timestamp,
        events: Vec<(StreamId, Event<Sealed>)>,
    ) -> Option<Vec<Appended>> {
        if events.is_empty() {
            return Some(Vec::new());
        }
        let mut grouped: Vec<Grouped> = Vec::new();
        for (stream, event) in events {
            let index = grouped.iter().position(|(known, ..)| *known == stream);
            let after = match index.and_then(|i| grouped.get(i)) {
                Some((_, after, events)) => events.last().map_or(*after, position_of),
                None => self.head(&stream),
            };
            let event = link(after, at, event);
            match index.and_then(|i| grouped.get_mut(i)) {
                Some((_, _, events)) => events.push(event),
                None => grouped.push((stream, after, vec![event])),
            }
        }
        let all = grouped.iter().flat_map(|(_, _, events)| events);
        let after = if self.machine.keeps_access(all.map(|event| &event.event)) {
            debug_assert!(self.is_access_kept(&grouped), "{grouped:?}");
            None
        } else {
            Some(self.machine_after(&grouped))
        };
        let appended = grouped.into_iter().map(|(stream, position, events)| {
            // A dialog that leaves the state with its last event is judged as it was before.
            let access = after
                .as_ref()
                .and_then(|machine| machine.access(&stream))
                .or_else(|| self.machine.access(&stream))?;
            Some(Appended {
                stream,
                after: position,
                events,
                access,
            })
        });
        appended.collect()
    }

    fn machine_after(&self, grouped: &[Grouped]) -> Machine {
        let mut machine = self.machine.clone();
        for (stream, _, events) in grouped {
            for event in events {
                machine.apply(stream, event);
            }
        }
        machine
    }

    fn is_access_kept(&self, grouped: &[Grouped]) -> bool {
        let after = self.machine_after(grouped);
        let mut streams = grouped.iter().map(|(stream, ..)| stream);
        streams.all(|stream| after.access(stream) == self.machine.access(stream))
    }

    /// Whether this is the state that the decision was made on, or one that has it already.
    ///
    /// # Errors
    /// `Corrupt` when the decision's events do not follow those of the state: something between
    /// is missing here.
    pub fn check(&self, decision: &Decision) -> Result<()> {
        if decision.cause < self.covered {
            return Ok(());
        }
        for appended in &decision.appended {
            let head = self.head(&appended.stream);
            if head != appended.after {
                return Err(
                    Error::new(ErrorKind::Corrupt, "apply a decision to its state")
                        .with_context("target", &self.target)
                        .with_context("stream", &appended.stream)
                        .with_context("expected", appended.after.seq)
                        .with_context("found", head.seq),
                );
            }
        }
        Ok(())
    }

    /// Changes the state as it was decided; the only thing that does. A decision that is in the
    /// state already changes nothing. Whoever got the decision from elsewhere asks
    /// [`check`](Self::check) first.
    pub fn apply(&mut self, decision: &Decision) {
        if decision.cause < self.covered {
            return;
        }
        self.covered = decision.cause.next();
        self.at = self.at.max(decision.at);
        for appended in &decision.appended {
            for event in &appended.events {
                self.machine.apply(&appended.stream, event);
            }
            self.heads.insert(appended.stream.clone(), appended.upto());
        }
        if !decision.appended.is_empty() {
            let machine = &self.machine;
            self.heads.retain(|stream, _| machine.has(stream));
        }
        for cursor in &decision.cursors {
            self.machine.apply_cursor(cursor);
        }
        for stream in &decision.forget {
            self.machine.apply_forgotten(stream);
        }
        self.unpark(decision);
        match &decision.verdict {
            Verdict::Decided(outcome) => self.keep(decision, outcome),
            Verdict::DeadLettered { .. } => {
                self.keep(decision, &Outcome::Rejected(Rejection::Unreadable));
            }
            Verdict::Parked { reason, command } => {
                self.keep_parked(decision.cause, reason.clone(), command);
            }
            Verdict::Repeated(_) => {}
        }
        self.ledger
            .settle(&decision.author, &decision.id, decision.settled);
        self.ledger.sweep(self.at);
    }

    fn keep(&mut self, decision: &Decision, outcome: &Outcome) {
        let devices_max = match self.target {
            Target::Customer(_) => CUSTOMER_DEVICES_MAX,
            Target::Desk(_) => DESK_DEVICES_MAX,
        };
        let name = CommandName {
            author: &decision.author,
            id: &decision.id,
            digest: decision.digest,
            at: self.at,
        };
        self.ledger.keep(name, outcome, devices_max);
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn time(&self) -> Timestamp {
        self.at
    }

    /// Time has come this far.
    pub(super) fn advance(&mut self, at: Timestamp) {
        self.at = self.at.max(at);
    }

    pub(super) fn level(&self) -> u16 {
        self.level
    }
}
