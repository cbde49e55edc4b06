//! The mark: the number of the last group whose writers were answered.
//!
//! After a crash the last frame of the log may not be whole. It may never have been finished, or
//! it was synced, answered, and damaged later: the frame can't tell. The mark can. It is written
//! after the fsync and before the answers, and not synced itself: it may be lower than the truth
//! after a power cut, never higher.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

/// Two slots in turn, each within one sector, so that a torn write leaves the other one whole.
const SLOT_BYTES: usize = 512;
const SLOTS: u64 = 2;
const NUMBER_BYTES: usize = 8;
const CHECK_BYTES: usize = 8;

/// The open mark file.
#[derive(Debug)]
pub(crate) struct Mark {
    file: File,
    last: u64,
}

impl Mark {
    /// Opens or creates the file and reads the highest whole mark in it; 0 if there is none.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let last = bytes
            .chunks(SLOT_BYTES)
            .filter_map(slot_number)
            .max()
            .unwrap_or(0);
        Ok(Self { file, last })
    }

    /// The last group whose writers were answered, as far as is known.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Notes that the writers of this group are about to be answered.
    pub(crate) fn set(&mut self, group: u64) -> io::Result<()> {
        let number = group.to_be_bytes();
        let slot = [number, check(number)].concat();
        let at = (group % SLOTS) * SLOT_BYTES as u64;
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(&slot)?;
        self.last = group;
        Ok(())
    }
}

fn slot_number(slot: &[u8]) -> Option<u64> {
    let (number, rest) = slot.split_first_chunk::<NUMBER_BYTES>()?;
    let (found, _) = rest.split_first_chunk::<CHECK_BYTES>()?;
    (*found == check(*number)).then(|| u64::from_be_bytes(*number))
}

fn check(number: [u8; NUMBER_BYTES]) -> [u8; CHECK_BYTES] {
    let mut out = [0u8; CHECK_BYTES];
    blake3::Hasher::new()
        .update(b"chatcore-embedded mark")
        .update(&number)
        .finalize_xof()
        .fill(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_mark_falls_back_to_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark");
        let mut mark = Mark::open(&path).unwrap();
        assert_eq!(mark.last(), 0);
        for group in 1..=7 {
            mark.set(group).unwrap();
        }
        assert_eq!(Mark::open(&path).unwrap().last(), 7);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[SLOT_BYTES + 3] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Mark::open(&path).unwrap().last(), 6);
    }
}
