//! Turns what the database and the file system say into the core's error, with what to do.

use std::io;

use chatcore::error::{Error, ErrorKind};

/// What a reader of the log can do about a kind of failure.
mod advice {
    pub(super) const DAMAGED: &str = "the files were damaged: restore the folder from a backup; \
        if you have none, keep a copy of the folder and start with an empty one";
    pub(super) const FULL: &str = "free space on the disk, then restart the process";
    pub(super) const BROKEN: &str =
        "look at the disk and the system's log, then restart the process";
    pub(super) const IN_USE: &str = "another process has the folder open: stop that process, or \
        give this one a folder of its own";
    pub(super) const FOREIGN: &str = "the database's file was written by another version of the \
        database library: start the chatcore version that wrote it";
}

/// Maps an error of the database.
pub(crate) fn from_database(operation: &'static str, error: redb::Error) -> Error {
    use redb::Error as E;
    let (kind, advice) = match &error {
        E::Corrupted(_) | E::RepairAborted => (ErrorKind::Corrupt, advice::DAMAGED),
        E::Io(io) => io_kind(io),
        E::DatabaseAlreadyOpen => (ErrorKind::Conflict, advice::IN_USE),
        E::UpgradeRequired(_) | E::LockProtocolMismatch => {
            (ErrorKind::NewerFormat, advice::FOREIGN)
        }
        E::TableTypeMismatch { .. } | E::TypeDefinitionChanged { .. } => {
            (ErrorKind::Corrupt, advice::DAMAGED)
        }
        E::PreviousIo => (ErrorKind::Storage, advice::BROKEN),
        E::DatabaseClosed => (ErrorKind::Closed, "open it again"),
        _ => (ErrorKind::Internal, "report this as a bug"),
    };
    Error::new(kind, operation)
        .with_context("to do", advice)
        .with_source(error)
}

/// Maps an error of the file system.
pub(crate) fn from_io(operation: &'static str, error: io::Error) -> Error {
    let (kind, advice) = io_kind(&error);
    Error::new(kind, operation)
        .with_context("to do", advice)
        .with_source(error)
}

fn io_kind(error: &io::Error) -> (ErrorKind, &'static str) {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Storage, advice::FULL)
        }
        // What redb says of a file that does not begin like one of its own.
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            (ErrorKind::Corrupt, advice::DAMAGED)
        }
        _ => (ErrorKind::Storage, advice::BROKEN),
    }
}

/// A damaged folder.
pub(crate) fn corrupt(operation: &'static str, what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, operation)
        .with_context("found", what)
        .with_context("to do", advice::DAMAGED)
}

/// A folder that another process has open.
pub(crate) fn in_use(operation: &'static str, holder: &str) -> Error {
    Error::new(ErrorKind::Conflict, operation)
        .with_context("process", holder)
        .with_context("to do", advice::IN_USE)
}
