//! What an embedder may set.

use std::path::{Path, PathBuf};

use chatcore::error::{Error, ErrorKind, Result};

/// Where the database is and how much it may take. Nothing is opened by making one.
///
/// ```
/// use chatcore_embedded::Options;
///
/// let options = Options::new("/var/lib/chatcore").with_cache_bytes_max(16 << 20);
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) folder: PathBuf,
    pub(crate) partitions: u32,
    pub(crate) cache_bytes_max: usize,
    pub(crate) log_bytes_max: u64,
    pub(crate) waiting_writes_max: usize,
    pub(crate) waiting_bytes_max: usize,
    pub(crate) reads_max: usize,
    pub(crate) check_on_open: CheckOnOpen,
}

/// Whether opening reads the whole file to check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CheckOnOpen {
    /// Every checksum is checked at each start: two to three seconds for each GB.
    #[default]
    Always,
    /// Only when the last stop was not a clean one. Damage done to the file after a clean stop is
    /// found late, or never.
    AfterCrash,
}

/// The most partitions that a journal can be created with.
const PARTITIONS_MAX: u32 = 4096;
const CACHE_BYTES_MIN: usize = 1 << 20;
const LOG_BYTES_MIN: u64 = 64 << 10;
/// The most that one record of the journal may have.
pub(crate) const RECORD_BYTES_MAX: usize = 8 << 20;

impl Options {
    /// A database in this folder, which is created when missing.
    #[must_use]
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self {
            folder: folder.as_ref().to_owned(),
            partitions: 4,
            cache_bytes_max: 64 << 20,
            log_bytes_max: 32 << 20,
            waiting_writes_max: 1024,
            waiting_bytes_max: 64 << 20,
            reads_max: 32,
            check_on_open: CheckOnOpen::default(),
        }
    }

    /// Partitions of the journal, 1 to 4096; fixed when the folder is created.
    #[must_use]
    pub fn with_partitions(mut self, partitions: u32) -> Self {
        self.partitions = partitions;
        self
    }

    /// Memory for pages of the database, in bytes; at least one MiB.
    #[must_use]
    pub fn with_cache_bytes_max(mut self, bytes: usize) -> Self {
        self.cache_bytes_max = bytes;
        self
    }

    /// Bytes of the log after which a checkpoint brings what it has into the database; at least
    /// 64 KiB. What a crash leaves to do for the next opening grows with it, and so does the
    /// memory: what is in the log and not in the database yet is there too, and twice as much
    /// while a checkpoint is under way.
    #[must_use]
    pub fn with_log_bytes_max(mut self, bytes: u64) -> Self {
        self.log_bytes_max = bytes;
        self
    }

    /// Writes that may wait for the writer; past it, callers wait for room.
    #[must_use]
    pub fn with_waiting_writes_max(mut self, writes: usize) -> Self {
        self.waiting_writes_max = writes;
        self
    }

    /// Bytes of appends that may wait for the writer, at least 8 MiB; past it, appends are refused.
    #[must_use]
    pub fn with_waiting_bytes_max(mut self, bytes: usize) -> Self {
        self.waiting_bytes_max = bytes;
        self
    }

    /// Reads that may be under way; past it, callers wait for their turn.
    #[must_use]
    pub fn with_reads_max(mut self, reads: usize) -> Self {
        self.reads_max = reads;
        self
    }

    /// Whether opening checks the whole file.
    #[must_use]
    pub fn with_check_on_open(mut self, check: CheckOnOpen) -> Self {
        self.check_on_open = check;
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let invalid = |option: &'static str, wanted: &'static str| {
            Err(Error::new(ErrorKind::Invalid, "open the embedded database")
                .with_context("option", option)
                .with_context("must be", wanted))
        };
        if !(1..=PARTITIONS_MAX).contains(&self.partitions) {
            return invalid("partitions", "1 to 4096");
        }
        if self.cache_bytes_max < CACHE_BYTES_MIN {
            return invalid("cache_bytes_max", "at least 1 MiB");
        }
        if self.log_bytes_max < LOG_BYTES_MIN {
            return invalid("log_bytes_max", "at least 64 KiB");
        }
        if self.waiting_writes_max == 0 {
            return invalid("waiting_writes_max", "at least 1");
        }
        if self.waiting_bytes_max < RECORD_BYTES_MAX {
            return invalid("waiting_bytes_max", "at least 8 MiB");
        }
        if self.reads_max == 0 {
            return invalid("reads_max", "at least 1");
        }
        Ok(())
    }
}
