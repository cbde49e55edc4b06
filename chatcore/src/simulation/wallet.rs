//! What a device shows to be let in: tokens that end, that are refreshed or not, and that it goes
//! on showing for a while after they were revoked.

use super::history::{Credential, digest_of};
use crate::{
    clock::Timestamp,
    error::Result,
    identity::Proof,
    ids::{SignInId, TokenId},
};

/// The least that a short token lives, and how much longer at most.
const SHORT_MS: (i64, u64) = (8_000, 20_000);
/// How often it shows what was refused before it signs in anew, at most.
const STUBBORN: u64 = 3;

/// The tokens of a device.
#[derive(Debug)]
pub(super) struct Wallet {
    name: String,
    sign_ins: u32,
    tokens: u32,
    current: Option<Credential>,
    /// How often the current one was refused.
    refused: u64,
    /// Only tokens that do not end are made from now on.
    calm: bool,
}

impl Wallet {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sign_ins: 0,
            tokens: 0,
            current: None,
            refused: 0,
            calm: false,
        }
    }

    pub(super) fn current(&self) -> Option<&Credential> {
        self.current.as_ref()
    }

    pub(super) fn calm_down(&mut self) {
        self.calm = true;
    }

    /// What it shows now: what it has as long as that lasts and is taken, and a new one otherwise.
    pub(super) fn shown(&mut self, now: Timestamp) -> Result<Credential> {
        let patience = self.drawn("patience") % STUBBORN;
        match &self.current {
            Some(current) if current.expires_at > now && self.refused <= patience => {
                return Ok(current.clone());
            }
            // What has only ended is refreshed; what was refused is done with.
            Some(_) if self.refused == 0 => {}
            _ => self.sign_ins += 1,
        }
        self.renew(now)
    }

    /// A new token of the same sign-in.
    pub(super) fn renew(&mut self, now: Timestamp) -> Result<Credential> {
        self.tokens += 1;
        self.refused = 0;
        let lives = self.drawn("life");
        let (least, more) = SHORT_MS;
        let expires_at = if self.calm || lives.is_multiple_of(2) {
            Timestamp(i64::MAX)
        } else {
            let ms = least + i64::try_from(lives / 2 % more).unwrap_or(0);
            Timestamp(now.0 + ms)
        };
        let Self {
            name,
            sign_ins,
            tokens,
            ..
        } = self;
        let proof = Proof {
            token: Some(TokenId::try_new(format!("{name}.t{tokens}"))?),
            sign_in: Some(SignInId::try_new(format!("{name}.s{sign_ins}"))?),
            issued_at: Some(now),
        };
        let credential = Credential { proof, expires_at };
        self.current = Some(credential.clone());
        Ok(credential)
    }

    /// Whether a token that ends soon is refreshed in time.
    pub(super) fn is_refreshed(&self) -> bool {
        !self.drawn("refresh").is_multiple_of(3)
    }

    /// What it showed was refused.
    pub(super) fn refused(&mut self) {
        self.refused += 1;
    }

    /// The same in each run of a seed.
    fn drawn(&self, what: &str) -> u64 {
        digest_of(&(what, &self.name, self.tokens))
    }
}
