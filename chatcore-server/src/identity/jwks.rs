//! Tokens that are signed with private keys elsewhere, checked with the public ones of a file.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use chatcore::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    identity::{Authenticator, Identity, Service},
};
use jsonwebtoken::{Algorithm, Validation};
use tokio::{sync::Mutex, time::Instant};

use super::{Claims, TOKEN_BYTES_MAX, TokenProblem, key_set::KeySet, provider, refused};

/// Longest set, in bytes.
const SET_BYTES_MAX: u64 = 256 * 1024;
/// How old a set may be before it is read again: so long is a key taken that was removed.
const READ_EVERY: Duration = Duration::from_secs(60);
/// For unknown keys it is not read more often than this.
const READ_MIN: Duration = Duration::from_secs(5);

/// Which tokens are taken. Issuer and audience have to be named: whoever signs with these keys signs
/// for others, too.
#[derive(Debug, Clone)]
pub struct JwksRules {
    /// A JSON Web Key Set. Read again every minute, and when a token names a key that is not in it.
    pub file: PathBuf,
    /// The only issuer.
    pub issuer: String,
    /// The only audience.
    pub audience: String,
}

/// Checks tokens signed with RS256 to PS512, ES256, ES384 or Ed25519, each only with a key of its kind, and
/// only as the key itself allows. Symmetric algorithms and `none` are refused.
pub struct JwksAuthenticator {
    file: PathBuf,
    /// Issuer and audience, without an algorithm.
    rules: Validation,
    set: RwLock<Arc<KeySet>>,
    /// When it was read last, well or not. One reads at a time, and the others go on meanwhile.
    read_at: Mutex<Instant>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for JwksAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksAuthenticator")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl JwksAuthenticator {
    /// Reads the set.
    ///
    /// # Errors
    /// `Invalid` when it can't be read, or has no key that is of use.
    pub async fn open(rules: JwksRules, clock: Arc<dyn Clock>) -> Result<Self> {
        provider::install();
        let JwksRules {
            file,
            issuer,
            audience,
        } = rules;
        // Each key brings its own.
        let mut rules = Validation::new(Algorithm::default());
        rules.algorithms = Vec::new();
        // Our clock judges `exp` and `nbf`.
        rules.validate_exp = false;
        rules.leeway = 0;
        rules.set_issuer(&[issuer]);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        let set = read(&file, &rules).await?;
        Ok(Self {
            file,
            rules,
            set: RwLock::new(Arc::new(set)),
            read_at: Mutex::new(Instant::now()),
            clock,
        })
    }

    fn set(&self) -> Arc<KeySet> {
        Arc::clone(&self.set.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn claims(&self, token: &str) -> std::result::Result<Claims, TokenProblem> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenProblem::TooLong);
        }
        self.read_again(READ_EVERY).await;
        let decoded = match self.set().decode(token) {
            Err(TokenProblem::UnknownKey) if self.read_again(READ_MIN).await => {
                self.set().decode(token)
            }
            decoded => decoded,
        };
        decoded?.holds_at(self.clock.now())
    }

    /// Reads the set again if it was read before so long; whether it did. A set that can't be read
    /// leaves the one before in place.
    async fn read_again(&self, after: Duration) -> bool {
        let Ok(mut read_at) = self.read_at.try_lock() else {
            return false;
        };
        if read_at.elapsed() < after {
            return false;
        }
        *read_at = Instant::now();
        match read(&self.file, &self.rules).await {
            Ok(set) => {
                *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
                true
            }
            Err(error) => {
                tracing::error!(%error, "the keys for tokens can't be read again; those before count");
                false
            }
        }
    }
}

async fn read(file: &Path, rules: &Validation) -> Result<KeySet> {
    let failed = || {
        Error::new(ErrorKind::Invalid, "read the keys for tokens")
            .with_context("file", file.display())
    };
    let length = tokio::fs::metadata(file).await;
    let length = length.map_err(|error| failed().with_source(error))?.len();
    if length > SET_BYTES_MAX {
        return Err(failed()
            .with_context("bytes", length)
            .with_context("most", SET_BYTES_MAX));
    }
    let text = tokio::fs::read(file).await;
    let text = text.map_err(|error| failed().with_source(error))?;
    KeySet::parse(&text, rules).map_err(|problem| failed().with_source(problem))
}

#[async_trait]
impl Authenticator for JwksAuthenticator {
    async fn authenticate(&self, token: &str) -> Result<Identity> {
        let claims = self.claims(token).await;
        claims.and_then(Claims::identity).map_err(refused)
    }

    async fn authenticate_service(&self, token: &str) -> Result<Service> {
        let claims = self.claims(token).await;
        claims.and_then(Claims::service).map_err(refused)
    }
}

#[cfg(test)]
mod tests;
