//! All interleavings of save and deliver against follow, read and live: no session misses or
//! repeats anything where delivery works, and one check of heads repairs what is lost.
//!
//! An explorer over the pure followers, in a world of one stream, one node and two sessions.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a test fails by panicking, and its numbers are small"
)]

#[path = "session_model/world.rs"]
mod world;

use std::{
    collections::HashSet,
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
};

use chatcore::{
    identity::{StaffRole, Who},
    ids::{CustomerId, DeskId, StaffId},
    record::Visibility::{Everyone, Staff},
};
use proptest::prelude::*;
use world::{Action, Faults, Plan, Scripted, Setup, World};

/// More worlds than this: the setup is too large for a test.
const WORLDS_MAX: usize = 100_000;

/// Only one test of the process may break things; all others wait for it.
#[cfg(feature = "sabotage")]
fn whole() -> chatcore::sabotage::Held {
    chatcore::sabotage::none()
}
#[cfg(not(feature = "sabotage"))]
fn whole() {}

fn anna() -> Who {
    Who::Customer(CustomerId::try_new("anna").unwrap())
}

fn staff(id: &str, supervisor: bool) -> Who {
    Who::Staff {
        id: StaffId::try_new(id).unwrap(),
        desk: DeskId::try_new("main").unwrap(),
        role: if supervisor {
            StaffRole::Supervisor
        } else {
            StaffRole::Operator
        },
    }
}

fn plan(who: Who, resume: Option<u64>) -> Plan {
    Plan {
        who,
        resume,
        later: None,
    }
}

fn said(owner: Option<&'static str>) -> Scripted {
    Scripted {
        visibility: Everyone,
        owner,
    }
}

fn noted(owner: Option<&'static str>) -> Scripted {
    Scripted {
        visibility: Staff,
        owner,
    }
}

/// Two sessions of a customer, one of them back with what it had, and three events of which one
/// is a note.
fn talk(faults: Faults) -> Setup {
    Setup {
        script: vec![said(None), said(None), noted(None), said(None)],
        saved: 1,
        plans: vec![plan(anna(), None), plan(anna(), Some(1))],
        faults,
    }
}

struct Explored {
    worlds: usize,
    quiet: usize,
}

/// Visits every world that can come of the setup. What is wrong comes with its path.
fn explore(setup: &Setup) -> Result<Explored, String> {
    let mut seen = HashSet::new();
    let mut explored = Explored {
        worlds: 0,
        quiet: 0,
    };
    let mut path = Vec::new();
    visit(
        setup,
        &setup.begin(),
        &mut path,
        &mut (&mut seen, &mut explored),
    )?;
    assert!(explored.quiet > 0, "no path ends");
    Ok(explored)
}

fn visit(
    setup: &Setup,
    world: &World,
    path: &mut Vec<Action>,
    so_far: &mut (&mut HashSet<u64>, &mut Explored),
) -> Result<(), String> {
    if !so_far.0.insert(identity(world)) {
        return Ok(());
    }
    so_far.1.worlds += 1;
    assert!(so_far.1.worlds <= WORLDS_MAX, "too many worlds");
    let due = world.due(setup);
    if due.is_empty() {
        so_far.1.quiet += 1;
        check_quiet(setup, world).map_err(|wrong| format!("{wrong}\nafter {path:?}"))?;
    }
    for action in due.into_iter().chain(world.faults()) {
        let mut next = world.clone();
        path.push(action);
        next.act(setup, action)
            .map_err(|wrong| format!("{wrong}\nafter {path:?}"))?;
        visit(setup, &next, path, so_far)?;
        path.pop();
    }
    Ok(())
}

/// The hash of the world's `Debug` form.
fn identity(world: &World) -> u64 {
    struct Hashed(DefaultHasher);
    impl Write for Hashed {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            text.hash(&mut self.0);
            Ok(())
        }
    }
    let mut hashed = Hashed(DefaultHasher::new());
    write!(hashed, "{world:?}").unwrap();
    hashed.0.finish()
}

/// Nothing is missing; where something was lost, nothing is missing after one check of heads.
fn check_quiet(setup: &Setup, world: &World) -> Result<(), String> {
    if !world.lost {
        return world.check_whole(setup);
    }
    let mut world = world.clone();
    world.find_head();
    let mut steps = 0;
    while let Some(action) = world.due(setup).first().copied() {
        world.act(setup, action)?;
        steps += 1;
        if steps > 50 {
            return Err("one check of heads does not come to an end".to_owned());
        }
    }
    world
        .check_whole(setup)
        .map_err(|wrong| format!("after a check of heads: {wrong}"))
}

