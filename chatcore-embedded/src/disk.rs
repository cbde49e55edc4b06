//! The seam under the database: how its file is opened.
//!
//! There is one disk in production. The tests put others here, that lose what was not synced,
//! refuse to sync, or are full: this is how "durable means fsynced" is shown rather than said.

use std::{fmt, fs::File, io, path::Path};

use redb::{StorageBackend, backends::FileBackend};

/// Opens the database's file, which exists.
pub(crate) trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Reads and writes of the file go through what this returns.
    fn open(&self, path: &Path) -> io::Result<DiskFile>;
}

/// The operating system's files.
#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<DiskFile> {
        let file = File::options().read(true).write(true).open(path)?;
        let backend = FileBackend::new(file).map_err(io::Error::other)?;
        Ok(DiskFile(Box::new(backend)))
    }
}

/// A boxed [`StorageBackend`]. The folder's own lock keeps other processes out, so the lock
/// methods are left at "unsupported".
#[derive(Debug)]
pub(crate) struct DiskFile(pub(crate) Box<dyn StorageBackend>);

impl StorageBackend for DiskFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}
