//! Lists: by customer, and closed by operator.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Effect, Work, lookup::pauses};
use crate::{
    content::Sealed,
    dialog::DialogEvent,
    error::Result,
    ids::{Label, Participant, StreamId},
    record::{Access, Appended, Event, StreamEvent},
    store::{Index, IndexEntry, IndexStore},
};

/// Builds the lists.
#[derive(Debug)]
pub struct IndexEffect {
    name: Label,
    store: Arc<dyn IndexStore>,
}

impl IndexEffect {
    /// Builds them in this store.
    #[must_use]
    pub fn new(store: Arc<dyn IndexStore>) -> Self {
        Self {
            name: Label::literal("index"),
            store,
        }
    }
}

fn entry(appended: &Appended, event: &StreamEvent<Sealed>) -> Option<(Index, IndexEntry)> {
    let (StreamId::Dialog(dialog), Access::Dialog { customer, .. }, Event::Dialog(happened)) =
        (&appended.stream, &appended.access, &event.event)
    else {
        return None;
    };
    let index = match happened {
        DialogEvent::Opened { .. } => Index::Customer(customer.clone()),
        DialogEvent::Closed {
            by: Participant::Staff(staff),
            ..
        } => Index::ClosedBy(staff.clone()),
        _ => return None,
    };
    let entry = IndexEntry {
        dialog: *dialog,
        customer: customer.clone(),
        at: event.at,
    };
    Some((index, entry))
}

#[async_trait]
impl Effect for IndexEffect {
    fn name(&self) -> &Label {
        &self.name
    }

    fn wants(&self, appended: &Appended) -> bool {
        appended
            .events
            .iter()
            .any(|event| entry(appended, event).is_some())
    }

    async fn run(&self, work: &Work) -> Result<()> {
        let Some(appended) = work.appended() else {
            return Ok(());
        };
        let entries = appended
            .events
            .iter()
            .filter_map(|event| entry(appended, event));
        self.store.put(entries.collect()).await.map_err(pauses)
    }
}
