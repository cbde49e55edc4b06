//! Dead letters: what could not be read, decided or delivered, kept for a person to judge.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    error::Result,
    ids::{Label, Offset, Partition},
};

/// A dead letter. Its body stays sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// What failed: `engine`, or an effect's name.
    pub origin: Label,
    /// The partition of the record.
    pub partition: Partition,
    /// Its offset (in `commands` for the engine, in `events` for effects).
    pub offset: Offset,
    /// Why, as a stable code.
    pub reason: Label,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was given up.
    pub at: Timestamp,
    /// The record as it was read.
    pub record: Bytes,
}

/// Keeps dead letters. One origin, partition and offset is kept once.
///
/// - **Ordering**: listed in the order in which they were added.
/// - **Durability**: an addition is durable when it returns.
/// - **Cancellation**: a dropped call may or may not have happened; all are idempotent.
/// - **Errors**: `Unavailable`, `Storage`.
///
/// ```
/// # use chatcore::{error::Result, journal::DeadLetters};
/// async fn count(dead_letters: &dyn DeadLetters) -> Result<usize> {
///     Ok(dead_letters.list(None, 1_000).await?.len())
/// }
/// ```
#[async_trait]
pub trait DeadLetters: fmt::Debug + Send + Sync + 'static {
    /// Adds a letter, once per origin, partition and offset; returns its number.
    ///
    /// # Errors
    /// `Unavailable`, `Storage`.
    async fn add(&self, letter: DeadLetter) -> Result<u64>;

    /// At most `limit` letters with a number above `after`, in order.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<(u64, DeadLetter)>>;

    /// Forgets a letter: replayed or given up. Forgetting an unknown one is fine.
    ///
    /// # Errors
    /// `Unavailable`, `Storage`.
    async fn remove(&self, number: u64) -> Result<()>;
}
