//! The bot that meets customers.

mod rules;

pub use rules::{BotRule, BotRules, RuleBot};

use std::fmt;

use async_trait::async_trait;

use crate::{
    content::Content,
    error::Result,
    ids::{ChannelId, CustomerId, DialogId, Label, QueueRef, Seq},
};

/// What the bot is told: the dialog as far as it has it.
#[derive(Debug, Clone)]
pub struct BotTurn {
    /// Whose dialog.
    pub customer: CustomerId,
    /// Which dialog.
    pub dialog: DialogId,
    /// Where it is held.
    pub channel: ChannelId,
    /// The last event that is told here.
    pub seen: Seq,
    /// What was said since the dialog began (or was reopened), oldest first; the newest
    /// [`BOT_HISTORY_MAX`].
    pub said: Vec<Said>,
}

/// Most sayings that a bot is told.
pub const BOT_HISTORY_MAX: usize = 50;

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whether the bot said it; the customer otherwise.
    pub by_bot: bool,
    /// What.
    pub content: Content,
}

/// What the bot answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BotReply {
    /// What it says, in order.
    pub says: Vec<Content>,
    /// Gives the dialog to people: to this queue (the dialog's own when `None`), for this reason.
    pub hand_over: Option<(Option<QueueRef>, Label)>,
}

/// Answers customers. Called at least once per turn, in order per dialog; an answer that comes
/// after something else happened in the dialog is dropped.
///
/// - **Errors**: with retry advice; when given up, the dialog is handed over to people.
/// - **Cancellation**: dropped at its time limit, and tried again.
///
/// ```
/// use chatcore::{bot::{Bot, BotReply, BotTurn}, content::Content, error::Result};
///
/// #[derive(Debug)]
/// struct Echo;
///
/// #[async_trait::async_trait]
/// impl Bot for Echo {
///     async fn answer(&self, turn: &BotTurn) -> Result<BotReply> {
///         let says = turn.said.last().map(|said| said.content.clone()).into_iter().collect();
///         Ok(BotReply { says, hand_over: None })
///     }
/// }
/// ```
#[async_trait]
pub trait Bot: fmt::Debug + Send + Sync + 'static {
    /// Answers the customer's last message, or greets when nothing was said yet.
    ///
    /// # Errors
    /// As above.
    async fn answer(&self, turn: &BotTurn) -> Result<BotReply>;
}
