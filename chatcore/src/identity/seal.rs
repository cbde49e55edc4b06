//! Sealing, at the edge.

use std::fmt;

use bytes::Bytes;

use crate::{
    content::{Content, Sealed},
    error::{Error, ErrorKind, Result},
    ids::CustomerId,
};

/// Seals what is written down for a customer, and opens it for those who may read it.
///
/// Never blocks: keys that are not at hand are `Unavailable`.
///
/// ```
/// use chatcore::{content::Content, identity::{BodySealer, PlainSealer}, ids::CustomerId};
///
/// # fn main() -> chatcore::error::Result<()> {
/// let anna = CustomerId::try_new("anna")?;
/// let sealed = PlainSealer.seal(&anna, &Content::Text("hello".to_owned()))?;
/// assert_eq!(PlainSealer.open(&anna, &sealed)?, Content::Text("hello".to_owned()));
/// # Ok(())
/// # }
/// ```
pub trait BodySealer: fmt::Debug + Send + Sync + 'static {
    /// Seals.
    ///
    /// # Errors
    /// `Unavailable` when the key is not at hand.
    fn seal(&self, customer: &CustomerId, content: &Content) -> Result<Sealed>;

    /// Opens.
    ///
    /// # Errors
    /// `NotFound` when the key was destroyed (the customer was erased), `Corrupt` when the bytes
    /// are not what was sealed, `Unavailable`.
    fn open(&self, customer: &CustomerId, sealed: &Sealed) -> Result<Content>;
}

/// Seals nothing: the bytes are the content's JSON form.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainSealer;

impl BodySealer for PlainSealer {
    fn seal(&self, _: &CustomerId, content: &Content) -> Result<Sealed> {
        let bytes = serde_json::to_vec(content)
            .map_err(|e| Error::new(ErrorKind::Internal, "seal a content").with_source(e))?;
        Ok(Sealed {
            kind: content.kind(),
            chars: u32::try_from(content.chars()).unwrap_or(u32::MAX),
            bytes: Bytes::from(bytes),
        })
    }

    fn open(&self, _: &CustomerId, sealed: &Sealed) -> Result<Content> {
        serde_json::from_slice(&sealed.bytes)
            .map_err(|e| Error::new(ErrorKind::Corrupt, "open a content").with_source(e))
    }
}
