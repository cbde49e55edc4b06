//! What was revoked: pure, the same on every node.
//!
//! A revocation is written to the shared table under a key of its own, so that no two ever replace
//! each other and a lapsed one is removed without a race. Every node holds all of them in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::Identity;
use crate::{
    clock::Timestamp,
    error::Result,
    ids::{Participant, SignInId, TokenId},
    record,
};

/// Where revocations are in the shared table.
pub(crate) const REVOKED: &str = "revoked/";
/// How far the clock of whoever issues tokens may be ahead of ours: tokens issued so much later
/// than a person was revoked are refused as well.
const AHEAD_MAX: Duration = Duration::from_secs(5);

/// What proved who somebody is, as far as it has a name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Proof {
    /// The token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// The sign-in that the token came of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignInId>,
    /// When the token was made. One that does not say is older than any revocation of its person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
}

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Revoked {
    /// Every token of a person that was issued until now. One that is issued more than five
    /// seconds later counts again.
    Person(Participant),
    /// Every token of a sign-in, for good.
    SignIn(SignInId),
    /// One token, for good.
    Token(TokenId),
}

/// A revocation, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// What.
    pub what: Revoked,
    /// When.
    pub at: Timestamp,
}

impl Revocation {
    /// Its key in the shared table. Two that share one say the same.
    pub(crate) fn key(&self) -> Result<String> {
        let hash = blake3::hash(&record::encoded(&self.what)?);
        let hex = hash.to_hex();
        let short = hex.get(..16).unwrap_or_default();
        Ok(format!("{REVOKED}{:013}/{short}", self.at.0))
    }

    /// Whether it ends what rests on this.
    #[must_use]
    pub fn ends(&self, who: Option<&Participant>, proof: &Proof) -> bool {
        match &self.what {
            Revoked::Person(person) => {
                who == Some(person) && proof.issued_at.is_none_or(|at| at <= last_of(self.at))
            }
            Revoked::SignIn(id) => proof.sign_in.as_ref() == Some(id),
            Revoked::Token(id) => proof.token.as_ref() == Some(id),
        }
    }
}

/// Up to when tokens must have been issued to be ended by a revocation of their person.
fn last_of(revoked_at: Timestamp) -> Timestamp {
    revoked_at.plus(AHEAD_MAX)
}

/// All that is revoked and may still matter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Revocations {
    /// When each was revoked.
    times: HashMap<Revoked, BTreeSet<Timestamp>>,
    by_key: BTreeMap<String, Revocation>,
}

impl Revocations {
    /// Takes a value of the shared table; one that is removed has lapsed. Answers what is revoked
    /// by it, if that is new.
    ///
    /// # Errors
    /// `Corrupt`, `NewerFormat`: it can't be told who was meant.
    pub(crate) fn take(&mut self, key: &str, value: Option<&[u8]>) -> Result<Option<Revocation>> {
        let Some(value) = value else {
            self.forget(key);
            return Ok(None);
        };
        let revocation: Revocation = record::decode(value)?;
        let known = self.by_key.insert(key.to_owned(), revocation.clone());
        let times = self.times.entry(revocation.what.clone()).or_default();
        times.insert(revocation.at);
        Ok(known.is_none().then_some(revocation))
    }

    fn forget(&mut self, key: &str) {
        let Some(gone) = self.by_key.remove(key) else {
            return;
        };
        // Others of the same have keys of their own.
        if let Some(times) = self.times.get_mut(&gone.what) {
            times.remove(&gone.at);
            if times.is_empty() {
                self.times.remove(&gone.what);
            }
        }
    }

    /// Whether a person with this proof is revoked.
    pub(crate) fn ends(&self, identity: &Identity) -> bool {
        !self.times.is_empty() && (self.ends_person(identity) || self.ends_proof(&identity.proof))
    }

    fn ends_person(&self, identity: &Identity) -> bool {
        let times = self.times.get(&Revoked::Person(identity.participant()));
        let newest = times.and_then(BTreeSet::last);
        let issued_at = identity.proof.issued_at;
        newest.is_some_and(|at| issued_at.is_none_or(|issued| issued <= last_of(*at)))
    }

    /// Whether the token, or the sign-in that it came of, is revoked.
    pub(crate) fn ends_proof(&self, proof: &Proof) -> bool {
        let token = proof.token.clone().map(Revoked::Token);
        let sign_in = proof.sign_in.clone().map(Revoked::SignIn);
        let mut names = token.into_iter().chain(sign_in);
        names.any(|name| self.times.contains_key(&name))
    }

