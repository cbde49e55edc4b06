//! When the desk wants to be woken: a function of its state.

use std::time::Duration;

use super::{
    command::DeskTimer,
    state::{DeskState, Moment},
};
use crate::{
    clock::Timestamp,
    dialog::Due,
    ids::{Seq, StaffId},
};

impl DeskState {
    /// All timers that are set, each key once.
    #[must_use]
    pub fn due(&self) -> Vec<Due<DeskTimer>> {
        let grace = self.index.lost().filter_map(|one| self.grace_due(one));
        let others = [DeskTimer::Resend, DeskTimer::Reconcile, DeskTimer::Match];
        grace
            .chain(others.iter().filter_map(|key| self.due_of(key)))
            .collect()
    }

    pub(super) fn due_of(&self, key: &DeskTimer) -> Option<Due<DeskTimer>> {
        match key {
            DeskTimer::Grace(operator) => self.grace_due(operator),
            DeskTimer::Resend => self.resend_due(),
            DeskTimer::Reconcile => self.reconcile_due(),
            DeskTimer::Match => self
                .core
                .matching
                .map(|stopped| due(DeskTimer::Match, stopped, 0)),
        }
    }

    fn grace_due(&self, operator: &StaffId) -> Option<Due<DeskTimer>> {
        let lost = self.core.operators.get(operator)?.lost?;
        let key = DeskTimer::Grace(operator.clone());
        Some(due(key, lost, self.core.config.grace_ms))
    }

    fn resend_due(&self) -> Option<Due<DeskTimer>> {
        let resend_ms = self.core.config.grant_resend_ms;
        let (at, seq, _) = self.index.sent().next()?;
        (resend_ms > 0).then(|| due(DeskTimer::Resend, Moment { at, seq }, resend_ms))
    }

    /// Counted from the last step, or from the first grant that stands, whichever was later; a
    /// round that did not get through goes on at once.
    fn reconcile_due(&self) -> Option<Due<DeskTimer>> {
        let reconcile_ms = self.core.config.reconcile_ms;
        let (at, seq) = self.index.first_held()?;
        if reconcile_ms == 0 {
            return None;
        }
        let last = self.core.reconcile.last;
        if self.core.reconcile.more_after.is_some() {
            return Some(due(DeskTimer::Reconcile, last, 0));
        }
        let from = last.max(Moment { at, seq });
        Some(due(DeskTimer::Reconcile, from, reconcile_ms))
    }
}

fn due(key: DeskTimer, from: Moment, wait_ms: u64) -> Due<DeskTimer> {
    let Moment {
        at,
        seq: Seq(generation),
    } = from;
    Due {
        key,
        at: after(at, wait_ms),
        generation,
    }
}

pub(super) fn after(at: Timestamp, wait_ms: u64) -> Timestamp {
    at.plus(Duration::from_millis(wait_ms))
}
