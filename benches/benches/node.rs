//! A node over the ports in process: batches through the engine, follow and resume.

use chatcore_benches::Running;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const PEOPLE: usize = 64;
const EACH: u64 = 32;

fn engine(c: &mut Criterion) {
    let node = Running::new();
    let mut people = node.people(PEOPLE);
    let mut group = c.benchmark_group("node");
    group.throughput(Throughput::Elements(EACH * PEOPLE as u64));
    group.sample_size(20);
    group.bench_function("64 customers say 32 things each", |b| {
        b.iter(|| node.all_say(&mut people, EACH));
    });
    group.finish();
}

fn follow(c: &mut Criterion) {
    let node = Running::new();
    let mut people = node.people(1);
    let Some(person) = people.first_mut() else {
        return;
    };
    let before = person.at;
    node.all_say(std::slice::from_mut(person), 180);
    let mut group = c.benchmark_group("follow");
    group.sample_size(50);
    group.bench_function("a dialog of 180 messages anew", |b| {
        b.iter(|| node.follow(person, None));
    });
    group.bench_function("resume 180 messages behind", |b| {
        b.iter(|| node.follow(person, Some(before)));
    });
    group.finish();
}

criterion_group!(benches, engine, follow);
criterion_main!(benches);
