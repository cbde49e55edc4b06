//! What can be wrong with a token.

use jsonwebtoken::errors::{Error, ErrorKind};

/// What is wrong with a token, and what to do. Never repeats any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// Not three parts of base64 with JSON in them.
    #[error("this is not a JSON Web Token with the claims sub, role, name and exp")]
    Malformed,
    /// Too long.
    #[error("a token has at most 4096 bytes")]
    TooLong,
    /// `none`, or any that is not taken with this key.
    #[error("the token's alg is not allowed; it must be that of its key, and HS256 with a secret")]
    Algorithm,
    /// Signed with a key that we don't know.
    #[error("the token's kid names no key that is known here")]
    UnknownKey,
    /// Its header demands what we don't know (`crit`).
    #[error("the token's crit names what is not understood here")]
    Critical,
    /// Signed with another secret, or changed.
    #[error("the token's signature does not match")]
    Signature,
    /// It has ended.
    #[error("the token has expired; sign in again")]
    Expired,
    /// It has not begun.
    #[error("the token is not valid yet")]
    NotYet,
    /// Made by somebody else.
    #[error("the token's iss is not the one that is taken here")]
    Issuer,
    /// Made for somebody else.
    #[error("the token's aud is not the one that is taken here")]
    Audience,
    /// It lives longer than revocations are kept.
    #[error("the token lives for more than 31 days; sign shorter ones, and refresh them")]
    LivesTooLong,
    /// Of a service, where a person is expected.
    #[error("this is the token of a service; only people open sessions and read dialogs")]
    NoPerson,
    /// Of a person, where a service is expected.
    #[error("this is the token of a person; a service is expected here")]
    NoService,
    /// A claim is missing or breaks a rule.
    #[error("the token's claim {name} is missing or not valid")]
    Claim {
        /// Which.
        name: &'static str,
    },
}

impl TokenProblem {
    /// Its stable name in logs and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::Algorithm => "algorithm",
            Self::Critical => "critical",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::LivesTooLong => "lives_too_long",
            Self::NoPerson => "no_person",
            Self::NoService => "no_service",
            Self::Claim { .. } => "claim",
        }
    }

    pub(super) fn from_library(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::InvalidAlgorithm
            | ErrorKind::InvalidAlgorithmName
            | ErrorKind::UnsupportedAlgorithm => Self::Algorithm,
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::NotYet,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::MissingRequiredClaim(name) => match name.as_str() {
                "iss" => Self::Issuer,
                "aud" => Self::Audience,
                _ => Self::Claim { name: "exp" },
            },
            // `none` is no algorithm to the library: the header can't be read.
            ErrorKind::Json(error) if error.to_string().contains("variant") => Self::Algorithm,
            _ => Self::Malformed,
        }
    }
}
