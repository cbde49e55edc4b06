//! Turns what the server and the client library say into the core's error, with what to do.

use std::time::Duration;

use chatcore::error::{Error, ErrorKind, Retry};
use redis::{RedisError, ServerError};

/// When to try again what the server refused for now.
const SOON: Duration = Duration::from_millis(100);

/// What the server said, as far as something follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// This is not the primary that may be written to (any more): the connection is given up.
    NotPrimary,
    /// The memory is full: nothing was done.
    Full,
    /// It can't write to its disk, or is busy with a script: nothing was done.
    Busy,
    /// The script is not there.
    NoScript,
    /// The login is wrong, or may not do this.
    Forbidden,
    /// Anything else: a bug here, or a key of somebody else.
    Other,
}

impl Said {
    /// By code, and by the code inside a text: up to 6.2 a script's error is wrapped in another.
    pub(crate) fn of(error: &ServerError) -> Self {
        let by_code = Self::of_code(error.code());
        if by_code != Self::Other {
            return by_code;
        }
        let details = error.details().unwrap_or_default();
        let words = details
            .split([' ', ':'])
            .filter_map(|word| word.strip_prefix('-'));
        let mut inner = words.map(Self::of_code);
        inner
            .find(|said| *said != Self::Other)
            .unwrap_or(Self::Other)
    }

    fn of_code(code: &str) -> Self {
        match code {
            "READONLY" | "NOREPLICAS" | "LOADING" | "MASTERDOWN" => Self::NotPrimary,
            "OOM" => Self::Full,
            "MISCONF" | "BUSY" | "TRYAGAIN" => Self::Busy,
            "NOSCRIPT" => Self::NoScript,
            "NOAUTH" | "WRONGPASS" | "NOPERM" => Self::Forbidden,
            _ => Self::Other,
        }
    }

    fn kind(self) -> ErrorKind {
        match self {
            Self::NotPrimary | Self::Busy | Self::NoScript => ErrorKind::Unavailable,
            Self::Full => ErrorKind::Overloaded,
            Self::Forbidden => ErrorKind::Forbidden,
            Self::Other => ErrorKind::Internal,
        }
    }

    fn advice(self) -> Option<&'static str> {
        match self {
            Self::NotPrimary | Self::NoScript => None,
            Self::Busy => Some("look at the store's log: its disk, or a script that does not end"),
            Self::Full => Some("give the store more memory (maxmemory)"),
            Self::Forbidden => {
                Some("check user and password, and that the user may use all commands of the list")
            }
            Self::Other => Some("check that nobody else uses the key prefix; else report a bug"),
        }
    }
}

/// Maps what the server refused. It was refused before it changed anything.
pub(crate) fn from_server(operation: &'static str, error: &ServerError) -> Error {
    let said = Said::of(error);
    let mut mapped = Error::new(said.kind(), operation);
    if matches!(said.kind(), ErrorKind::Unavailable | ErrorKind::Overloaded) {
        mapped = mapped.with_retry(Retry::Safe { after: SOON });
    }
    if let Some(advice) = said.advice() {
        mapped = mapped.with_context("to do", advice);
    }
    mapped.with_context("code", error.code()).with_context(
        "server",
        without_arguments(error.details().unwrap_or_default()),
    )
}

/// A server repeats the arguments of a command that it does not know: those are not for a log.
fn without_arguments(details: &str) -> &str {
    let cut = details.find(", with args").unwrap_or(details.len());
    details.get(..cut).unwrap_or_default()
}

/// Maps what went wrong with a connection on which something was under way: whether it was done
/// is unknown.
pub(crate) fn from_connection(operation: &'static str, error: RedisError) -> Error {
    Error::new(ErrorKind::Unavailable, operation).with_source(error)
}

/// Maps what went wrong while connecting to a server: a refused login is no outage.
pub(crate) fn from_connecting(operation: &'static str, error: RedisError) -> Error {
    let is_login = error.kind() == redis::ErrorKind::AuthenticationFailed
        || ["NOAUTH", "WRONGPASS", "NOPERM"].contains(&error.code().unwrap_or_default());
    if is_login {
        let advice = Said::Forbidden.advice().unwrap_or_default();
        return Error::new(ErrorKind::Forbidden, operation)
            .with_context("to do", advice)
            .with_source(error);
    }
    if crate::tls::is_refusal(&error) {
        return Error::new(ErrorKind::Forbidden, operation)
            .with_context(
                "to do",
                "check whom this and the server trust, and the names in their certificates",
            )
            .with_source(error);
    }
    Error::new(ErrorKind::Unavailable, operation)
        .with_retry(Retry::Safe { after: SOON })
        .with_source(error)
}

/// Nothing was sent.
pub(crate) fn unsent(operation: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, operation)
        .with_retry(Retry::Safe { after: SOON })
        .with_context("found", why)
}

/// It was sent, and what became of it is unknown.
pub(crate) fn unknown(operation: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, operation).with_context("found", why)
}

/// An answer of another form than the script or command gives.
pub(crate) fn unexpected(operation: &'static str, what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, operation).with_context("found", what)
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    fn server(text: &str) -> ServerError {
        match redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).unwrap() {
            Value::ServerError(error) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn codes_are_told_apart_also_inside_a_scripts_error() {
        for (text, said) in [
            (
                "READONLY You can't write against a read only replica.",
                Said::NotPrimary,
            ),
            (
                "NOREPLICAS Not enough good replicas to write.",
                Said::NotPrimary,
            ),
            (
                "LOADING Redis is loading the dataset in memory",
                Said::NotPrimary,
            ),
            ("MASTERDOWN Link with MASTER is down", Said::NotPrimary),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                Said::Full,
            ),
            (
                "MISCONF Redis is configured to save RDB snapshots",
                Said::Busy,
            ),
            (
                "NOSCRIPT No matching script. Please use EVAL.",
                Said::NoScript,
            ),
            ("NOPERM this user has no permissions", Said::Forbidden),
            ("WRONGTYPE Operation against a key", Said::Other),
            (
                "ERR Error running script (call to f_1a): @user_script:7: -READONLY You can't \
                 write against a read only replica.",
                Said::NotPrimary,
            ),
            (
                "ERR Error running script (call to f_1a): @user_script:7: @user_script: 7: -OOM \
                 command not allowed when used memory > 'maxmemory'.",
                Said::Full,
            ),
        ] {
            assert_eq!(Said::of(&server(text)), said, "{text}");
        }
    }

    #[test]
    fn arguments_are_not_repeated() {
        let error = server("ERR unknown command `X`, with args beginning with: `secret`, ");
        let said = from_server("save", &error).to_string();
        assert!(!said.contains("secret"), "{said}");
        assert!(said.contains("unknown command"), "{said}");
    }

    #[test]
    fn what_was_refused_may_be_repeated_and_what_was_cut_off_only_with_care() {
        let refused = from_server("save", &server("NOREPLICAS Not enough good replicas"));
        assert!(matches!(refused.retry(), Retry::Safe { .. }));
        assert_eq!(unknown("save", "no answer").retry(), Retry::SameKeyOnly);
    }
}
