//! Channels: how an outside messenger is connected.

mod intake;

pub use intake::{ChannelIntake, Incoming, IncomingId, Reached, Told};

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::{
    content::{Content, ContentKind},
    error::Result,
    ids::{ChannelId, CustomerId, DialogId, Seq},
};

/// What a channel can do; the core does without the rest and never fakes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Which contents it can show; others are shown as text.
    pub contents: Vec<ContentKind>,
    /// Longest text, in characters; longer ones are split.
    pub text_chars_max: usize,
    /// Whether it tells what was delivered, through [`ChannelIntake::told`].
    pub tells_delivered: bool,
    /// Whether it tells what was read, through [`ChannelIntake::told`].
    pub tells_read: bool,
    /// Whether a message can be changed after it was sent.
    pub edits: bool,
    /// How its incoming messages are told apart.
    pub incoming: IncomingIds,
    /// Whether sending with the same key twice shows one message. Without it a message may be
    /// shown twice after a crash.
    pub idempotent_send: bool,
}

/// How a channel's incoming messages are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncomingIds {
    /// By a number that grows per customer.
    Growing,
    /// By a name; the channel may deliver it again for this long.
    Named {
        /// For how long.
        redelivery: Duration,
    },
}

/// A message to a customer of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// To whom.
    pub customer: CustomerId,
    /// In which dialog.
    pub dialog: DialogId,
    /// Which event; with the dialog, the idempotency key.
    pub seq: Seq,
    /// What.
    pub content: Content,
}

/// Connects one messenger. What comes in is given to
/// [`ChannelIntake`] as commands of the channel's customers; what goes out comes here, at
/// least once, in order per dialog.
///
/// - **Errors**: with retry advice; `Never` makes it a dead letter.
/// - **Cancellation**: `send` is dropped at its time limit, and tried again.
///
/// ```
/// use std::time::Duration;
/// use chatcore::{
///     channel::{Capabilities, ChannelAdapter, IncomingIds, Outgoing},
///     content::ContentKind,
///     error::Result,
///     ids::ChannelId,
/// };
///
/// #[derive(Debug)]
/// struct Pager(ChannelId);
///
/// #[async_trait::async_trait]
/// impl ChannelAdapter for Pager {
///     fn id(&self) -> &ChannelId {
///         &self.0
///     }
///
///     fn capabilities(&self) -> Capabilities {
///         Capabilities {
///             contents: vec![ContentKind::Text],
///             text_chars_max: 160,
///             tells_delivered: false,
///             tells_read: false,
///             edits: false,
///             incoming: IncomingIds::Named { redelivery: Duration::from_secs(3600) },
///             idempotent_send: false,
///         }
///     }
///
///     async fn send(&self, _: &Outgoing) -> Result<()> {
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait ChannelAdapter: fmt::Debug + Send + Sync + 'static {
    /// The channel's name.
    fn id(&self) -> &ChannelId;

    /// What it can do; does not change while it runs.
    fn capabilities(&self) -> Capabilities;

    /// Shows a message to its customer.
    ///
    /// # Errors
    /// As above.
    async fn send(&self, message: &Outgoing) -> Result<()>;
}

/// The guide's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/channels.md")]
struct Guide;
