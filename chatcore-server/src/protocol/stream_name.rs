//! Streams by their names, as they stand on the wire: `dialog/17`.

use chatcore::{error::Error, ids::StreamId};
use serde::{Deserialize, Serialize};

/// A stream's name: `dialog/NUMBER`, `customer/ID` or `board/ID`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "spec",
    derive(schemars::JsonSchema),
    schemars(with = "String")
)]
#[serde(try_from = "String", into = "String")]
pub struct StreamName(pub StreamId);

impl TryFrom<String> for StreamName {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse().map(Self)
    }
}

impl From<StreamName> for String {
    fn from(name: StreamName) -> Self {
        name.0.to_string()
    }
}

impl From<StreamId> for StreamName {
    fn from(id: StreamId) -> Self {
        Self(id)
    }
}
