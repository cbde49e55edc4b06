//! Systems of the bank that call chatcore: no people, so that none can open a session.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Proof;
use crate::{clock::Timestamp, ids::ServiceId};

/// A system of the bank, as proven by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Which.
    pub id: ServiceId,
    /// What it may do; nothing else.
    pub scopes: BTreeSet<Scope>,
    /// Not longer than this.
    pub expires_at: Timestamp,
    /// By what: names what may be revoked.
    pub proof: Proof,
}

/// Something that a service may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Revokes people, sign-ins and tokens.
    Revoke,
}
