//! The folder of one database: its lock, its format file, and how it is created.
//!
//! | file | what |
//! | --- | --- |
//! | `lock` | held by the process that has the folder open |
//! | `format.json` | format number, number of partitions, incarnation; written once, last |
//! | `chatcore.redb` | the database |
//! | `log-0`, `log-1` | what was written since the last checkpoint of the database |
//! | `mark` | the last group whose writers were answered |
//!
//! The format file is written when everything else is there: without it, the folder was never in
//! use. With it, a log that is missing, or a database file that is missing or empty, is damage.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use chatcore::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::error::{corrupt, from_io, in_use};

/// The format that this build writes and reads.
pub(crate) const FORMAT: u32 = 2;
/// The format without a log: the tables are the same.
const WITHOUT_LOG: u32 = 1;
const OPEN: &str = "open the embedded database";
const CREATE: &str = "create the embedded database";

/// What is written down once, when the folder is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Format {
    pub(crate) format: u32,
    pub(crate) partitions: u32,
    pub(crate) incarnation: u64,
}

/// The part of every format file, of any version, that this build can read.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

/// A folder that this process has locked. Unlocked when dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Creates the folder when missing, and locks it.
    pub(crate) fn lock(path: &Path) -> Result<Self> {
        let context = |e: Error| e.with_context("folder", path.display());
        create_private(path).map_err(|e| context(from_io(OPEN, e)))?;
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path.join("lock"))
            .map_err(|e| context(from_io(OPEN, e)))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message; the lock is what counts.
                if lock.read_to_string(&mut holder).is_err() || holder.is_empty() {
                    "unknown".clone_into(&mut holder);
                }
                return Err(context(in_use(OPEN, holder.trim())));
            }
            Err(TryLockError::Error(e)) => return Err(context(from_io(OPEN, e))),
        }
        note_holder(&mut lock).map_err(|e| context(from_io(OPEN, e)))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("chatcore.redb")
    }

    /// Where the database is while it is being created.
    pub(crate) fn unfinished_database(&self) -> PathBuf {
        self.path.join("chatcore.redb.new")
    }

    /// The two files of the log.
    pub(crate) fn logs(&self) -> [PathBuf; 2] {
        [self.path.join("log-0"), self.path.join("log-1")]
    }

    /// The mark's file.
    pub(crate) fn mark(&self) -> PathBuf {
        self.path.join("mark")
    }

    /// Reads the format file, and checks that the database's file stands beside it; `None` for a
    /// folder that was never in use.
    pub(crate) fn format(&self) -> Result<Option<Format>> {
        let bytes = match fs::read(self.path.join("format.json")) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.context(from_io(OPEN, e))),
        };
        let unreadable = |e: serde_json::Error| {
            self.context(corrupt(OPEN, "format.json can't be read"))
                .with_source(e)
        };
        let any: AnyFormat = serde_json::from_slice(&bytes).map_err(unreadable)?;
        if any.format > FORMAT {
            return Err(self.context(
                Error::new(ErrorKind::NewerFormat, OPEN)
                    .with_context("format", any.format)
                    .with_context("newest known", FORMAT)
                    .with_context(
                        "to do",
                        "start the chatcore version that wrote this folder, or a newer one",
                    ),
            ));
        }
        let mut format: Format = serde_json::from_slice(&bytes).map_err(unreadable)?;
        match fs::metadata(self.database()) {
            Ok(file) if file.len() > 0 => {}
            Ok(_) => return Err(self.context(corrupt(OPEN, "chatcore.redb is empty"))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(self.context(corrupt(OPEN, "chatcore.redb is missing")));
            }
            Err(e) => return Err(self.context(from_io(OPEN, e))),
        }
        if format.format == WITHOUT_LOG {
            format.format = FORMAT;
            let upgraded = self.add_log(format);
            upgraded.map_err(|e| self.context(from_io(OPEN, e)))?;
        }
        if !self.logs().iter().all(|log| log.exists()) {
            return Err(self.context(corrupt(OPEN, "a file of the log is missing")));
        }
        Ok(Some(format))
    }

    /// Turns a folder without a log into one with an empty log.
    fn add_log(&self, format: Format) -> io::Result<()> {
        for log in self.logs() {
            File::create(log)?;
        }
        self.sync()?;
        let unfinished = self.unfinished_format(format)?;
        fs::rename(unfinished, self.path.join("format.json"))?;
        self.sync()
    }

    /// Writes the format file under the name that it has before it counts.
    fn unfinished_format(&self, format: Format) -> io::Result<PathBuf> {
        let unfinished = self.path.join("format.json.new");
        let mut file = File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(&format)?)?;
        file.sync_all()?;
        Ok(unfinished)
    }

    /// Clears what a creation that never ended left behind, and makes empty files for the
    /// log and the database.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when there is a database without a format file.
    pub(crate) fn begin(&self) -> Result<()> {
        if self.database().exists() {
            return Err(self.context(corrupt(OPEN, "chatcore.redb without format.json beside it")));
        }
        let [log, other_log] = self.logs();
        for stale in [self.unfinished_database(), self.mark(), log, other_log] {
            match fs::remove_file(stale) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(self.context(from_io(CREATE, e))),
            }
        }
        let [log, other_log] = self.logs();
        for new in [log, other_log, self.unfinished_database()] {
            File::create_new(new).map_err(|e| self.context(from_io(CREATE, e)))?;
        }
        Ok(())
    }

    /// Makes the created database count: moves it to its name and writes the format file, synced.
    pub(crate) fn finish(&self, format: Format) -> Result<()> {
        self.try_finish(format)
            .map_err(|e| self.context(from_io(CREATE, e)))
    }

    fn try_finish(&self, format: Format) -> io::Result<()> {
        let unfinished = self.unfinished_format(format)?;
        File::open(self.unfinished_database())?.sync_all()?;
        // Both names in one step is not to be had. A crash between the two leaves an empty
        // database with a format file that is ready: `recover_creation` completes that.
        fs::rename(unfinished, self.path.join("format.json.ready"))?;
        self.sync()?;
        fs::rename(self.unfinished_database(), self.database())?;
        self.sync()?;
        fs::rename(
            self.path.join("format.json.ready"),
            self.path.join("format.json"),
        )?;
        self.sync()
    }

    /// Completes a creation that ended between its last two steps.
    pub(crate) fn recover_creation(&self) -> Result<()> {
        let ready = self.path.join("format.json.ready");
        let done = || -> io::Result<()> {
            if ready.exists() && self.database().exists() {
                fs::rename(&ready, self.path.join("format.json"))?;
                self.sync()?;
            }
            Ok(())
        };
        done().map_err(|e| self.context(from_io(CREATE, e)))
    }

    /// Makes the names in the folder durable.
    fn sync(&self) -> io::Result<()> {
        // Windows has no such thing; there a rename is durable by itself.
        if cfg!(unix) {
            File::open(&self.path)?.sync_all()?;
        }
        Ok(())
    }

    /// Adds which folder it was.
    pub(crate) fn context(&self, error: Error) -> Error {
        error.with_context("folder", self.path.display())
    }
}

