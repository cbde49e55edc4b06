//! Takes card numbers, codes and documents out of what people write, before it is written down.
//!
//! [`Rules`] say what is looked for, [`Patterns`] does it: a [`Redactor`](chatcore::identity::Redactor)
//! for [`ChatBuilder::with_redactor`](chatcore::chat::ChatBuilder::with_redactor). Everything is
//! found by shape and check digits, in digits of any script and parted anyhow, also over several
//! messages of one author. [`Cases`] are a bank's own examples, by which it tests its rules.
//!
//! ```
//! use chatcore::{content::Content, identity::{Beside, Redactor}};
//! use chatcore_redact::{Patterns, Rules};
//!
//! let patterns = Patterns::try_new(&Rules::default())?;
//! let said = Content::Text("моя карта 4111 1111 1111 1111".to_owned());
//! let redacted = patterns.redact(said, Beside::default());
//! let left = Content::Text("моя карта 4111 11•• •••• 1111".to_owned());
//! assert_eq!(redacted.content, left);
//! # Ok::<(), chatcore_redact::RulesError>(())
//! ```

mod card;
mod cases;
mod code;
mod digit;
mod document;
mod iban;
mod pattern;
mod patterns;
mod rules;
mod scan;
mod texts;

pub use card::Issuer;
pub use cases::{Case, Cases};
pub use digit::MASK;
pub use patterns::Patterns;
pub use rules::{Keep, Pattern, Rules, RulesError};
