//! One partition as its owner has it in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    aggregate::{Aggregate, Input},
    context::Context,
    emit::Job,
    presence,
    silence::Silence,
    stats::count,
    unread::Held,
};
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    ids::{DeskId, DialogId, Fence, Incarnation, Label, Offset, Partition, Target},
    journal::{DeadLetter, Record},
    record::{self, CommandRecord, Decision, Outcome, Verdict},
    sabotage::{Switch, on},
    store::{DueLine, Mark, PartitionBatch, StoredDecision, StoredState, Trial},
};

/// What decisions are small beside a snapshot: a snapshot is written again only when the decisions
/// since are at least this part of it.
const SNAPSHOT_PART: usize = 2;

/// One partition as its owner has it in memory. Thrown away whenever a save is not known to have
/// been taken, and made again from store and journal.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) partition: Partition,
    pub(super) fence: Fence,
    pub(super) incarnation: Incarnation,
    /// The offset after the last command that was saved.
    pub(super) applied: Offset,
    /// Dialogs opened in this partition.
    dialogs: u64,
    received: BTreeMap<Partition, (Offset, u32)>,
    /// Where the next owner begins to read `events`.
    pub(super) events: Offset,
    resident: HashMap<Target, Resident>,
    /// Counts the uses of what is resident.
    clock: u64,
    /// Commands read and not decided yet.
    pub(super) pending: VecDeque<Record>,
    pub(super) is_paused: bool,
    /// How many commands are still tried one by one, each noted first.
    pub(super) cautious: usize,
    pub(super) trial: Option<Trial>,
    /// The command that has killed too many owners.
    pub(super) condemned: Option<Offset>,
    /// Targets whose parked commands can be decided here, and were not brought up yet.
    pub(super) to_unpark: BTreeSet<Target>,
    /// Desks of this partition whose operators are on nodes.
    pub(super) watched: BTreeSet<DeskId>,
    /// No timer is due before.
    pub(super) next_due: Timestamp,
    /// The last silence of the journal that this partition was told.
    pub(super) silence: Option<Silence>,
    /// Timers that were fired, and when.
    pub(super) fired: BTreeMap<DueLine, tokio::time::Instant>,
}

/// A customer or desk in memory.
#[derive(Debug)]
struct Resident {
    held: Held,
    used: u64,
    /// Since the last snapshot.
    decisions: u32,
    /// Since the last snapshot.
    decisions_bytes: usize,
    snapshot_bytes: usize,
    /// As the store has them; not known of a state that can't be read, and never changed then.
    due: Vec<DueLine>,
}

/// What a batch of one partition has led to so far.
#[derive(Debug, Default)]
pub(super) struct Stage {
    decisions: Vec<StoredDecision>,
    touched: BTreeSet<Target>,
    /// The records of decisions that are dead letters.
    raw: BTreeMap<Offset, Bytes>,
    received: BTreeMap<Partition, (Offset, u32)>,
}

/// A command as it was read.
#[derive(Debug)]
pub(super) enum Envelope {
    Command(Box<CommandRecord>),
    /// Its reason.
    Unreadable(&'static str),
}

impl Envelope {
    pub(super) fn open(record: &Record) -> Self {
        match record::decode::<CommandRecord>(&record.bytes) {
            Ok(command) => Self::Command(Box::new(command)),
            Err(e) if e.kind() == ErrorKind::NewerFormat => Self::Unreadable("newer_envelope"),
            Err(_) => Self::Unreadable("unreadable_envelope"),
        }
    }
}

impl Lane {
    /// The partition as the store has it, with nothing in memory.
    pub(super) fn new(partition: Partition, incarnation: Incarnation, mark: Mark) -> Self {
        Self {
            partition,
            fence: mark.fence,
            incarnation,
            applied: mark.applied,
            dialogs: mark.dialogs,
            received: mark.received,
            events: mark.events,
            resident: HashMap::new(),
            clock: 0,
            pending: VecDeque::new(),
            is_paused: false,
            cautious: 0,
            trial: mark.trial,
            condemned: None,
            to_unpark: BTreeSet::new(),
            watched: BTreeSet::new(),
            next_due: Timestamp(i64::MIN),
            silence: None,
            fired: BTreeMap::new(),
        }
    }

    pub(super) fn resident_count(&self) -> usize {
        self.resident.len()
    }

    pub(super) fn aggregate(&self, target: &Target) -> Option<&Aggregate> {
        self.resident.get(target).and_then(|r| r.held.readable())
    }

    pub(super) fn has(&self, target: &Target) -> bool {
        self.resident.contains_key(target)
    }

