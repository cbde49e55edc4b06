//! The golden files: bytes that a version wrote, which every later version must read.
//!
//! A line of a file is a name and the bytes in hexadecimal. The files of a version that was
//! released are never changed; `docs/spec/formats.md` says what a new one must do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    clippy::too_many_lines,
    reason = "a test fails by panicking; samples are lists made of the same words"
)]

mod commands;
mod decisions;
mod events;
mod files;
mod story;
mod words;

use std::fmt::Debug;

use chatcore::{
    content::Sealed,
    dialog::{CustomerTimer, Rejection},
    engine::Aggregate,
    identity::Revocation,
    journal::DeadLetter,
    queue::DeskTimer,
    record::{self, Command, CommandRecord, Decision, EventRecord, Reply, StreamEvent, Verdict},
    routing::NodeFrame,
};
use files::{Golden, golden, write_all};
use serde::{Serialize, de::DeserializeOwned};

/// Each sample is in the file, reads as it did, and is written as it was; and nothing else is
/// there.
fn holds<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    file: &str,
    samples: &[(&'static str, T)],
) {
    let golden: Golden = golden(file);
    let names: Vec<&str> = samples.iter().map(|(name, _)| *name).collect();
    let known: Vec<&str> = golden.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, known, "the samples of {file}");
    for ((name, sample), (_, bytes)) in samples.iter().zip(&golden) {
        let read: T = record::decode(bytes).unwrap_or_else(|e| panic!("{file}, {name}: {e}"));
        assert_eq!(read, *sample, "{file}, {name}");
        let written = record::encode(&read).unwrap();
        assert_eq!(
            written, bytes,
            "{file}, {name}: written otherwise than it was"
        );
    }
}

#[test]
fn commands_read_and_are_written_as_they_were() {
    holds::<Command<Sealed>>("commands", &commands::commands());
    holds::<CommandRecord>("command_records", &commands::records());
    holds::<CustomerTimer>("customer_timers", &commands::customer_timers());
    holds::<DeskTimer>("desk_timers", &commands::desk_timers());
}

#[test]
fn events_read_and_are_written_as_they_were() {
    holds::<StreamEvent<Sealed>>("events", &events::events());
}

#[test]
fn decisions_read_and_are_written_as_they_were() {
    holds::<Verdict>("verdicts", &decisions::verdicts());
    holds::<Rejection>("rejections", &decisions::rejections());
    holds::<Reply>("replies", &decisions::replies());
    holds::<Decision>("decisions", &decisions::decisions());
    holds::<EventRecord>("event_records", &decisions::event_records());
    holds::<DeadLetter>("dead_letters", &decisions::letters());
    holds::<NodeFrame>("node_frames", &decisions::frames());
}

#[test]
fn revocations_read_and_are_written_as_they_were() {
    holds::<Revocation>("revocations", &decisions::revocations());
}

#[test]
fn snapshots_read_and_are_written_as_they_were() {
    holds::<Aggregate>("snapshots", &story::snapshots());
}

/// What was recorded is decided again, and applied again, to the same bytes.
#[test]
fn a_recorded_partition_replays_to_the_same_hashes() {
    let recorded = story::Recorded::read(&golden("partition"));
    assert!(recorded.commands.len() > 20, "{}", recorded.commands.len());
    recorded.decides_alike();
    recorded.applies_alike();
}

/// Not run by itself: `cargo test -p chatcore --all-features --test golden -- --ignored`. It
/// writes the files that are not there, and never one that is.
#[test]
#[ignore = "writes the files of a new version, once"]
fn write_what_is_not_there() {
    write_all("commands", &commands::commands());
    write_all("command_records", &commands::records());
    write_all("customer_timers", &commands::customer_timers());
    write_all("desk_timers", &commands::desk_timers());
    write_all("events", &events::events());
    write_all("verdicts", &decisions::verdicts());
    write_all("rejections", &decisions::rejections());
    write_all("replies", &decisions::replies());
    write_all("decisions", &decisions::decisions());
    write_all("event_records", &decisions::event_records());
    write_all("dead_letters", &decisions::letters());
    write_all("node_frames", &decisions::frames());
    write_all("revocations", &decisions::revocations());
    write_all("snapshots", &story::snapshots());
    story::Recorded::make().write();
}
