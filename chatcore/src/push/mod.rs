//! Push: telling customers who are away that somebody answered.

use std::fmt;

use async_trait::async_trait;

use crate::{
    error::Result,
    ids::{CustomerId, DialogId, Seq},
};

/// Why a customer is called back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PushReason {
    /// An operator took the dialog.
    Assigned,
    /// Staff or bot wrote.
    Message,
    /// The dialog ended and can be rated.
    Closed,
}

/// A push. It has no text: what is said stays in the dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// To whom.
    pub customer: CustomerId,
    /// About which dialog.
    pub dialog: DialogId,
    /// About which event; with the dialog, the idempotency key.
    pub seq: Seq,
    /// Why.
    pub reason: PushReason,
}

/// Hands pushes to the bank's push service. Called at least once per push, in order per dialog.
///
/// - **Errors**: with retry advice; `Never` makes it a dead letter.
/// - **Cancellation**: dropped at its time limit, and tried again.
///
/// ```
/// use chatcore::{error::Result, push::{Push, PushNotifier}};
///
/// #[derive(Debug)]
/// struct Silent;
///
/// #[async_trait::async_trait]
/// impl PushNotifier for Silent {
///     async fn notify(&self, _: &Push) -> Result<()> {
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait PushNotifier: fmt::Debug + Send + Sync + 'static {
    /// Sends one.
    ///
    /// # Errors
    /// As above.
    async fn notify(&self, push: &Push) -> Result<()>;
}

/// Writes a log line instead of pushing.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoggingPush;

#[async_trait]
impl PushNotifier for LoggingPush {
    async fn notify(&self, push: &Push) -> Result<()> {
        tracing::info!(dialog = push.dialog.0, seq = push.seq.0, reason = ?push.reason, "push");
        Ok(())
    }
}
