//! What happens when the disk, the power or another process is not kind.

mod child;
mod damage;
mod faulty_disk;
mod full_disk;
mod journal;
mod layers;
mod log;
mod power_cut;
mod simulation;

use std::path::Path;

use chatcore::{clock::SystemClock, error::Result};

use crate::{
    database::Database,
    disk::{Disk, RealDisk},
    keys::Key,
    options::Options,
    tables::{META, View as _},
    writer::Answer,
};

/// Keeps the switches that break things off while a test runs; they are global to the process.
#[cfg(feature = "sabotage")]
fn whole() -> chatcore::sabotage::Held {
    chatcore::sabotage::none()
}

#[cfg(not(feature = "sabotage"))]
fn whole() -> impl Sized {
    String::new()
}

/// Opens with this disk, blocking, as a process would at its start.
fn open(folder: &Path, disk: &dyn Disk) -> Result<Database> {
    Database::open(&Options::new(folder), disk, &SystemClock)
}

/// As [`open`], with a log so small that there are many checkpoints.
fn open_with_small_log(folder: &Path, disk: &dyn Disk) -> Result<Database> {
    let options = Options::new(folder).with_log_bytes_max(64 << 10);
    Database::open(&options, disk, &SystemClock)
}

fn open_real(folder: &Path) -> Result<Database> {
    open(folder, &RealDisk)
}

fn key(n: u64) -> Vec<u8> {
    [b"record/".as_slice(), &n.to_be_bytes()].concat()
}

/// Writes a record of a few hundred bytes, and returns once it was answered.
async fn write(database: &Database, n: u64, answer: Answer) -> Result<()> {
    database
        .write(answer, move |group| {
            group.put(META, &key(n), &[n.to_le_bytes()[0]; 300])?;
            Ok(())
        })
        .await
}

/// The numbers of all records, in order; each is checked.
async fn written(database: &Database) -> Vec<u64> {
    database
        .read(|view| {
            let mut found = Vec::new();
            let all = Key::default().rest(b"record/").prefix();
            view.scan(META, &all, &mut |key, value| {
                let n = u64::from_be_bytes(key[7..].try_into().unwrap());
                assert_eq!(value, [n.to_le_bytes()[0]; 300]);
                found.push(n);
                true
            })?;
            Ok(found)
        })
        .await
        .unwrap()
}

/// Writes records side by side until the disk fails; returns the answered ones.
async fn write_until_it_fails(database: &Database, callers: u64, each_max: u64) -> Vec<u64> {
    let mut running = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let database = database.clone();
        running.spawn(async move {
            let mut answered = Vec::new();
            for i in 0..each_max {
                let n = i * callers + caller;
                match write(&database, n, Answer::WhenDurable).await {
                    Ok(()) => answered.push(n),
                    Err(_) => break,
                }
            }
            answered
        });
    }
    let mut answered: Vec<u64> = running.join_all().await.into_iter().flatten().collect();
    answered.sort_unstable();
    answered
}
