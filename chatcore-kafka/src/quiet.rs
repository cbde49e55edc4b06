//! What librdkafka says, as log lines of ours: not what is no trouble.

use rdkafka::{
    ClientContext, config::RDKafkaLogLevel as Level, consumer::ConsumerContext, error::KafkaError,
};

/// The context of clients that only read.
#[derive(Debug)]
pub(crate) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: Level, facility: &str, text: &str) {
        log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        note(&error, reason);
    }
}

impl ConsumerContext for Quiet {}

/// A line of librdkafka's log.
pub(crate) fn log(level: Level, facility: &str, text: &str) {
    // That a setting is called experimental is known.
    if facility == "CONFWARN" {
        return;
    }
    match level {
        Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
            tracing::error!(facility, "librdkafka: {text}");
        }
        // Each client tells of each connection: the trouble itself is told by whoever has it.
        Level::Warning | Level::Notice | Level::Info | Level::Debug => {
            tracing::debug!(facility, "librdkafka: {text}")
        }
    }
}

/// An error that came without being asked for, to one of many clients: the producer tells it aloud.
pub(crate) fn note(error: &KafkaError, reason: &str) {
    tracing::debug!(%error, reason, "Kafka");
}
