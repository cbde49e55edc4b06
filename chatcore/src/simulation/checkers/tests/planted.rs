//! Losses, repeats and lies planted by hand: each is found, by the checker that is to find it.

use super::world::{
    World, anna, boris, close, desk, note, open, operator, say, status, to, to_desk,
};
use crate::{
    dialog::DialogEvent,
    ids::{DeskId, StreamId},
    queue::OperatorStatus,
    record::{CommandId, Decision, Event, Verdict},
    simulation::{
        check,
        history::{Entry, History, What},
        truth::Truth,
    },
};

pub(super) struct Story {
    pub(super) entries: Vec<Entry>,
    pub(super) truth: Truth,
}

/// Anna and Boris are served, with a note between; Boris is done. Something is poison.
pub(super) fn story() -> Story {
    let mut world = World::new();
    let mut anna_tab = world.connect(&anna(), "tab", None);
    let mut boris_tab = world.connect(&boris(), "tab", None);
    let mut olga = world.connect(&operator("olga"), "desk", None);
    world.send(
        &olga,
        &to_desk(),
        status(&operator("olga"), OperatorStatus::Available),
    );
    world.settle(&[&olga]);
    world.send(&anna_tab, &to(&anna()), open());
    world.send(&boris_tab, &to(&boris()), open());
    world.settle(&[&anna_tab, &boris_tab]);
    for (tab, who) in [(&anna_tab, anna()), (&boris_tab, boris())] {
        let (dialog, epoch, owner) = world.dialog_of(&who).unwrap();
        assert!(owner.is_some(), "olga has room for both");
        world.send(tab, &to(&who), say(dialog, "hello", None));
        world.send(&olga, &to(&who), say(dialog, "good day", Some(epoch)));
        world.send(&olga, &to(&who), note(dialog, "be kind"));
        world.send(tab, &to(&who), say(dialog, "thank you", None));
        world.again(tab, &to(&who), 2);
        world.settle(&[tab, &olga]);
    }
    let (dialog, epoch, _) = world.dialog_of(&boris()).unwrap();
    world.send(&olga, &to(&boris()), close(dialog, Some(epoch)));
    world.poison(&to(&anna()));
    world.settle(&[&olga]);
    for person in [&mut anna_tab, &mut boris_tab, &mut olga] {
        world.show(person, 2);
    }
    world.rest();
    Story {
        entries: world.history.entries().to_vec(),
        truth: world.truth(),
    }
}

impl Story {
    /// What is found is found as this.
    #[track_caller]
    pub(super) fn turns_red(self, invariant: &str, text: &str) {
        let history: History = self.entries.into_iter().collect();
        let found = check(&history, &self.truth);
        assert!(
            found
                .iter()
                .any(|v| v.invariant == invariant && v.text.contains(text)),
            "{found:#?}"
        );
    }

    pub(super) fn decisions(&mut self) -> impl Iterator<Item = &mut Decision> {
        self.truth
            .partitions
            .iter_mut()
            .flat_map(|p| &mut p.decisions)
    }

    /// The decisions that append such an event.
    #[track_caller]
    pub(super) fn with_event(
        &mut self,
        is_it: impl Fn(&Event<crate::content::Sealed>) -> bool,
    ) -> &mut Decision {
        self.decisions()
            .find(|d| {
                d.appended
                    .iter()
                    .flat_map(|a| &a.events)
                    .any(|e| is_it(&e.event))
            })
            .unwrap()
    }

    pub(super) fn remove_decision(&mut self, is_it: impl Fn(&Decision) -> bool) {
        for partition in &mut self.truth.partitions {
            if let Some(index) = partition.decisions.iter().position(&is_it) {
                partition.decisions.remove(index);
                return;
            }
        }
        panic!("no such decision");
    }

    #[track_caller]
    pub(super) fn entry(&mut self, is_it: impl Fn(&What) -> bool) -> &mut What {
        &mut self
            .entries
            .iter_mut()
            .rev()
            .find(|e| is_it(&e.what))
            .unwrap()
            .what
    }

    #[track_caller]
    pub(super) fn remove_entry(&mut self, is_it: impl Fn(&What) -> bool) -> Entry {
        let index = self.entries.iter().rposition(|e| is_it(&e.what)).unwrap();
        self.entries.remove(index)
    }
}

pub(super) fn is_message(event: &Event<crate::content::Sealed>) -> bool {
    matches!(event, Event::Dialog(DialogEvent::Message { .. }))
}

pub(super) fn is_client(decision: &Decision) -> bool {
    matches!(decision.id, CommandId::Client { .. })
        && matches!(decision.verdict, Verdict::Decided(_))
}

pub(super) fn is_dialog_range(what: &What) -> bool {
    matches!(
        what,
        What::Shown {
            stream: StreamId::Dialog(_),
            ..
        }
    )
}

#[test]
fn nothing_planted_nothing_found() {
    let story = story();
    let history: History = story.entries.into_iter().collect();
    assert_eq!(check(&history, &story.truth), []);
}

#[test]
fn a_board_of_another_desk_is_not_counted() {
    let boards = super::super::boards::walk(&story().truth, |_| {});
    let names: Vec<DeskId> = boards.into_keys().collect();
    assert_eq!(names, [desk()]);
}
