//! What holds whatever is sent in whatever state.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, strategy::ValueTree};

use super::{
    random::{Invented, KINDS, Step, kind, steps},
    *,
};
use crate::dialog::{CustomerTimer, DialogEvent, limits};

/// The desks, as far as they count: their slots, and who waits where.
#[derive(Debug, Clone, Default)]
struct Desks {
    /// Grants that are sent and not answered.
    sent: BTreeSet<(DeskId, GrantId)>,
    /// Grants that are held: the slots.
    held: BTreeMap<(DeskId, GrantId), DialogId>,
    /// Ownerships by a grant that its desk had given up: a late copy of one that was refused.
    strays: BTreeMap<(DeskId, GrantId), (DialogId, OwnerEpoch)>,
    waiting: BTreeMap<DialogId, (DeskId, OwnerEpoch, Timestamp)>,
}

impl Desks {
    fn hear(&mut self, desk: DeskId, command: DeskCommand) {
        match command {
            DeskCommand::Held {
                grant,
                dialog,
                epoch,
                ..
            } => self.is_held((desk, grant), dialog, epoch),
            DeskCommand::Refused { grant, .. } => {
                let key = (desk, grant);
                self.sent.remove(&key);
                assert!(!self.held.contains_key(&key), "{key:?}: held, then refused");
            }
            DeskCommand::Freed { dialog, grant } => {
                let key = (desk, grant);
                let slot = self.held.remove(&key);
                let stray = self.strays.remove(&key).map(|(dialog, _)| dialog);
                assert_eq!(slot.or(stray), Some(dialog), "{key:?}: freed, not held");
            }
            DeskCommand::Wait(wait) | DeskCommand::Pass { wait, .. } => {
                let before = self
                    .waiting
                    .insert(wait.dialog, (desk, wait.epoch, wait.since));
                assert_eq!(before, None, "{} waits twice", wait.dialog);
            }
            DeskCommand::Leave { dialog, epoch } => {
                let before = self.waiting.remove(&dialog);
                let before = before.map(|(desk, epoch, _)| (desk, epoch));
                assert_eq!(before, Some((desk, epoch)), "{dialog} left another line");
            }
            DeskCommand::Confirmed { grant, stands } => {
                let key = (desk, grant);
                let known = self.held.contains_key(&key) || self.strays.contains_key(&key);
                assert!(known || !stands, "{key:?} stands without a slot");
            }
            other => panic!("no follow-up of a dialog: {other:?}"),
        }
    }

    fn is_held(&mut self, key: (DeskId, GrantId), dialog: DialogId, epoch: OwnerEpoch) {
        if self.held.get(&key) == Some(&dialog) || self.strays.contains_key(&key) {
            return;
        }
        if self.sent.remove(&key) {
            self.held.insert(key.clone(), dialog);
        } else {
            self.strays.insert(key.clone(), (dialog, epoch));
        }
        if let Some((desk, ..)) = self.waiting.remove(&dialog) {
            assert_eq!(
                desk, key.0,
                "{dialog} was granted by a desk where it did not wait"
            );
        }
    }
}

/// A world under random commands, with what is known of it from outside.
struct Run {
    world: World,
    desks: Desks,
    invented: Invented,
    /// Each ownership that has been, by dialog: who, and in which epoch.
    owners: BTreeMap<(DialogId, OwnerEpoch), Option<Participant>>,
}

