//! Request bodies: bounded in bytes and in time.

use std::time::Duration;

use axum::{body::to_bytes, extract::Request};
use tokio::time::timeout;

use super::answer::Failure;
use crate::protocol::ErrorCode;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The body as text.
///
/// # Errors
/// `too_large`, `bad_frame` when it is not UTF-8 or does not arrive in time.
pub(super) async fn text(request: Request, bytes_max: usize) -> Result<String, Failure> {
    let read = to_bytes(request.into_body(), bytes_max);
    let bytes = match timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let text = format!("expected a whole body of at most {bytes_max} bytes");
            return Err(Failure::new(ErrorCode::TooLarge, text));
        }
        Err(_) => {
            return Err(Failure::new(
                ErrorCode::BadFrame,
                "expected the body within 10 seconds",
            ));
        }
    };
    String::from_utf8(bytes.into())
        .map_err(|_| Failure::new(ErrorCode::BadFrame, "expected UTF-8 text"))
}
