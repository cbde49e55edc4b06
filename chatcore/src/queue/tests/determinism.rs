//! The same commands give the same bytes in another process: other hash seeds, another time zone,
//! other addresses.

use std::process::Command;

use super::model::{Action, Model};
use crate::record::encode;

const CHILD: &str = "queue::tests::determinism::prints_the_bytes_of_a_life";

/// Numbers that look random and are the same everywhere (an affine generator, high bits taken).
pub(super) fn numbers(seed: u64) -> impl Iterator<Item = Action> {
    let mut state = seed;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::from_fn(move || Some((next(), next(), next())))
}

fn bytes_of_a_life() -> String {
    let mut model = Model::new();
    for action in numbers(42).take(1_500) {
        model.act(action);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&encode(&model.desk.log).unwrap());
    hasher.update(&encode(&model.desk.told).unwrap());
    hasher.update(&encode(&model.desk.state).unwrap());
    hasher.update(&encode(&model.desk.state.snapshot()).unwrap());
    format!("life {}", hasher.finalize().to_hex())
}

#[test]
#[ignore = "run by the test below, in processes of its own"]
fn prints_the_bytes_of_a_life() {
    println!("{}", bytes_of_a_life());
}

#[test]
fn another_process_decides_alike() {
    let here = bytes_of_a_life();
    for (zone, language) in [("Asia/Kamchatka", "ru_RU.UTF-8"), ("America/St_Johns", "C")] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", CHILD, "--ignored", "--nocapture"])
            .env("TZ", zone)
            .env("LC_ALL", language)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&child.stdout).into_owned();
        let there = printed.lines().find(|line| line.contains("life "));
        assert!(
            there.is_some_and(|line| line.ends_with(&here)),
            "{zone}: {printed}"
        );
    }
}