/// Creates the folder when missing, for nobody else to read: people's words are in it.
fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn note_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT_OF_TEST: Format = Format {
        format: FORMAT,
        partitions: 4,
        incarnation: 7,
    };

    /// A creation that is complete up to its last two renamings.
    fn prepared() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::lock(place.path()).unwrap();
        folder.begin().unwrap();
        fs::write(folder.unfinished_database(), "database").unwrap();
        (place, folder)
    }

    #[test]
    fn a_creation_that_ended_before_the_database_had_its_name_begins_again() {
        let (place, folder) = prepared();
        fs::write(place.path().join("format.json.ready"), "{}").unwrap();
        folder.recover_creation().unwrap();
        assert_eq!(folder.format().unwrap(), None);
        folder.begin().unwrap();
        fs::write(folder.unfinished_database(), "database").unwrap();
        folder.finish(FORMAT_OF_TEST).unwrap();
        assert_eq!(folder.format().unwrap(), Some(FORMAT_OF_TEST));
    }

    #[test]
    fn a_creation_that_ended_before_its_last_step_is_completed() {
        let (place, folder) = prepared();
        folder.finish(FORMAT_OF_TEST).unwrap();
        let ready = place.path().join("format.json.ready");
        fs::rename(place.path().join("format.json"), ready).unwrap();
        folder.recover_creation().unwrap();
        assert_eq!(folder.format().unwrap(), Some(FORMAT_OF_TEST));
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;

        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a").join("b");
        let _folder = Folder::lock(&path).unwrap();
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
