//! Opening it all.

use std::{sync::Arc, time::Duration};

use chatcore::{
    error::Result,
    journal::{DeadLetters, Journal, SharedTable, SnapshotTable},
};
use rdkafka::{admin::AdminClient, config::FromClientConfig as _};

use crate::{
    about::{About, is_begun, topic},
    config::KafkaConfig,
    error::from_kafka,
    figures::{Assigned, Figures},
    journal::KafkaJournal,
    patience::Patience,
    producers::Producers,
    reader::Readers,
    table::Table,
    tables::{KafkaDeadLetters, KafkaShared, KafkaSnapshots},
    topics,
};

/// A journal on Kafka with its tables, open.
///
/// ```no_run
/// # async fn open() -> chatcore::error::Result<()> {
/// use chatcore_kafka::{Kafka, KafkaConfig};
///
/// let kafka = Kafka::open(KafkaConfig::new("127.0.0.1:9092", "bank.chat")).await?;
/// for weakness in kafka.weaknesses() {
///     eprintln!("{weakness}");
/// }
/// let journal = kafka.journal();
/// assert_eq!(journal.partitions(), 16);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Kafka {
    journal: Arc<KafkaJournal>,
    snapshots: Arc<KafkaSnapshots>,
    shared: Arc<KafkaShared>,
    dead_letters: Arc<KafkaDeadLetters>,
    weaknesses: Vec<String>,
}

impl Kafka {
    /// Waits for the brokers, makes the topics that are missing, and checks all of them.
    ///
    /// # Errors
    /// `Unavailable` when no broker answers within [`KafkaConfig::open_timeout`]; `NotFound` for
    /// topics that are missing and may not be made, with what they must be like; `Invalid` for a
    /// property or a topic that is not as it must be, and for topics of another journal; `Forbidden`.
    ///
    /// # Cancellation
    /// Topics may have been made.
    pub async fn open(config: KafkaConfig) -> Result<Self> {
        let patience = Patience::new(config.open_timeout, &config.bootstrap);
        let readers = Readers::new(config.reader());
        let is_begun = async || is_begun(&config, &readers).await;
        let weaknesses = topics::prepare(&config, &patience, is_begun).await?;
        for weakness in &weaknesses {
            tracing::warn!(weakness, "the journal promises less");
        }
        let producers = Producers::new(&config)?;
        let producer = &producers.commands;
        let table = |name| {
            Table::follow(
                &config.follower(),
                config.topic(name),
                Arc::clone(producer),
                Arc::clone(&readers),
            )
        };
        let named = Arc::new(table(topics::ABOUT)?);
        let about = async || About::read(&config, &named, &readers).await;
        let about = patience.insist("open the journal", about).await?;
        let incarnation = about.incarnation;
        let admin = AdminClient::from_config(&config.plain());
        let admin = admin.map_err(|error| from_kafka(error, "open the journal"))?;
        Ok(Self {
            snapshots: Arc::new(KafkaSnapshots {
                topic: config.topic(topics::SNAPSHOTS),
                incarnation,
                producer: Arc::clone(producer),
                readers: Arc::clone(&readers),
            }),
            shared: Arc::new(KafkaShared {
                table: table(topics::SHARED)?,
                incarnation,
            }),
            dead_letters: Arc::new(KafkaDeadLetters {
                table: table(topics::DEAD_LETTERS)?,
                incarnation,
            }),
            journal: Arc::new(KafkaJournal {
                commands: topic(&config, chatcore::journal::Log::Commands),
                events: topic(&config, chatcore::journal::Log::Events),
                about: Arc::new(about),
                producers,
                readers,
                admin,
                assigned: Assigned::default(),
                config,
            }),
            weaknesses,
        })
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> Arc<dyn Journal> {
        self.journal.clone()
    }

    /// Snapshots by partition.
    #[must_use]
    pub fn snapshots(&self) -> Arc<dyn SnapshotTable> {
        self.snapshots.clone()
    }

    /// The table that every node reads whole.
    #[must_use]
    pub fn shared(&self) -> Arc<dyn SharedTable> {
        self.shared.clone()
    }

    /// The dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> Arc<dyn DeadLetters> {
        self.dead_letters.clone()
    }

    /// Settings of the topics that weaken a promise, in words.
    #[must_use]
    pub fn weaknesses(&self) -> &[String] {
        &self.weaknesses
    }

    /// What is under way, what was counted since the start, and what this process reads.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            assigned: self.journal.assigned.all(),
            ..self.journal.producers.figures()
        }
    }

    /// Takes no more appends, and waits until those that were taken are durable, no longer than
    /// `limit`; what is not by then fails, with its fate unknown.
    pub async fn close(&self, limit: Duration) {
        let producers = self.journal.producers.clone();
        let closed = tokio::task::spawn_blocking(move || producers.close(limit));
        if closed.await.is_err() {
            tracing::error!("the producers were not closed");
        }
    }
}
