//! The crash-point sweep: a fault at every effect of the engine, and the run ends as if there had
//! been none.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod follower;
mod gate;
mod ports;
mod run;
mod script;
mod sweep;
mod world;

use chatcore::{engine::Aggregate, ids::StreamId, record::Decision};
use run::Successor;
use sweep::{sweep, without_fault};
use world::{Loss, PARTITIONS};

#[test]
fn the_script_exercises_both_machines_in_two_partitions() {
    assert_ne!(
        script::anna().partition(PARTITIONS),
        script::desk().partition(PARTITIONS)
    );
    let whole = without_fault(256);
    assert_eq!(whole.missed, []);
    assert_eq!(whole.seen.letters.len(), 2);
    assert!(whole.seen.streams.values().all(|events| !events.is_empty()));
    let left = [0, 1].map(|opened| StreamId::Dialog(script::dialog(opened)));
    assert_eq!(whole.seen.left, left, "those that are over");
    for name in [
        "take",
        "save",
        "publish",
        "deliver",
        "follow up",
        "commit",
        "trim",
        "trim the journal",
        "bury",
    ] {
        assert!(whole.effects.contains(&name), "{name}");
    }
}

#[test]
fn the_cut_into_batches_changes_nothing() {
    assert_eq!(without_fault(1).seen, without_fault(256).seen);
}

/// A fault at every effect, whatever the store loses then.
fn changes_nothing(successor: Successor, step: usize) {
    let whole = without_fault(256);
    let kinds = [
        (Loss::None, step),
        (Loss::LastSaves, 3),
        (Loss::Everything, 3),
    ];
    let wrong: Vec<String> = kinds
        .into_iter()
        .flat_map(|(loss, step)| sweep(&whole, 256, (loss, successor), step))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn an_effect_that_fails_changes_nothing() {
    changes_nothing(Successor::SameBefore, 2);
}

#[test]
fn an_effect_whose_answer_is_lost_changes_nothing() {
    changes_nothing(Successor::SameAfter, 2);
}

#[test]
fn a_death_changes_nothing() {
    changes_nothing(Successor::New, 1);
}

#[test]
fn a_zombie_changes_nothing() {
    changes_nothing(Successor::Zombie, 2);
}

/// One command a save: other places to die at.
#[test]
fn a_death_between_single_commands_changes_nothing() {
    let whole = without_fault(1);
    let kind = (Loss::LastSaves, Successor::New);
    let wrong: Vec<String> = sweep(&whole, 1, kind, 4).collect();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The state is a function of the published decisions, byte by byte, wherever a snapshot cuts them.
#[test]
fn a_replay_gives_the_same_bytes_at_any_cut() {
    for batch in [1, 256] {
        let whole = without_fault(batch);
        for (target, live) in &whole.states {
            let mine = |d: &&Decision| d.target == *target;
            let decisions: Vec<&Decision> = whole.decisions.iter().filter(mine).collect();
            assert!(decisions.len() > 10, "{target}");
            for cut in 0..=decisions.len() {
                let mut replayed = Aggregate::new(target.clone());
                decisions[..cut].iter().for_each(|d| replayed.apply(d));
                let snapshot = replayed.encode().unwrap();
                let mut replayed = Aggregate::decode(&snapshot).unwrap();
                // What a snapshot covers may come again.
                decisions[cut / 2..].iter().for_each(|d| replayed.apply(d));
                assert_eq!(replayed.encode().unwrap(), *live, "{target}, cut at {cut}");
            }
        }
    }
}
