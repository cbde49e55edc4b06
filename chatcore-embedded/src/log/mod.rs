//! The log: what groups write, in order, made durable before their writers are answered, and kept
//! until a checkpoint has brought it into the database.
//!
//! Two files in turn. One is written to while a checkpoint brings what the other has into the
//! database; then that one is written again from its beginning. A file is made longer with zeros
//! well before they are needed, and never shorter: a sync then has only bytes to bring to the disk,
//! and no change to the file system's own records.
//!
//! A [frame](frame) is written with one write and synced before the next one is written. So after
//! a crash at most the last one is not whole. A frame that is not whole and has a later one behind
//! it was damaged afterwards, and that is an error. Whether the last one was damaged or never
//! finished is for the [mark](crate::mark) to tell.

mod frame;
pub(crate) mod ops;

use std::{io, path::PathBuf};

use redb::StorageBackend as _;

use self::frame::Frame;
use crate::disk::{Disk, DiskFile};

/// A file grows by this; room that is written to without a change of its length.
const GROW_BYTES: usize = 1 << 20;

/// The two files, and what is to be written next.
#[derive(Debug)]
pub(crate) struct Log {
    files: [File; 2],
    current: usize,
    /// Different for each folder: a frame of another one is not whole here.
    salt: u64,
    /// The next frame, with room for its head.
    buffer: Vec<u8>,
    /// The first group in it.
    first: Option<u64>,
}

#[derive(Debug)]
struct File {
    file: DiskFile,
    bytes: u64,
    /// Where the next frame is written.
    at: u64,
}

impl Log {
    /// Opens both files, which exist.
    pub(crate) fn open(paths: [PathBuf; 2], disk: &dyn Disk, salt: u64) -> io::Result<Self> {
        let open = |path: &PathBuf| -> io::Result<File> {
            let file = disk.open(path)?;
            let bytes = file.len()?;
            Ok(File { file, bytes, at: 0 })
        };
        let [a, b] = &paths;
        Ok(Self {
            files: [open(a)?, open(b)?],
            current: 0,
            salt,
            buffer: frame::begin(),
            first: None,
        })
    }

    /// What the whole frames after this group have, in order.
    ///
    /// # Errors
    /// `InvalidData` when one is missing between two.
    pub(crate) fn after(&self, group: u64) -> io::Result<Vec<Frame>> {
        let mut frames = Vec::new();
        for file in &self.files {
            let mut bytes = vec![0; usize::try_from(file.bytes).map_err(io::Error::other)?];
            file.file.read(0, &mut bytes)?;
            frames.extend(frame::whole(&bytes, self.salt).filter(|f| f.last > group));
        }
        frames.sort_by_key(|frame| frame.first);
        let mut last = group;
        for frame in &frames {
            if frame.first != last + 1 {
                let text = format!("groups {} to {} are missing", last + 1, frame.first);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            last = frame.last;
        }
        Ok(frames)
    }

    /// Where a group notes what it writes.
    pub(crate) fn next(&mut self, group: u64) -> &mut Vec<u8> {
        self.first.get_or_insert(group);
        &mut self.buffer
    }

    /// Writes what was noted up to this group, and syncs it.
    pub(crate) fn sync(&mut self, last: u64) -> io::Result<()> {
        let Some(first) = self.first.take() else {
            return Ok(());
        };
        let Some(file) = self.files.get_mut(self.current) else {
            return Ok(());
        };
        frame::finish(&mut self.buffer, (first, last), (self.salt, file.at))?;
        let end = file.at + self.buffer.len() as u64;
        if end > file.bytes {
            let missing = usize::try_from(end - file.bytes).map_err(io::Error::other)?;
            let zeros = vec![0; missing.next_multiple_of(GROW_BYTES)];
            file.file.write(file.bytes, &zeros)?;
            file.bytes += zeros.len() as u64;
        }
        file.file.write(file.at, &self.buffer)?;
        file.file.sync_data()?;
        file.at = end;
        frame::again(&mut self.buffer);
        Ok(())
    }

    /// Bytes in the file that is written to.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.get(self.current).map_or(0, |f| f.at)
    }

    /// Goes on at the beginning of the other file, of which the database has everything.
    pub(crate) fn turn(&mut self) {
        self.current = 1 - self.current;
        if let Some(file) = self.files.get_mut(self.current) {
            file.at = 0;
        }
    }
}
