//! Taking back what proves who people are.

use super::Chat;
use crate::{
    clock::Timestamp,
    error::Result,
    identity::{Identity, Revocation, Revoked, Service},
    record::encode,
};

impl Chat {
    /// Revokes a person, a sign-in or a token: on every node, and for as long as tokens live.
    ///
    /// Once this returns it is written down and can't be forgotten. Every node that reads the
    /// journal's shared table ends the sessions that rest on it within two seconds, and lets in
    /// nobody who has nothing newer; a node that can't read it hands nothing out past ten.
    /// Answers when it was, by this node's clock.
    ///
    /// # Errors
    /// `Unavailable`, `Storage`: it may or may not have been written down. To do it again is safe.
    ///
    /// # Cancellation
    /// Dropped before it returns, it may or may not be written down.
    pub async fn revoke(&self, what: Revoked) -> Result<Revocation> {
        let at = self.inner.hub.ports.clock.now();
        self.revoke_as_of(what, at).await
    }

    pub(crate) async fn revoke_as_of(&self, what: Revoked, at: Timestamp) -> Result<Revocation> {
        let hub = &self.inner.hub;
        let revocation = Revocation { what, at };
        let (key, value) = (revocation.key()?, encode(&revocation)?);
        let put = hub.ports.shared.put(&key, Some(value.clone()));
        hub.in_time("revoke", put).await?;
        // Whoever was told that it is done finds it done here.
        hub.take_shared(&key, Some(&value));
        Ok(revocation)
    }

    /// Whether a person may be answered by this node now. [`connect`](Self::connect) and a refresh
    /// ask by themselves; an embedder asks before each call that it answers beside sessions.
    ///
    /// # Errors
    /// `Forbidden` when the token, the sign-in or the person was revoked. `Unavailable` while the
    /// node can't tell, with when to come back; one that has just begun is waited for two seconds.
    /// `Overloaded` when the person makes more such calls than
    /// [they may](crate::routing::PersonLimits::requests).
    ///
    /// # Cancellation
    /// May be dropped.
    pub async fn admit(&self, identity: &Identity) -> Result<()> {
        let hub = &self.inner.hub;
        let person = hub.people.person(&identity.participant());
        person.take_request()?;
        hub.admit_call(|hub| hub.is_ended(identity)).await
    }

    /// Whether this node can tell who was revoked. While it can't, for more than ten seconds unless
    /// its configuration says otherwise, nothing is handed out.
    #[must_use]
    pub fn knows_revocations(&self) -> bool {
        self.inner.hub.is_sure()
    }

    /// As [`admit`](Self::admit), for a service.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancellation
    /// May be dropped.
    pub async fn admit_service(&self, service: &Service) -> Result<()> {
        let (hub, proof) = (&self.inner.hub, &service.proof);
        hub.admit_call(|hub| hub.is_proof_ended(proof)).await
    }
}
