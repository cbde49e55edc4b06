//! Which topics are there, asked of the brokers; and why nobody answers.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chatcore::error::{Error, ErrorKind, Result};
use rdkafka::{
    ClientContext,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode as Code},
    metadata::MetadataPartition,
};

use crate::{
    config::KafkaConfig,
    error::{ended, from_kafka},
    quiet,
    topics::{ALL, OPEN, Wanted},
};

/// After so long without an answer it is told why, and asked again.
const ASK_MAX: Duration = Duration::from_secs(2);
/// How long telling may take, and how much is listened to.
const TELL_MAX: Duration = Duration::from_millis(50);
const TOLD_MAX: usize = 20;

/// Notes what connections fail for: a question only says that nobody answered it.
#[derive(Debug, Default)]
struct Trouble(Mutex<Option<(KafkaError, String)>>);

impl Trouble {
    fn last(&self) -> MutexGuard<'_, Option<(KafkaError, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Trouble {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        quiet::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // That they are all down comes last, and is known.
        if error.rdkafka_error_code() != Some(Code::AllBrokersDown) {
            *self.last() = Some((error, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Trouble {}

/// Asks which topics are there.
#[derive(Clone)]
pub(crate) struct Survey {
    config: KafkaConfig,
    client: Arc<BaseConsumer<Trouble>>,
}

impl Survey {
    /// # Errors
    /// `Invalid` for a property that is wrong.
    pub(crate) fn new(config: &KafkaConfig) -> Result<Self> {
        let client = BaseConsumer::from_config_and_context(&config.plain(), Trouble::default());
        Ok(Self {
            config: config.clone(),
            client: Arc::new(client.map_err(|error| from_kafka(error, OPEN))?),
        })
    }

    /// Which topics are missing.
    ///
    /// # Errors
    /// `Unavailable` when no broker answers, or a partition has no leader; `Forbidden` when they
    /// refuse who asks; `Invalid` for another number of partitions.
    pub(crate) async fn missing(&self) -> Result<Vec<&'static str>> {
        let this = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            this.look().map_err(|error| match error.kind() {
                ErrorKind::Unavailable => this.explained(error),
                _ => error,
            })
        });
        asked.await.map_err(|_| ended(OPEN))?
    }

    fn look(&self) -> Result<Vec<&'static str>> {
        let mut missing = Vec::new();
        for wanted in &ALL {
            if !self.is_there(wanted)? {
                missing.push(wanted.name);
            }
        }
        Ok(missing)
    }

    fn is_there(&self, wanted: &Wanted) -> Result<bool> {
        let topic = self.config.topic(wanted.name);
        let metadata = self.client.fetch_metadata(Some(&topic), ASK_MAX);
        let metadata = metadata.map_err(|error| from_kafka(error, OPEN))?;
        let described = metadata.topics().iter().find(|t| t.name() == topic);
        let error = described.and_then(|topic| topic.error()).map(Code::from);
        let count = described.map_or(0, |topic| topic.partitions().len());
        match error {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => return Ok(false),
            Some(Code::LeaderNotAvailable) | None if count == 0 => {
                return Err(Error::new(ErrorKind::Unavailable, OPEN).with_context("topic", topic));
            }
            Some(code) => {
                let error = KafkaError::MetadataFetch(code);
                return Err(from_kafka(error, OPEN).with_context("topic", topic));
            }
            None => {}
        }
        let expected = wanted.partitions(&self.config);
        if count != expected {
            return Err(Error::new(ErrorKind::Invalid, OPEN)
                .with_context("topic", topic)
                .with_context("partitions", count)
                .with_context("expected", expected)
                .with_context(
                    "cause",
                    "the number of partitions is fixed for the life of a journal",
                ));
        }
        let is_led = |p: &MetadataPartition| p.leader() >= 0;
        if !described.is_some_and(|topic| topic.partitions().iter().all(is_led)) {
            return Err(Error::new(ErrorKind::Unavailable, OPEN)
                .with_context("topic", topic)
                .with_context("cause", "a partition has no leader"));
        }
        Ok(true)
    }

    /// With what connections failed for last.
    fn explained(&self, error: Error) -> Error {
        // What happened is told to who polls, with log lines in between.
        for _ in 0..TOLD_MAX {
            if self.client.poll(TELL_MAX).is_none() {
                break;
            }
        }
        // Kept: the same trouble is not told again for a while.
        let Some((trouble, reason)) = self.client.context().last().clone() else {
            return error;
        };
        let told = from_kafka(trouble, OPEN);
        let error = match told.kind() {
            // It does not pass by waiting.
            ErrorKind::Forbidden => told,
            _ => error,
        };
        error.with_context("cause", reason)
    }
}