    /// The keys of those from before this.
    pub(crate) fn older_than(&self, then: Timestamp) -> Vec<String> {
        let old = self.by_key.iter().filter(|(_, r)| r.at < then);
        old.map(|(key, _)| key.clone()).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        identity::{Assurance, StaffRole, Who},
        ids::{CustomerId, StaffId},
    };

    fn anna(issued_at: Option<i64>) -> Identity {
        Identity {
            who: Who::Customer(CustomerId::literal("anna")),
            name: "Anna".to_owned(),
            assurance: Assurance::Authenticated,
            expires_at: Timestamp(i64::MAX),
            proof: Proof {
                token: Some(TokenId::literal("t-1")),
                sign_in: Some(SignInId::literal("s-1")),
                issued_at: issued_at.map(Timestamp),
            },
        }
    }

    fn revoked(all: &mut Revocations, what: Revoked, at: i64) -> String {
        let at = Timestamp(at);
        let revocation = Revocation { what, at };
        let key = revocation.key().unwrap();
        let value = record::encode(&revocation).unwrap();
        assert_eq!(all.take(&key, Some(&value)).unwrap(), Some(revocation));
        assert_eq!(all.take(&key, Some(&value)).unwrap(), None, "no news twice");
        key
    }

    #[test]
    fn a_person_is_ended_with_what_was_issued_until_then_and_comes_back_with_a_later_token() {
        let mut all = Revocations::default();
        let whom = anna(Some(1_000)).participant();
        assert!(!all.ends(&anna(None)));
        revoked(&mut all, Revoked::Person(whom), 10_000);
        for issued in [0, 1_000, 10_000, 15_000] {
            assert!(all.ends(&anna(Some(issued))), "{issued}");
        }
        assert!(all.ends(&anna(None)), "one that does not say is old");
        assert!(!all.ends(&anna(Some(15_001))));
        let mut staff = anna(Some(1));
        staff.who = Who::Staff {
            id: StaffId::literal("anna"),
            desk: crate::ids::DeskId::literal("main"),
            role: StaffRole::Operator,
        };
        assert!(!all.ends(&staff), "a namesake");
    }

    #[test]
    fn sign_ins_and_tokens_are_ended_for_good_and_no_others() {
        for what in [
            Revoked::SignIn(SignInId::literal("s-1")),
            Revoked::Token(TokenId::literal("t-1")),
        ] {
            let mut all = Revocations::default();
            revoked(&mut all, what.clone(), 10);
            assert!(all.ends(&anna(Some(1_000_000))));
            let mut other = anna(Some(1));
            other.proof.token = Some(TokenId::literal("s-1"));
            other.proof.sign_in = Some(SignInId::literal("t-1"));
            assert!(!all.ends(&other), "{what:?}");
            other.proof = Proof::default();
            assert!(!all.ends(&other));
        }
    }

    #[test]
    fn one_that_lapses_leaves_a_later_one_of_the_same() {
        let mut all = Revocations::default();
        let what = Revoked::Person(anna(None).participant());
        let first = revoked(&mut all, what.clone(), 10);
        let second = revoked(&mut all, what.clone(), 20_000);
        assert_eq!(
            all.older_than(Timestamp(20_000)),
            std::slice::from_ref(&first)
        );
        all.take(&first, None).unwrap();
        assert!(all.ends(&anna(Some(20_000))));
        all.take(&second, None).unwrap();
        all.take(&second, None).unwrap();
        assert!(!all.ends(&anna(Some(1))));
        assert_eq!(all.len(), 0);
        // The other way round as well: the later one is removed first.
        let first = revoked(&mut all, what.clone(), 10);
        let second = revoked(&mut all, what, 20_000);
        all.take(&second, None).unwrap();
        assert!(all.ends(&anna(Some(1))) && !all.ends(&anna(Some(20_000))));
        all.take(&first, None).unwrap();
        assert!(!all.ends(&anna(Some(1))));
    }

    #[test]
    fn what_can_not_be_read_changes_nothing_and_is_told() {
        let mut all = Revocations::default();
        assert!(all.take("revoked/1/2", Some(b"nonsense")).is_err());
        assert!(all.take("revoked/1/2", Some(&[99])).is_err());
        assert_eq!(all.len(), 0);
    }

    #[test]
    fn whatever_is_in_a_jti_has_a_name() {
        assert_eq!(TokenId::named("abc").as_str(), "abc");
        let odd = TokenId::named("a/b+c==\n");
        assert!(odd.as_str().starts_with("b3:"), "{odd}");
        assert_eq!(odd, TokenId::named("a/b+c==\n"));
        assert_ne!(odd, TokenId::named("a/b+c==\r"));
        assert_ne!(TokenId::named(""), TokenId::named(" "));
    }
}
