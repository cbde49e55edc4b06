//! The one error of the ports: what went wrong, and what to do about it.

use std::{error::Error as StdError, fmt, time::Duration};

/// What a port's operation answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input breaks a rule.
    Invalid,
    /// The caller may not do this, or is not who they say.
    Forbidden,
    /// No such thing.
    NotFound,
    /// Another owner, incarnation or position than expected: the caller is not the owner any more.
    Conflict,
    /// A bound was reached; nothing was done.
    Overloaded,
    /// The view is being built again; come back.
    Rebuilding,
    /// The journal or store can't be reached, or did not answer in time.
    Unavailable,
    /// Stored bytes that can't be read, or were changed.
    Corrupt,
    /// Written by a newer version than this one.
    NewerFormat,
    /// The disk is full or failed; the backend takes no more writes until restarted.
    Storage,
    /// The part was shut down.
    Closed,
    /// A bug in chatcore or in the embedder's hook.
    Internal,
}

impl ErrorKind {
    /// The stable name, as seen in logs and on the wire.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Overloaded => "overloaded",
            Self::Rebuilding => "rebuilding",
            Self::Unavailable => "unavailable",
            Self::Corrupt => "corrupt",
            Self::NewerFormat => "newer_format",
            Self::Storage => "storage",
            Self::Closed => "closed",
            Self::Internal => "internal",
        }
    }
}

/// Whether and how the operation may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Repeating can't help.
    Never,
    /// Nothing was applied; try again after this long.
    Safe {
        /// How long to wait first.
        after: Duration,
    },
    /// The outcome is unknown, as when a reply timed out: only with the same idempotency key.
    SameKeyOnly,
    /// Was retried already.
    Exhausted,
}

/// One boxed error: kind, retry advice, operation, context and source.
///
/// Context holds identifiers and figures, never what a person wrote.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    retry: Retry,
    operation: &'static str,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind while doing `operation` (a verb phrase); repeating can't help.
    #[must_use]
    pub fn new(kind: ErrorKind, operation: &'static str) -> Self {
        let retry = match kind {
            ErrorKind::Overloaded | ErrorKind::Rebuilding => Retry::Safe {
                after: Duration::from_millis(250),
            },
            ErrorKind::Unavailable => Retry::SameKeyOnly,
            _ => Retry::Never,
        };
        Self(Box::new(Inner {
            kind,
            retry,
            operation,
            context: Vec::new(),
            source: None,
        }))
    }

    /// Sets the retry advice.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Adds an identifier or a figure; never text that a person wrote.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether and how to try again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// What was being done.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.0.operation, self.0.kind.code())?;
        for (key, value) in &self.0.context {
            write!(f, ", {key}: {value}")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|e| e as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_operation_kind_and_context() {
        let error = Error::new(ErrorKind::Conflict, "save a batch").with_context("partition", 3);
        assert_eq!(
            error.to_string(),
            "could not save a batch: conflict, partition: 3"
        );
        assert_eq!(error.retry(), Retry::Never);
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
