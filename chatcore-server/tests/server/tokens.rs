//! Tokens of the tests, signed as the demo's are.

use std::{path::Path, sync::Arc, time::Duration};

use chatcore::clock::{Clock as _, SystemClock};
use chatcore_server::identity::{Claims, JwtAuthenticator, Role, TokenRules};

const HOUR: Duration = Duration::from_secs(3_600);

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    u64::try_from(SystemClock.now().0 / 1000).unwrap()
}

/// Anna's for an hour, but for what is changed.
pub(crate) fn claims(change: impl FnOnce(&mut Claims)) -> Claims {
    let mut claims = Claims::new("anna", Role::Customer, SystemClock.now().plus(HOUR));
    claims.name = "Anna".to_owned();
    change(&mut claims);
    claims
}

/// Signs as a demo would with this secret.
pub(crate) fn signer(secret: Vec<u8>) -> JwtAuthenticator {
    let rules = TokenRules {
        secret,
        issuer: Some("chatcore-demo".to_owned()),
        audience: None,
    };
    JwtAuthenticator::try_new(rules, Arc::new(SystemClock)).unwrap()
}

/// Signs as the demo in this folder does.
pub(crate) fn signer_of(folder: &Path) -> JwtAuthenticator {
    signer(std::fs::read(folder.join("demo-secret")).unwrap())
}
