//! The golden frames of `chatcore.v1`: lines that clients and servers of this version wrote, which
//! every later server must read, and must write alike for the same version.
//!
//! Files of a version that was released are never changed; `docs/spec/formats.md` says what a new
//! one must do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    clippy::too_many_lines,
    dead_code,
    reason = "a test fails by panicking; the samples are those of the records, of which not all are frames"
)]

#[path = "../../../chatcore/tests/golden/commands.rs"]
mod commands;
#[path = "../../../chatcore/tests/golden/decisions.rs"]
mod decisions;
#[path = "../../../chatcore/tests/golden/events.rs"]
mod events;
mod frames;
#[path = "../../../chatcore/tests/golden/words.rs"]
mod words;

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::PathBuf,
};

use chatcore_server::protocol::{ServerFrame, parse_frame};
use serde::Serialize;

fn path(file: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1");
    folder.join(format!("{file}.jsonl"))
}

fn golden(file: &str) -> Vec<String> {
    let text = fs::read_to_string(path(file)).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn lines<T: Serialize>(samples: &[T]) -> Vec<String> {
    samples
        .iter()
        .map(|s| serde_json::to_string(s).unwrap())
        .collect()
}

#[test]
fn frames_of_clients_are_read_as_they_were() {
    let samples = frames::of_clients();
    let golden = golden("client_frames");
    assert_eq!(golden, lines(&samples));
    for (line, sample) in golden.iter().zip(&samples) {
        let frame = parse_frame(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(frame, *sample, "{line}");
    }
    let kinds: BTreeSet<_> = samples.iter().map(|frame| frame.kind()).collect();
    assert_eq!(kinds.len(), 10, "a sample of each kind: {kinds:?}");
}

#[test]
fn frames_of_the_server_are_written_as_they_were() {
    let samples = frames::of_the_server();
    let golden = golden("server_frames");
    assert_eq!(golden, lines(&samples));
    for (line, sample) in golden.iter().zip(&samples) {
        let frame: ServerFrame = serde_json::from_str(line).unwrap();
        assert_eq!(frame, *sample, "{line}");
    }
    let kinds: BTreeSet<_> = samples.iter().map(ServerFrame::kind).collect();
    assert_eq!(kinds.len(), 16, "a sample of each kind: {kinds:?}");
}

/// Not run by itself: it writes the files that are not there, and never one that is.
#[test]
#[ignore = "writes the files of a new version, once"]
fn write_what_is_not_there() {
    write("client_frames", &lines(&frames::of_clients()));
    write("server_frames", &lines(&frames::of_the_server()));
}

fn write(file: &str, lines: &[String]) {
    let path = path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => lines
            .iter()
            .for_each(|line| writeln!(file, "{line}").unwrap()),
        // What was written once stands.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
        Err(e) => panic!("{}: {e}", path.display()),
    }
}
