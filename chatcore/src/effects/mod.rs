//! What runs from events: the bot, pushes, channels, lists, the archive.
//!
//! Each effect has a position of its own in `events`. It runs at least once for each decision, in
//! order per stream, with a time limit and growing delays between tries; what is given up becomes
//! a dead letter. Answers come back as commands that carry what was seen.

mod archive;
mod bot;
mod channel;
mod config;
mod index;
mod lookup;
mod progress;
mod push;
mod runner;
mod standing;

pub use archive::ArchiveEffect;
pub use bot::BotEffect;
pub use channel::ChannelEffect;
pub use config::EffectsConfig;
pub use index::IndexEffect;
pub use push::PushEffect;
pub use runner::run_effect;

use std::fmt;

use async_trait::async_trait;

use crate::{
    error::Result,
    ids::{Label, Partition},
    record::{Appended, Decision},
};

/// New events of one stream, with the decision that they are part of.
#[derive(Debug, Clone)]
pub struct Work {
    /// The partition whose owner decided.
    pub partition: Partition,
    /// The decision.
    pub decision: std::sync::Arc<Decision>,
    /// Which of its streams.
    pub stream: usize,
}

impl Work {
    /// The events.
    #[must_use]
    pub fn appended(&self) -> Option<&Appended> {
        self.decision.appended.get(self.stream)
    }
}

/// Something that runs from events.
///
/// - **Ordering**: called in order per stream, never twice at once for one stream; different
///   streams go side by side.
/// - **Atomicity**: none; called again after a crash, so it must bear repeats.
/// - **Errors**: with retry advice; `Never` gives up at once.
/// - **Cancellation**: `run` is dropped at its time limit, and tried again.
///
/// ```
/// use chatcore::{effects::{Effect, Work}, error::Result, ids::Label, record::Appended};
///
/// #[derive(Debug)]
/// struct Count(std::sync::atomic::AtomicU64, Label);
///
/// #[async_trait::async_trait]
/// impl Effect for Count {
///     fn name(&self) -> &Label {
///         &self.1
///     }
///
///     fn wants(&self, appended: &Appended) -> bool {
///         !appended.events.is_empty()
///     }
///
///     async fn run(&self, _: &Work) -> Result<()> {
///         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait Effect: fmt::Debug + Send + Sync + 'static {
    /// Names its position and its dead letters; never changes.
    fn name(&self) -> &Label;

    /// Whether it has to do with these events; cheap and pure.
    fn wants(&self, appended: &Appended) -> bool;

    /// Whether it must not be passed over: it is tried until it is done, however long that takes;
    /// only what is `Corrupt` or `Invalid` is given up. What comes after it in its stream waits.
    fn insists(&self) -> bool {
        false
    }

    /// Does it.
    ///
    /// # Errors
    /// As above.
    async fn run(&self, work: &Work) -> Result<()>;

    /// It was given up and is a dead letter for this reason: what has to happen instead. Tried
    /// until it succeeds.
    ///
    /// # Errors
    /// As above.
    async fn give_up(&self, work: &Work, reason: &Label) -> Result<()> {
        let _ = (work, reason);
        Ok(())
    }
}
