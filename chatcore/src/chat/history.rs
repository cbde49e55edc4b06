//! Reading what is not followed: the state of a dialog, its events, lists.

use std::sync::Arc;

use super::Chat;
use crate::{
    clock::Timestamp,
    content::Content,
    dialog::CustomerNote,
    error::{Error, ErrorKind, Result},
    identity::{Identity, Who},
    ids::{CustomerId, DialogId, NoteId, Seq, StreamId},
    record::{Position, StreamEvent, Visibility},
    routing::{
        DialogView, Opened,
        access::{Sight, shows, sight},
    },
    store::{Index, IndexEntry},
};

/// A dialog, and where it stands.
#[derive(Debug, Clone)]
pub struct DialogAt {
    /// The last event.
    pub position: Position,
    /// What the dialog amounts to after it.
    pub view: DialogView,
}

/// Events of a dialog: all that the reader may see of `(after, upto]`.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// The position before the first.
    pub after: Position,
    /// The position after the last.
    pub upto: Position,
    /// In order.
    pub events: Vec<Arc<StreamEvent<Content>>>,
}

impl Chat {
    /// The state of a dialog.
    ///
    /// # Errors
    /// `Forbidden` when the reader has no right to it or it does not exist; errors of the store.
    pub async fn dialog(&self, reader: &Identity, dialog: DialogId) -> Result<DialogAt> {
        let stream = StreamId::Dialog(dialog);
        let (position, view) = self.inner.hub.dialog(&stream, Seq(u64::MAX)).await?;
        let view = view.filter(|view| {
            view.access()
                .is_some_and(|access| sight(&reader.who, &access) > Sight::None)
        });
        let mut view = view.ok_or_else(|| forbidden(dialog))?;
        if matches!(reader.who, Who::Customer(_)) {
            view = view.for_customer();
        }
        Ok(DialogAt { position, view })
    }

    /// At most `limit` events of a dialog after `after`, the oldest.
    ///
    /// # Errors
    /// As [`dialog`](Self::dialog).
    pub async fn events_after(
        &self,
        reader: &Identity,
        dialog: DialogId,
        after: Seq,
        limit: usize,
    ) -> Result<HistoryPage> {
        let upto = Seq(after.0.saturating_add(limit as u64));
        self.events(reader, dialog, (after, upto)).await
    }

    /// At most `limit` events of a dialog before `before`, the newest.
    ///
    /// # Errors
    /// As [`dialog`](Self::dialog).
    pub async fn events_before(
        &self,
        reader: &Identity,
        dialog: DialogId,
        before: Seq,
        limit: usize,
    ) -> Result<HistoryPage> {
        let head = self.dialog(reader, dialog).await?.position.seq;
        let upto = Seq(before.0.saturating_sub(1).min(head.0));
        let after = Seq(upto.0.saturating_sub(limit as u64));
        self.events(reader, dialog, (after, upto)).await
    }

    async fn events(
        &self,
        reader: &Identity,
        dialog: DialogId,
        (after, upto): (Seq, Seq),
    ) -> Result<HistoryPage> {
        let customer = self.dialog(reader, dialog).await?.view.customer;
        let hub = &self.inner.hub;
        let stream = StreamId::Dialog(dialog);
        let mut page = hub.read_page(&stream, after, upto).await?;
        loop {
            let last = page.upto().seq;
            if last >= upto || page.events.is_empty() {
                break;
            }
            let more = hub.read_page(&stream, last, upto).await?;
            if more.events.is_empty() {
                break;
            }
            page.events.extend(more.events);
        }
        let opened = Opened::page(hub.sealer.as_ref(), Some(&customer), page)?;
        let upto = opened.upto();
        let events = opened.events.into_iter();
        Ok(HistoryPage {
            after: opened.after,
            upto,
            events: events
                .filter(|e| shows(&reader.who, e.visibility))
                .collect(),
        })
    }

    /// The notes about the customer of a dialog, oldest first, as of now: they outlive dialogs.
    /// Whoever follows the dialog is told of those that come and go from then on.
    ///
    /// # Errors
    /// `Forbidden` for customers, and for staff as [`dialog`](Self::dialog); errors of the store.
    pub async fn notes_about(
        &self,
        reader: &Identity,
        dialog: DialogId,
    ) -> Result<Vec<(NoteId, CustomerNote<Content>)>> {
        if !shows(&reader.who, Visibility::Staff) {
            return Err(forbidden(dialog));
        }
        let customer = self.dialog(reader, dialog).await?.view.customer;
        self.inner.hub.notes_about(&customer).await
    }

    /// The dialogs of a customer, newest first, older than `before`. Late, never wrong.
    ///
    /// # Errors
    /// `Forbidden` for another customer; errors of index and store. Staff are told only of the
    /// dialogs that they may see, so a page of theirs may be shorter without being the last.
    pub async fn dialogs_of(
        &self,
        reader: &Identity,
        customer: &CustomerId,
        before: Option<(Timestamp, DialogId)>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>> {
        if matches!(&reader.who, Who::Customer(me) if me != customer) {
            return Err(Error::new(ErrorKind::Forbidden, "list dialogs"));
        }
        let index = Index::Customer(customer.clone());
        let hub = &self.inner.hub;
        let list = self.ports().index.list(&index, before, limit);
        let mut list = hub.in_time("list dialogs", list).await?;
        if matches!(reader.who, Who::Staff { .. }) {
            let mut seen = Vec::new();
            for entry in list {
                let access = hub.access_of(entry.dialog).await?;
                if access.is_some_and(|access| sight(&reader.who, &access) > Sight::None) {
                    seen.push(entry);
                }
            }
            list = seen;
        }
        Ok(list)
    }

    /// The dialogs that the reader closed, newest first, older than `before`. Late, never wrong.
    ///
    /// # Errors
    /// `Forbidden` for a customer; errors of the index.
    pub async fn closed_by(
        &self,
        reader: &Identity,
        before: Option<(Timestamp, DialogId)>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>> {
        let Who::Staff { id, .. } = &reader.who else {
            return Err(Error::new(ErrorKind::Forbidden, "list closed dialogs"));
        };
        let index = Index::ClosedBy(id.clone());
        let list = self.ports().index.list(&index, before, limit);
        self.inner.hub.in_time("list closed dialogs", list).await
    }
}

fn forbidden(dialog: DialogId) -> Error {
    Error::new(ErrorKind::Forbidden, "read a dialog").with_context("dialog", dialog)
}
