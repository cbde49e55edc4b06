//! A disk that keeps its promises and not one more: what was not synced is lost when the power
//! goes, whole or in parts.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use redb::StorageBackend;

use crate::disk::{Disk, DiskFile, RealDisk};

/// The unit that a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// When and how the disk fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// The sync at which the power goes (the first has 1); it does not succeed.
    pub(super) power_cut_at_sync: u64,
    /// The sync that fails, once, with the power on.
    pub(super) error_at_sync: u64,
    /// Which sectors written since the last sync reach the disk at the power cut: none, or a
    /// choice made by this seed.
    pub(super) torn: Option<u64>,
    /// The file can't grow past this.
    pub(super) bytes_max: u64,
}

impl Plan {
    pub(super) const KIND: Self = Self {
        power_cut_at_sync: u64::MAX,
        error_at_sync: u64::MAX,
        torn: None,
        bytes_max: u64::MAX,
    };
}

#[derive(Debug, Clone)]
pub(super) struct FaultyDisk(Arc<State>);

#[derive(Debug)]
struct State {
    plan: Mutex<Plan>,
    syncs: AtomicU64,
    power: AtomicBool,
    /// Every file that was opened: the power goes for all of them.
    files: Mutex<Vec<Weak<Mutex<Inner>>>>,
}

impl FaultyDisk {
    pub(super) fn new(plan: Plan) -> Self {
        Self(Arc::new(State {
            plan: Mutex::new(plan),
            syncs: AtomicU64::new(0),
            power: AtomicBool::new(true),
            files: Mutex::default(),
        }))
    }

    /// From now on, counting syncs from 1 again.
    pub(super) fn plan(&self, plan: Plan) {
        *self.0.plan.lock().unwrap() = plan;
        self.0.syncs.store(0, SeqCst);
    }

    /// Syncs since the last plan.
    pub(super) fn syncs(&self) -> u64 {
        self.0.syncs.load(SeqCst)
    }

    /// Cuts the power now.
    pub(super) fn cut_power(&self) {
        self.0.power.store(false, SeqCst);
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path) -> io::Result<DiskFile> {
        let real = RealDisk.open(path)?;
        let mut image = vec![0; usize::try_from(real.len()?).unwrap()];
        real.read(0, &mut image)?;
        let inner = Arc::new(Mutex::new(Inner {
            real,
            image,
            unsynced: Vec::new(),
        }));
        self.0.files.lock().unwrap().push(Arc::downgrade(&inner));
        Ok(DiskFile(Box::new(FaultyFile {
            state: Arc::clone(&self.0),
            inner,
        })))
    }
}

#[derive(Debug)]
struct FaultyFile {
    state: Arc<State>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    /// What is on the disk.
    real: DiskFile,
    /// What the process sees.
    image: Vec<u8>,
    /// What lies between the two, in order.
    unsynced: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Length(u64),
    Bytes(u64, Vec<u8>),
}

impl FaultyFile {
    fn powered(&self) -> io::Result<()> {
        if self.state.power.load(SeqCst) {
            return Ok(());
        }
        Err(io::Error::other("the power is off"))
    }

    fn room(&self, end: u64) -> io::Result<()> {
        if end <= self.state.plan.lock().unwrap().bytes_max {
            return Ok(());
        }
        Err(io::ErrorKind::StorageFull.into())
    }
}

impl Inner {
    fn apply(&mut self, change: &Change) -> io::Result<()> {
        match change {
            Change::Length(len) => self.real.set_len(*len),
            Change::Bytes(at, data) => self.real.write(*at, data),
        }
    }

    /// The sectors that happened to be written when the power went.
    fn tear(&mut self, seed: u64) -> io::Result<()> {
        let mut random = seed | 1;
        for change in std::mem::take(&mut self.unsynced) {
            let Change::Bytes(at, data) = &change else {
                self.apply(&change)?;
                continue;
            };
            for (i, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                if !random.is_multiple_of(3) {
                    let at = at + (i * SECTOR_BYTES) as u64;
                    self.apply(&Change::Bytes(at, sector.to_vec()))?;
                }
            }
        }
        Ok(())
    }
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.powered()?;
        Ok(self.inner.lock().unwrap().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.powered()?;
        let inner = self.inner.lock().unwrap();
        let at = usize::try_from(offset).unwrap();
        let found = inner.image.get(at..at + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.powered()?;
        self.room(len)?;
        let mut inner = self.inner.lock().unwrap();
        inner.image.resize(usize::try_from(len).unwrap(), 0);
        inner.unsynced.push(Change::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.powered()?;
        let plan = *self.state.plan.lock().unwrap();
        let number = self.state.syncs.fetch_add(1, SeqCst) + 1;
        let mut inner = self.inner.lock().unwrap();
        if number == plan.error_at_sync {
            // What a real disk does: the pages are marked clean, and are not on the disk.
            inner.unsynced.clear();
            return Err(io::Error::other("the disk did not take it"));
        }
        if number == plan.power_cut_at_sync {
            self.state.power.store(false, SeqCst);
            if let Some(seed) = plan.torn {
                inner.tear(seed)?;
                drop(inner);
                let files = self.state.files.lock().unwrap();
                for (i, file) in files.iter().filter_map(Weak::upgrade).enumerate() {
                    file.lock().unwrap().tear(seed + i as u64)?;
                }
            }
            return Err(io::Error::other("the power went off"));
        }
        for change in std::mem::take(&mut inner.unsynced) {
            inner.apply(&change)?;
        }
        inner.real.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.powered()?;
        let mut inner = self.inner.lock().unwrap();
        let at = usize::try_from(offset).unwrap();
        self.room(offset + data.len() as u64)?;
        if inner.image.len() < at + data.len() {
            inner.image.resize(at + data.len(), 0);
        }
        inner.image[at..at + data.len()].copy_from_slice(data);
        inner.unsynced.push(Change::Bytes(offset, data.to_vec()));
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        Ok(())
    }
}