    /// Takes a state into memory, and notes whether its parked commands can be decided now. One
    /// that a newer version wrote is taken too: its commands are parked.
    pub(super) fn install(&mut self, target: &Target, stored: &StoredState) -> Result<()> {
        let held = Held::load(target, stored)?;
        if held.readable().is_some_and(Aggregate::can_unpark) {
            self.to_unpark.insert(target.clone());
        }
        let due = held.readable().map(presence::due_lines).transpose()?;
        let resident = Resident {
            due: due.unwrap_or_default(),
            used: self.clock,
            decisions: u32::try_from(stored.decisions.len()).unwrap_or(u32::MAX),
            // Not known without encoding them again; of this order.
            decisions_bytes: stored.decisions.len() * 512,
            snapshot_bytes: stored.snapshot.as_ref().map_or(0, Bytes::len),
            held,
        };
        self.resident.insert(target.clone(), resident);
        Ok(())
    }

    /// Decides a command and applies what it led to.
    pub(super) fn decide(
        &mut self,
        cx: &Context,
        record: &Record,
        envelope: &Envelope,
        stage: &mut Stage,
    ) -> Result<()> {
        let Envelope::Command(command) = envelope else {
            // It is among the dead letters already; nothing else is known of it.
            return Ok(());
        };
        if let Some((partition, place)) = command.id.follow_up()
            && self
                .received
                .get(&partition)
                .is_some_and(|last| is_repeat(*last, place))
        {
            count(&cx.stats.follow_ups_repeated, 1);
            return Ok(());
        }
        let is_condemned = self.condemned == Some(record.offset);
        let next_dialog = DialogId::nth(self.dialogs, self.partition, cx.partitions());
        let input = Input {
            record: command,
            offset: record.offset,
            at: record.at,
            policies: &cx.policies,
            next_dialog,
        };
        let resident = self.resident.get(&command.target).ok_or_else(|| {
            Error::new(ErrorKind::Internal, "decide a command")
                .with_context("not in memory", &command.target)
        })?;
        let decision = match &resident.held {
            Held::Readable(aggregate) if is_condemned => Some(aggregate.park(&input, "poison")),
            Held::Readable(aggregate) => Some(aggregate.decide(&input)),
            Held::Unread(unread) => unread.park(&input),
        };
        if let Some(decision) = decision.as_ref().filter(|d| is_letter(d)) {
            let raw = raw_of(&resident.held, record, decision)?;
            stage.raw.insert(record.offset, raw);
        }
        if let Some(received) = command.id.follow_up() {
            self.received.extend([received]);
            stage.received.extend([received]);
        }
        match decision {
            Some(decision) => self.take_in(decision, stage),
            None => Ok(()),
        }
    }

    /// The dead letter of a record without a readable envelope.
    pub(super) fn letter(&self, record: &Record, reason: &'static str) -> DeadLetter {
        DeadLetter {
            origin: Label::literal("engine"),
            partition: self.partition,
            offset: record.offset,
            reason: Label::literal(reason),
            attempts: 1,
            at: record.at,
            record: record.bytes.clone(),
        }
    }

    /// Applies a decision: a new one, or one that was published. The target must be in memory.
    ///
    /// # Errors
    /// `Corrupt` when the state is not the one that it was made on: the lane must be given up.
    pub(super) fn take_in(&mut self, decision: Decision, stage: &mut Stage) -> Result<()> {
        for (partition, place) in decision.received() {
            let last = self.received.entry(partition).or_default();
            *last = (*last).max(place);
            stage.received.insert(partition, *last);
        }
        self.dialogs += u64::from(decision.dialogs_opened);
        self.clock += 1;
        let bytes = record::encode(&decision)?;
        let target = decision.target.clone();
        let resident = self.resident.get_mut(&target).ok_or_else(|| {
            Error::new(ErrorKind::Internal, "apply a decision")
                .with_context("not in memory", &target)
        })?;
        resident.held.apply(&decision)?;
        resident.used = self.clock;
        resident.decisions = resident.decisions.saturating_add(1);
        resident.decisions_bytes += bytes.len();
        stage.touched.insert(target);
        stage.decisions.push(StoredDecision {
            decision: Arc::new(decision),
            bytes,
        });
        Ok(())
    }

