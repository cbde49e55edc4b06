//! What a group does, in the body of a frame: one operation behind the other.
//!
//! An operation is a byte for its kind, the table's number, and its parts, each with its length
//! before it. For life: what is changed gets another kind.

use std::{io, ops::Bound};

use bytes::{Buf as _, Bytes};

use crate::{
    keys::Range,
    tables::{ALL, Group, Table},
};

/// Key, value.
const PUT: u8 = 1;
/// Key; the value is the one that was written last.
const PUT_SAME: u8 = 2;
/// Key.
const REMOVE: u8 = 3;
/// A byte for the kind of each bound, and its key.
const REMOVE_RANGE: u8 = 4;

const INCLUDED: u8 = 0;
const EXCLUDED: u8 = 1;
const UNBOUNDED: u8 = 2;

fn begin(log: &mut Vec<u8>, kind: u8, table: Table) {
    log.extend([kind, table.number()]);
}

fn part(log: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    log.extend(length.to_be_bytes());
    log.extend(bytes);
    Ok(())
}

fn bound(log: &mut Vec<u8>, bound: Bound<&[u8]>) -> io::Result<()> {
    let (kind, key) = match bound {
        Bound::Included(key) => (INCLUDED, key),
        Bound::Excluded(key) => (EXCLUDED, key),
        Bound::Unbounded => (UNBOUNDED, &[][..]),
    };
    log.push(kind);
    part(log, key)
}

pub(crate) fn put(log: &mut Vec<u8>, table: Table, key: &[u8], value: &[u8]) -> io::Result<()> {
    begin(log, PUT, table);
    part(log, key)?;
    part(log, value)
}

pub(crate) fn put_same(log: &mut Vec<u8>, table: Table, key: &[u8]) -> io::Result<()> {
    begin(log, PUT_SAME, table);
    part(log, key)
}

pub(crate) fn remove(log: &mut Vec<u8>, table: Table, key: &[u8]) -> io::Result<()> {
    begin(log, REMOVE, table);
    part(log, key)
}

pub(crate) fn remove_range(log: &mut Vec<u8>, table: Table, range: &Range) -> io::Result<()> {
    begin(log, REMOVE_RANGE, table);
    bound(log, range.from())?;
    bound(log, range.to())
}

/// Does again what a frame's body says.
pub(crate) fn replay(mut body: Bytes, group: &mut Group<'_>) -> Result<(), redb::Error> {
    let mut last = Bytes::new();
    while !body.is_empty() {
        step(&mut body, &mut last, group)?;
    }
    Ok(())
}

fn step(body: &mut Bytes, last: &mut Bytes, group: &mut Group<'_>) -> Result<(), redb::Error> {
    let kind = byte(body)?;
    let number = usize::from(byte(body)?);
    let table = *ALL.get(number).ok_or_else(unreadable)?;
    match kind {
        PUT => {
            let key = take(body)?;
            *last = take(body)?;
            group.put_bytes(table, &key, last)
        }
        PUT_SAME => group.put_bytes(table, &take(body)?, last),
        REMOVE => group.remove(table, &take(body)?),
        REMOVE_RANGE => {
            let range = Range::between(take_bound(body)?, take_bound(body)?);
            group.remove_range(table, &range)
        }
        _ => Err(unreadable()),
    }
}

fn unreadable() -> redb::Error {
    redb::Error::Corrupted("an operation in the log can't be read".to_owned())
}

fn byte(body: &mut Bytes) -> Result<u8, redb::Error> {
    body.try_get_u8().map_err(|_| unreadable())
}

fn take(body: &mut Bytes) -> Result<Bytes, redb::Error> {
    let length = body.try_get_u32().map_err(|_| unreadable())?;
    let length = usize::try_from(length).map_err(|_| unreadable())?;
    if length > body.len() {
        return Err(unreadable());
    }
    Ok(body.split_to(length))
}

fn take_bound(body: &mut Bytes) -> Result<Bound<Vec<u8>>, redb::Error> {
    let kind = byte(body)?;
    let key = take(body)?.to_vec();
    match kind {
        INCLUDED => Ok(Bound::Included(key)),
        EXCLUDED => Ok(Bound::Excluded(key)),
        UNBOUNDED => Ok(Bound::Unbounded),
        _ => Err(unreadable()),
    }
}
