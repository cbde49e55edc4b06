//! A file whose writes wait in memory until the next sync, and then go to it in order and in long
//! runs. The database writes a checkpoint page by page and in no order: thousands of small writes.

use std::{
    collections::BTreeMap,
    io,
    sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use redb::StorageBackend;

use crate::disk::DiskFile;

/// Past this many bytes, what waits is written without a sync.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// The longest single write.
const RUN_BYTES_MAX: usize = 1 << 20;

/// What waits to be written. No two overlap.
#[derive(Debug, Default)]
struct Waiting {
    writes: BTreeMap<u64, Vec<u8>>,
    bytes: usize,
}

impl Waiting {
    fn overlaps(&self, at: u64, bytes: usize) -> bool {
        let end = at.saturating_add(bytes as u64);
        let before = self.writes.range(..end).next_back();
        before.is_some_and(|(from, data)| from + data.len() as u64 > at)
    }
}

/// The wrapped file. Reads see what waits.
#[derive(Debug)]
pub(crate) struct Gathered {
    file: DiskFile,
    waiting: RwLock<Waiting>,
    /// Held by whoever changes what waits; whether writing it out has failed.
    failed: Mutex<bool>,
}

impl Gathered {
    pub(crate) fn new(file: DiskFile) -> Self {
        Self {
            file,
            waiting: RwLock::default(),
            failed: Mutex::new(false),
        }
    }

    fn read_waiting(&self) -> RwLockReadGuard<'_, Waiting> {
        self.waiting.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_waiting(&self) -> RwLockWriteGuard<'_, Waiting> {
        self.waiting.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to change what waits. After a failure nobody gets it: part of what waited may be
    /// in the file and part of it not, and a later success would hide that.
    fn turn(&self) -> io::Result<MutexGuard<'_, bool>> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if *failed {
            return Err(io::Error::other("an earlier write failed"));
        }
        Ok(failed)
    }

    /// Writes out what waits. Readers go on meanwhile.
    fn write_out(&self, failed: &mut bool) -> io::Result<()> {
        let written = self.write_runs(&self.read_waiting());
        *failed = written.is_err();
        written?;
        // Freed without the lock.
        let done = std::mem::take(&mut *self.change_waiting());
        drop(done);
        Ok(())
    }

    fn write_runs(&self, waiting: &Waiting) -> io::Result<()> {
        let mut run: Vec<u8> = Vec::new();
        let mut from = 0;
        for (at, data) in &waiting.writes {
            let follows = from + run.len() as u64 == *at;
            if !follows || run.len() + data.len() > RUN_BYTES_MAX {
                if !run.is_empty() {
                    self.file.write(from, &run)?;
                }
                run.clear();
                from = *at;
            }
            run.extend(data);
        }
        if run.is_empty() {
            return Ok(());
        }
        self.file.write(from, &run)
    }
}

impl StorageBackend for Gathered {
    fn len(&self) -> io::Result<u64> {
        self.write_out(&mut *self.turn()?)?;
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        {
            let waiting = self.read_waiting();
            if !waiting.overlaps(offset, out.len()) {
                return self.file.read(offset, out);
            }
            let same = waiting.writes.get(&offset);
            if let Some(data) = same.and_then(|data| data.get(..out.len())) {
                out.copy_from_slice(data);
                return Ok(());
            }
        }
        self.write_out(&mut *self.turn()?)?;
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.write_out(&mut *self.turn()?)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.write_out(&mut *self.turn()?)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut failed = self.turn()?;
        let replaced = {
            let mut waiting = self.change_waiting();
            match waiting.writes.get_mut(&offset) {
                Some(before) if before.len() == data.len() => {
                    before.copy_from_slice(data);
                    true
                }
                _ => false,
            }
        };
        if replaced {
            return Ok(());
        }
        if self.read_waiting().overlaps(offset, data.len()) {
            self.write_out(&mut failed)?;
        }
        let bytes = {
            let mut waiting = self.change_waiting();
            waiting.writes.insert(offset, data.to_vec());
            waiting.bytes += data.len();
            waiting.bytes
        };
        if bytes > WAITING_BYTES_MAX {
            self.write_out(&mut failed)?;
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.write_out(&mut *self.turn()?)?;
        self.file.close()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    };

    use super::*;

    /// A file in memory that counts its writes and may refuse them.
    #[derive(Debug, Default, Clone)]
    struct Plain {
        bytes: Arc<Mutex<Vec<u8>>>,
        writes: Arc<AtomicUsize>,
        full: Arc<AtomicBool>,
    }

    impl StorageBackend for Plain {
        fn len(&self) -> io::Result<u64> {
            Ok(self.bytes.lock().unwrap().len() as u64)
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            let at = usize::try_from(offset).unwrap();
            out.copy_from_slice(&self.bytes.lock().unwrap()[at..at + out.len()]);
            Ok(())
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            let len = usize::try_from(len).unwrap();
            self.bytes.lock().unwrap().resize(len, 0);
            Ok(())
        }

        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            if self.full.load(SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.writes.fetch_add(1, SeqCst);
            let at = usize::try_from(offset).unwrap();
            self.bytes.lock().unwrap()[at..at + data.len()].copy_from_slice(data);
            Ok(())
        }

        fn close(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gathered() -> (Plain, Gathered) {
        let plain = Plain::default();
        plain.set_len(4096).unwrap();
        let gathered = Gathered::new(DiskFile(Box::new(plain.clone())));
        (plain, gathered)
    }

    #[test]
    fn what_is_read_is_what_was_written_and_a_sync_brings_it_to_the_file() {
        for seed in 1..=50u64 {
            let (plain, gathered) = gathered();
            let mut model = vec![0; 4096];
            let mut random = seed;
            for _ in 0..300 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let at = usize::try_from(random % 60).unwrap() * 64;
                let bytes = 64 << (random >> 20 & 1);
                let range = at..at + bytes;
                let what = random >> 40 & 15;
                match what {
                    0 => {
                        gathered.sync_data().unwrap();
                        assert_eq!(*plain.bytes.lock().unwrap(), model);
                    }
                    1..8 => {
                        let data = vec![random.to_le_bytes()[3]; bytes];
                        gathered.write(at as u64, &data).unwrap();
                        model[range].copy_from_slice(&data);
                    }
                    _ => {
                        let mut found = vec![0; bytes];
                        gathered.read(at as u64, &mut found).unwrap();
                        assert_eq!(found, model[range]);
                    }
                }
            }
        }
    }

    #[test]
    fn neighbours_are_written_at_once() {
        let (plain, gathered) = gathered();
        for at in [128, 0, 64, 1024, 192, 64] {
            gathered.write(at, &[at.to_le_bytes()[0]; 64]).unwrap();
        }
        assert_eq!(plain.writes.load(SeqCst), 0);
        gathered.sync_data().unwrap();
        assert_eq!(plain.writes.load(SeqCst), 2);
    }

    #[test]
    fn after_a_failed_write_no_sync_succeeds() {
        let (plain, gathered) = gathered();
        gathered.write(0, &[1; 64]).unwrap();
        plain.full.store(true, SeqCst);
        let error = gathered.sync_data().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        plain.full.store(false, SeqCst);
        gathered.sync_data().unwrap_err();
        gathered.write(0, &[2; 64]).unwrap_err();
    }
}
