//! What a session knows of dialogs and of its client: small, bounded, in memory.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{
    ids::{DialogId, Seq, Target},
    queue::PlaceInLine,
    record::Access,
    routing::frame::CustomerPresence,
};

/// Targets of which it is remembered what was settled; past it the lowest is forgotten.
const SETTLED_MAX: usize = 1_024;

/// How far a dialog's reader is, and what of that was written down.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    wanted: (Seq, Seq),
    written: (Seq, Seq),
    written_at: Option<Instant>,
}

/// A cursor to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DueCursor {
    pub(super) dialog: DialogId,
    pub(super) delivered: Seq,
    pub(super) read: Seq,
}

/// What a session remembers beside its streams.
#[derive(Debug, Default)]
pub(super) struct Account {
    settled: BTreeMap<Target, u64>,
    cursors: BTreeMap<DialogId, Cursor>,
    typed: BTreeMap<DialogId, Instant>,
    /// What was told of customers' presence.
    presence: BTreeMap<DialogId, CustomerPresence>,
    /// What was told of places in lines.
    places: BTreeMap<DialogId, PlaceInLine>,
    /// The newest access of each dialog that is followed.
    dialogs: BTreeMap<DialogId, Access>,
}

impl Account {
    /// All outcomes up to `n` have arrived.
    pub(super) fn settle(&mut self, target: Target, n: u64) {
        let known = self.settled.entry(target).or_default();
        *known = (*known).max(n);
        if self.settled.len() > SETTLED_MAX {
            self.settled.pop_first();
        }
    }

    pub(super) fn settled(&self, target: &Target) -> u64 {
        self.settled.get(target).copied().unwrap_or_default()
    }

    /// The access of a dialog that is followed.
    pub(super) fn dialog(&self, dialog: DialogId) -> Option<&Access> {
        self.dialogs.get(&dialog)
    }

    pub(super) fn note_dialog(&mut self, dialog: DialogId, access: &Access) {
        self.dialogs.insert(dialog, access.clone());
    }

    pub(super) fn forget_dialog(&mut self, dialog: DialogId) {
        self.dialogs.remove(&dialog);
        self.typed.remove(&dialog);
        self.cursors.remove(&dialog);
        self.presence.remove(&dialog);
        self.places.remove(&dialog);
    }

    /// Whether the presence of a customer is news.
    pub(super) fn is_news(&mut self, dialog: DialogId, presence: CustomerPresence) -> bool {
        self.presence.insert(dialog, presence) != Some(presence)
    }

    /// Whether the place of a dialog is news.
    pub(super) fn is_new_place(&mut self, dialog: DialogId, place: PlaceInLine) -> bool {
        self.places.insert(dialog, place) != Some(place)
    }

    /// The client begins a dialog anew: what it was told does not count.
    pub(super) fn forget_told(&mut self, dialog: DialogId) {
        self.presence.remove(&dialog);
        self.places.remove(&dialog);
    }

    /// The dialog waits anew.
    pub(super) fn forget_place(&mut self, dialog: DialogId) {
        self.places.remove(&dialog);
    }

    /// Whether a sign of typing may go out now.
    pub(super) fn may_type(&mut self, dialog: DialogId, interval: Duration) -> bool {
        let now = Instant::now();
        let due = self
            .typed
            .get(&dialog)
            .is_none_or(|at| now.duration_since(*at) >= interval);
        if due {
            self.typed.insert(dialog, now);
        }
        due
    }

    /// The reader is this far; the highest wins.
    pub(super) fn move_cursor(&mut self, dialog: DialogId, delivered: Seq, read: Seq) {
        let cursor = self.cursors.entry(dialog).or_default();
        let delivered = cursor.wanted.0.max(delivered);
        cursor.wanted = (delivered, cursor.wanted.1.max(read.min(delivered)));
    }

    /// The cursors that are to be written down now.
    pub(super) fn due_cursors(&self, interval: Duration) -> Vec<DueCursor> {
        if !self.cursors.values().any(Cursor::is_ahead) {
            return Vec::new();
        }
        let now = Instant::now();
        self.cursors
            .iter()
            .filter(|(_, c)| c.is_ahead() && c.due_at(interval).is_none_or(|at| at <= now))
            .map(|(dialog, cursor)| DueCursor {
                dialog: *dialog,
                delivered: cursor.wanted.0,
                read: cursor.wanted.1,
            })
            .collect()
    }

    /// When the next cursor is to be written down.
    pub(super) fn next_cursor_at(&self, interval: Duration) -> Option<Instant> {
        self.cursors
            .values()
            .filter(|cursor| cursor.is_ahead())
            .filter_map(|cursor| cursor.due_at(interval))
            .min()
    }

    /// A cursor was given to the journal, or could not be and is tried after the interval.
    pub(super) fn cursor_tried(&mut self, cursor: DueCursor, written: bool) {
        if let Some(known) = self.cursors.get_mut(&cursor.dialog) {
            known.written_at = Some(Instant::now());
            if written {
                known.written = (cursor.delivered, cursor.read);
            }
        }
    }
}

impl Cursor {
    fn is_ahead(&self) -> bool {
        self.wanted.0 > self.written.0 || self.wanted.1 > self.written.1
    }

    fn due_at(&self, interval: Duration) -> Option<Instant> {
        self.written_at.map(|at| at + interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cursors_are_written_at_once_and_then_coalesced() {
        let second = Duration::from_secs(1);
        let dialog = DialogId(7);
        let mut account = Account::default();
        account.move_cursor(dialog, Seq(3), Seq(9));
        let due = account.due_cursors(second);
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].delivered, due[0].read), (Seq(3), Seq(3)));
        account.cursor_tried(due[0], true);
        account.move_cursor(dialog, Seq(5), Seq(4));
        account.move_cursor(dialog, Seq(4), Seq(1));
        assert!(account.due_cursors(second).is_empty());
        assert!(account.next_cursor_at(second).is_some());
        tokio::time::advance(second).await;
        let due = account.due_cursors(second);
        assert_eq!((due[0].delivered, due[0].read), (Seq(5), Seq(4)));
        account.cursor_tried(due[0], true);
        tokio::time::advance(second).await;
        assert!(account.due_cursors(second).is_empty());
    }
}
