//! The state is a function of the events: a replay gives the same bytes, wherever it runs.

use proptest::{prelude::*, strategy::ValueTree};

use super::{
    random::{Invented, steps},
    *,
};
use crate::record::decode;

fn replayed(state: &mut CustomerState, log: &[Logged]) {
    for logged in log {
        for (stream, event) in &logged.events {
            state.apply(stream, event);
        }
        for moved in &logged.cursors {
            state.apply_cursor(moved);
        }
        for stream in &logged.forget {
            state.apply_forgotten(stream);
        }
    }
}

fn hex(state: &CustomerState) -> String {
    blake3::hash(&encode(state).unwrap()).to_hex().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_replay_of_the_log_gives_the_same_bytes_wherever_it_is_cut(
        steps in steps(100),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut world = World::new();
        let mut invented = Invented::default();
        for step in &steps {
            let (author, command) = step.command(&world, &mut invented);
            world.at = Timestamp(world.at.0 + i64::from(step.after));
            world.send(&author, &command);
        }
        let expected = encode(&world.state).unwrap();
        let log: Vec<Logged> = decode(&encode(&world.log).unwrap()).unwrap();

        let mut whole = CustomerState::new(anna());
        replayed(&mut whole, &log);
        prop_assert_eq!(encode(&whole).unwrap(), expected.clone());

        let (before, after) = log.split_at(cut.index(log.len() + 1));
        let mut first = CustomerState::new(anna());
        replayed(&mut first, before);
        let mut second: CustomerState = decode(&encode(&first).unwrap()).unwrap();
        prop_assert_eq!(&second, &first);
        replayed(&mut second, after);
        prop_assert_eq!(second.due(), world.state.due());
        prop_assert_eq!(encode(&second).unwrap(), expected);
    }
}

/// A script that fills the maps and sets of the state.
fn scripted() -> CustomerState {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let script = steps(600).new_tree(&mut runner).unwrap().current();
    let mut world = World::new();
    let mut invented = Invented::default();
    for step in &script {
        let (author, command) = step.command(&world, &mut invented);
        world.at = Timestamp(world.at.0 + i64::from(step.after));
        world.send(&author, &command);
    }
    assert!(world.state.dialogs().count() > 1);
    world.state
}

#[test]
fn another_process_with_another_time_zone_comes_to_the_same_bytes() {
    const CHILD: &str = "CHATCORE_TEST_REPLAY_CHILD";
    let here = hex(&scripted());
    if std::env::var_os(CHILD).is_some() {
        println!("state={here}.");
        return;
    }
    let name = std::thread::current().name().unwrap().to_owned();
    for zone in ["Pacific/Auckland", "America/St_Johns"] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([&name, "--exact", "--nocapture"])
            .env("TZ", zone)
            .env(CHILD, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&format!("state={here}.")), "{zone}: {said}");
    }
}
