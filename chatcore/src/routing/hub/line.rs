//! The places of customers who wait, told to them every few seconds.
//!
//! Looked up, not sent: this node reads on in the boards of the desks where customers of its
//! sessions wait, and works the places out. So what is told costs nothing in the journal, is
//! coalesced by nature, and a place that was lost on the way is told in the next round. A customer
//! learns two numbers and a range of time, nothing of who else waits (I9).
//! See `docs/adr/0016-places-are-looked-up.md`.

use std::{collections::BTreeMap, sync::Arc};

use super::{Hub, State};
use crate::{
    identity::Who,
    ids::{DeskId, DialogId, StreamId},
    routing::mailbox::Item,
};

/// Between two rounds, in turns of the hub's second.
const SECONDS: u64 = 3;
/// A dialog that the board does not show for so many rounds waits no longer. The desk hears of it
/// later than the customer, so it may not be there at first.
const ABSENT_MAX: u8 = 10;

/// Dialogs of customers here that wait.
#[derive(Debug, Default)]
pub(super) struct Lines {
    waiting: BTreeMap<DialogId, Waits>,
    seconds: u64,
}

#[derive(Debug)]
struct Waits {
    desk: DeskId,
    absent: u8,
}

impl Lines {
    /// Counts a second; whether a round is due.
    pub(super) fn is_due(&mut self) -> bool {
        self.seconds += 1;
        self.seconds.is_multiple_of(SECONDS) && !self.waiting.is_empty()
    }

    pub(super) fn forget(&mut self, dialog: DialogId) {
        self.waiting.remove(&dialog);
    }

    fn by_desk(&self) -> BTreeMap<DeskId, Vec<DialogId>> {
        let mut desks: BTreeMap<DeskId, Vec<DialogId>> = BTreeMap::new();
        for (dialog, waits) in &self.waiting {
            desks.entry(waits.desk.clone()).or_default().push(*dialog);
        }
        desks
    }
}

impl State {
    fn tell_customer(&self, dialog: DialogId, item: impl Fn() -> Item) {
        let Some(joined) = self.streams.get(&StreamId::Dialog(dialog)) else {
            return;
        };
        for (session, mailbox) in &joined.sessions {
            let who = self.sessions.get(session).map(|entry| &entry.identity.who);
            if let (Some(Who::Customer(id)), Some(customer)) = (who, &joined.customer)
                && id == customer
            {
                mailbox.push(item());
            }
        }
    }
}

impl Hub {
    /// A customer here has a dialog that waits at this desk.
    pub(crate) fn waits(&self, dialog: DialogId, desk: &DeskId) {
        let mut state = self.state();
        if state.streams.contains_key(&StreamId::Dialog(dialog)) {
            let waits = Waits {
                desk: desk.clone(),
                absent: 0,
            };
            state.lines.waiting.insert(dialog, waits);
        }
    }

    /// Tells everybody here who waits their place. What fails is told in the next round.
    pub(super) async fn tell_places(self: Arc<Self>) {
        let desks = self.state().lines.by_desk();
        for (desk, dialogs) in desks {
            let board = match self.board(&desk).await {
                Ok((_, board)) => board,
                Err(error) => {
                    tracing::debug!(%error, %desk, "places can't be told now");
                    continue;
                }
            };
            let places = board.places(self.ports.clock.now());
            let mut state = self.state();
            for dialog in dialogs {
                let place = places.get(&dialog).copied();
                if let Some(place) = place {
                    state.tell_customer(dialog, || Item::Place(dialog, place));
                }
                state.lines.looked_up(dialog, place.is_some());
            }
        }
    }
}

impl Lines {
    fn looked_up(&mut self, dialog: DialogId, found: bool) {
        if let Some(waits) = self.waiting.get_mut(&dialog) {
            waits.absent = if found { 0 } else { waits.absent + 1 };
            if waits.absent >= ABSENT_MAX {
                self.waiting.remove(&dialog);
            }
        }
    }
}