impl Run {
    fn new() -> Self {
        Self {
            world: World::new(),
            desks: Desks::default(),
            invented: Invented::default(),
            owners: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step) -> Decided {
        let (author, command) = step.command(&self.world, &mut self.invented);
        self.world.at = Timestamp(self.world.at.0 + i64::from(step.after));
        let decided = self.send(&author, &command);
        self.release_strays();
        decided
    }

    /// A desk that hears of an ownership by a grant that it gave up sends the dialog back.
    fn release_strays(&mut self) {
        for ((desk, grant), (dialog, epoch)) in self.desks.strays.clone() {
            let lost = Cmd::OwnerLost {
                desk,
                dialog,
                grant,
                epoch,
            };
            self.send(&Participant::System, &lost);
        }
        assert!(self.desks.strays.is_empty(), "an ownership without a slot");
    }

    fn send(&mut self, author: &Participant, command: &Cmd) -> Decided {
        if let Cmd::Grant(grant) = command {
            let newest = self.invented.grants.last().map(|newest| newest.grant);
            if Some(grant.grant) == newest && *author == Participant::System {
                self.desks.sent.insert((grant.desk.clone(), grant.grant));
            }
        }
        let before = self.world.state.clone();
        let decided = self.world.send(author, command);
        if decided.outcome.is_err() {
            assert_eq!(self.world.state, before, "a rejection changed the state");
        }
        for (desk, command) in self.world.told() {
            self.desks.hear(desk, command);
        }
        self.check_desks();
        self.check_owners(&before);
        self.check_limits();
        decided
    }

    /// Slots are ownerships, and lines are the dialogs that wait.
    fn check_desks(&self) {
        let mut slots: BTreeMap<_, _> = self.desks.held.clone();
        slots.extend(
            self.desks
                .strays
                .iter()
                .map(|(key, (dialog, _))| (key.clone(), *dialog)),
        );
        let owned: BTreeMap<_, _> = self
            .world
            .state
            .dialogs()
            .filter_map(|(id, d)| d.ownership().map(|o| ((o.desk.clone(), o.grant), id)))
            .collect();
        assert_eq!(slots, owned);
        let waiting: BTreeMap<_, _> = self
            .world
            .state
            .dialogs()
            .filter_map(|(id, d)| {
                let since = d.waiting_since()?;
                Some((id, (d.queue().desk.clone(), d.epoch(), since)))
            })
            .collect();
        assert_eq!(self.desks.waiting, waiting);
    }

    /// One owner an epoch, epochs grow, and nobody speaks from an ownership that has ended.
    fn check_owners(&mut self, before: &CustomerState) {
        for (id, dialog) in self.world.state.dialogs() {
            let (owner, epoch) = (dialog.owner(), dialog.epoch());
            if let Some(before) = before.dialog(id) {
                assert!(epoch >= before.epoch(), "an epoch went back");
                assert!(
                    epoch > before.epoch() || owner == before.owner(),
                    "an owner changed within an epoch"
                );
            }
            let known = self.owners.insert((id, epoch), owner.clone());
            assert!(
                known.is_none_or(|known| known == owner),
                "two owners of an epoch"
            );
        }
        for ((id, epoch), owner) in &self.owners {
            let stands = self
                .world
                .state
                .dialog(*id)
                .is_some_and(|d| d.epoch() == *epoch);
            if let (Some(owner @ Participant::Staff(_)), false) = (owner, stands) {
                let late = says(*id, "late", Some(*epoch));
                let decided = self.world.state.decide(&late, &self.world.context(owner));
                assert!(decided.outcome.is_err(), "{owner:?} speaks from {epoch}");
            }
        }
    }

    fn check_limits(&self) {
        let state = &self.world.state;
        assert!(state.dialogs.len() <= limits::DIALOGS_MAX);
        assert!(state.links.len() <= limits::LINKS_MAX);
        assert!(state.leaving.len() <= limits::LEAVING_MAX);
        let both = state
            .leaving
            .keys()
            .find(|id| state.dialogs.contains_key(id));
        assert_eq!(both, None, "in the state and leaving");
        let open = state.dialogs().filter(|(_, d)| d.phase() != Phase::Closed);
        assert!(open.count() <= limits::OPEN_DIALOGS_MAX);
        for (_, dialog) in state.dialogs() {
            assert!(dialog.messages.len() <= limits::EDITABLE_MAX);
            assert!(dialog.tags.len() <= limits::TAGS_MAX);
            assert!(dialog.incidents.len() <= limits::INCIDENTS_MAX);
            assert!(dialog.cursors.len() <= limits::CURSORS_MAX);
            assert!(dialog.rating.is_none_or(|score| (1..=5).contains(&score)));
            for cursor in dialog.cursors.values() {
                assert!(cursor.read <= cursor.delivered);
                assert!(cursor.delivered <= dialog.position.seq);
            }
        }
    }

    /// The notes are what the dialogs' events tell, each taken once, and none of them is shown to
    /// the customer.
    fn check_notes(&self) {
        let mut notes = BTreeMap::new();
        let mut removed = BTreeSet::new();
        let logged = self.world.log.iter().flat_map(|logged| &logged.events);
        for (_, told) in logged {
            match &told.event {
                Event::Dialog(DialogEvent::CustomerNoted { note, author, body }) => {
                    let had = notes.insert(*note, (author, body, told.at));
                    let same = had.is_none_or(|had| had == (author, body, told.at));
                    assert!(same, "{note:?} is two notes");
                    assert_eq!(told.visibility, Visibility::Staff);
                }
                Event::Dialog(DialogEvent::CustomerNoteRemoved { note, .. }) => {
                    assert!(notes.contains_key(note), "{note:?} was never there");
                    removed.insert(*note);
                    assert_eq!(told.visibility, Visibility::Staff);
                }
                _ => {}
            }
        }
        notes.retain(|note, _| !removed.contains(note));
        let state = self.world.state.notes();
        let state: BTreeMap<_, _> = state
            .map(|(id, note)| (id, (&note.author, &note.body, note.at)))
            .collect();
        assert_eq!(state, notes);
        assert!(state.len() <= limits::NOTES_MAX);
    }

    /// Ends every dialog that is not closed: no slot is left and nobody waits.
    fn close_all(&mut self) {
        let open: Vec<_> = self
            .world
            .state
            .dialogs()
            .filter(|(_, d)| d.phase() != Phase::Closed)
            .map(|(id, d)| (id, d.operator().cloned(), d.epoch()))
            .collect();
        for (dialog, owner, epoch) in open {
            let close = |owner_epoch| Cmd::Close {
                dialog,
                owner_epoch,
                outcome: label("done"),
            };
            let decided = match owner {
                Some(owner) => self.send(&Participant::Staff(owner), &close(Some(epoch))),
                None => self.send(&customer(), &close(None)),
            };
            assert_eq!(decided.outcome, Ok(Some(dialog)));
        }
        assert!(self.desks.held.is_empty() && self.desks.strays.is_empty());
        assert!(self.desks.waiting.is_empty());
    }

    /// Then every window ends, and nothing is left but the customer.
    fn settle_all(&mut self) {
        for due in self.world.state.due() {
            assert!(matches!(due.key, CustomerTimer::ReopenEnds(_)));
            self.world.at = self.world.at.max(due.at);
            let (key, generation) = (due.key, due.generation);
            self.send(&Participant::System, &Cmd::Timer { key, generation });
        }
        assert_eq!(self.world.state.dialogs().count(), 0);
        assert_eq!(self.world.state.due(), []);
        // And with the archive's word for each nothing is left to be forgotten.
        let leaving: Vec<_> = self.world.state.leaving().collect();
        for (dialog, upto) in leaving {
            self.send(&Participant::System, &Cmd::Archived { dialog, upto });
        }
        assert_eq!(self.world.state.leaving().count(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_commands_in_any_state_keep_the_invariants(steps in steps(120)) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step);
        }
        run.close_all();
        run.settle_all();
        run.check_notes();
    }

    #[test]
    fn a_decision_depends_on_nothing_but_its_input(steps in steps(60)) {
        let mut run = Run::new();
        for step in &steps {
            let (author, command) = step.command(&run.world, &mut run.invented.clone());
            let cx = run.world.context(&author);
            let state: CustomerState =
                crate::record::decode(&encode(&run.world.state).unwrap()).unwrap();
            let (here, there) = (run.world.state.decide(&command, &cx), state.decide(&command, &cx));
            prop_assert_eq!(here, there);
            run.step(step);
        }
    }

    #[test]
    fn random_steps_reach_every_command(steps in steps(2)) {
        for step in steps {
            let mut run = Run::new();
            let (_, command) = step.command(&run.world, &mut run.invented);
            prop_assert!(KINDS.contains(&kind(&command)));
        }
    }
}

#[test]
fn the_limits_hold_in_a_long_run() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(steps(400), 80);
    let long = strategy.new_tree(&mut runner).unwrap().current();
    let mut run = Run::new();
    let mut accepted = BTreeMap::<&str, usize>::new();
    for step in long.iter().flatten() {
        if run.step(step).outcome.is_ok() {
            *accepted.entry(KINDS[step.kind]).or_default() += 1;
        }
    }
    run.check_notes();
    // A random run that never gets anywhere would prove nothing.
    for name in KINDS {
        assert!(
            accepted.get(name).is_some_and(|n| *n > 3),
            "{name}: {accepted:?}"
        );
    }
}
