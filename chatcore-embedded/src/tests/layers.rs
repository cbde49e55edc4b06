//! The layers against a plain map: what is read is what was written, at every moment that a reader
//! holds, whatever checkpoints do meanwhile.

use std::{collections::BTreeMap, sync::Arc};

use redb::backends::InMemoryBackend;

use crate::{
    checkpoint,
    keys::{Key, Range},
    layer::Layer,
    layers::Base,
    live::{Live, Reading},
    log::ops,
    tables::{EVENTS, Group, META, OUTBOX, Table, View},
};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

const TABLES: [Table; 2] = [EVENTS, OUTBOX];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn database() -> redb::Database {
    let database = redb::Database::builder()
        .create_with_backend(InMemoryBackend::new())
        .unwrap();
    checkpoint::ensure_tables(&database).unwrap();
    database
}

fn key(n: u64) -> Vec<u8> {
    Key::default().u64(n).bytes().to_vec()
}

fn range(from: u64, to: u64) -> Range {
    Key::default().u64(from).until(Key::default().u64(to))
}

fn entries(view: &dyn View, table: Table, range: &Range) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    view.scan(table, range, &mut |key, value| {
        found.push((key.to_vec(), value.to_vec()));
        true
    })
    .unwrap();
    let mut back = Vec::new();
    view.scan_back(table, range, &mut |key, value| {
        back.push((key.to_vec(), value.to_vec()));
        true
    })
    .unwrap();
    back.reverse();
    assert_eq!(found, back);
    found
}

/// Everything, a part, the first of it, and single keys.
fn assert_reads(view: &dyn View, models: &[Model; 2], keys: u64, random: &mut Random) {
    for (table, model) in TABLES.into_iter().zip(models) {
        let all: Vec<_> = model.clone().into_iter().collect();
        assert_eq!(entries(view, table, &Key::default().prefix()), all);
        let from = random.below(keys);
        let to = random.below(keys);
        let part = match from <= to {
            true => model.range(key(from)..key(to)).collect(),
            false => Vec::new(),
        };
        let found = entries(view, table, &range(from, to));
        assert!(found.iter().map(|(k, v)| (k, v)).eq(part));
        let mut first = None;
        view.scan(table, &Key::default().u64(from).on(), &mut |key, _| {
            first = Some(key.to_vec());
            false
        })
        .unwrap();
        assert_eq!(first.as_ref(), model.range(key(from)..).next().map(|e| e.0));
        let n = key(random.below(keys));
        let value = view.get(table, &n).unwrap();
        assert_eq!(value.as_deref(), model.get(&n).map(Vec::as_slice));
    }
}

fn write(group: &mut Group<'_>, models: &mut [Model; 2], keys: u64, random: &mut Random) {
    let which = usize::try_from(random.below(2)).unwrap();
    let (table, model) = (TABLES[which], &mut models[which]);
    let n = random.below(keys);
    match random.below(20) {
        0..12 => {
            let value = random.below(1_000).to_string().into_bytes();
            group.put(table, &key(n), &value).unwrap();
            model.insert(key(n), value);
        }
        12..16 => {
            group.remove(table, &key(n)).unwrap();
            model.remove(&key(n));
        }
        wide => {
            let width = if wide == 19 { keys } else { 9 };
            let to = n + random.below(width);
            group.remove_range(table, &range(n, to)).unwrap();
            model.retain(|k, _| *k < key(n) || *k >= key(to));
        }
    }
}

/// One run: groups, readers that stay for a while, and checkpoints, in any order. Returns the log.
fn run(seed: u64, keys: u64, groups: u64) -> (Vec<u8>, [Model; 2]) {
    let mut random = Random(seed);
    let database = database();
    let live = Arc::new(Live::new(Base::open(&database).unwrap(), 0));
    let mut models = [Model::new(), Model::new()];
    let mut readers: Vec<(Reading, [Model; 2])> = Vec::new();
    let mut frozen: Option<(Arc<Layer>, u64)> = None;
    let mut log = Vec::new();
    for _ in 0..groups {
        let (layers, stamp) = live.next_group();
        let mut group = Group::new(&layers, stamp, &mut log);
        for _ in 0..random.below(keys / 4) {
            write(&mut group, &mut models, keys, &mut random);
        }
        assert_reads(&group, &models, keys, &mut random);
        for (reading, model) in &readers {
            assert_reads(reading, model, keys, &mut random);
        }
        live.publish(stamp.group);
        if random.below(3) == 0 {
            readers.push((live.read(), models.clone()));
        }
        if readers.len() > 4 || random.below(5) == 0 && !readers.is_empty() {
            let which = usize::try_from(random.below(readers.len() as u64)).unwrap();
            readers.remove(which);
        }
        match frozen.take() {
            None if random.below(3) == 0 => frozen = live.freeze(),
            Some((layer, last)) if random.below(3) == 0 => {
                let base = checkpoint::flush(&database, &layer, last).unwrap();
                live.checkpointed(base);
            }
            same => frozen = same,
        }
    }
    (log, models)
}

#[test]
fn what_is_read_is_what_was_written_before() {
    for seed in 1..=60 {
        run(seed, 40, 60);
    }
}

/// With so many keys that removed ranges are covered and not named.
#[test]
fn a_large_range_is_removed_for_later_readers_only() {
    for seed in 1..=3 {
        run(seed, 1_500, 24);
    }
}

/// The log of a run leads to what the run led to, and once more to the same.
#[test]
fn a_log_leads_to_the_same_as_often_as_it_is_replayed() {
    for (seed, keys) in [(11, 40), (12, 1_500)] {
        let (log, models) = run(seed, keys, 24);
        let database = database();
        for _ in 0..2 {
            let live = Arc::new(Live::new(Base::open(&database).unwrap(), 0));
            let (layers, stamp) = live.next_group();
            let mut again = Vec::new();
            let mut group = Group::new(&layers, stamp, &mut again);
            ops::replay(log.clone().into(), &mut group).unwrap();
            assert_eq!(again.len(), log.len());
            checkpoint::flush(&database, &layers.active, stamp.group).unwrap();
            let reading = Arc::new(Live::new(Base::open(&database).unwrap(), 0)).read();
            assert_reads(&reading, &models, keys, &mut Random(seed));
        }
    }
}

/// What is written, removed and gone before a checkpoint leaves nothing behind in memory.
#[test]
fn what_was_removed_is_forgotten() {
    let database = database();
    let live = Arc::new(Live::new(Base::open(&database).unwrap(), 0));
    for n in 0..500 {
        let (layers, stamp) = live.next_group();
        let mut log = Vec::new();
        let mut group = Group::new(&layers, stamp, &mut log);
        group.put(OUTBOX, &key(n), b"decision").unwrap();
        group.remove_range(OUTBOX, &range(0, n)).unwrap();
        group.put(META, b"n", &key(n)).unwrap();
        live.publish(stamp.group);
    }
    let (layers, _) = live.next_group();
    let mut rows = Vec::new();
    layers
        .active
        .changes(|table, _, changes| {
            rows.extend(changes.map(|(key, _)| (table.name(), key.to_vec())));
            Ok::<_, ()>(())
        })
        .unwrap();
    assert_eq!(rows, [("meta", b"n".to_vec()), ("outbox", key(499))]);
    assert!(
        layers.active.len(OUTBOX) <= 3,
        "{}",
        layers.active.len(OUTBOX)
    );
}
