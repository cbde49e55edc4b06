//! What a device shows to be let in: tokens that end, that are refreshed or not, and that it goes on
//! showing for a while after they were revoked.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use chatcore::{
    clock::{Clock as _, SystemClock, Timestamp},
    identity::{Proof, Who},
    ids::{SignInId, TokenId},
    simulation::{Credential, history::digest_of},
};
use chatcore_server::identity::{Claims, JwtAuthenticator, Role, TokenRules};

use crate::nodes::SECRET;

/// How long a token lives that is not short.
const LONG: Duration = Duration::from_secs(3_600);
/// The least that a short one lives, and how much longer at most.
const SHORT: (u64, u64) = (8, 20);
/// How often what was refused is shown again, at most.
const STUBBORN: u64 = 2;

/// Signs the tokens of a run.
#[derive(Debug, Clone)]
pub(crate) struct Signer(Arc<JwtAuthenticator>);

impl Signer {
    pub(crate) fn new() -> Result<Self> {
        let rules = TokenRules {
            secret: SECRET.into(),
            issuer: None,
            audience: None,
        };
        let signer = JwtAuthenticator::try_new(rules, Arc::new(SystemClock))?;
        Ok(Self(Arc::new(signer)))
    }

    /// The token of a service that may revoke.
    pub(crate) fn service(&self) -> Result<String> {
        let mut claims = claims("revoker", Role::Service);
        claims.scope = Some("chatcore:revoke".to_owned());
        Ok(self.0.sign(claims)?)
    }
}

fn seconds() -> u64 {
    u64::try_from(SystemClock.now().0 / 1_000).unwrap_or(0)
}

fn claims(sub: &str, role: Role) -> Claims {
    let now = SystemClock.now();
    let mut claims = Claims::new(sub, role, now.plus(LONG));
    claims.iat = u64::try_from(now.0 / 1_000).ok();
    claims
}

/// A token with what it proves.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) token: String,
    pub(crate) credential: Credential,
}

/// The tokens of a device.
#[derive(Debug)]
pub(crate) struct Wallet {
    signer: Signer,
    name: String,
    who: Who,
    sign_ins: u32,
    tokens: u32,
    refused: u64,
    current: Option<Shown>,
}

impl Wallet {
    pub(crate) fn new(signer: Signer, who: Who, name: String) -> Self {
        Self {
            signer,
            name,
            who,
            sign_ins: 0,
            tokens: 0,
            refused: 0,
            current: None,
        }
    }

    /// What it shows now: what it has as long as that lasts and is taken, and a new one otherwise.
    /// `calm`: one that lasts.
    pub(crate) fn shown(&mut self, calm: bool) -> Result<Shown> {
        let patience = self.drawn("patience") % STUBBORN;
        match &self.current {
            Some(current)
                if current.credential.expires_at > SystemClock.now()
                    && self.refused <= patience =>
            {
                return Ok(current.clone());
            }
            Some(_) if self.refused == 0 => {}
            _ => self.sign_ins += 1,
        }
        self.renew(calm)
    }

    /// A new token of the same sign-in.
    pub(crate) fn renew(&mut self, calm: bool) -> Result<Shown> {
        self.tokens += 1;
        self.refused = 0;
        let (sub, role, desk) = match &self.who {
            Who::Customer(id) => (id.as_str(), Role::Customer, None),
            Who::Staff { id, desk, .. } => (id.as_str(), Role::Operator, Some(desk)),
        };
        let mut claims = claims(sub, role);
        claims.desk = desk.map(|desk| desk.as_str().to_owned());
        let lives = self.drawn("life");
        if !calm && lives.is_multiple_of(2) {
            let (least, more) = SHORT;
            claims.exp = seconds() + least + lives / 2 % more;
        }
        let token = format!("{}.t{}", self.name, self.tokens);
        let sign_in = format!("{}.s{}", self.name, self.sign_ins);
        let millis = |seconds: u64| Timestamp(i64::try_from(seconds * 1_000).unwrap_or(i64::MAX));
        let credential = Credential {
            proof: Proof {
                token: Some(TokenId::try_new(&token)?),
                sign_in: Some(SignInId::try_new(&sign_in)?),
                issued_at: claims.iat.map(millis),
            },
            expires_at: millis(claims.exp),
        };
        (claims.jti, claims.sid) = (Some(token), Some(sign_in));
        let token = self.signer.0.sign(claims)?;
        let shown = Shown { token, credential };
        self.current = Some(shown.clone());
        Ok(shown)
    }

    /// Whether a token that ends soon is refreshed in time.
    pub(crate) fn is_refreshed(&self) -> bool {
        !self.drawn("refresh").is_multiple_of(3)
    }

    /// What it showed was refused.
    pub(crate) fn refused(&mut self) {
        self.refused += 1;
    }

    fn drawn(&self, what: &str) -> u64 {
        digest_of(&(what, &self.name, self.tokens))
    }
}