    /// What is saved for the stage, and what is emitted once it is.
    pub(super) fn close(
        &mut self,
        cx: &Context,
        stage: Stage,
        applied: Offset,
    ) -> Result<(PartitionBatch, Job)> {
        let mut due = Vec::new();
        let mut snapshots = Vec::new();
        for target in &stage.touched {
            let Some(resident) = self.resident.get(target) else {
                continue;
            };
            let Some(aggregate) = resident.held.readable() else {
                // Its snapshot and its timers stay as the newer version left them.
                continue;
            };
            let lines = presence::due_lines(aggregate)?;
            if let Target::Desk(desk) = target {
                if lines.iter().any(presence::is_presence) {
                    self.watched.insert(desk.clone());
                } else {
                    self.watched.remove(desk);
                }
            }
            let is_due_for_snapshot = resident.decisions >= cx.config.snapshot_decisions
                && resident.decisions_bytes >= resident.snapshot_bytes / SNAPSHOT_PART;
            let snapshot = match is_due_for_snapshot {
                true => Some(aggregate.encode()?),
                false => None,
            };
            let Some(resident) = self.resident.get_mut(target) else {
                continue;
            };
            if resident.due != lines {
                let first = lines.iter().find(|line| !presence::is_presence(line));
                self.next_due = self.next_due.min(first.map_or(self.next_due, |l| l.at));
                resident.due.clone_from(&lines);
                due.push((target.clone(), lines));
            }
            if let Some(bytes) = snapshot {
                resident.decisions = 0;
                resident.decisions_bytes = 0;
                resident.snapshot_bytes = bytes.len();
                snapshots.push((target.clone(), bytes));
            }
        }
        tally(cx, &stage, snapshots.len());
        let job = Job {
            upto: applied,
            decisions: stage.decisions.clone(),
            letters: stage.raw,
            snapshots: snapshots
                .iter()
                .filter_map(|(target, bytes)| {
                    let covered = Offset(applied.0.checked_sub(1)?);
                    Some((target.to_string(), covered, Some(bytes.clone())))
                })
                .collect(),
            routes: None,
            publish_from: Offset(0),
        };
        // Part of the decisions, so that a replay forgets what was forgotten.
        let forget = stage.decisions.iter();
        let forget = forget.flat_map(|stored| stored.decision.forget.clone());
        let batch = PartitionBatch {
            applied,
            forget: forget.collect(),
            decisions: stage.decisions,
            snapshots,
            due,
            received: stage.received,
            ..self.note(None)
        };
        Ok((batch, job))
    }

    /// A batch that only notes something.
    pub(super) fn note(&self, trial: Option<Trial>) -> PartitionBatch {
        PartitionBatch {
            partition: self.partition,
            fence: self.fence,
            incarnation: self.incarnation,
            expected: self.applied,
            applied: self.applied,
            decisions: Vec::new(),
            snapshots: Vec::new(),
            due: Vec::new(),
            dialogs: self.dialogs,
            received: BTreeMap::new(),
            events: self.events,
            trial,
            forget: Vec::new(),
        }
    }

    /// When each resident was used last, for whoever must choose which go.
    pub(super) fn uses(&self) -> impl Iterator<Item = u64> {
        self.resident.values().map(|resident| resident.used)
    }

    /// Lets those go that were not used since.
    pub(super) fn evict(&mut self, used_before: u64) {
        self.resident.retain(|_, r| r.used >= used_before);
    }

    /// The first record that has not been decided, cloned so that a failure loses nothing.
    pub(super) fn peek(&self, limit: usize) -> Vec<Record> {
        self.pending.iter().take(limit).cloned().collect()
    }
}

/// The record of a decision that is a dead letter. One that was parked may have left the journal:
/// the state has what it said.
fn raw_of(held: &Held, record: &Record, decision: &Decision) -> Result<Bytes> {
    let parked = held.readable().and_then(|state| state.parked().next());
    match parked.filter(|parked| Some(parked.offset) == decision.unparked) {
        Some(parked) => record::encode(&parked.command),
        None => Ok(record.bytes.clone()),
    }
}

/// Whether a follow-up came before: the last one from its source is known, and they come in order.
fn is_repeat(last: (Offset, u32), place: (Offset, u32)) -> bool {
    if on(Switch::FollowUpsWindowed) {
        return last == place;
    }
    last >= place
}

/// Whether a decision goes to the dead letters as well.
pub(super) fn is_letter(decision: &Decision) -> bool {
    letter_reason(decision).is_some()
}

/// Why it does.
pub(super) fn letter_reason(decision: &Decision) -> Option<&Label> {
    match &decision.verdict {
        Verdict::DeadLettered { reason } => Some(reason),
        Verdict::Parked { reason, .. } if *reason == Label::literal("poison") => Some(reason),
        _ => None,
    }
}

fn tally(cx: &Context, stage: &Stage, snapshots: usize) {
    let stats = &cx.stats;
    count(&stats.snapshots, snapshots);
    for stored in &stage.decisions {
        let counter = match &stored.decision.verdict {
            Verdict::Decided(Outcome::Accepted(_)) => &stats.accepted,
            Verdict::Decided(Outcome::Rejected(_)) => &stats.rejected,
            Verdict::Repeated(_) => &stats.repeated,
            Verdict::DeadLettered { .. } => &stats.dead_letters,
            Verdict::Parked { .. } => &stats.parked,
        };
        count(counter, 1);
        let events = stored.decision.appended.iter().map(|a| a.events.len());
        count(&stats.events, events.sum());
    }
}
