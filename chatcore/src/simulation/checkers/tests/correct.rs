//! Whatever people do in a world that does everything right, no checker has anything to say.

use proptest::prelude::*;

use super::world::{
    Person, World, anna, boris, close, give_back, note, open, operator, say, status, to, to_desk,
};
use crate::{
    identity::Who,
    queue::OperatorStatus,
    simulation::{check, history::What},
};

#[derive(Debug, Clone, Copy)]
enum Act {
    Open(bool),
    Say(bool),
    Answer(bool),
    Note(bool),
    GiveBack(bool),
    Close(bool),
    Busy(bool),
    Again(bool),
    Poison(bool),
    Settle,
    Show(usize),
    Return(bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        any::<bool>().prop_map(Act::Open),
        any::<bool>().prop_map(Act::Say),
        any::<bool>().prop_map(Act::Say),
        any::<bool>().prop_map(Act::Answer),
        any::<bool>().prop_map(Act::Note),
        any::<bool>().prop_map(Act::GiveBack),
        any::<bool>().prop_map(Act::Close),
        any::<bool>().prop_map(Act::Busy),
        any::<bool>().prop_map(Act::Again),
        any::<bool>().prop_map(Act::Poison),
        Just(Act::Settle),
        Just(Act::Settle),
        (1..5usize).prop_map(Act::Show),
        any::<bool>().prop_map(Act::Return),
    ]
}

struct Play {
    world: World,
    people: [Person; 4],
}

impl Play {
    fn new() -> Self {
        let mut world = World::new();
        let people = [
            world.connect(&anna(), "tab", None),
            world.connect(&boris(), "tab", None),
            world.connect(&operator("olga"), "desk", None),
            world.connect(&operator("petr"), "desk", None),
        ];
        let mut play = Self { world, people };
        for index in [2, 3] {
            play.send(index, |who| {
                Some((to_desk(), status(who, OperatorStatus::Available)))
            });
        }
        play.settle();
        play
    }

    fn send(
        &mut self,
        index: usize,
        command: impl FnOnce(
            &Who,
        ) -> Option<(
            crate::ids::Target,
            crate::record::Command<crate::content::Sealed>,
        )>,
    ) {
        let person = &self.people[index];
        if let Some((target, command)) = command(&person.viewer.who) {
            self.world.send(person, &target, command);
        }
    }

    fn settle(&mut self) {
        let people: Vec<&Person> = self.people.iter().collect();
        self.world.settle(&people);
    }

    /// The operator of the first or second customer's dialog, and what is known of it.
    fn owner(&self, second: bool) -> Option<(usize, crate::ids::DialogId, crate::ids::OwnerEpoch)> {
        let who = &self.people[usize::from(second)].viewer.who;
        let (dialog, epoch, owner) = self.world.dialog_of(who)?;
        let index = if owner?.as_str() == "olga" { 2 } else { 3 };
        Some((index, dialog, epoch))
    }

    fn act(&mut self, act: Act) {
        let customer = |second: bool| usize::from(second);
        match act {
            Act::Open(second) => self.send(customer(second), |who| Some((to(who), open()))),
            Act::Say(second) => {
                let dialog = self
                    .world
                    .dialog_of(&self.people[customer(second)].viewer.who);
                self.send(customer(second), |who| {
                    Some((to(who), say(dialog?.0, "hello", None)))
                });
            }
            Act::Answer(second)
            | Act::Note(second)
            | Act::GiveBack(second)
            | Act::Close(second) => {
                let Some((index, dialog, epoch)) = self.owner(second) else {
                    return;
                };
                let target = to(&self.people[customer(second)].viewer.who);
                let command = match act {
                    Act::Answer(_) => say(dialog, "good day", Some(epoch)),
                    Act::Note(_) => note(dialog, "be kind"),
                    Act::GiveBack(_) => give_back(dialog, epoch),
                    _ => close(dialog, Some(epoch)),
                };
                self.send(index, |_| Some((target, command)));
            }
            Act::Busy(second) => {
                let index = 2 + usize::from(second);
                self.send(index, |who| {
                    Some((to_desk(), status(who, OperatorStatus::Busy)))
                });
                self.send(index, |who| {
                    Some((to_desk(), status(who, OperatorStatus::Available)))
                });
            }
            Act::Again(second) => {
                let index = 2 + usize::from(second);
                self.world.again(&self.people[index].clone(), &to_desk(), 1);
            }
            Act::Poison(second) => {
                let target = to(&self.people[customer(second)].viewer.who);
                self.world.poison(&target);
            }
            Act::Settle => self.settle(),
            Act::Show(most) => self.show(most),
            Act::Return(second) => {
                let index = usize::from(second) * 2;
                let old = self.people[index].clone();
                self.world.tell(&old, What::Disconnected { code: None });
                let device = old.viewer.device.as_str().to_owned();
                self.people[index] = self.world.connect(&old.viewer.who, &device, Some(&old));
            }
        }
    }

    fn show(&mut self, most: usize) {
        for person in &mut self.people {
            self.world.show(person, most);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_correct_history_is_green(acts in prop::collection::vec(act(), 1..80)) {
        let mut play = Play::new();
        for act in acts {
            play.act(act);
        }
        play.settle();
        play.show(3);
        play.world.rest();
        let found = check(&play.world.history, &play.world.truth());
        prop_assert!(found.is_empty(), "{}", found[0]);
    }
}
