//! Sends every message back: what the protocol's conformance cases run against.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::Socket;

/// Sends every message back as it came, until the other end closes or breaks the protocol.
pub async fn echo(mut socket: Socket) {
    while let Some(message) = socket.next().await {
        let sent = match message {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message).await,
            Ok(_) => continue,
            Err(error) => {
                // Best effort: the other end may be gone.
                let _ = socket.close(close_frame(&error)).await;
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

fn close_frame(error: &Error) -> Option<CloseFrame> {
    let code = match error {
        Error::Capacity(_) => CloseCode::Size,
        Error::Utf8(_) => CloseCode::Invalid,
        Error::Protocol(_) => CloseCode::Protocol,
        _ => return None,
    };
    Some(CloseFrame {
        code,
        reason: "".into(),
    })
}
