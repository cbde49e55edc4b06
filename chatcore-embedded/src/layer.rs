//! What was written since the last checkpoint, in memory: rows by key, each with the versions that
//! some reader may still see.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;

use crate::{
    keys::Range,
    layers::Order,
    tables::{ALL, Table},
};

/// A key of a table.
pub(crate) type RowKey = Box<[u8]>;

/// When something is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    /// The group that writes.
    pub(crate) group: u64,
    /// No reader sees a moment before this one, now or later.
    pub(crate) floor: u64,
}

/// What a layer knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Value(Bytes),
    Gone,
    /// What lies below tells.
    Unknown,
}

/// A value, or that there is none.
#[derive(Debug, Clone)]
enum Stored {
    Value(Bytes),
    /// Removed, and a layer below may have it.
    Removed,
    /// Removed, and no layer below has it.
    Absent,
}

#[derive(Debug)]
struct Version {
    group: u64,
    stored: Stored,
}

#[derive(Debug)]
struct Row {
    newest: Version,
    /// By group, the newest last.
    older: Vec<Version>,
}

impl Row {
    fn set(&mut self, stored: Stored, stamp: Stamp) {
        let version = Version {
            group: stamp.group,
            stored,
        };
        if self.newest.group == stamp.group {
            self.newest = version;
            return;
        }
        let before = std::mem::replace(&mut self.newest, version);
        if before.group <= stamp.floor {
            // Whoever reads sees this one or a newer one.
            self.older.clear();
        } else {
            let unseen = self.older.iter().rposition(|v| v.group <= stamp.floor);
            self.older.drain(..unseen.unwrap_or(0));
        }
        self.older.push(before);
    }

    fn at(&self, moment: u64) -> Option<&Stored> {
        if self.newest.group <= moment {
            return Some(&self.newest.stored);
        }
        let seen = self.older.iter().rev().find(|v| v.group <= moment);
        seen.map(|v| &v.stored)
    }

    /// Whether the row says nothing that its absence would not say, to every reader.
    fn needless(&self, floor: u64) -> bool {
        matches!(self.newest.stored, Stored::Absent) && self.newest.group <= floor
    }
}

/// What lies below it in this range is gone.
#[derive(Debug, Clone)]
struct Cover {
    range: Range,
    group: u64,
}

#[derive(Debug, Default)]
struct Rows {
    rows: BTreeMap<RowKey, Row>,
    covers: Vec<Cover>,
}

impl Rows {
    fn set(&mut self, key: &[u8], stored: Stored, stamp: Stamp) {
        if let Some(row) = self.rows.get_mut(key) {
            row.set(stored, stamp);
            return;
        }
        let newest = Version {
            group: stamp.group,
            stored,
        };
        let row = Row {
            newest,
            older: Vec::new(),
        };
        self.rows.insert(key.into(), row);
    }

    /// Sets every row of a range to absent, and drops the rows that have been so for long.
    fn clear(&mut self, range: &Range, stamp: Stamp) {
        if range.is_empty() {
            return;
        }
        let mut needless = Vec::new();
        for (key, row) in self.rows.range_mut::<[u8], _>((range.from(), range.to())) {
            if row.needless(stamp.floor) {
                needless.push(key.clone());
            } else if !matches!(row.newest.stored, Stored::Absent) {
                row.set(Stored::Absent, stamp);
            }
        }
        for key in needless {
            self.rows.remove(&key);
        }
    }
}

/// The rows of all tables.
#[derive(Debug)]
pub(crate) struct Layer(Vec<RwLock<Rows>>);

impl Default for Layer {
    fn default() -> Self {
        Self(ALL.iter().map(|_| RwLock::default()).collect())
    }
}

/// Rows of a layer in order, copied out of it: a value, or that the key is gone.
pub(crate) type Page = VecDeque<(RowKey, Option<Bytes>)>;

