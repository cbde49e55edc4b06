//! Which tokens are taken.

use std::path::PathBuf;

use super::sources::Sources;
use crate::identity::{JwksRules, SECRET_BYTES_MIN, TokenRules};

/// Which tokens are taken.
#[derive(Debug, Clone)]
pub enum Tokens {
    /// Those that are signed with a shared secret.
    Signed(TokenRules),
    /// Those that are signed with private keys elsewhere.
    Keys(JwksRules),
    /// Those of the demo's people, which the demo hands to anybody.
    Demo,
}

pub(super) fn read(sources: &mut Sources) -> Option<Tokens> {
    match sources.take("token_keys_file") {
        Some(file) => public_keys(sources, file.into()),
        None => secret(sources),
    }
}

fn public_keys(sources: &mut Sources, file: PathBuf) -> Option<Tokens> {
    for name in ["token_secret", "token_secret_file"] {
        if sources.take(name).is_some() {
            sources.problem(name, "is set beside token_keys_file; expected one");
        }
    }
    // Whoever signs with such keys signs for others, too.
    let mut needed = |name: &str| {
        let value = sources.take(name);
        if value.is_none() {
            sources.problem(name, "is not set; token_keys_file needs it");
        }
        value
    };
    let (issuer, audience) = (needed("token_issuer"), needed("token_audience"));
    Some(Tokens::Keys(JwksRules {
        file,
        issuer: issuer?,
        audience: audience?,
    }))
}

fn secret(sources: &mut Sources) -> Option<Tokens> {
    let secret = match (
        sources.take("token_secret"),
        sources.take("token_secret_file"),
    ) {
        (Some(secret), None) => Some(secret.into_bytes()),
        (None, Some(path)) => {
            let bytes = sources.bytes("token_secret_file", &path);
            bytes.map(|bytes| bytes.trim_ascii_end().to_vec())
        }
        (None, None) => {
            sources.problem(
                "token_secret_file",
                "is not set; expected a file with the secret that your tokens are signed with, or \
                 token_keys_file with public keys (or --demo to try chatcore without any)",
            );
            None
        }
        (Some(_), Some(_)) => {
            sources.problem(
                "token_secret",
                "is set beside token_secret_file; expected one",
            );
            None
        }
    };
    let (issuer, audience) = (sources.take("token_issuer"), sources.take("token_audience"));
    let secret = secret?;
    if secret.len() < SECRET_BYTES_MIN {
        let text = format!(
            "has {} bytes; expected at least {SECRET_BYTES_MIN} random ones",
            secret.len()
        );
        sources.problem("token_secret", &text);
        return None;
    }
    Some(Tokens::Signed(TokenRules {
        secret,
        issuer,
        audience,
    }))
}
