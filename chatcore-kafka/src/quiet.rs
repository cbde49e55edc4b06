//! What librdkafka says, as log lines of ours: not what is no trouble.

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel as Level,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode as Code},
};

/// The context of clients that only read.
#[derive(Debug)]
pub(crate) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: Level, facility: &str, text: &str) {
        log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tell(&error, reason);
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
        Level::Warning => tracing::warn!(facility, "librdkafka: {text}"),
        Level::Notice | Level::Info => tracing::info!(facility, "librdkafka: {text}"),
        Level::Debug => tracing::debug!(facility, "librdkafka: {text}"),
    }
}

/// An error that came without being asked for. The end of a partition is none.
pub(crate) fn tell(error: &KafkaError, reason: &str) {
    if error.rdkafka_error_code() != Some(Code::PartitionEOF) {
        tracing::warn!(%error, reason, "Kafka");
    }
}