impl Layer {
    fn read(&self, table: Table) -> Option<RwLockReadGuard<'_, Rows>> {
        let rows = self.0.get(table.slot())?;
        Some(rows.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, table: Table) -> Option<RwLockWriteGuard<'_, Rows>> {
        let rows = self.0.get(table.slot())?;
        Some(rows.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// What it knows of a key at a moment.
    pub(crate) fn get(&self, table: Table, key: &[u8], moment: u64) -> Found {
        let Some(rows) = self.read(table) else {
            return Found::Unknown;
        };
        match rows.rows.get(key).and_then(|row| row.at(moment)) {
            Some(Stored::Value(value)) => Found::Value(value.clone()),
            Some(Stored::Removed | Stored::Absent) => Found::Gone,
            None => {
                let mut covers = rows.covers.iter().filter(|c| c.group <= moment);
                if covers.any(|c| c.range.contains(key)) {
                    Found::Gone
                } else {
                    Found::Unknown
                }
            }
        }
    }

    /// Sets a key.
    pub(crate) fn put(&self, table: Table, key: &[u8], value: Bytes, stamp: Stamp) {
        if let Some(mut rows) = self.write(table) {
            rows.set(key, Stored::Value(value), stamp);
        }
    }

    /// Removes a key.
    pub(crate) fn remove(&self, table: Table, key: &[u8], stamp: Stamp) {
        if let Some(mut rows) = self.write(table) {
            rows.set(key, Stored::Removed, stamp);
        }
    }

    /// Removes a range, of which the layers below have these keys.
    pub(crate) fn remove_keys(
        &self,
        table: Table,
        range: &Range,
        below: Vec<RowKey>,
        stamp: Stamp,
    ) {
        if let Some(mut rows) = self.write(table) {
            rows.clear(range, stamp);
            for key in below {
                rows.set(&key, Stored::Removed, stamp);
            }
        }
    }

    /// Removes a range, whatever the layers below have of it.
    pub(crate) fn cover(&self, table: Table, range: &Range, stamp: Stamp) {
        if let Some(mut rows) = self.write(table) {
            rows.clear(range, stamp);
            rows.covers.push(Cover {
                range: range.clone(),
                group: stamp.group,
            });
        }
    }

    /// The ranges in which what lies below is gone at a moment.
    pub(crate) fn covers(&self, table: Table, moment: u64) -> Vec<Range> {
        let rows = self.read(table);
        let covers = rows.iter().flat_map(|rows| &rows.covers);
        let seen = covers.filter(|c| c.group <= moment);
        seen.map(|c| c.range.clone()).collect()
    }

    /// Copies the next rows of a range, at most `limit`, and returns what is left of it, if there
    /// may be more.
    pub(crate) fn page(
        &self,
        (table, range): (Table, &Range),
        (order, moment): (Order, u64),
        limit: usize,
        page: &mut Page,
    ) -> Option<Range> {
        if range.is_empty() {
            return None;
        }
        let rows = self.read(table)?;
        let within = rows.rows.range::<[u8], _>((range.from(), range.to()));
        let seen = |(key, row): (&RowKey, &Row)| {
            let value = match row.at(moment)? {
                Stored::Value(value) => Some(value.clone()),
                Stored::Removed | Stored::Absent => None,
            };
            Some((key.clone(), value))
        };
        match order {
            Order::Forward => page.extend(within.filter_map(seen).take(limit)),
            Order::Backward => page.extend(within.rev().filter_map(seen).take(limit)),
        }
        if page.len() < limit {
            return None;
        }
        let (last, _) = page.back()?;
        let last = Bound::Excluded(last.to_vec());
        Some(match order {
            Order::Forward => range.clone().starting(last),
            Order::Backward => range.clone().ending(last),
        })
    }

    /// Rows of a table, removed ones too.
    #[cfg(test)]
    pub(crate) fn len(&self, table: Table) -> usize {
        self.read(table).map_or(0, |rows| rows.rows.len())
    }

    /// Hands out what has to be done to the layer below, in order: for each table what it covers,
    /// then each key with its value, or without one.
    pub(crate) fn changes<E>(
        &self,
        mut table: impl FnMut(Table, &[Range], &mut Changes<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for each in ALL {
            let Some(rows) = self.read(*each) else {
                continue;
            };
            let covers: Vec<Range> = rows.covers.iter().map(|c| c.range.clone()).collect();
            let mut changes = rows.rows.iter().filter_map(|(key, row)| {
                let value = match &row.newest.stored {
                    Stored::Value(value) => Some(value.as_ref()),
                    Stored::Removed => None,
                    Stored::Absent => return None,
                };
                Some((key.as_ref(), value))
            });
            if !rows.rows.is_empty() || !covers.is_empty() {
                table(*each, &covers, &mut changes)?;
            }
        }
        Ok(())
    }
}

/// Keys of a table in order, each with its new value, or without one.
pub(crate) type Changes<'a> = dyn Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + 'a;
