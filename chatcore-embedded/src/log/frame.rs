//! A frame: what some groups in a row wrote, with a check.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0–3 | [`MAGIC`] |
//! | 4–7 | length of the body |
//! | 8–15 | first group |
//! | 16–23 | last group |
//! | 24–55 | BLAKE3 of the folder's number, the place in the file, bytes 0–23, and the body |
//! | 56– | body, see [`ops`](super::ops); then zeros up to a full block |
//!
//! Numbers are big-endian.

use std::io;

use bytes::Bytes;

use crate::keys::{u32_at, u64_at};

/// A frame begins at a multiple of this, and has no other one's bytes in its last block: a write
/// never touches the sector of an earlier one.
pub(super) const BLOCK_BYTES: usize = 512;
const MAGIC: [u8; 4] = *b"ccl\x01";
const CHECKED_BYTES: usize = 24;
const CHECK_BYTES: usize = 32;
const HEAD_BYTES: usize = CHECKED_BYTES + CHECK_BYTES;
/// A buffer that was larger is not kept.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// A frame that is whole.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) body: Bytes,
}

/// A buffer for the next frame.
pub(super) fn begin() -> Vec<u8> {
    vec![0; HEAD_BYTES]
}

/// Empties a buffer for the next frame.
pub(super) fn again(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT_BYTES_MAX {
        *buffer = begin();
    } else {
        buffer.truncate(HEAD_BYTES);
    }
}

/// Fills in the head, and zeros up to a full block.
pub(super) fn finish(
    buffer: &mut Vec<u8>,
    (first, last): (u64, u64),
    (salt, at): (u64, u64),
) -> io::Result<()> {
    let Some((head, body)) = buffer.split_first_chunk_mut::<HEAD_BYTES>() else {
        return Err(io::Error::other("a frame without a head"));
    };
    let bytes = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut checked = [0; CHECKED_BYTES];
    let parts = MAGIC
        .into_iter()
        .chain(bytes.to_be_bytes())
        .chain(first.to_be_bytes())
        .chain(last.to_be_bytes());
    for (to, from) in checked.iter_mut().zip(parts) {
        *to = from;
    }
    let check = check(&checked, body, (salt, at));
    for (to, from) in head.iter_mut().zip(checked.into_iter().chain(check)) {
        *to = from;
    }
    buffer.resize(buffer.len().next_multiple_of(BLOCK_BYTES), 0);
    Ok(())
}

fn check(checked: &[u8], body: &[u8], (salt, at): (u64, u64)) -> [u8; CHECK_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"chatcore-embedded log");
    hasher.update(&salt.to_be_bytes());
    hasher.update(&at.to_be_bytes());
    hasher.update(checked);
    hasher.update(body);
    *hasher.finalize().as_bytes()
}

/// The whole frames in a file, by their place in it. What is inside of one is not looked at.
pub(super) fn whole(file: &[u8], salt: u64) -> impl Iterator<Item = Frame> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < file.len() {
            let found = frame_at(file, at, salt);
            at += match &found {
                Some(frame) => (HEAD_BYTES + frame.body.len()).next_multiple_of(BLOCK_BYTES),
                None => BLOCK_BYTES,
            };
            if found.is_some() {
                return found;
            }
        }
        None
    })
}

fn frame_at(file: &[u8], at: usize, salt: u64) -> Option<Frame> {
    let rest = file.get(at..)?;
    if !rest.starts_with(&MAGIC) {
        return None;
    }
    let bytes = usize::try_from(u32_at(rest, MAGIC.len())?).ok()?;
    let (checked, behind) = rest.split_at_checked(CHECKED_BYTES)?;
    let (found, behind) = behind.split_at_checked(CHECK_BYTES)?;
    let body = behind.get(..bytes)?;
    if found != check(checked, body, (salt, at as u64)) {
        return None;
    }
    Some(Frame {
        first: u64_at(checked, 8)?,
        last: u64_at(checked, 16)?,
        body: Bytes::copy_from_slice(body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(group: u64, body: &[u8], at: u64) -> Vec<u8> {
        let mut buffer = begin();
        buffer.extend(body);
        finish(&mut buffer, (group, group), (7, at)).unwrap();
        buffer
    }

    #[test]
    fn frames_read_back_and_a_changed_one_is_not_whole() {
        let mut file = frame(1, &[1; 700], 0);
        file.extend(frame(2, b"", 1024));
        file.extend(frame(3, &[3; 5000], 1536));
        file.extend([0; 4096]);
        let groups =
            |file: &[u8], salt| -> Vec<u64> { whole(file, salt).map(|f| f.first).collect() };
        assert_eq!(groups(&file, 7), [1, 2, 3]);
        assert_eq!(groups(&file, 8), [] as [u64; 0], "of another folder");
        assert_eq!(groups(&file[512..], 7), [] as [u64; 0], "at another place");
        for at in (0..56 + 700).chain([1030, 1040, 1536 + 56, 1536 + 5055]) {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert_eq!(groups(&changed, 7).len(), 2, "byte {at}");
        }
        for end in [1, 511, 513, 1536, 6000] {
            groups(&file[..end], 7);
        }
    }

    /// What someone wrote is no frame of its own, even when the one around it is damaged.
    #[test]
    fn a_frame_inside_of_another_is_not_taken() {
        let inner = frame(9, b"inner", 0);
        let mut body = vec![0; BLOCK_BYTES - HEAD_BYTES];
        body.extend(inner);
        let mut file = frame(1, &body, 0);
        assert_eq!(whole(&file, 7).map(|f| f.last).collect::<Vec<_>>(), [1]);
        file[60] ^= 1;
        assert_eq!(whole(&file, 7).count(), 0);
    }

    #[test]
    fn a_frame_has_these_bytes() {
        let frame = frame(258, b"body", 512);
        assert_eq!(frame.len(), 512);
        assert_eq!(&frame[..8], b"ccl\x01\0\0\0\x04");
        assert_eq!(
            frame[8..24],
            [258u64.to_be_bytes(), 258u64.to_be_bytes()].concat()
        );
        assert_eq!(frame[56..61], *b"body\0");
    }
}
