//! Lists that are built from events: late, never wrong, rebuilt.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    error::Result,
    ids::{CustomerId, DialogId, StaffId},
};

/// Which list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Index {
    /// All dialogs of a customer.
    Customer(CustomerId),
    /// The dialogs that an operator closed.
    ClosedBy(StaffId),
}

/// An entry of a list. One per list and dialog; a later one replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEntry {
    /// The dialog.
    pub dialog: DialogId,
    /// Whose it is.
    pub customer: CustomerId,
    /// What it is ordered by: when it began or ended.
    pub at: Timestamp,
}

/// Keeps the lists.
///
/// - **Ordering**: listed newest first, by `at` and then by dialog.
/// - **Atomicity**: each entry alone.
/// - **Durability**: what the backend promises; the effects runner builds them again.
/// - **Cancellation**: a dropped `put` may have put some.
/// - **Errors**: `Unavailable`, `Storage`.
///
/// ```
/// # use chatcore::{error::Result, ids::CustomerId, store::{Index, IndexStore}};
/// async fn dialogs(store: &dyn IndexStore, customer: CustomerId) -> Result<usize> {
///     Ok(store.list(&Index::Customer(customer), None, 100).await?.len())
/// }
/// ```
#[async_trait]
pub trait IndexStore: fmt::Debug + Send + Sync + 'static {
    /// Adds or replaces entries.
    ///
    /// # Errors
    /// `Unavailable`, `Storage`.
    async fn put(&self, entries: Vec<(Index, IndexEntry)>) -> Result<()>;

    /// At most `limit` entries older than `before`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    async fn list(
        &self,
        index: &Index,
        before: Option<(Timestamp, DialogId)>,
        limit: usize,
    ) -> Result<Vec<IndexEntry>>;
}
