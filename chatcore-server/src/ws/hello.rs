//! The first frame of a socket.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Socket;
use crate::{
    connection::{Refusal, parse_hello},
    protocol::{Close, ErrorCode, HELLO_SECONDS_MAX, Hello, Wrong},
};

/// Waits for `hello`.
///
/// # Errors
/// What to say and how to end; nothing to say when the other end is gone.
pub(super) async fn hello(socket: &mut Socket) -> Result<Hello, Option<Refusal>> {
    let limit = Duration::from_secs(HELLO_SECONDS_MAX);
    match timeout(limit, first_text(socket)).await {
        Ok(Ok(text)) => parse_hello(&text).map_err(Some),
        Ok(Err(refusal)) => Err(refusal),
        Err(_) => Err(Some(Refusal {
            wrong: Wrong::new(ErrorCode::HelloExpected, "expected hello within 8 seconds"),
            close: Close::Silent,
        })),
    }
}

async fn first_text(socket: &mut Socket) -> Result<String, Option<Refusal>> {
    loop {
        let close = match socket.next().await {
            // Owned: what is kept of the library's text would keep its read buffer.
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Binary(_))) => Close::Binary,
            Some(Ok(Message::Close(_))) | None => return Err(None),
            Some(Ok(_)) => continue,
            Some(Err(error)) => why(&error).ok_or(None)?,
        };
        let wrong = Wrong::new(ErrorCode::HelloExpected, "expected hello as a text frame");
        return Err(Some(Refusal { wrong, close }));
    }
}

/// How to end after an error of the socket; none when it is gone.
pub(super) fn why(error: &Error) -> Option<Close> {
    match error {
        Error::Capacity(_) => Some(Close::TooLarge),
        Error::Utf8(_) => Some(Close::NotUtf8),
        Error::Protocol(_) | Error::AttackAttempt => Some(Close::Broken),
        _ => None,
    }
}
