//! The pure machines: one command, decided and applied.

use chatcore_benches::{Desk, Talk};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

fn dialog(c: &mut Criterion) {
    let talk = Talk::new();
    c.bench_function("dialog: a message", |b| {
        let mut talk = talk.clone();
        b.iter(|| talk.say());
    });
}

fn desk(c: &mut Criterion) {
    let desk = Desk::new(300, 5_000);
    c.bench_function(
        "desk: one more waits, 300 busy operators, 5,000 wait",
        |b| {
            b.iter_batched_ref(|| desk.clone(), Desk::wait, BatchSize::LargeInput);
        },
    );
    c.bench_function(
        "desk: an operator is freed and matched, 300 and 5,000",
        |b| {
            b.iter_batched_ref(|| desk.clone(), Desk::free, BatchSize::LargeInput);
        },
    );
}

criterion_group!(benches, dialog, desk);
criterion_main!(benches);
