//! Whose producer appends what.

use std::{sync::Arc, thread, time::Duration};

use chatcore::{error::Result, journal::Log};

use crate::{config::KafkaConfig, figures::Figures, producer::Producer};

/// Two, each with one request under way at a time: somebody waits for a command to be durable, so
/// it does not wait for what is published meanwhile, which may linger to go with more.
#[derive(Debug, Clone)]
pub(crate) struct Producers {
    /// For commands and tables.
    pub(crate) commands: Arc<Producer>,
    events: Arc<Producer>,
}

impl Producers {
    /// # Errors
    /// As [`Producer::new`].
    pub(crate) fn new(config: &KafkaConfig) -> Result<Self> {
        let producer = |linger| {
            let client = config.producer(linger);
            Producer::new(client, config.records_max, config.bytes_max)
        };
        Ok(Self {
            commands: producer(config.linger)?,
            events: producer(config.events_linger)?,
        })
    }

    pub(crate) fn of(&self, log: Log) -> &Arc<Producer> {
        match log {
            Log::Commands => &self.commands,
            Log::Events => &self.events,
        }
    }

    /// What of the journal's figures are the producers', of both.
    pub(crate) fn figures(&self) -> Figures {
        let (commands, events) = (self.commands.figures(), self.events.figures());
        Figures {
            records: commands.records + events.records,
            records_max: commands.records_max + events.records_max,
            bytes: commands.bytes + events.bytes,
            bytes_max: commands.bytes_max + events.bytes_max,
            replaced: commands.replaced + events.replaced,
            ..Figures::default()
        }
    }

    /// Takes nothing more, and waits until what was taken is durable, no longer than `limit`; what
    /// is not by then fails with its fate unknown. Blocks.
    pub(crate) fn close(&self, limit: Duration) {
        thread::scope(|both| {
            both.spawn(|| self.events.close(limit));
            self.commands.close(limit);
        });
    }
}
