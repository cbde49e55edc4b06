//! Runs in the inner loop: a few drawn seeds, and those that once found something.

use std::collections::BTreeMap;

use super::{
    Plan,
    node::SimNode,
    run,
    shrink::{signature, tell},
    socket::Told,
    world::World,
};
use crate::{
    clock::Timestamp,
    identity::{Assurance, Identity, Proof, Who},
    ids::{CustomerId, DeviceId, NodeId},
    routing::Connect,
};

/// Seeds that once found something, and what.
const FOUND: [(u64, &str); 7] = [
    (
        5,
        "a command was taken for poison, as replies to saves were lost",
    ),
    (
        16,
        "a granted dialog was not shown, as the store had lost it",
    ),
    (
        18,
        "a customer's own dialog was not shown, for the same reason",
    ),
    (
        32,
        "what the archive does not have was taken for another history",
    ),
    (49, "an operator did not hear that a dialog was taken away"),
    (240, "the bot had nothing to say to what the store had lost"),
    (591, "an operator who came back was lost on the board"),
];

fn runs_well(plan: &Plan) {
    let report = run(plan).unwrap();
    assert_eq!(signature(&report), None, "{}", tell(plan, &report));
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in [1, 2] {
        let plan = Plan::draw(seed);
        let lines = || run(&plan).unwrap().history.to_json_lines().unwrap();
        assert_eq!(lines(), lines(), "seed {seed}");
    }
}

#[test]
fn without_faults_all_is_well() {
    let plan = Plan::without_faults(1);
    let report = run(&plan).unwrap();
    assert_eq!(signature(&report), None, "{}", tell(&plan, &report));
    let system = report.fired.keys().filter(|kind| kind.is_of_system());
    assert_eq!(system.count(), 0, "{:?}", report.fired);
    assert!(report.commands >= 500, "{}", report.commands);
}

#[test]
fn drawn_seeds_run_well() {
    for seed in 100..104 {
        runs_well(&Plan::draw(seed));
    }
}

#[test]
fn what_was_found_is_mended() {
    for (seed, what) in FOUND {
        println!("seed {seed}: {what}");
        runs_well(&Plan::draw(seed));
    }
}

#[test]
fn a_plan_reads_back() {
    let plan = Plan::draw(5);
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}

/// A node that has just begun.
fn node(world: &World) -> SimNode {
    let mut node = SimNode::new(world, NodeId::literal("node-0"));
    node.start(world).unwrap();
    node
}

#[test]
fn a_device_hears_of_a_node_that_dies_before_it_served_it() {
    let world = World::new(1, None).unwrap();
    let mut node = node(&world);
    let connect = Connect {
        identity: Identity {
            who: Who::Customer(CustomerId::literal("anna")),
            name: "Anna".to_owned(),
            assurance: Assurance::Authenticated,
            expires_at: Timestamp(i64::MAX),
            proof: Proof::default(),
        },
        device: DeviceId::try_new("phone").unwrap(),
        resume: BTreeMap::new(),
        trace: None,
    };
    let (_, socket) = node.connect(&world, connect).unwrap();
    node.crash(&world);
    let told = socket.read();
    assert!(told.iter().any(|told| matches!(told, Told::Gone)));
}

#[test]
fn a_node_that_is_still_draining_comes_back_once_it_has_ended() {
    let world = World::new(1, None).unwrap();
    let mut node = node(&world);
    node.step(&world, 10);
    node.drain();
    node.come_back(&world).unwrap();
    assert!(!node.is_due_back());
    for _ in 0..1_000 {
        assert_eq!(node.step(&world, 10), None);
        world.time.pass(10);
        if node.is_due_back() {
            return;
        }
    }
    panic!("it has not ended");
}
