//! The layers that a read looks through, the newest first: what is written now, what a checkpoint
//! is bringing into the database, and the database as the last checkpoint left it.

use std::{cmp::Ordering, fmt, sync::Arc};

use bytes::Bytes;
use redb::{AccessGuard, ReadOnlyTable, ReadableDatabase as _};

use crate::{
    keys::Range,
    layer::{Found, Layer, Page},
    tables::{ALL, Table},
};

/// Rows copied out of a layer at a time.
const PAGE_ROWS: usize = 64;
/// A moment after every group.
const NOW: u64 = u64::MAX;

/// Which end a scan begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Forward,
    Backward,
}

impl Order {
    fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Forward => a.cmp(b),
            Self::Backward => b.cmp(a),
        }
    }
}

type BaseTable = ReadOnlyTable<&'static [u8], &'static [u8]>;
type BaseRow<'a> = (
    AccessGuard<'a, &'static [u8]>,
    AccessGuard<'a, &'static [u8]>,
);

/// The database as the last checkpoint left it; every table is opened once for all readers.
pub(crate) struct Base(Vec<BaseTable>);

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base").finish_non_exhaustive()
    }
}

impl Base {
    pub(crate) fn open(database: &redb::Database) -> Result<Self, redb::Error> {
        let transaction = database.begin_read()?;
        let open = |table: &Table| Ok(transaction.open_table(table.definition())?);
        ALL.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    fn table(&self, table: Table) -> Result<&BaseTable, redb::Error> {
        let missing = || redb::Error::TableDoesNotExist(table.name().to_owned());
        self.0.get(table.slot()).ok_or_else(missing)
    }

    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, redb::Error> {
        let value = self.table(table)?.get(key)?;
        Ok(value.map(|v| Bytes::copy_from_slice(v.value())))
    }
}

/// All layers; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    pub(crate) active: Arc<Layer>,
    /// Written to no more.
    pub(crate) frozen: Option<Arc<Layer>>,
    pub(crate) base: Arc<Base>,
}

impl Layers {
    /// Nothing above this database.
    pub(crate) fn over(base: Base) -> Self {
        Self {
            active: Arc::default(),
            frozen: None,
            base: Arc::new(base),
        }
    }

    /// The value of a key at a moment.
    pub(crate) fn get(
        &self,
        table: Table,
        key: &[u8],
        moment: u64,
    ) -> Result<Option<Bytes>, redb::Error> {
        for layer in [Some(&self.active), self.frozen.as_ref()]
            .into_iter()
            .flatten()
        {
            match layer.get(table, key, moment) {
                Found::Value(value) => return Ok(Some(value)),
                Found::Gone => return Ok(None),
                Found::Unknown => {}
            }
        }
        self.base.get(table, key)
    }

    /// The entries of a range at a moment, in order, for as long as `take` says so of each.
    pub(crate) fn scan(
        &self,
        within: (Table, &Range),
        order: Order,
        moment: u64,
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), redb::Error> {
        let layers = [Some(&self.active), self.frozen.as_ref()];
        let cursors = layers.into_iter().flatten();
        let cursors = cursors.map(|layer| Cursor::new(layer, within, (order, moment)));
        merge(cursors.collect(), &self.base, (within, order), take)
    }

    /// The entries of a range below the layer that is written to.
    pub(crate) fn scan_below(
        &self,
        within: (Table, &Range),
        take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), redb::Error> {
        let order = Order::Forward;
        let cursors = self.frozen.iter();
        let cursors = cursors.map(|layer| Cursor::new(layer, within, (order, NOW)));
        merge(cursors.collect(), &self.base, (within, order), take)
    }
}

/// Walks through a range of one layer.
struct Cursor<'a> {
    layer: &'a Layer,
    table: Table,
    walk: (Order, u64),
    page: Page,
    rest: Option<Range>,
    covers: Vec<Range>,
}

impl<'a> Cursor<'a> {
    fn new(layer: &'a Layer, (table, range): (Table, &Range), walk: (Order, u64)) -> Self {
        Self {
            layer,
            table,
            walk,
            page: Page::new(),
            rest: Some(range.clone()),
            covers: layer.covers(table, walk.1),
        }
    }

    fn fill(&mut self) {
        if !self.page.is_empty() {
            return;
        }
        if let Some(rest) = self.rest.take() {
            let within = (self.table, &rest);
            let page = &mut self.page;
            self.rest = self.layer.page(within, self.walk, PAGE_ROWS, page);
        }
    }

    fn key(&self) -> Option<&[u8]> {
        self.page.front().map(|(key, _)| key.as_ref())
    }
}

/// Goes through the cursors, the newest layer first, and the database, side by side. The newest
/// that knows a key decides.
fn merge(
    mut cursors: Vec<Cursor<'_>>,
    base: &Base,
    ((table, range), order): ((Table, &Range), Order),
    take: &mut dyn FnMut(&[u8], &[u8]) -> bool,
) -> Result<(), redb::Error> {
    if range.is_empty() {
        return Ok(());
    }
    let mut stored = base
        .table(table)?
        .range::<&[u8]>((range.from(), range.to()))?;
    let mut below: Option<BaseRow<'_>> = next(&mut stored, order)?;
    loop {
        for cursor in &mut cursors {
            cursor.fill();
        }
        let nearest = nearest(&cursors, order);
        let base_key = below.as_ref().map(|(key, _)| key.value());
        let side = match (nearest.and_then(|i| cursors.get(i)?.key()), base_key) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(layer), Some(base)) => order.compare(layer, base),
        };
        if side == Ordering::Greater {
            if let Some((key, value)) = &below {
                let covered = cursors.iter().flat_map(|c| &c.covers);
                if !{ covered }.any(|range| range.contains(key.value()))
                    && !take(key.value(), value.value())
                {
                    return Ok(());
                }
            }
            below = next(&mut stored, order)?;
            continue;
        }
        if side == Ordering::Equal {
            below = next(&mut stored, order)?;
        }
        if let Some((key, value)) = nearest.and_then(|i| pop(&mut cursors, i))
            && !take(&key, &value)
        {
            return Ok(());
        }
    }
}

fn next<'a>(
    rows: &mut redb::Range<'a, &'static [u8], &'static [u8]>,
    order: Order,
) -> Result<Option<BaseRow<'a>>, redb::Error> {
    let row = match order {
        Order::Forward => rows.next(),
        Order::Backward => rows.next_back(),
    };
    Ok(row.transpose()?)
}

/// The cursor whose key comes next; of those with the same key, the one of the newest layer.
fn nearest(cursors: &[Cursor<'_>], order: Order) -> Option<usize> {
    let mut nearest: Option<(usize, &[u8])> = None;
    for (i, cursor) in cursors.iter().enumerate() {
        let Some(key) = cursor.key() else {
            continue;
        };
        if nearest.is_none_or(|(_, before)| order.compare(key, before) == Ordering::Less) {
            nearest = Some((i, key));
        }
    }
    nearest.map(|(i, _)| i)
}

/// Takes the row of this cursor, and drops what older layers have under its key; `None` when it is
/// gone.
fn pop(cursors: &mut [Cursor<'_>], at: usize) -> Option<(Box<[u8]>, Bytes)> {
    let (key, value) = cursors.get_mut(at)?.page.pop_front()?;
    for older in cursors.iter_mut().skip(at + 1) {
        if older.key() == Some(&key) {
            older.page.pop_front();
        }
    }
    let newer = cursors.iter().take(at).flat_map(|c| &c.covers);
    if { newer }.any(|range| range.contains(&key)) {
        return None;
    }
    Some((key, value?))
}
