//! Whole lives of a desk, at random.

use proptest::{collection::vec, prelude::*};

use super::model::Model;
use crate::{ids::StaffId, queue::BoardEvent, record::Event};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// After every command I5 and I6 hold (see `Desk::run`). When all is said and heard, the desk
    /// and the dialogs tell the same story; when all are closed, no slot is taken.
    #[test]
    fn any_life_keeps_the_promises(
        actions in vec(any::<(u8, u8, u8)>(), 0..150),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut model = Model::new();
        for action in &actions {
            model.act(*action);
        }
        model.close_all();
        let desk = &model.desk;
        prop_assert!(desk.state.grants().is_empty());
        prop_assert_eq!(desk.state.waiting_count(), 0);
        desk.assert_replays(cut.index(desk.log.len() + 1));
        let repaired = |event: &Event<_>| matches!(event, Event::Board(BoardEvent::Repaired { .. }));
        prop_assert!(!desk.log.iter().any(|one| repaired(&one.event)), "nothing went astray");
    }

    /// The replay of a life that is cut off in its middle, with grants out.
    #[test]
    fn an_unfinished_life_replays(
        actions in vec(any::<(u8, u8, u8)>(), 0..150),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut model = Model::new();
        for action in &actions {
            model.act(*action);
        }
        model.desk.assert_replays(cut.index(model.desk.log.len() + 1));
    }
}

/// The lives above are worth something only if much happens in them.
#[test]
fn lives_are_full_of_events() {
    let mut model = Model::new();
    let mut counts = std::collections::BTreeMap::<&str, u32>::new();
    for action in super::determinism::numbers(7).take(12_000) {
        model.act(action);
    }
    model.close_all();
    for one in &model.desk.log {
        let Event::Board(event) = &one.event else {
            panic!()
        };
        let name = match event {
            BoardEvent::Configured(_) => "configured",
            BoardEvent::Waiting { by_hand: true, .. } => "put back",
            BoardEvent::Waiting { boost: 1.., .. } => "boosted",
            BoardEvent::Waiting { .. } => "waiting",
            BoardEvent::Left { .. } => "left",
            BoardEvent::Operator { .. } => "operator",
            BoardEvent::Granted { reason, .. } if reason.over_capacity => "over capacity",
            BoardEvent::Granted { reason, .. } => match reason.how.as_str() {
                "taken" => "taken",
                "assigned" => "assigned",
                "begun" => "begun",
                "passed" => "passed",
                _ => "automatic",
            },
            BoardEvent::Held { .. } => "held",
            BoardEvent::Refused { .. } => "refused",
            BoardEvent::Freed { .. } => "freed",
            BoardEvent::Resent { .. } => "resent",
            BoardEvent::Confirming { .. } => "confirming",
            BoardEvent::Silence { .. }
            | BoardEvent::Matching { .. }
            | BoardEvent::Repaired { .. } => "never here",
        };
        *counts.entry(name).or_default() += 1;
    }
    for (name, least) in [
        ("configured", 100),
        ("put back", 5),
        ("boosted", 5),
        ("waiting", 100),
        ("left", 20),
        ("operator", 100),
        ("over capacity", 5),
        ("taken", 10),
        ("assigned", 20),
        ("begun", 5),
        ("passed", 5),
        ("automatic", 100),
        ("held", 100),
        ("refused", 20),
        ("freed", 100),
        ("resent", 20),
        ("confirming", 5),
    ] {
        let count = counts.get(name).copied().unwrap_or_default();
        assert!(count >= least, "{name}: {count}, all: {counts:?}");
    }
    assert!(!counts.contains_key("never here"), "{counts:?}");
    let nobody = StaffId::try_new("nobody").unwrap();
    assert!(model.desk.state.operator(&nobody).is_none());
}
