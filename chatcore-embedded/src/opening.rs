//! Opening a folder: creates it when missing, and brings what the log has into the database.

use std::{path::Path, sync::Arc};

use chatcore::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
};

use crate::{
    checkpoint::{self, GROUP_KEY},
    database::Open,
    disk::Disk,
    error::{corrupt, from_database, from_io},
    folder::{FORMAT, Folder, Format},
    gathered::Gathered,
    keys::u64_at,
    layer::Stamp,
    layers::{Base, Layers},
    live::Live,
    log::{Log, ops},
    mark::Mark,
    options::{CheckOnOpen, Options},
    tables::{Group, META},
};

const OPEN: &str = "open the embedded database";

/// A folder that is open; its log is empty.
pub(crate) struct Opened {
    pub(crate) open: Open,
    pub(crate) log: Log,
    pub(crate) mark: Mark,
    pub(crate) format: Format,
}

/// Opens or creates the folder. Blocks on the disk.
pub(crate) fn open(options: &Options, disk: &dyn Disk, clock: &dyn Clock) -> Result<Opened> {
    let folder = Folder::lock(&options.folder)?;
    let in_folder = |e| folder.context(e);
    folder.recover_creation()?;
    let format = match folder.format()? {
        Some(format) if format.partitions != options.partitions => {
            return Err(in_folder(other_partitions(options, format)));
        }
        Some(format) => format,
        None => create(&folder, options, disk, clock).map_err(in_folder)?,
    };
    let database = open_file(&folder.database(), options, disk).map_err(in_folder)?;
    let io = |e| in_folder(from_io(OPEN, e));
    let log = Log::open(folder.logs(), disk, format.incarnation).map_err(io)?;
    let mark = Mark::open(&folder.mark()).map_err(io)?;
    let (base, group) = recover(&database, &log, &mark).map_err(in_folder)?;
    tracing::info!(folder = %options.folder.display(), group, "opened the embedded database");
    Ok(Opened {
        open: Open {
            live: Arc::new(Live::new(base, group)),
            database,
            _folder: folder,
        },
        log,
        mark,
        format,
    })
}

fn other_partitions(options: &Options, format: Format) -> Error {
    Error::new(ErrorKind::Conflict, OPEN)
        .with_context("partitions in the options", options.partitions)
        .with_context("created with", format.partitions)
        .with_context(
            "to do",
            "set the number that the folder was created with, or use another folder",
        )
}

fn builder(options: &Options) -> redb::Builder {
    let mut builder = redb::Database::builder();
    builder.set_cache_size(options.cache_bytes_max);
    builder
}

fn create(
    folder: &Folder,
    options: &Options,
    disk: &dyn Disk,
    clock: &dyn Clock,
) -> Result<Format> {
    folder.begin()?;
    let format = Format {
        format: FORMAT,
        partitions: options.partitions,
        incarnation: u64::try_from(clock.now().0).unwrap_or_default(),
    };
    let file = disk
        .open(&folder.unfinished_database())
        .map_err(|e| from_io(OPEN, e))?;
    let create = || -> Result<(), redb::Error> {
        let database = builder(options).create_with_backend(file)?;
        checkpoint::ensure_tables(&database)?;
        database.close()?;
        Ok(())
    };
    create().map_err(|e| from_database(OPEN, e))?;
    folder.finish(format)?;
    Ok(format)
}

fn open_file(path: &Path, options: &Options, disk: &dyn Disk) -> Result<redb::Database> {
    let file = disk.open(path).map_err(|e| from_io(OPEN, e))?;
    let file = Gathered::new(file);
    let open = || -> Result<redb::Database, redb::Error> {
        let database = builder(options)
            .set_check_integrity_on_open(options.check_on_open == CheckOnOpen::Always)
            .create_with_backend(file)?;
        checkpoint::ensure_tables(&database)?;
        Ok(database)
    };
    open().map_err(|e| from_database(OPEN, e))
}

/// Brings what the log has into the database, and returns the last group. Done again from the
/// beginning, it leads to the same.
fn recover(database: &redb::Database, log: &Log, mark: &Mark) -> Result<(Base, u64)> {
    let failed = |e: redb::Error| from_database(OPEN, e);
    let base = Base::open(database).map_err(failed)?;
    let stored = last_group(&base)?;
    let frames = log.after(stored).map_err(|e| from_io(OPEN, e))?;
    let group = frames.last().map_or(stored, |frame| frame.last);
    if group < mark.last() {
        return Err(
            corrupt(OPEN, "writes are missing that were answered as durable")
                .with_context("last group in the files", group)
                .with_context("last group answered", mark.last()),
        );
    }
    if frames.is_empty() {
        return Ok((base, group));
    }
    let layers = Layers::over(base);
    // Nobody reads yet: no earlier version is of use.
    let stamp = Stamp {
        group,
        floor: group,
    };
    for frame in frames {
        let mut scratch = Vec::new();
        let mut written = Group::new(&layers, stamp, &mut scratch);
        ops::replay(frame.body, &mut written).map_err(failed)?;
    }
    let base = checkpoint::flush(database, &layers.active, group)?;
    Ok((base, group))
}

/// The number of the last group in the database; 0 before the first.
fn last_group(base: &Base) -> Result<u64> {
    let stored = base.get(META, GROUP_KEY);
    let Some(bytes) = stored.map_err(|e| from_database(OPEN, e))? else {
        return Ok(0);
    };
    let number = u64_at(&bytes, 0);
    number.ok_or_else(|| corrupt(OPEN, "the number of the last group can't be read"))
}
