//! Who somebody is, what they may do, and how what they write is cleaned and sealed.

mod redact;
mod revocation;
mod seal;
mod service;

pub use redact::{Beside, NoRedaction, Redacted, Redactor};
pub use revocation::{Proof, Revocation, Revoked};
pub(crate) use revocation::{REVOKED, Revocations};
pub use seal::{BodySealer, PlainSealer};
pub use service::{Scope, Service};

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    ids::{CustomerId, DeskId, Participant, StaffId},
};

/// Who a session speaks for, as proven by a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Who.
    pub who: Who,
    /// The name to show to others; never written to logs.
    pub name: String,
    /// How surely.
    pub assurance: Assurance,
    /// The session ends then.
    pub expires_at: Timestamp,
    /// By what: names what may be revoked.
    #[serde(default)]
    pub proof: Proof,
}

/// A person with their rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A customer: sees and writes their own dialogs.
    Customer(CustomerId),
    /// Somebody of the bank, at a desk.
    Staff {
        /// Who.
        id: StaffId,
        /// Where they work.
        desk: DeskId,
        /// What they are there.
        role: StaffRole,
    },
}

/// What somebody of the bank is at their desk. What each may see and do is in the table of rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StaffRole {
    /// Serves the desk's queues.
    Operator,
    /// Also assigns, takes over and sees all of the desk's dialogs.
    Supervisor,
    /// As a supervisor, but takes nothing away that others wrote.
    ChiefSpecialist,
    /// Sees all of the desk's dialogs and does nothing in them.
    Auditor,
}

/// The rights that a command of staff carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffRights {
    /// Where they work.
    pub desk: DeskId,
    /// What they are there.
    pub role: StaffRole,
}

/// How surely a person is who they say.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// Anybody.
    #[default]
    Anonymous,
    /// Known by something they have (a cookie, a messenger account).
    Known,
    /// Signed in.
    Authenticated,
    /// Signed in, and proven again for this.
    SteppedUp,
}

impl Who {
    /// The participant: the person without their rights.
    #[must_use]
    pub fn participant(&self) -> Participant {
        match self {
            Self::Customer(id) => Participant::Customer(id.clone()),
            Self::Staff { id, .. } => Participant::Staff(id.clone()),
        }
    }
}

impl Identity {
    /// The participant.
    #[must_use]
    pub fn participant(&self) -> Participant {
        self.who.participant()
    }

    /// The desk, and what they are there; none for a customer.
    #[must_use]
    pub fn staff_rights(&self) -> Option<StaffRights> {
        match &self.who {
            Who::Customer(_) => None,
            Who::Staff { desk, role, .. } => Some(StaffRights {
                desk: desk.clone(),
                role: *role,
            }),
        }
    }
}

/// Tells who a token belongs to.
///
/// - **Errors**: `Forbidden` for a token that is expired, foreign, unsigned or malformed, with a
///   reason that does not repeat the token; `Unavailable` when that can't be told now.
/// - **Cancellation**: may be dropped.
///
/// ```
/// use chatcore::{
///     clock::Timestamp,
///     error::{Error, ErrorKind, Result},
///     identity::{Assurance, Authenticator, Identity, Proof, Who},
///     ids::CustomerId,
/// };
///
/// #[derive(Debug)]
/// struct OnlyAnna;
///
/// #[async_trait::async_trait]
/// impl Authenticator for OnlyAnna {
///     async fn authenticate(&self, token: &str) -> Result<Identity> {
///         if token != "anna" {
///             return Err(Error::new(ErrorKind::Forbidden, "authenticate"));
///         }
///         Ok(Identity {
///             who: Who::Customer(CustomerId::try_new("anna")?),
///             name: "Anna".to_owned(),
///             assurance: Assurance::Authenticated,
///             expires_at: Timestamp(i64::MAX),
///             proof: Proof::default(),
///         })
///     }
/// }
/// ```
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// Who the token belongs to.
    ///
    /// # Errors
    /// As above.
    async fn authenticate(&self, token: &str) -> Result<Identity>;

    /// Which service the token belongs to; unless an implementation says otherwise, none.
    ///
    /// # Errors
    /// As above; `Forbidden` for the token of a person.
    async fn authenticate_service(&self, _token: &str) -> Result<Service> {
        Err(Error::new(ErrorKind::Forbidden, "authenticate a service"))
    }
}