fn holds(setup: &Setup) {
    let _whole = whole();
    match explore(setup) {
        Ok(explored) => println!("{} worlds, {} quiet", explored.worlds, explored.quiet),
        Err(wrong) => panic!("{wrong}"),
    }
}

#[test]
fn nothing_is_missed_or_repeated_where_delivery_works() {
    holds(&talk(Faults::default()));
}

#[test]
fn repeated_and_reordered_frames_change_nothing() {
    holds(&talk(Faults {
        repeats: 2,
        ..Faults::default()
    }));
}

#[test]
fn a_dropped_frame_is_repaired_by_one_check_of_heads() {
    holds(&talk(Faults {
        drops: 2,
        ..Faults::default()
    }));
}

#[test]
fn a_lost_route_is_repaired_by_one_check_of_heads() {
    holds(&talk(Faults {
        routes_lost: 1,
        ..Faults::default()
    }));
}

#[test]
fn a_lapsed_lease_is_repaired_by_its_renewal() {
    let mut setup = talk(Faults {
        leases_lapsed: 1,
        ..Faults::default()
    });
    setup.script.pop();
    holds(&setup);
}

#[test]
fn an_emptied_buffer_is_repaired_without_a_check() {
    holds(&talk(Faults {
        overflows: 1,
        ..Faults::default()
    }));
}

#[test]
fn faults_together_are_repaired_by_one_check_of_heads() {
    let mut setup = talk(Faults {
        drops: 1,
        routes_lost: 1,
        leases_lapsed: 1,
        ..Faults::default()
    });
    setup.script.pop();
    holds(&setup);
}

#[test]
fn a_transferred_operator_sees_nothing_of_what_follows() {
    holds(&Setup {
        script: vec![
            said(Some("olga")),
            said(Some("olga")),
            noted(Some("petr")),
            said(Some("petr")),
        ],
        saved: 1,
        plans: vec![plan(staff("olga", false), None), plan(anna(), None)],
        faults: Faults {
            drops: 1,
            ..Faults::default()
        },
    });
}

#[test]
fn a_session_that_lost_its_rights_sees_nothing_more() {
    let mut supervisor = plan(staff("petr", true), Some(1));
    supervisor.later = Some(staff("petr", false));
    holds(&Setup {
        script: vec![said(None), noted(Some("olga")), said(Some("olga"))],
        saved: 1,
        plans: vec![supervisor, plan(anna(), Some(1))],
        faults: Faults {
            repeats: 1,
            ..Faults::default()
        },
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Any order of saves, reads, and frames that are lost, repeated and swapped: what is told
    /// joins, and after one check of heads nothing is missing.
    #[test]
    fn any_path_through_a_long_talk_is_put_right(
        notes in proptest::collection::vec(any::<bool>(), 12..24),
        resume in proptest::option::of(0..6u64),
        choices in proptest::collection::vec(any::<u16>(), 400),
    ) {
        let _whole = whole();
        let script = notes.iter().map(|note| if *note { noted(None) } else { said(None) });
        let setup = Setup {
            script: script.collect(),
            saved: 6,
            plans: vec![plan(anna(), resume), plan(staff("vera", true), None)],
            faults: Faults { drops: 8, repeats: 8, routes_lost: 2, leases_lapsed: 2, overflows: 2 },
        };
        let mut world = setup.begin();
        for choice in choices {
            let due = world.due(&setup);
            if due.is_empty() {
                break;
            }
            // Faults a quarter of the time, while there are some left.
            let faults = world.faults();
            let from = if choice % 4 == 0 && !faults.is_empty() { faults } else { due };
            let action = from[usize::from(choice / 4) % from.len()];
            prop_assert_eq!(world.act(&setup, action), Ok(()));
        }
        while let Some(action) = world.due(&setup).first().copied() {
            prop_assert_eq!(world.act(&setup, action), Ok(()));
        }
        prop_assert_eq!(check_quiet(&setup, &world), Ok(()));
    }
}

#[cfg(feature = "sabotage")]
mod sabotaged {
    use chatcore::sabotage::{Switch, hold};

    use super::*;

    fn is_noticed(switch: Switch) -> String {
        let _broken = hold(switch);
        match explore(&talk(Faults::default())) {
            Ok(_) => panic!("{} is not noticed", switch.name()),
            Err(wrong) => wrong,
        }
    }

    #[test]
    fn arrivals_dropped_while_reading_are_noticed() {
        let wrong = is_noticed(Switch::ArrivalsDropped);
        assert!(wrong.contains("misses events"), "{wrong}");
    }

    #[test]
    fn a_note_counted_as_a_hole_is_noticed() {
        let wrong = is_noticed(Switch::NoteCountedAsHole);
        assert!(wrong.contains("empty range"), "{wrong}");
    }
}
