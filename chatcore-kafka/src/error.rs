//! Errors of Kafka as errors of chatcore.

use chatcore::error::{Error, ErrorKind};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What it means for whoever asked. Where it is not known whether something was written, the error
/// says so by its retry advice.
pub(crate) fn from_kafka(error: KafkaError, operation: &'static str) -> Error {
    let kind = kind(&error);
    match error {
        // Its own text has the value, which may be a secret.
        KafkaError::ClientConfig(_, cause, property, _) => Error::new(kind, operation)
            .with_context("property", property)
            .with_context("cause", cause),
        error => Error::new(kind, operation).with_source(error),
    }
}

fn kind(error: &KafkaError) -> ErrorKind {
    let Some(code) = error.rdkafka_error_code() else {
        return match error {
            KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        };
    };
    match code {
        Code::QueueFull => ErrorKind::Overloaded,
        Code::MessageSizeTooLarge | Code::InvalidArgument => ErrorKind::Invalid,
        Code::OffsetOutOfRange | Code::AutoOffsetReset => ErrorKind::NotFound,
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication => ErrorKind::Forbidden,
        Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::RebalanceInProgress
        | Code::State
        | Code::AssignmentLost => ErrorKind::Conflict,
        Code::BadMessage | Code::InvalidMessage => ErrorKind::Corrupt,
        Code::KafkaStorageError => ErrorKind::Storage,
        _ => ErrorKind::Unavailable,
    }
}

/// A thread that was to do it has ended.
pub(crate) fn ended(operation: &'static str) -> Error {
    Error::new(ErrorKind::Closed, operation)
}

/// A topic is not, or not any more, what this journal had.
pub(crate) fn not_ours(topic: String, cause: &str) -> Error {
    Error::new(ErrorKind::Invalid, "open the journal")
        .with_context("topic", topic)
        .with_context("cause", cause)
        .with_context(
            "expected",
            "the topic of the journal that was begun here; restore it, or begin another journal under another prefix with an empty store",
        )
}
