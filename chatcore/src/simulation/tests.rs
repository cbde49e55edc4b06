//! Runs in the inner loop: a few drawn seeds, and those that once found something.

use super::{
    Plan, run,
    shrink::{signature, tell},
};

/// Seeds that once found something, and what.
const FOUND: [(u64, &str); 3] = [
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
