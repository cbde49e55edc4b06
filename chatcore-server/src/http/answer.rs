//! Answers that say no: a stable code, a text, and the fitting status.

use axum::{
    Json,
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use chatcore::error::Error;
use serde::{Deserialize, Serialize};

use crate::{
    connection::{Refusal, wrong},
    metrics::{Metric, count},
    protocol::{ErrorCode, Wrong},
};

/// A request that was not taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub struct Failure {
    /// What was wrong.
    pub error: FailureBody,
}

/// What was wrong with a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "spec", derive(utoipa::ToSchema))]
pub struct FailureBody {
    /// The stable code.
    pub code: ErrorCode,
    /// What was expected, or what to do.
    pub text: String,
    /// Try again after this long, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Wrong::new(code, text).into()
    }

    /// To be tried again after this long.
    pub(crate) fn after(mut self, retry_after_ms: u64) -> Self {
        self.error.retry_after_ms = Some(retry_after_ms);
        self
    }

    fn status(&self) -> StatusCode {
        match self.error.code {
            ErrorCode::BadFrame
            | ErrorCode::HelloExpected
            | ErrorCode::Invalid
            | ErrorCode::TooDeep => StatusCode::BAD_REQUEST,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::Expired => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Rebuilding | ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        Self {
            error: FailureBody {
                code: wrong.code,
                text: wrong.text,
                retry_after_ms: wrong.retry_after_ms,
            },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        wrong(&error).into()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        refusal.wrong.into()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response<Body> {
        count(Metric::Refused, "code", self.error.code.name());
        let status = self.status();
        let seconds = self.error.retry_after_ms.map(|ms| ms.div_ceil(1000).max(1));
        let mut response = (status, Json(self)).into_response();
        if let Some(seconds) = seconds {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
