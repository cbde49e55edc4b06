//! What comes in from a channel.

use std::{sync::Arc, time::Duration};

use super::ChannelAdapter;
use crate::{
    clock::Timestamp,
    commands::{CommandWriter, NewCommand},
    content::Content,
    dialog::{CustomerCommand, DialogSettings, Open},
    error::{Error, ErrorKind, Result},
    identity::{Assurance, Beside, BodySealer, Redactor},
    ids::{ChannelId, CustomerId, DialogId, Participant, Seq, Target},
    record::{Command, CommandId, TraceContext},
    routing::text::clean,
};

use super::IncomingIds;

/// A message of a channel's customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Whose: see [`ChannelIntake::customer`].
    pub customer: CustomerId,
    /// How the channel tells it from others, as its capabilities say.
    pub id: IncomingId,
    /// What.
    pub content: Content,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
}

/// How a channel tells a message from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncomingId {
    /// A number that grows per customer, for [`IncomingIds::Growing`].
    Number(u64),
    /// A name of at most 128 bytes, for [`IncomingIds::Named`].
    Name(String),
}

/// What a messenger tells of a message that was sent through it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// To whom it went, as in [`Outgoing`](super::Outgoing).
    pub customer: CustomerId,
    /// In which dialog.
    pub dialog: DialogId,
    /// Which message; all before it count as well.
    pub seq: Seq,
    /// How far it got.
    pub reached: Reached,
}

/// How far a message got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It is on the customer's device.
    Delivered,
    /// The customer has read it, so that it was delivered too.
    Read,
}

/// Longest name of an incoming message, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// Takes what customers of one channel write. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ChannelIntake {
    channel: ChannelId,
    ids: IncomingIds,
    tells: (bool, bool),
    settings: DialogSettings,
    redactor: Arc<dyn Redactor>,
    sealer: Arc<dyn BodySealer>,
    commands: CommandWriter,
}

impl ChannelIntake {
    pub(crate) fn new(
        adapter: &dyn ChannelAdapter,
        settings: DialogSettings,
        (redactor, sealer): (Arc<dyn Redactor>, Arc<dyn BodySealer>),
        commands: CommandWriter,
    ) -> Self {
        let channel = adapter.id().clone();
        let can = adapter.capabilities();
        Self {
            channel,
            ids: can.incoming,
            tells: (can.tells_delivered, can.tells_read),
            settings,
            redactor,
            sealer,
            commands,
        }
    }

    /// The customer behind an external id: a keyed hash of channel and id, the same for life as
    /// long as the key is. Nobody who lacks the key can tell the one from the other.
    #[must_use]
    pub fn customer(&self, key: &[u8; 32], external: &str) -> CustomerId {
        let mut hasher = blake3::Hasher::new_keyed(key);
        let channel = self.channel.as_str();
        hasher.update(&[u8::try_from(channel.len()).unwrap_or(u8::MAX)]);
        hasher
            .update(channel.as_bytes())
            .update(external.as_bytes());
        CustomerId::hashed(&hasher.finalize())
    }

    /// Writes the message down: into the dialog that goes on, or a new one. The channel may be
    /// told that it has arrived once this returns; when it fails the channel shall deliver again.
    ///
    /// # Errors
    /// `Invalid` for an id of the other kind than the capabilities say and for contents that break
    /// a rule: delivering again can't help. `Overloaded`, `Unavailable`: it can.
    pub async fn receive(&self, incoming: Incoming) -> Result<()> {
        let Incoming {
            customer,
            id,
            content,
            trace,
        } = incoming;
        let id = self.id(id)?;
        let content = self
            .redactor
            .redact(clean(content)?, Beside::default())
            .content;
        let body = self.sealer.seal(&customer, &content)?;
        let open = Open {
            channel: self.channel.clone(),
            topic: None,
            settings: self.settings.clone(),
        };
        let command = Command::Customer(CustomerCommand::Write { open, body });
        let author = Participant::Customer(customer.clone());
        let target = Target::Customer(customer);
        self.commands
            .write(NewCommand {
                target,
                author,
                // By the account that the messenger names, no more.
                assurance: Some(Assurance::Known),
                id,
                command,
                trace,
            })
            .await
            .map(drop)
    }

    /// Writes down what the messenger tells of a message. Of several it is enough to tell the
    /// highest: the highest wins, and what is lower or comes again changes nothing.
    ///
    /// # Errors
    /// `Invalid` when the capabilities say that the channel does not tell this: telling again
    /// can't help. `Overloaded`, `Unavailable`: it can.
    pub async fn told(&self, told: Told) -> Result<()> {
        let (delivered, read) = self.tells;
        let is_told = match told.reached {
            Reached::Delivered => delivered,
            Reached::Read => read,
        };
        if !is_told {
            return Err(Error::new(ErrorKind::Invalid, "take what a channel tells")
                .with_context("channel", &self.channel)
                .with_context("expected", "what its capabilities say that it tells"));
        }
        let command = Command::Customer(CustomerCommand::Cursor {
            dialog: told.dialog,
            delivered: told.seq,
            read: match told.reached {
                Reached::Delivered => Seq(0),
                Reached::Read => told.seq,
            },
        });
        let new = NewCommand {
            target: Target::Customer(told.customer.clone()),
            author: Participant::Customer(told.customer),
            assurance: None,
            id: CommandId::Internal,
            command,
            trace: None,
        };
        self.commands.write(new).await.map(drop)
    }

    fn id(&self, id: IncomingId) -> Result<CommandId> {
        let channel = self.channel.clone();
        match (id, self.ids) {
            (IncomingId::Number(number), IncomingIds::Growing) => {
                Ok(CommandId::ChannelNumber { channel, number })
            }
            (IncomingId::Name(key), IncomingIds::Named { redelivery })
                if (1..=NAME_BYTES_MAX).contains(&key.len()) =>
            {
                Ok(CommandId::ChannelKey {
                    channel,
                    key,
                    redelivery_ms: millis(redelivery),
                })
            }
            (IncomingId::Name(key), IncomingIds::Named { .. }) => {
                Err(Error::new(ErrorKind::Invalid, "take a channel's message")
                    .with_context("name bytes", key.len())
                    .with_context("expected", "1 to 128"))
            }
            _ => Err(Error::new(ErrorKind::Invalid, "take a channel's message")
                .with_context("channel", &self.channel)
                .with_context("expected", "an id of the kind that its capabilities say")),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(Timestamp(0).plus(duration).0).unwrap_or(u64::MAX)
}
