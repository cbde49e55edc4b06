//! The crash-point sweep must notice what is broken on purpose: each switch turns it red.

#![cfg(feature = "sabotage")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "crash_points/follower.rs"]
mod follower;
#[path = "crash_points/gate.rs"]
mod gate;
#[path = "crash_points/ports.rs"]
mod ports;
#[allow(dead_code, reason = "the sweep without switches uses more of it")]
#[path = "crash_points/run.rs"]
mod run;
#[path = "crash_points/script.rs"]
mod script;
#[path = "crash_points/sweep.rs"]
mod sweep;
#[allow(dead_code, reason = "the sweep without switches uses more of it")]
#[path = "crash_points/world.rs"]
mod world;

use chatcore::sabotage::{Switch, hold, set};
use run::Successor;
use sweep::{sweep, without_fault};
use world::Loss;

/// The first thing that is wrong when this is broken, an engine dies and the store loses this much,
/// at every `step`th effect.
fn noticed(switch: Switch, loss: Loss, step: usize) -> Option<String> {
    let _held = hold(switch);
    set(switch, false);
    let whole = without_fault(256);
    set(switch, true);
    sweep(&whole, 256, (loss, Successor::New), step).next()
}

#[test]
fn a_missing_outbox_is_noticed() {
    assert_ne!(noticed(Switch::NoOutbox, Loss::None, 1), None);
}

#[test]
fn a_commit_before_delivery_is_noticed() {
    assert_ne!(noticed(Switch::CommitBeforeDeliver, Loss::None, 1), None);
}

#[test]
fn outcomes_forgotten_on_restart_are_noticed() {
    assert_ne!(noticed(Switch::OutcomesForgotten, Loss::None, 1), None);
}

#[test]
fn a_dialog_forgotten_before_the_archive_has_it_is_noticed() {
    assert_ne!(noticed(Switch::ForgetBeforeArchive, Loss::None, 1), None);
}

#[test]
fn a_snapshot_ahead_of_what_is_published_is_noticed() {
    // Not at each effect: most are far from any snapshot.
    assert_ne!(noticed(Switch::SnapshotAhead, Loss::Everything, 7), None);
}
